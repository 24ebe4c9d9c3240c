/* SPDX-License-Identifier: Apache-2.0
 *
 * How many searches that ask row after row of a large tenant run at once: two of a tenant, four of all.  Each takes a worker and a reader for
 * seconds, and the workers are everybody's.
 */
#ifndef REEVE_DIRECTORY_PROVISIONING_SEARCHES_H
#define REEVE_DIRECTORY_PROVISIONING_SEARCHES_H

#include <stdbool.h>

#include "base/id.h"

/* A search that has asked so many rows needs a place to go on: searches of small tenants need none. */
enum { SCIM_ROWS_FREE = 5000 };

bool scim_search_enter(struct id tenant); /* false: there is no place now */
void scim_search_leave(struct id tenant); /* once for each that entered */

#endif
