/* SPDX-License-Identifier: Apache-2.0
 * What a userPrincipalName looks like: pure rules (user.h). */
#include <string.h>

#include "directory/user.h"

enum { LOCAL_MAX = 64, DOMAIN_MAX = 255, LABEL_MAX = 63 };

/* isalnum() asks the locale; a name that is unique must not. */
static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static const char *local_problem(const char *p, size_t n)
{
	if (n == 0)
		return "nothing stands before the @";
	if (n > LOCAL_MAX)
		return "more than 64 characters stand before the @";
	for (size_t i = 0; i < n; i++) {
		if (!is_alnum(p[i]) && strchr(".-_'!#^~+", p[i]) == NULL)
			return "a character is not allowed before the @ (letters, digits and . - _ ' ! # ^ ~ + are)";
		if (p[i] == '.' && (i == 0 || i + 1 == n || p[i + 1] == '.'))
			return "a dot before the @ must stand between two other characters";
	}
	return NULL;
}

/* A host name (RFC 1123); one label is enough, for organisations without a public domain. */
static const char *domain_problem(const char *p)
{
	if (strlen(p) > DOMAIN_MAX)
		return "the domain is longer than 255 characters";
	for (;;) {
		size_t n = strcspn(p, ".");
		if (n == 0 || n > LABEL_MAX || p[0] == '-' || p[n - 1] == '-')
			return "what follows the @ is not a domain name";
		for (size_t i = 0; i < n; i++)
			if (!is_alnum(p[i]) && p[i] != '-')
				return "what follows the @ is not a domain name";
		if (p[n] == '\0')
			return NULL;
		p += n + 1;
	}
}

const char *upn_problem(const char *upn)
{
	const char *at = strchr(upn, '@');
	if (at == NULL)
		return "it has no @";
	if (strchr(at + 1, '@') != NULL)
		return "it has more than one @";
	const char *why = local_problem(upn, (size_t)(at - upn));
	return why != NULL ? why : domain_problem(at + 1);
}

char *upn_key(struct arena *a, const char *upn)
{
	char *key = arena_strdup(a, upn);
	for (char *p = key; *p != '\0'; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return key;
}
