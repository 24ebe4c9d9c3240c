/* SPDX-License-Identifier: Apache-2.0
 *
 * POST /{v}/$batch: up to 20 requests in one.  Each goes through the router and the gate by itself, one after another, so that a step is
 * refused, throttled, recorded and answered as if it had come alone; the batch itself changes nothing.  A step whose dependency failed is
 * not tried (424), and so is no attempt that anybody would record.
 *
 * Memory: a step's is given back before the next; its answer is copied into the batch's, which is bounded.  An answer that would not leave
 * room for those of the steps to come is dropped for an error that says to ask for it alone; answers of changes are small enough to stay.
 */
#include "api/batch.h"

#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "api/gate.h"
#include "base/limits.h"
#include "codec/base64.h"

enum err batch_run(struct call *c);

enum {
	STEP_BODY_BYTES = 4 * 1024 * 1024, /* the largest that a route takes */
	STREAM_BYTES = 4 * 1024 * 1024,    /* of an answer that is a file */
	STEP_ROOM = 64 * 1024,             /* kept for each step to come */
};

struct run {
	struct call *c;
	struct batch batch;
	bool failed[BATCH_STEPS_MAX];
	size_t left; /* steps to come */
	struct json_writer w;
};

/* ---- one step's answer ---- */

static bool is_json(const struct http_response *r)
{
	return r->content_type == NULL || strncasecmp(r->content_type, "application/json", 16) == 0;
}

/* A file, read whole. */
static bool take_stream(struct http_response *r)
{
	const void *piece;
	size_t n = 0;
	buf_clear(&r->body);
	while (r->stream != NULL) {
		if (!r->stream(r->stream_arg, &piece, &n))
			return false;
		if (n == 0)
			break;
		if (r->body.len + n > STREAM_BYTES)
			return false;
		buf_add(&r->body, piece, n);
	}
	return !r->body.failed;
}

static void write_headers(struct json_writer *w, const struct http_response *r)
{
	const void *at = NULL;
	jw_key(w, "headers");
	jw_object(w);
	for (const struct http_field *f; (f = http_answer_field(r, &at)) != NULL;)
		jw_kstring(w, f->name, f->value);
	if (r->body.len > 0)
		jw_kstring(w, "Content-Type", r->content_type != NULL ? r->content_type : "application/json");
	jw_end_object(w);
}

static void write_body(struct json_writer *w, struct arena *a, const struct http_response *r)
{
	jw_key(w, "body");
	if (r->body.len == 0)
		jw_null(w);
	else if (is_json(r))
		jw_raw(w, r->body.data, r->body.len);
	else if (strncasecmp(r->content_type, "text/", 5) == 0)
		jw_stringn(w, r->body.data, r->body.len);
	else
		jw_string(w, base64url_encode(a, r->body.data, r->body.len));
}

static void write_answer(struct run *b, const struct batch_step *step, const struct http_response *r)
{
	jw_object(&b->w);
	jw_kstring(&b->w, "id", step->id);
	jw_kint(&b->w, "status", r->status);
	write_headers(&b->w, r);
	write_body(&b->w, b->c->s.arena, r);
	jw_end_object(&b->w);
}

/* What the answer may have: base64 and escaping make it longer. */
static bool fits(const struct run *b, const struct http_response *r)
{
	size_t need = is_json(r) ? r->body.len : 2 * r->body.len;
	size_t used = b->w.out->len + (b->left + 1) * STEP_ROOM;
	return !r->body.failed && used + need <= LIMIT_RESPONSE_BYTES;
}

/* ---- one step ---- */

static bool dependency_failed(const struct run *b, const struct batch_step *step)
{
	for (size_t i = 0; i < step->after_count; i++)
		if (b->failed[step->after[i]])
			return true;
	return false;
}

static void replace(struct run *b, struct http_request *in, struct http_response *out, enum err err, const char *message)
{
	http_answer_drop(out);
	http_answer_begin(out, b->c->s.arena);
	gate_step_error(b->c, in, out, err, message);
}

static void answer_step(struct run *b, const struct batch_step *step, struct http_response *out)
{
	auto_buf body;
	struct http_request in = *b->c->in;
	const char *reason;
	buf_init(&body, STEP_BODY_BYTES);
	if (!http_inner(b->c->in, step->method, step->target, step->fields, step->field_count, &in, &reason)) {
		gate_step_error(b->c, &in, out, ERR_BAD_REQUEST, reason);
		return;
	}
	struct scope s = b->c->s; /* for its detail */
	enum err err = dependency_failed(b, step) ? ERR_DEPENDENCY : batch_body(&s, step, &body);
	if (err != OK) {
		gate_step_error(b->c, &in, out, err, scope_detail(&s, err));
		return;
	}
	in.body = body.len > 0 ? body.data : "";
	in.body_len = body.len;
	gate_step(b->c, &in, out);
	if (out->stream != NULL && !take_stream(out))
		replace(b, &in, out, ERR_LIMIT, "the file is too large for a batch: ask for it alone");
	if (!fits(b, out))
		replace(b, &in, out, ERR_LIMIT, "the answer is too large for a batch: ask for it alone");
}

static void run_step(struct run *b, unsigned place)
{
	const struct batch_step *step = &b->batch.step[place];
	struct http_response out;
	struct arena_mark mark = arena_mark(b->c->s.arena);
	http_answer_begin(&out, b->c->s.arena);
	answer_step(b, step, &out);
	b->failed[place] = out.status >= 400;
	write_answer(b, step, &out);
	http_answer_drop(&out);
	arena_rewind(b->c->s.arena, mark);
}

enum err batch_run(struct call *c)
{
	static const char *const allowed[] = {"requests", NULL};
	struct run *b = arena_alloc(c->s.arena, sizeof *b);
	json_t *body;
	b->c = c;
	if (c->step)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "a batch cannot hold a batch");
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(batch_parse(&c->s, body, c->version == API_BETA ? "beta" : "v1.0", &b->batch));
	b->w = call_json(c);
	b->left = b->batch.n;
	jw_object(&b->w);
	jw_key(&b->w, "responses");
	jw_array(&b->w);
	for (size_t i = 0; i < b->batch.n; i++) {
		b->left--;
		run_step(b, b->batch.order[i]);
	}
	jw_end_array(&b->w);
	jw_end_object(&b->w);
	return OK;
}
