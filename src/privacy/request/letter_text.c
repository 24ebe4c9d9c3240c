/* SPDX-License-Identifier: Apache-2.0
 * Letters' words: names, placeholders, templates as rows of the tenant. */
#include <string.h>

#include "audit/audit.h"
#include "privacy/request/letter.h"

DB_TENANT(letter_template_row, "SELECT subject, body, modified_at FROM letter_templates WHERE tenant_id = ?1 AND template = ?2");
DB_TENANT(letter_template_put,
	  "INSERT INTO letter_templates (tenant_id, template, subject, body, modified_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT "
	  "(tenant_id, template) DO UPDATE SET subject = excluded.subject, body = excluded.body, modified_at = excluded.modified_at");
DB_TENANT(letter_template_drop, "DELETE FROM letter_templates WHERE tenant_id = ?1 AND template = ?2");

static const struct {
	const char *name, *subject, *body;
} LETTERS[] = {
#define LETTER(name, extra, subject, body) {#name, subject, body},
#include "privacy/request/letters.def"
};

static const char *const PLACEHOLDERS[] = {
#define LETTER_PLACEHOLDER(name, text) #name,
#include "privacy/request/letters.def"
};

const char *letter_name(enum letter l)
{
	check((unsigned)l < LETTER_COUNT);
	return LETTERS[l].name;
}

bool letter_parse(const char *name, enum letter *ret)
{
	for (int i = 0; i < LETTER_COUNT; i++)
		if (strcmp(LETTERS[i].name, name) == 0) {
			*ret = (enum letter)i;
			return true;
		}
	return false;
}

/* ---- placeholders ---- */

/* text stands at a '{'.  The length with both braces; 0: no such placeholder. */
static size_t placeholder(const char *text, const char **ret_name)
{
	const char *end = strchr(text, '}');
	size_t n = end == NULL ? 0 : (size_t)(end - text) - 1;
	for (size_t i = 0; end != NULL && i < sizeof PLACEHOLDERS / sizeof PLACEHOLDERS[0]; i++)
		if (strlen(PLACEHOLDERS[i]) == n && memcmp(PLACEHOLDERS[i], text + 1, n) == 0) {
			*ret_name = PLACEHOLDERS[i];
			return n + 2;
		}
	return 0;
}

char *letter_template_problem(struct arena *a, const char *text)
{
	const char *name;
	for (const char *p = strchr(text, '{'); p != NULL; p = strchr(p, '{')) {
		size_t n = placeholder(p, &name);
		if (n == 0)
			return arena_printf(a, "the '{' at byte %zu begins no placeholder that there is", (size_t)(p - text) + 1);
		p += n;
	}
	return NULL;
}

static const char *value_of(const struct letter_value *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0 && v[i].value != NULL)
			return v[i].value;
	return "";
}

void letter_expand(const char *text, const struct letter_value *v, size_t n, struct buf *out)
{
	const char *name;
	for (const char *p = text; *p != '\0';) {
		size_t used = *p == '{' ? placeholder(p, &name) : 0;
		if (used > 0)
			buf_adds(out, value_of(v, n, name));
		else
			buf_addc(out, *p);
		p += used > 0 ? used : 1;
	}
}

/* ---- the tenant's own ---- */

static enum err check_text(struct scope *s, const char *member, const char *text, size_t most, bool lines)
{
	size_t n = strlen(text);
	if (n == 0 || n > most)
		return scope_fail(s, ERR_BAD_REQUEST, "'%s' has 1 to %zu bytes", member, most);
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)text[i] < ' ' && !(lines && (text[i] == '\n' || text[i] == '\t'))) || text[i] == 0x7f)
			return scope_fail(s, ERR_BAD_REQUEST, "'%s' has a control character", member);
	const char *problem = letter_template_problem(s->arena, text);
	return problem == NULL ? OK : scope_fail(s, ERR_BAD_REQUEST, "'%s': %s", member, problem);
}

struct set {
	enum letter letter;
	const char *subject, *body;
};

static enum err set_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct set *q = arg;
	struct letter_template old;
	struct audit_change *changes = NULL;
	const char *name = letter_name(q->letter);
	TRY(letter_template_get(tx, q->letter, &old));
	bool same = q->subject == NULL ? !old.own : old.own && strcmp(old.subject, q->subject) == 0 && strcmp(old.body, q->body) == 0;
	if (same)
		return OK;
	if (q->subject != NULL)
		TRY(db_exec(tx, &letter_template_put, DB_ARGS(db_v_text(name), db_v_text(q->subject), db_v_text(q->body), db_v_int(s->now)), NULL));
	else
		TRY(db_exec(tx, &letter_template_drop, DB_ARGS(db_v_text(name)), NULL));
	audit_change_add(s->arena, &changes, "words", NULL, NULL, old.own ? "own" : "built-in", q->subject != NULL ? "own" : "built-in");
	return audit_record(tx, &(struct audit_event){.activity = ACT_LETTER_TEMPLATE, .resource_type = "LetterTemplate", .resource = s->tenant,
						      .resource_name = name, .changes = changes});
}

enum err letter_template_set(struct scope *s, enum letter letter, const char *subject, const char *body)
{
	check((subject == NULL) == (body == NULL));
	if (subject != NULL) {
		TRY(check_text(s, "subject", subject, LETTER_SUBJECT_MAX, false));
		TRY(check_text(s, "body", body, LETTER_BODY_MAX, true));
		if (letter == LETTER_code && strstr(body, "{code}") == NULL)
			return scope_fail(s, ERR_BAD_REQUEST, "'body' of the letter 'code' needs {code}");
		if (letter != LETTER_code && (strstr(subject, "{code}") != NULL || strstr(body, "{code}") != NULL))
			return scope_fail(s, ERR_BAD_REQUEST, "{code} is for the letter 'code'");
	}
	return db_write(s, set_tx, &(struct set){letter, subject, body});
}

enum err letter_template_get(struct db_tx *tx, enum letter letter, struct letter_template *ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	*ret = (struct letter_template){.subject = LETTERS[letter].subject, .body = LETTERS[letter].body};
	enum err e = db_query_one(tx, &letter_template_row, DB_ARGS(db_v_text(letter_name(letter))), &r);
	if (e == OK)
		*ret = (struct letter_template){.subject = db_text_dup(r, 0, a), .body = db_text_dup(r, 1, a), .own = true,
						.modified_at = db_int(r, 2)};
	return e == ERR_NOT_FOUND ? OK : e;
}
