/* SPDX-License-Identifier: Apache-2.0
 *
 * Identifiers: UUIDv7 (RFC 9562) in 16 bytes, so that an index over them grows at its end.
 */
#ifndef REEVE_BASE_ID_H
#define REEVE_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id {
	uint8_t b[16];
};

enum { ID_TEXT = 37 }; /* 36 characters and the terminator */

struct id id_new(int64_t now_us);                  /* UUIDv7: 48 bits of milliseconds, 74 bits of getrandom() */
char *id_format(struct id id, char out[ID_TEXT]);  /* lower case, returns out */
bool id_parse(const char *text, struct id *ret);   /* 36 characters, any case; false leaves *ret */
bool id_equal(struct id a, struct id b);
bool id_is_nil(struct id id);

void random_bytes(void *p, size_t n); /* getrandom(2); aborts where the kernel gives none */
void hex_encode(const void *p, size_t n, char *out /* 2n+1 */);
bool hex_decode(const char *text, size_t bytes, void *out);

#endif
