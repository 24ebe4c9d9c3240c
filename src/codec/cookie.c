/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/cookie.h"

#include <string.h>

const char *cookie_find(struct arena *a, const char *header, const char *name)
{
	const char *found = NULL;
	size_t len = strlen(name);
	if (header == NULL || strnlen(header, COOKIE_HEADER_MAX + 1) > COOKIE_HEADER_MAX)
		return NULL;
	for (const char *p = header; *p != '\0';) {
		p += strspn(p, "; ");
		size_t n = strcspn(p, ";");
		if (n > len && strncmp(p, name, len) == 0 && p[len] == '=') {
			if (found != NULL)
				return NULL;
			found = arena_strndup(a, p + len + 1, n - len - 1);
		}
		p += n;
	}
	return found != NULL && *found != '\0' ? found : NULL;
}
