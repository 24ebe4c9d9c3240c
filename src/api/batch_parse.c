/* SPDX-License-Identifier: Apache-2.0
 * A batch's body to steps in an order in which they can run. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/batch.h"
#include "base/limits.h"
#include "codec/base64.h"
#include "codec/json.h"

static enum err bad(struct scope *s, size_t place, const char *what)
{
	return scope_fail(s, ERR_BAD_REQUEST, "request %zu of the batch: %s", place + 1, what);
}

/* ---- one step ---- */

static enum err only(struct scope *s, size_t place, const json_t *j)
{
	static const char *const known[] = {"id", "method", "url", "headers", "body", "dependsOn"};
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)j, key, value) {
		bool found = false;
		for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
			found = found || strcmp(known[i], key) == 0;
		if (!found)
			return bad(s, place, "it has a member other than id, method, url, headers, body and dependsOn");
	}
	return OK;
}

/* The member's text, not empty and at most `most` bytes. */
static const char *text_of(const json_t *j, const char *name, size_t most)
{
	const json_t *v = json_object_get(j, name);
	size_t n = json_string_length(v);
	return json_is_string(v) && n > 0 && n <= most ? json_string_value(v) : NULL;
}

static enum err read_method(struct scope *s, size_t place, const json_t *j, struct batch_step *step)
{
	const char *text = text_of(j, "method", 16);
	if (text == NULL)
		return bad(s, place, "'method' is required");
	char *upper = arena_strdup(s->arena, text);
	for (char *c = upper; *c != '\0'; c++) {
		if (!isalpha((unsigned char)*c))
			return bad(s, place, "'method' is GET, POST, PATCH, PUT or DELETE");
		*c = (char)toupper((unsigned char)*c);
	}
	step->method = upper;
	return OK;
}

static enum err read_url(struct scope *s, size_t place, const json_t *j, const char *version, struct batch_step *step)
{
	const char *url = text_of(j, "url", LIMIT_URL_BYTES - 8);
	if (url == NULL)
		return bad(s, place, "'url' is required, and not longer than the limit");
	if (strstr(url, "://") != NULL && strcspn(url, "/?") > strcspn(url, ":"))
		return bad(s, place, "'url' is relative to the batch: \"/users\", without host and version");
	step->target = arena_printf(s->arena, "/%s/%s", version, url + (*url == '/'));
	return OK;
}

static enum err read_headers(struct scope *s, size_t place, const json_t *j, struct batch_step *step)
{
	const json_t *headers = json_object_get(j, "headers");
	const char *name;
	json_t *value;
	if (headers == NULL || json_is_null(headers))
		return OK;
	if (!json_is_object(headers) || json_object_size(headers) > BATCH_HEADERS_MAX)
		return bad(s, place, "'headers' is an object of texts");
	step->fields = arena_alloc(s->arena, BATCH_HEADERS_MAX * sizeof *step->fields);
	json_object_foreach((json_t *)headers, name, value) {
		if (!json_is_string(value))
			return bad(s, place, "'headers' is an object of texts");
		if (json_string_length(value) > LIMIT_HEADER_BYTES || strlen(name) > LIMIT_HEADER_BYTES)
			return bad(s, place, "a header is longer than the limit");
		step->fields[step->field_count++] = (struct http_field){name, json_string_value(value)};
	}
	return OK;
}

static enum err read_step(struct scope *s, size_t place, const json_t *j, const char *version, struct batch *b)
{
	struct batch_step *step = &b->step[place];
	if (!json_is_object(j))
		return bad(s, place, "an object is expected");
	TRY(only(s, place, j));
	step->id = text_of(j, "id", BATCH_ID_BYTES_MAX);
	if (step->id == NULL)
		return bad(s, place, "'id' is required: a text of at most 128 bytes");
	for (size_t i = 0; i < place; i++)
		if (strcmp(b->step[i].id, step->id) == 0)
			return bad(s, place, "its 'id' is that of another one");
	TRY(read_method(s, place, j, step));
	TRY(read_url(s, place, j, version, step));
	TRY(read_headers(s, place, j, step));
	const json_t *body = json_object_get(j, "body");
	step->body = json_is_null(body) ? NULL : body;
	return OK;
}

