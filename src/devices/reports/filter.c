/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters of reports: Graph's grammar (codec/odata), Intune's values.  All of them may stand in quotes; a code is written as its number and
 * becomes our word; a key of software becomes its name and version, which an index serves.  The rest is resource/'s: every value is a bound
 * parameter of its column's type.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/base64.h"
#include "devices/reports/plan_internal.h"

struct adapting {
	struct scope *s;
	const struct report *r;
};

size_t report_words(const struct report_column *c, struct report_word ret[REPORT_WORDS_MAX])
{
	size_t n = 0;
	for (const char *at = c->words; at != NULL && *at != '\0'; n++) {
		check(n < REPORT_WORDS_MAX);
		const char *number = strchr(at, '=') + 1, *text = strchr(number, '=') + 1, *end = text + strcspn(text, "|");
		ret[n] = (struct report_word){.ours = at, .ours_n = (size_t)(number - at) - 1, .number = number, .number_n = (size_t)(text - number) - 1,
					      .text = text, .text_n = (size_t)(end - text)};
		at = *end == '|' ? end + 1 : end;
	}
	return n;
}

static enum err wrong(struct adapting *a, const struct report_column *c, const char *wanted)
{
	return scope_fail(a->s, ERR_BAD_REQUEST, "'%s' in the filter is compared with %s", c->name, wanted);
}

/* By number, or by text in any case. */
static enum err code_value(struct adapting *a, const struct report_column *c, struct odata_value *v)
{
	struct report_word words[REPORT_WORDS_MAX];
	size_t n = report_words(c, words), len = v->text == NULL ? 0 : strlen(v->text);
	for (size_t i = 0; i < n && len > 0; i++) {
		bool number = len == words[i].number_n && memcmp(v->text, words[i].number, len) == 0;
		bool text = len == words[i].text_n && strncasecmp(v->text, words[i].text, len) == 0;
		if (number || text) {
			*v = (struct odata_value){.type = ODATA_STRING, .text = arena_strndup(a->s->arena, words[i].ours, words[i].ours_n), .next = v->next};
			return OK;
		}
	}
	return wrong(a, c, "one of its numbers");
}

static enum err number_value(struct adapting *a, const struct report_column *c, struct odata_value *v)
{
	char *end;
	if (v->type != ODATA_STRING)
		return OK;
	v->i = strtoll(v->text, &end, 10);
	if (end == v->text || *end != '\0')
		return wrong(a, c, "a number");
	v->type = ODATA_NUMBER;
	return OK;
}

static enum err adapt_value(struct adapting *a, const struct report_column *c, struct odata_value *v)
{
	if (v->type == ODATA_NULL)
		return OK;
	switch (c->type) {
	case REPORT_CODE: return code_value(a, c, v);
	case REPORT_INT: return number_value(a, c, v);
	case REPORT_TIME:
		if (v->type == ODATA_STRING && time_parse(v->text, &v->i))
			v->type = ODATA_TIME;
		return OK; /* whatever else it is, resource/ refuses */
	case REPORT_TEXT:
		if (v->type == ODATA_NUMBER || v->type == ODATA_GUID || v->type == ODATA_TIME)
			v->type = ODATA_STRING;
		return OK;
	case REPORT_ID:
	case REPORT_BOOL:
	case REPORT_HEX:
	case REPORT_APP: break;
	}
	return OK;
}

static struct odata_node *equals(struct adapting *a, const char *path, const char *text)
{
	struct odata_node *n = arena_alloc(a->s->arena, sizeof *n);
	struct odata_value *v = arena_alloc(a->s->arena, sizeof *v);
	*v = (struct odata_value){.type = ODATA_STRING, .text = text};
	*n = (struct odata_node){.op = ODATA_EQ, .path = path, .value = v};
	return n;
}

static enum err app_key(struct adapting *a, const struct report_column *c, struct odata_node *node)
{
	void *bytes = NULL;
	size_t n = 0;
	const char *text = node->value->text;
	if (node->op != ODATA_EQ || node->value->type != ODATA_STRING)
		return wrong(a, c, "a key as reports carry it, by eq");
	if (!base64url_decode(a->s->arena, text, strlen(text), &bytes, &n) || memchr(bytes, '\0', n) != NULL)
		return wrong(a, c, "a key as reports carry it");
	char *separator = strrchr(bytes, APP_SEPARATOR);
	if (separator == NULL)
		return wrong(a, c, "a key as reports carry it");
	*separator = '\0';
	*node = (struct odata_node){.op = ODATA_AND, .left = equals(a, "ApplicationName", bytes),
				    .right = equals(a, "ApplicationVersion", separator + 1)};
	return OK;
}

