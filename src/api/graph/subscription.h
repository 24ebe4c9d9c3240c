/* SPDX-License-Identifier: Apache-2.0
 * PUT of a subscription: a tenant's own, or the operator's of any tenant. */
#ifndef REEVE_API_GRAPH_SUBSCRIPTION_H
#define REEVE_API_GRAPH_SUBSCRIPTION_H

#include "api/api.h"

MUST_CHECK enum err subscription_put(struct call *c, struct id tenant);

#endif
