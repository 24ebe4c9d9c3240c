/* SPDX-License-Identifier: Apache-2.0
 * A key's event is recorded beside what happens to its files: a key whose event could not be written goes again; one that is destroyed is
 * recorded first, so that a crash in between records it twice rather than never. */
#include "backup/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "backup/files.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/newfile.h"
#include "db/db.h"
#include "notice/notice.h"

DB_GLOBAL(backup_schema, "SELECT MAX(version) FROM schema_migrations");

enum { PIECE = 1024 * 1024, RETRY_MINUTES = 10 };

static enum err find_newest(struct scope *s, struct backups *b, enum backup_kind kind)
{
	struct backup_file *files;
	size_t n;
	TRY(backup_list(s, b, &files, &n));
	for (size_t i = 0; i < n; i++)
		if (files[i].header.kind == kind && files[i].header.created > atomic_load(&b->last_good_us))
			atomic_store(&b->last_good_us, files[i].header.created);
	return OK;
}

enum err backups_init(struct scope *s, struct backups *b, const char *dir, const char *data_dir, int64_t every_us)
{
	struct stat st;
	*b = (struct backups){.dir = dir, .wish = arena_printf(s->arena, "%s/backup-wanted", data_dir), .every_us = every_us};
	if (*dir == '\0')
		return OK;
	if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
		return scope_fail(s, ERR_CONFIG, "backup_dir: %s is no directory", dir);
	return find_newest(s, b, BACKUP_SQLITE);
}

/* ---- events, in the installation's own log ---- */

struct said {
	struct audit_event event;
	const char *what, *alarm; /* alarm NULL: none */
};

static enum err record(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct said *said = arg;
	TRY(audit_record(tx, &said->event));
	return said->alarm == NULL ? OK : notice_alarm(tx, said->what, (struct id){{0}}, said->alarm);
}

static enum err say_and_tell(struct scope *s, struct said *said)
{
	static const struct id installation;
	struct scope t = *s;
	t.tenant = installation;
	t.has_tenant = true;
	t.detail = NULL;
	enum err e = db_write(&t, record, said);
	s->ids = t.ids;
	return e == OK ? OK : scope_fail(s, e, "%s", scope_detail(&t, e));
}

static enum err say(struct scope *s, enum activity activity, const char *type, const char *name)
{
	return say_and_tell(s, &(struct said){.event = {.activity = activity, .resource_type = type, .resource_name = name}});
}

/* A failure, with an alarm to whom alarms go. */
static enum err tell(struct scope *s, enum activity activity, const char *type, const char *what, const char *failure)
{
	return say_and_tell(s, &(struct said){.event = {.activity = activity, .resource_type = type, .failure = failure}, .what = what, .alarm = failure});
}

/* ---- keys ---- */

static const char *day_text(struct scope *s, int64_t day)
{
	char text[TIME_TEXT];
	return arena_printf(s->arena, "%.10s", time_format(day * DAY_US, text));
}

static enum err make_key(struct scope *s, int64_t day)
{
	bool made;
	TRY(keeper_day_key_make(s->keeper, s, day, &made));
	if (!made)
		return OK;
	enum err e = say(s, ACT_BACKUP_KEY_CREATE, "BackupKey", day_text(s, day));
	if (e != OK && keeper_day_key_destroy(s->keeper, s, day) != OK)
		return ERR_IO;
	return e;
}

/* Where the second place is away the key goes here, and its event waits until it is gone there. */
static enum err destroy_key(struct scope *s, const struct keeper_day_key *key)
{
	if (keeper_copy_state(s->keeper, s) == OK)
		TRY(say(s, ACT_BACKUP_KEY_DESTROY, "BackupKey", day_text(s, key->day)));
	return keeper_day_key_destroy(s->keeper, s, key->day);
}

/* Said once, when it goes away; the error is the job's every time. */
static enum err look_at_copy(struct scope *s, struct backups *b)
{
	struct scope t = *s;
	enum err e = keeper_copy_state(s->keeper, s);
	bool news = e != OK && !b->away;
	b->away = e != OK;
	t.detail = NULL;
	return news && tell(&t, ACT_KEEPER_COPY_AWAY, "Keeper", "keeperCopyAway", scope_detail(s, e)) != OK ? ERR_IO : e;
}

