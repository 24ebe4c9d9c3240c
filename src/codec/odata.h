/* SPDX-License-Identifier: Apache-2.0
 *
 * OData query options as Microsoft Graph uses them ($filter, $select, $orderby, $top, $skip, $count, $skiptoken,
 * $deltatoken, $search, $expand, $format): text to a tree, pure, bounded.  Which properties exist and how they become SQL is resource/'s business.
 * Source: OData 4.01 URL conventions, section 5; Graph's "query parameters" page.
 */
#ifndef REEVE_CODEC_ODATA_H
#define REEVE_CODEC_ODATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"

enum odata_op {
	ODATA_AND, ODATA_OR, ODATA_NOT,                              /* left, right (NOT: left) */
	ODATA_EQ, ODATA_NE, ODATA_GT, ODATA_GE, ODATA_LT, ODATA_LE,  /* path, value */
	ODATA_IN,                                                    /* path, values */
	ODATA_STARTSWITH, ODATA_ENDSWITH, ODATA_CONTAINS,            /* path, value */
};

enum odata_literal { ODATA_NULL, ODATA_BOOL, ODATA_NUMBER, ODATA_STRING, ODATA_TIME, ODATA_GUID };

struct odata_value {
	enum odata_literal type;
	const char *text; /* STRING: unescaped; ENUM forms such as ns.type'member' arrive as STRING 'member' */
	int64_t i;        /* BOOL, NUMBER, TIME (microseconds) */
	struct odata_value *next; /* of an IN list */
};

struct odata_node {
	enum odata_op op;
	struct odata_node *left, *right;
	const char *path;          /* "actor/userPrincipalName", as written */
	struct odata_value *value; /* first of the list */
};

struct odata_order {
	const char *path;
	bool descending;
	struct odata_order *next;
};

/* $expand=members($select=id,mail),memberOf */
struct odata_expand {
	const char *name;
	const char *const *select; /* NULL-terminated; NULL: all */
	struct odata_expand *next;
};

struct odata_query {
	struct odata_node *filter; /* NULL: none */
	struct odata_order *order;
	const char *const *select; /* NULL-terminated; NULL: all */
	const char *filter_text; /* as it was parsed; NULL */
	struct odata_expand *expand; /* NULL: none */
	const char *search, *skiptoken, *deltatoken, *format;
	int64_t top, skip;         /* -1: not given */
	bool count;
};

enum { ODATA_EXPAND_MAX = 4 };

/* Parses the query part of a URL (without '?', percent-encoded, '+' is a space).  Option names with or without '$', any
 * case; options without '$' that are none of OData's are ignored.  Unknown '$' options, repeated ones, malformed values
 * and anything past LIMIT_FILTER_NODES are ERR_BAD_REQUEST with a detail that quotes no literal; an option other than $select inside $expand, $expand=* and
 * more than ODATA_EXPAND_MAX relations are ERR_EXPAND. */
MUST_CHECK enum err odata_parse(struct scope *s, const char *query, struct odata_query *ret);

/* One expression, already decoded. */
MUST_CHECK enum err odata_parse_filter(struct scope *s, const char *text, struct odata_node **ret);

/* Percent-decoding in the arena; NULL where the text is malformed, holds %00 or is no UTF-8, and where the arena's
 * limit is passed.  plus: '+' becomes a space. */
char *url_decode(struct arena *a, const char *text, size_t n, bool plus);
/* Percent-encodes all but unreserved characters. */
char *url_encode(struct arena *a, const char *text);

#endif