static enum err adapt_leaf(struct adapting *a, struct odata_node *node)
{
	const struct report_column *c = report_column(a->r, node->path, false);
	if (c == NULL)
		return scope_fail(a->s, ERR_BAD_REQUEST, "the report %s has no column '%.64s'", a->r->name, node->path);
	if (!(c->flags & R_FILTER))
		return scope_fail(a->s, ERR_BAD_REQUEST, "the report %s cannot be filtered by '%s'", a->r->name, c->name);
	if (c->type == REPORT_APP)
		return app_key(a, c, node);
	if (c->type == REPORT_CODE && node->op != ODATA_EQ && node->op != ODATA_NE && node->op != ODATA_IN)
		return scope_fail(a->s, ERR_BAD_REQUEST, "'%s' in the filter has no order and no parts: use eq, ne or in", c->name);
	for (struct odata_value *v = node->value; v != NULL; v = v->next)
		TRY(adapt_value(a, c, v));
	return OK;
}

static enum err adapt(struct adapting *a, struct odata_node *n) /* as deep as LIMIT_FILTER_NODES */
{
	if (n->op != ODATA_AND && n->op != ODATA_OR && n->op != ODATA_NOT)
		return adapt_leaf(a, n);
	TRY(adapt(a, n->left));
	return n->op == ODATA_NOT ? OK : adapt(a, n->right);
}

static bool requires(const struct odata_node *n, const char *name)
{
	if (n->op == ODATA_AND)
		return requires(n->left, name) || requires(n->right, name);
	return n->op == ODATA_EQ && strcasecmp(n->path, name) == 0 && n->value->type != ODATA_NULL;
}

/* ---- the report as a resource ---- */

static enum property_type property_type(enum report_type t)
{
	switch (t) {
	case REPORT_ID: return PROP_ID;
	case REPORT_TIME: return PROP_TIME;
	case REPORT_INT: return PROP_INT;
	case REPORT_BOOL: return PROP_BOOL;
	case REPORT_TEXT:
	case REPORT_CODE:
	case REPORT_HEX:
	case REPORT_APP: break;
	}
	return PROP_TEXT;
}

static struct resource *as_resource(struct arena *a, const struct report *r)
{
	struct resource *res = arena_alloc(a, sizeof *res);
	struct property *props = arena_alloc(a, r->n * sizeof *props);
	*res = (struct resource){.name = r->name, .props = props};
	for (size_t i = 0; i < r->n; i++)
		if (r->columns[i].sql != NULL)
			props[res->prop_count++] = (struct property){.name = r->columns[i].name, .type = property_type(r->columns[i].type),
								     .sql = arena_printf(a, "(%s)", r->columns[i].sql), .flags = P_FILTER};
	return res;
}

static bool is_blank(const char *text) { return text == NULL || text[strspn(text, " \t\r\n")] == '\0'; }

enum err report_filter(struct scope *s, const struct report *r, const char *text, unsigned first, struct resource_condition **ret)
{
	struct adapting a = {.s = s, .r = r};
	struct odata_node *tree = NULL;
	*ret = NULL;
	if (!is_blank(text)) {
		if (strlen(text) > LIMIT_URL_BYTES)
			return scope_fail(s, ERR_BAD_REQUEST, "the filter is longer than %u bytes", LIMIT_URL_BYTES);
		TRY(odata_parse_filter(s, text, &tree));
	}
	if (r->required != NULL && (tree == NULL || !requires(tree, r->required)))
		return scope_fail(s, ERR_BAD_REQUEST, "the report %s needs a filter (%s eq '…')", r->name, r->required);
	if (tree == NULL)
		return OK;
	TRY(adapt(&a, tree));
	*ret = arena_alloc(s->arena, sizeof **ret);
	return resource_condition_joined(s, as_resource(s->arena, r), API_V1, tree, first, *ret);
}
