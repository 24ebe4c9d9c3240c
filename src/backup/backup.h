/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies of an SQLite store: made while the server runs, sealed as they are read, in backup_dir as backup-<time>.reeve; and the upkeep of the
 * keys that they, and the streams of PostgreSQL, are sealed with.  What happens is recorded in the installation's own log.
 *
 * What is in a copy: the database, which is everything but files that live for days (exports and reports, sealed under the keeper's keys), what
 * was handed over (archives, files of sinks), the settings, and the keeper, which has a second place of its own.
 */
#ifndef REEVE_BACKUP_BACKUP_H
#define REEVE_BACKUP_BACKUP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backup/format.h"
#include "base/err.h"
#include "base/scope.h"

/* What the settings say, and what the running server knows.  Made at the start. */
struct backups {
	const char *dir; /* "": off */
	const char *wish; /* a file: somebody asked for a backup, and it is not made yet */
	int64_t every_us; /* 0: only when asked */
	_Atomic int64_t last_good_us;  /* created, of the newest: of PostgreSQL what was sealed last, looked at every hour; 0: none */
	_Atomic bool failing;          /* the last attempt failed */
	_Atomic bool keys_seen;        /* backup_keys_run() has run */
	int64_t looked_us;             /* the keys' job's own: at the files */
	bool away;                     /* its own: the keeper's second place was away the last time */
	int64_t next_try_us, alarmed_us; /* the job's own */
};

/* dir and data_dir live as long as b. */
MUST_CHECK enum err backups_init(struct scope *s, struct backups *b, const char *dir, const char *data_dir, int64_t every_us);

/* A step of the jobs, in scopes of the system.  The keys: today's and tomorrow's are made, those whose time is over destroyed, and files whose key
 * is gone removed from the directory.  The backup: when it is due or asked for.  A failure is an event, an alarm and the job's error. */
MUST_CHECK enum err backup_keys_run(struct scope *s, struct backups *b);
MUST_CHECK enum err backup_run(struct scope *s, struct backups *b);

/* The operator asks for one; it is made at once.  ERR_CONFLICT: backups are off; ERR_NOT_IMPLEMENTED: PostgreSQL makes its own
 * (docs/operating/backup.md). */
MUST_CHECK enum err backup_ask(struct scope *s, struct backups *b);

struct backup_file {
	const char *name;
	uint64_t size;
	struct backup_header header;
	int64_t gone_at; /* when its key is destroyed; 0: it is */
};
/* The sealed files in the directory and in those directly below it, newest first, in the arena; at most 10,000. */
MUST_CHECK enum err backup_list(struct scope *s, const struct backups *b, struct backup_file **ret, size_t *ret_n);

#endif
