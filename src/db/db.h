/* SPDX-License-Identifier: Apache-2.0
 *
 * The database: one SQL text, two engines (SQLite, PostgreSQL), the tenant bound by this layer.
 *
 * Statements.  A statement is declared once beside the noun that it serves:
 *
 *     DB_TENANT(user_by_id, "SELECT upn, display_name FROM users WHERE tenant_id = ?1 AND user_id = ?2");
 *
 * Parameters are ?1, ?2 … (PostgreSQL gets $1, $2 …).  In a DB_TENANT statement ?1 is always the tenant: this layer
 * binds it from the scope as it was when the transaction began, and callers pass values from ?2 on.  A DB_GLOBAL
 * statement crosses tenants and runs only in a scope without a tenant; callers pass values from ?1 on.  Every declared
 * statement is registered before main(), so that a test prepares each of them on both engines.  DB_TENANT_PG /
 * DB_GLOBAL_PG take a second text for PostgreSQL: an exception, with its reason beside it.
 *
 * What both engines must understand: 'single quotes' for strings, "double quotes" only for names; INSERT … ON CONFLICT,
 * RETURNING; no LIKE where case matters (SQLite ignores it).  Where nothing tells PostgreSQL the type of a parameter
 * (?2 IS NULL, SELECT ?2) its first mention is CAST(?2 AS bigint) or CAST(?2 AS text): tests/contract/test_statements
 * finds the ones that lack it.
 *
 * Transactions.  db_write() runs a closure in a transaction and answers when it is on disk (I10).  On SQLite one writer
 * thread runs queued closures in one transaction, each in its own savepoint, and commits once (group commit); on
 * PostgreSQL it is a pooled connection.  A closure is short, has no side effect outside the database and the scope's
 * arena, and may be run again (after a serialisation conflict, or when another closure's failure ended the batch): the
 * arena is rewound before each run.  A closure that returns an error changes nothing.  A statement that failed fails
 * its closure, whatever that returns, and no other runs after it.  db_read() runs a closure in a read transaction (one
 * snapshot).  Neither may be nested, and no cursor outlives its closure.
 *
 * Values of TEXT, BLOB columns are valid until the next db_next() of the same cursor: copy with db_text_dup().
 *
 * Errors: ERR_EXISTS on a violated unique key, ERR_CONFLICT on a foreign key or where a trigger refuses (its message is
 * the detail), ERR_INTERNAL on CHECK, NOT NULL and whatever else the code above should not have let through,
 * ERR_BAD_REQUEST on text that is not UTF-8 or contains a NUL, ERR_STORAGE_FULL on a full disk (nothing changed),
 * ERR_UNAVAILABLE (nothing changed, try again), ERR_IO where the outcome of a commit is unknown; on SQLite the process
 * then ends with status 74.  Details never hold a value.
 */
#ifndef REEVE_DB_DB_H
#define REEVE_DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"

struct db;
struct db_tx;

/* ---- values ---- */

enum db_type { DB_NULL, DB_INT, DB_TEXT, DB_BLOB };

struct db_value {
	enum db_type type;
	int64_t i;
	const void *p; /* TEXT: n bytes, need not be terminated; not copied: valid until the call returns */
	size_t n;
};

struct db_value db_v_null(void);
struct db_value db_v_int(int64_t v);                 /* INT, BOOL, TIME */
struct db_value db_v_text(const char *s);            /* NULL pointer becomes NULL */
struct db_value db_v_textn(const char *s, size_t n);
struct db_value db_v_blob(const void *p, size_t n);
struct db_value db_v_id(const struct id *id);        /* 16 bytes; NULL pointer becomes NULL; the id must outlive the call */

/* ---- statements ---- */

enum db_reach { DB_REACH_TENANT, DB_REACH_GLOBAL };

struct db_stmt {
	const char *name, *sql, *pg_sql; /* pg_sql: NULL where sql serves both */
	enum db_reach reach;
	int index;             /* in a connection's cache of prepared statements; set by registration */
	struct db_stmt *next;
};

