/* SPDX-License-Identifier: Apache-2.0
 *
 * What the public pages show: whether a tenant takes requests from anybody, and, to whoever gave the right code, how a case stands.
 */
#ifndef REEVE_PRIVACY_REQUEST_PAGE_H
#define REEVE_PRIVACY_REQUEST_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"

/* Of the scope's tenant; false also where there is no such tenant, or it is not open. */
MUST_CHECK enum err request_intake(struct scope *s, bool *ret_open, const char **ret_organisation);

struct request_page {
	const char *organisation, *type, *state, *law, *decision, *reason, *ground, *outcome, *extension_reason; /* in the arena; the last five may be NULL */
	int64_t received_at, due_at, extended_at, delivered_at;
	struct id operation; /* of the answer that can be fetched now; nil: there is none */
	bool exports;        /* it is answered by one */
};
/* ERR_NOT_FOUND. */
MUST_CHECK enum err request_page(struct scope *s, struct id request, struct request_page *ret);

#endif
