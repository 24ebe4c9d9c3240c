/* SPDX-License-Identifier: Apache-2.0
 * users/{id}/exportPersonalData and dataPolicyOperations.  A storageLocation is Graph's; variant, form, sections and requestId are ours. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/link.h"
#include "codec/target.h"
#include "http/reach.h"
#include "privacy/export/export.h"
#include "resource/tables.h"

enum err exports_request(struct call *c);
enum err exports_list(struct call *c);
enum err exports_get(struct call *c);
enum err exports_content(struct call *c);
enum err exports_create_link(struct call *c);

/* NULL where it is absent or null. */
static enum err text_member(struct call *c, const json_t *body, const char *name, const char **ret)
{
	const json_t *v = json_object_get(body, name);
	*ret = NULL;
	if (v == NULL || json_is_null(v))
		return OK;
	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' must be a string", name);
	*ret = json_string_value(v);
	return OK;
}

/* Said at once where it can be said; the address is judged again when it is connected to. */
static enum err check_location(struct call *c, const char *location)
{
	struct target t;
	if (location == NULL)
		return OK;
	if (!target_https(c->s.arena, location, &t))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'storageLocation' must be an https URL of at most %d bytes, without a user name, password or "
							  "fragment", TARGET_BYTES_MAX);
	if (!reach_may_allow(c->server->reach, t.host))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'storageLocation' is a host that exports may not be sent to (the server's setting sink_targets)");
	return OK;
}

static enum err read_order(struct call *c, const json_t *body, struct export_order *ret)
{
	const json_t *sections = json_object_get(body, "sections");
	const char *request;
	TRY(text_member(c, body, "storageLocation", &ret->storage_location));
	TRY(check_location(c, ret->storage_location));
	TRY(text_member(c, body, "variant", &ret->variant));
	TRY(text_member(c, body, "form", &ret->form));
	TRY(text_member(c, body, "requestId", &request));
	if (request != NULL && !id_parse(request, &ret->request))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'requestId' must be an id");
	if (sections != NULL && !json_is_null(sections)) {
		char *text = json_dumps(sections, JSON_COMPACT | JSON_ENCODE_ANY);
		check(text != NULL);
		ret->sections = arena_strdup(c->s.arena, text);
		free(text);
	}
	return OK;
}

static enum err write_location(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id operation, void *arg)
{
	const char *location;
	if (!resource_selected(q, "storageLocation"))
		return OK;
	TRY(export_location(tx, operation, &location));
	jw_kstring(w, "storageLocation", location);
	return OK;
}

static enum err operation_query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_DATA_POLICY_OPERATION, q));
	q->more = write_location;
	return OK;
}

enum err exports_request(struct call *c)
{
	static const char *const allowed[] = {"storageLocation", "variant", "form", "sections", "requestId", NULL};
	struct export_order order = {.variant = NULL};
	struct resource_query q;
	struct id operation;
	json_t *body;
	char text[ID_TEXT];
	TRY(export_resolve(&c->s, call_param(c, "user"), &order.user));
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, allowed));
	TRY(read_order(c, body, &order));
	TRY(export_request(&c->s, &order, &operation));
	TRY(operation_query(c, &q));
	TRY(call_get(c, &q, operation));
	http_response_header(
		c->out, "Location",
		arena_printf(c->s.arena, "%s/dataPolicyOperations/%s", call_base_url(c), id_format(operation, text)));
	http_response_header(c->out, "Retry-After", "2");
	c->out->status = 202;
	return OK;
}

enum err exports_list(struct call *c)
{
	struct resource_query q;
	TRY(operation_query(c, &q));
	return call_list(c, &q);
}

enum err exports_get(struct call *c)
{
	struct resource_query q;
	struct id operation;
	TRY(call_param_id(c, "operation", "data policy operation", &operation));
	TRY(operation_query(c, &q));
	return call_get(c, &q, operation);
}

enum err exports_content(struct call *c)
{
	struct export_file file;
	struct id operation;
	TRY(call_param_id(c, "operation", "data policy operation", &operation));
	TRY(export_open(&c->s, c->server->data_dir, operation, &file));
	call_file(c, file.stream, file.bytes, file.type, file.name);
	return OK;
}

/* A link that needs no token, for a day at most. */
enum err exports_create_link(struct call *c)
{
	struct link l = {.kind = LINK_EXPORT, .tenant = c->s.tenant};
	TRY(call_param_id(c, "operation", "data policy operation", &l.object));
	TRY(export_link(&c->s, l.object, &l.expires_us));
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "url", link_issue(c, &l));
	jw_ktime(&w, "expirationDateTime", l.expires_us);
	jw_end_object(&w);
	http_response_header(c->out, "Cache-Control", "no-store");
	return OK;
}
