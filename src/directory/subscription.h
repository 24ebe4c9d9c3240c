/* SPDX-License-Identifier: Apache-2.0
 *
 * The products that a tenant has, on record: Reeve's own (deviceManagement) and others that share its directory.  Their life is
 * subscription_states.def.  Device management that stops being active, or the last active product, closes the tenant; device management
 * that is active again reopens it (tenant.h).
 */
#ifndef REEVE_DIRECTORY_SUBSCRIPTION_H
#define REEVE_DIRECTORY_SUBSCRIPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"

#define PRODUCT_DEVICE_MANAGEMENT "deviceManagement"
enum { SUBSCRIPTION_LICENSES_MAX = 10 * 1000 * 1000 };

/* What is recorded.  Optional members keep what was there: trial -1, licenses 0, sku nil, ends_at 0. */
struct subscription_order {
	const char *product, *status;
	int trial;
	int64_t licenses;
	struct id sku;
	int64_t ends_at; /* of an Enabled one: when it expires */
};

/* Of the tenant itself, or the operator's of any.  The first record of a product is Enabled.  ERR_BAD_REQUEST: a name, a status or a number
 * that cannot be; ERR_CONFLICT: not from this status (subscription_states.def), too many of them, or the tenant's data is going already. */
MUST_CHECK enum err subscription_set(struct scope *s, struct id tenant, const struct subscription_order *o);

/* Moves on what is due, of all tenants (system scope). */
MUST_CHECK enum err subscription_run_due(struct scope *s, bool *ret_more);

struct subscription_state {
	const char *status, *called, *management; /* Enabled; Active; active */
	bool active;
	int days;
	const char *next;
};
const struct subscription_state *subscription_states(size_t *ret_n);
const struct subscription_state *subscription_state(const char *status); /* NULL: there is none */
bool subscription_may_move(const char *from, const char *to);            /* by hand */

/* deviceManagementSubscriptionState of the scope's tenant: "active", "lockedOut" …; "deleted" where nothing is on record. */
MUST_CHECK enum err subscription_of_management(struct scope *s, const char **ret);
/* The list of one plan that a subscription stands for: Graph's servicePlanInfo, as an array. */
MUST_CHECK enum err subscription_write_plans(struct db_tx *tx, struct json_writer *w, struct id subscription);

#endif
