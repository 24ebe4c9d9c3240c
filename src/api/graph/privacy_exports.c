/* SPDX-License-Identifier: Apache-2.0
 * users/{id}/exportPersonalData and dataPolicyOperations.  Graph puts the bundle at the caller's storageLocation; here
 * it is fetched from dataPolicyOperations/{id}/content, and a storageLocation is kept and not used. */
#include <string.h>

#include "api/api.h"
#include "crypto/seal.h"
#include "privacy/export.h"
#include "resource/tables.h"

enum err exports_request(struct call *c);
enum err exports_list(struct call *c);
enum err exports_get(struct call *c);
enum err exports_content(struct call *c);

static enum err storage_location(struct call *c, const json_t *body, const char **ret)
{
	const json_t *v = json_object_get(body, "storageLocation");
	*ret = NULL;
	if (v == NULL || json_is_null(v))
		return OK;
	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'storageLocation' must be a string");
	*ret = json_string_value(v);
	return OK;
}

enum err exports_request(struct call *c)
{
	static const char *const allowed[] = {"storageLocation", NULL};
	struct resource_query q;
	struct id user, operation;
	json_t *body;
	const char *location;
	char text[ID_TEXT];
	TRY(export_resolve(&c->s, call_param(c, "user"), &user));
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, allowed));
	TRY(storage_location(c, body, &location));
	TRY(export_request(&c->s, user, location, &operation));
	TRY(call_query(c, &RES_DATA_POLICY_OPERATION, &q));
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
	TRY(call_query(c, &RES_DATA_POLICY_OPERATION, &q));
	return call_list(c, &q);
}

enum err exports_get(struct call *c)
{
	struct resource_query q;
	struct id operation;
	TRY(call_param_id(c, "operation", "data policy operation", &operation));
	TRY(call_query(c, &RES_DATA_POLICY_OPERATION, &q));
	return call_get(c, &q, operation);
}

/* A file that was changed on disk breaks the connection: what arrived is then shorter than Content-Length said. */
static bool next_piece(void *arg, const void **ret, size_t *ret_n) { return unseal_read(arg, ret, ret_n) == OK; }

static void end_of_stream(void *arg) { unseal_close(arg); }

enum err exports_content(struct call *c)
{
	struct unseal_stream *stream;
	struct id operation;
	int64_t bytes;
	char text[ID_TEXT];
	TRY(call_param_id(c, "operation", "data policy operation", &operation));
	TRY(export_open(&c->s, c->server->data_dir, operation, &stream, &bytes));
	c->out->content_type = "application/zip";
	c->out->stream = next_piece;
	c->out->stream_end = end_of_stream;
	c->out->stream_arg = stream;
	c->out->stream_length = bytes;
	http_response_header(
		c->out, "Content-Disposition",
		arena_printf(c->s.arena, "attachment; filename=\"export-%s.zip\"", id_format(operation, text)));
	http_response_header(c->out, "Cache-Control", "no-store");
	return OK;
}
