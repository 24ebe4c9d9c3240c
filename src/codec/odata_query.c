/* SPDX-License-Identifier: Apache-2.0
 *
 * The query part of a URL to struct odata_query.  Options of OData that Reeve does not know are refused rather than
 * ignored: a $filter that was misspelt and ignored would answer with more devices than were asked for.  Others
 * (api-version) are none of ours.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "codec/odata_lex.h"

enum { NAME_SHOWN = 32 };

static enum err bad_value(struct scope *s, const char *option, const char *what)
{
	return scope_fail(s, ERR_BAD_REQUEST, "malformed $%s: %s", option, what);
}

static enum err read_filter(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	q->filter_text = text;
	return odata_parse_filter(s, text, &q->filter);
}

static enum err read_number(struct scope *s, const char *option, const char *text, int64_t *ret)
{
	size_t n = strspn(text, "0123456789");
	if (n == 0 || text[n] != '\0')
		return bad_value(s, option, "a number from 0 is expected");
	errno = 0;
	int64_t v = strtoll(text, NULL, 10);
	if (errno == ERANGE)
		return bad_value(s, option, "the number is out of range");
	*ret = v;
	return OK;
}

static enum err read_top(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	return read_number(s, option, text, &q->top);
}

static enum err read_skip(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	return read_number(s, option, text, &q->skip);
}

static enum err read_count(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	q->count = strcasecmp(text, "true") == 0;
	return q->count || strcasecmp(text, "false") == 0 ? OK : bad_value(s, option, "true or false is expected");
}

/* Takes the next part of a comma list, with the spaces around it cut off; NULL behind the last. */
static char *next_part(char **rest)
{
	char *part = strsep(rest, ",");
	if (part == NULL)
		return NULL;
	part += strspn(part, " ");
	for (size_t n = strlen(part); n > 0 && part[n - 1] == ' ';)
		part[--n] = '\0';
	return part;
}

static enum err read_order_part(struct scope *s, const char *option, char *part, struct odata_order *ret)
{
	size_t n = odata_path_length(part);
	const char *direction = part + n + strspn(part + n, " ");
	if (n == 0 || (part[n] != ' ' && part[n] != '\0'))
		return bad_value(s, option, "a list of properties is expected, each followed by asc, desc or neither");
	ret->descending = strcasecmp(direction, "desc") == 0;
	if (!ret->descending && strcasecmp(direction, "asc") != 0 && *direction != '\0')
		return bad_value(s, option, "asc or desc is expected behind a property");
	part[n] = '\0';
	ret->path = part;
	return OK;
}

static enum err read_order(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	struct odata_order **last = &q->order;
	unsigned count = 0;
	for (char *part; (part = next_part(&text)) != NULL; last = &(*last)->next) {
		if (++count > LIMIT_FILTER_NODES)
			return bad_value(s, option, "too many properties");
		*last = arena_try(s->arena, sizeof **last);
		if (*last == NULL)
			return odata_no_room(s);
		TRY(read_order_part(s, option, part, *last));
	}
	return OK;
}

static enum err read_select(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	size_t n = 1, count = 0;
	for (const char *c = text; *c != '\0'; c++)
		n += *c == ',';
	const char **list = arena_try(s->arena, (n + 1) * sizeof *list);
	if (list == NULL)
		return odata_no_room(s);
	bool all = false;
	for (char *part; (part = next_part(&text)) != NULL;) {
		size_t length = odata_path_length(part);
		if (strcmp(part, "*") == 0)
			all = true;
		else if (length == 0 || part[length] != '\0')
			return bad_value(s, option, "a list of properties is expected");
		list[count++] = part;
	}
	q->select = all ? NULL : list;
	return OK;
}

static enum err not_expanded(struct scope *s, const char *what)
{
	return scope_fail(s, ERR_EXPAND, "$expand: %s", what);
}

/* The nested options of a relation: $select and nothing else. */
static enum err read_nested(struct scope *s, char *text, struct odata_expand *ret)
{
	struct odata_query q = {.top = -1, .skip = -1};
	for (char *option; (option = strsep(&text, ";")) != NULL;) {
		option += *option == '$';
		if (strncasecmp(option, "select=", 7) != 0 || ret->select != NULL)
			return not_expanded(s, "only one $select is supported inside a relation");
		TRY(read_select(s, "select", option + 7, &q));
		ret->select = q.select;
	}
	return OK;
}