/* What nobody can open any more goes; what PostgreSQL's tools put there is seen. */
static enum err look_at_files(struct scope *s, struct backups *b)
{
	size_t removed = 0;
	b->looked_us = s->now;
	if (db_engine(s->db) == DB_POSTGRES)
		TRY(find_newest(s, b, BACKUP_STREAM));
	TRY(backup_remove_dead(s, b, &removed));
	if (removed == 0)
		return OK;
	return say(s, ACT_BACKUP_DELETE, "Backup", arena_printf(s->arena, "%zu whose key is destroyed", removed));
}

enum err backup_keys_run(struct scope *s, struct backups *b)
{
	struct keeper_day_key *key;
	size_t n;
	enum err first = look_at_copy(s, b);
	bool look = s->now - b->looked_us >= HOUR_US || s->now < b->looked_us; /* there may be many files */
	keeper_day_keys(s->keeper, s->arena, &key, &n);
	for (size_t i = 0; i < n; i++) {
		if (key[i].gone_at > s->now)
			continue;
		enum err e = destroy_key(s, &key[i]);
		first = first == OK ? e : first;
		look = true;
	}
	for (int64_t day = s->now / DAY_US; *b->dir != '\0' && day <= s->now / DAY_US + 1; day++) {
		enum err e = make_key(s, day);
		first = first == OK ? e : first;
	}
	atomic_store(&b->keys_seen, true);
	if (first != OK || *b->dir == '\0' || !look)
		return first;
	return look_at_files(s, b);
}

/* ---- making one ---- */

struct making {
	struct scope *s;
	struct backup_header header;
	struct keeper_seal_half half;
	int fd;
};

static enum err read_schema(struct scope *s, struct db_tx *tx, void *arg)
{
	struct making *m = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &backup_schema, NULL, 0, &r));
	m->header.schema = (uint32_t)db_int(r, 0);
	return OK;
}

