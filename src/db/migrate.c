/* SPDX-License-Identifier: Apache-2.0
 *
 * Brings a schema forward to the one that this binary knows.  Promises: each migration is one transaction together with its row in
 * schema_migrations; a newer schema is refused before anything is changed; running twice changes nothing.
 *
 * One SQL text serves both engines.  Outside literals, quoted names and comments these upper-case words are spelled per engine:
 *
 *     ID  BLOB / bytea            BLOB  BLOB / bytea            TEXT, JSON  TEXT / text COLLATE "C"
 *     INT, TIME, BOOL  INTEGER / bigint                         STRICT  STRICT / (nothing)
 *
 * COLLATE "C" orders bytes as SQLite does, and keeps indexes valid when the system's locale data changes.  What lies between a line
 * `-- @sqlite` or `-- @postgres` and `-- @end` is for that engine alone; in the latter TEXT is plain text and STRICT stays, since
 * both mean something else in the declaration of a function.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "db/db_internal.h"

/* ---- text ---- */

enum section { BOTH, ONLY_SQLITE, ONLY_POSTGRES };

struct translation {
	enum db_engine engine;
	enum section section;
	struct buf out;
};

static const struct {
	const char *word, *sqlite, *postgres;
} words[] = {
	{"ID", "BLOB", "bytea"},      {"BLOB", "BLOB", "bytea"},
	{"TEXT", "TEXT", "text COLLATE \"C\""}, {"JSON", "TEXT", "text COLLATE \"C\""},
	{"INT", "INTEGER", "bigint"}, {"TIME", "INTEGER", "bigint"},
	{"BOOL", "INTEGER", "bigint"}, {"STRICT", "STRICT", ""},
};

static void emit(struct translation *t, const char *p, size_t n)
{
	bool ours = t->section == BOTH || (t->section == ONLY_SQLITE) == (t->engine == DB_SQLITE);
	if (ours)
		buf_add(&t->out, p, n);
}

static void emit_word(struct translation *t, const char *p, size_t n)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strlen(words[i].word) != n || memcmp(words[i].word, p, n) != 0)
			continue;
		const char *to = t->engine == DB_SQLITE ? words[i].sqlite : words[i].postgres;
		if (t->section == ONLY_POSTGRES && strncmp(to, "text", 4) == 0)
			to = "text";
		if (t->section == ONLY_POSTGRES && *to == '\0')
			to = words[i].word;
		emit(t, to, strlen(to));
		return;
	}
	emit(t, p, n);
}

static size_t until(const char *p, size_t from, const char *end)
{
	const char *found = strstr(p + from, end);
	return found == NULL ? strlen(p) : (size_t)(found - p) + strlen(end);
}

/* Length of what starts at p and must be copied as it is; 0: code. */
static size_t opaque_length(const char *p)
{
	if (*p == '\'' || *p == '"') /* a doubled quote is seen as two literals side by side, which is as good */
		return until(p, 1, (char[]){*p, '\0'});
	if (strncmp(p, "--", 2) == 0)
		return until(p, 2, "\n");
	if (strncmp(p, "/*", 2) == 0)
		return until(p, 2, "*/");
	if (strncmp(p, "$$", 2) == 0)
		return until(p, 2, "$$");
	return 0;
}

static bool is_marker(const char *line, const char *marker)
{
	size_t n = strlen(marker);
	return strncmp(line, marker, n) == 0 && (line[n] == '\n' || line[n] == '\0');
}

static void section_change(struct translation *t, const char *line)
{
	if (is_marker(line, "-- @sqlite"))
		t->section = ONLY_SQLITE;
	else if (is_marker(line, "-- @postgres"))
		t->section = ONLY_POSTGRES;
	else if (is_marker(line, "-- @end"))
		t->section = BOTH;
}

char *db_migration_text(const char *sql, enum db_engine engine)
{
	struct translation t = {.engine = engine};
	buf_init(&t.out, 8 * MIB);
	for (const char *p = sql; *p != '\0';) {
		if (p == sql || p[-1] == '\n')
			section_change(&t, p);
		size_t n = opaque_length(p);
		if (n > 0) {
			emit(&t, p, n);
		} else if (isalpha((unsigned char)*p) || *p == '_') {
			for (n = 1; isalnum((unsigned char)p[n]) || p[n] == '_';)
				n++;
			emit_word(&t, p, n);
		} else {
			emit(&t, p, n = 1);
		}
		p += n;
	}
	buf_addc(&t.out, '\n');
	if (!t.out.failed)
		return buf_steal(&t.out, NULL);
	buf_release(&t.out);
	return NULL;
}

/* ---- running ---- */

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
	snprintf(row, sizeof row, "INSERT INTO schema_migrations (version, title, applied_at) VALUES (%d, '%s', %lld)", one->version,
		 one->title, (long long)clock_now());
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
		db_detail(detail, e, "migration %04d-%s: %s", one->version, one->title, why == NULL ? err_text(e) : why);
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
		return db_detail(detail, ERR_SCHEMA, "the database has schema %lld and this version of Reeve knows up to %d: run a newer one",
				 (long long)have, last);
	for (; list->version != 0; list++)
		if (list->version > have)
			TRY(run_one(m, list, detail));
	return OK;
}
