/* SPDX-License-Identifier: Apache-2.0
 * Inside keeper/ only: one key for each use and object, all from export.key. */
#ifndef REEVE_KEEPER_SEALING_H
#define REEVE_KEEPER_SEALING_H

#include "keeper/vault/vault.h"

/* HMAC(export.key, label || object).  label: a constant of ours. */
void sealing_key(const struct vault *k, const char *label, struct id object, uint8_t key[SHA256_BYTES]);

#endif
