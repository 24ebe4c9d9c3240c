/* SPDX-License-Identifier: Apache-2.0
 * Shared by scim.c, scim_change.c and list.c. */
#ifndef REEVE_DIRECTORY_PROVISIONING_SCIM_INTERNAL_H
#define REEVE_DIRECTORY_PROVISIONING_SCIM_INTERNAL_H

#include "codec/json.h"
#include "directory/provisioning/rows.h"
#include "directory/provisioning/scim.h"

/* The document of one visible object; ERR_NOT_FOUND.  The caller owns it. */
MUST_CHECK enum err scim_load(struct db_tx *tx, enum scim_resource r, struct id id, const char *base, json_t **ret);
/* One resource of an answer, projected (which empties parts of the document), with a group's members. */
MUST_CHECK enum err scim_write(struct db_tx *tx, enum scim_resource r, struct id id, const char *base, const struct scim_projection *p, json_t *doc,
			       struct json_writer *w);

#endif
