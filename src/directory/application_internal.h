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
/* Draws a secret for the application and inserts it; the event is the caller's. */
MUST_CHECK enum err secret_issue(struct db_tx *tx, struct application_secret *secret);

#endif
