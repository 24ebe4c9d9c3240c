/* SPDX-License-Identifier: Apache-2.0
 *
 * The log as it grows, in the order of its indexes.  An event has an index within a second of its commit; whoever goes on from the index
 * where they stopped gets every event once, however many writers commit out of order.
 */
#ifndef REEVE_AUDIT_AUDIT_TAIL_H
#define REEVE_AUDIT_AUDIT_TAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "db/db.h"

enum { AUDIT_TAIL_FIRST = 5 }; /* number of the condition's first parameter */

struct audit_tail {
	uint64_t from;              /* in: the index to begin with */
	unsigned most;              /* in: events in this page */
	const char *where;          /* in: a condition over t, or NULL */
	const struct db_value *args;
	size_t arg_count;
	uint64_t generation;        /* in: that `from` belongs to, 0 for the present one; out: the log's */
	uint64_t size, next;        /* out: the log's, and where the next page begins: next == size where this one is the last */
	bool full;                  /* set by fn: no more in this page */
	struct id resource;         /* for fn: what the event is about */
};

typedef enum err (*audit_tail_fn)(struct db_tx *tx, struct audit_tail *t, const char *bytes, size_t n, void *arg);

/* One page of events that still have content, after which `next` may stand anywhere behind the last of them.  ERR_SYNC_STATE where `from` is of
 * another generation, or behind the log's end: the database was restored, and what stands at an index now is not what was read there. */
MUST_CHECK enum err audit_tail(struct db_tx *tx, struct audit_tail *io, audit_tail_fn fn, void *arg);
/* Generation and size alone, into the page: to begin with what comes next. */
MUST_CHECK enum err audit_tail_end(struct db_tx *tx, struct audit_tail *io);

/* ---- where somebody stopped, as text for them to keep ---- */

struct audit_place {
	uint64_t generation, index; /* generation: from 1 */
};

/* Binds a place to a tenant and a filter (NULL: none): one of another question would skip events silently.  It grants nothing. */
char *audit_place_write(struct scope *s, const struct audit_place *p, const char *filter);
/* False: this is no place of this tenant and filter. */
bool audit_place_read(struct scope *s, const char *text, const char *filter, struct audit_place *ret);

#endif
