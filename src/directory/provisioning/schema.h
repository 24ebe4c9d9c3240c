/* SPDX-License-Identifier: Apache-2.0
 *
 * SCIM's resources, schemas and attributes (attributes.def), and what is told of them: ServiceProviderConfig, ResourceTypes, Schemas
 * (RFC 7643, sections 5 to 7).
 */
#ifndef REEVE_DIRECTORY_PROVISIONING_SCHEMA_H
#define REEVE_DIRECTORY_PROVISIONING_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "codec/scim_filter.h"

enum scim_resource { SCIM_USER, SCIM_GROUP, SCIM_RESOURCES };
enum scim_schema { SCIM_CORE_USER, SCIM_ENTERPRISE_USER, SCIM_CORE_GROUP, SCIM_SCHEMAS };
enum scim_type { SCIM_STRING, SCIM_BOOLEAN, SCIM_DATETIME, SCIM_REFERENCE, SCIM_COMPLEX };

enum scim_flag {
	SCIM_REQUIRED = 1,
	SCIM_READ_ONLY = 2,
	SCIM_IMMUTABLE = 4,
	SCIM_EXACT = 8,
	SCIM_UNIQUE = 16,
	SCIM_MULTI = 32,
	SCIM_COMMON = 64,
};

enum { SCIM_RESULTS_MAX = 200, SCIM_VALUES_MAX = 50 /* of one attribute of a user */ };

struct scim_attribute {
	enum scim_resource resource;
	enum scim_schema schema;
	const char *path, *name; /* name: the last part of path */
	enum scim_type type;
	unsigned flags;
	const char *property;
	size_t most;
	const char *values, *description;
};

/* Where a name leads: to an attribute, to a sub-attribute of it, or (whole) to all of an extension. */
struct scim_place {
	enum scim_schema schema;
	const struct scim_attribute *attr, *sub;
	bool whole;
};

const struct scim_attribute *scim_attributes(size_t *ret_n);
const char *scim_schema_urn(enum scim_schema schema);
enum scim_schema scim_core_of(enum scim_resource r);
bool scim_is_extension(enum scim_schema schema);
const char *scim_resource_name(enum scim_resource r); /* "User" */
const char *scim_endpoint(enum scim_resource r);      /* "/Users" */

/* A top attribute by its name in any case; a sub-attribute. */
const struct scim_attribute *scim_top(enum scim_resource r, enum scim_schema schema, const char *name);
const struct scim_attribute *scim_sub(const struct scim_attribute *parent, const char *name);
/* False: there is no such attribute. */
bool scim_resolve(enum scim_resource r, const struct scim_path *path, struct scim_place *ret);
/* Whether the RFC knows the name, or it is of a schema that is not ours: accepted and not kept. */
bool scim_is_ignored(enum scim_resource r, const struct scim_path *path);
/* Whether the name is a schema's: in any case, *ret. */
bool scim_schema_named(const char *urn, enum scim_schema *ret);

/* Whole answers; base: "https://host/scim/v2".  False: there is no such type or schema; name NULL: the list of all. */
void scim_config_json(struct buf *out, const char *base);
bool scim_types_json(struct buf *out, const char *base, const char *name);
bool scim_schemas_json(struct buf *out, const char *base, const char *urn);

#endif
