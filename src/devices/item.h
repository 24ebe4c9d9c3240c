/* SPDX-License-Identifier: Apache-2.0
 *
 * What the organisation provides: device configurations and mobile apps.  Both are items: a type (@odata.type) with
 * properties of its own (payload.def), a version that grows with every change, and groups that they are assigned to.  A
 * change, an assignment and its end reach the devices at their next check-in.
 *
 * Every function that changes is one transaction with its event.
 */
#ifndef REEVE_DEVICES_ITEM_H
#define REEVE_DEVICES_ITEM_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"
#include "resource/resource.h"

struct item_kind; /* what differs between the two */
extern const struct item_kind item_configuration, item_app;

const struct resource *item_resource(const struct item_kind *k);

/* body: Graph's entity with @odata.type.  ERR_BAD_REQUEST with a detail naming the property. */
MUST_CHECK enum err item_create(struct scope *s, const struct item_kind *k, const json_t *body, enum api_version v,
				struct id *ret);
/* @odata.type, where given, must be the item's own. */
MUST_CHECK enum err item_patch(struct scope *s, const struct item_kind *k, struct id item, const json_t *body,
			       enum api_version v);
/* Its assignments go with it, in the same event; devices take it back. */
MUST_CHECK enum err item_delete(struct scope *s, const struct item_kind *k, struct id item);

/* The `more` of a resource_query over items: the type's own properties, secrets as null.  arg: the item_kind. */
enum err item_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id item, void *arg);

/* Replaces the set of groups:
 * {"assignments":[{"target":{"@odata.type":"#microsoft.graph.groupAssignmentTarget","groupId":…}}]} or
 * {"mobileAppAssignments":[{"intent":"required","target":…}]}.  The event has the group ids before and after; the same
 * set: no event. */
MUST_CHECK enum err item_assign(struct scope *s, const struct item_kind *k, struct id item, const json_t *body);
/* ERR_NOT_FOUND unless the item is there: for the list of its assignments. */
MUST_CHECK enum err item_exists(struct scope *s, const struct item_kind *k, struct id item);

#endif
