/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside devices/: what differs between configurations and apps, and an item as it is stored.
 */
#ifndef REEVE_DEVICES_ITEM_KIND_H
#define REEVE_DEVICES_ITEM_KIND_H

#include "devices/item.h"
#include "devices/payload.h"
#include "resource/tables.h"

struct item_kind {
	const char *type, *noun;
	const struct resource *res;
	enum activity created, updated, deleted, assigned;
	struct db_stmt *stored, *set, *remove;
	const char *assignments; /* the member of assign's body */
	bool with_intent;        /* its entries have an intent, of which only "required" is understood */
};

struct item {
	struct id id;
	enum payload_type type;
	int64_t version;
	const char *name, *payload;
};

/* ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err item_load(struct db_tx *tx, const struct item_kind *k, struct id item, struct item *ret);
MUST_CHECK enum err item_record(struct db_tx *tx, const struct item_kind *k, enum activity activity, struct id item,
				const char *name, const struct audit_change *changes);

/* Ends all assignments of an item.  *ret_groups: the group ids as the event has them; NULL: there were none. */
MUST_CHECK enum err assignments_remove(struct db_tx *tx, const struct item_kind *k, struct id item,
				       const char **ret_groups);

#endif
