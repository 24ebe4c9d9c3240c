/* SPDX-License-Identifier: Apache-2.0
 *
 * struct http_response to bytes: headers of the handler, the headers that every answer carries unless the handler said
 * otherwise, and a body from memory or from a stream.  A stream is read on an I/O thread, a piece at a time as the
 * client takes it.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "http/guard.h"
#include "http/server.h"

enum { STREAM_BLOCK = 16 * 1024 };

struct header {
	struct header *next;
	struct http_field field;
};

struct header_list {
	struct arena *arena;
	struct header *first, **last;
};

struct stream {
	bool (*next)(void *arg, const void **ret, size_t *ret_n);
	void (*end)(void *arg);
	void *arg;
	const char *piece; /* what is left of the last one */
	size_t left;
	uint64_t sent;
	int64_t length;
	void (*release)(void *held);
	void *held;
};

void response_init(struct http_response *r, struct arena *a)
{
	struct header_list *list = arena_alloc(a, sizeof *list);
	list->arena = a;
	list->last = &list->first;
	*r = (struct http_response){.headers_ = list, .stream_length = -1};
	buf_init(&r->body, LIMIT_RESPONSE_BYTES);
}

/* The library writes these from what it sends. */
static bool is_framing(const char *name)
{
	return strcasecmp(name, "Content-Length") == 0 || strcasecmp(name, "Transfer-Encoding") == 0;
}

void http_response_header(struct http_response *r, const char *name, const char *value)
{
	struct header_list *list = r->headers_;
	if (!guard_name_valid(name, strlen(name)) || !guard_value_valid(value, strlen(value)) || is_framing(name))
		return;
	struct header *h = arena_alloc(list->arena, sizeof *h);
	h->field.name = arena_strdup(list->arena, name);
	h->field.value = arena_strdup(list->arena, value);
	*list->last = h;
	list->last = &h->next;
}

const struct http_field *http_answer_field(const struct http_response *r, const void **at)
{
	const struct header_list *list = r->headers_;
	const struct header *h = *at == NULL ? list->first : ((const struct header *)*at)->next;
	*at = h;
	return h == NULL ? NULL : &h->field;
}

static bool has_header(const struct http_response *r, const char *name)
{
	const struct header_list *list = r->headers_;
	for (const struct header *h = list->first; h != NULL; h = h->next)
		if (strcasecmp(h->field.name, name) == 0)
			return true;
	return false;
}

static bool add_headers(struct MHD_Response *m, const struct http_response *r, const struct response_context *ctx,
	bool has_body)
{
	const struct header_list *list = r->headers_;
	const char *type = r->content_type != NULL ? r->content_type : "application/json";
	const struct {
		const char *name, *value;
		bool wanted;
	} defaults[] = {
		{"Content-Type", type, has_body || r->content_type != NULL},
		{"Cache-Control", "no-store", true},
		{"X-Content-Type-Options", "nosniff", true},
		/* what a page needs beside that it says itself */
		{"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'", true},
		{"X-Frame-Options", "DENY", true},
		{"Referrer-Policy", "no-referrer", true},
		{"Cross-Origin-Resource-Policy", "same-origin", true},
		{"Strict-Transport-Security", "max-age=31536000", ctx->secure},
		{"Connection", "close", ctx->close},
	};
	bool ok = true;
	for (const struct header *h = list->first; h != NULL; h = h->next)
		ok = ok && MHD_add_response_header(m, h->field.name, h->field.value) == MHD_YES;
	for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
		if (defaults[i].wanted && !has_header(r, defaults[i].name))
			ok = ok && MHD_add_response_header(m, defaults[i].name, defaults[i].value) == MHD_YES;
	return ok;
}

static ssize_t stream_read(void *cls, uint64_t pos, char *out, size_t max)
{
	struct stream *st = cls;
	if (st->left == 0) {
		const void *piece = NULL;
		size_t n = 0;
		if (!st->next(st->arg, &piece, &n))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		/* Shorter than announced is an error that the client must see. */
		if (n == 0)
			return st->length >= 0 && st->sent < (uint64_t)st->length ? MHD_CONTENT_READER_END_WITH_ERROR
			                                                          : MHD_CONTENT_READER_END_OF_STREAM;
		st->piece = piece;
		st->left = n;
	}
	size_t n = st->left < max ? st->left : max;
	memcpy(out, st->piece, n);
	st->piece += n;
	st->left -= n;
	st->sent += n;
	return (ssize_t)n;
}

static void stream_free(void *cls)
{
	struct stream *st = cls;
	if (st->end != NULL)
		st->end(st->arg);
	st->release(st->held);
	free(st);
}

static struct MHD_Response *from_stream(struct http_response *r, const struct response_context *ctx)
{
	struct stream *st = calloc(1, sizeof *st);
	if (st == NULL)
		return NULL;
	*st = (struct stream){.next = r->stream, .end = r->stream_end, .arg = r->stream_arg, .length = r->stream_length,
		.release = ctx->release, .held = ctx->held};
	uint64_t size = r->stream_length >= 0 ? (uint64_t)r->stream_length : MHD_SIZE_UNKNOWN;
	struct MHD_Response *m = MHD_create_response_from_callback(size, STREAM_BLOCK, stream_read, st, stream_free);
	if (m == NULL)
		free(st);
	else
		r->stream = NULL, r->stream_end = NULL;
	return m;
}

static struct MHD_Response *from_body(struct http_response *r)
{
	size_t n = 0;
	char *p = buf_steal(&r->body, &n);
	struct MHD_Response *m = n > 0
		? MHD_create_response_from_buffer(n, p, MHD_RESPMEM_MUST_FREE)
		: MHD_create_response_from_buffer(0, (void *)(uintptr_t)"", MHD_RESPMEM_PERSISTENT);
	if (m == NULL || n == 0)
		free(p);
	return m;
}

struct MHD_Response *response_build(struct http_response *r, const struct response_context *ctx)
{
	bool has_body = r->stream != NULL || r->body.len > 0;
	bool streamed = r->stream != NULL;
	struct MHD_Response *m = streamed ? from_stream(r, ctx) : from_body(r);
	if (m == NULL || !streamed)
		ctx->release(ctx->held);
	if (m != NULL && !add_headers(m, r, ctx, has_body)) {
		MHD_destroy_response(m);
		m = NULL;
	}
	response_drop(r);
	return m;
}

void response_drop(struct http_response *r)
{
	if (r->stream_end != NULL)
		r->stream_end(r->stream_arg);
	r->stream = NULL;
	r->stream_end = NULL;
	buf_release(&r->body);
}
