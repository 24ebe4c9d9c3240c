/* SPDX-License-Identifier: Apache-2.0
 *
 * From method and path to a row of routes.def.  Pure.
 */
#ifndef REEVE_API_ROUTER_H
#define REEVE_API_ROUTER_H

#include <stddef.h>

#include "api/api.h"
#include "base/arena.h"

struct route_match {
	const struct route *route; /* NULL: no such path (or, with other_method, no such method on it) */
	bool other_method;         /* the path exists with another method: 405 */
	enum error_form form;      /* of the row; where there is none, of rows whose first segment is the path's */
	bool count;                /* a collection's row, and the path goes on with /$count */
	bool malformed;            /* bad percent-encoding or quoting */
	char allow[64];            /* with other_method: its methods, for the Allow header */
	enum api_version version;
	struct {
		const char *name, *value;
	} param[CALL_PARAMS_MAX];
	size_t param_count;
};

/* Matches over a table.  HEAD is answered by GET's row; below a path with {v}, /$count behind it by the row of the path without it. */
void route_find(struct arena *a, const struct route *table, size_t n, enum route_listener on, const char *method, const char *path,
		struct route_match *ret);

#endif
