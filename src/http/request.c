/* SPDX-License-Identifier: Apache-2.0
 *
 * A request's life, as a job:
 *
 *   NEW      its first line is there                        [request_begin]
 *   BODY     its header passed the guard and the limits     [on_header]
 *   WAITING  complete; the connection is suspended, the job is in the workers' queue, with a worker, or its answer is held back  [dispatch]
 *   READY    the answer is built and the connection resumed [run]
 *   CUT      http_stop did not wait any longer; the worker's answer, when it comes, is dropped  [request_abandon_all]
 *   SENT     an answer or a refusal is with the library     [answer, refuse]
 *
 * The library holds one reference to a job until request_end(), the worker one until it is done (or a held answer may go), and a streamed body
 * one until its last piece, because it may read from the request's arena.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/limits.h"
#include "http/guard.h"
#include "http/server.h"

/* Of a body that is refused while it arrives: the library takes no answer before its end, so this much is read and
 * thrown away for an answer that arrives; a client that sends more is cut. */
enum { SWALLOW_BYTES = 1024 * 1024 };

struct job {
	struct http_task task; /* first: run() gets it back from there */
	atomic_uint refs;
	struct http_server *server;
	struct conn *conn;
	struct MHD_Connection *connection;
	struct job *prev, *next; /* server->waiting; lock */
	unsigned hold_ms;
	int64_t due;             /* its answer is held back until then, without a worker; 0: it is not; lock */
	enum { JOB_NEW, JOB_BODY, JOB_WAITING, JOB_READY, JOB_CUT, JOB_SENT } phase;
	size_t body_limit, swallowed;
	int refusal; /* 413 or 503 where the body is thrown away; 0 */
	struct buf body;
	struct arena *arena;
	struct http_request request;
	struct MHD_Response *answer;
	unsigned status;
	size_t target_len;
	char *query;  /* into target, after the '?' that became the path's end; "" */
	char target[];
};

struct header_walk {
	struct guard_header line[GUARD_HEADERS_MAX];
	size_t count;
	bool too_many, folded;
};

const char *http_header(const struct http_request *r, const char *name)
{
	const struct header_table *t = r->headers_;
	for (size_t i = 0; t != NULL && i < t->count; i++)
		if (strcasecmp(t->line[i].name, name) == 0)
			return t->line[i].value;
	return NULL;
}

static void body_release(struct job *j)
{
	atomic_fetch_sub(&j->server->count.bodies, j->body.len);
	buf_release(&j->body);
}

static void job_unref(void *arg)
{
	struct job *j = arg;
	if (atomic_fetch_sub(&j->refs, 1) != 1)
		return;
	if (j->answer != NULL)
		MHD_destroy_response(j->answer);
	body_release(j);
	workers_arena_give(j->server->workers, j->arena);
	server_unref(j->server);
	free(j);
}

static void release_nothing(void *held)
{
	(void)held;
}

/* The target is copied here, raw: the library is about to take it apart and to decode it. */
void *request_begin(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct http_server *s = cls;
	struct conn *conn = conn_of(c);
	size_t n = uri != NULL ? strlen(uri) : 0;
	struct job *j = conn == NULL ? NULL : calloc(1, sizeof *j + n + 1);
	if (j == NULL)
		return NULL;
	atomic_init(&j->refs, 1);
	atomic_fetch_add(&s->refs, 1);
	j->server = s;
	j->conn = conn;
	j->connection = c;
	j->target_len = n;
	if (n > 0)
		memcpy(j->target, uri, n);
	atomic_fetch_add(&s->count.requests, 1);
	pthread_mutex_lock(&s->lock);
	s->under_way++;
	conn->deadline = clock_monotonic() + s->tuning.request_us;
	pthread_mutex_unlock(&s->lock);
	return j;
}

void request_end(void *cls, struct MHD_Connection *c, void **context, enum MHD_RequestTerminationCode code)
{
	struct http_server *s = cls;
	struct job *j = *context;
	if (j == NULL)
		return;
	*context = NULL;
	if (j->phase == JOB_NEW) /* refused by the library itself */
		j->conn->linger = true;
	pthread_mutex_lock(&s->lock);
	s->under_way--;
	j->conn->deadline = clock_monotonic() + s->tuning.idle_us + s->tuning.request_us;
	j->conn->looked_at = 0;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	job_unref(j);
}