/* ---- the order ---- */

static enum err find_step(struct scope *s, const struct batch *b, size_t place, const json_t *id, unsigned *ret)
{
	for (unsigned i = 0; i < b->n && json_is_string(id); i++)
		if (i != place && strcmp(b->step[i].id, json_string_value(id)) == 0) {
			*ret = i;
			return OK;
		}
	return bad(s, place, "'dependsOn' is a list of ids of other requests of the batch");
}

static enum err read_dependencies(struct scope *s, struct batch *b, size_t place, const json_t *j)
{
	const json_t *list = json_object_get(j, "dependsOn");
	struct batch_step *step = &b->step[place];
	if (list == NULL || json_is_null(list))
		return OK;
	if (!json_is_array(list) || json_array_size(list) > BATCH_STEPS_MAX)
		return bad(s, place, "'dependsOn' is a list of ids of other requests of the batch");
	for (size_t i = 0; i < json_array_size(list); i++)
		TRY(find_step(s, b, place, json_array_get(list, i), &step->after[step->after_count++]));
	return OK;
}

static bool is_ready(const struct batch_step *step, const bool *placed)
{
	for (size_t i = 0; i < step->after_count; i++)
		if (!placed[step->after[i]])
			return false;
	return true;
}

static enum err order_steps(struct scope *s, struct batch *b)
{
	bool placed[BATCH_STEPS_MAX] = {false};
	for (size_t n = 0; n < b->n; n++) {
		unsigned next = 0;
		while (next < b->n && (placed[next] || !is_ready(&b->step[next], placed)))
			next++;
		if (next == b->n)
			return scope_fail(s, ERR_BAD_REQUEST, "requests of the batch depend on each other in a circle");
		placed[next] = true;
		b->order[n] = next;
	}
	return OK;
}

enum err batch_parse(struct scope *s, const json_t *body, const char *version, struct batch *ret)
{
	const json_t *list = json_object_get(body, "requests");
	size_t n = json_array_size(list);
	*ret = (struct batch){.n = 0};
	if (!json_is_array(list) || n == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "'requests' is a list of 1 to %d requests", BATCH_STEPS_MAX);
	if (n > BATCH_STEPS_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "a batch holds at most %d requests", BATCH_STEPS_MAX);
	for (size_t i = 0; i < n; i++, ret->n++)
		TRY(read_step(s, i, json_array_get(list, i), version, ret));
	for (size_t i = 0; i < n; i++)
		TRY(read_dependencies(s, ret, i, json_array_get(list, i)));
	return order_steps(s, ret);
}

/* ---- bodies ---- */

static const char *content_type(const struct batch_step *step)
{
	for (size_t i = 0; i < step->field_count; i++)
		if (strcasecmp(step->fields[i].name, "Content-Type") == 0)
			return step->fields[i].value;
	return "application/json";
}

static enum err decode(struct scope *s, const char *text, struct buf *out)
{
	size_t n = strlen(text);
	void *bytes;
	if (!base64_decode(s->arena, text, n, &bytes, &n) && !base64url_decode(s->arena, text, strcspn(text, "="), &bytes, &n))
		return scope_fail(s, ERR_BAD_REQUEST, "a body that is no JSON is its base64");
	buf_add(out, bytes, n);
	return OK;
}

enum err batch_body(struct scope *s, const struct batch_step *step, struct buf *out)
{
	const char *type = content_type(step);
	struct json_writer w;
	jw_init(&w, out);
	if (step->body == NULL)
		return OK;
	if (strncasecmp(type, "application/json", 16) == 0)
		jw_json(&w, step->body);
	else if (!json_is_string(step->body))
		return scope_fail(s, ERR_BAD_REQUEST, "a body that is no JSON is a text");
	else if (strncasecmp(type, "text/", 5) == 0)
		buf_adds(out, json_string_value(step->body));
	else
		TRY(decode(s, json_string_value(step->body), out));
	return out->failed ? scope_fail(s, ERR_TOO_LARGE, "the request body is larger than the limit") : OK;
}