/* Cuts the next relation off, with what stands in its brackets; commas there are its own. */
static enum err next_relation(struct scope *s, char **rest, struct odata_expand *ret)
{
	char *at = *rest + strspn(*rest, " "), *end;
	size_t n = odata_path_length(at);
	if (*at == '*')
		return not_expanded(s, "* is not supported: name the relations");
	if (n == 0)
		return bad_value(s, "expand", "a list of relations is expected");
	ret->name = at;
	end = at + n;
	if (*end == '(') {
		char *close = strchr(end, ')');
		if (close == NULL)
			return bad_value(s, "expand", ") is expected behind the options of a relation");
		*end = *close = '\0';
		TRY(read_nested(s, end + 1, ret));
		end = close + 1;
	}
	end += strspn(end, " ");
	if (*end != ',' && *end != '\0')
		return bad_value(s, "expand", "a comma is expected behind a relation");
	*rest = *end == ',' ? end + 1 : NULL;
	if (at[n] != '\0')
		at[n] = '\0';
	return OK;
}

static enum err read_expand(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	struct odata_expand **last = &q->expand;
	for (unsigned count = 0; text != NULL; last = &(*last)->next) {
		if (++count > ODATA_EXPAND_MAX)
			return not_expanded(s, "too many relations");
		*last = arena_try(s->arena, sizeof **last);
		if (*last == NULL)
			return odata_no_room(s);
		TRY(next_relation(s, &text, *last));
	}
	return OK;
}

static enum err read_search(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	q->search = text;
	return OK;
}

static enum err read_skiptoken(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	q->skiptoken = text;
	return OK;
}

static enum err read_deltatoken(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	q->deltatoken = text;
	return OK;
}

static enum err read_format(struct scope *s, const char *option, char *text, struct odata_query *q)
{
	q->format = text;
	return OK;
}

static const struct option {
	const char *name;
	enum err (*read)(struct scope *s, const char *option, char *text, struct odata_query *q);
} OPTIONS[] = {
	{"filter", read_filter}, {"top", read_top},       {"skip", read_skip},     {"count", read_count},
	{"orderby", read_order}, {"select", read_select}, {"expand", read_expand}, {"search", read_search},
	{"skiptoken", read_skiptoken}, {"deltatoken", read_deltatoken}, {"format", read_format},
};
enum { OPTION_COUNT = sizeof OPTIONS / sizeof *OPTIONS };

/* What a client sent, fit for a message: cut, and only printable ASCII. */
static enum err unknown_option(struct scope *s, const char *name)
{
	char shown[NAME_SHOWN + 1] = {0};
	for (size_t i = 0; i < NAME_SHOWN && name[i] != '\0'; i++)
		shown[i] = name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?';
	return scope_fail(s, ERR_BAD_REQUEST, "the query option %s is not supported", shown);
}

static enum err read_option(struct scope *s, const char *name, char *value, unsigned *seen, struct odata_query *q)
{
	const char *bare = name[0] == '$' ? name + 1 : name;
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		if (strcasecmp(bare, OPTIONS[i].name) != 0)
			continue;
		if ((*seen & 1u << i) != 0)
			return scope_fail(s, ERR_BAD_REQUEST, "the query option $%s is given twice", OPTIONS[i].name);
		*seen |= 1u << i;
		if (*value == '\0')
			return bad_value(s, OPTIONS[i].name, "a value is expected");
		return OPTIONS[i].read(s, OPTIONS[i].name, value, q);
	}
	return name[0] == '$' ? unknown_option(s, name) : OK;
}

enum err odata_parse(struct scope *s, const char *query, struct odata_query *ret)
{
	struct odata_query q = {.top = -1, .skip = -1};
	unsigned seen = 0;
	for (const char *at = query == NULL ? "" : query; *at != '\0';) {
		size_t n = strcspn(at, "&"), name_n = strcspn(at, "&=");
		char *name = url_decode(s->arena, at, name_n, true);
		char *value = url_decode(s->arena, at + name_n, n - name_n, true);
		if (name == NULL || value == NULL)
			return scope_fail(s, ERR_BAD_REQUEST, "the URL's query is not well percent-encoded UTF-8");
		TRY(read_option(s, name, value + (*value == '='), &seen, &q));
		at += n + (at[n] == '&');
	}
	*ret = q;
	return OK;
}