/* Answers without a handler.  Before the body the library closes after it anyway; `close` is for later. */
static enum MHD_Result refuse(struct job *j, int status, const char *reason, bool close)
{
	struct http_server *s = j->server;
	struct http_response r;
	struct arena *a = workers_arena_take(s->workers);
	response_init(&r, a);
	atomic_fetch_add(&s->count.refused, 1);
	char peer[ADDRESS_TEXT];
	s->handler.refuse(s->handler.ctx, status, reason, s->local ? NULL : address_format(&j->conn->peer, peer), j->target, &r);
	if (status == 503)
		http_response_header(&r, "Retry-After", "1");
	struct response_context ctx = {.arena = a, .secure = s->secure, .close = close, .release = release_nothing};
	struct MHD_Response *m = response_build(&r, &ctx);
	workers_arena_give(s->workers, a);
	if (m == NULL)
		return MHD_NO;
	j->phase = JOB_SENT;
	j->conn->linger = close;
	enum MHD_Result ok = MHD_queue_response(j->connection, (unsigned)status, m);
	MHD_destroy_response(m);
	return ok;
}

/* A line folded in two: the library appends the continuation to the name, which then lies no more before the value. */
static bool is_folded(const char *name, size_t name_len, const char *value)
{
	uintptr_t gap = (uintptr_t)value - ((uintptr_t)name + name_len + 1);
	return value != NULL && gap > LIMIT_HEADER_BYTES;
}

static enum MHD_Result collect(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len, const char *value,
	size_t value_len)
{
	struct header_walk *w = cls;
	if (w->count == GUARD_HEADERS_MAX) {
		w->too_many = true;
		return MHD_NO;
	}
	w->folded |= is_folded(name, name_len, value);
	w->line[w->count++] = (struct guard_header){.name = name, .name_len = name_len,
		.value = value != NULL ? value : "", .value_len = value_len};
	return MHD_YES;
}