static enum err seal_bytes(struct scope *s, int from, uint64_t bytes, struct backup_writer *w)
{
	uint8_t *piece = malloc(PIECE);
	check(piece != NULL);
	enum err e = OK;
	for (uint64_t at = 0; e == OK && at < bytes;) {
		size_t want = bytes - at < PIECE ? (size_t)(bytes - at) : PIECE;
		ssize_t n = pread(from, piece, want, (off_t)at);
		if (n <= 0 && !(n < 0 && errno == EINTR))
			e = scope_fail(s, ERR_IO, "the database cannot be read for the backup");
		else if (n > 0 && (e = backup_write(w, piece, (size_t)n)) != OK)
			scope_fail(s, e, "the backup cannot be written: %s", err_text(e));
		else
			at += n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	return e;
}

static enum err seal_frozen(void *arg, int fd, uint64_t bytes, size_t page_bytes)
{
	struct making *m = arg;
	struct backup_writer *w;
	m->header.bytes = bytes;
	TRY(backup_begin(m->s, &m->half, &m->header, m->fd, &w));
	enum err e = seal_bytes(m->s, fd, bytes, w);
	if (e == OK) {
		e = backup_end(w);
		return e == OK ? OK : scope_fail(m->s, e, "the backup cannot be written: %s", err_text(e));
	}
	backup_abandon(w);
	return e;
}

/* The head of the ledger is read before the database stands still: what is in the copy may be newer than it, never older. */
static enum err prepare(struct scope *s, struct making *m)
{
	char *detail = NULL;
	m->header.kind = BACKUP_SQLITE;
	m->header.created = s->now;
	enum err e = keeper_half_now(s->keeper, s->now, &m->half, &detail);
	if (e != OK)
		e = scope_fail(s, e, "%s", detail != NULL ? detail : err_text(e));
	free(detail);
	if (e != OK)
		return e;
	keeper_ledger_head(s->keeper, &m->header.ledger, m->header.ledger_hash);
	return db_read(s, read_schema, m);
}

static const char *file_name(struct scope *s)
{
	char text[TIME_TEXT];
	time_format(s->now - s->now % SECOND_US, text);
	char *name = arena_printf(s->arena, "backup-%.19s.%03dZ" BACKUP_SUFFIX, text, (int)(s->now % SECOND_US / 1000));
	for (char *p = name; *p != '\0'; p++)
		if (*p == ':')
			*p = '-';
	return name;
}

static enum err make(struct scope *s, const struct backups *b, const char *name)
{
	struct making m = {.s = s};
	struct newfile f;
	TRY(prepare(s, &m));
	enum err e = newfile_begin(&f, AT_FDCWD, arena_printf(s->arena, "%s/%s", b->dir, name));
	if (e != OK)
		return scope_fail(s, e, "the backup cannot be written in backup_dir: %s", err_text(e));
	m.fd = f.fd;
	e = db_frozen(s->db, seal_frozen, &m);
	if (e != OK) {
		newfile_abandon(&f);
		return scope_fail(s, e, "the backup cannot be made: %s", err_text(e));
	}
	e = newfile_commit(&f);
	return e == OK ? OK : scope_fail(s, e, "the backup cannot be written in backup_dir: %s", err_text(e));
}

/* ---- when ---- */

/* Which wish it is; 0: none. */
static ino_t wish_of(const struct backups *b)
{
	struct stat st;
	return stat(b->wish, &st) == 0 ? st.st_ino : 0;
}

/* Once a day while it goes on failing. */
static void tell_failure(struct scope *s, struct backups *b, enum err e)
{
	const char *why = scope_detail(s, e);
	bool alarm = !atomic_load(&b->failing) || s->now - b->alarmed_us >= DAY_US;
	struct scope t = *s;
	if (!alarm)
		return;
	t.detail = NULL;
	if (tell(&t, ACT_BACKUP_CREATE, "Backup", "backupFailed", arena_printf(s->arena, "the backup failed: %s", why)) == OK)
		b->alarmed_us = s->now;
}

enum err backup_run(struct scope *s, struct backups *b)
{
	struct keeper_seal_half half;
	ino_t asked = *b->dir != '\0' ? wish_of(b) : 0;
	int64_t last = atomic_load(&b->last_good_us), age = s->now - last;
	bool due = *b->dir != '\0' && b->every_us > 0 && (last == 0 || age >= b->every_us || age < -HOUR_US);
	if ((asked == 0 && !due) || (s->now < b->next_try_us && b->next_try_us - s->now <= RETRY_MINUTES * MINUTE_US) ||
	    db_engine(s->db) != DB_SQLITE)
		return OK;
	if (!atomic_load(&b->keys_seen) && keeper_half_now(s->keeper, s->now, &half, NULL) != OK)
		return OK; /* the keys' job has not run yet */
	const char *name = file_name(s);
	backup_remove_unfinished(b);
	enum err e = make(s, b, name);
	if (e == OK)
		e = say(s, ACT_BACKUP_CREATE, "Backup", name);
	if (e != OK) {
		tell_failure(s, b, e);
		atomic_store(&b->failing, true);
		b->next_try_us = s->now + RETRY_MINUTES * MINUTE_US;
		return e;
	}
	atomic_store(&b->last_good_us, s->now);
	atomic_store(&b->failing, false);
	if (asked != 0 && wish_of(b) == asked && unlink(b->wish) != 0 && errno != ENOENT) /* one that came meanwhile wants another */
		return scope_fail(s, ERR_IO, "%s cannot be removed", b->wish);
	return OK;
}

enum err backup_ask(struct scope *s, struct backups *b)
{
	if (db_engine(s->db) != DB_SQLITE)
		return scope_fail(s, ERR_NOT_IMPLEMENTED,
				  "PostgreSQL is backed up with its own tools, through 'reeve backup seal': see docs/operating/backup.md");
	if (*b->dir == '\0')
		return scope_fail(s, ERR_CONFLICT, "backups are off: set backup_dir in reeve.conf (docs/operating/backup.md)");
	/* The wish first: an event without it would be a promise that a crash breaks. */
	enum err e = newfile_put(AT_FDCWD, b->wish, "", 0);
	if (e != OK)
		return scope_fail(s, e, "the wish for a backup cannot be written");
	return say(s, ACT_BACKUP_ASK, "Backup", NULL);
}
