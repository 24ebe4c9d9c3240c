/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate: from a request to a scope, and from an error to an answer.  It reads the route's row and nothing else:
 * authenticate -> throttle -> tenant's state -> permission -> scope groups -> approval -> handler -> error in the form of the route -> refusal's event ->
 * one log line.
 *
 * Answers never carry what is inside: the detail of ERR_INTERNAL and its like goes to the log, the client gets the default text.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/approval.h"
#include "api/authenticate.h"
#include "api/cors.h"
#include "api/gate.h"
#include "api/metrics.h"
#include "api/public/page.h"
#include "api/refusals.h"
#include "api/router.h"
#include "api/scim/scim.h"
#include "api/scope_groups.h"
#include "api/sign_in/oauth.h"
#include "api/throttle.h"
#include "audit/log/files.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/x509.h"
#include "devices/enrolment.h"
#include "devices/returned.h"
#include "directory/access/access.h"
#include "directory/tenant.h"
#include "directory/tenant_settings.h"

/* ---- who ---- */

static enum err authenticate_device(struct call *c, struct tenant_levels *ret_levels)
{
	struct x509_info info;
	struct device_identity identity;
	if (c->in->client_cert == NULL)
		return scope_fail(&c->s, ERR_UNAUTHENTICATED, "a client certificate of an enrolled device is required");
	const char *ca = keeper_ca_pem(c->server->keeper, c->s.arena);
	TRY(x509_check_client(&c->s, ca, c->in->client_cert, c->in->client_cert_len, c->s.now, &info));
	c->s.tenant = info.tenant;
	c->s.has_tenant = true;
	enum err err = device_identify(&c->s, info.fingerprint, &identity);
	if (err == ERR_UNAUTHENTICATED && strcmp(c->route->path, "/linux/checkin") == 0) /* a report may be one whose answer was lost */
		atomic_fetch_add(&c->server->metrics->devices_returned, device_returned(&c->s, info.fingerprint) ? 1 : 0);
	TRY(err);
	memcpy(c->fingerprint, info.fingerprint, sizeof c->fingerprint);
	c->device = identity.device;
	c->s.actor = (struct actor){.type = ACTOR_DEVICE, .id = identity.device, .name = "Reeve agent", .ip = c->in->client_ip};
	return tenant_levels(&c->s, ret_levels);
}

/* Whether nothing but a permission of device management opens the route: what ends with that product. */
static bool is_management(const struct route *r)
{
	static const char prefix[] = "DeviceManagement";
	for (const char *p = r->permission; p != NULL; p = strchr(p, '|')) {
		p += *p == '|';
		if (strncmp(p, prefix, sizeof prefix - 1) != 0)
			return false;
	}
	return r->permission != NULL;
}

/* What a closed tenant may do: read, export, and return. */
static bool is_allowed_closed(const struct route *r)
{
	return strcmp(r->method, "GET") == 0 || r->activity == ACT_NONE || r->activity == ACT_REPORT_REQUEST || r->activity == ACT_SUBSCRIPTION_SET ||
	       strstr(r->permission, ".Export.All") != NULL;
}

/* Later nobody signs in, or gets at what device management had. */
static enum err check_tenant(struct call *c, const struct tenant_levels *levels)
{
	bool device = c->route->access == ACCESS_DEVICE, management = device || is_management(c->route);
	enum tenant_level level = management ? levels->management : levels->whole;
	if (level == TENANT_FULL || (device && levels->devices_retire))
		return OK;
	if (level == TENANT_NONE && management && !device && levels->whole != TENANT_NONE)
		return scope_fail(&c->s, ERR_FORBIDDEN, "the tenant has no active subscription of device management");
	if (level == TENANT_NONE)
		return scope_fail(&c->s, ERR_UNAUTHENTICATED, "the tenant is closed");
	return is_allowed_closed(c->route) ? OK : scope_fail(&c->s, ERR_FORBIDDEN, "the tenant is closed");
}

static enum err check_permission(struct call *c)
{
	c->unpermitted = !actor_allows(&c->s.actor, c->route->permission, c->s.arena, &c->s.actor.only);
	if (c->unpermitted)
		return scope_fail(&c->s, ERR_FORBIDDEN, "this needs the permission %s", c->route->permission);
	return OK;
}

static struct id address_id(struct call *c)
{
	uint8_t digest[SHA256_BYTES];
	struct id id;
	const char *address = page_client(c);
	sha256(address, strlen(address), digest);
	memcpy(id.b, digest, sizeof id.b);
	return id;
}

enum { THROTTLED_HOLD_MS = 500 };

