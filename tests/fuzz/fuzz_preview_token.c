/* SPDX-License-Identifier: Apache-2.0
 * A preview's $skiptoken is refused, or holds a value of the right type for each column of the section's key and comes back from writing.  Input: the
 * section's name, a line break, the token's JSON. */
#include "fuzz.h"

#include "codec/base64.h"
#include "privacy/disclosure/preview.h"

static void read(struct scope *s, const struct map_path *path, const char *token)
{
	struct db_value key[HELD_KEY_MAX], again[HELD_KEY_MAX];
	if (!preview_token_read(s->arena, path, token, key))
		return;
	check(preview_token_read(s->arena, path, preview_token_write(s->arena, path, key), again));
	for (size_t i = 0; i < held_key_count(path); i++) {
		check(key[i].type == again[i].type && key[i].i == again[i].i && key[i].n == again[i].n && key[i].type != DB_NULL);
		check(key[i].n == 0 || memcmp(key[i].p, again[i].p, key[i].n) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > LIMIT_URL_BYTES)
		return 0;
	struct scope *s = fuzz_scope();
	char *text = arena_strndup(s->arena, (const char *)bytes, n), *section = strsep(&text, "\n");
	const struct map_path *path = section_path(section);
	if (text == NULL || path == NULL)
		return 0;
	read(s, path, text); /* as it came */
	read(s, path, base64url_encode(s->arena, text, strlen(text)));
	return 0;
}
