/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside channels/linux/: the members of one JSON object, taken one by one.  Each get says what it wants; members_end()
 * refuses what nobody wanted.  The first failure sticks, so that a decoder reads as a list and checks once.
 */
#ifndef REEVE_CHANNELS_LINUX_MEMBERS_H
#define REEVE_CHANNELS_LINUX_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"

enum { MEMBER_OPTIONAL = 0, MEMBER_REQUIRED = 1, MEMBER_LINES = 2 /* a text may have line breaks */ };

struct members {
	struct scope *s;
	const json_t *object;
	const char *where; /* "inventory": of error details */
	size_t taken;      /* how many of the object's members were asked for */
	enum err err;
};

struct members members_of(struct scope *s, const json_t *object, const char *where);

/* Absent and null are the same: NULL, -1, false, the nil id; ERR_BAD_REQUEST where required. */
const char *member_text(struct members *m, const char *name, unsigned flags, size_t max_bytes);
int64_t member_count(struct members *m, const char *name, unsigned flags); /* a whole number from 0; -1 where absent */
int member_bool(struct members *m, const char *name, unsigned flags);      /* 0, 1; -1 where absent */
struct id member_id(struct members *m, const char *name, unsigned flags);
const json_t *member_object(struct members *m, const char *name, unsigned flags);
/* *ret_n: its length, at most max.  NULL where absent. */
const json_t *member_list(struct members *m, const char *name, unsigned flags, size_t max, size_t *ret_n);

void members_fail(struct members *m, const char *name, const char *why);
/* The first failure; else ERR_BAD_REQUEST where the object has a member that nobody asked for. */
MUST_CHECK enum err members_end(struct members *m);

#endif
