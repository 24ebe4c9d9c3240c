/* SPDX-License-Identifier: Apache-2.0
 * What the server tells of itself. */
#include "codec/json.h"
#include "directory/provisioning/schema.h"

#include <string.h>
#include <strings.h>

#define LIST_URN "urn:ietf:params:scim:api:messages:2.0:ListResponse"
#define CORE_URN "urn:ietf:params:scim:schemas:core:2.0:"

static const char *const TYPES[] = {
	[SCIM_STRING] = "string", [SCIM_BOOLEAN] = "boolean", [SCIM_DATETIME] = "dateTime", [SCIM_REFERENCE] = "reference", [SCIM_COMPLEX] = "complex",
};

static const char *const TITLES[SCIM_SCHEMAS] = {
	[SCIM_CORE_USER] = "User", [SCIM_ENTERPRISE_USER] = "EnterpriseUser", [SCIM_CORE_GROUP] = "Group",
};
static const char *const TEXTS[SCIM_SCHEMAS] = {
	[SCIM_CORE_USER] = "User Account", [SCIM_ENTERPRISE_USER] = "Enterprise User", [SCIM_CORE_GROUP] = "Group",
};

static void write_list(struct json_writer *w, const char *key, const char *values)
{
	jw_key(w, key);
	jw_array(w);
	for (const char *at = values; *at != '\0';) {
		size_t n = strcspn(at, "|");
		jw_stringn(w, at, n);
		at += n + (at[n] == '|');
	}
	jw_end_array(w);
}

static void write_schemas(struct json_writer *w, const char *urn)
{
	jw_key(w, "schemas");
	jw_array(w);
	jw_string(w, urn);
	jw_end_array(w);
}

static void write_meta(struct json_writer *w, const char *type, const char *base, const char *where)
{
	char location[1024];
	snprintf(location, sizeof location, "%s%s", base, where);
	jw_key(w, "meta");
	jw_object(w);
	jw_kstring(w, "resourceType", type);
	jw_kstring(w, "location", location);
	jw_end_object(w);
}

static void begin_list(struct json_writer *w, size_t n)
{
	jw_object(w);
	write_schemas(w, LIST_URN);
	jw_kint(w, "totalResults", (int64_t)n);
	jw_kint(w, "startIndex", 1);
	jw_kint(w, "itemsPerPage", (int64_t)n);
	jw_key(w, "Resources");
	jw_array(w);
}

/* ---- ServiceProviderConfig ---- */

static void write_supported(struct json_writer *w, const char *key, bool yes)
{
	jw_key(w, key);
	jw_object(w);
	jw_kbool(w, "supported", yes);
	jw_end_object(w);
}

void scim_config_json(struct buf *out, const char *base)
{
	struct json_writer w;
	jw_init(&w, out);
	jw_object(&w);
	write_schemas(&w, CORE_URN "ServiceProviderConfig");
	write_supported(&w, "patch", true);
	jw_key(&w, "bulk");
	jw_object(&w);
	jw_kbool(&w, "supported", false);
	jw_kint(&w, "maxOperations", 0);
	jw_kint(&w, "maxPayloadSize", 0);
	jw_end_object(&w);
	jw_key(&w, "filter");
	jw_object(&w);
	jw_kbool(&w, "supported", true);
	jw_kint(&w, "maxResults", SCIM_RESULTS_MAX);
	jw_end_object(&w);
	write_supported(&w, "changePassword", false);
	write_supported(&w, "sort", true);
	write_supported(&w, "etag", true);
	jw_key(&w, "authenticationSchemes");
	jw_array(&w);
	jw_object(&w);
	jw_kstring(&w, "type", "oauthbearertoken");
	jw_kstring(&w, "name", "Bearer token");
	jw_kstring(&w, "description", "A token of a provisioning client, in the Authorization header.");
	jw_kstring(&w, "specUri", "https://www.rfc-editor.org/info/rfc6750");
	jw_kbool(&w, "primary", true);
	jw_end_object(&w);
	jw_end_array(&w);
	write_meta(&w, "ServiceProviderConfig", base, "/ServiceProviderConfig");
	jw_end_object(&w);
}

/* ---- ResourceTypes ---- */

