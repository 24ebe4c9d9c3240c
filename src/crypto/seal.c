/* SPDX-License-Identifier: Apache-2.0
 * AES-256-GCM over blobs and files.  Every seal draws a fresh 96-bit nonce at random, so a key may be used for 2^32
 * blobs or frames (NIST SP 800-38D, 8.3); a key of a file is of that file alone (keeper).  A blob has no associated
 * data, a frame has 22 bytes: neither can be taken for the other. */
#include "crypto/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/id.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/newfile.h"
#include "crypto/thread.h"

enum { NONCE = 12, TAG = 16, FRAME = SEAL_FRAME, SEALED_FRAME = FRAME + SEAL_OVERHEAD };
_Static_assert(NONCE + TAG == SEAL_OVERHEAD, "what a seal adds");

#define FRAME_LABEL "reeve/file/v1" /* 13 bytes, then the number in 8 and the flag in 1 */
enum { FRAME_AD = sizeof FRAME_LABEL - 1 + 8 + 1 };

/* out: n + SEAL_OVERHEAD bytes. */
static void seal_into(const uint8_t *key, const void *ad, size_t ad_n, const void *p, size_t n, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = crypto_thread()->cipher;
	int done = 0;
	check(n <= INT_MAX);
	random_bytes(out, NONCE);
	check(EVP_EncryptInit_ex2(ctx, crypto_aes_256_gcm(), key, out, NULL) == 1);
	if (ad_n > 0)
		check(EVP_EncryptUpdate(ctx, NULL, &done, ad, (int)ad_n) == 1);
	if (n > 0)
		check(EVP_EncryptUpdate(ctx, out + NONCE, &done, p, (int)n) == 1 && done == (int)n);
	check(EVP_EncryptFinal_ex(ctx, out + NONCE + n, &done) == 1 && done == 0);
	check(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, out + NONCE + n) == 1);
	EVP_CIPHER_CTX_reset(ctx); /* wipes the key schedule */
}

/* out: n - SEAL_OVERHEAD bytes, wiped where it is refused. */
static bool unseal_into(const uint8_t *key, const void *ad, size_t ad_n, const uint8_t *p, size_t n, uint8_t *out)
{
	if (n < SEAL_OVERHEAD || n > INT_MAX)
		return false;
	EVP_CIPHER_CTX *ctx = crypto_thread()->cipher;
	int done = 0, body = (int)n - SEAL_OVERHEAD;
	uint8_t tag[TAG];
	memcpy(tag, p + NONCE + body, TAG);
	check(EVP_DecryptInit_ex2(ctx, crypto_aes_256_gcm(), key, p, NULL) == 1);
	if (ad_n > 0)
		check(EVP_DecryptUpdate(ctx, NULL, &done, ad, (int)ad_n) == 1);
	if (body > 0)
		check(EVP_DecryptUpdate(ctx, out, &done, p + NONCE, body) == 1 && done == body);
	check(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1);
	uint8_t none[TAG];
	bool good = EVP_DecryptFinal_ex(ctx, none, &done) == 1;
	EVP_CIPHER_CTX_reset(ctx);
	if (!good)
		wipe(out, (size_t)body);
	return good;
}

void *seal(struct arena *a, const uint8_t key[SEAL_KEY_BYTES], const void *p, size_t n, size_t *ret_n)
{
	uint8_t *out = arena_alloc(a, n + SEAL_OVERHEAD);
	seal_into(key, NULL, 0, p, n, out);
	*ret_n = n + SEAL_OVERHEAD;
	return out;
}

void *unseal(struct arena *a, const uint8_t key[SEAL_KEY_BYTES], const void *p, size_t n, size_t *ret_n)
{
	if (n < SEAL_OVERHEAD)
		return NULL;
	/* One byte more: text gets a terminator, and no text is not NULL. */
	uint8_t *out = arena_try(a, n - SEAL_OVERHEAD + 1);
	if (out == NULL || !unseal_into(key, NULL, 0, p, n, out))
		return NULL;
	*ret_n = n - SEAL_OVERHEAD;
	return out;
}

/* ---- files ---- */

static void frame_ad(uint8_t ad[FRAME_AD], uint64_t number, bool last)
{
	size_t n = sizeof FRAME_LABEL - 1;
	memcpy(ad, FRAME_LABEL, n);
	for (int i = 0; i < 8; i++)
		ad[n++] = (uint8_t)(number >> (56 - 8 * i));
	ad[n] = last;
}

void seal_frame(const uint8_t key[SEAL_KEY_BYTES], uint64_t number, bool last, const void *p, size_t n, uint8_t *out)
{
	uint8_t ad[FRAME_AD];
	frame_ad(ad, number, last);
	seal_into(key, ad, sizeof ad, p, n, out);
}

bool unseal_frame(const uint8_t key[SEAL_KEY_BYTES], uint64_t number, bool last, const uint8_t *p, size_t n, uint8_t *out)
{
	uint8_t ad[FRAME_AD];
	frame_ad(ad, number, last);
	return unseal_into(key, ad, sizeof ad, p, n, out);
}