void db_stmt_register(struct db_stmt *s);
struct db_stmt *db_stmt_first(void); /* every registered statement, for tests and lint */

#define DB_STMT_(name_, reach_, sql_, pg_)                                                                        \
	static struct db_stmt name_ = {.name = #name_, .sql = sql_, .pg_sql = pg_, .reach = reach_};              \
	__attribute__((constructor)) static void db_register_##name_(void)                                        \
	{                                                                                                         \
		db_stmt_register(&name_);                                                                         \
	}                                                                                                         \
	struct db_stmt /* swallows the semicolon */
#define DB_TENANT(name, sql) DB_STMT_(name, DB_REACH_TENANT, sql, NULL)
#define DB_GLOBAL(name, sql) DB_STMT_(name, DB_REACH_GLOBAL, sql, NULL)
#define DB_TENANT_PG(name, sql, pg) DB_STMT_(name, DB_REACH_TENANT, sql, pg)
#define DB_GLOBAL_PG(name, sql, pg) DB_STMT_(name, DB_REACH_GLOBAL, sql, pg)

#define DB_ARGS(...)                            \
	(const struct db_value[]){__VA_ARGS__}, \
		(sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value))
#define DB_NOARGS NULL, 0

/* ---- life ---- */

struct db_options {
	const char *url;         /* "sqlite:/path/file.db" or "postgresql://…" (libpq conninfo) */
	const char *owner_url;   /* PostgreSQL: connection of the owner role, for migrations and db_scrub(); may be NULL */
	const char *data_dir;    /* PostgreSQL: the server's own directory, where it is on this machine and readable, for db_scan_tables(); may be NULL */
	int readers;             /* connections for reading (SQLite) or the pool's size (PostgreSQL); 0: default */
	size_t batch_max;        /* 0: LIMIT_BATCH */
};

enum db_engine { DB_SQLITE, DB_POSTGRES };

/* Opens, migrates forward to this binary's schema, starts the writer.  *detail (malloc'd, the caller frees) says why it
 * failed in one line.  ERR_SCHEMA: the schema is newer than this binary.  ERR_BUSY: another server holds the SQLite
 * file. */
MUST_CHECK enum err db_open(const struct db_options *o, struct db **ret, char **detail);
void db_close(struct db *db); /* drains the queue; NULL is allowed */
enum db_engine db_engine(const struct db *db);

/* Creates the two PostgreSQL roles, `<database>_owner` and `<database>_app`, and the schema for `reeve init`; returns
 * their conninfos with random passwords (malloc'd).  admin_url may create roles and owns the database.  For SQLite it
 * creates the file (0600) and the schema, and returns the URL itself and NULL.  ERR_EXISTS: there are tables, or a file
 * that is not empty. */
MUST_CHECK enum err db_init(const char *admin_url, char **ret_app_url, char **ret_owner_url, char **detail);

/* Called by the writer after every commit that changed something (from its thread; must not block).  Used to wake the sequencer. */
void db_on_commit(struct db *db, void (*fn)(void *arg), void *arg);

/* ---- transactions ---- */

typedef enum err (*db_fn)(struct scope *s, struct db_tx *tx, void *arg);

MUST_CHECK enum err db_write(struct scope *s, db_fn fn, void *arg);
MUST_CHECK enum err db_read(struct scope *s, db_fn fn, void *arg);
/* Long work (deletion, pruning) goes through a second, lower queue, so that it never delays a person's request by more
 * than one of its own steps: cut it to about 5 ms a closure. */
MUST_CHECK enum err db_write_low(struct scope *s, db_fn fn, void *arg);

/* Whether the transaction is one of db_write(); a programming error where a writing core function is called in a read. */
bool db_writing(const struct db_tx *tx);
struct scope *db_tx_scope(struct db_tx *tx);

/* ---- running statements ---- */