static bool header_too_large(struct MHD_Connection *c, const struct header_walk *w)
{
	const union MHD_ConnectionInfo *size = MHD_get_connection_info(c, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	return w->too_many || size == NULL || size->header_size > LIMIT_HEADER_BYTES;
}

/* Everything that is known before the body.  An answer given here ends the connection.  Some refusals the library makes
 * itself, before or after this, with a page of its own: a request line or a header line without its parts, a header
 * that does not even fit the connection's memory, a malformed chunk, and a Content-Length that is no number (whose
 * header it then sends twice). */
static enum MHD_Result on_header(struct job *j, const char *method, const char *version)
{
	struct http_server *s = j->server;
	struct header_walk w = {.count = 0};
	struct guard_framing framing = {0};
	struct guard_input in = {.headers = w.line, .need_host = !s->local, .http10 = strcmp(version, "HTTP/1.0") == 0};
	MHD_get_connection_values_n(j->connection, MHD_HEADER_KIND, collect, &w);
	in.count = w.count;
	if (j->target_len > LIMIT_URL_BYTES)
		return refuse(j, 414, "the request target is longer than the limit", true);
	if (header_too_large(j->connection, &w))
		return refuse(j, 431, "the request header is larger than the limit", true);
	enum guard_verdict v = guard_target(j->target);
	if (v == GUARD_OK)
		v = guard_check(&in, &framing);
	if (v != GUARD_OK)
		return refuse(j, 400, guard_reason(v), true);
	if (w.folded || !guard_name_valid(method, strlen(method)))
		return refuse(j, 400, "the request header is malformed", true);
	char *mark = strchr(j->target, '?');
	j->query = mark != NULL ? mark + 1 : j->target + j->target_len;
	if (mark != NULL)
		*mark = '\0';
	j->body_limit = s->handler.body_limit(s->handler.ctx, method, j->target);
	if (framing.length > j->body_limit)
		return refuse(j, 413, "the request body is larger than the limit", true);
	buf_init(&j->body, j->body_limit);
	j->phase = JOB_BODY;
	return MHD_YES;
}

static enum MHD_Result on_body(struct job *j, const char *data, size_t *n)
{
	struct http_server *s = j->server;
	size_t got = *n;
	*n = 0;
	if (j->refusal == 0 && got > j->body_limit - j->body.len)
		j->refusal = 413;
	else if (j->refusal == 0 && atomic_load(&s->count.bodies) + got > s->tuning.bodies)
		j->refusal = 503;
	if (j->refusal != 0) {
		body_release(j);
		j->swallowed += got;
		return j->swallowed <= SWALLOW_BYTES ? MHD_YES : MHD_NO;
	}
	buf_add(&j->body, data, got);
	if (j->body.failed)
		return MHD_NO;
	atomic_fetch_add(&s->count.bodies, got);
	return MHD_YES;
}

static const char *client_ip(const struct job *j, const struct header_table *t)
{
	const struct http_server *s = j->server;
	if (s->local)
		return "local";
	const char *forwarded[GUARD_HEADERS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < t->count; i++)
		if (strcasecmp(t->line[i].name, "X-Forwarded-For") == 0)
			forwarded[n++] = t->line[i].value;
	struct address a = address_client(j->conn->peer, s->proxies, s->proxy_count, forwarded, n);
	return address_format(&a, arena_alloc(j->arena, ADDRESS_TEXT));
}

/* Copies all that the handler may see: it may outlive the connection. */
static void fill_request(struct job *j, const char *method)
{
	struct http_request *r = &j->request;
	struct header_walk w = {.count = 0};
	const void *cert;
	size_t cert_len;
	MHD_get_connection_values_n(j->connection, MHD_HEADER_KIND, collect, &w);
	struct header_table *t = arena_alloc(j->arena, sizeof *t + w.count * sizeof t->line[0]);
	for (t->count = 0; t->count < w.count; t->count++) {
		t->line[t->count].name = arena_strndup(j->arena, w.line[t->count].name, w.line[t->count].name_len);
		t->line[t->count].value = arena_strndup(j->arena, w.line[t->count].value, w.line[t->count].value_len);
	}
	*r = (struct http_request){.method = arena_strdup(j->arena, method), .path = j->target, .query = j->query,
		.body = j->body.len > 0 ? j->body.data : "", .body_len = j->body.len, .local = j->server->local,
		.arena = j->arena, .headers_ = t};
	r->client_ip = client_ip(j, t);
	if (j->server->secure && tls_peer_certificate(j->connection, &cert, &cert_len)) {
		r->client_cert = arena_memdup(j->arena, cert, cert_len);
		r->client_cert_len = cert_len;
	}
}

static void waiting_unlink(struct job *j)
{
	if (j->next != NULL)
		j->next->prev = j->prev;
	if (j->prev != NULL)
		j->prev->next = j->next;
	else
		j->server->waiting = j->next;
	j->prev = j->next = NULL;
}

/* Suspends the connection and links the job.  0, or why not: 503 overloaded, -1 stopping. */
static int suspend(struct job *j)
{
	struct http_server *s = j->server;
	int why = 0;
	pthread_mutex_lock(&s->lock);
	if (s->stopping) {
		why = -1;
	} else if (!workers_reserve(s->workers)) {
		why = 503;
	} else {
		MHD_suspend_connection(j->connection);
		j->phase = JOB_WAITING;
		j->conn->deadline = 0;
		j->next = s->waiting;
		if (j->next != NULL)
			j->next->prev = j;
		s->waiting = j;
		atomic_fetch_add(&j->refs, 1);
	}
	pthread_mutex_unlock(&s->lock);
	return why;
}

/* Fills an answer for a handler that gave none that can be sent. */
static void mend(struct job *j, struct http_response *r)
{
	const struct http_handler *h = &j->server->handler;
	if (r->status >= 200 && r->status <= 599 && !r->body.failed)
		return;
	response_drop(r);
	response_init(r, j->arena);
	h->refuse(h->ctx, 500, "internal error", NULL, j->target, r);
	r->status = 500;
}

static void build_answer(struct job *j)
{
	struct http_server *s = j->server;
	struct http_response r;
	response_init(&r, j->arena);
	s->handler.handle(s->handler.ctx, &j->request, &r);
	mend(j, &r);
	bool streamed = r.stream != NULL;
	atomic_fetch_add(&j->refs, 1);
	struct response_context ctx = {.arena = j->arena, .secure = s->secure, .close = atomic_load(&s->draining),
		.release = job_unref, .held = j};
	j->status = (unsigned)r.status;
	j->hold_ms = r.hold_ms;
	j->answer = response_build(&r, &ctx);
	if (streamed)
		return;
	/* A slow client's answer needs neither. */
	body_release(j);
	workers_arena_give(s->workers, j->arena);
	j->arena = NULL;
}

/* The answer may go.  The caller holds the lock. */
static void release(struct job *j)
{
	waiting_unlink(j);
	j->phase = JOB_READY;
	MHD_resume_connection(j->connection);
}

/* On a worker. */
static void run(struct http_task *t)
{
	struct job *j = (struct job *)t;
	struct http_server *s = j->server;
	if (!atomic_load(&s->stopping)) /* else the job is cut, or about to be */
		build_answer(j);
	pthread_mutex_lock(&s->lock);
	bool held = j->phase == JOB_WAITING && j->hold_ms > 0 && !atomic_load(&s->draining);
	if (held) /* the reference goes with it: request_release_held() */
		j->due = clock_monotonic() + j->hold_ms * (SECOND_US / 1000);
	else if (j->phase == JOB_WAITING)
		release(j);
	pthread_mutex_unlock(&s->lock);
	if (!held)
		job_unref(j);
}

void request_release_held(struct http_server *s, int64_t now)
{
	struct job *done = NULL;
	pthread_mutex_lock(&s->lock);
	for (struct job *j = s->waiting, *next; j != NULL; j = next) {
		next = j->next;
		if (j->due == 0 || j->due > now)
			continue;
		release(j);
		j->next = done;
		done = j;
	}
	pthread_mutex_unlock(&s->lock);
	while (done != NULL) {
		struct job *j = done;
		done = j->next;
		job_unref(j);
	}
}

void request_abandon_all(struct http_server *s)
{
	while (s->waiting != NULL) {
		struct job *j = s->waiting;
		waiting_unlink(j);
		j->phase = JOB_CUT;
		MHD_resume_connection(j->connection);
	}
}

static enum MHD_Result dispatch(struct job *j, const char *method)
{
	if (j->refusal == 413)
		return refuse(j, 413, "the request body is larger than the limit", true);
	if (j->refusal == 503)
		return refuse(j, 503, "the server is overloaded", true);
	j->arena = workers_arena_take(j->server->workers);
	fill_request(j, method);
	j->task.run = run;
	switch (suspend(j)) {
	case 0:
		workers_put(j->server->workers, &j->task);
		return MHD_YES;
	case 503:
		return refuse(j, 503, "the server is overloaded", false);
	default:
		return MHD_NO;
	}
}

static enum MHD_Result answer(struct job *j)
{
	if (j->answer == NULL)
		return MHD_NO;
	j->phase = JOB_SENT;
	conn_answering(j->conn);
	enum MHD_Result ok = MHD_queue_response(j->connection, j->status, j->answer);
	MHD_destroy_response(j->answer);
	j->answer = NULL;
	return ok;
}

enum MHD_Result request_continue(void *cls, struct MHD_Connection *c, const char *url, const char *method,
	const char *version, const char *data, size_t *data_len, void **context)
{
	struct job *j = *context;
	if (j == NULL || j->conn->refused)
		return MHD_NO;
	switch (j->phase) {
	case JOB_NEW:
		return on_header(j, method, version);
	case JOB_BODY:
		return *data_len > 0 ? on_body(j, data, data_len) : dispatch(j, method);
	case JOB_READY:
		return answer(j);
	case JOB_WAITING:
	case JOB_CUT:
	case JOB_SENT:
		break;
	}
	return MHD_NO;
}
