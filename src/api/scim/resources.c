/* SPDX-License-Identifier: Apache-2.0
 * Users and Groups: one resource, lists, searches. */
#include "api/scim/scim.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "codec/odata.h"

enum err scim_users_list(struct call *c);
enum err scim_users_create(struct call *c);
enum err scim_users_search(struct call *c);
enum err scim_users_get(struct call *c);
enum err scim_users_replace(struct call *c);
enum err scim_users_patch(struct call *c);
enum err scim_users_delete(struct call *c);
enum err scim_groups_list(struct call *c);
enum err scim_groups_create(struct call *c);
enum err scim_groups_search(struct call *c);
enum err scim_groups_get(struct call *c);
enum err scim_groups_replace(struct call *c);
enum err scim_groups_patch(struct call *c);
enum err scim_groups_delete(struct call *c);
enum err scim_search(struct call *c);

/* ---- what is asked for ---- */

enum { FILTER, SORT_BY, SORT_ORDER, START, COUNT, ATTRIBUTES, EXCLUDED, OPTIONS };
static const char *const NAMES[OPTIONS] = {"filter", "sortBy", "sortOrder", "startIndex", "count", "attributes", "excludedAttributes"};

static const char *or_null(const char *text)
{
	return text == NULL || *text == '\0' ? NULL : text;
}

/* Parameters that are none of SCIM's are passed over: administrators write some behind the address (aadOptscim062020). */
static enum err options(struct call *c, const char *ret[OPTIONS])
{
	memset(ret, 0, OPTIONS * sizeof *ret);
	for (const char *at = c->in->query; *at != '\0';) {
		size_t n = strcspn(at, "&"), name = strcspn(at, "=&");
		for (size_t i = 0; i < OPTIONS && name < n; i++) {
			if (strlen(NAMES[i]) != name || strncasecmp(NAMES[i], at, name) != 0)
				continue;
			ret[i] = url_decode(c->s.arena, at + name + 1, n - name - 1, true);
			if (ret[i] == NULL)
				return scope_fail(&c->s, ERR_BAD_REQUEST, "%s is malformed", NAMES[i]);
			ret[i] = or_null(ret[i]);
		}
		at += n + (at[n] == '&');
	}
	return OK;
}

static enum err projection(struct call *c, const char *const o[OPTIONS], struct scim_projection *ret)
{
	if (o[ATTRIBUTES] != NULL && o[EXCLUDED] != NULL)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "attributes and excludedAttributes exclude each other");
	scim_projection_of(&c->s, o[ATTRIBUTES], o[EXCLUDED], ret);
	return OK;
}

static enum err number(struct call *c, const char *name, const char *text, int64_t otherwise, int64_t *ret)
{
	char *end;
	*ret = otherwise;
	if (text == NULL)
		return OK;
	long long v = strtoll(text, &end, 10); /* what is too large becomes the largest */
	if (*end != '\0')
		return scope_fail(&c->s, ERR_BAD_REQUEST, "%s must be a whole number", name);
	*ret = v > INT32_MAX ? INT32_MAX : v < -INT32_MAX ? -INT32_MAX : v;
	return OK;
}

/* ---- lists ---- */

static enum err run_list(struct call *c, const char *const o[OPTIONS], bool users, bool groups)
{
	struct scim_query q = {.users = users, .groups = groups, .filter = o[FILTER], .sort_by = o[SORT_BY], .base = scim_base(c),
			       .descending = o[SORT_ORDER] != NULL && strcasecmp(o[SORT_ORDER], "descending") == 0};
	TRY(projection(c, o, &q.projection));
	TRY(number(c, NAMES[START], o[START], 1, &q.start));
	TRY(number(c, NAMES[COUNT], o[COUNT], INT64_MAX, &q.count));
	c->out->content_type = SCIM_TYPE;
	return scim_list(&c->s, &q, &c->out->body);
}

static enum err list(struct call *c, bool users, bool groups)
{
	const char *o[OPTIONS];
	TRY(options(c, o));
	return run_list(c, o, users, groups);
}

enum err scim_users_list(struct call *c) { return list(c, true, false); }
enum err scim_groups_list(struct call *c) { return list(c, false, true); }

