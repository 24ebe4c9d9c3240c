/* SPDX-License-Identifier: Apache-2.0
 * Filters and paths of SCIM: a parser by recursive descent over one token of look-ahead. */
#include "codec/scim_filter.h"

#include <string.h>
#include <strings.h>

#include "base/limits.h"

struct parser {
	struct scope *s;
	const char *start, *at;
	unsigned nodes, depth;
	enum err wrong; /* what a refusal is: ERR_BAD_FILTER or ERR_BAD_PATH */
};

static const struct {
	const char *word;
	enum scim_op op;
} COMPARES[] = {
	{"eq", SCIM_EQ}, {"ne", SCIM_NE}, {"co", SCIM_CO}, {"sw", SCIM_SW}, {"ew", SCIM_EW},
	{"gt", SCIM_GT}, {"ge", SCIM_GE}, {"lt", SCIM_LT}, {"le", SCIM_LE}, {"pr", SCIM_PR},
};

static enum err malformed(struct parser *p, const char *what)
{
	return scope_fail(p->s, p->wrong, "malformed %s at character %zu: %s", p->wrong == ERR_BAD_PATH ? "path" : "filter",
			  (size_t)(p->at - p->start) + 1, what);
}

static enum err no_room(struct scope *s)
{
	return scope_fail(s, ERR_LIMIT, "the request needs more memory than one request may have");
}