/* What throttles refuse of somebody known is an event a minute and caller: each one of them would fill the log. */
static enum err check_throttle(struct call *c)
{
	bool anonymous = c->s.actor.type == ACTOR_ANONYMOUS;
	struct throttle_request q = {.method = c->route->method, .path = c->route->path, .tenant = c->s.tenant, .anonymous = anonymous,
				     .actor = anonymous ? address_id(c) : c->s.actor.id, .person = c->s.actor.type == ACTOR_USER,
				     .now = clock_monotonic()};
	struct throttle_answer a = c->in->local ? (struct throttle_answer){0} : throttle_take(c->server->throttle, &q);
	if (a.retry_after == 0)
		return OK;
	c->retry_after = a.retry_after;
	c->refusal_told = !anonymous;
	c->out->hold_ms = anonymous ? THROTTLED_HOLD_MS : 0; /* who waits for an answer does not ask again */
	enum err err = scope_fail(&c->s, ERR_TOO_MANY, "too many requests (%s: %u): try again in %u s", a.what, a.requests, a.retry_after);
	if (a.tell && !anonymous)
		audit_refused(&c->s, &(struct audit_event){.activity = ACT_REQUEST_REFUSED, .resource_type = "Application",
							   .resource = c->s.actor.id, .failure = scope_detail(&c->s, err)});
	return err;
}

static enum err is_published(struct scope *s, struct db_tx *tx, void *arg)
{
	return tenant_setting_int(tx, "auditLogPublished", arg);
}

/* Its own tenant's token with the permission, or anybody where it is published.  To all others it looks like a log that is not there. */
static enum err admit_log(struct call *c)
{
	struct tenant_levels levels = {TENANT_NONE, TENANT_NONE, false};
	struct scope log;
	struct id tenant;
	int64_t published = 0;
	bool token = http_header(c->in, "Authorization") != NULL;
	if (token) {
		TRY(authenticate(c, &levels));
		TRY(check_tenant(c, &levels));
	}
	bool named = audit_log_name_parse(call_param(c, "log"), &tenant, &c->generation);
	if (named && token && id_equal(tenant, c->s.tenant)) {
		TRY(check_permission(c));
		return scope_groups_check(c);
	}
	if (named) {
		scope_tenant(&log, c->s.arena, c->s.db, c->s.keeper, tenant);
		TRY(db_read(&log, is_published, &published));
	}
	if (published == 0 && token)
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such log");
	if (published == 0)
		return scope_fail(&c->s, ERR_UNAUTHENTICATED, "send an access token: 'Authorization: Bearer …'");
	c->s.tenant = tenant;
	c->s.has_tenant = c->published = true;
	c->s.actor = (struct actor){.type = ACTOR_ANONYMOUS, .ip = c->in->client_ip};
	return OK;
}

/* A provisioning client, whose token says which tenant's it is. */
static enum err admit_scim(struct call *c, struct tenant_levels *ret_levels)
{
	struct id tenant;
	if (http_header(c->in, "Authorization") == NULL)
		return scope_fail(&c->s, ERR_UNAUTHENTICATED, "send the token of a provisioning client: 'Authorization: Bearer …'");
	TRY(authenticate(c, ret_levels));
	TRY(check_throttle(c));
	for (size_t i = 0; i < c->param_count; i++)
		if (strcmp(c->param[i].name, "tenant") == 0 && (!id_parse(c->param[i].value, &tenant) || !id_equal(tenant, c->s.tenant)))
			return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such resource");
	return OK;
}

static enum err admit(struct call *c)
{
	struct tenant_levels levels = {TENANT_NONE, TENANT_NONE, false};
	switch (c->route->access) {
	case ACCESS_PUBLIC:
	case ACCESS_OAUTH:
		return check_throttle(c);
	case ACCESS_BEARER:
		TRY(authenticate(c, &levels));
		TRY(check_throttle(c));
		break;
	case ACCESS_DEVICE:
		TRY(authenticate_device(c, &levels));
		break;
	case ACCESS_LOG:
		return admit_log(c);
	case ACCESS_SCIM:
		TRY(admit_scim(c, &levels));
		break;
	}
	TRY(check_tenant(c, &levels));
	if (c->route->access == ACCESS_DEVICE)
		return OK;
	TRY(check_permission(c));
	if (c->route->access != ACCESS_SCIM)
		return scope_groups_check(c);
	if (c->s.actor.only != NULL)
		return scope_fail(&c->s, ERR_FORBIDDEN, "this needs the permission %s for the whole tenant", c->route->permission);
	return OK;
}

/* ---- the answer ---- */

