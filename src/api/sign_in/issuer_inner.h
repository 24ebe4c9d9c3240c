/* SPDX-License-Identifier: Apache-2.0
 * Inside the issuers only: one call of theirs. */
#ifndef REEVE_API_SIGN_IN_ISSUER_INNER_H
#define REEVE_API_SIGN_IN_ISSUER_INNER_H

#include <jansson.h>

#include "api/sign_in/issuer.h"

struct issuer_call {
	const struct reach *reach;
	const char *ca_file;
	const char *url;
	const char *form, *basic; /* POST where form is not NULL */
};
/* The JSON object that came, the caller's, and the status (any).  ERR_UNAVAILABLE with a detail that names no address. */
MUST_CHECK enum err issuer_call(struct scope *s, const struct issuer_call *c, long *ret_status, json_t **ret);

/* Whether `found`, of a document, is what `configured` stands for (issuer_document()). */
bool issuer_is(const char *configured, const char *found);
/* `pattern` with {tenantid} replaced by tid; the pattern itself where it has none; NULL where it has one and tid is no id. */
const char *issuer_with_tenant(struct arena *a, const char *pattern, const char *tid);

#endif
