/* SPDX-License-Identifier: Apache-2.0
 * What SCIM's routes share. */
#ifndef REEVE_API_SCIM_SCIM_H
#define REEVE_API_SCIM_SCIM_H

#include "api/api.h"
#include "directory/provisioning/scim.h"

#define SCIM_TYPE "application/scim+json"

/* "https://host:port/scim/v2", with the tenant where the path names it. */
const char *scim_base(struct call *c);
/* The JSON object of the body; ERR_BAD_SYNTAX, ERR_MEDIA_TYPE. */
MUST_CHECK enum err scim_body(struct call *c, json_t **ret);
/* RFC 7644, section 3.12. */
void scim_error(struct buf *out, enum err err, int status, const char *message);

#endif
