/* SPDX-License-Identifier: Apache-2.0
 * What is written reads back as the same cells, and none begins as a formula does.  Input: cells between 0x1f, rows between 0x1e. */
#include "fuzz.h"

#include "codec/csv.h"

/* One cell off the text; its bytes in `to`. */
static const char *read_cell(const char *p, const char *end, char *to, size_t *ret_n)
{
	size_t n = 0;
	bool quoted = p < end && *p == '"';
	for (p += quoted; p < end; p++) {
		if (quoted && *p == '"' && (p + 1 == end || p[1] != '"')) {
			p++;
			break;
		}
		if (!quoted && (*p == ',' || *p == '\r'))
			break;
		check(quoted || (*p != '"' && *p != '\n'));
		p += quoted && *p == '"';
		to[n++] = *p;
	}
	*ret_n = n;
	return p;
}

static void same(const char *got, size_t got_n, const char *cell, size_t n)
{
	check(got_n == 0 || strchr("=+-@\t\r", got[0]) == NULL || got[0] == '\0');
	size_t marks = 0;
	while (marks < got_n && got[marks] == '\'')
		marks++;
	if (marks > 0 && marks < got_n && got[marks] != '\0' && strchr("=+-@\t\r", got[marks]) != NULL)
		got++, got_n--; /* as csv.h says to undo it */
	check(got_n == n && memcmp(got, cell, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0 || n > 64 * KIB)
		return 0;
	auto_buf out;
	struct csv_writer w;
	struct arena *a = fuzz_scope()->arena;
	const char *text = (const char *)bytes, *end = text + n;
	buf_init(&out, LIMIT_RESPONSE_BYTES);
	csv_init(&w, &out);
	for (const char *p = text, *to;; p = to + 1) {
		for (to = p; to < end && *to != 0x1f && *to != 0x1e;)
			to++;
		csv_field(&w, p, (size_t)(to - p));
		if (to == end || *to == 0x1e)
			csv_end_row(&w);
		if (to == end)
			break;
	}
	check(!out.failed);
	char *cell = arena_alloc(a, out.len + 1);
	const char *at = out.data, *out_end = out.data + out.len;
	for (const char *p = text, *to;; p = to + 1) {
		size_t cell_n;
		for (to = p; to < end && *to != 0x1f && *to != 0x1e;)
			to++;
		at = read_cell(at, out_end, cell, &cell_n);
		same(cell, cell_n, p, (size_t)(to - p));
		if (to < end && *to == 0x1f) {
			check(at < out_end && *at++ == ',');
			continue;
		}
		check(out_end - at >= 2 && at[0] == '\r' && at[1] == '\n');
		at += 2;
		if (to == end)
			break;
	}
	check(at == out_end);
	return 0;
}
