/* SPDX-License-Identifier: Apache-2.0
 * From a call to what approvals ask of it. */
#include "api/approval.h"

#include <string.h>

#include "base/log.h"
#include "codec/base64.h"
#include "codec/odata.h"
#include "codec/utf8.h"
#include "directory/approval/approval.h"
#include "directory/approval/profile.h"

static const char *param_or_null(const struct call *c, const char *name)
{
	for (size_t i = 0; i < c->param_count; i++)
		if (strcmp(c->param[i].name, name) == 0)
			return c->param[i].value;
	return NULL;
}

static struct id param_id(const struct call *c, const char *name)
{
	struct id id;
	const char *text = param_or_null(c, name);
	return text != NULL && id_parse(text, &id) ? id : (struct id){0};
}

/* The last id of the path. */
static struct id object_of(const struct call *c)
{
	struct id id = {0};
	for (size_t i = c->param_count; i > 0 && id_is_nil(id); i--)
		if (!id_parse(c->param[i - 1].value, &id))
			id = (struct id){0};
	return id;
}

/* What may weaken a policy although its own row is not what is written. */
static const struct {
	enum activity activity;
	const char *param;
	size_t member; /* of struct approval_call */
} WEAKENS[] = {
#define MEMBER(name) offsetof(struct approval_call, name)
	{ACT_APPROVAL_POLICY_UPDATE, "policy", MEMBER(policy)},
	{ACT_APPROVAL_POLICY_DELETE, "policy", MEMBER(policy)},
	{ACT_GROUP_UPDATE, "id", MEMBER(group)}, /* SCIM's, with members */
	{ACT_GROUP_DELETE, "id", MEMBER(group)},
	{ACT_GROUP_DELETE, "group", MEMBER(group)},
	{ACT_GROUP_MEMBER_ADD, "group", MEMBER(group)},
	{ACT_GROUP_MEMBER_REMOVE, "group", MEMBER(group)},
	{ACT_SECRET_ADD, "application", MEMBER(application)},
	{ACT_APPLICATION_CERTIFICATE_ADD, "application", MEMBER(application)},
	{ACT_APPLICATION_UPDATE, "application", MEMBER(application)},
#undef MEMBER
};

static void find_weakened(const struct call *c, struct approval_call *q)
{
	for (size_t i = 0; i < sizeof WEAKENS / sizeof WEAKENS[0]; i++)
		if (WEAKENS[i].activity == q->activity && param_or_null(c, WEAKENS[i].param) != NULL)
			*(struct id *)(void *)((char *)q + WEAKENS[i].member) = param_id(c, WEAKENS[i].param);
	if (!id_is_nil(q->group))
		q->object = q->group;
}

static enum err read_headers(struct call *c, struct approval_call *q)
{
	const char *coded = http_header(c->in, APPROVAL_JUSTIFICATION_HEADER);
	void *text;
	size_t n;
	q->code = http_header(c->in, APPROVAL_CODE_HEADER);
	if (coded == NULL || q->code != NULL)
		return OK;
	if (strlen(coded) > 2 * APPROVAL_JUSTIFICATION_MAX || !base64_decode(c->s.arena, coded, strlen(coded), &text, &n) || memchr(text, '\0', n) != NULL ||
	    !utf8_valid(text, n))
		return scope_fail(&c->s, ERR_BAD_REQUEST, APPROVAL_JUSTIFICATION_HEADER " is the Base64 of at most %d bytes of text (UTF-8)",
				  APPROVAL_JUSTIFICATION_MAX);
	q->justification = text;
	return OK;
}

/* The tenant whose policies count: an operator's call about a tenant is that tenant's matter. */
static struct scope scope_of(const struct call *c)
{
	struct scope s = c->s;
	struct id tenant = id_is_nil(s.tenant) ? param_id(c, "tenant") : s.tenant;
	s.tenant = tenant;
	return s;
}

static enum err require(struct call *c, struct approval_call *q)
{
	struct id request;
	char text[ID_TEXT];
	struct scope s = scope_of(c);
	enum err err = approval_require(&s, q, &c->s.claim, &request);
	c->s.ids = s.ids;
	c->s.detail = s.detail;
	c->s.detail_file = s.detail_file;
	c->s.detail_line = s.detail_line;
	if (!id_is_nil(request)) {
		http_response_header(c->out, APPROVAL_CODE_HEADER, id_format(request, text));
		c->refusal_told = q->code == NULL; /* the request's own event says it */
	}
	return err;
}

/* A later page of what was approved: the handler takes no token but the server's own (intune_data.c). */
static bool is_later_page(struct call *c)
{
	struct scope unsaid = c->s;
	struct odata_query o;
	return strcmp(c->route->method, "GET") == 0 && odata_parse(&unsaid, c->in->query, &o) == OK && o.skiptoken != NULL;
}

enum err approval_check(struct call *c)
{
	const struct route *r = c->route;
	bool scim = r->access == ACCESS_SCIM;
	if ((r->access != ACCESS_BEARER && !scim) || r->activity == ACT_NONE || !approval_protects(r->activity) || is_later_page(c))
		return OK;
	const char *query = c->in->query != NULL && *c->in->query != '\0' ? arena_printf(c->s.arena, "?%s", c->in->query) : "";
	struct approval_call q = {.activity = r->activity, .method = r->method, .target = arena_printf(c->s.arena, "%s%s", c->in->path, query),
				  .route = arena_printf(c->s.arena, "%s %s", r->method, r->path), .permission = r->permission,
				  .body = c->in->body_len == 0 ? "" : c->in->body, .body_len = c->in->body_len, .object = object_of(c),
				  .upn = param_or_null(c, "user"), .provisioning = scim};
	auto_json *body = NULL;
	struct scope unsaid = c->s; /* a malformed body is the handler's to refuse */
	if (q.body_len > 0 && json_read(&unsaid, q.body, q.body_len, &body) != OK)
		body = NULL;
	q.json = body;
	find_weakened(c, &q);
	TRY(read_headers(c, &q));
	return require(c, &q);
}

enum err approval_done(struct call *c)
{
	if (c->s.claim == NULL)
		return OK;
	enum err err = approval_finish(&c->s, c->s.claim);
	if (err == ERR_CONFLICT)
		return err;
	if (err != OK) /* what was asked for has been done */
		log_event(LOG_WARN, "approval_left_open", "error=%s", err_name(err));
	return OK;
}