static void skip(struct parser *p)
{
	p->at += strspn(p->at, " \t");
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_name(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

/* The word at p->at without moving: letters only. */
static size_t word(const char *at)
{
	size_t n = 0;
	while (is_letter(at[n]))
		n++;
	return n;
}

static bool take_word(struct parser *p, const char *want)
{
	size_t n = strlen(want);
	if (word(p->at) != n || strncasecmp(p->at, want, n) != 0 || is_name(p->at[n]))
		return false;
	p->at += n;
	return true;
}

static enum err new_node(struct parser *p, enum scim_op op, struct scim_filter **ret)
{
	if (++p->nodes > LIMIT_FILTER_NODES)
		return scope_fail(p->s, p->wrong, "the filter has more than %u parts", LIMIT_FILTER_NODES);
	*ret = arena_try(p->s->arena, sizeof **ret);
	if (*ret == NULL)
		return no_room(p->s);
	(*ret)->op = op;
	return OK;
}

/* ---- names ---- */

static char *copy(struct scope *s, const char *from, size_t n)
{
	char *out = arena_try(s->arena, n + 1);
	if (out != NULL)
		memcpy(out, from, n);
	return out;
}

/* A letter, then letters, digits, - and _; "$ref" is the one that begins otherwise. */
static bool is_attribute(const char *at, size_t n)
{
	if (n > 0 && *at == '$') {
		at++;
		n--;
	}
	if (n == 0 || !is_letter(*at))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!is_name(at[i]))
			return false;
	return true;
}

static const char *last_colon(const char *text, size_t n)
{
	for (; n > 0; n--)
		if (text[n - 1] == ':')
			return text + n - 1;
	return NULL;
}

/* False: it is none. */
static bool split_path(struct scope *s, const char *text, size_t n, struct scim_path *ret)
{
	const char *colon = last_colon(text, n), *name = colon == NULL ? text : colon + 1, *end = text + n;
	const char *dot = memchr(name, '.', (size_t)(end - name));
	*ret = (struct scim_path){0};
	/* The last part of a bare "urn:…:2.0:User" is taken for an attribute here, and seen for what it is where schemas are known. */
	if (!is_attribute(name, (size_t)((dot == NULL ? end : dot) - name)) || (dot != NULL && !is_attribute(dot + 1, (size_t)(end - dot - 1))))
		return false;
	if (colon != NULL && (n < 4 || strncasecmp(text, "urn:", 4) != 0))
		return false;
	ret->schema = colon == NULL ? NULL : copy(s, text, (size_t)(colon - text));
	ret->attr = copy(s, name, (size_t)((dot == NULL ? end : dot) - name));
	ret->sub = dot == NULL ? NULL : copy(s, dot + 1, (size_t)(end - dot - 1));
	return ret->attr != NULL && (colon == NULL || ret->schema != NULL) && (dot == NULL || ret->sub != NULL);
}

enum err scim_path_parse(struct scope *s, const char *text, size_t n, struct scim_path *ret)
{
	return split_path(s, text, n, ret) ? OK : scope_fail(s, ERR_BAD_PATH, "this is no attribute's name");
}

static enum err path(struct parser *p, struct scim_path *ret)
{
	size_t n = 0;
	while (is_name(p->at[n]) || (p->at[n] != '\0' && strchr(":.$", p->at[n]) != NULL))
		n++;
	if (!split_path(p->s, p->at, n, ret))
		return malformed(p, "an attribute's name is expected");
	p->at += n;
	return OK;
}

/* ---- values ---- */

/* A JSON literal; the text is between its quotes. */
static enum err text_value(struct parser *p, struct scim_value *ret)
{
	const char *end = p->at + 1;
	while (*end != '\0' && *end != '"')
		end += *end == '\\' && end[1] != '\0' ? 2 : 1;
	if (*end == '\0')
		return malformed(p, "a text that starts with \" has no end");
	json_t *j = json_loadb(p->at, (size_t)(end + 1 - p->at), JSON_DECODE_ANY, NULL); /* refuses NUL and what is no UTF-8 */
	if (j == NULL)
		return malformed(p, "this text is no JSON");
	char *text = copy(p->s, json_string_value(j), json_string_length(j));
	json_decref(j);
	if (text == NULL)
		return no_room(p->s);
	*ret = (struct scim_value){.type = SCIM_TEXT, .text = text};
	p->at = end + 1;
	return OK;
}

static enum err number_value(struct parser *p, struct scim_value *ret)
{
	size_t n = strspn(p->at, "+-.0123456789eE");
	json_t *j = n == 0 ? NULL : json_loadb(p->at, n, JSON_DECODE_ANY, NULL);
	if (j == NULL)
		return malformed(p, "a value is expected");
	*ret = (struct scim_value){.type = SCIM_NUMBER, .number = json_number_value(j)};
	json_decref(j);
	p->at += n;
	return OK;
}

static enum err value(struct parser *p, struct scim_value *ret)
{
	skip(p);
	*ret = (struct scim_value){.type = SCIM_NULL};
	if (*p->at == '"')
		return text_value(p, ret);
	if (take_word(p, "null"))
		return OK;
	ret->type = SCIM_BOOL;
	if (take_word(p, "false"))
		return OK;
	if (take_word(p, "true")) {
		ret->yes = true;
		return OK;
	}
	return number_value(p, ret);
}

/* ---- expressions ---- */

static enum err or_expression(struct parser *p, bool inside, struct scim_filter **ret);

static enum err deeper(struct parser *p, bool inside, char close, struct scim_filter **ret)
{
	p->at++;
	if (++p->depth > SCIM_FILTER_DEPTH)
		return malformed(p, "it is nested too deep");
	TRY(or_expression(p, inside, ret));
	p->depth--;
	skip(p);
	if (*p->at != close)
		return malformed(p, close == ')' ? "a ) is expected" : "a ] is expected");
	p->at++;
	return OK;
}

static enum err comparison(struct parser *p, struct scim_filter *node)
{
	skip(p);
	for (size_t i = 0; i < sizeof COMPARES / sizeof COMPARES[0]; i++) {
		if (!take_word(p, COMPARES[i].word))
			continue;
		node->op = COMPARES[i].op;
		return node->op == SCIM_PR ? OK : value(p, &node->value);
	}
	return malformed(p, "an operator is expected (eq, ne, co, sw, ew, gt, ge, lt, le, pr)");
}

/* attr[filter].sub op value: the element has both. */
static enum err same_element(struct parser *p, struct scim_filter *has)
{
	struct scim_filter *both, *more;
	size_t n = 1;
	while (is_name(p->at[n]) || p->at[n] == '$')
		n++;
	if (!is_attribute(p->at + 1, n - 1))
		return malformed(p, "a sub-attribute's name is expected");
	TRY(new_node(p, SCIM_AND, &both));
	TRY(new_node(p, SCIM_EQ, &more));
	more->path.attr = copy(p->s, p->at + 1, n - 1);
	if (more->path.attr == NULL)
		return no_room(p->s);
	p->at += n;
	TRY(comparison(p, more));
	both->left = has->left;
	both->right = more;
	has->left = both;
	return OK;
}

static enum err term(struct parser *p, bool inside, struct scim_filter **ret)
{
	skip(p);
	if (*p->at == '(')
		return deeper(p, inside, ')', ret);
	const char *before = p->at;
	if (take_word(p, "not")) {
		skip(p);
		if (*p->at == '(') {
			TRY(new_node(p, SCIM_NOT, ret));
			return deeper(p, inside, ')', &(*ret)->left);
		}
		p->at = before; /* an attribute of that name */
	}
	TRY(new_node(p, SCIM_EQ, ret));
	TRY(path(p, &(*ret)->path));
	if (*p->at != '[')
		return comparison(p, *ret);
	if (inside || (*ret)->path.sub != NULL)
		return malformed(p, "a filter in brackets may stand behind an attribute only");
	(*ret)->op = SCIM_HAS;
	TRY(deeper(p, true, ']', &(*ret)->left));
	return *p->at == '.' ? same_element(p, *ret) : OK;
}

static enum err join(struct parser *p, enum scim_op op, struct scim_filter **left, struct scim_filter *right)
{
	struct scim_filter *node;
	TRY(new_node(p, op, &node));
	node->left = *left;
	node->right = right;
	*left = node;
	return OK;
}

static enum err and_expression(struct parser *p, bool inside, struct scim_filter **ret)
{
	struct scim_filter *right;
	TRY(term(p, inside, ret));
	for (skip(p); take_word(p, "and"); skip(p)) {
		TRY(term(p, inside, &right));
		TRY(join(p, SCIM_AND, ret, right));
	}
	return OK;
}

static enum err or_expression(struct parser *p, bool inside, struct scim_filter **ret)
{
	struct scim_filter *right;
	TRY(and_expression(p, inside, ret));
	for (skip(p); take_word(p, "or"); skip(p)) {
		TRY(and_expression(p, inside, &right));
		TRY(join(p, SCIM_OR, ret, right));
	}
	return OK;
}

enum err scim_filter_parse(struct scope *s, const char *text, struct scim_filter **ret)
{
	struct parser p = {.s = s, .start = text, .at = text, .wrong = ERR_BAD_FILTER};
	if (strlen(text) > LIMIT_URL_BYTES)
		return scope_fail(s, ERR_BAD_FILTER, "the filter is longer than %u bytes", LIMIT_URL_BYTES);
	TRY(or_expression(&p, false, ret));
	skip(&p);
	return *p.at == '\0' ? OK : malformed(&p, "and, or or the end is expected");
}

enum err scim_target_parse(struct scope *s, const char *text, struct scim_target *ret)
{
	struct parser p = {.s = s, .start = text, .at = text, .wrong = ERR_BAD_PATH};
	*ret = (struct scim_target){0};
	if (strlen(text) > LIMIT_URL_BYTES)
		return scope_fail(s, ERR_BAD_PATH, "the path is longer than %u bytes", LIMIT_URL_BYTES);
	skip(&p);
	TRY(path(&p, &ret->path));
	if (*p.at == '[' && ret->path.sub != NULL)
		return malformed(&p, "a filter in brackets may stand behind an attribute only");
	if (*p.at == '[')
		TRY(deeper(&p, true, ']', &ret->filter));
	if (ret->filter != NULL && *p.at == '.') {
		size_t n = strspn(++p.at, "$-_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
		if (!is_attribute(p.at, n))
			return malformed(&p, "a sub-attribute's name is expected");
		ret->path.sub = copy(s, p.at, n);
		if (ret->path.sub == NULL)
			return no_room(s);
		p.at += n;
	}
	skip(&p);
	return *p.at == '\0' ? OK : malformed(&p, "its end is expected");
}
