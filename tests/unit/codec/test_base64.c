/* SPDX-License-Identifier: Apache-2.0
 * Base64: the vectors of RFC 4648, all bytes both ways, and that no second text of the same bytes is accepted. */
#include "fixture.h"

#include "codec/base64.h"

/* RFC 4648, section 10, and two that need the last characters of the alphabets */
static const struct {
	const char *bytes, *standard, *url;
} VECTORS[] = {
	{"", "", ""},
	{"f", "Zg==", "Zg"},
	{"fo", "Zm8=", "Zm8"},
	{"foo", "Zm9v", "Zm9v"},
	{"foob", "Zm9vYg==", "Zm9vYg"},
	{"fooba", "Zm9vYmE=", "Zm9vYmE"},
	{"foobar", "Zm9vYmFy", "Zm9vYmFy"},
	{"\xfb\xff\xbf", "+/+/", "-_-_"},
	{"\xff\xfe", "//4=", "__4"},
};

static void vectors_both_ways(void **state)
{
	for (size_t i = 0; i < COUNT(VECTORS); i++) {
		struct arena *a = again()->arena;
		size_t n = strlen(VECTORS[i].bytes), got_n = 99;
		void *got = NULL;
		assert_string_equal(base64_encode(a, VECTORS[i].bytes, n), VECTORS[i].standard);
		assert_string_equal(base64url_encode(a, VECTORS[i].bytes, n), VECTORS[i].url);
		assert_true(base64_decode(a, VECTORS[i].standard, strlen(VECTORS[i].standard), &got, &got_n));
		assert_int_equal(got_n, n);
		assert_memory_equal(got, VECTORS[i].bytes, n + 1); /* with the NUL */
		got = NULL;
		assert_true(base64url_decode(a, VECTORS[i].url, strlen(VECTORS[i].url), &got, &got_n));
		assert_int_equal(got_n, n);
		assert_memory_equal(got, VECTORS[i].bytes, n + 1);
	}
}

static void all_lengths_round_trip(void **state)
{
	unsigned char bytes[2000];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)(i * 131 + i / 256);
	for (size_t n = 0; n < sizeof bytes; n += n < 600 ? 1 : 97) {
		struct arena *a = again()->arena;
		void *got;
		size_t got_n;
		char *text = base64_encode(a, bytes, n);
		assert_true(base64_decode(a, text, strlen(text), &got, &got_n));
		assert_int_equal(got_n, n);
		assert_memory_equal(got, bytes, n);
		auto_buf b; /* in parts, the same text */
		buf_init(&b, 10000);
		buf_adds(&b, "");
		base64_add(&b, bytes, n);
		assert_string_equal(b.data, text);
		text = base64url_encode(a, bytes, n);
		assert_true(base64url_decode(a, text, strlen(text), &got, &got_n));
		assert_int_equal(got_n, n);
		assert_memory_equal(got, bytes, n);
	}
}

static void other_texts_are_refused(void **state)
{
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zm8", "Zg===", "Zg====", "=", "==", "====", "Z===", "Zm9v=", "Zm9v====", "Zg==Zg==",
		"Zm=v", "Z=8=", " Zg==", "Zg==\n", "Zm9v\r\nYg==", "Zm9-", "Zm9_", "Zm9*", "Zm9\xc3", "Zh==", "Zm9=",
		"Zn8=\n", "Zm9v Yg=",
	};
	static const char *const bad_url[] = {
		"Z", "Zg==", "Zm8=", "Zm9+", "Zm9/", "Zm9vY", "Zh", "Zm9", "Zm9v\n", " m9v", "Zm9.",
	};
	void *got = NULL;
	size_t n = 42;
	for (size_t i = 0; i < COUNT(bad); i++)
		if (base64_decode(again()->arena, bad[i], strlen(bad[i]), &got, &n))
			fail_msg("accepted: %s", bad[i]);
	for (size_t i = 0; i < COUNT(bad_url); i++)
		if (base64url_decode(again()->arena, bad_url[i], strlen(bad_url[i]), &got, &n))
			fail_msg("accepted as URL: %s", bad_url[i]);
	assert_false(base64_decode(again()->arena, "Zg\0=", 4, &got, &n));
	assert_null(got);
	assert_int_equal(n, 42);
}

static void every_character_is_judged(void **state)
{
	static const char both[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	for (int c = 0; c < 256; c++) {
		char text[4] = {'A', 'A', 'A', (char)c};
		void *got;
		size_t n;
		bool common = c != 0 && strchr(both, c) != NULL;
		struct arena *a = again()->arena;
		assert_int_equal(base64_decode(a, text, 4, &got, &n), common || c == '+' || c == '/' || c == '=');
		assert_int_equal(base64url_decode(a, text, 4, &got, &n), common || c == '-' || c == '_');
	}
}

static void past_the_arena_is_refused(void **state)
{
	struct arena *small = arena_new(64);
	char text[128];
	void *got;
	size_t n;
	memset(text, 'A', sizeof text);
	assert_false(base64_decode(small, text, sizeof text, &got, &n));
	assert_true(base64_decode(small, text, 80, &got, &n));
	arena_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_both_ways),         cmocka_unit_test(all_lengths_round_trip),
		cmocka_unit_test(other_texts_are_refused),   cmocka_unit_test(every_character_is_judged),
		cmocka_unit_test(past_the_arena_is_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, scope_setup, scope_teardown);
}
