/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a tenant lets exports of people be sent: a list of https origins, each with the beginning of a path.  An address that is not below one of
 * them gets nothing; with an empty list none does.  Whether the server may reach its host at all is another matter (http/reach.h).
 */
#ifndef REEVE_PRIVACY_STORAGE_LOCATION_H
#define REEVE_PRIVACY_STORAGE_LOCATION_H

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "resource/resource.h"

enum { STORAGE_LOCATIONS_MAX = 100 }; /* of a tenant */

/* The record is of the resource "storageLocation".  ERR_BAD_REQUEST: no https URL, or one with a query, a dot segment or an encoded slash;
 * ERR_EXISTS; ERR_LIMIT. */
MUST_CHECK enum err storage_location_create(struct scope *s, const struct record *r, struct id *ret);
MUST_CHECK enum err storage_location_delete(struct scope *s, struct id location);

/* Whether an address is on the list, in the transaction's tenant.  ERR_FORBIDDEN with a detail that does not repeat it: it may hold a key. */
MUST_CHECK enum err storage_location_check(struct db_tx *tx, const char *url);
/* The same in a transaction of its own. */
MUST_CHECK enum err storage_location_allowed(struct scope *s, const char *url);

/* Whether `url` is below `prefix`: the same origin (names in any case, 443 where no port stands), and whole segments of the path, up to a query.
 * Pure. */
bool storage_location_covers(struct arena *a, const char *prefix, const char *url);

#endif
