/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/verified.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 2048 };

struct verified {
	pthread_mutex_t lock;
	struct place {
		uint8_t hash[SHA256_BYTES];
		struct token_claims claims; /* expires_us 0: an empty place */
	} places[PLACES];
};

struct verified *verified_new(void)
{
	struct verified *v = calloc(1, sizeof *v);
	check(v != NULL && pthread_mutex_init(&v->lock, NULL) == 0);
	return v;
}

void verified_free(struct verified *v)
{
	if (v == NULL)
		return;
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static struct place *place_of(struct verified *v, const uint8_t hash[SHA256_BYTES])
{
	return &v->places[(hash[0] << 8 | hash[1]) % PLACES];
}

bool verified_find(struct verified *v, const char *token, int64_t now, struct token_claims *ret)
{
	uint8_t hash[SHA256_BYTES];
	sha256(token, strlen(token), hash);
	check(pthread_mutex_lock(&v->lock) == 0);
	const struct place *p = place_of(v, hash);
	bool found = now >= p->claims.issued_us && now < p->claims.expires_us && memcmp(p->hash, hash, sizeof hash) == 0;
	if (found)
		*ret = p->claims;
	pthread_mutex_unlock(&v->lock);
	return found;
}

void verified_add(struct verified *v, const char *token, const struct token_claims *claims)
{
	uint8_t hash[SHA256_BYTES];
	sha256(token, strlen(token), hash);
	check(pthread_mutex_lock(&v->lock) == 0);
	struct place *p = place_of(v, hash);
	memcpy(p->hash, hash, sizeof hash);
	p->claims = *claims;
	pthread_mutex_unlock(&v->lock);
}
