/* SPDX-License-Identifier: Apache-2.0
 * Client certificates that were found good, so that a device which checks in again costs a hash instead of two
 * verifications.  What is remembered is what the full check says of the same bytes, the same authorities and any time
 * in the window: whether the certificate was revoked is asked of the database each time, above.  Bounded: a place is
 * given by the hash, and the newer one takes it. */
#include <pthread.h>
#include <string.h>

#include "crypto/digest.h"
#include "crypto/x509_inner.h"

enum { SEEN_MAX = 4096 }; /* times 152 bytes, of which only touched pages are in memory */

static struct seen {
	uint8_t key[SHA256_BYTES];
	int64_t from_us, until_us; /* [from, until); both 0: empty */
	struct x509_info info;
} seen[SEEN_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct seen *place(const uint8_t key[SHA256_BYTES])
{
	return &seen[(key[0] << 8 | key[1]) % SEEN_MAX];
}

void x509_seen_key(const char *ca_pem, const void *der, size_t n, uint8_t out[SHA256_BYTES])
{
	struct digest_part parts[] = {{ca_pem, strlen(ca_pem) + 1}, {der, n}}; /* the NUL parts them */
	sha256_parts(parts, 2, out);
}

bool x509_seen(const uint8_t key[SHA256_BYTES], int64_t now_us, struct x509_info *ret)
{
	const struct seen *at = place(key);
	pthread_mutex_lock(&lock);
	bool found = at->from_us <= now_us && now_us < at->until_us && memcmp(at->key, key, sizeof at->key) == 0;
	if (found)
		*ret = at->info;
	pthread_mutex_unlock(&lock);
	return found;
}

void x509_seen_add(const uint8_t key[SHA256_BYTES], int64_t from_us, int64_t until_us, const struct x509_info *info)
{
	struct seen *at = place(key);
	pthread_mutex_lock(&lock);
	*at = (struct seen){.from_us = from_us, .until_us = until_us, .info = *info};
	memcpy(at->key, key, sizeof at->key);
	pthread_mutex_unlock(&lock);
}
