/* SPDX-License-Identifier: Apache-2.0
 * Targets from text. */
#include "codec/target.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { NAME_BYTES_MAX = 253, LABEL_BYTES_MAX = 63 };

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of 1 to 63 bytes with a dot between; one may stand at the end.  An IPv4 address has this form too. */
static bool is_name(const char *s, size_t n)
{
	size_t label = 0;
	if (n == 0 || n > NAME_BYTES_MAX || s[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '.' && label == 0)
			return false;
		if (s[i] != '.' && (!is_name_byte(s[i]) || label == LABEL_BYTES_MAX))
			return false;
		label = s[i] == '.' ? 0 : label + 1;
	}
	return true;
}

/* Whether it is an address is decided where it is used; a zone ("%eth0") is none of an address. */
static bool is_v6(const char *s, size_t n)
{
	bool colon = false;
	for (size_t i = 0; i < n; i++) {
		if (!isxdigit((unsigned char)s[i]) && s[i] != ':' && s[i] != '.')
			return false;
		colon |= s[i] == ':';
	}
	return colon && n <= 45;
}

static bool parse_port(const char *s, size_t n, unsigned *ret)
{
	unsigned port = 0;
	if (n == 0 || n > 5 || s[0] == '0')
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		port = port * 10 + (unsigned)(s[i] - '0');
	}
	*ret = port;
	return port <= 65535;
}

static bool parse_authority(struct arena *a, const char *s, size_t n, unsigned default_port, struct target *ret)
{
	const char *host = s, *after;
	size_t host_n;
	if (n > 0 && s[0] == '[') {
		const char *end = memchr(s, ']', n);
		if (end == NULL || !is_v6(s + 1, (size_t)(end - s - 1)))
			return false;
		host = s + 1;
		host_n = (size_t)(end - host);
		after = end + 1;
	} else {
		const char *colon = memchr(s, ':', n);
		host_n = colon == NULL ? n : (size_t)(colon - s);
		if (!is_name(s, host_n))
			return false;
		after = s + host_n;
	}
	size_t left = n - (size_t)(after - s);
	ret->port = default_port;
	if (left > 0 && (*after != ':' || !parse_port(after + 1, left - 1, &ret->port)))
		return false;
	ret->host = arena_strndup(a, host, host_n);
	return true;
}

bool target_host_port(struct arena *a, const char *text, unsigned default_port, struct target *ret)
{
	size_t n = strlen(text);
	return n <= TARGET_BYTES_MAX && parse_authority(a, text, n, default_port, ret);
}

bool target_https(struct arena *a, const char *url, struct target *ret)
{
	static const char scheme[] = "https://";
	size_t n = strlen(url), at = sizeof scheme - 1;
	if (n > TARGET_BYTES_MAX || strncasecmp(url, scheme, at) != 0)
		return false;
	for (const char *c = url; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("#\\\"<>^`{|}", *c) != NULL)
			return false;
	return parse_authority(a, url + at, strcspn(url + at, "/?"), 443, ret);
}

bool target_file_name(const char *text)
{
	size_t n = strlen(text);
	if (n == 0 || n > TARGET_FILE_BYTES_MAX || text[0] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_name_byte(text[i]) && text[i] != '.')
			return false;
	return true;
}
