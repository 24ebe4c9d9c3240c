/* SPDX-License-Identifier: Apache-2.0
 * What handlers use to read their call and write its answer. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/relations.h"
#include "base/limits.h"
#include "crypto/seal.h"

const char *call_param(const struct call *c, const char *name)
{
	for (size_t i = 0; i < c->param_count; i++)
		if (strcmp(c->param[i].name, name) == 0)
			return c->param[i].value;
	check(!"the route has no such parameter");
	return NULL;
}

enum err call_param_id(struct call *c, const char *name, const char *noun, struct id *ret)
{
	const char *text = call_param(c, name);
	if (!id_parse(text, ret))
		return scope_fail(&c->s, ERR_NOT_FOUND, "no %s has the id '%.64s'", noun, text);
	return OK;
}

static bool is_json(const char *content_type)
{
	return strncasecmp(content_type, "application/json", 16) == 0;
}

enum err call_body(struct call *c, bool required, json_t **ret)
{
	const char *type = http_header(c->in, "Content-Type"), *encoding = http_header(c->in, "Content-Encoding");
	if (c->in->body_len == 0 && !required) {
		*ret = c->body = json_object();
		return OK;
	}
	if (c->in->body_len == 0)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "a JSON body is required");
	if (type != NULL && !is_json(type))
		return scope_fail(&c->s, ERR_MEDIA_TYPE, "the body must be application/json");
	if (encoding != NULL && strcasecmp(encoding, "identity") != 0)
		return scope_fail(&c->s, ERR_MEDIA_TYPE, "the body must not be compressed"); /* clients then send it plain */
	TRY(json_read(&c->s, c->in->body, c->in->body_len, &c->body));
	*ret = c->body;
	return OK;
}

enum err call_only(struct call *c, const json_t *object, const char *const *allowed)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)object, key, value) {
		bool known = strncmp(key, "@odata.", 7) == 0;
		for (const char *const *a = allowed; *a != NULL && !known; a++)
			known = strcmp(*a, key) == 0;
		if (!known)
			return scope_fail(&c->s, ERR_BAD_REQUEST, "unknown property '%.64s'", key);
	}
	return OK;
}

enum err call_string(struct call *c, const json_t *object, const char *name, bool required, const char **ret)
{
	const json_t *v = json_object_get(object, name);
	*ret = NULL;
	if (v == NULL || json_is_null(v)) {
		if (required)
			return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' is required", name);
		return OK;
	}
	if (!json_is_string(v))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' must be a string", name);
	if (json_string_length(v) > LIMIT_TEXT_BYTES || strlen(json_string_value(v)) != json_string_length(v))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' is too long or holds a NUL", name);
	if (required && json_string_length(v) == 0)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' must not be empty", name);
	*ret = arena_strdup(c->s.arena, json_string_value(v));
	return OK;
}

const char *call_base_url(struct call *c)
{
	return arena_printf(c->s.arena, "%s/%s", c->server->url, c->version == API_BETA ? "beta" : "v1.0");
}

/* The path after its version segment. */
static const char *path_below_version(const char *path)
{
	const char *slash = strchr(path + 1, '/');
	return slash == NULL ? "" : slash;
}

/* Prefer: odata.maxpagesize=N, where $top says nothing. */
static void prefer_page(struct call *c, struct resource_query *q)
{
	const char *value;
	char *end;
	if (q->odata.top >= 0 || !call_prefers(c, "maxpagesize", &value))
		return;
	long size = strtol(value, &end, 10);
	if (size < 1 || *end != '\0')
		return; /* a preference that makes no sense is ignored (RFC 7240, section 2) */
	q->odata.top = size;
	http_response_header(c->out, "Preference-Applied", arena_printf(c->s.arena, "odata.maxpagesize=%ld", size));
}

enum err call_query(struct call *c, const struct resource *r, struct resource_query *q)
{
	*q = (struct resource_query){.res = r, .version = c->version, .base_url = call_base_url(c),
				     .path = path_below_version(c->in->path), .raw_query = c->in->query};
	TRY(odata_parse(&c->s, c->in->query, &q->odata));
	if (q->odata.format != NULL && strcasecmp(q->odata.format, "json") != 0 && strncasecmp(q->odata.format, "application/json", 16) != 0)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "$format is json here");
	prefer_page(c, q);
	return relations_resolve(&c->s, q);
}

struct read_call {
	const struct resource_query *q;
	struct id key;
	struct buf *out;
	enum err (*run)(struct db_tx *tx, struct read_call *r);
};

static enum err run_list(struct db_tx *tx, struct read_call *r) { return resource_list(tx, r->q, r->out); }
static enum err run_count(struct db_tx *tx, struct read_call *r) { return resource_count(tx, r->q, r->out); }
static enum err run_get(struct db_tx *tx, struct read_call *r) { return resource_get(tx, r->q, r->key, r->out); }

static enum err read_closure(struct scope *s, struct db_tx *tx, void *arg)
{
	struct read_call *r = arg;
	buf_clear(r->out); /* the closure may run again */
	return r->run(tx, r);
}

static enum err read_into_answer(struct call *c, struct read_call *r)
{
	r->out = &c->out->body;
	enum err err = db_read(&c->s, read_closure, r);
	if (err == OK && c->out->body.failed)
		err = scope_fail(&c->s, ERR_LIMIT, "the answer is too large: ask for fewer with $top or $select");
	return err;
}

