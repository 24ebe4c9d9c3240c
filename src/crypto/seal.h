/* SPDX-License-Identifier: Apache-2.0
 * Authenticated encryption of small blobs and of whole files: AES-256-GCM.  A sealed blob is nonce (12) || ciphertext
 * || tag (16).  A sealed file is a stream of sealed 64 KiB frames whose associated data carries the frame number and
 * "last" flag, so that truncation and reordering are found. */
#ifndef REEVE_CRYPTO_SEAL_H
#define REEVE_CRYPTO_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { SEAL_KEY_BYTES = 32, SEAL_OVERHEAD = 28 };

void *seal(struct arena *a, const uint8_t key[SEAL_KEY_BYTES], const void *p, size_t n, size_t *ret_n);
/* NULL where the blob is not ours or was changed. */
void *unseal(struct arena *a, const uint8_t key[SEAL_KEY_BYTES], const void *p, size_t n, size_t *ret_n);

/* One frame of such a stream, for those who write it elsewhere: at most SEAL_FRAME bytes of p; out: n + SEAL_OVERHEAD bytes.  A key is of one
 * stream alone. */
enum { SEAL_FRAME = 64 * 1024 };
void seal_frame(const uint8_t key[SEAL_KEY_BYTES], uint64_t number, bool last, const void *p, size_t n, uint8_t *out);
/* n: with the overhead; out: n - SEAL_OVERHEAD bytes.  False: not ours, changed, or in another's place. */
bool unseal_frame(const uint8_t key[SEAL_KEY_BYTES], uint64_t number, bool last, const uint8_t *p, size_t n, uint8_t *out);

/* `to` (0600) is there whole and fsynced, or not at all.  ERR_NOT_FOUND, ERR_STORAGE_FULL, ERR_IO. */
MUST_CHECK enum err seal_file(const uint8_t key[SEAL_KEY_BYTES], const char *from, const char *to);

/* The same, written piece by piece.  After a failure only seal_abandon(). */
struct seal_stream;
MUST_CHECK enum err seal_open(const uint8_t key[SEAL_KEY_BYTES], const char *to, struct seal_stream **ret);
MUST_CHECK enum err seal_write(struct seal_stream *s, const void *p, size_t n);
MUST_CHECK enum err seal_commit(struct seal_stream *s); /* ends s, also where it fails */
void seal_abandon(struct seal_stream *s);               /* ends s; nothing stays; NULL is allowed */

/* Reads a sealed file frame by frame; each call gives the next piece of plain text (0 bytes at the end), which stays
 * until the next call.  ERR_NOT_FOUND; ERR_IO: cannot be read, is not ours, or was changed or cut.  A piece is good
 * once it is returned, the file only once the end is. */
struct unseal_stream;
MUST_CHECK enum err unseal_open(const uint8_t key[SEAL_KEY_BYTES], const char *path, struct unseal_stream **ret);
MUST_CHECK enum err unseal_read(struct unseal_stream *s, const void **ret, size_t *ret_n);
uint64_t unseal_plain_bytes(const struct unseal_stream *s); /* of the whole file, from its size */
void unseal_close(struct unseal_stream *s);                 /* NULL is allowed */

#endif
