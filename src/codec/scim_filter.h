/* SPDX-License-Identifier: Apache-2.0
 *
 * SCIM's little language: filters, the paths of PATCH operations, names of attributes (RFC 7644, sections 3.4.2.2, 3.5.2, 3.10): text to
 * structs, pure, bounded.  Which attributes exist, and what a filter means, is directory/provisioning's business.
 *
 * Beyond the RFC, for identity providers write so: attr[filter].sub op value, with the sub-attribute of the same element.
 */
#ifndef REEVE_CODEC_SCIM_FILTER_H
#define REEVE_CODEC_SCIM_FILTER_H

#include <jansson.h>

#include "base/err.h"
#include "base/scope.h"

enum { SCIM_FILTER_DEPTH = 16 }; /* of parentheses, nots and brackets in each other */

enum scim_op {
	SCIM_AND, SCIM_OR, SCIM_NOT, /* left, right (NOT: left) */
	SCIM_EQ, SCIM_NE, SCIM_CO, SCIM_SW, SCIM_EW, SCIM_GT, SCIM_GE, SCIM_LT, SCIM_LE, /* path, value */
	SCIM_PR,  /* path */
	SCIM_HAS, /* path[left] */
};

/* "urn:…:User:name.familyName".  NULL where a part is not given.  Letters as they came: names are compared in any case. */
struct scim_path {
	const char *schema, *attr, *sub;
};

enum scim_literal { SCIM_NULL, SCIM_BOOL, SCIM_NUMBER, SCIM_TEXT };

struct scim_value {
	enum scim_literal type;
	const char *text; /* TEXT: unescaped */
	double number;
	bool yes;
};

struct scim_filter {
	enum scim_op op;
	struct scim_filter *left, *right;
	struct scim_path path;
	struct scim_value value;
};

/* What an operation of PATCH is aimed at: attr, attr.sub, attr[filter], attr[filter].sub */
struct scim_target {
	struct scim_path path;
	struct scim_filter *filter; /* NULL: none */
};

/* In the arena.  ERR_BAD_FILTER, ERR_BAD_PATH with a detail that quotes no literal; ERR_LIMIT past LIMIT_FILTER_NODES. */
MUST_CHECK enum err scim_filter_parse(struct scope *s, const char *text, struct scim_filter **ret);
MUST_CHECK enum err scim_target_parse(struct scope *s, const char *text, struct scim_target *ret);
/* One attribute's name; ERR_BAD_PATH. */
MUST_CHECK enum err scim_path_parse(struct scope *s, const char *text, size_t n, struct scim_path *ret);

#endif