static void write_error(struct buf *out, enum err err, int status, const char *message, struct id request, const char *client_request, int64_t now)
{
	struct json_writer w;
	buf_clear(out);
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "error");
	jw_object(&w);
	jw_kstring(&w, "code", err_graph_code(err));
	jw_kstring(&w, "message", message);
	jw_key(&w, "innerError");
	jw_object(&w);
	jw_ktime(&w, "date", now - now % SECOND_US);
	jw_kid(&w, "request-id", request);
	if (client_request != NULL)
		jw_kstring(&w, "client-request-id", client_request);
	else
		jw_kid(&w, "client-request-id", request);
	jw_end_object(&w);
	jw_end_object(&w);
	jw_end_object(&w);
}

static void write_scim(struct buf *out, enum err err, int status, const char *message, struct id request, const char *client_request, int64_t now)
{
	scim_error(out, err, status, message);
}

static void write_oauth(struct buf *out, enum err err, int status, const char *message, struct id request, const char *client_request, int64_t now)
{
	oauth_error_body(out, oauth_error_code(err, status), message);
}

static const struct {
	void (*write)(struct buf *out, enum err err, int status, const char *message, struct id request, const char *client_request, int64_t now);
	const char *content_type; /* NULL: JSON's */
} FORMS[] = {
	[FORM_GRAPH] = {write_error, NULL},
	[FORM_SCIM] = {write_scim, SCIM_TYPE},
	[FORM_OAUTH] = {write_oauth, NULL},
};

static bool is_internal(enum err err)
{
	return err == ERR_INTERNAL || err == ERR_SCHEMA || err == ERR_CONFIG || err == ERR_IO;
}

/* RFC 6750, section 3: without credentials no error is named. */
static void challenge(struct call *c, enum err err)
{
	const char *realm = "Bearer realm=\"reeve\"", *sent = http_header(c->in, "Authorization");
	bool bearer = c->route == NULL || c->route->access != ACCESS_DEVICE;
	if (err == ERR_UNAUTHENTICATED)
		http_response_header(c->out, "WWW-Authenticate", sent == NULL ? realm : arena_printf(c->s.arena, "%s, error=\"invalid_token\"", realm));
	else if (err == ERR_BAD_REQUEST && sent != NULL && c->s.actor.type == ACTOR_ANONYMOUS && bearer)
		http_response_header(c->out, "WWW-Authenticate", arena_printf(c->s.arena, "%s, error=\"invalid_request\"", realm));
	else if (err == ERR_FORBIDDEN && sent != NULL && c->unpermitted)
		http_response_header(c->out, "WWW-Authenticate", arena_printf(c->s.arena, "%s, error=\"insufficient_scope\", scope=\"%.*s\"", realm,
									      (int)strcspn(c->route->permission, "|"), c->route->permission));
}

static void answer_error(struct call *c, enum err err)
{
	bool inside = is_internal(err);
	const char *message = inside ? err_text(err) : scope_groups_detail(c, err);
	if (inside)
		log_event(LOG_ERROR, "failure", "error=%s at=%s:%d detail=\"%s\"", err_name(err),
			  c->s.detail_file != NULL ? c->s.detail_file : "?", c->s.detail_line, scope_detail(&c->s, err));
	c->out->status = err_http_status(err);
	c->out->content_type = FORMS[c->form].content_type;
	FORMS[c->form].write(&c->out->body, err, c->out->status, message, c->s.correlation, http_header(c->in, "client-request-id"), c->s.now);
	challenge(c, err);
	if (err_retryable(err))
		http_response_header(c->out, "Retry-After", c->retry_after == 0 ? "5" : arena_printf(c->s.arena, "%u", c->retry_after));
}

/* What the attempt was aimed at: as the handler found it, or, where it never ran, the last id of the path. */
static struct id aimed_at(const struct call *c)
{
	struct id id = c->s.subject;
	for (size_t i = c->param_count; i > 0 && id_is_nil(id); i--)
		if (!id_parse(c->param[i - 1].value, &id))
			id = c->s.subject;
	return id;
}

/* Why nobody was let in is said in our own constant words; what a handler says of a request may hold the request's. */
static void count_refusal(struct call *c, enum err err)
{
	bool ours = err == ERR_UNAUTHENTICATED && c->route != NULL && !route_is_public(c->route);
	int status = err_http_status(err);
	atomic_fetch_add(&c->server->metrics->refused_before_sign_in, 1);
	if (status < 500 && !c->published)
		refusals_count(c->in->client_ip, status, ours ? scope_detail(&c->s, err) : err_graph_code(err), c->s.now);
}