/* Of a SearchRequest: a text, a number, or a list of names. */
static const char *option_text(struct arena *a, const json_t *v)
{
	const char *names = NULL;
	size_t i;
	json_t *name;
	if (json_is_string(v))
		return arena_strdup(a, json_string_value(v));
	if (json_is_integer(v))
		return arena_printf(a, "%lld", (long long)json_integer_value(v));
	json_array_foreach(v, i, name)
		if (json_is_string(name) && i < 200)
			names = names == NULL ? json_string_value(name) : arena_printf(a, "%s,%s", names, json_string_value(name));
	return arena_strdup(a, names);
}

static enum err search(struct call *c, bool users, bool groups)
{
	const char *o[OPTIONS];
	const char *key;
	json_t *body, *v;
	TRY(options(c, o));
	TRY(scim_body(c, &body));
	json_object_foreach(body, key, v)
		for (size_t i = 0; i < OPTIONS; i++)
			if (strcasecmp(key, NAMES[i]) == 0)
				o[i] = or_null(option_text(c->s.arena, v));
	return run_list(c, o, users, groups);
}

enum err scim_users_search(struct call *c) { return search(c, true, false); }
enum err scim_groups_search(struct call *c) { return search(c, false, true); }
enum err scim_search(struct call *c) { return search(c, true, true); }

/* ---- one resource ---- */

static enum err request(struct call *c, enum scim_resource r, bool body, struct scim_request *q)
{
	const char *o[OPTIONS];
	json_t *sent = NULL;
	TRY(options(c, o));
	*q = (struct scim_request){.resource = r, .base = scim_base(c), .if_match = http_header(c->in, "If-Match")};
	for (size_t i = 0; i < c->param_count; i++)
		if (strcmp(c->param[i].name, "id") == 0)
			q->id = c->param[i].value;
	TRY(projection(c, o, &q->projection));
	if (body)
		TRY(scim_body(c, &sent));
	q->body = sent;
	return OK;
}

static void answer(struct call *c, const struct scim_answer *a, int status)
{
	c->out->status = status;
	c->out->content_type = SCIM_TYPE;
	http_response_header(c->out, "ETag", a->etag);
	http_response_header(c->out, status == 201 ? "Location" : "Content-Location", a->location);
}

static enum err get(struct call *c, enum scim_resource r)
{
	struct scim_request q;
	struct scim_answer a;
	TRY(request(c, r, false, &q));
	q.if_match = http_header(c->in, "If-None-Match");
	TRY(scim_get(&c->s, &q, &c->out->body, &a));
	answer(c, &a, a.not_modified ? 304 : 200);
	if (a.not_modified)
		c->out->content_type = NULL;
	return OK;
}

enum err scim_users_get(struct call *c) { return get(c, SCIM_USER); }
enum err scim_groups_get(struct call *c) { return get(c, SCIM_GROUP); }

typedef enum err (*change_fn)(struct scope *s, const struct scim_request *q, struct buf *out, struct scim_answer *ret);

static enum err change(struct call *c, enum scim_resource r, change_fn fn, int status)
{
	struct scim_request q;
	struct scim_answer a;
	TRY(request(c, r, true, &q));
	TRY(fn(&c->s, &q, &c->out->body, &a));
	answer(c, &a, a.bare ? 204 : status);
	if (a.bare)
		c->out->content_type = NULL;
	return OK;
}

enum err scim_users_create(struct call *c) { return change(c, SCIM_USER, scim_create, 201); }
enum err scim_users_replace(struct call *c) { return change(c, SCIM_USER, scim_replace, 200); }
enum err scim_users_patch(struct call *c) { return change(c, SCIM_USER, scim_patch, 200); }
enum err scim_groups_create(struct call *c) { return change(c, SCIM_GROUP, scim_create, 201); }
enum err scim_groups_replace(struct call *c) { return change(c, SCIM_GROUP, scim_replace, 200); }
enum err scim_groups_patch(struct call *c) { return change(c, SCIM_GROUP, scim_patch, 200); }

static enum err drop(struct call *c, enum scim_resource r)
{
	struct scim_request q;
	TRY(request(c, r, false, &q));
	TRY(scim_delete(&c->s, &q));
	return call_status(c, 204);
}

enum err scim_users_delete(struct call *c) { return drop(c, SCIM_USER); }
enum err scim_groups_delete(struct call *c) { return drop(c, SCIM_GROUP); }
