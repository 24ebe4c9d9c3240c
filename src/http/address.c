/* SPDX-License-Identifier: Apache-2.0
 * Addresses, networks and the walk through X-Forwarded-For. */
#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void from_v4(const void *four, struct address *ret)
{
	memcpy(ret->b, MAPPED, sizeof MAPPED);
	memcpy(ret->b + sizeof MAPPED, four, 4);
}

bool address_of(const struct sockaddr *sa, struct address *ret)
{
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in v4;
		memcpy(&v4, sa, sizeof v4);
		from_v4(&v4.sin_addr, ret);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, sa, sizeof v6);
		memcpy(ret->b, &v6.sin6_addr, sizeof ret->b);
		return true;
	}
	return false;
}

/* Cuts "[v6]:port", "[v6]" and "v4:port" down to the address. */
static void strip_port(const char **text, size_t *n)
{
	const char *s = *text;
	if (*n > 0 && s[0] == '[') {
		const char *end = memchr(s, ']', *n);
		if (end != NULL) {
			*text = s + 1;
			*n = (size_t)(end - s - 1);
		}
		return;
	}
	const char *colon = memchr(s, ':', *n);
	if (colon != NULL && memchr(colon + 1, ':', *n - (size_t)(colon + 1 - s)) == NULL)
		*n = (size_t)(colon - s);
}

bool address_parse(const char *text, size_t n, struct address *ret)
{
	char copy[ADDRESS_TEXT];
	uint8_t four[4];
	strip_port(&text, &n);
	if (n == 0 || n >= sizeof copy || memchr(text, '\0', n) != NULL)
		return false;
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (inet_pton(AF_INET, copy, four) == 1) {
		from_v4(four, ret);
		return true;
	}
	return inet_pton(AF_INET6, copy, ret->b) == 1;
}

char *address_format(const struct address *a, char out[ADDRESS_TEXT])
{
	if (memcmp(a->b, MAPPED, sizeof MAPPED) == 0)
		inet_ntop(AF_INET, a->b + sizeof MAPPED, out, ADDRESS_TEXT);
	else
		inet_ntop(AF_INET6, a->b, out, ADDRESS_TEXT);
	return out;
}

bool address_equal(const struct address *a, const struct address *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static bool parse_bits(const char *text, unsigned max, unsigned *ret)
{
	unsigned n = 0;
	size_t len = strlen(text);
	if (len == 0 || len > 3)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned)(*text - '0');
	}
	*ret = n;
	return n <= max;
}

bool network_parse(const char *text, struct network *ret)
{
	struct network n = {.bits = 128};
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	if (!address_parse(text, len, &n.base))
		return false;
	if (slash != NULL) {
		bool v4 = memchr(text, ':', len) == NULL;
		if (!parse_bits(slash + 1, v4 ? 32 : 128, &n.bits))
			return false;
		n.bits += v4 ? 96 : 0;
	}
	*ret = n;
	return true;
}

bool network_has(const struct network *n, const struct address *a)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	if (memcmp(n->base.b, a->b, whole) != 0)
		return false;
	return rest == 0 || (n->base.b[whole] ^ a->b[whole]) >> (8 - rest) == 0;
}

static bool is_trusted(const struct address *a, const struct network *trusted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (network_has(&trusted[i], a))
			return true;
	return false;
}

/* Takes the right-most entry off the list text[0..*n). */
static bool pop_entry(const char *text, size_t *n, struct address *ret)
{
	size_t end = *n, start;
	while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t'))
		end--;
	for (start = end; start > 0 && text[start - 1] != ',';)
		start--;
	*n = start > 0 ? start - 1 : 0;
	while (start < end && (text[start] == ' ' || text[start] == '\t'))
		start++;
	return address_parse(text + start, end - start, ret);
}

struct address address_client(struct address peer, const struct network *trusted, size_t trusted_count,
	const char *const *forwarded, size_t forwarded_count)
{
	struct address client = peer;
	for (size_t i = forwarded_count; i > 0; i--) {
		size_t left = strlen(forwarded[i - 1]);
		while (left > 0) {
			struct address hop;
			if (!is_trusted(&client, trusted, trusted_count) || !pop_entry(forwarded[i - 1], &left, &hop))
				return client;
			client = hop;
		}
	}
	return client;
}
