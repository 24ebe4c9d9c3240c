/* SPDX-License-Identifier: Apache-2.0
 * Base64 (RFC 4648): standard alphabet with padding, and the URL alphabet without; base32 for keys that people type. */
#ifndef REEVE_CODEC_BASE64_H
#define REEVE_CODEC_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"

char *base64_encode(struct arena *a, const void *p, size_t n);
char *base64url_encode(struct arena *a, const void *p, size_t n);
char *base32_encode(struct arena *a, const void *p, size_t n); /* RFC 4648, section 6, without padding */
void base64_add(struct buf *out, const void *p, size_t n); /* appends the standard form */
/* Strict: no white space, right padding (standard) or none (URL), no stray bits.  False on anything else, and where the
 * arena's limit is passed.  The bytes are followed by a NUL that *ret_n does not count. */
bool base64_decode(struct arena *a, const char *text, size_t n, void **ret, size_t *ret_n);
bool base64url_decode(struct arena *a, const char *text, size_t n, void **ret, size_t *ret_n);

#endif