/* Runs a statement to its end.  *ret_changes (may be NULL): rows inserted, updated or deleted. */
MUST_CHECK enum err db_exec(struct db_tx *tx, struct db_stmt *s, const struct db_value *args, size_t n, int64_t *ret_changes);

/* A cursor.  Use:
 *     auto_rows struct db_rows *r = NULL;
 *     TRY(db_query(tx, &user_by_id, DB_ARGS(db_v_id(&id)), &r));
 *     while (db_next(r)) …;  TRY(db_rows_err(r));
 * On SQLite rows are streamed; on PostgreSQL the result is held in memory: page large results. */
struct db_rows;
MUST_CHECK enum err db_query(struct db_tx *tx, struct db_stmt *s, const struct db_value *args, size_t n, struct db_rows **ret);
bool db_next(struct db_rows *r);            /* false at the end and on an error; stays false */
enum err db_rows_err(const struct db_rows *r);
void db_rows_free(struct db_rows **r);
#define auto_rows __attribute__((cleanup(db_rows_free)))

/* The first row or ERR_NOT_FOUND (without a detail). */
MUST_CHECK enum err db_query_one(struct db_tx *tx, struct db_stmt *s, const struct db_value *args, size_t n, struct db_rows **ret);

int db_columns(const struct db_rows *r);
const char *db_column_name(const struct db_rows *r, int col);
bool db_is_null(const struct db_rows *r, int col);
int64_t db_int(const struct db_rows *r, int col);              /* 0 for NULL */
bool db_bool(const struct db_rows *r, int col);
const char *db_text(const struct db_rows *r, int col);         /* NULL for NULL; terminated */
const void *db_blob(const struct db_rows *r, int col, size_t *ret_n);
struct id db_id(const struct db_rows *r, int col);             /* nil for NULL */
char *db_text_dup(const struct db_rows *r, int col, struct arena *a);
struct db_value db_value_dup(const struct db_rows *r, int col, struct arena *a); /* keeps the type */

/* Statements whose text is made from a table (property tables, the data map), never from outside bytes.  Same binding
 * rules: with DB_REACH_TENANT ?1 is the tenant.  Prepared at each call (SQLite) or unnamed (PostgreSQL). */
MUST_CHECK enum err db_exec_text(struct db_tx *tx, enum db_reach reach, const char *sql, const struct db_value *args, size_t n,
				 int64_t *ret_changes);
MUST_CHECK enum err db_query_text(struct db_tx *tx, enum db_reach reach, const char *sql, const struct db_value *args, size_t n,
				  struct db_rows **ret);

/* The same for results of any size, in flat memory on both engines: on PostgreSQL a cursor of the server, read some rows at a time.  At most
 * one at a time in a transaction. */
MUST_CHECK enum err db_stream_text(struct db_tx *tx, enum db_reach reach, const char *sql, const struct db_value *args, size_t n,
				   struct db_rows **ret);

/* ---- schema ---- */

struct db_column {
	const char *table, *column;
};
/* Every column of every table of the live schema, ours and any other, in the arena.  The data map is compared with it. */
MUST_CHECK enum err db_live_columns(struct scope *s, struct db_column **ret, size_t *ret_n);

/* Prepares one statement without running it (tests: every registered statement on both engines), whatever its reach; a
 * failure does not fail the closure. */
MUST_CHECK enum err db_prepare_check(struct db_tx *tx, struct db_stmt *s);

/* Pushes deleted bytes out of the files.  SQLite: empties the WAL, which blanks the dead bytes of each page on its way into the file; once
 * after the start, and where a scan has found some, it goes over the whole file, on the caller's thread.  Writers wait for a last short step,
 * readers that stay longer than a second are interrupted.
 * PostgreSQL: VACUUM FULL of `tables` over the owner's connection (ERR_NOT_IMPLEMENTED without owner_url), waiting for each table's lock so
 * shortly that nobody queues behind it for long; new statistics for them, without the old ones; a checkpoint and a switch of the WAL.  The last
 * three where the owner may.  ERR_BUSY: call again. */
