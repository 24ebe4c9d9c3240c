/* SPDX-License-Identifier: Apache-2.0
 *
 * What the values of an item's properties must look like.  Sources: Debian Policy 5.6.1 and 5.6.12 (package names and
 * versions), IEEE 802.11 (SSID, passphrase), RFC 1123 (host names).
 */
#include "devices/payload_rules.h"

#include <string.h>

#include "crypto/x509.h"
#include "devices/payload.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool only(const char *text, const char *allowed) { return text[strspn(text, allowed)] == '\0'; }

const char *rule_file_path(struct scope *s, const char *text, int64_t number)
{
	return payload_file_path_problem(text);
}

const char *rule_data_path(struct scope *s, const char *text, int64_t number)
{
	return payload_data_path_problem(text);
}

/* No set-user-id, no set-group-id, no sticky bit: an item brings no privileges with it. */
const char *rule_mode(struct scope *s, const char *text, int64_t number)
{
	if (strlen(text) != 4 || text[0] != '0' || !only(text, "01234567"))
		return "is four octal digits, the first of which is 0";
	return NULL;
}

const char *rule_wifi_security(struct scope *s, const char *text, int64_t number)
{
	return strcmp(text, "open") == 0 || strcmp(text, "wpaPersonal") == 0 ? NULL : "is open or wpaPersonal";
}

const char *rule_passphrase(struct scope *s, const char *text, int64_t number)
{
	size_t n = strlen(text);
	if (n < 8 || n > 63)
		return "has 8 to 63 characters";
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			return "is printable ASCII";
	return NULL;
}

const char *rule_host(struct scope *s, const char *text, int64_t number)
{
	size_t label = 0;
	if (!only(text, LOWER UPPER DIGITS "-."))
		return "is a host name or an IPv4 address";
	for (const char *p = text;; p++) {
		if (*p != '.' && *p != '\0') {
			label++;
			continue;
		}
		if (label == 0 || label > 63 || p[-1] == '-' || p[-(ptrdiff_t)label] == '-')
			return "is a host name or an IPv4 address";
		label = 0;
		if (*p == '\0')
			return NULL;
	}
}

const char *rule_port(struct scope *s, const char *text, int64_t number)
{
	return number >= 1 && number <= 65535 ? NULL : "is a port, 1 to 65535";
}

const char *rule_imap(struct scope *s, const char *text, int64_t number)
{
	return strcmp(text, "imap") == 0 ? NULL : "is imap";
}

const char *rule_certificate(struct scope *s, const char *text, int64_t number)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END CERTIFICATE-----";
	struct x509_info info;
	const char *first = strstr(text, begin), *last = first == NULL ? NULL : strstr(first, end);
	if (last == NULL || strstr(last, "-----BEGIN") != NULL || first[strspn(text, " \t\r\n")] == '\0' ||
	    strspn(text, " \t\r\n") != (size_t)(first - text))
		return "is one certificate in PEM and nothing else";
	return x509_read(s, text, &info) == OK ? NULL : "is no certificate that can be read";
}

const char *rule_package(struct scope *s, const char *text, int64_t number)
{
	if (strlen(text) < 2 || !only(text, LOWER DIGITS "+-.") || strchr("+-.", text[0]) != NULL)
		return "is the name of a Debian package";
	return NULL;
}

const char *rule_version(struct scope *s, const char *text, int64_t number)
{
	if (strchr(DIGITS, text[0]) == NULL || !only(text, LOWER UPPER DIGITS ".+-~:"))
		return "is the version of a Debian package";
	return NULL;
}
