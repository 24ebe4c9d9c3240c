/* SPDX-License-Identifier: Apache-2.0
 *
 * Where something is sent: "host:port", an https URL, the name of a file.  Pure, strict, bounded.  What may be reached is another
 * matter (http/reach.h).
 */
#ifndef REEVE_CODEC_TARGET_H
#define REEVE_CODEC_TARGET_H

#include <stdbool.h>

#include "base/arena.h"

enum { TARGET_BYTES_MAX = 1024, TARGET_FILE_BYTES_MAX = 100 };

struct target {
	char *host; /* a name or an address, without brackets */
	unsigned port;
};

/* "siem.example.org:6514", "192.0.2.1", "[2001:db8::1]:6514": a name (letters, digits, - _ and dots; 253 bytes) or an address, and a
 * port, which may be left out.  False for anything else. */
bool target_host_port(struct arena *a, const char *text, unsigned default_port, struct target *ret);
/* The same of "https://…"; path and query are printable ASCII.  Not http, no user name or password, no fragment. */
bool target_https(struct arena *a, const char *url, struct target *ret);
/* 1 to 100 of A-Z a-z 0-9 . _ - that do not begin with a dot. */
bool target_file_name(const char *text);

#endif
