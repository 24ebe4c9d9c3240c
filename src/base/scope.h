/* SPDX-License-Identifier: Apache-2.0
 *
 * What one request, device message or job carries down through the layers: memory, tenant, actor, time, database, keeper, and
 * the detail of an error on its way up.  Clock and ids come from here, so that one request has one time.
 *
 * A scope with has_tenant is bound to that tenant: the db layer passes it to every statement and refuses statements that cross
 * tenants.  A scope without (scope_system) belongs to jobs and to the installation itself and may run only those.
 */
#ifndef REEVE_BASE_SCOPE_H
#define REEVE_BASE_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"

struct access;
struct db;
struct keeper;

enum actor_type {
	ACTOR_SYSTEM,      /* jobs and the server itself */
	ACTOR_APPLICATION, /* a program or administrator's token (client credentials) */
	ACTOR_USER,        /* a person: signed in, or acting on their own account, e.g. leaving with a device */
	ACTOR_DEVICE,      /* an enrolled device, by its certificate */
	ACTOR_OPERATOR,    /* the installation's operator: tenants, no personal data */
	ACTOR_ANONYMOUS,   /* nobody has been authenticated yet */
};

struct actor {
	enum actor_type type;
	struct id id;            /* of the application, user or device; nil for the system */
	const char *name;        /* display name as it is now */
	const char *upn;         /* of a user; NULL otherwise */
	const char *ip;          /* the client's address; NULL for the system */
	const char *permissions; /* space-separated, as granted: the union of all that its roles allow */
	struct id application;   /* ACTOR_USER: the program through which the person acts; nil: a browser */
	struct id session;       /* ACTOR_USER: the row of sessions; nil otherwise */
	const struct access *access;     /* by which roles it holds them (directory/access/access.h); NULL: by none */
	const struct scope_groups *only; /* whose data the request may concern; NULL: everybody's.  Set by the gate for the route's permission */
};

/* The groups whose members an actor may see and change (scope groups of role assignments).  A device, a duty, an event counts with the person
 * that it belongs to; what belongs to nobody can be read and not changed. */
struct scope_groups {
	const struct id *groups;
	size_t n; /* 1 to SCOPE_GROUPS_MAX */
};
enum { SCOPE_GROUPS_MAX = 64 };

/* The same set as text, the same whatever its order: ids with a comma between, in the arena; NULL for NULL.  A file of background work carries it
 * with its row. */
const char *scope_groups_text(struct arena *a, const struct scope_groups *only);
/* Back again, in the arena; NULL for NULL.  Text that is none is a programming error: it is the database's. */
const struct scope_groups *scope_groups_parse(struct arena *a, const char *text);

struct db_tx;
/* What the first change of a scope takes with it, in the transaction of that change: an approval, which counts once (directory/approval/).  Called
 * by audit_record() for every event of the scope in this tenant; what is taken already, by this attempt, stays so. */
struct scope_claim {
	struct id tenant, request, attempt;
	enum err (*take)(struct db_tx *tx, const struct scope_claim *claim);
};

struct scope {
	struct arena *arena;
	struct db *db;
	struct keeper *keeper;
	struct id tenant;
	bool has_tenant;
	struct actor actor;
	struct id correlation; /* client-request-id, or one of ours */
	int64_t now;           /* microseconds UTC, read once */
	uint16_t ids;          /* how many scope_id() has made */
	char *detail;          /* why it failed, for people; in the arena; set by scope_fail() */
	const char *detail_file;
	int detail_line;
	struct id subject;     /* the object that an audited refusal is about, when known */
	const struct scope_claim *claim; /* NULL: nothing */
};

/* Fills a scope for one tenant / for the system.  `now` and a new correlation id are set; the actor is the system. */
void scope_tenant(struct scope *s, struct arena *arena, struct db *db, struct keeper *keeper, struct id tenant);
void scope_system(struct scope *s, struct arena *arena, struct db *db, struct keeper *keeper);

/* A new UUIDv7 at the scope's time.  Ids of one scope sort in the order in which they were made, those of several by microsecond (RFC 9562,
 * section 6.2, methods 1 and 3): events of one transaction keep their order. */
struct id scope_id(struct scope *s);

/* Attaches the detail (the first one wins) and returns e, so that `return scope_fail(s, ERR_X, "…")` reads well. */
enum err scope_fail_at(struct scope *s, enum err e, const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
#define scope_fail(s, e, ...) scope_fail_at((s), (e), __FILE__, __LINE__, __VA_ARGS__)

/* The detail, or the default text of e. */
const char *scope_detail(const struct scope *s, enum err e);

#endif
