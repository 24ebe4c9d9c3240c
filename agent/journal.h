/* SPDX-License-Identifier: Apache-2.0
 *
 * What was provisioned, one record per item, so that it can be taken back exactly.  A record is on disk before the
 * change that it describes is made (write-ahead), with the bytes of every file that the change replaces in a backup
 * beside it.
 */
#ifndef REEVE_AGENT_JOURNAL_H
#define REEVE_AGENT_JOURNAL_H

#include "agent.h"
#include "codec/json.h"

enum item_state {
	ITEM_APPLYING, /* the change may be there in part */
	ITEM_INSTALLED,
	ITEM_FAILED,   /* what of it is there is recorded; tried again at the next check-in */
	ITEM_REMOVING, /* the taking back may be done in part */
	ITEM_REMOVED,  /* nothing is left; kept until the server has been told */
};

struct journal_file {
	const char *path;  /* relative to the root */
	bool existed;      /* before the organisation came; then the rest describes what it was */
	unsigned backup;   /* number of the backup */
	char original[65]; /* its SHA-256 */
	unsigned mode;
	int64_t uid, gid, mtime_s, mtime_ns;
	char written[65]; /* SHA-256 of what we wrote; "" before that */
	bool dropped;     /* a newer version has it no more */
};

struct journal {
	const char *id, *kind, *name, *identifier, *error; /* error: why it failed, or a remark on how it was removed */
	int64_t version;
	enum item_state state;
	const char **dirs; /* directories that we made, outermost first; NULL-terminated */
	struct journal_file *files;
	size_t n_files;
	const char **data;      /* declared data paths: absolute or with "~/" */
	const char **data_kept; /* relative to the root: were there before the app came, so they are not the
				   organisation's */
	const char *package;    /* Debian package, on a real system; NULL otherwise */
	const char *package_version;
	bool package_was_there; /* it was installed before the organisation came: never purged */
};

const char *item_state_text(enum item_state s); /* as the protocol spells it: installed, failed, removed */

MUST_CHECK enum err journal_load(struct agent *a, const char *id, struct journal *ret); /* ERR_NOT_FOUND */
MUST_CHECK enum err journal_save(struct agent *a, const struct journal *j);
MUST_CHECK enum err journal_forget(struct agent *a, const struct journal *j); /* the record, then its backups */
/* All of them, in the order of their ids; NULL-terminated. */
MUST_CHECK enum err journal_all(struct agent *a, struct journal ***ret);

/* to and from JSON, pure */
void journal_write(const struct journal *j, struct json_writer *w);
MUST_CHECK enum err journal_read(struct scope *s, const json_t *o, struct journal *ret);

/* Keeps the bytes of `path` as backup `number` of the item; fills the file's original, mode, owner and times. */
MUST_CHECK enum err journal_keep(struct agent *a, const char *id, struct journal_file *f, unsigned number);
/* The name of a backup in the state directory. */
char *journal_backup(struct agent *a, const char *id, unsigned number);

#endif
