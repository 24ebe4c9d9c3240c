/* SPDX-License-Identifier: Apache-2.0
 * The fetched algorithms and the contexts of a thread.  The only state of the process that crypto/ has: written once,
 * then read.  A library without SHA-256, HMAC or AES-GCM, or without memory for a context, is no ground to go on:
 * check() ends the process. */
#include "crypto/thread.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/err.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static EVP_MD *sha256_algorithm;
static EVP_MAC *hmac_algorithm;
static EVP_CIPHER *gcm_algorithm;

/* The pthread key exists for its destructor; the look-up goes through this variable, which is faster. */
static _Thread_local struct crypto_thread *mine;

static void thread_end(void *p)
{
	struct crypto_thread *t = p;
	EVP_MD_CTX_free(t->md);
	EVP_MAC_CTX_free(t->hmac);
	EVP_CIPHER_CTX_free(t->cipher);
	free(t);
	mine = NULL;
}

static void fetch(void)
{
	sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	hmac_algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
	gcm_algorithm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	check(sha256_algorithm != NULL && hmac_algorithm != NULL && gcm_algorithm != NULL);
	check(pthread_key_create(&thread_key, thread_end) == 0);
}

const EVP_MD *crypto_sha256(void)
{
	check(pthread_once(&once, fetch) == 0);
	return sha256_algorithm;
}

const EVP_CIPHER *crypto_aes_256_gcm(void)
{
	check(pthread_once(&once, fetch) == 0);
	return gcm_algorithm;
}

static struct crypto_thread *thread_begin(void)
{
	check(pthread_once(&once, fetch) == 0);
	struct crypto_thread *t = calloc(1, sizeof *t);
	check(t != NULL);
	t->md = EVP_MD_CTX_new();
	t->hmac = EVP_MAC_CTX_new(hmac_algorithm);
	t->cipher = EVP_CIPHER_CTX_new();
	check(t->md != NULL && t->hmac != NULL && t->cipher != NULL);
	/* The digest stays with the context; each use sets only its key. */
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
			       OSSL_PARAM_construct_end()};
	check(EVP_MAC_CTX_set_params(t->hmac, params) == 1);
	check(pthread_setspecific(thread_key, t) == 0);
	return t;
}

struct crypto_thread *crypto_thread(void)
{
	if (mine == NULL)
		mine = thread_begin();
	return mine;
}
