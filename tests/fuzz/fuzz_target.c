/* SPDX-License-Identifier: Apache-2.0
 * Targets of sinks: whatever is accepted is a host of harmless bytes and a port, comes back from its own text, and its file name is no path.
 * The same text as the setting sink_targets makes a list or names what is wrong with it.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "codec/target.h"
#include "http/reach.h"

enum { INPUT_MAX = 4096 };

static void check_host(const struct target *t)
{
	static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
	size_t n = strlen(t->host);
	check(n > 0 && n <= 253 && strspn(t->host, harmless) == n && t->port > 0 && t->port <= 65535);
}

static void check_again(struct arena *a, const struct target *t)
{
	struct target again;
	const char *format = strchr(t->host, ':') != NULL ? "[%s]:%u" : "%s:%u";
	char *text = arena_printf(a, format, t->host, t->port);
	check(target_host_port(a, text, 1, &again) && strcmp(again.host, t->host) == 0 && again.port == t->port);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena *a = fuzz_scope()->arena;
	struct target t;
	char *bad;
	if (n > INPUT_MAX)
		return 0;
	char *text = arena_strndup(a, (const char *)bytes, n);
	if (target_host_port(a, text, 6514, &t)) {
		check_host(&t);
		check_again(a, &t);
	}
	if (target_https(a, text, &t)) {
		check_host(&t);
		check(strchr(text, '@') == NULL || strcspn(text, "@") > strcspn(text + 8, "/?") + 8); /* no user before the host */
	}
	if (target_file_name(text))
		check(strchr(text, '/') == NULL && strcmp(text, "..") != 0 && strlen(text) <= TARGET_FILE_BYTES_MAX);
	struct reach *r = reach_new(text, &bad);
	check((r == NULL) == (bad != NULL));
	if (r != NULL)
		reach_may_allow(r, text);
	free(bad);
	reach_free(r);
	return 0;
}
