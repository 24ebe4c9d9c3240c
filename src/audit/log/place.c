/* SPDX-License-Identifier: Apache-2.0
 * base64url of "1.<generation>.<index>.<first 16 hex digits of SHA-256(tenant || filter)>". */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit_tail.h"
#include "codec/base64.h"
#include "crypto/digest.h"

enum { BOUND_BYTES = 8, DIGITS_MAX = 18, PLACE_TEXT_MAX = 128 };

static void bind(const struct scope *s, const char *filter, char ret[2 * BOUND_BYTES + 1])
{
	uint8_t hash[SHA256_BYTES];
	const char *text = filter != NULL ? filter : "";
	struct digest_part parts[] = {{s->tenant.b, sizeof s->tenant.b}, {text, strlen(text)}};
	sha256_parts(parts, 2, hash);
	hex_encode(hash, BOUND_BYTES, ret);
}

char *audit_place_write(struct scope *s, const struct audit_place *p, const char *filter)
{
	char bound[2 * BOUND_BYTES + 1];
	bind(s, filter, bound);
	const char *text = arena_printf(s->arena, "1.%" PRIu64 ".%" PRIu64 ".%s", p->generation, p->index, bound);
	return base64url_encode(s->arena, text, strlen(text));
}

/* Digits and a dot, without leading zeros: one place has one text. */
static bool number(const char **at, uint64_t *ret)
{
	size_t n = strspn(*at, "0123456789");
	if (n == 0 || n > DIGITS_MAX || (n > 1 && **at == '0') || (*at)[n] != '.')
		return false;
	*ret = strtoull(*at, NULL, 10);
	*at += n + 1;
	return true;
}

bool audit_place_read(struct scope *s, const char *text, const char *filter, struct audit_place *ret)
{
	char bound[2 * BOUND_BYTES + 1];
	void *bytes;
	size_t n;
	if (strlen(text) > PLACE_TEXT_MAX || !base64url_decode(s->arena, text, strlen(text), &bytes, &n))
		return false;
	const char *at = arena_strndup(s->arena, bytes, n);
	if (strlen(at) != n || strncmp(at, "1.", 2) != 0)
		return false;
	at += 2;
	bind(s, filter, bound);
	return number(&at, &ret->generation) && ret->generation > 0 && number(&at, &ret->index) && strcmp(at, bound) == 0;
}
