/* SPDX-License-Identifier: Apache-2.0
 * Inside crypto/ only: the algorithms, fetched once for the process, and one set of contexts for each thread.  Fetching
 * and allocating for every call halves the speed of a short hash. */
#ifndef REEVE_CRYPTO_THREAD_H
#define REEVE_CRYPTO_THREAD_H

#include "crypto/openssl.h"

struct crypto_thread {
	EVP_MD_CTX *md;
	EVP_MAC_CTX *hmac; /* HMAC with SHA-256 */
	EVP_CIPHER_CTX *cipher;
};

struct crypto_thread *crypto_thread(void); /* never NULL; freed when the thread ends */
const EVP_MD *crypto_sha256(void);
const EVP_CIPHER *crypto_aes_256_gcm(void);

#endif
