/* SPDX-License-Identifier: Apache-2.0
 *
 * Brings a schema forward to the one that this binary knows.  Promises: each migration is one transaction together
 * with its row in schema_migrations; a newer schema is refused before anything is changed; running twice changes
 * nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "db/db_internal.h"

static const char schema_table[] = "CREATE TABLE IF NOT EXISTS schema_migrations (\n"
				   "\tversion INT NOT NULL PRIMARY KEY,\n"
				   "\ttitle TEXT NOT NULL,\n"
				   "\tapplied_at TIME NOT NULL\n"
				   ") STRICT;\n";

int db_migrations_last(const struct db_migration *list)
{
	int last = 0;
	for (; list->version != 0; list++)
		last = list->version;
	return last;
}

static enum err run_text(const struct db_migrator *m, const char *sql, char **detail)
{
	char *text = db_migration_text(sql, m->engine);
	if (text == NULL)
		return db_detail(detail, ERR_UNAVAILABLE, "no memory for a migration");
	enum err e = m->exec(m->ctx, text, detail);
	free(text);
	return e;
}

static enum err run_body(const struct db_migrator *m, const struct db_migration *one, char **detail)
{
	char row[512];
	/* The title is a part of a file's name, [a-z0-9-] by the embedding script. */
	snprintf(row, sizeof row, "INSERT INTO schema_migrations (version, title, applied_at) VALUES (%d, '%s', %lld)",
		 one->version, one->title, (long long)clock_now());
	if (m->bootstrap != NULL)
		TRY(m->exec(m->ctx, m->bootstrap, detail));
	TRY(run_text(m, schema_table, detail));
	TRY(run_text(m, one->sql, detail));
	TRY(m->exec(m->ctx, row, detail));
	return m->after == NULL ? OK : m->exec(m->ctx, m->after, detail);
}

static enum err run_one(const struct db_migrator *m, const struct db_migration *one, char **detail)
{
	char *why = NULL;
	enum err e = m->exec(m->ctx, m->engine == DB_SQLITE ? "BEGIN IMMEDIATE" : "BEGIN", &why);
	if (e == OK)
		e = run_body(m, one, &why);
	if (e == OK)
		e = m->exec(m->ctx, "COMMIT", &why);
	if (e != OK) {
		enum err ignored = m->exec(m->ctx, "ROLLBACK", NULL);
		(void)ignored; /* the engine may have ended the transaction itself */
		db_detail(detail, e, "migration %04d-%s: %s", one->version, one->title,
			  why == NULL ? err_text(e) : why);
	}
	free(why);
	return e;
}

enum err db_migrate(const struct db_migrator *m, const struct db_migration *list, char **detail)
{
	int64_t have = 0;
	int last = db_migrations_last(list);
	TRY(m->version(m->ctx, &have, detail));
	if (have > last)
		return db_detail(
			detail, ERR_SCHEMA,
			"the database has schema %lld and this version of Reeve knows up to %d: run a newer one",
			(long long)have, last);
	for (; list->version != 0; list++)
		if (list->version > have)
			TRY(run_one(m, list, detail));
	return OK;
}
