/* SPDX-License-Identifier: Apache-2.0
 * What comes from data stays text in a page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "codec/html.h"

static void is(void (*write)(struct buf *out, const char *s), const char *text, const char *expected)
{
	auto_buf b;
	buf_init(&b, MIB);
	buf_adds(&b, "|");
	write(&b, text);
	assert_string_equal(b.data + 1, expected);
}

static void what_means_something_is_escaped(void **state)
{
	is(html_escape, "<a href='x' onclick=\"y\">&amp;", "&lt;a href=&#39;x&#39; onclick=&quot;y&quot;&gt;&amp;amp;");
	is(html_escape, "Gr\xc3\xbc\xc3\x9f" "e\t\n", "Gr\xc3\xbc\xc3\x9f" "e\t\n");
	is(html_escape, "a\x01\r\x7f" "b", "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "b");
	is(html_escape, "no \xff text <b>", "\xef\xbf\xbd");
	is(html_escape, NULL, "");
	is(html_name_escape, "\xe2\x80\xae<i>", "<bdi>\xe2\x80\xae&lt;i&gt;</bdi>");
}

static void value(struct buf *out, const char *s) { html_show(out, s, strlen(s)); }

static void what_hides_in_a_value_is_shown(void **state)
{
	auto_buf b;
	is(value, "<b>&\"'\t\n", "&lt;b&gt;&amp;&quot;&#39;\t\n");
	is(value, "a\x01\x7f\r", "a<span class=\"u\">U+0001</span><span class=\"u\">U+007F</span><span class=\"u\">U+000D</span>");
	is(value, "\xc2\x85\xe2\x80\xae\xe2\x81\xa6x", "<span class=\"u\">U+0085</span><span class=\"u\">U+202E</span><span class=\"u\">U+2066</span>x");
	is(value, "Gr\xc3\xbc\xc3\x9f" "e \xff!", "Gr\xc3\xbc\xc3\x9f" "e \xef\xbf\xbd!");
	buf_init(&b, MIB);
	html_show(&b, "a\0b", 3);
	assert_string_equal(b.data, "a<span class=\"u\">U+0000</span>b");
}

static void every_cell_is_text(void **state)
{
	auto_buf b;
	buf_init(&b, MIB);
	html_page_begin(&b, "<t>");
	html_row(&b, "td", (const char *const[]){"<1>", NULL}, 2);
	html_fact(&b, "<2>", "<3>");
	html_time(&b, 1795372464000000);
	html_page_end(&b);
	assert_null(strstr(b.data, "<t>"));
	assert_non_null(strstr(b.data, "<tr><td>&lt;1&gt;</td><td></td></tr>"));
	assert_non_null(strstr(b.data, "&lt;2&gt;</th><td>&lt;3&gt;</td>"));
	assert_non_null(strstr(b.data, "2026-11-22 18:34 UTC</body></html>"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_means_something_is_escaped), cmocka_unit_test(what_hides_in_a_value_is_shown),
					   cmocka_unit_test(every_cell_is_text)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
