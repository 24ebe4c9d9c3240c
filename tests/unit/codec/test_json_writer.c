/* SPDX-License-Identifier: Apache-2.0
 * Writing JSON: the canonical bytes of every kind of value, and that what is written reads back as the same value. */
#include "fixture.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "../base/aborts.h"
#include "base/clock.h"
#include "codec/json.h"

static struct buf out;
static struct json_writer w;

static int writer_setup(void **state)
{
	buf_init(&out, MIB);
	jw_init(&w, &out);
	return 0;
}

static int writer_teardown(void **state)
{
	buf_release(&out);
	return 0;
}

static void restart(void)
{
	buf_clear(&out);
	jw_init(&w, &out);
}

static void commas_and_order(void **state)
{
	jw_object(&w);
	jw_kstring(&w, "z", "1");
	jw_key(&w, "a");
	jw_array(&w);
	jw_int(&w, 1);
	jw_array(&w);
	jw_end_array(&w);
	jw_object(&w);
	jw_end_object(&w);
	jw_null(&w);
	jw_end_array(&w);
	jw_kint(&w, "m", -5);
	jw_key(&w, "o");
	jw_object(&w);
	jw_kbool(&w, "t", true);
	jw_kbool(&w, "f", false);
	jw_end_object(&w);
	jw_key(&w, "raw");
	jw_raw(&w, "[1,2]xxx", 5);
	jw_kstring(&w, "none", NULL);
	jw_end_object(&w);
	assert_string_equal(out.data, "{\"z\":\"1\",\"a\":[1,[],{},null],\"m\":-5,"
				      "\"o\":{\"t\":true,\"f\":false},\"raw\":[1,2],\"none\":null}");
	assert_int_equal(w.depth, 0);
}

static void values_of_ours(void **state)
{
	struct id id;
	assert_true(id_parse("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", &id));
	jw_object(&w);
	jw_kid(&w, "id", id);
	jw_kid(&w, "nil", (struct id){{0}});
	jw_ktime(&w, "at", INT64_C(1795335330) * SECOND_US + 500000);
	jw_key(&w, "hex");
	jw_hex(&w, "\x00\xab\xff", 3);
	jw_key(&w, "base64");
	jw_base64(&w, "\xfb\xff", 2);
	jw_key(&w, "empty");
	jw_array(&w);
	jw_hex(&w, NULL, 0);
	jw_base64(&w, NULL, 0);
	jw_stringn(&w, NULL, 0);
	jw_end_array(&w);
	jw_end_object(&w);
	assert_string_equal(out.data, "{\"id\":\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\",\"nil\":null,"
				      "\"at\":\"2026-11-22T08:15:30.500000Z\",\"hex\":\"00abff\",\"base64\":\"+/8=\","
				      "\"empty\":[\"\",\"\",\"\"]}");
}

