/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing byte buffer on the heap that cannot be made without its maximum.  Once an append does not fit (maximum, or no
 * memory) the buffer is `failed`, keeps what it had and ignores further appends: append freely, check once at the end.
 */
#ifndef REEVE_BASE_BUF_H
#define REEVE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* NUL-terminated when len > 0; NULL when empty */
	size_t len, cap, max;
	bool failed;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_release(struct buf *b);
void buf_clear(struct buf *b); /* empty and reusable */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *buf_steal(struct buf *b, size_t *ret_len); /* the caller frees; the buffer is empty again */

#define auto_buf __attribute__((cleanup(buf_release))) struct buf

#endif
