/* SPDX-License-Identifier: Apache-2.0
 * Names of issuers.  Microsoft Entra ID has some that stand for many tenants: their documents say {tenantid} where the token's tid is meant. */
#include <string.h>

#include "api/sign_in/issuer_inner.h"

static const char PLACE[] = "{tenantid}";

/* Whether `found` is `configured` with {tenantid} for the word, which stands between slashes. */
static bool is_between(const char *configured, const char *found, const char *word)
{
	const char *at = strstr(configured, word), *place = strstr(found, PLACE);
	if (at == NULL || place == NULL)
		return false;
	size_t head = (size_t)(at - configured) + 1; /* with the slash before the word */
	return (size_t)(place - found) == head && strncmp(configured, found, head) == 0 &&
	       strcmp(at + strlen(word) - 1, place + sizeof PLACE - 1) == 0;
}

bool issuer_is(const char *configured, const char *found)
{
	return strcmp(configured, found) == 0 || is_between(configured, found, "/common/") || is_between(configured, found, "/organizations/");
}

const char *issuer_with_tenant(struct arena *a, const char *pattern, const char *tid)
{
	struct id id;
	const char *at = strstr(pattern, PLACE);
	if (at == NULL)
		return pattern;
	if (!id_parse(tid, &id))
		return NULL;
	return arena_printf(a, "%.*s%s%s", (int)(at - pattern), pattern, tid, at + sizeof PLACE - 1);
}
