/* SPDX-License-Identifier: Apache-2.0
 * The certificate authority and its roll-over.  ca.key belongs to the first certificate of ca.pem; the certificates
 * after it no longer sign but are trusted until they expire.  A roll-over must change two files at once: it writes
 * ca-next.key, then ca-next.pem, which is the moment it counts, then renames both; open finishes a roll-over that
 * counted and drops one that did not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/newfile.h"
#include "keeper/vault/vault.h"

enum { AUTHORITIES_MAX = 16 };
#define CA_FILE_MAX (128 * KIB)
#define CA_ARENA (1 * MIB)

static const char cert_begin[] = "-----BEGIN CERTIFICATE-----";
static const char cert_end[] = "-----END CERTIFICATE-----\n";

/* A new authority; the key's text is the caller's to wipe_free(). */
static enum err make(const char *ca_name, int64_t now_us, struct x509_pair *ret)
{
	struct arena *a = arena_new(CA_ARENA);
	struct x509_pair pair;
	enum err e = x509_make_ca(a, ca_name, now_us, CA_DAYS, &pair);
	if (e == OK) {
		ret->key_pem = strdup(pair.key_pem);
		ret->cert_pem = strdup(pair.cert_pem);
		check(ret->key_pem != NULL && ret->cert_pem != NULL);
		wipe(pair.key_pem, strlen(pair.key_pem));
	}
	arena_free(a);
	return e;
}

static enum err put_pair(int dir, const char *key_name, const char *cert_name, const struct x509_pair *pair)
{
	TRY(newfile_put(dir, key_name, pair->key_pem, strlen(pair->key_pem)));
	return newfile_put(dir, cert_name, pair->cert_pem, strlen(pair->cert_pem));
}

enum err ca_create(int dir, const char *ca_name, int64_t now_us, char **detail)
{
	struct x509_pair pair;
	enum err e = make(ca_name, now_us, &pair);
	if (e == ERR_BAD_REQUEST)
		return vault_fail(detail, e, "the name of the certificate authority must be 1 to 64 bytes of UTF-8");
	if (e != OK)
		return vault_fail(detail, e, "the certificate authority could not be made");
	e = put_pair(dir, "ca.key", "ca.pem", &pair);
	wipe_free(pair.key_pem);
	free(pair.cert_pem);
	return e == OK ? OK : vault_fail(detail, e, "the certificate authority could not be written");
}

static bool rename_within(int dir, const char *from, const char *to)
{
	return renameat(dir, from, dir, to) == 0 || errno == ENOENT;
}

/* Finishes or drops what a crash, or a failed roll-over, left. */
static enum err finish_roll(int dir)
{
	if (faccessat(dir, "ca-next.pem", F_OK, 0) != 0)
		return unlinkat(dir, "ca-next.key", 0) == 0 || errno == ENOENT ? OK : ERR_IO;
	bool done = rename_within(dir, "ca-next.key", "ca.key") && rename_within(dir, "ca-next.pem", "ca.pem") &&
		    fsync(dir) == 0;
	return done ? OK : ERR_IO;
}

enum err ca_open(struct ca *ca, int dir, char **detail)
{
	size_t n;
	if (finish_roll(dir) != OK)
		return vault_fail(detail, ERR_IO, "the roll-over of the certificate authority cannot be finished");
	TRY(vault_file_read(dir, "ca.key", CA_FILE_MAX, &ca->pair.key_pem, &n, detail));
	TRY(vault_file_read(dir, "ca.pem", CA_FILE_MAX, &ca->pair.cert_pem, &n, detail));
	if (!x509_key_matches(ca->pair.cert_pem, ca->pair.key_pem))
		return vault_fail(detail, ERR_CONFIG,
				   "the keeper's files ca.key and ca.pem are damaged or do not belong together");
	return OK;
}

void ca_close(struct ca *ca)
{
	wipe_free(ca->pair.key_pem);
	free(ca->pair.cert_pem);
	ca->pair = (struct x509_pair){0};
}

char *vault_ca_pem(struct vault *k, struct arena *a)
{
	check(pthread_rwlock_rdlock(&k->ca.lock) == 0);
	char *pem = arena_strdup(a, k->ca.pair.cert_pem);
	pthread_rwlock_unlock(&k->ca.lock);
	return pem;
}

/* The library would sign with an expired authority, and nobody would trust the result. */
static enum err check_signer(struct vault *k, struct scope *s)
{
	struct x509_info info;
	TRY(x509_read(s, k->ca.pair.cert_pem, &info));
	if (info.not_after_us <= s->now)
		return scope_fail(s, ERR_CONFIG, "the certificate authority has expired: roll it over");
	return OK;
}