enum err call_list(struct call *c, const struct resource_query *q)
{
	if (c->count)
		return call_count(c, q);
	return read_into_answer(c, &(struct read_call){.q = q, .run = run_list});
}

enum err call_count(struct call *c, const struct resource_query *q)
{
	c->count = false;
	c->out->content_type = "text/plain; charset=utf-8";
	return read_into_answer(c, &(struct read_call){.q = q, .run = run_count});
}

static enum err no_collection(struct call *c)
{
	return scope_fail(&c->s, ERR_NOT_FOUND, "this resource is no collection: it has no /$count");
}

enum err call_counted(struct call *c)
{
	auto_json *list = NULL;
	if (c->out->stream != NULL || c->out->content_type != NULL || c->out->body.len == 0)
		return no_collection(c);
	TRY(json_read(&c->s, c->out->body.data, c->out->body.len, &list));
	const json_t *value = json_object_get(list, "value");
	if (!json_is_array(value) || json_object_get(list, "@odata.nextLink") != NULL)
		return no_collection(c);
	buf_clear(&c->out->body);
	buf_printf(&c->out->body, "%zu", json_array_size(value));
	c->out->content_type = "text/plain; charset=utf-8";
	return OK;
}

enum err call_get(struct call *c, const struct resource_query *q, struct id key)
{
	if (c->count)
		return no_collection(c);
	return read_into_answer(c, &(struct read_call){.q = q, .key = key, .run = run_get});
}

enum err call_created(struct call *c, const struct resource *r, struct id key)
{
	struct resource_query q;
	TRY(call_query(c, r, &q));
	return call_created_as(c, &q, key);
}

enum err call_created_as(struct call *c, const struct resource_query *q, struct id key)
{
	char text[ID_TEXT];
	const char *preference;
	const char *location = arena_printf(c->s.arena, "%s/%s/%s", q->base_url, q->res->context, id_format(key, text));
	TRY(call_get(c, q, key));
	http_response_header(c->out, "Location", location);
	c->out->status = 201;
	if (!call_prefers(c, "return", &preference) || strcasecmp(preference, "minimal") != 0)
		return OK;
	http_response_header(c->out, "OData-EntityId", location);
	http_response_header(c->out, "Preference-Applied", "return=minimal");
	return call_status(c, 204);
}

static bool is_token(struct arena *a, const char *option, size_t n)
{
	const char *equals = memchr(option, '=', n);
	char *name = url_decode(a, option, equals == NULL ? n : (size_t)(equals - option), true);
	if (name == NULL)
		return false;
	name += *name == '$';
	return strcasecmp(name, "skiptoken") == 0 || strcasecmp(name, "deltatoken") == 0;
}

const char *call_delta_link(struct call *c, const char *name, const char *token)
{
	struct arena *a = c->s.arena;
	const char *link = arena_printf(a, "%s%s", call_base_url(c), path_below_version(c->in->path)), *between = "?";
	for (const char *at = c->in->query; at != NULL && *at != '\0';) {
		size_t n = strcspn(at, "&");
		if (n > 0 && !is_token(a, at, n)) {
			link = arena_printf(a, "%s%s%.*s", link, between, (int)n, at);
			between = "&";
		}
		at += n + (at[n] == '&');
	}
	return name == NULL ? link : arena_printf(a, "%s%s%s=%s", link, between, name, token);
}

/* The value of a token parameter: up to a comma, a semicolon or a space, without quotes. */
static const char *preference_value(struct call *c, const char *at)
{
	if (*at != '=')
		return "";
	at += 1 + (at[1] == '"');
	return arena_strndup(c->s.arena, at, strcspn(at, ",; \"\t"));
}

bool call_prefers(struct call *c, const char *preference, const char **ret_value)
{
	const char *at = http_header(c->in, "Prefer");
	size_t n = strlen(preference);
	while (at != NULL && *at != '\0') {
		at += strspn(at, ", \t");
		const char *name = strncasecmp(at, "odata.", 6) == 0 ? at + 6 : at;
		if (strncasecmp(name, preference, n) == 0 && strchr("=,; \t", name[n]) != NULL) {
			*ret_value = preference_value(c, name + n);
			return true;
		}
		at += strcspn(at, ",");
	}
	return false;
}

struct json_writer call_json(struct call *c)
{
	struct json_writer w;
	buf_clear(&c->out->body);
	jw_init(&w, &c->out->body);
	return w;
}

enum err call_status(struct call *c, int status)
{
	buf_clear(&c->out->body);
	c->out->status = status;
	return OK;
}

/* ---- files ---- */

static bool next_piece(void *stream, const void **ret, size_t *ret_n) { return unseal_read(stream, ret, ret_n) == OK; }

static void end_of_stream(void *stream) { unseal_close(stream); }

void call_file(struct call *c, struct unseal_stream *stream, int64_t bytes, const char *type, const char *name)
{
	c->out->content_type = type;
	c->out->stream = next_piece;
	c->out->stream_end = end_of_stream;
	c->out->stream_arg = stream;
	c->out->stream_length = bytes;
	http_response_header(c->out, "Content-Disposition", arena_printf(c->s.arena, "attachment; filename=\"%s\"", name));
	http_response_header(c->out, "Cache-Control", "no-store");
	http_response_header(c->out, "X-Content-Type-Options", "nosniff");
}
