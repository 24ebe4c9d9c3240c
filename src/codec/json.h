/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON (RFC 8259).  In: jansson, strict (no duplicate keys, valid UTF-8, bounded depth and size).  Out: a streaming
 * writer into a buffer, which makes the one canonical form that Reeve signs and stores: no white space, keys in the
 * order written, UTF-8 as is, control characters and quotes escaped, 64-bit integers exact.
 */
#ifndef REEVE_CODEC_JSON_H
#define REEVE_CODEC_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"

/* Parses an object (the top level must be one).  The result is owned by the caller (json_decref / auto_json).
 * ERR_BAD_REQUEST with a detail that names line and column. */
MUST_CHECK enum err json_read(struct scope *s, const char *bytes, size_t n, json_t **ret);
void json_release(json_t **j);
#define auto_json __attribute__((cleanup(json_release))) json_t

struct json_writer {
	struct buf *out;
	bool comma;     /* the next value needs one */
	uint8_t depth;
};

void jw_init(struct json_writer *w, struct buf *out);
void jw_object(struct json_writer *w);     /* { */
void jw_end_object(struct json_writer *w); /* } */
void jw_array(struct json_writer *w);
void jw_end_array(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key);
void jw_null(struct json_writer *w);
void jw_bool(struct json_writer *w, bool v);
void jw_int(struct json_writer *w, int64_t v);
void jw_double(struct json_writer *w, double v);
void jw_string(struct json_writer *w, const char *s);              /* NULL writes null; invalid UTF-8 becomes U+FFFD */
void jw_stringn(struct json_writer *w, const char *s, size_t n);
void jw_id(struct json_writer *w, struct id id);                   /* the nil id writes null */
void jw_time(struct json_writer *w, int64_t us);                   /* RFC 3339 */
void jw_hex(struct json_writer *w, const void *p, size_t n);
void jw_base64(struct json_writer *w, const void *p, size_t n);
void jw_raw(struct json_writer *w, const char *json, size_t n);    /* a whole value that is JSON already */
/* The members of an object that is JSON already ("{…}"), into the open object. */
void jw_members(struct json_writer *w, const char *object, size_t n);
void jw_json(struct json_writer *w, const json_t *value);

/* key and value in one call */
void jw_kstring(struct json_writer *w, const char *key, const char *s);
void jw_kint(struct json_writer *w, const char *key, int64_t v);
void jw_kbool(struct json_writer *w, const char *key, bool v);
void jw_kid(struct json_writer *w, const char *key, struct id id);
void jw_ktime(struct json_writer *w, const char *key, int64_t us);

#endif