static void strings_escape_what_they_must(void **state)
{
	for (unsigned c = 1; c < 128; c++) {
		char text[3] = {(char)c, 'x', '\0'}, want[16];
		static const char *const brief[128] = {[8] = "\\b", [9] = "\\t", [10] = "\\n",
						       [12] = "\\f", [13] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\"};
		if (brief[c] != NULL)
			snprintf(want, sizeof want, "\"%sx\"", brief[c]);
		else
			snprintf(want, sizeof want, c < 32 ? "\"\\u%04xx\"" : "\"%cx\"", c);
		restart();
		jw_string(&w, text);
		assert_string_equal(out.data, want);
	}
	restart();
	jw_stringn(&w, "a\0b", 3);
	assert_string_equal(out.data, "\"a\\u0000b\"");
	restart();
	jw_object(&w);
	jw_kint(&w, "k\"\n", 1); /* keys too */
	jw_end_object(&w);
	assert_string_equal(out.data, "{\"k\\\"\\n\":1}");
}

#define FFFD "\xef\xbf\xbd"

/* One U+FFFD per maximal part of an ill-formed sequence, as Unicode (chapter 3, table 3-8 and its neighbours) shows it.
 * */
static const struct {
	const char *in, *out;
} UTF8[] = {
	{"caf\xc3\xa9", "caf\xc3\xa9"},
	{"\xc2\x80 \xdf\xbf", "\xc2\x80 \xdf\xbf"},
	{"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf", "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"},
	{"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
	{"\xe2\x80\xa8\x7f</script>", "\xe2\x80\xa8\x7f</script>"},
	{"a\x80z", "a" FFFD "z"},
	{"a\xff\xfez", "a" FFFD FFFD "z"},
	{"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"},
	{"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"},
	{"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B"},
	{"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", FFFD FFFD FFFD FFFD "A"},
	{"\xf5\x80\x80\x80", FFFD FFFD FFFD FFFD},
	{"cut\xf0\x9f\x92", "cut" FFFD},
	{"cut\xc3", "cut" FFFD},
	{"\xc3\"", FFFD "\\\""}, /* the quote is not swallowed */
	{"\xe2\x80\n", FFFD "\\n"},
};

static void ill_formed_utf8_is_replaced(void **state)
{
	for (size_t i = 0; i < COUNT(UTF8); i++) {
		char want[128];
		snprintf(want, sizeof want, "\"%s\"", UTF8[i].out);
		restart();
		jw_string(&w, UTF8[i].in);
		if (strcmp(out.data, want) != 0)
			fail_msg("row %zu: %s, not %s", i, out.data, want);
	}
}

static void a_cut_sequence_does_not_read_on(void **state)
{
	jw_stringn(&w, "\xc3\xa9", 1); /* the rest is there, but not ours */
	assert_string_equal(out.data, "\"" FFFD "\"");
}

static void integers_are_exact(void **state)
{
	jw_array(&w);
	jw_int(&w, INT64_MIN);
	jw_int(&w, INT64_MAX);
	jw_int(&w, INT64_C(9007199254740993));
	jw_end_array(&w);
	assert_string_equal(out.data, "[-9223372036854775808,9223372036854775807,9007199254740993]");
}

static void doubles_are_short_and_exact(void **state)
{
	static const struct {
		double v;
		const char *text;
	} rows[] = {
		{0.0, "0"}, {-0.0, "0"}, {1.0, "1"}, {-2.5, "-2.5"}, {100.0, "100"}, {0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"}, {1.0 / 3, "0.3333333333333333"}, {1e21, "1e+21"},
		{5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
		{2.2250738585072014e-308, "2.2250738585072014e-308"},
		{123456789012.0, "123456789012"},
		{NAN, "null"}, {INFINITY, "null"}, {-INFINITY, "null"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		restart();
		jw_double(&w, rows[i].v);
		assert_string_equal(out.data, rows[i].text);
		if (isfinite(rows[i].v))
			assert_true(strtod(out.data, NULL) == rows[i].v);
	}
}

static void doubles_know_no_locale(void **state)
{
	static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8"};
	bool set = false;
	for (size_t i = 0; i < COUNT(names) && !set; i++)
		set = setlocale(LC_NUMERIC, names[i]) != NULL;
	if (!set)
		return; /* no locale with a comma is installed */
	jw_double(&w, -1234.5);
	setlocale(LC_NUMERIC, "C");
	assert_string_equal(out.data, "-1234.5");
}

static void trees_are_written_as_read(void **state)
{
	static const char text[] = "{\"z\":[1,-2.5,true,false,null,\"\\u0001\xc3\xa9\"],\"a\":{\"b\":{}},\"m\":[]}";
	auto_json *j = NULL;
	assert_int_equal(json_read(again(), text, strlen(text), &j), OK);
	jw_array(&w);
	jw_json(&w, j);
	jw_json(&w, NULL);
	jw_end_array(&w);
	char want[128];
	snprintf(want, sizeof want, "[%s,null]", text);
	assert_string_equal(out.data, want);
}

static void a_full_buffer_fails_quietly(void **state)
{
	auto_buf small;
	buf_init(&small, 8);
	jw_init(&w, &small);
	jw_object(&w);
	jw_kstring(&w, "name", "much too long");
	jw_end_object(&w);
	assert_true(small.failed);
	assert_true(small.len <= 8);
}

static void open_too_deep(void *levels)
{
	for (int i = 0; i < *(int *)levels; i++)
		jw_array(&w);
}

static void close_too_often(void *unused)
{
	jw_object(&w);
	jw_end_object(&w);
	jw_end_object(&w);
}

static void key_outside(void *unused)
{
	jw_key(&w, "k");
}

static void empty_raw(void *unused)
{
	jw_raw(&w, "", 0);
}

static void misuse_aborts(void **state)
{
	int most = UINT8_MAX, more = UINT8_MAX + 1;
	assert_false(aborts(open_too_deep, &most));
	assert_true(aborts(open_too_deep, &more));
	assert_true(aborts(close_too_often, NULL));
	assert_true(aborts(key_outside, NULL));
	assert_true(aborts(empty_raw, NULL));
}

#define WRITER_TEST(f) cmocka_unit_test_setup_teardown(f, writer_setup, writer_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WRITER_TEST(commas_and_order),
		WRITER_TEST(values_of_ours),
		WRITER_TEST(strings_escape_what_they_must),
		WRITER_TEST(ill_formed_utf8_is_replaced),
		WRITER_TEST(a_cut_sequence_does_not_read_on),
		WRITER_TEST(integers_are_exact),
		WRITER_TEST(doubles_are_short_and_exact),
		WRITER_TEST(doubles_know_no_locale),
		WRITER_TEST(trees_are_written_as_read),
		WRITER_TEST(a_full_buffer_fails_quietly),
		WRITER_TEST(misuse_aborts),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, scope_setup, scope_teardown);
}
