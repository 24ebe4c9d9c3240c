/* SPDX-License-Identifier: Apache-2.0
 *
 * The installation's birth, for `reeve init`: the tenant with the nil id, its operator, the first tenant and its administrator.
 */
#ifndef REEVE_DIRECTORY_INSTALLATION_H
#define REEVE_DIRECTORY_INSTALLATION_H

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "directory/application.h"
#include "keeper/keeper.h"

/* The tokens that `reeve init` prints, and the secrets behind them, outlive the longest audit retention (730 days).  Removing the secret
 * (removePassword) revokes its token at once. */
#define INSTALLATION_TOKEN_US (800 * DAY_US)

struct installation {
	struct id tenant; /* the first one */
	struct application_secret operator_secret, administrator_secret;
	struct token_claims operator_claims, administrator_claims; /* for keeper_token_issue() */
};

/* s is the system's scope.  ERR_EXISTS where the database has been initialised; then nothing is changed. */
MUST_CHECK enum err installation_init(struct scope *s, const char *tenant_display_name, struct installation *ret);

/* The operator's: another one, with a secret that is shown once; or one less.  ERR_CONFLICT: nobody removes themselves. */
MUST_CHECK enum err installation_add_operator(struct scope *s, const char *display_name, struct application_secret *ret);
MUST_CHECK enum err installation_remove_operator(struct scope *s, struct id application);

/* The operator's (a scope of the nil tenant): a new certificate authority signs from now on, the old one stays trusted until it expires.
 * Devices get the set of trusted authorities with their next certificate. */
MUST_CHECK enum err installation_roll_ca(struct scope *s, const char *host);

#endif
