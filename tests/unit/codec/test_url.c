/* SPDX-License-Identifier: Apache-2.0
 * Percent-encoding both ways, and what is refused. */
#include "fixture.h"

#include "codec/odata.h"

static void texts_are_decoded(void **state)
{
	static const struct {
		const char *in, *plain, *form; /* form: '+' is a space */
	} rows[] = {
		{"", "", ""},
		{"abc", "abc", "abc"},
		{"a%20b+c", "a b+c", "a b c"},
		{"%2B%2b", "++", "++"},
		{"%25", "%", "%"},
		{"%2520", "%20", "%20"}, /* once, not twice */
		{"%41%7E", "A~", "A~"},
		{"caf%C3%A9 \xc3\xa9", "caf\xc3\xa9 \xc3\xa9", "caf\xc3\xa9 \xc3\xa9"},
		{"%F0%9F%92%BB", "\xf0\x9f\x92\xbb", "\xf0\x9f\x92\xbb"},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *a = again()->arena;
		assert_string_equal(url_decode(a, rows[i].in, strlen(rows[i].in), false), rows[i].plain);
		assert_string_equal(url_decode(a, rows[i].in, strlen(rows[i].in), true), rows[i].form);
	}
	assert_string_equal(url_decode(again()->arena, "abc%2", 3, false), "abc"); /* only the bytes given */
}

static void malformed_texts_are_refused(void **state)
{
	static const char *const bad[] = {
		"%", "a%", "%4", "a%4", "%zz", "%4z", "%z4", "%%41", "% 41", "%+1", "%00", "abc%00def", "%C3",
		"%C3(", "%FF", "\xff", "%C0%AF", "%ED%A0%80", "%F4%90%80%80", "%E2%82",
	};
	for (size_t i = 0; i < COUNT(bad); i++)
		if (url_decode(again()->arena, bad[i], strlen(bad[i]), true) != NULL)
			fail_msg("accepted: %s", bad[i]);
	assert_null(url_decode(again()->arena, "a\0b", 3, false));
	assert_null(url_decode(again()->arena, "%411", 2, false)); /* the rest is there, but not ours */
	struct arena *small = arena_new(16);
	assert_null(url_decode(small, "0123456789abcdef", 16, false));
	arena_free(small);
}

static void all_but_unreserved_is_encoded(void **state)
{
	assert_string_equal(url_encode(again()->arena, ""), "");
	assert_string_equal(url_encode(again()->arena, "AZaz09-._~"), "AZaz09-._~");
	assert_string_equal(url_encode(again()->arena, "a b+c%/?#&='\"\xc3\xa9\n"),
			    "a%20b%2Bc%25%2F%3F%23%26%3D%27%22%C3%A9%0A");
}

static void every_ascii_character_round_trips(void **state)
{
	for (char c = 1; c > 0 && c < 127; c++) {
		char text[2] = {c, '\0'};
		char *encoded = url_encode(again()->arena, text);
		assert_string_equal(url_decode(scope.arena, encoded, strlen(encoded), false), text);
		assert_string_equal(url_decode(scope.arena, encoded, strlen(encoded), true), text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_decoded),
		cmocka_unit_test(malformed_texts_are_refused),
		cmocka_unit_test(all_but_unreserved_is_encoded),
		cmocka_unit_test(every_ascii_character_round_trips),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, scope_setup, scope_teardown);
}
