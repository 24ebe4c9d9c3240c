/* SPDX-License-Identifier: Apache-2.0
 * The relations that $expand can name (relations.def). */
#ifndef REEVE_API_RELATIONS_H
#define REEVE_API_RELATIONS_H

#include "resource/resource.h"

struct api_relation {
	const struct resource *owner;
	const char *permission;
	struct resource_relation relation;
};
const struct api_relation *api_relations(size_t *ret_n);

/* Resolves $expand of q for this actor.  ERR_EXPAND: there is no such relation; ERR_FORBIDDEN: the actor's permissions do not reach it. */
MUST_CHECK enum err relations_resolve(struct scope *s, struct resource_query *q);

#endif