/* Up to n bytes; fewer only at the end of the file.  Negative: errno. */
static ssize_t read_full(int fd, uint8_t *p, size_t n)
{
	size_t have = 0;
	while (have < n) {
		ssize_t got = read(fd, p + have, n - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

struct seal_stream {
	uint8_t key[SEAL_KEY_BYTES];
	struct newfile to;
	uint64_t number;
	size_t n; /* bytes in plain, which is sealed when more follow, because a frame says whether it is the last */
	uint8_t plain[FRAME];
	uint8_t sealed[SEALED_FRAME];
};

static void end_stream(struct seal_stream *s)
{
	wipe(s->key, sizeof s->key);
	wipe(s->plain, sizeof s->plain);
	free(s);
}

enum err seal_open(const uint8_t key[SEAL_KEY_BYTES], const char *to, struct seal_stream **ret)
{
	struct seal_stream *s = calloc(1, sizeof *s);
	check(s != NULL);
	memcpy(s->key, key, sizeof s->key);
	enum err e = newfile_begin(&s->to, AT_FDCWD, to);
	if (e != OK) {
		end_stream(s);
		return e;
	}
	*ret = s;
	return OK;
}

static enum err put_frame(struct seal_stream *s, bool last)
{
	seal_frame(s->key, s->number++, last, s->plain, s->n, s->sealed);
	size_t n = s->n + SEAL_OVERHEAD;
	s->n = 0;
	return newfile_write(&s->to, s->sealed, n);
}

enum err seal_write(struct seal_stream *s, const void *p, size_t n)
{
	const uint8_t *from = p;
	while (n > 0) {
		if (s->n == FRAME)
			TRY(put_frame(s, false));
		size_t take = FRAME - s->n < n ? FRAME - s->n : n;
		memcpy(s->plain + s->n, from, take);
		s->n += take;
		from += take;
		n -= take;
	}
	return OK;
}

void seal_abandon(struct seal_stream *s)
{
	if (s == NULL)
		return;
	newfile_abandon(&s->to);
	end_stream(s);
}

enum err seal_commit(struct seal_stream *s)
{
	enum err e = put_frame(s, true);
	if (e != OK) {
		seal_abandon(s);
		return e;
	}
	e = newfile_commit(&s->to);
	end_stream(s);
	return e;
}

static enum err seal_all(int from, struct seal_stream *to)
{
	enum err e = OK;
	ssize_t n = 1;
	uint8_t *piece = malloc(FRAME);
	check(piece != NULL);
	while (e == OK && n > 0) {
		n = read_full(from, piece, FRAME);
		e = n < 0 ? ERR_IO : seal_write(to, piece, (size_t)n);
	}
	wipe(piece, FRAME);
	free(piece);
	return e;
}

enum err seal_file(const uint8_t key[SEAL_KEY_BYTES], const char *from, const char *to)
{
	struct seal_stream *s;
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_from_errno(errno);
	enum err e = seal_open(key, to, &s);
	if (e == OK) {
		e = seal_all(fd, s);
		if (e == OK)
			e = seal_commit(s);
		else
			seal_abandon(s);
	}
	close(fd);
	return e;
}

struct unseal_stream {
	uint8_t key[SEAL_KEY_BYTES];
	int fd;
	uint64_t number, frames, plain_bytes;
	uint8_t sealed[SEALED_FRAME];
	uint8_t plain[FRAME];
};

/* How many frames a file of this size has; 0 where no sealed file has this size. */
static uint64_t frames_of(uint64_t size)
{
	uint64_t frames = (size + SEALED_FRAME - 1) / SEALED_FRAME, rest = size % SEALED_FRAME;
	if (frames == 0 || (rest > 0 && rest < SEAL_OVERHEAD))
		return 0;
	return frames;
}

enum err unseal_open(const uint8_t key[SEAL_KEY_BYTES], const char *path, struct unseal_stream **ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return err_from_errno(errno);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || frames_of((uint64_t)st.st_size) == 0) {
		close(fd);
		return ERR_IO;
	}
	struct unseal_stream *s = calloc(1, sizeof *s);
	check(s != NULL);
	s->fd = fd;
	s->frames = frames_of((uint64_t)st.st_size);
	s->plain_bytes = (uint64_t)st.st_size - s->frames * SEAL_OVERHEAD;
	memcpy(s->key, key, sizeof s->key);
	*ret = s;
	return OK;
}

enum err unseal_read(struct unseal_stream *s, const void **ret, size_t *ret_n)
{
	*ret = s->plain;
	*ret_n = 0;
	if (s->number == s->frames)
		return OK;
	bool last = s->number + 1 == s->frames;
	ssize_t n = read_full(s->fd, s->sealed, SEALED_FRAME);
	if (n < 0 || (!last && n != SEALED_FRAME))
		return ERR_IO;
	if (!unseal_frame(s->key, s->number, last, s->sealed, (size_t)n, s->plain))
		return ERR_IO;
	s->number++;
	*ret_n = (size_t)n - SEAL_OVERHEAD;
	return OK;
}

uint64_t unseal_plain_bytes(const struct unseal_stream *s)
{
	return s->plain_bytes;
}

void unseal_close(struct unseal_stream *s)
{
	if (s == NULL)
		return;
	close(s->fd);
	wipe(s, sizeof *s);
	free(s);
}
