/* SPDX-License-Identifier: Apache-2.0
 * The table of attributes, found by name. */
#include "directory/provisioning/schema.h"

#include <string.h>
#include <strings.h>

#define COMMON SCIM_COMMON
#define REQUIRED SCIM_REQUIRED
#define READ_ONLY SCIM_READ_ONLY
#define IMMUTABLE SCIM_IMMUTABLE
#define EXACT SCIM_EXACT
#define UNIQUE SCIM_UNIQUE
#define MULTI SCIM_MULTI

static const struct scim_attribute ATTRIBUTES[] = {
#define SCIM_ATTRIBUTE(resource_, schema_, path_, type_, flags_, property_, most_, values_, description_)                        \
	{.resource = SCIM_##resource_, .schema = SCIM_##schema_, .path = path_, .type = SCIM_##type_, .flags = flags_,           \
	 .property = property_, .most = most_, .values = values_, .description = description_},
#define SCIM_IGNORED(name)
#include "directory/provisioning/attributes.def"
#undef SCIM_ATTRIBUTE
#undef SCIM_IGNORED
};
enum { ATTRIBUTE_COUNT = sizeof ATTRIBUTES / sizeof ATTRIBUTES[0] };

static const char *const IGNORED[] = {
#define SCIM_ATTRIBUTE(...)
#define SCIM_IGNORED(name) name,
#include "directory/provisioning/attributes.def"
#undef SCIM_ATTRIBUTE
#undef SCIM_IGNORED
};

static const struct {
	const char *urn;
	enum scim_resource resource;
	bool extension;
} SCHEMAS[SCIM_SCHEMAS] = {
	[SCIM_CORE_USER] = {"urn:ietf:params:scim:schemas:core:2.0:User", SCIM_USER, false},
	[SCIM_ENTERPRISE_USER] = {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", SCIM_USER, true},
	[SCIM_CORE_GROUP] = {"urn:ietf:params:scim:schemas:core:2.0:Group", SCIM_GROUP, false},
};

static const struct {
	const char *name, *endpoint;
	enum scim_schema core;
} RESOURCES[SCIM_RESOURCES] = {
	[SCIM_USER] = {"User", "/Users", SCIM_CORE_USER},
	[SCIM_GROUP] = {"Group", "/Groups", SCIM_CORE_GROUP},
};

/* Their last parts, once. */
static struct scim_attribute table[ATTRIBUTE_COUNT];
__attribute__((constructor)) static void fill_table(void)
{
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++) {
		const char *dot = strchr(ATTRIBUTES[i].path, '.');
		table[i] = ATTRIBUTES[i];
		table[i].name = dot == NULL ? table[i].path : dot + 1;
	}
}

const struct scim_attribute *scim_attributes(size_t *ret_n)
{
	*ret_n = ATTRIBUTE_COUNT;
	return table;
}

const char *scim_schema_urn(enum scim_schema schema) { return SCHEMAS[schema].urn; }
enum scim_schema scim_core_of(enum scim_resource r) { return RESOURCES[r].core; }
bool scim_is_extension(enum scim_schema schema) { return SCHEMAS[schema].extension; }
const char *scim_resource_name(enum scim_resource r) { return RESOURCES[r].name; }
const char *scim_endpoint(enum scim_resource r) { return RESOURCES[r].endpoint; }

bool scim_schema_named(const char *urn, enum scim_schema *ret)
{
	for (size_t i = 0; i < SCIM_SCHEMAS; i++)
		if (strcasecmp(SCHEMAS[i].urn, urn) == 0) {
			*ret = (enum scim_schema)i;
			return true;
		}
	return false;
}

const struct scim_attribute *scim_top(enum scim_resource r, enum scim_schema schema, const char *name)
{
	for (size_t i = 0; i < ATTRIBUTE_COUNT; i++)
		if (table[i].resource == r && table[i].schema == schema && strcasecmp(table[i].path, name) == 0 && table[i].name == table[i].path)
			return &table[i];
	return NULL;
}

const struct scim_attribute *scim_sub(const struct scim_attribute *parent, const char *name)
{
	size_t n = strlen(parent->path);
	for (const struct scim_attribute *a = parent + 1; a < table + ATTRIBUTE_COUNT; a++) {
		if (strncmp(a->path, parent->path, n) != 0 || a->path[n] != '.')
			return NULL;
		if (strcasecmp(a->name, name) == 0)
			return a;
	}
	return NULL;
}

static bool whole_schema(const struct scim_path *path, enum scim_schema *ret)
{
	for (size_t i = 0; path->schema != NULL && path->sub == NULL && i < SCIM_SCHEMAS; i++) {
		size_t n = strlen(path->schema);
		if (strncasecmp(SCHEMAS[i].urn, path->schema, n) == 0 && SCHEMAS[i].urn[n] == ':' && strcasecmp(SCHEMAS[i].urn + n + 1, path->attr) == 0) {
			*ret = (enum scim_schema)i;
			return true;
		}
	}
	return false;
}

bool scim_resolve(enum scim_resource r, const struct scim_path *path, struct scim_place *ret)
{
	*ret = (struct scim_place){.schema = RESOURCES[r].core};
	if (whole_schema(path, &ret->schema)) {
		ret->whole = true;
		return SCHEMAS[ret->schema].resource == r;
	}
	if (path->schema != NULL && (!scim_schema_named(path->schema, &ret->schema) || SCHEMAS[ret->schema].resource != r))
		return false;
	ret->attr = scim_top(r, ret->schema, path->attr);
	if (ret->attr == NULL || path->sub == NULL)
		return ret->attr != NULL;
	ret->sub = scim_sub(ret->attr, path->sub);
	return ret->sub != NULL;
}

bool scim_is_ignored(enum scim_resource r, const struct scim_path *path)
{
	enum scim_schema schema;
	if (path->schema != NULL && !scim_schema_named(path->schema, &schema) && !whole_schema(path, &schema))
		return true;
	for (size_t i = 0; i < sizeof IGNORED / sizeof IGNORED[0]; i++)
		if (strcasecmp(IGNORED[i], path->attr) == 0)
			return r == SCIM_USER;
	return false;
}