enum err vault_issue_server(struct vault *k, struct scope *s, const struct x509_name *name, int days,
			     struct x509_pair *ret)
{
	check(pthread_rwlock_rdlock(&k->ca.lock) == 0);
	enum err e = check_signer(k, s);
	if (e == OK)
		e = x509_make_server(s->arena, &k->ca.pair, name, s->now, days, ret);
	pthread_rwlock_unlock(&k->ca.lock);
	if (e == ERR_BAD_REQUEST)
		return scope_fail(
			s, e, "a server certificate needs a name of 1 to 64 bytes, valid host names and IP addresses");
	return e;
}

enum err vault_issue_device(struct vault *k, struct scope *s, const char *csr_pem, struct id tenant, struct id device,
			     int days, char **ret_cert_pem, uint8_t ret_fingerprint[32], int64_t *ret_not_after_us)
{
	check(pthread_rwlock_rdlock(&k->ca.lock) == 0);
	enum err e = check_signer(k, s);
	if (e == OK)
		e = x509_sign_request(s, &k->ca.pair, csr_pem, tenant, device, days, ret_cert_pem, ret_fingerprint,
				      ret_not_after_us);
	pthread_rwlock_unlock(&k->ca.lock);
	return e;
}

/* ---- roll-over ---- */

/* The new certificate and, after it, those of the old text that have not expired. */
static enum err join(struct scope *s, const char *new_pem, const char *old_pem, struct buf *out)
{
	int count = 1;
	buf_adds(out, new_pem);
	const char *at = old_pem;
	while ((at = strstr(at, cert_begin)) != NULL) {
		const char *end = strstr(at, cert_end);
		if (end == NULL)
			break;
		end += sizeof cert_end - 1;
		char *one = arena_strndup(s->arena, at, (size_t)(end - at));
		struct x509_info info;
		TRY(x509_read(s, one, &info));
		at = end;
		if (info.not_after_us <= s->now)
			continue;
		buf_adds(out, one);
		if (++count > AUTHORITIES_MAX)
			return scope_fail(s, ERR_LIMIT, "%d certificate authorities are trusted already",
					  AUTHORITIES_MAX);
	}
	return out->failed ? scope_fail(s, ERR_LIMIT, "the certificates of the authorities are too long") : OK;
}

static enum err roll_locked(struct vault *k, struct scope *s, struct x509_pair *pair)
{
	auto_buf all;
	buf_init(&all, CA_FILE_MAX);
	TRY(join(s, pair->cert_pem, k->ca.pair.cert_pem, &all));
	free(pair->cert_pem);
	pair->cert_pem = buf_steal(&all, NULL);
	enum err e = finish_roll(k->dir);
	if (e == OK)
		e = put_pair(k->dir, "ca-next.key", "ca-next.pem", pair);
	if (e == OK)
		e = finish_roll(k->dir);
	if (e != OK)
		return scope_fail(s, e, "the new certificate authority could not be written");
	ca_close(&k->ca);
	k->ca.pair = *pair;
	*pair = (struct x509_pair){0};
	return OK;
}

/* The second place must be there before, and has the new authority after; where it is lost in between it gets it when it is back. */
static enum err roll_both(struct vault *k, struct scope *s, struct x509_pair *pair)
{
	char *detail = NULL;
	enum err e = copy_ready(k, &detail);
	if (e != OK) {
		e = scope_fail(s, e, "%s", detail != NULL ? detail : err_text(e));
		free(detail);
		return e;
	}
	check(pthread_rwlock_wrlock(&k->ca.lock) == 0);
	e = roll_locked(k, s, pair);
	pthread_rwlock_unlock(&k->ca.lock);
	if (e == OK && copy_authority(k) != OK)
		copy_lost(k);
	return e;
}

enum err vault_ca_roll(struct vault *k, struct scope *s, const char *ca_name)
{
	struct x509_pair pair;
	enum err e = make(ca_name, s->now, &pair);
	if (e != OK)
		return scope_fail(s, e, "the name of the certificate authority must be 1 to 64 bytes of UTF-8");
	check(pthread_mutex_lock(&k->both) == 0);
	e = roll_both(k, s, &pair);
	pthread_mutex_unlock(&k->both);
	wipe_free(pair.key_pem);
	free(pair.cert_pem);
	return e;
}
