/* SPDX-License-Identifier: Apache-2.0
 * What the sign-in pages may know of a tenant before anybody is signed in. */
#ifndef REEVE_DIRECTORY_SIGN_IN_ORGANISATION_H
#define REEVE_DIRECTORY_SIGN_IN_ORGANISATION_H

#include <stdbool.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "directory/sign_in/provider.h"

struct organisation {
	const char *display_name;
	bool local_accounts; /* it has one */
	struct provider *providers; /* the enabled ones, by name */
	size_t provider_n;
};
/* Of the scope's tenant.  ERR_NOT_FOUND where there is none, or it lets nobody in. */
MUST_CHECK enum err organisation_get(struct scope *s, struct organisation *ret);
/* The only tenant of the installation, in a scope without one; *ret_one false: there are several. */
MUST_CHECK enum err organisation_only(struct scope *s, struct id *ret, bool *ret_one);

#endif
