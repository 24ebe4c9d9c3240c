/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/disclosure/reason.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

enum { MAP_ONLY = 0, ANSWER = REASON_ANSWER, HIDE = REASON_HIDE, SHOW = REASON_SHOW };
enum { TOLD, QUIET };

static const struct reason table[] = {
#define REASON(code_, text_, use_, fit_, told_) {.code = code_, .text = text_, .use = use_, .fit = FITS_##fit_, .quiet = told_ == QUIET},
#include "privacy/disclosure/reasons.def"
#undef REASON
};
enum { REASONS = sizeof table / sizeof table[0] };

const struct reason *reasons(size_t *ret_n)
{
	*ret_n = REASONS;
	return table;
}

const struct reason *reason_by_code(const char *code)
{
	for (size_t i = 0; code != NULL && i < REASONS; i++)
		if (strcmp(table[i].code, code) == 0)
			return &table[i];
	return NULL;
}

const char *reason_text(const char *code)
{
	const struct reason *r = reason_by_code(code);
	return r == NULL ? "" : r->text;
}

bool reason_may(const char *code, enum reason_use use)
{
	const struct reason *r = reason_by_code(code);
	return r != NULL && (r->use & use) != 0;
}

const char *reason_codes(struct arena *a, enum reason_use use)
{
	size_t of = 0, n = 0;
	auto_buf out;
	buf_init(&out, 4 * KIB);
	for (size_t i = 0; i < REASONS; i++)
		of += (table[i].use & use) != 0;
	for (size_t i = 0; i < REASONS; i++)
		if ((table[i].use & use) != 0) {
			buf_printf(&out, "%s%s", n == 0 ? "" : n + 1 == of ? " or " : ", ", table[i].code);
			n++;
		}
	return arena_strdup(a, out.len > 0 ? out.data : "");
}
