/* SPDX-License-Identifier: Apache-2.0
 * Shared inside audit/log/: what the keeper signed, held against what the database says (restore.c). */
#ifndef REEVE_AUDIT_LOG_INTERNAL_H
#define REEVE_AUDIT_LOG_INTERNAL_H

#include "audit/log/log.h"
#include "audit/log/tiles.h"
#include "tlog/note.h"

struct signed_head {
	struct id tenant;
	unsigned generation;
	uint64_t size;
	uint8_t root[SHA256_BYTES];
	bool seen; /* the caller's own mark */
};
/* Of each tenant the newest generation that this keeper ever signed, by tenant. */
struct signed_heads {
	struct signed_head *at;
	size_t n;
	bool keeper_is_new; /* it never signed anything, under no name */
};
void audit_signed_heads(struct scope *s, const char *host, struct signed_heads *ret);
struct signed_head *audit_signed_head(const struct signed_heads *all, struct id tenant); /* NULL: never signed */

/* Which database this is, and whether other servers ever signed its logs. */
struct log_place {
	char *name; /* in the arena; NULL on SQLite */
	bool shared;
};
MUST_CHECK enum err audit_log_place(struct db_tx *tx, struct log_place *ret);

/* A row of audit_heads. */
struct log_row {
	struct id tenant;
	bool there;      /* false: the row is missing */
	bool leaving;    /* the tenant is being purged: tiles go, and the little that is still recorded is signed as it comes */
	unsigned generation;
	uint64_t size, signed_size;
	const char *place, *checkpoint; /* NULL: none */
};
#define LOG_ROW_COLUMNS                                                                                                     \
	"h.tenant_id, h.size, h.signed_size, h.generation, h.place, h.checkpoint, "                                         \
	"(SELECT t.state FROM tenants t WHERE t.tenant_id = h.tenant_id)"
struct log_row audit_log_row(const struct db_rows *r, struct arena *a);

enum log_verdict { LOG_CONTINUES, LOG_OLDER, LOG_SHORTER, LOG_ELSEWHERE, LOG_FORKED, LOG_TILES_MISSING, LOG_KEEPER_NEW };
/* newest: may be NULL. */
MUST_CHECK enum err audit_judge(struct db_tx *tx, const struct log_row *log, const struct signed_head *newest,
				const struct log_place *place, enum log_verdict *ret);
/* Judges a log by itself and does what is to be done: mends tiles, or gives it its new origin.  s: a system scope. */
MUST_CHECK enum err audit_settle(struct scope *s, const char *host, struct id tenant, const struct signed_heads *all);
/* Size and root of a signed note of ours; false: it is none. */
bool audit_checkpoint_root(struct scope *s, const char *note, struct checkpoint *ret);
/* Says loudly that a log is not signed any more, with the scope's detail, which it clears. */
void audit_damaged(struct scope *s, struct id tenant);
/* Puts back what is missing above the commitments. */
MUST_CHECK enum err audit_mend_tiles(struct scope *s, struct id tenant);

#endif
