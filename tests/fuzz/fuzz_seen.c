/* SPDX-License-Identifier: Apache-2.0
 * Any text as the file of heads that were seen: refused with its name, or every head in it is found again. */
#include "fuzz.h"

#include "cmd/audit_seen.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct scope *s = fuzz_scope();
	struct seen seen;
	if (n > 64 * KIB)
		return 0;
	enum err e = seen_parse(s, "heads", arena_strndup(s->arena, (const char *)bytes, n), &seen);
	if (e != OK) {
		check(e == ERR_CONFIG && strncmp(s->detail, "heads: ", 7) == 0);
		return 0;
	}
	for (size_t i = 0; i < seen.n; i++) {
		check(seen_find(&seen, seen.head[i].origin) != NULL && strchr(seen.head[i].vkey, ' ') == NULL);
		const struct seen_head *other = seen_sibling(&seen, seen.head[i].origin);
		check(other == NULL || strcmp(other->origin, seen.head[i].origin) != 0);
		(void)seen_later(&seen, seen.head[i].origin);
	}
	return 0;
}
