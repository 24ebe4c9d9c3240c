/* SPDX-License-Identifier: Apache-2.0
 *
 * Values on their way into a statement, and the registry of declared statements.  Promises: registration happens before
 * main() and needs no lock; a tenant statement that does not mention ?1 stops the program there, not in production
 * (I4).
 */
#include <ctype.h>
#include <string.h>

#include "db/db_internal.h"

struct db_value db_v_null(void)
{
	return (struct db_value){.type = DB_NULL};
}

struct db_value db_v_int(int64_t v)
{
	return (struct db_value){.type = DB_INT, .i = v};
}

struct db_value db_v_text(const char *s)
{
	return s == NULL ? db_v_null() : db_v_textn(s, strlen(s));
}

struct db_value db_v_textn(const char *s, size_t n)
{
	return (struct db_value){.type = DB_TEXT, .p = n == 0 ? "" : s, .n = n};
}

struct db_value db_v_blob(const void *p, size_t n)
{
	return (struct db_value){.type = DB_BLOB, .p = n == 0 ? "" : p, .n = n};
}

struct db_value db_v_id(const struct id *id)
{
	return id == NULL ? db_v_null() : db_v_blob(id->b, sizeof id->b);
}

/* ---- text ---- */

/* Length of the sequence that starts with this byte, and the range of its second byte, which rules out surrogates,
 * overlong forms and what lies past U+10FFFF; 0 for a byte that starts nothing. */
static size_t utf8_lead(unsigned char c, unsigned char *ret_low, unsigned char *ret_high)
{
	*ret_low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	*ret_high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	if (c >= 0xc2 && c <= 0xdf)
		return 2;
	if (c >= 0xe0 && c <= 0xef)
		return 3;
	return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

bool db_text_valid(const char *p, size_t n)
{
	const unsigned char *s = (const unsigned char *)p, *end = s + n;
	while (s < end) {
		if (*s > 0 && *s < 0x80) {
			s++;
			continue;
		}
		unsigned char low, high;
		size_t len = utf8_lead(*s, &low, &high);
		if (len == 0 || (size_t)(end - s) < len || s[1] < low || s[1] > high)
			return false;
		for (size_t i = 2; i < len; i++)
			if ((s[i] & 0xc0) != 0x80)
				return false;
		s += len;
	}
	return true;
}

/* ---- registry ---- */

static struct db_stmt *stmt_first;
static int stmt_count;

/* Whether ?1 itself stands in the text (?10 is another parameter). */
static bool mentions_first(const char *sql)
{
	for (const char *p = sql; (p = strstr(p, "?1")) != NULL; p += 2)
		if (!isdigit((unsigned char)p[2]))
			return true;
	return false;
}

void db_stmt_register(struct db_stmt *s)
{
	if (s->reach == DB_REACH_TENANT) {
		check(mentions_first(s->sql));
		check(s->pg_sql == NULL || mentions_first(s->pg_sql));
	}
	s->index = stmt_count++;
	s->next = stmt_first;
	stmt_first = s;
}

struct db_stmt *db_stmt_first(void)
{
	return stmt_first;
}

int db_stmt_count(void)
{
	return stmt_count;
}