static void write_type(struct json_writer *w, const char *base, enum scim_resource r)
{
	char where[64];
	snprintf(where, sizeof where, "/ResourceTypes/%s", scim_resource_name(r));
	jw_object(w);
	write_schemas(w, CORE_URN "ResourceType");
	jw_kstring(w, "id", scim_resource_name(r));
	jw_kstring(w, "name", scim_resource_name(r));
	jw_kstring(w, "description", TEXTS[scim_core_of(r)]);
	jw_kstring(w, "endpoint", scim_endpoint(r));
	jw_kstring(w, "schema", scim_schema_urn(scim_core_of(r)));
	jw_key(w, "schemaExtensions");
	jw_array(w);
	if (r == SCIM_USER) {
		jw_object(w);
		jw_kstring(w, "schema", scim_schema_urn(SCIM_ENTERPRISE_USER));
		jw_kbool(w, "required", false);
		jw_end_object(w);
	}
	jw_end_array(w);
	write_meta(w, "ResourceType", base, where);
	jw_end_object(w);
}

bool scim_types_json(struct buf *out, const char *base, const char *name)
{
	struct json_writer w;
	jw_init(&w, out);
	if (name == NULL)
		begin_list(&w, SCIM_RESOURCES);
	for (size_t r = 0; r < SCIM_RESOURCES; r++)
		if (name == NULL || strcasecmp(name, scim_resource_name((enum scim_resource)r)) == 0)
			write_type(&w, base, (enum scim_resource)r);
	if (name == NULL) {
		jw_end_array(&w);
		jw_end_object(&w);
	}
	return out->len > 0;
}

/* ---- Schemas ---- */

static void write_attribute(struct json_writer *w, const struct scim_attribute *a, const struct scim_attribute *end);

static void write_subs(struct json_writer *w, const struct scim_attribute *a, const struct scim_attribute *end)
{
	size_t n = strlen(a->path);
	jw_key(w, "subAttributes");
	jw_array(w);
	for (const struct scim_attribute *s = a + 1; s < end && strncmp(s->path, a->path, n) == 0 && s->path[n] == '.'; s++)
		write_attribute(w, s, end);
	jw_end_array(w);
}

static void write_attribute(struct json_writer *w, const struct scim_attribute *a, const struct scim_attribute *end)
{
	jw_object(w);
	jw_kstring(w, "name", a->name);
	jw_kstring(w, "type", TYPES[a->type]);
	jw_kbool(w, "multiValued", (a->flags & SCIM_MULTI) != 0);
	jw_kstring(w, "description", a->description);
	jw_kbool(w, "required", (a->flags & SCIM_REQUIRED) != 0);
	if (a->type != SCIM_BOOLEAN && a->type != SCIM_COMPLEX)
		jw_kbool(w, "caseExact", (a->flags & SCIM_EXACT) != 0);
	jw_kstring(w, "mutability", (a->flags & SCIM_READ_ONLY) ? "readOnly" : (a->flags & SCIM_IMMUTABLE) ? "immutable" : "readWrite");
	jw_kstring(w, "returned", "default");
	jw_kstring(w, "uniqueness", (a->flags & SCIM_UNIQUE) ? "server" : "none");
	if (a->values != NULL)
		write_list(w, a->type == SCIM_REFERENCE ? "referenceTypes" : "canonicalValues", a->values);
	if (a->type == SCIM_COMPLEX)
		write_subs(w, a, end);
	jw_end_object(w);
}

static void write_schema(struct json_writer *w, const char *base, enum scim_schema schema)
{
	size_t n;
	char where[128];
	const struct scim_attribute *a = scim_attributes(&n);
	snprintf(where, sizeof where, "/Schemas/%s", scim_schema_urn(schema));
	jw_object(w);
	write_schemas(w, CORE_URN "Schema");
	jw_kstring(w, "id", scim_schema_urn(schema));
	jw_kstring(w, "name", TITLES[schema]);
	jw_kstring(w, "description", TEXTS[schema]);
	jw_key(w, "attributes");
	jw_array(w);
	for (size_t i = 0; i < n; i++)
		if (a[i].schema == schema && a[i].name == a[i].path && !(a[i].flags & SCIM_COMMON))
			write_attribute(w, &a[i], a + n);
	jw_end_array(w);
	write_meta(w, "Schema", base, where);
	jw_end_object(w);
}

bool scim_schemas_json(struct buf *out, const char *base, const char *urn)
{
	struct json_writer w;
	jw_init(&w, out);
	if (urn == NULL)
		begin_list(&w, SCIM_SCHEMAS);
	for (size_t i = 0; i < SCIM_SCHEMAS; i++)
		if (urn == NULL || strcasecmp(urn, scim_schema_urn((enum scim_schema)i)) == 0)
			write_schema(&w, base, (enum scim_schema)i);
	if (urn == NULL) {
		jw_end_array(&w);
		jw_end_object(&w);
	}
	return out->len > 0;
}
