/* SPDX-License-Identifier: Apache-2.0
 * Bodies, addresses and errors as SCIM has them. */
#include "api/scim/scim.h"

#include <string.h>
#include <strings.h>

static const struct {
	enum err err;
	const char *type;
} TYPES[] = {
	{ERR_EXISTS, "uniqueness"},	  {ERR_BAD_REQUEST, "invalidValue"}, {ERR_BAD_SYNTAX, "invalidSyntax"}, {ERR_BAD_FILTER, "invalidFilter"},
	{ERR_BAD_PATH, "invalidPath"},	  {ERR_NO_TARGET, "noTarget"},	     {ERR_MUTABILITY, "mutability"},
};

const char *scim_base(struct call *c)
{
	char tenant[ID_TEXT];
	for (size_t i = 0; i < c->param_count; i++)
		if (strcmp(c->param[i].name, "tenant") == 0)
			return arena_printf(c->s.arena, "%s/scim/v2/%s", c->server->url, id_format(c->s.tenant, tenant));
	return arena_printf(c->s.arena, "%s/scim/v2", c->server->url);
}

static bool is_json(const char *type)
{
	size_t n = strcspn(type, "; \t");
	return (n == strlen(SCIM_TYPE) && strncasecmp(type, SCIM_TYPE, n) == 0) || (n == 16 && strncasecmp(type, "application/json", n) == 0);
}

enum err scim_body(struct call *c, json_t **ret)
{
	const char *type = http_header(c->in, "Content-Type");
	if (type != NULL && !is_json(type))
		return scope_fail(&c->s, ERR_MEDIA_TYPE, "the body must be " SCIM_TYPE);
	enum err err = json_read(&c->s, c->in->body_len == 0 ? "" : c->in->body, c->in->body_len, &c->body);
	*ret = c->body;
	return err == ERR_BAD_REQUEST ? ERR_BAD_SYNTAX : err;
}

static const char *type_of(enum err err)
{
	for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
		if (TYPES[i].err == err)
			return TYPES[i].type;
	return NULL;
}

void scim_error(struct buf *out, enum err err, int status, const char *message)
{
	struct json_writer w;
	char number[16];
	const char *type = err_http_status(err) == status ? type_of(err) : NULL; /* a listener's refusal is of no kind of ours */
	buf_clear(out);
	jw_init(&w, out);
	jw_object(&w);
	jw_key(&w, "schemas");
	jw_array(&w);
	jw_string(&w, "urn:ietf:params:scim:api:messages:2.0:Error");
	jw_end_array(&w);
	snprintf(number, sizeof number, "%d", status);
	jw_kstring(&w, "status", number); /* a text, as the RFC has it */
	if (type != NULL)
		jw_kstring(&w, "scimType", type);
	jw_kstring(&w, "detail", message);
	jw_end_object(&w);
}
