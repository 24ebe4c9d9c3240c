/* SPDX-License-Identifier: Apache-2.0
 *
 * What a password must not be: short, one of those that are tried first, or the account's own name (NIST SP 800-63B, section 5.1.1.2: length and a
 * list, no rules about kinds of characters).
 */
#include <ctype.h>
#include <string.h>

#include "codec/utf8.h"
#include "crypto/password.h"
#include "directory/sign_in/account.h"

static const char *const COMMON_PARTS[] = {
#define COMMON(text) text,
#include "directory/sign_in/common_passwords.def"
#undef COMMON
};
enum { DIFFERENT = 5 /* characters, at least */ };

static size_t characters(const char *p, size_t n)
{
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)p[i] & 0xc0) != 0x80;
	return count;
}

static bool few_different(const char *p)
{
	bool seen[256] = {false};
	unsigned n = 0;
	for (; *p != '\0'; p++) {
		n += !seen[(unsigned char)*p];
		seen[(unsigned char)*p] = true;
	}
	return n < DIFFERENT;
}

/* How much of what p begins with is common; the longest. */
static size_t common_start(const char *p, const char *own)
{
	size_t longest = 0, own_n = strlen(own);
	if (own_n > 2 && strncmp(p, own, own_n) == 0)
		longest = own_n;
	for (size_t i = 0; i < sizeof COMMON_PARTS / sizeof COMMON_PARTS[0]; i++) {
		size_t n = strlen(COMMON_PARTS[i]);
		if (n > longest && strncmp(p, COMMON_PARTS[i], n) == 0)
			longest = n;
	}
	return longest;
}

/* Nothing is left but digits and signs, and few of these. */
static bool only_common(const char *p, const char *own)
{
	bool any = false;
	size_t digits = 0, n;
	for (; *p != '\0'; p += n) {
		n = common_start(p, own);
		any = any || n > 0;
		if (n > 0)
			continue;
		if (isalpha((unsigned char)*p) || (unsigned char)*p >= 0x80)
			return false;
		digits += isdigit((unsigned char)*p) != 0;
		n = 1;
	}
	return any ? digits <= 8 : true;
}

/* Each character is one more, one less, or the same as the one before. */
static bool is_row(const char *p)
{
	size_t breaks = 0, n = strlen(p);
	for (size_t i = 1; i < n; i++) {
		int step = (unsigned char)p[i] - (unsigned char)p[i - 1];
		breaks += step < -1 || step > 1;
	}
	return breaks * 4 < n;
}

static bool is_repeated(const char *p, size_t n)
{
	for (size_t unit = 1; unit <= 6 && unit < n; unit++)
		if (memcmp(p, p + unit, n - unit) == 0)
			return true;
	return false;
}

static void lower_to(char *to, size_t room, const char *from, size_t n)
{
	size_t i = 0;
	for (; i < n && i + 1 < room; i++)
		to[i] = (char)tolower((unsigned char)from[i]);
	to[i] = '\0';
}

const char *password_problem(const char *password, const char *upn)
{
	char lower[PASSWORD_BYTES_MAX + 1], own[65], whole[400];
	size_t n = strnlen(password, PASSWORD_BYTES_MAX + 1), name_n = upn != NULL ? strcspn(upn, "@") : 0;
	if (n > PASSWORD_BYTES_MAX)
		return "It is too long.";
	if (!utf8_valid(password, n))
		return "It holds bytes that are no characters.";
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)password[i] < ' ' || password[i] == 0x7f)
			return "It holds a control character.";
	if (n > 0 && (password[0] == ' ' || password[n - 1] == ' '))
		return "It begins or ends with a blank.";
	if (characters(password, n) < PASSWORD_CHARACTERS)
		return "It needs at least 12 characters. A sentence is a good password.";
	lower_to(lower, sizeof lower, password, n);
	lower_to(own, sizeof own, upn, name_n);
	lower_to(whole, sizeof whole, upn, upn != NULL ? strlen(upn) : 0);
	if (*whole != '\0' && strstr(lower, whole) != NULL)
		return "It is too easy to guess: it holds your user name.";
	if (few_different(lower) || is_row(lower) || is_repeated(lower, n) || only_common(lower, own))
		return "It is too easy to guess: passwords like this one are tried first.";
	return NULL;
}
