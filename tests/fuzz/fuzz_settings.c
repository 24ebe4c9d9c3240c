/* SPDX-License-Identifier: Apache-2.0
 * Any reeve.conf is refused with the number of its line, or its settings are within their bounds; any URL and address to listen on has a
 * host and a port, or is none. */
#include <stdio.h>

#include "fuzz.h"

#include "cmd/settings.h"

static const long BOUNDS_INT = 1, BOUNDS_TEXT = 0;

static void one(const char *name, bool number, const char *text, long v, long least, long most)
{
	if (number)
		check(v >= least && v <= most && name != NULL);
	else
		check(strchr(text, '\n') == NULL && (*text == '\0' || (text[0] != ' ' && text[strlen(text) - 1] != ' ')));
}

#define TEXT_OF_TEXT(v) (v)
#define TEXT_OF_INT(v) NULL
#define LONG_OF_TEXT(v) 0
#define LONG_OF_INT(v) (v)

static void bounds(const struct settings *s)
{
#define SETTING(name, type, fallback, least, most, help) \
	one(#name, BOUNDS_##type, TEXT_OF_##type(s->name), LONG_OF_##type(s->name), least, most);
#include "cmd/settings.def"
#undef SETTING
}

static void address(struct arena *a, const char *text)
{
	char *host = NULL;
	unsigned port = 70000;
	if (listen_split(a, text, &host, &port))
		check(host != NULL && strlen(host) < strlen(text) && port <= 65535);
	host = NULL;
	if (url_split(a, text, &host, &port)) {
		check(strncmp(text, "https://", 8) == 0 && host != NULL && port > 0 && port <= 65535);
		check(strpbrk(host, "/?# @") == NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct settings s;
	char *detail = NULL;
	if (n > 64 * KIB)
		return 0;
	struct arena *a = fuzz_scope()->arena;
	const char *text = arena_strndup(a, (const char *)bytes, n);
	address(a, text);
	enum err e = settings_parse(a, arena_strdup(a, text), "reeve.conf", &s, &detail);
	if (e == OK)
		bounds(&s);
	else
		check(e == ERR_CONFIG && detail != NULL && strncmp(detail, "reeve.conf:", 11) == 0);
	return 0;
}
