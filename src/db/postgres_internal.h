/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to the PostgreSQL engine: its pool of connections and their prepared statements.
 */
#ifndef REEVE_DB_POSTGRES_INTERNAL_H
#define REEVE_DB_POSTGRES_INTERNAL_H

#include <libpq-fe.h>
#include <pthread.h>

#include "db/db_internal.h"

/* From the server's catalogue; fixed for ever. */
enum {
	PG_BOOL = 16,
	PG_BYTEA = 17,
	PG_NAME = 19,
	PG_INT8 = 20,
	PG_INT2 = 21,
	PG_INT4 = 23,
	PG_TEXT = 25,
	PG_BPCHAR = 1042,
	PG_VARCHAR = 1043,
	PG_NUMERIC = 1700,
	PG_UNKNOWN = 705
};

struct pg_prepared {
	Oid *types; /* of the parameters; NULL: not prepared */
	int n;
};

/* A made text, prepared; another one where its values have other types. */
struct pg_text {
	char *sql; /* as it was made; NULL: an empty slot */
	Oid *types;
	int n;
	uint64_t hash, used;
};

enum { PG_TEXTS = 32 };

struct pg_conn {
	PGconn *pg;
	struct pg_prepared *cache; /* by db_stmt.index */
	int cache_n;
	struct pg_text texts[PG_TEXTS]; /* those that were asked for last */
	uint64_t text_calls;
	bool stale;           /* its prepared statements are of no use any more */
	bool owes;            /* the answer to a COMMIT of a read is still to come */
	struct pg_conn *next; /* in the pool */
};

struct pg_db {
	struct db base;
	char *url, *owner_url, *data_dir; /* data_dir: of the server, where it is on this machine and readable; NULL */
	_Atomic bool wal_dirty;		  /* a scan found something in the write-ahead log */
	pthread_mutex_t pool_lock;
	pthread_cond_t pool_changed;
	struct pg_conn *idle;
	int size, open, waiting;
	pthread_rwlock_t turn; /* writers share it; one that met too many conflicts has it alone (postgres.c) */
	pthread_mutex_t low;   /* one closure of db_write_low() at a time */
};

struct pg_tx {
	struct db_tx base;
	struct pg_conn *conn;
	bool begun; /* BEGIN goes out with the first statement */
	bool again; /* a conflict, or a plan that went stale: the closure may run again */
	bool changed;
};

/* ---- postgres.c ---- */

enum { PG_BEGIN_TEXT = 160 };
/* The statements that begin a transaction: its isolation, and the tenant for row security. */
void pg_begin_texts(const struct db_tx *tx, char begin[PG_BEGIN_TEXT], char tenant[PG_BEGIN_TEXT]);
/* Another connection for a transaction that has not begun and whose own is dead. */
enum err pg_replace(struct pg_tx *tx);

/* ---- postgres_conn.c ---- */

enum err pg_connect(const char *url, struct pg_conn **ret, char **detail);
void pg_conn_free(struct pg_conn *c); /* NULL is allowed */
bool pg_alive(const struct pg_conn *c);
enum err pg_exec_text(struct pg_conn *c, const char *sql, char **detail);               /* any number of statements */
enum err pg_query_int(struct pg_conn *c, const char *sql, int64_t *ret, char **detail); /* NULL becomes 0 */
/* What a failed result means.  *ret_again: a new transaction may succeed. */
enum err pg_error(const struct pg_conn *c, const PGresult *res, bool *ret_again);
/* One line about it without any value of a row. */
char *pg_message(const struct pg_conn *c, const PGresult *res);

/* ---- postgres_stmt.c ---- */

enum err pg_exec(struct db_tx *tx, const struct db_call *c, int64_t *ret_changes);
enum err pg_query(struct db_tx *tx, const struct db_call *c, struct db_rows **ret);
enum err pg_stream(struct db_tx *tx, const struct db_call *c, struct db_rows **ret);
enum err pg_prepare_check(struct db_tx *tx, const struct db_call *c);
bool pg_next(struct db_rows *r);
void pg_rows_free(struct db_rows *r);
int pg_columns(const struct db_rows *r);
const char *pg_column_name(const struct db_rows *r, int col);
struct db_value pg_value(const struct db_rows *r, int col);

/* ---- postgres_schema.c ---- */

enum err pg_schema_version(void *conn, int64_t *ret, char **detail); /* -1: none */
enum err pg_migrate(const char *owner_url, const struct db_migration *list, char **detail);

/* ---- postgres_scrub.c ---- */

enum err pg_scrub(struct db *db, const char *const *tables, size_t n);
enum err pg_wal_position(struct db *db, struct arena *a, struct db_wal *ret);

/* ---- postgres_files.c ---- */

/* db_scan_tables() over the server's files.  ERR_NOT_IMPLEMENTED: they are not ours to read. */
enum err pg_scan_tables(struct db *db, struct arena *a, struct db_needle *needles, size_t n, struct db_hit **ret, size_t *ret_n);
/* How many segments the write-ahead log has on disk; 0 where that cannot be seen. */
int pg_wal_segments(const struct pg_db *d);

#endif
