/* SPDX-License-Identifier: Apache-2.0
 *
 * Strict JSON in.  Jansson parses; what it leaves open is closed here: depth, a byte order mark, a top level that is no
 * object, and error texts that quote the input.  A detail names a place and a kind, never the content, because it may
 * end in a log.
 */
#include "codec/json.h"

#include <string.h>

#include "base/limits.h"

void json_release(json_t **j)
{
	json_decref(*j);
	*j = NULL;
}

/* False where brackets outside strings nest deeper than the limit; then *ret_line and *ret_column say where.  Jansson
 * recurses, so this looks before it parses.  On malformed text the count may be off only after the place where the
 * parser stops. */
static bool depth_within(const char *bytes, size_t n, int *ret_line, int *ret_column)
{
	unsigned depth = 0;
	bool in_string = false;
	int line = 1;
	size_t line_start = 0;
	for (size_t i = 0; i < n; i++) {
		char c = bytes[i];
		if (c == '\n') {
			line++;
			line_start = i + 1;
		} else if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > LIMIT_JSON_DEPTH) {
				*ret_line = line;
				*ret_column = (int)(i - line_start) + 1;
				return false;
			}
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

/* Jansson's text without what it quotes from the input (" near '…'", "invalid Unicode '\…'") and its names of flags. */
static void cut_quotes(char *text)
{
	static const char *const quotes[] = {" near ", " '\\", " without "};
	for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
		char *at = strstr(text, quotes[i]);
		if (at != NULL)
			*at = '\0';
	}
}

static enum err malformed(struct scope *s, json_error_t *e)
{
	if (json_error_code(e) == json_error_out_of_memory)
		return scope_fail(s, ERR_UNAVAILABLE, "no memory to read the JSON");
	cut_quotes(e->text);
	return scope_fail(s, ERR_BAD_REQUEST, "malformed JSON at line %d, column %d: %s", e->line, e->column, e->text);
}

enum err json_read(struct scope *s, const char *bytes, size_t n, json_t **ret)
{
	int line, column;
	if (n == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "malformed JSON at line 1, column 1: no content");
	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "malformed JSON at line 1, column 1: byte order mark");
	if (!depth_within(bytes, n, &line, &column))
		return scope_fail(s, ERR_BAD_REQUEST, "malformed JSON at line %d, column %d: more than %u levels", line,
				  column, LIMIT_JSON_DEPTH);
	json_error_t e;
	json_t *j = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &e);
	if (j == NULL)
		return malformed(s, &e);
	if (!json_is_object(j)) {
		json_decref(j);
		return scope_fail(s, ERR_BAD_REQUEST, "malformed JSON at line 1, column 1: an object is expected");
	}
	*ret = j;
	return OK;
}
