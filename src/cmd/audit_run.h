/* SPDX-License-Identifier: Apache-2.0
 *
 * One check of a log, as `reeve audit verify` and `reeve audit mirror` make it: whose key, the public files, the events, the head that was
 * seen before, the witnesses.
 */
#ifndef REEVE_CMD_AUDIT_RUN_H
#define REEVE_CMD_AUDIT_RUN_H

#include "audit/log/verify.h"
#include "cmd/audit_seen.h"
#include "cmd/audit_source.h"
#include "tlog/policy.h"

struct audit_run {
	const char *command;      /* "audit verify" */
	struct scope s;
	struct audit_source src;
	struct policy *policy;    /* NULL: none asked for */
	/* options */
	const char *key_option, *state_option, *policy_option;
	bool accept_new_origin, no_events, json;
	bool copying;             /* a mirror is being made: the checkpoint with cosignatures is wanted, what was removed may still be in the copy */
	void *user;               /* of the caller */
	/* whose log */
	struct note_key key;
	const char *vkey;
	const char *key_from;     /* "given", "the policy's", "remembered", "first use" */
	struct seen seen, own;    /* the state file; a mirror's own memory */
	const char *own_file;
	const struct seen_head *held; /* what a mirror holds; NULL: nothing */
	const struct seen_head *sibling; /* the log goes on from this, under a new origin */
	/* what was found */
	struct log_report report;
	struct audit_verify content;
	bool events_read;         /* the content was checked */
	const struct seen_head *continues; /* the head that it was proved to continue; NULL: none */
	const char *behind;       /* a note: a later head was seen elsewhere */
	const char *witnessed;    /* the newest checkpoint with cosignatures, checked; NULL: none, or not asked for */
	unsigned witnesses;       /* of the policy, that cosigned */
	uint64_t witnessed_size;
	struct buf lines;         /* a bundle's events */
};

void run_init(struct audit_run *r, const char *command);
void run_release(struct audit_run *r);
/* Takes --key, --state, --policy, --accept-new-origin, --no-events out of argv, and reads the policy.  ERR_USAGE … with a detail. */
MUST_CHECK enum err run_options(struct audit_run *r, int *argc, char **argv);
/* The first argument that is neither an option nor the value of one, or NULL. */
char *run_positional(int *argc, char **argv);
/* vkey: a line, or a file that holds one. */
MUST_CHECK enum err run_key_option(struct scope *s, const char *text, const char **ret_vkey);

/* The key to judge by; needs the source.  ERR_CONFLICT: another one is remembered. */
MUST_CHECK enum err run_choose_key(struct audit_run *r);
/* Everything but the memory of it.  ERR_CONFLICT … with a detail that names the first bad index or file. */
MUST_CHECK enum err run_check(struct audit_run *r);
/* ERR_CONFLICT where what is at hand does not continue a head; strict: nor may it be shorter. */
MUST_CHECK enum err run_continue(struct audit_run *r, const struct seen_head *h, bool strict);
/* After success: the head into the state file and the mirror's own. */
MUST_CHECK enum err run_remember(struct audit_run *r);
/* What others wrote, without what a terminal would obey. */
char *run_plain(struct arena *a, const char *text);
/* Prints why not, and gives the exit code. */
int run_fail(struct audit_run *r, enum err e);
struct seen_head run_head(const struct audit_run *r);

#endif
