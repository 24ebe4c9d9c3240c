/* SPDX-License-Identifier: Apache-2.0
 * Letters of a case, the words of letters, and restriction of processing.  Reeve's own. */
#include "api/api.h"
#include "directory/restriction.h"
#include "privacy/export/export.h"
#include "privacy/request/letter.h"
#include "privacy/request/request.h"
#include "resource/tables.h"

enum err letters_list(struct call *c);
enum err letter_templates_list(struct call *c);
enum err letter_templates_get(struct call *c);
enum err letter_templates_put(struct call *c);
enum err letter_templates_delete(struct call *c);
enum err restriction_restrict(struct call *c);
enum err restriction_unrestrict(struct call *c);

static enum err known_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request_view ignored;
	return request_view(tx, *(const struct id *)arg, &ignored);
}

enum err letters_list(struct call *c)
{
	struct resource_query q;
	struct id request;
	TRY(call_param_id(c, "request", "data-subject request", &request));
	TRY(db_read(&c->s, known_tx, &request));
	TRY(call_query(c, &RES_LETTER, &q));
	struct db_value args[] = {db_v_id(&request)};
	q.extra_where = "t.request_id = ?2";
	q.args = args;
	q.arg_count = 1;
	return call_list(c, &q);
}

/* ---- templates ---- */

struct all_templates {
	struct letter_template t[LETTER_COUNT];
};

static enum err load_all(struct scope *s, struct db_tx *tx, void *arg)
{
	struct all_templates *all = arg;
	for (int i = 0; i < LETTER_COUNT; i++)
		TRY(letter_template_get(tx, (enum letter)i, &all->t[i]));
	return OK;
}

static void write_members(struct json_writer *w, enum letter letter, const struct letter_template *t)
{
	jw_kstring(w, "id", letter_name(letter));
	jw_kstring(w, "subject", t->subject);
	jw_kstring(w, "body", t->body);
	jw_kbool(w, "isBuiltIn", !t->own);
	jw_key(w, "lastModifiedDateTime");
	if (t->own)
		jw_time(w, t->modified_at);
	else
		jw_null(w);
}

enum err letter_templates_list(struct call *c)
{
	struct all_templates all;
	TRY(db_read(&c->s, load_all, &all));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#deviceManagement/letterTemplates", call_base_url(c)));
	jw_key(&w, "value");
	jw_array(&w);
	for (int i = 0; i < LETTER_COUNT; i++) {
		jw_object(&w);
		write_members(&w, (enum letter)i, &all.t[i]);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	return OK;
}

/* A letter's words have no id of their own: they are the tenant's. */
static enum err template_param(struct call *c, enum letter *ret)
{
	c->s.subject = c->s.tenant;
	if (!letter_parse(call_param(c, "template"), ret))
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such letter");
	return OK;
}

enum err letter_templates_get(struct call *c)
{
	struct all_templates all;
	enum letter letter;
	TRY(template_param(c, &letter));
	TRY(db_read(&c->s, load_all, &all));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#deviceManagement/letterTemplates/$entity", call_base_url(c)));
	write_members(&w, letter, &all.t[letter]);
	jw_end_object(&w);
	return OK;
}

/* A text of any length up to the template's own limit, which is checked where it is stored. */
static enum err text_member(struct call *c, const json_t *body, const char *name, const char **ret)
{
	const json_t *v = json_object_get(body, name);
	if (!json_is_string(v) || json_string_length(v) == 0)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' must be a text that is not empty", name);
	*ret = json_string_value(v);
	return OK;
}

enum err letter_templates_put(struct call *c)
{
	static const char *const allowed[] = {"subject", "body", NULL};
	enum letter letter;
	json_t *body;
	const char *subject, *text;
	TRY(template_param(c, &letter));
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(text_member(c, body, "subject", &subject));
	TRY(text_member(c, body, "body", &text));
	TRY(letter_template_set(&c->s, letter, subject, text));
	return call_status(c, 204);
}

enum err letter_templates_delete(struct call *c)
{
	enum letter letter;
	TRY(template_param(c, &letter));
	TRY(letter_template_set(&c->s, letter, NULL, NULL));
	return call_status(c, 204);
}

/* ---- restriction ---- */

/* Also of a soft-deleted person, by the id. */
static enum err restrict_it(struct call *c, bool set)
{
	struct id user;
	json_t *body;
	static const char *const nothing[] = {NULL};
	TRY(export_resolve(&c->s, call_param(c, "user"), &user));
	c->s.subject = user;
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, nothing));
	TRY(restriction_order(&c->s, user, set));
	return call_status(c, 204);
}

enum err restriction_restrict(struct call *c)
{
	return restrict_it(c, true);
}

enum err restriction_unrestrict(struct call *c)
{
	return restrict_it(c, false);
}