/* A change that was refused, and a read that was forbidden, are events of the tenant that asked; before sign-in they are only counted. */
static void record_refusal(struct call *c, enum err err)
{
	bool known = c->s.has_tenant && c->s.actor.type != ACTOR_ANONYMOUS;
	if (c->refusal_told || (c->published && err == ERR_NOT_FOUND))
		return; /* a monitor falls back from the partial tile to the full one */
	if (!known) {
		count_refusal(c, err);
		return;
	}
	enum activity activity = c->route->activity;
	if (activity == ACT_NONE && err != ERR_FORBIDDEN)
		return;
	audit_refused(&c->s, &(struct audit_event){
		.activity = activity == ACT_NONE ? ACT_REQUEST_REFUSED : activity,
		.resource_type = "Route",
		.resource = aimed_at(c),
		.resource_name = arena_printf(c->s.arena, "%s %s", c->route->method, c->route->path),
		.failure = is_internal(err) ? err_text(err) : scope_detail(&c->s, err),
	});
}

static void log_request(struct call *c, int64_t took_us)
{
	char request[ID_TEXT], tenant[ID_TEXT];
	log_event(LOG_INFO, "request", "request=%s tenant=%s method=%s route=%s status=%d us=%" PRId64,
		  id_format(c->s.correlation, request), c->s.has_tenant ? id_format(c->s.tenant, tenant) : "-", c->in->method,
		  c->route != NULL ? c->route->path : "-", c->out->status, took_us);
}

/* ---- one request ---- */

static enum err find_route(struct call *c, enum route_listener on)
{
	size_t n;
	struct route_match m;
	const struct route *table = route_table(&n);
	route_find(c->s.arena, table, n, on, c->in->method, c->in->path, &m);
	c->form = m.form;
	if (m.malformed)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "the path is malformed");
	if (m.other_method) {
		http_response_header(c->out, "Allow", m.allow);
		if (strcmp(c->in->method, "OPTIONS") == 0) {
			cors_preflight(c->server->cors, c->in, c->out, m.allow);
			return call_status(c, 204);
		}
		return scope_fail(&c->s, ERR_METHOD, "this resource allows %s", m.allow);
	}
	if (m.route == NULL)
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such resource");
	c->route = m.route;
	c->version = m.version;
	c->count = m.count;
	c->param_count = m.param_count;
	for (size_t i = 0; i < m.param_count; i++) {
		c->param[i].name = m.param[i].name;
		c->param[i].value = m.param[i].value;
	}
	return OK;
}

static enum err check_body(struct call *c)
{
	if (c->in->body_len > 0 && c->route->body_bytes == 0 && strcmp(c->route->method, "GET") == 0)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "this request takes no body");
	if (c->in->body_len > c->route->body_bytes) /* a listener refuses it earlier */
		return scope_fail(&c->s, ERR_TOO_LARGE, "the request body is larger than the limit");
	return OK;
}

static enum err run(struct call *c, enum route_listener on)
{
	TRY(find_route(c, on));
	if (c->route == NULL) /* OPTIONS */
		return OK;
	TRY(admit(c));
	TRY(check_body(c));
	TRY(approval_check(c));
	TRY(c->route->handler(c));
	TRY(approval_done(c));
	return c->count ? call_counted(c) : OK;
}

static const char DIAGNOSTIC[] = "{\"ServerInfo\":{\"DataCenter\":\"self-hosted\",\"RoleInstance\":\"reeve\"}}";

/* As Graph's clients expect them on every answer. */
static void begin_answer(struct scope *s, const struct http_request *in, struct http_response *out)
{
	char request[ID_TEXT];
	const char *theirs = http_header(in, "client-request-id");
	out->status = 200;
	http_response_header(out, "request-id", id_format(s->correlation, request));
	http_response_header(out, "x-ms-ags-diagnostic", DIAGNOSTIC);
	if (theirs != NULL)
		http_response_header(out, "client-request-id", theirs);
}

/* JSON under a version is OData.  Prefer: return=minimal takes the entity from the answer of a change (RFC 7240, section 4.2). */
static void end_answer(struct call *c)
{
	struct http_response *out = c->out;
	const char *value;
	bool entity = c->route != NULL && strcmp(c->route->method, "PATCH") == 0 && out->status == 200;
	if (entity && call_prefers(c, "return", &value) && strcasecmp(value, "minimal") == 0) {
		http_response_header(out, "Preference-Applied", "return=minimal");
		call_status(c, 204);
	}
	if (out->content_type != NULL || out->stream != NULL || out->body.len == 0 || c->route == NULL || strncmp(c->route->path, "/{v}", 4) != 0)
		return;
	out->content_type = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";
	http_response_header(out, "OData-Version", "4.0");
}

