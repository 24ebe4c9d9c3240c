/* SPDX-License-Identifier: Apache-2.0
 *
 * The framing guard: decides from a request's target and header lines alone whether two parsers could disagree about
 * where the request ends or whom it addresses (RFC 9112 sections 3.2, 5.1, 6).  Pure: no allocation, no state, nothing
 * of the HTTP library, so that a fuzz target calls it with any bytes.
 */
#ifndef REEVE_HTTP_GUARD_H
#define REEVE_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GUARD_HEADERS_MAX = 128 }; /* lines in one header; browsers and agents send about 20 */

struct guard_header {
	const char *name, *value; /* not terminated */
	size_t name_len, value_len;
};

struct guard_input {
	const struct guard_header *headers;
	size_t count;
	bool need_host; /* every listener but the local socket */
	bool http10;    /* HTTP/1.0 knows no Transfer-Encoding */
};

struct guard_framing {
	bool chunked;
	uint64_t length; /* of the body when it is not chunked */
};

enum guard_verdict {
	GUARD_OK,
	GUARD_TARGET,              /* no path, or a space or control character in it */
	GUARD_NAME,                /* a header name that is no token */
	GUARD_VALUE,               /* a control character in a value */
	GUARD_HOST_MISSING,
	GUARD_HOST_REPEATED,
	GUARD_HOST,                /* a character that no host and port has */
	GUARD_LENGTH_REPEATED,
	GUARD_LENGTH,              /* no plain number that fits 63 bits */
	GUARD_ENCODING,            /* a Transfer-Encoding other than exactly one "chunked" */
	GUARD_LENGTH_AND_ENCODING,
	GUARD_CREDENTIALS_REPEATED, /* two Authorization headers: a proxy and we could each believe another one */
};

/* *ret is filled for GUARD_OK only. */
enum guard_verdict guard_check(const struct guard_input *in, struct guard_framing *ret);
enum guard_verdict guard_target(const char *target);
const char *guard_reason(enum guard_verdict v); /* a sentence for the answer's body */

bool guard_name_is(const struct guard_header *h, const char *name); /* ASCII, any case */
bool guard_name_valid(const char *name, size_t n);                  /* an RFC 9110 token */
bool guard_value_valid(const char *value, size_t n);                /* no control character but tab */

#endif
