/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules for what stands behind a log's commitments, checked from its public and its event files alone: no database, no keeper, so that
 * whoever holds a copy can hold the server to them.
 *
 *   - an event's bytes and salt open the commitment at its index, and it is of the log's tenant;
 *   - what has no content was removed by the retention: it stands in a range that an "expire AuditEvents" event names ("indexes"), or below
 *     the highest "keptFrom", and no event before it is younger than the least retention was when it was removed;
 *   - what was removed is not there, and nothing is there a day past its own expiresDateTime.
 *
 * That activityDateTime goes back along the log (by more than ten minutes: transactions commit out of order) is told and no fault: a clock that
 * was wrong and is set right does it, and what is signed is signed.
 *
 * The removals of an index are recorded behind it, so its verdict waits for audit_verify_end(); the first bad index of all is named.
 * Memory: a range for each hole, not for each event.
 */
#ifndef REEVE_AUDIT_LOG_VERIFY_H
#define REEVE_AUDIT_LOG_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/commitment.h"
#include "base/err.h"
#include "base/scope.h"
#include "crypto/digest.h"

/* One line of an events/ file: {"index":n,"salt":"base64","event":…} */
struct audit_line {
	uint64_t index;
	uint8_t salt[SHA256_BYTES];
	const char *event; /* the stored bytes, inside the line */
	size_t n;
};
/* line: without its newline; the arena is only borrowed.  False where it is anything else. */
bool audit_line_read(struct arena *a, const char *line, size_t n, struct audit_line *ret);
/* Whether the bytes are an event as it is stored, and not Graph's view of one, which is only a part of it. */
bool audit_is_stored_event(const char *bytes, size_t n);

struct audit_range {
	uint64_t first, end;  /* [first, end) */
	uint64_t by;          /* of a removal: the index of the event that records it */
	int64_t at;           /* of a removal: when; of a hole: the latest activityDateTime before it (0: none) */
};
struct audit_ranges {
	struct audit_range *at;
	size_t n, cap;
};

enum audit_fault { AUDIT_SOUND, AUDIT_CHANGED, AUDIT_MISSING, AUDIT_KEPT, AUDIT_WRONG };

struct audit_verify {
	/* by the caller, before the first bundle */
	const char *tenant;   /* UUID of the log's name */
	uint64_t first;       /* the first index that is checked */
	int64_t now;          /* what expiry is measured against */
	int64_t from, until;  /* of an archive of a period, which need not hold the removals nor other times; 0 and INT64_MAX: all */
	bool copy;            /* made at another time than now: what was removed since may be in it */
	/* found */
	uint64_t next;        /* behind the last index that was checked */
	uint64_t events;      /* with content */
	uint64_t removed;     /* without */
	uint64_t back;        /* events that are dated before an earlier one; the first of them: */
	uint64_t back_index;
	struct audit_ranges removals; /* sorted after audit_verify_end() */
	uint64_t kept_from;   /* the highest that is recorded */
	char *restored;       /* "index 7, 2026-…: name old -> new, …" of the last "restore AuditLog" event; NULL: none */
	enum audit_fault fault;
	bool may_be_late;     /* what is missing is old enough to have been removed just now, recorded behind the checkpoint */
	uint64_t bad_index;
	char *why;            /* heap */
	/* own */
	struct audit_ranges holes;
	struct audit_range kept; /* of kept_from: by, at */
	int64_t latest;
};

/* The events file of one bundle: the commitments of the indexes [index, index + n) and the file's bytes (none: len 0).  Lines behind the
 * bundle's end are younger than the checkpoint and are passed over.  What is wrong is kept in v, not returned; ERR_LIMIT: more holes than
 * memory is given to. */
MUST_CHECK enum err audit_verify_bundle(struct audit_verify *v, struct scope *s, uint64_t index, const uint8_t (*commitments)[SHA256_BYTES],
					unsigned n, const char *lines, size_t len);
/* After the last bundle.  ERR_CONFLICT with a detail that names the first bad index and what is wrong with it. */
MUST_CHECK enum err audit_verify_end(struct audit_verify *v, struct scope *s);
/* Whether a recorded removal covers the index; after audit_verify_end(). */
bool audit_verify_removed(const struct audit_verify *v, uint64_t index);
void audit_verify_release(struct audit_verify *v);

#endif