static void handle_on(struct server *srv, struct http_request *in, struct http_response *out, enum route_listener on, bool step)
{
	struct call *c = arena_alloc(in->arena, sizeof *c);
	int64_t started = clock_monotonic();
	*c = (struct call){.server = srv, .in = in, .out = out, .version = API_V1, .step = step};
	scope_system(&c->s, in->arena, srv->db, srv->keeper);
	c->s.actor = (struct actor){.type = ACTOR_ANONYMOUS, .ip = in->client_ip};
	const char *theirs = http_header(in, "client-request-id");
	if (theirs != NULL)
		id_parse(theirs, &c->s.correlation);
	begin_answer(&c->s, in, out);
	if (on == ON_API && !step)
		cors_answer(srv->cors, in, out);
	enum err err = run(c, on);
	json_decref(c->body);
	if (err != OK) {
		answer_error(c, err);
		if (c->route != NULL || http_header(in, "Authorization") == NULL) /* else a client that asks for what is not there */
			record_refusal(c, err);
	}
	end_answer(c);
	int64_t took = clock_monotonic() - started;
	metrics_request(srv->metrics, out->status, took);
	log_request(c, took);
}

void gate_step(struct call *outer, struct http_request *in, struct http_response *out)
{
	handle_on(outer->server, in, out, ON_API, true);
}

void gate_step_error(struct call *outer, const struct http_request *in, struct http_response *out, enum err err, const char *message)
{
	struct scope s;
	scope_system(&s, outer->s.arena, outer->s.db, outer->s.keeper);
	begin_answer(&s, in, out);
	out->status = err_http_status(err);
	out->content_type = NULL;
	write_error(&out->body, err, out->status, message, s.correlation, NULL, s.now);
}

static void handle_api(void *ctx, struct http_request *in, struct http_response *out) { handle_on(ctx, in, out, ON_API, false); }
static void handle_device(void *ctx, struct http_request *in, struct http_response *out) { handle_on(ctx, in, out, ON_DEVICE, false); }

static size_t body_limit_on(const char *method, const char *path, enum route_listener on)
{
	size_t n;
	struct route_match m;
	const struct route *table = route_table(&n);
	struct arena *a = arena_new(LIMIT_URL_BYTES * 4);
	route_find(a, table, n, on, method, path, &m);
	arena_free(a);
	return m.route == NULL ? LIMIT_BODY_BYTES : m.route->body_bytes; /* an unknown path is refused by the gate, with its reason */
}

static size_t body_limit_api(void *ctx, const char *method, const char *path) { return body_limit_on(method, path, ON_API); }
static size_t body_limit_device(void *ctx, const char *method, const char *path) { return body_limit_on(method, path, ON_DEVICE); }

static enum err err_of_status(int status)
{
	for (int e = 1; e < ERR_COUNT; e++)
		if (err_http_status((enum err)e) == status)
			return (enum err)e;
	return ERR_BAD_REQUEST;
}

/* Of a request whose path is known, though nothing else of it was looked at. */
static enum error_form form_of(const char *path)
{
	size_t n, length = path == NULL ? 0 : strcspn(path, "?");
	struct route_match m = {.form = FORM_GRAPH};
	const struct route *table = route_table(&n);
	struct arena *a = arena_new(LIMIT_URL_BYTES * 4);
	if (length > 0 && length <= LIMIT_URL_BYTES)
		route_find(a, table, n, ON_API, "GET", arena_strndup(a, path, length), &m);
	arena_free(a);
	return m.form;
}

static void refuse(void *ctx, int status, const char *reason, const char *peer, const char *path, struct http_response *out)
{
	struct server *srv = ctx;
	int64_t now = clock_now();
	struct id request = id_new(now);
	char text[ID_TEXT];
	out->status = status;
	http_response_header(out, "request-id", id_format(request, text));
	http_response_header(out, "x-ms-ags-diagnostic", DIAGNOSTIC);
	enum error_form form = form_of(path);
	out->content_type = FORMS[form].content_type;
	FORMS[form].write(&out->body, err_of_status(status), status, reason, request, NULL, now);
	atomic_fetch_add(&srv->metrics->refused_before_sign_in, 1);
	if (status < 500)
		refusals_count(peer, status, reason, now);
	metrics_request(srv->metrics, status, 0);
}

struct http_handler api_handler(struct server *srv)
{
	return (struct http_handler){.ctx = srv, .body_limit = body_limit_api, .handle = handle_api, .refuse = refuse};
}

struct http_handler device_handler(struct server *srv)
{
	return (struct http_handler){.ctx = srv, .body_limit = body_limit_device, .handle = handle_device, .refuse = refuse};
}
