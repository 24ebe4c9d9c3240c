/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a tenant has its audit events sent: the rows of sinks, their cursors, and pages of events to deliver.  A cursor (next_index) is the
 * log index of the first event that the receiver has not confirmed; it moves in one step from what was read to what was confirmed, so that
 * every event is delivered at least once and in the order of the log, whatever crashes between.  Reading for a sink is not recorded as
 * reading the log: a delivery must not feed itself.  Creating and changing sinks is in directory/sink.h, delivering in jobs/sinks.h.
 */
#ifndef REEVE_AUDIT_OUT_SINK_H
#define REEVE_AUDIT_OUT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

enum sink_kind { SINK_FILE, SINK_SYSLOG, SINK_WEBHOOK, SINK_KINDS };
enum {
	SINKS_PER_TENANT = 8,
	SINKS_PER_INSTALLATION = 256, /* each has a thread */
};

const char *sink_kind_name(enum sink_kind k); /* "file" … */
bool sink_kind_parse(const char *name, enum sink_kind *ret);

/* One row; texts in the arena. */
struct audit_sink {
	struct id sink;
	enum sink_kind kind;
	bool enabled, ocsf;
	const char *target, *filter, *ca_pem; /* the last two may be NULL */
	const void *secret;                   /* sealed by the keeper; NULL */
	size_t secret_n;
	int64_t version;
	uint64_t next_index;
	unsigned generation;                  /* of the log, for its origin */
};
/* In the scope's tenant.  ERR_NOT_FOUND without a detail. */
MUST_CHECK enum err audit_sink_load(struct scope *s, struct id sink, struct audit_sink *ret);

/* ---- what to deliver ---- */

struct audit_sink_event {
	uint64_t index;
	struct id event;
	int64_t at;
	const char *activity_type, *resource_type; /* the second may be NULL */
	struct id resource;                        /* may be nil */
	bool failure;
	const char *bytes;                         /* as stored */
	size_t n;
};

struct audit_sink_page {
	struct audit_sink_event *events;
	size_t count;
	uint64_t next;    /* the cursor once they are confirmed; events that the filter leaves out are passed over */
	uint64_t size;    /* of the log */
	uint64_t expired; /* indexes passed over whose events are gone by retention */
};

struct audit_sink_limits {
	size_t events, bytes; /* of a page; a single event may be larger */
};

/* The condition is one over audit_events t with parameters from ?5 on; sql NULL: every event. */
enum { AUDIT_SINK_FIRST_PARAM = 5 };
struct audit_sink_filter {
	const char *sql;
	const struct db_value *args;
	size_t arg_count;
};

/* The next events of the scope's tenant from an index on, in the arena.  One transaction that reads a bounded stretch of the log. */
MUST_CHECK enum err audit_sink_page(struct scope *s, uint64_t from, const struct audit_sink_filter *f, struct audit_sink_limits most,
				    struct audit_sink_page *ret);

/* ---- what became of it ---- */

struct audit_sink_progress {
	uint64_t from, next;         /* the cursor as it stands, and where it goes */
	uint64_t delivered, expired; /* events between them; the rest the filter left out */
};
/* Moves the cursor.  *ret_moved false: it does not stand at p->from any more (another server, or the sink is gone); nothing was changed. */
MUST_CHECK enum err audit_sink_confirm(struct scope *s, struct id sink, const struct audit_sink_progress *p, bool *ret_moved);
/* why: without names of people and secrets; cut to LIMIT_TEXT_BYTES. */
MUST_CHECK enum err audit_sink_failed(struct scope *s, struct id sink, const char *why);

/* ---- all of them ---- */

struct sink_place {
	struct id tenant, sink;
	int64_t version;
	uint64_t next_index, size; /* cursor and size of the tenant's log */
};
/* The enabled sinks of the installation, in the arena.  s: a system scope. */
MUST_CHECK enum err audit_sinks_enabled(struct scope *s, struct sink_place **ret, size_t *ret_n);
/* How many there are, enabled or not.  s: a system scope. */
MUST_CHECK enum err audit_sinks_count(struct scope *s, uint64_t *ret);

/* For /metrics, of enabled sinks.  s: a system scope. */
struct sink_stats {
	uint64_t sinks, failing, lag_events, lag_seconds; /* the last two: of the worst */
};
MUST_CHECK enum err audit_sinks_stats(struct scope *s, struct sink_stats ret[SINK_KINDS]);

/* How far one sink of the scope's tenant is behind: events after its cursor, and the age of the first of them. */
MUST_CHECK enum err audit_sink_lag(struct db_tx *tx, struct id sink, uint64_t *ret_events, int64_t *ret_seconds);

#endif
