/* SPDX-License-Identifier: Apache-2.0
 *
 * One SQL text for two engines.  Statements: ?N becomes $N on PostgreSQL.  Migrations: outside literals, quoted names
 * and comments these upper-case words are spelled per engine:
 *
 *     ID, BLOB         BLOB / bytea
 *     TEXT, JSON       TEXT / text COLLATE "C"
 *     INT, TIME, BOOL  INTEGER / bigint
 *     STRICT           STRICT / (nothing)
 *
 * COLLATE "C" orders bytes as SQLite does, and keeps indexes valid when the system's locale data changes.  What lies
 * between a line `-- @sqlite` or `-- @postgres` and `-- @end` is for that engine alone; in the latter TEXT is plain
 * text and STRICT stays, since both mean something else in the declaration of a function.
 */
#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "db/db_internal.h"

/* ---- reading ---- */

static size_t until(const char *p, size_t from, const char *end)
{
	const char *found = strstr(p + from, end);
	return found == NULL ? strlen(p) : (size_t)(found - p) + strlen(end);
}

/* Length of the literal, quoted name or comment that starts at p and must be copied as it is; 0: code. */
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

/* ---- statements ---- */

uint64_t db_text_hash(const char *sql)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */
	for (; *sql != '\0'; sql++)
		h = (h ^ (unsigned char)*sql) * UINT64_C(1099511628211);
	return h;
}

char *db_postgres_text(const char *sql)
{
	struct buf b;
	buf_init(&b, MIB);
	while (*sql != '\0') {
		size_t n = opaque_length(sql);
		if (n > 0) {
			buf_add(&b, sql, n);
			sql += n;
			continue;
		}
		buf_addc(&b, *sql == '?' && isdigit((unsigned char)sql[1]) ? '$' : *sql);
		sql++;
	}
	if (!b.failed)
		return buf_steal(&b, NULL);
	buf_release(&b);
	return NULL;
}

/* ---- migrations ---- */

enum section { BOTH, ONLY_SQLITE, ONLY_POSTGRES };

struct translation {
	enum db_engine engine;
	enum section section;
	struct buf out;
};

static const struct {
	const char *word, *sqlite, *postgres;
} words[] = {
	{"ID", "BLOB", "bytea"},
	{"BLOB", "BLOB", "bytea"},
	{"TEXT", "TEXT", "text COLLATE \"C\""},
	{"JSON", "TEXT", "text COLLATE \"C\""},
	{"INT", "INTEGER", "bigint"},
	{"TIME", "INTEGER", "bigint"},
	{"BOOL", "INTEGER", "bigint"},
	{"STRICT", "STRICT", ""},
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
