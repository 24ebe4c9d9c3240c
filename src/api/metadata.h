/* SPDX-License-Identifier: Apache-2.0
 *
 * $metadata (OData CSDL 4.01, XML): made from the property tables, the relations, the payloads and the route table, so that it lists what is
 * served and nothing else.  A type whose members no table spells out is open; an operation lists no parameters of its body.
 */
#ifndef REEVE_API_METADATA_H
#define REEVE_API_METADATA_H

#include "base/arena.h"
#include "base/buf.h"
#include "resource/resource.h"

enum md_kind { MD_ENTITY, MD_COMPLEX, MD_ENUM };

struct md_member {
	const char *name, *type; /* "Edm.String", "Collection(graph.user)" */
	bool navigation, contained, required;
	struct md_member *next;
};

struct md_type {
	const char *name, *base; /* base: NULL for none */
	const char *values;      /* MD_ENUM: "a=0|b=1" or "a|b" */
	enum md_kind kind;
	bool open;
	struct md_member *members, **tail;
	struct md_type *next;
};

struct md_operation {
	const char *name, *binding; /* "graph.user", "Collection(graph.user)" */
	const char *parameter;      /* of a function, a text; NULL */
	const char *returns;        /* of a function */
	bool action;
	struct md_operation *next;
};

struct md_set {
	const char *name, *type;
	bool singleton;
	struct md_set *next;
};

struct metadata {
	struct arena *arena;
	enum api_version version;
	struct md_type *types, **types_tail;
	struct md_operation *operations, **operations_tail;
	struct md_set *sets, **sets_tail;
};

/* metadata_types.c: all types of the tables. */
void md_types(struct metadata *m);
struct md_type *md_find(const struct metadata *m, const char *name);
struct md_type *md_entity(struct metadata *m, const char *name); /* found or made */
bool md_has_member(const struct metadata *m, const struct md_type *t, const char *name); /* its bases' too */
void md_add(struct metadata *m, struct md_type *t, struct md_member member);
/* "user" -> "graph.user", "Collection(x)" -> "Collection(graph.x)"; what has a dot stays. */
const char *md_name(struct metadata *m, const char *type);
/* A stub for each type that is named and not there. */
void md_close(struct metadata *m);

/* metadata_routes.c: sets, navigation and operations, out of the route table. */
void md_routes(struct metadata *m);

/* metadata.c */
void md_write(const struct metadata *m, struct buf *out);

#endif
