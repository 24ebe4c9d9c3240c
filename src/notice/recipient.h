/* SPDX-License-Identifier: Apache-2.0
 *
 * Recipients: who creates, changes and deletes whom a tenant (or the installation, the nil tenant) has told of erasures and of alarms.
 *
 * A target is an https URL, or a mail address.  It stands in the log and in every answer: it is no place for a secret.
 */
#ifndef REEVE_NOTICE_RECIPIENT_H
#define REEVE_NOTICE_RECIPIENT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "resource/resource.h"

enum { RECIPIENTS_PER_TENANT = 16, RECIPIENT_SECRET_MIN = 16, RECIPIENT_SECRET_MAX = 256 };

struct recipient_request {
	const struct record *r; /* of RES_RECIPIENT */
	const char *secret;     /* of a webhook's signatures; NULL: not given */
	bool (*may_reach)(const void *arg, const char *host); /* what can be said before a name is resolved; NULL: anything */
	const void *arg;
};

/* ERR_BAD_REQUEST: an unfit target, secret or certificate, a target that may not be reached, or one that receives nothing; ERR_CONFLICT: there
 * are RECIPIENTS_PER_TENANT. */
MUST_CHECK enum err recipient_create(struct scope *s, const struct recipient_request *q, struct id *ret);
/* The kind stays; a secret that is given replaces the old one at once. */
MUST_CHECK enum err recipient_patch(struct scope *s, struct id recipient, const struct recipient_request *q);
/* ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err recipient_exists(struct scope *s, struct id recipient);
/* What is on its way to it fails. */
MUST_CHECK enum err recipient_delete(struct scope *s, struct id recipient);

#endif
