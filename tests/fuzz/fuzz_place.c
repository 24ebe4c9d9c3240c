/* SPDX-License-Identifier: Apache-2.0
 * A place in the log (auditEvents/delta's tokens) is refused, or is the one text of what it says, for its filter and its tenant alone.  Input: the
 * filter, a line end, and the token, as it came and as what base64url would hide. */
#include "fuzz.h"

#include "audit/audit_tail.h"
#include "codec/base64.h"

static void one(struct scope *s, const char *token, const char *filter)
{
	struct audit_place p, other;
	if (!audit_place_read(s, token, filter, &p))
		return;
	check(p.generation > 0 && strcmp(audit_place_write(s, &p, filter), token) == 0);
	check(!audit_place_read(s, token, arena_printf(s->arena, "%s ", filter), &other));
	s->tenant.b[0] ^= 1;
	check(!audit_place_read(s, token, filter, &other));
	s->tenant.b[0] ^= 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > LIMIT_URL_BYTES)
		return 0;
	struct scope *s = fuzz_scope();
	char *text = arena_strndup(s->arena, (const char *)bytes, n), *filter = strsep(&text, "\n");
	struct audit_place p;
	if (text == NULL)
		return 0;
	one(s, text, filter);
	one(s, base64url_encode(s->arena, text, strlen(text)), filter);
	p = (struct audit_place){.generation = n + 1, .index = n * n};
	check(audit_place_read(s, audit_place_write(s, &p, filter), filter, &p) && p.generation == n + 1 && p.index == n * n);
	return 0;
}
