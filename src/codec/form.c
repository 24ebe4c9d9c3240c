/* SPDX-License-Identifier: Apache-2.0
 * Forms. */
#include "codec/form.h"

#include <string.h>

#include "codec/odata.h"

static bool text_ok(const char *text, bool lines)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && !(lines && (*text == '\n' || *text == '\t'))) || *text == 0x7f)
			return false;
	return true;
}

/* A browser ends lines with CR LF, and what people paste has blanks around it. */
static char *clean(char *text)
{
	char *begin = text + strspn(text, " \t\r\n"), *to = begin;
	for (char *from = begin; *from != '\0'; from++)
		if (*from != '\r')
			*to++ = *from;
	while (to > begin && strchr(" \t\n", to[-1]) != NULL)
		to--;
	*to = '\0';
	return begin;
}

static bool read_field(struct arena *a, const char *p, size_t n, struct form_field *fields, size_t count)
{
	const char *equals = memchr(p, '=', n);
	size_t name_n = equals != NULL ? (size_t)(equals - p) : n;
	char *name = url_decode(a, p, name_n, true);
	char *value = equals == NULL ? NULL : url_decode(a, equals + 1, n - name_n - 1, true);
	if (name == NULL || value == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(fields[i].name, name) == 0) {
			if (fields[i].value != NULL || strlen(value) > fields[i].max_bytes)
				return false;
			fields[i].value = clean(value);
			return text_ok(fields[i].value, fields[i].lines);
		}
	return true;
}

bool form_parse(struct arena *a, const char *p, size_t n, struct form_field *fields, size_t count)
{
	p = n == 0 ? "" : p;
	const char *end = p + n;
	bool good = true;
	for (size_t i = 0; i < count; i++)
		fields[i].value = NULL;
	while (good && p < end) {
		const char *amp = memchr(p, '&', (size_t)(end - p));
		size_t part = (size_t)((amp != NULL ? amp : end) - p);
		good = part == 0 || read_field(a, p, part, fields, count);
		p += part + (amp != NULL);
	}
	for (size_t i = 0; i < count; i++)
		if (fields[i].value == NULL || !good)
			fields[i].value = "";
	return good;
}
