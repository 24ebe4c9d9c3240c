/* SPDX-License-Identifier: Apache-2.0
 * What the server tells of itself, and what it does not do. */
#include "api/scim/scim.h"

#include <string.h>

enum err scim_config(struct call *c);
enum err scim_types(struct call *c);
enum err scim_schemas(struct call *c);
enum err scim_not_implemented(struct call *c);

/* Answers of few rows are not filtered (RFC 7644, section 4): who asks is told so. */
static enum err refuse_filter(struct call *c)
{
	if (strncmp(c->in->query, "filter=", 7) == 0 || strstr(c->in->query, "&filter=") != NULL)
		return scope_fail(&c->s, ERR_FORBIDDEN, "this cannot be filtered");
	c->out->content_type = SCIM_TYPE;
	return OK;
}

static const char *name_of(const struct call *c)
{
	for (size_t i = 0; i < c->param_count; i++)
		if (strcmp(c->param[i].name, "name") == 0)
			return c->param[i].value;
	return NULL;
}

enum err scim_config(struct call *c)
{
	TRY(refuse_filter(c));
	scim_config_json(&c->out->body, scim_base(c));
	return OK;
}

enum err scim_types(struct call *c)
{
	TRY(refuse_filter(c));
	return scim_types_json(&c->out->body, scim_base(c), name_of(c)) ? OK : scope_fail(&c->s, ERR_NOT_FOUND, "there is no such resource type");
}

enum err scim_schemas(struct call *c)
{
	TRY(refuse_filter(c));
	return scim_schemas_json(&c->out->body, scim_base(c), name_of(c)) ? OK : scope_fail(&c->s, ERR_NOT_FOUND, "there is no such schema");
}

enum err scim_not_implemented(struct call *c)
{
	return scope_fail(&c->s, ERR_NOT_IMPLEMENTED, "this server does not do it: ServiceProviderConfig says what it does");
}
