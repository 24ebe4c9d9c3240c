/* SPDX-License-Identifier: Apache-2.0
 * A whole database file in memory, as a backup carries it: checked without a file. */
#include <sqlite3.h>
#include <string.h>

#include "db/db.h"
#include "db/db_internal.h"

enum { HEADER = 100, WRITE_FORMAT = 18, READ_FORMAT = 19, ROLLBACK = 1 };

static enum err check_opened(sqlite3 *c, char **detail)
{
	sqlite3_stmt *st = NULL;
	enum err err = ERR_BAD_REQUEST;
	if (sqlite3_prepare_v2(c, "PRAGMA integrity_check(1)", -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
		const char *said = (const char *)sqlite3_column_text(st, 0);
		err = said != NULL && strcmp(said, "ok") == 0 ? OK : db_detail(detail, ERR_BAD_REQUEST, "%s", said != NULL ? said : "no answer");
	} else {
		db_detail(detail, err, "%s", sqlite3_errmsg(c));
	}
	sqlite3_finalize(st);
	return err;
}

enum err db_check_image(void *p, size_t n, char **detail)
{
	uint8_t *bytes = p;
	sqlite3 *c = NULL;
	if (n < HEADER || memcmp(bytes, "SQLite format 3", 16) != 0)
		return db_detail(detail, ERR_BAD_REQUEST, "it is no SQLite database");
	/* A database in memory has no write-ahead log; the file says in two bytes that it may have one. */
	bytes[WRITE_FORMAT] = bytes[READ_FORMAT] = ROLLBACK;
	enum err err = ERR_UNAVAILABLE;
	if (sqlite3_open_v2(":memory:", &c, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, NULL) == SQLITE_OK &&
	    sqlite3_deserialize(c, "main", bytes, (sqlite3_int64)n, (sqlite3_int64)n, SQLITE_DESERIALIZE_READONLY) == SQLITE_OK)
		err = check_opened(c, detail);
	else
		db_detail(detail, err, "%s", c != NULL ? sqlite3_errmsg(c) : "no memory");
	sqlite3_close(c);
	return err;
}
