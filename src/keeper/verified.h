/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside keeper/ only: tokens that were verified lately, so that a client's every request does not ask the keeper's process again.  That a MAC is
 * right does not change; whether the token's time has come or is over is judged at each look.  Holds hashes of tokens and their claims, no
 * token.  Thread-safe, of fixed size: a newer token takes the place of an older one.
 */
#ifndef REEVE_KEEPER_VERIFIED_H
#define REEVE_KEEPER_VERIFIED_H

#include "keeper/keeper.h"

struct verified;

struct verified *verified_new(void);
void verified_free(struct verified *v); /* NULL is allowed */
/* False: it is not known here, or not good at this time. */
bool verified_find(struct verified *v, const char *token, int64_t now, struct token_claims *ret);
void verified_add(struct verified *v, const char *token, const struct token_claims *claims);

#endif
