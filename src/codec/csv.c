/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV out.  Reports are opened in spreadsheets, and device names come from people who do not own the spreadsheet: a
 * cell must stay text whatever is in it.
 */
#include "codec/csv.h"

#include <string.h>

void csv_init(struct csv_writer *w, struct buf *out)
{
	*w = (struct csv_writer){.out = out, .first = true};
}

static bool one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* Also what begins as if it were neutralised already: so that taking one apostrophe away gives back every value. */
static bool is_formula(const char *s, size_t n)
{
	size_t i = 0;
	while (i < n && s[i] == '\'')
		i++;
	return i < n && one_of(s[i], "=+-@\t\r");
}

void csv_field(struct csv_writer *w, const char *s, size_t n)
{
	if (!w->first)
		buf_addc(w->out, ',');
	w->first = false;
	if (s == NULL || n == 0)
		return;
	bool quote = s[0] == ' ' || s[n - 1] == ' '; /* some readers trim bare fields */
	for (size_t i = 0; i < n && !quote; i++)
		quote = one_of(s[i], ",\"\r\n");
	if (quote)
		buf_addc(w->out, '"');
	if (is_formula(s, n))
		buf_addc(w->out, '\'');
	for (const char *mark; quote && (mark = memchr(s, '"', n)) != NULL;) {
		size_t part = (size_t)(mark - s) + 1;
		buf_add(w->out, s, part);
		buf_addc(w->out, '"');
		s += part;
		n -= part;
	}
	buf_add(w->out, s, n);
	if (quote)
		buf_addc(w->out, '"');
}

void csv_end_row(struct csv_writer *w)
{
	buf_adds(w->out, "\r\n");
	w->first = true;
}
