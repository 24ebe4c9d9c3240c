/* SPDX-License-Identifier: Apache-2.0
 *
 * What an open legal hold keeps (privacy/hold makes holds): asked by whatever takes data away, from the lowest layer that does.
 */
#ifndef REEVE_DUTY_KEPT_H
#define REEVE_DUTY_KEPT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "db/db.h"

/* The person, some of their records, or a device of theirs. */
MUST_CHECK enum err kept_person(struct db_tx *tx, struct id user, bool *ret);
/* The device, or its person, whole or in part. */
MUST_CHECK enum err kept_device(struct db_tx *tx, struct id device, bool *ret);
/* Anything of the scope's tenant. */
MUST_CHECK enum err kept_tenant(struct db_tx *tx, bool *ret);

#endif
