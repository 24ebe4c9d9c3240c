/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON out, streaming.  The form is canonical (signatures and stored events depend on it): no white space, keys in the
 * order written, strings as UTF-8 with only the escapes that RFC 8259 requires, in their short form where there is one,
 * doubles in the shortest form that reads back the same.  Commas are the writer's business.  A buffer that is full is
 * the caller's to check.
 */
#include "codec/json.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/utf8.h"

void jw_init(struct json_writer *w, struct buf *out)
{
	*w = (struct json_writer){.out = out};
}

/* Every value passes here first. */
static void begin_value(struct json_writer *w)
{
	if (w->comma)
		buf_addc(w->out, ',');
	w->comma = true;
}

static void open_with(struct json_writer *w, char c)
{
	begin_value(w);
	check(w->depth < UINT8_MAX);
	w->depth++;
	w->comma = false;
	buf_addc(w->out, c);
}

static void close_with(struct json_writer *w, char c)
{
	check(w->depth > 0);
	w->depth--;
	w->comma = true;
	buf_addc(w->out, c);
}

void jw_object(struct json_writer *w) { open_with(w, '{'); }
void jw_end_object(struct json_writer *w) { close_with(w, '}'); }
void jw_array(struct json_writer *w) { open_with(w, '['); }
void jw_end_array(struct json_writer *w) { close_with(w, ']'); }

static void add_escape(struct buf *out, unsigned char c)
{
	switch (c) {
	case '"': buf_adds(out, "\\\""); break;
	case '\\': buf_adds(out, "\\\\"); break;
	case '\b': buf_adds(out, "\\b"); break;
	case '\f': buf_adds(out, "\\f"); break;
	case '\n': buf_adds(out, "\\n"); break;
	case '\r': buf_adds(out, "\\r"); break;
	case '\t': buf_adds(out, "\\t"); break;
	default: buf_printf(out, "\\u%04x", c); break;
	}
}

static void add_string(struct buf *out, const char *s, size_t n)
{
	size_t from = 0, i = 0; /* [from, i) is clean and not yet copied */
	buf_addc(out, '"');
	while (i < n) {
		size_t bad, len;
		unsigned char c = (unsigned char)s[i];
		if (c < 0x20 || c == '"' || c == '\\') {
			buf_add(out, s + from, i - from);
			add_escape(out, c);
			from = ++i;
		} else if (c < 0x80) {
			i++;
		} else if ((len = utf8_length(s + i, n - i, &bad)) > 0) {
			i += len;
		} else {
			buf_add(out, s + from, i - from);
			buf_adds(out, "\xef\xbf\xbd");
			from = i += bad;
		}
	}
	if (i > from)
		buf_add(out, s + from, i - from);
	buf_addc(out, '"');
}

void jw_key(struct json_writer *w, const char *key)
{
	check(w->depth > 0);
	if (w->comma)
		buf_addc(w->out, ',');
	add_string(w->out, key, strlen(key));
	buf_addc(w->out, ':');
	w->comma = false;
}

void jw_null(struct json_writer *w)
{
	begin_value(w);
	buf_adds(w->out, "null");
}

void jw_bool(struct json_writer *w, bool v)
{
	begin_value(w);
	buf_adds(w->out, v ? "true" : "false");
}

void jw_int(struct json_writer *w, int64_t v)
{
	begin_value(w);
	buf_printf(w->out, "%" PRId64, v);
}

void jw_double(struct json_writer *w, double v)
{
	if (!isfinite(v)) { /* JSON has no text for these */
		jw_null(w);
		return;
	}
	begin_value(w);
	if (v == 0) { /* -0 too: readers differ on it */
		buf_addc(w->out, '0');
		return;
	}
	char text[40];
	/* 15 digits always survive, so %g finds the shortest form at once; only denormal numbers carry fewer */
	for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	size_t point = strspn(text, "0123456789-e+"); /* what else there is, is the decimal point of the locale */
	size_t point_bytes = strcspn(text + point, "0123456789");
	buf_add(w->out, text, point);
	if (point_bytes > 0)
		buf_addc(w->out, '.');
	buf_adds(w->out, text + point + point_bytes);
}

void jw_stringn(struct json_writer *w, const char *s, size_t n)
{
	begin_value(w);
	add_string(w->out, s, n);
}

void jw_string(struct json_writer *w, const char *s)
{
	if (s == NULL)
		jw_null(w);
	else
		jw_stringn(w, s, strlen(s));
}

void jw_id(struct json_writer *w, struct id id)
{
	char text[ID_TEXT];
	jw_string(w, id_is_nil(id) ? NULL : id_format(id, text));
}

void jw_time(struct json_writer *w, int64_t us)
{
	char text[TIME_TEXT];
	jw_string(w, time_format(us, text));
}

void jw_hex(struct json_writer *w, const void *p, size_t n)
{
	begin_value(w);
	buf_addc(w->out, '"');
	for (size_t i = 0; i < n; i++) {
		char text[3];
		hex_encode((const unsigned char *)p + i, 1, text);
		buf_add(w->out, text, 2);
	}
	buf_addc(w->out, '"');
}

void jw_base64(struct json_writer *w, const void *p, size_t n)
{
	begin_value(w);
	buf_addc(w->out, '"');
	base64_add(w->out, p, n);
	buf_addc(w->out, '"');
}

void jw_raw(struct json_writer *w, const char *json, size_t n)
{
	check(n > 0);
	begin_value(w);
	buf_add(w->out, json, n);
}

void jw_members(struct json_writer *w, const char *object, size_t n)
{
	check(n >= 2 && object[0] == '{' && object[n - 1] == '}');
	if (n == 2)
		return;
	begin_value(w);
	buf_add(w->out, object + 1, n - 2);
}

static void write_object(struct json_writer *w, const json_t *value)
{
	const char *key;
	json_t *item;
	jw_object(w);
	json_object_foreach((json_t *)value, key, item) { /* jansson keeps the order of insertion */
		jw_key(w, key);
		jw_json(w, item);
	}
	jw_end_object(w);
}

void jw_json(struct json_writer *w, const json_t *value)
{
	if (value == NULL) {
		jw_null(w);
		return;
	}
	switch (json_typeof(value)) {
	case JSON_OBJECT: write_object(w, value); break;
	case JSON_ARRAY:
		jw_array(w);
		for (size_t i = 0; i < json_array_size(value); i++)
			jw_json(w, json_array_get(value, i));
		jw_end_array(w);
		break;
	case JSON_STRING: jw_stringn(w, json_string_value(value), json_string_length(value)); break;
	case JSON_INTEGER: jw_int(w, json_integer_value(value)); break;
	case JSON_REAL: jw_double(w, json_real_value(value)); break;
	case JSON_TRUE: jw_bool(w, true); break;
	case JSON_FALSE: jw_bool(w, false); break;
	case JSON_NULL: jw_null(w); break;
	}
}

void jw_kstring(struct json_writer *w, const char *key, const char *s)
{
	jw_key(w, key);
	jw_string(w, s);
}

void jw_kint(struct json_writer *w, const char *key, int64_t v)
{
	jw_key(w, key);
	jw_int(w, v);
}

void jw_kbool(struct json_writer *w, const char *key, bool v)
{
	jw_key(w, key);
	jw_bool(w, v);
}

void jw_kid(struct json_writer *w, const char *key, struct id id)
{
	jw_key(w, key);
	jw_id(w, id);
}

void jw_ktime(struct json_writer *w, const char *key, int64_t us)
{
	jw_key(w, key);
	jw_time(w, us);
}
