/* SPDX-License-Identifier: Apache-2.0
 *
 * Which logs and witnesses to trust (C2SP tlog-policy): lines `log <vkey> [url]`, `witness <name> <vkey> [url]`,
 * `group <name> all|any|<k> <names...>`, `quorum <name>|none`, comments with #.  Pure.
 */
#ifndef REEVE_TLOG_POLICY_H
#define REEVE_TLOG_POLICY_H

#include "base/err.h"
#include "base/scope.h"
#include "tlog/note.h"

enum { POLICY_BYTES_MAX = 64 * 1024, POLICY_ITEMS_MAX = 128 };

struct policy_item {
	enum { POLICY_LOG, POLICY_WITNESS, POLICY_GROUP } kind;
	const char *name, *url; /* of a log: its key's name; url: NULL where none is given, of a witness its submission prefix */
	struct note_key key;
	unsigned need, members; /* of a group: how many of its members must agree */
	uint8_t member[POLICY_ITEMS_MAX];
};

struct policy {
	struct policy_item item[POLICY_ITEMS_MAX];
	unsigned n;
	int quorum;             /* the item that must agree; -1: none */
};

/* Names, URLs and keys go to the arena.  ERR_BAD_REQUEST with a detail that names the line. */
MUST_CHECK enum err policy_parse(struct scope *s, const char *text, size_t len, struct policy *ret);
/* Whether the quorum is reached; signed_[i]: item i (a witness) has cosigned.  Without a quorum it always is. */
bool policy_satisfied(const struct policy *p, const bool *signed_);

#endif
