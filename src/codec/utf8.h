/* SPDX-License-Identifier: Apache-2.0
 * Well-formed UTF-8 (Unicode, table 3-7): no overlong forms, no surrogates, nothing past U+10FFFF. */
#ifndef REEVE_CODEC_UTF8_H
#define REEVE_CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the well-formed sequence at p, or 0; then *ret_bad is how many bytes one U+FFFD stands for: the longest
 * start of a sequence that could have become well-formed, at least one.  n is at least 1. */
size_t utf8_length(const char *p, size_t n, size_t *ret_bad);
bool utf8_valid(const char *p, size_t n);

#endif
