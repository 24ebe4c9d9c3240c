/* SPDX-License-Identifier: Apache-2.0
 * Inside provisioning/ only: periodic work that looks at one tenant after the other. */
#ifndef REEVE_DIRECTORY_PROVISIONING_EACH_TENANT_H
#define REEVE_DIRECTORY_PROVISIONING_EACH_TENANT_H

#include "base/err.h"
#include "base/scope.h"
#include "db/db.h"

typedef enum err (*each_tenant_fn)(struct scope *t, void *arg);

/* fn in the scope of each tenant that `next` names, a global statement for the one behind ?1.  One that fails does not hold up the others; the
 * first error, with its detail, is returned at the end.  s has no tenant. */
MUST_CHECK enum err each_tenant(struct scope *s, struct db_stmt *next, each_tenant_fn fn, void *arg);

#endif
