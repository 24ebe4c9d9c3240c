/* SPDX-License-Identifier: Apache-2.0
 * The route table, made from routes.def. */
#include "api/api.h"
#include "base/limits.h"

#define ROUTE(listener, method, path, access, permission, activity, body, handler) enum err handler(struct call *c);
#include "api/routes.def"
#undef ROUTE

#define FORM_OF(access) ((access) == ACCESS_SCIM ? FORM_SCIM : (access) == ACCESS_OAUTH ? FORM_OAUTH : FORM_GRAPH)

static const struct route ROUTES[] = {
#define ROUTE(listener_, method_, path_, access_, permission_, activity_, body_, handler_)                                      \
	{.method = method_, .path = path_, .permission = permission_, .listener = listener_, .access = access_, .form = FORM_OF(access_),                 \
	 .activity = activity_, .body_bytes = body_, .handler = handler_, .handler_name = #handler_},
#include "api/routes.def"
#undef ROUTE
};

const struct route *route_table(size_t *ret_n)
{
	*ret_n = sizeof ROUTES / sizeof ROUTES[0];
	return ROUTES;
}

bool route_is_public(const struct route *r)
{
	return r->access == ACCESS_PUBLIC || r->access == ACCESS_OAUTH;
}