MUST_CHECK enum err db_scrub(struct db *db, const char *const *tables, size_t n);

/* PostgreSQL: where its write-ahead log stands, and its standbys, as far as the role may see them.  SQLite: ERR_NOT_IMPLEMENTED. */
struct db_standby {
	const char *name, *replayed; /* replayed: NULL where the role may not see it */
	bool behind;		     /* has not replayed what was written so far, or nobody may see it */
};
struct db_wal {
	const char *position; /* "16/B374D848" */
	struct db_standby *standbys;
	size_t standby_n;
};
MUST_CHECK enum err db_wal_position(struct db *db, struct arena *a, struct db_wal *ret);

/* Refreshes the counts by which the engine chooses its indexes (a bounded sample; no values are kept).  PostgreSQL does it by itself. */
MUST_CHECK enum err db_analyze(struct db *db);

/* Whether `needle` stands anywhere in the store's files (SQLite: database, WAL, journal).  PostgreSQL:
 * ERR_NOT_IMPLEMENTED, its files are not ours to read.  Streams the files; memory does not grow. */
struct db_needle {
	const void *p;
	size_t n; /* not 0 */
	uint64_t hits; /* out */
};
MUST_CHECK enum err db_scan(struct db *db, struct db_needle *needles, size_t n);

/* Counts the needles in one file, from its beginning; the position of fd is not used. */
MUST_CHECK enum err db_scan_file(int fd, struct db_needle *needles, size_t n);

/* Whether it is one of the store's own files, which db_scan_tables() reads.  Nobody else may open one: closing it would drop SQLite's locks. */
struct stat;
bool db_file_is(const struct db *db, const struct stat *st);

/* The same page by page over a file that stands still (db_frozen()), saying in which table each needle stands: one row per needle, table and
 * kind of place, in the arena; table "" for a page that is no table's.  A value that goes on over several pages is searched as a whole.
 * dead: not in a row or a key, but in space that nothing refers to; then the next db_scrub() goes over the file.  Needles have at least four
 * bytes.  Writers go on.  ERR_BUSY: a reader does not leave; call again.  ERR_IO also where the file contradicts itself.
 * PostgreSQL: the files of the database, each of a table or an index told with its table, and all others of the server but those of other
 * databases, told as dead with the directory's name ("pg_wal"); not inside values that it has compressed.  A file does not say which of its rows
 * live.  ERR_NOT_IMPLEMENTED: no data_dir was given, or it is not that server's. */
struct db_hit {
	size_t needle;
	char table[64];
	bool dead;
	uint64_t hits;
};
MUST_CHECK enum err db_scan_tables(struct db *db, struct arena *a, struct db_needle *needles, size_t n, struct db_hit **ret, size_t *ret_n);

/* Calls fn, on the caller's thread, while the database file alone is the whole store and does not change: `bytes` is its size, fd is to be
 * read with pread() and neither closed nor written.  Writers go on, into the WAL, and readers too.  Answers what fn answered.  ERR_BUSY:
 * readers do not leave, or another freezes it; call again.  PostgreSQL: ERR_NOT_IMPLEMENTED. */
typedef enum err (*db_frozen_fn)(void *arg, int fd, uint64_t bytes, size_t page_bytes);
MUST_CHECK enum err db_frozen(struct db *db, db_frozen_fn fn, void *arg);

/* Checks every page, table and index of an SQLite database that is whole in memory (two bytes of its header are changed).  ERR_BAD_REQUEST with
 * a detail (malloc'd, the caller frees): what is wrong. */
MUST_CHECK enum err db_check_image(void *p, size_t n, char **detail);

/* Counters for /metrics. */
struct db_stats {
	uint64_t commits, closures, retries, failures;
	size_t queue;
};
void db_stats(struct db *db, struct db_stats *ret);

#endif
