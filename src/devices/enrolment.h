/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment: what a person is told before, and what happens when they agree.  Both calls are made by nobody that is
 * authenticated yet: the token says the tenant and the user, and from there on the scope is bound to the tenant and
 * acts as that user.
 */
#ifndef REEVE_DEVICES_ENROLMENT_H
#define REEVE_DEVICES_ENROLMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "devices/certificate.h"
#include "devices/terms.h"

struct enrolment_notice {
	const char *organisation;       /* in the arena, as all below */
	bool company;
	const char *const *collects;    /* NULL-terminated sentences of collects.def: what this device will report */
	const char *const *never;       /* what is never collected */
	const struct terms *terms;
	size_t terms_n;
};

struct accepted_terms {
	struct id terms;
	int64_t version;
};

struct enrolment_request {
	const char *token, *csr_pem;
	const struct accepted_terms *accepted;
	size_t accepted_n;
	/* all but the first may be NULL */
	const char *device_name, *manufacturer, *model, *serial_number, *os_name, *os_version;
	bool provisioning;              /* false: inventory only */
};

struct enrolment {
	struct id device;
	bool company;
	int64_t sync_seconds;
	struct issued_certificate certificate;
};

/* s: without a tenant; bound to the token's from then on.  ERR_UNAUTHENTICATED for a token that is unknown, used or
 * expired. */
MUST_CHECK enum err enrolment_notice(struct scope *s, const char *token, struct enrolment_notice *ret);

/* One transaction: token used, terms accepted (an event each), device and certificate made (DEVICE_ENROLL).
 * ERR_PRECONDITION where a term is not accepted in its current version, ERR_FORBIDDEN for a user who is disabled or
 * being erased, ERR_BAD_REQUEST for the certificate request. */
MUST_CHECK enum err device_enrol(struct scope *s, const struct enrolment_request *r, struct enrolment *ret);

#endif
