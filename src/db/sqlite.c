/* SPDX-License-Identifier: Apache-2.0
 *
 * The SQLite engine: opening and closing the file, and its table of functions.  Promises: one server per file (flock on
 * a file beside it); the file and its WAL are readable by their owner only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "db/sqlite_internal.h"

enum { READERS_DEFAULT = 4 };

/* ---- the file ---- */

static enum err lock_file(struct sq_db *d, char **detail)
{
	char *path = NULL;
	if (asprintf(&path, "%s.lock", d->path) < 0)
		return ERR_UNAVAILABLE;
	enum err e = OK;
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock_fd < 0)
		e = db_detail(detail, ERR_IO, "cannot open %s: %s", path, strerror(errno));
	else if (flock(d->lock_fd, LOCK_EX | LOCK_NB) != 0)
		e = db_detail(detail, ERR_BUSY, "another process has %s open", d->path);
	free(path);
	return e;
}

/* Made here, so that it is never readable by others; SQLite gives its WAL the same mode. */
static enum err make_file(struct sq_db *d, char **detail)
{
	d->scan_fd = open(d->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (d->scan_fd < 0)
		return db_detail(detail, ERR_IO, "cannot open %s: %s", d->path, strerror(errno));
	return OK;
}

/* ---- schema ---- */

static enum err migrate_exec(void *ctx, const char *sql, char **detail)
{
	return sq_exec_text(ctx, sql, detail);
}

static enum err migrate_version(void *ctx, int64_t *ret, char **detail)
{
	struct sq_conn *c = ctx;
	sqlite3_stmt *st = NULL;
	*ret = -1;
	if (sqlite3_table_column_metadata(c->h, NULL, "schema_migrations", NULL, NULL, NULL, NULL, NULL, NULL) !=
	    SQLITE_OK)
		return (sqlite3_errcode(c->h) & 0xff) == SQLITE_ERROR
			       ? OK
			       : db_detail(detail, sq_error(c), "%s", sqlite3_errmsg(c->h));
	enum err e = OK;
	if (sqlite3_prepare_v2(c->h, "SELECT coalesce(max(version), 0) FROM schema_migrations", -1, &st, NULL) ==
		    SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		*ret = sqlite3_column_int64(st, 0);
	else
		e = db_detail(detail, sq_error(c), "%s", sqlite3_errmsg(c->h));
	sqlite3_finalize(st);
	return e;
}

static enum err migrate(struct sq_db *d, const struct db_migration *list, char **detail)
{
	struct db_migrator m = {
		.engine = DB_SQLITE, .ctx = &d->writer, .exec = migrate_exec, .version = migrate_version};
	return db_migrate(&m, list, detail);
}

/* ---- scanning ---- */

static enum err scan_beside(struct sq_db *d, struct db_scanner *scanner, const char *suffix)
{
	char *path = NULL;
	if (asprintf(&path, "%s%s", d->path, suffix) < 0)
		return ERR_UNAVAILABLE;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum err e = fd < 0 ? (errno == ENOENT ? OK : ERR_IO) : db_scanner_file(scanner, fd);
	if (fd >= 0)
		close(fd);
	free(path);
	return e;
}

static enum err scan(struct db *db, struct db_needle *needles, size_t n)
{
	struct sq_db *d = (struct sq_db *)db;
	struct db_scanner *scanner = db_scanner_new(needles, n);
	if (scanner == NULL)
		return ERR_UNAVAILABLE;
	enum err e = db_scanner_file(scanner, d->scan_fd);
	if (e == OK)
		e = scan_beside(d, scanner, "-wal");
	if (e == OK)
		e = scan_beside(d, scanner, "-journal");
	db_scanner_free(scanner);
	return e;
}

/* ---- life ---- */

/* Also undoes half an opening. */
static void close_db(struct db *db)
{
	struct sq_db *d = (struct sq_db *)db;
	sq_checkpoint_stop(d); /* before the writer, whom it may be waiting for */
	sq_writer_stop(d);
	sq_readers_close(d);
	sq_conn_close(&d->still);
	sq_conn_close(&d->checkpointer);
	sq_conn_close(&d->writer); /* the last one: SQLite empties and removes the WAL */
	if (d->scan_fd >= 0)
		close(d->scan_fd);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	pthread_mutex_destroy(&d->queue_lock);
	pthread_cond_destroy(&d->queue_filled);
	pthread_mutex_destroy(&d->readers_lock);
	pthread_cond_destroy(&d->readers_changed);
	pthread_mutex_destroy(&d->checkpoint_lock);
	pthread_mutex_destroy(&d->checkpoint_turn);
	pthread_cond_destroy(&d->checkpoint_due);
	free(d->path);
	free(d);
}

static const struct db_ops sqlite_ops = {
	.close = close_db,
	.write = sq_write,
	.write_low = sq_write_low,
	.read = sq_read,
	.exec = sq_exec,
	.query = sq_query,
	.stream = sq_query,
	.prepare_check = sq_prepare_check,
	.next = sq_next,
	.rows_free = sq_rows_free,
	.columns = sq_columns,
	.column_name = sq_column_name,
	.value = sq_value,
	.scrub = sq_scrub,
	.analyze = sq_analyze,
	.scan = scan,
	.scan_tables = sq_scan_tables,
	.queue = sq_queue_length,
	.live_columns_sql =
		"SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c"
		" WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND c.hidden <> 1 ORDER BY 1, 2",
};

static struct sq_db *sq_db_new(const struct db_options *o)
{
	struct sq_db *d = calloc(1, sizeof *d);
	if (d == NULL)
		return NULL;
	d->base.ops = &sqlite_ops;
	d->base.engine = DB_SQLITE;
	d->lock_fd = d->scan_fd = -1;
	atomic_store(&d->unblanked, true); /* who knows what wrote it before */
	d->batch_max = o->batch_max == 0 ? LIMIT_BATCH : o->batch_max;
	pthread_mutex_init(&d->queue_lock, NULL);
	pthread_cond_init(&d->queue_filled, NULL);
	pthread_mutex_init(&d->readers_lock, NULL);
	pthread_cond_init(&d->readers_changed, NULL);
	pthread_mutex_init(&d->checkpoint_lock, NULL);
	pthread_mutex_init(&d->checkpoint_turn, NULL);
	pthread_cond_init(&d->checkpoint_due, NULL);
	d->path = strdup(o->url + strlen("sqlite:"));
	return d;
}

static enum err open_steps(struct sq_db *d, const struct db_options *o, const struct db_migration *list, char **detail)
{
	if (d->path == NULL || *d->path == '\0')
		return db_detail(detail, ERR_CONFIG, "\"%s\" names no file", o->url);
	TRY(lock_file(d, detail));
	TRY(make_file(d, detail));
	TRY(sq_conn_open(&d->writer, d->path, SQ_WRITER, detail));
	TRY(migrate(d, list, detail));
	TRY(sq_conn_open(&d->checkpointer, d->path, SQ_CHECKPOINTER, detail));
	TRY(sq_readers_open(d, o->readers > 0 ? o->readers : READERS_DEFAULT));
	TRY(sq_checkpoint_start(d));
	return sq_writer_start(d);
}

/* SQLite's count of its own memory is one lock that every connection takes at each allocation. */
static void configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum err sqlite_open(const struct db_options *o, const struct db_migration *list, struct db **ret, char **detail)
{
	static pthread_once_t configured = PTHREAD_ONCE_INIT;
	pthread_once(&configured, configure);
	struct sq_db *d = sq_db_new(o);
	if (d == NULL)
		return ERR_UNAVAILABLE;
	enum err e = open_steps(d, o, list, detail);
	if (e != OK) {
		db_detail(detail, e, "%s: %s", o->url, err_text(e));
		close_db(&d->base);
		return e;
	}
	*ret = &d->base;
	return OK;
}

enum err sqlite_init(const char *url, const struct db_migration *list, char **detail)
{
	struct stat st;
	const char *path = url + strlen("sqlite:");
	if (stat(path, &st) == 0 && st.st_size > 0)
		return db_detail(detail, ERR_EXISTS, "%s exists already", path);
	struct db *db = NULL;
	TRY(sqlite_open(&(struct db_options){.url = url}, list, &db, detail));
	db_close(db);
	return OK;
}
