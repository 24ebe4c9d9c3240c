/* SPDX-License-Identifier: Apache-2.0
 * The Cookie header of a request (RFC 6265, section 4.2.1).  Pure, bounded. */
#ifndef REEVE_CODEC_COOKIE_H
#define REEVE_CODEC_COOKIE_H

#include "base/arena.h"

enum { COOKIE_HEADER_MAX = 16 * 1024 };

/* The value of the one cookie of that name, in the arena.  NULL: none, an empty one, or two, for then somebody else has set one of them.  header may
 * be NULL; one longer than COOKIE_HEADER_MAX has none. */
const char *cookie_find(struct arena *a, const char *header, const char *name);

#endif
