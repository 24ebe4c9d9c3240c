/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses of peers and the networks of trusted proxies.  IPv4 is kept as IPv4-mapped IPv6, so that one comparison
 * serves both and a dual-stack listener's "::ffff:192.0.2.1" is 192.0.2.1.  Pure.
 */
#ifndef REEVE_HTTP_ADDRESS_H
#define REEVE_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT = 46 }; /* INET6_ADDRSTRLEN */

struct address {
	uint8_t b[16];
};

struct network {
	struct address base;
	unsigned bits; /* of the 128 */
};

bool address_of(const struct sockaddr *sa, struct address *ret); /* false: neither IPv4 nor IPv6 */
/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1" or "[2001:db8::1]:80" */
bool address_parse(const char *text, size_t n, struct address *ret);
char *address_format(const struct address *a, char out[ADDRESS_TEXT]); /* returns out */
bool address_equal(const struct address *a, const struct address *b);

bool network_parse(const char *text, struct network *ret); /* "192.0.2.0/24", "fd00::/8" or an address alone */
bool network_has(const struct network *n, const struct address *a);

/* The client behind trusted proxies.  `forwarded` are the X-Forwarded-For values, in the order of the header lines.
 * While the nearest known hop is trusted, the next entry from the right is believed; an entry that is no address ends
 * the walk, because nothing left of it can be believed either. */
struct address address_client(struct address peer, const struct network *trusted, size_t trusted_count,
	const char *const *forwarded, size_t forwarded_count);

#endif
