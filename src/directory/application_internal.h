/* SPDX-License-Identifier: Apache-2.0
 * Shared by application.c, application_secret.c and application_sign_in.c. */
#ifndef REEVE_DIRECTORY_APPLICATION_INTERNAL_H
#define REEVE_DIRECTORY_APPLICATION_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/digest.h"
#include "directory/application.h"

enum { SECRET_BYTES = 32, SECRET_HINT = 3 };

void secret_hash(const char *text, uint8_t out[SHA256_BYTES]);
/* The one answer to a client that is not let in.  name: of one that exists, whose log gets the event, NULL otherwise. */
enum err sign_in_refuse(struct scope *s, struct id client, const char *name, const char *why);
/* The claims of a token of the application, which is on record as having signed in. */
MUST_CHECK enum err sign_in_grant(struct scope *s, struct id application, const char *name, struct id credential, struct token_claims *ret);
/* Draws a secret for the application and inserts it; the event is the caller's. */
MUST_CHECK enum err secret_issue(struct db_tx *tx, struct application_secret *secret);

#endif
