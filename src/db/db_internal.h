/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to src/db: what db.c asks of an engine, and the parts of a database, a transaction and a cursor that both
 * engines share. An engine embeds these structs as the first member of its own.
 *
 * Rules that db.c keeps for both engines, so that no engine can differ: the tenant is taken from the scope when the
 * transaction begins and bound as ?1; a statement that failed dooms its closure (what PostgreSQL does by itself); text
 * is valid UTF-8 without a NUL; cursors do not outlive their closure; transactions do not nest.
 */
#ifndef REEVE_DB_DB_INTERNAL_H
#define REEVE_DB_DB_INTERNAL_H

#include <stdatomic.h>

#include "base/arena.h"
#include "db/db.h"

/* One statement with its values, checked and ready for an engine. */
struct db_call {
	struct db_stmt *stmt;          /* NULL for the *_text calls: not cached */
	const char *sql;               /* in the engine's text, still with ?N */
	const struct db_value *tenant; /* bound as ?1, args then from ?2; NULL: args from ?1 */
	const struct db_value *args;
	size_t n;
};

struct db_ops {
	void (*close)(struct db *db);
	enum err (*write)(struct db *db, struct scope *s, db_fn fn, void *arg);
	enum err (*write_low)(struct db *db, struct scope *s, db_fn fn, void *arg);
	enum err (*read)(struct db *db, struct scope *s, db_fn fn, void *arg);
	enum err (*exec)(struct db_tx *tx, const struct db_call *c, int64_t *ret_changes);
	enum err (*query)(struct db_tx *tx, const struct db_call *c, struct db_rows **ret);
	enum err (*stream)(struct db_tx *tx, const struct db_call *c, struct db_rows **ret);
	enum err (*prepare_check)(struct db_tx *tx, const struct db_call *c);
	bool (*next)(struct db_rows *r);
	void (*rows_free)(struct db_rows *r);
	int (*columns)(const struct db_rows *r);
	const char *(*column_name)(const struct db_rows *r, int col);
	struct db_value (*value)(const struct db_rows *r, int col); /* TEXT is terminated; empty ones have a pointer */
	enum err (*scrub)(struct db *db, const char *const *tables, size_t n);
	enum err (*analyze)(struct db *db); /* NULL: the engine does it by itself */
	enum err (*scan)(struct db *db, struct db_needle *needles, size_t n);
	enum err (*scan_tables)(struct db *db, struct arena *a, struct db_needle *needles, size_t n, struct db_hit **ret, size_t *ret_n);
	enum err (*wal_position)(struct db *db, struct arena *a, struct db_wal *ret); /* NULL: has none */
	size_t (*queue)(struct db *db);
	const char *live_columns_sql; /* table, column */
};

struct db {
	const struct db_ops *ops;
	enum db_engine engine;
	void (*_Atomic on_commit)(void *arg);
	void *_Atomic on_commit_arg;
	_Atomic uint64_t commits, closures, retries, failures;
};

struct db_tx {
	struct db *db;
	struct scope *scope;
	struct db_value tenant; /* as the scope had it when the transaction began */
	struct id tenant_id;
	bool has_tenant, writing;
	enum err doom; /* the first failure of a statement: nothing runs after it and the closure fails */
	int open_rows;
};

struct db_rows {
	struct db_tx *tx;
	enum err e;
	bool on_row;
};

/* ---- db.c ---- */

void db_tx_start(struct db_tx *tx, struct db *db, struct scope *s, bool writing);
/* Runs the closure; the doom of a statement is the closure's result whatever it returned. */
enum err db_tx_run(struct db_tx *tx, db_fn fn, void *arg);
void db_committed(struct db *db); /* a commit that changed something */
/* Puts an asprintf'd line into *detail (NULL is allowed), keeps an earlier one, and returns e. */
enum err db_detail(char **detail, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What a closure's caller had before the closure ran, so that it can run again as if for the first time. */
struct db_mark {
	struct scope *scope;
	struct scope saved;
	struct arena_mark arena;
};
struct db_mark db_mark_take(struct scope *s);
void db_mark_back(const struct db_mark *m);

/* ---- value.c ---- */

bool db_text_valid(const char *p, size_t n); /* UTF-8 (RFC 3629), no NUL */
int db_stmt_count(void);

/* ---- sqltext.c ---- */

uint64_t db_text_hash(const char *sql); /* to find a made text that was prepared before */
/* Both answer malloc'd text; NULL without memory. */
char *db_postgres_text(const char *sql); /* ?N to $N */
char *db_migration_text(const char *sql, enum db_engine engine);

/* ---- migrate.c ---- */

struct db_migration {
	int version;
	const char *title, *sql;
};
extern const struct db_migration db_migrations[]; /* generated from migrations/; one row at least, ended by version 0 */

/* How the runner speaks to an engine. */
struct db_migrator {
	enum db_engine engine;
	void *ctx;
	enum err (*exec)(void *ctx, const char *sql, char **detail); /* any number of statements */
	/* Highest version applied; -1 where there is no schema at all. */
	enum err (*version)(void *ctx, int64_t *ret, char **detail);
	const char *bootstrap; /* before the first migration, in its transaction (may be NULL) */
	const char *after;     /* at the end of each migration, in its transaction (may be NULL) */
};
int db_migrations_last(const struct db_migration *list);
/* Runs what is missing.  ERR_SCHEMA where the database is newer than the list; nothing is changed then. */
enum err db_migrate(const struct db_migrator *m, const struct db_migration *list, char **detail);

/* ---- engines ---- */

/* As db_open() and db_init() with other migrations (tests). */
enum err db_open_with(const struct db_options *o, const struct db_migration *list, struct db **ret, char **detail);
enum err db_init_with(const char *admin_url, const struct db_migration *list, char **ret_app, char **ret_owner,
		      char **detail);

enum err sqlite_open(const struct db_options *o, const struct db_migration *list, struct db **ret, char **detail);
enum err sqlite_init(const char *url, const struct db_migration *list, char **detail);
enum err postgres_open(const struct db_options *o, const struct db_migration *list, struct db **ret, char **detail);
enum err postgres_init(const char *admin_url, const struct db_migration *list, char **ret_app, char **ret_owner,
		       char **detail);

/* ---- scan.c ---- */

struct db_scanner;
struct db_scanner *db_scanner_new(struct db_needle *needles, size_t n); /* NULL without memory; needles are not empty */
void db_scanner_free(struct db_scanner *s);
/* Counts the hits of one file from its start; the position of fd is not used. */
enum err db_scanner_file(struct db_scanner *s, int fd);

#endif
