/* SPDX-License-Identifier: Apache-2.0
 *
 * What is empty by design: the page for operators lists the rows of api/intune.def, no more and no fewer; and each row is what its shape asks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/graph/intune.h"
#include "base/limits.h"

static struct buf out;

static char *file_text(const char *path)
{
	static char text[256 * 1024];
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

static void add_row(const struct intune_row *row)
{
	static const char *const shapes[] = {
		[INTUNE_COLLECTION] = "empty collection of", [INTUNE_OBJECT] = "object without values:", [INTUNE_REPORT] = "no rows:"};
	buf_adds(&out, "| `");
	for (const char *p = row->path; *p != '\0';) {
		bool none = strncmp(p, "{none}", 6) == 0;
		if (none)
			buf_adds(&out, "{id}");
		else
			buf_addc(&out, *p);
		p += none ? 6 : 1;
	}
	buf_printf(&out, "` | %s %s | %s |\n", shapes[row->shape], row->type, row->why);
}

static void the_page_lists_the_table(void **state)
{
	size_t n;
	const struct intune_row *rows = intune_rows(&n);
	char *page = file_text(INTUNE_PAGE), *begin = strstr(page, "<!-- intune: begin -->\n"), *end = strstr(page, "<!-- intune: end -->");
	assert_true(begin != NULL && end != NULL && begin < end);
	buf_init(&out, MIB);
	buf_adds(&out, "<!-- intune: begin -->\n\n| path | what is answered | why |\n|---|---|---|\n");
	for (size_t i = 0; i < n; i++)
		add_row(&rows[i]);
	buf_adds(&out, "\n");
	*end = '\0';
	if (strcmp(begin, out.data) != 0) {
		fprintf(stderr, "%s should hold:\n%s<!-- intune: end -->\n", INTUNE_PAGE, out.data);
		fail();
	}
	buf_release(&out);
}

static void each_row_is_sound(void **state)
{
	size_t n;
	const struct intune_row *rows = intune_rows(&n);
	for (size_t i = 0; i < n; i++) {
		const struct intune_row *r = &rows[i];
		assert_true(r->type[0] != '\0' && r->why[0] != '\0' && r->path[0] != '/');
		if (r->shape == INTUNE_COLLECTION)
			assert_string_equal(r->content, "");
		if (r->shape == INTUNE_REPORT)
			assert_true(strncmp(r->content, "UserId ", 7) == 0); /* the script compares the first column with the person's id */
		if (r->shape == INTUNE_OBJECT) {
			char text[4096];
			snprintf(text, sizeof text, "{%s}", r->content);
			json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
			if (j == NULL)
				fail_msg("%s: its content is no JSON", r->path);
			json_decref(j);
		}
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(r->path, rows[k].path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_sound),
		cmocka_unit_test(the_page_lists_the_table),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("intune", tests, NULL, NULL);
}
