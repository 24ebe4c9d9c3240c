/* SPDX-License-Identifier: Apache-2.0
 * Certificates of applications in Graph's shape. */
#ifndef REEVE_API_GRAPH_DIRECTORY_APPLICATION_KEYS_H
#define REEVE_API_GRAPH_DIRECTORY_APPLICATION_KEYS_H

#include "api/api.h"

/* The member keyCredentials; the certificates themselves only where `whole` (who asked for them with $select), as in Graph. */
MUST_CHECK enum err application_keys_write(struct db_tx *tx, struct json_writer *w, struct id application, bool whole);

#endif
