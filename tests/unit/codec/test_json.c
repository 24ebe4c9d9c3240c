/* SPDX-License-Identifier: Apache-2.0
 * Reading JSON: what is accepted, what is refused, where the error is said to be, and that no detail quotes the input.
 * */
#include "fixture.h"

#include "codec/json.h"

static void objects_are_read(void **state)
{
	auto_json *j = NULL;
	static const char text[] = " {\"name\": \"caf\\u00e9 \xf0\x9f\x92\xbb\", \"n\": -9223372036854775808,\n"
				   "\t\"list\": [true, false, null, 2.5], \"a\\tb\": {}}\r\n";
	assert_int_equal(json_read(again(), text, strlen(text), &j), OK);
	assert_string_equal(json_string_value(json_object_get(j, "name")), "caf\xc3\xa9 \xf0\x9f\x92\xbb");
	assert_true(json_integer_value(json_object_get(j, "n")) == INT64_MIN);
	assert_int_equal(json_array_size(json_object_get(j, "list")), 4);
	assert_true(json_is_object(json_object_get(j, "a\tb")));
	json_release(&j);
	assert_null(j);
	json_release(&j); /* again, as cleanup does */
}

static void only_the_given_bytes_are_read(void **state)
{
	auto_json *j = NULL;
	assert_int_equal(json_read(again(), "{}garbage", 2, &j), OK);
	json_release(&j);
	assert_int_equal(json_read(again(), "{}\0", 3, &j), ERR_BAD_REQUEST);
	assert_null(j);
}

/* Each with the detail that people get. */
static const struct {
	const char *text, *detail;
} MALFORMED[] = {
	{"", "malformed JSON at line 1, column 1: no content"},
	{"\xef\xbb\xbf{}", "malformed JSON at line 1, column 1: byte order mark"},
	{"[]", "malformed JSON at line 1, column 1: an object is expected"},
	{"[{\"a\": 1}]", "malformed JSON at line 1, column 1: an object is expected"},
	{"1", "malformed JSON at line 1, column 1: '[' or '{' expected"},
	{"\"secret\"", "malformed JSON at line 1, column 8: '[' or '{' expected"},
	{"{\"a\": 1, \"a\": 2}", "malformed JSON at line 1, column 12: duplicate object key"},
	{"{\"a\": 1, \"\\u0061\": 2}", "malformed JSON at line 1, column 17: duplicate object key"},
	{"{\"o\": {\"secret\": 1, \"secret\": 2}}", "malformed JSON at line 1, column 28: duplicate object key"},
	{"{\"a\": 1,}", "malformed JSON at line 1, column 9: string or '}' expected"},
	{"{\n  \"a\" 1}", "malformed JSON at line 2, column 7: ':' expected"},
	{"{\"a\": secret}", "malformed JSON at line 1, column 12: invalid token"},
	{"{\"a\": 'secret'}", "malformed JSON at line 1, column 7: invalid token"},
	{"{\"a\": \"secret", "malformed JSON at line 1, column 13: premature end of input"},
	{"{\"a\": \"secret\n\"}", "malformed JSON at line 1, column 13: unexpected newline"},
	{"{\"a\": \"sec\\ret\\x\"}", "malformed JSON at line 1, column 16: invalid escape"},
	{"{\"a\": \"\\uD800secret\"}", "malformed JSON at line 1, column 20: invalid Unicode"},
	{"{\"a\": \"\\uDC00\\uD800\"}", "malformed JSON at line 1, column 20: invalid Unicode"},
	{"{\"a\": \"\\u0000\"}", "malformed JSON at line 1, column 14: \\u0000 is not allowed"},
	{"{\"a\": \"x\x01\"}", "malformed JSON at line 1, column 8: control character 0x1"},
	{"{\"a\": \"\xc3(\"}", "malformed JSON at line 1, column 7: unable to decode byte 0xc3"},
	{"{\"a\": \"\xc0\xaf\"}", "malformed JSON at line 1, column 7: unable to decode byte 0xc0"},
	{"{\"a\": \"\xed\xa0\x80\"}", "malformed JSON at line 1, column 7: unable to decode byte 0xed"},
	{"{\"a\": 9223372036854775808}", "malformed JSON at line 1, column 25: too big integer"},
	{"{\"a\": 1e999}", "malformed JSON at line 1, column 11: real number overflow"},
	{"{\"a\": 01}", "malformed JSON at line 1, column 7: invalid token"},
	{"{\"a\": NaN}", "malformed JSON at line 1, column 9: invalid token"},
	{"{} {}", "malformed JSON at line 1, column 4: end of file expected"},
	{"{\"a\": 1} // secret", "malformed JSON at line 1, column 10: end of file expected"},
};

static void malformed_text_is_refused_with_its_place(void **state)
{
	for (size_t i = 0; i < COUNT(MALFORMED); i++) {
		json_t *j = NULL;
		assert_int_equal(json_read(again(), MALFORMED[i].text, strlen(MALFORMED[i].text), &j), ERR_BAD_REQUEST);
		assert_null(j);
		assert_string_equal(scope.detail, MALFORMED[i].detail);
		assert_null(strstr(scope.detail, "secret"));
	}
}

/* depth arrays in an object, each level opened by `open`. */
static enum err read_nested(unsigned depth, const char *open, const char *close)
{
	auto_buf b;
	buf_init(&b, 64 * KIB);
	buf_adds(&b, "{\"a\":");
	for (unsigned i = 1; i < depth; i++)
		buf_adds(&b, open);
	buf_adds(&b, "1");
	for (unsigned i = 1; i < depth; i++)
		buf_adds(&b, close);
	buf_adds(&b, "}");
	auto_json *j = NULL;
	return json_read(again(), b.data, b.len, &j);
}

static void depth_is_bounded(void **state)
{
	assert_int_equal(read_nested(LIMIT_JSON_DEPTH, "[", "]"), OK);
	assert_int_equal(read_nested(LIMIT_JSON_DEPTH, "{\"k\":", "}"), OK);
	assert_int_equal(read_nested(LIMIT_JSON_DEPTH + 1, "[", "]"), ERR_BAD_REQUEST);
	assert_string_equal(scope.detail, "malformed JSON at line 1, column 37: more than 32 levels");
	assert_int_equal(read_nested(LIMIT_JSON_DEPTH + 1, "\n{\"k\":", "}"), ERR_BAD_REQUEST);
	assert_string_equal(scope.detail, "malformed JSON at line 33, column 1: more than 32 levels");
	assert_int_equal(read_nested(10000, "[", "]"), ERR_BAD_REQUEST);
}

static void brackets_in_texts_are_no_depth(void **state)
{
	char text[256] = "{\"a\":\"\\\"\\\\";
	memset(text + strlen(text), '[', 100);
	strcat(text, "\\\\\",\"b\":[]}");
	auto_json *j = NULL;
	assert_int_equal(json_read(again(), text, strlen(text), &j), OK);
	/* siblings do not add up */
	json_release(&j);
	auto_buf b;
	buf_init(&b, KIB);
	buf_adds(&b, "{\"a\":[[]");
	for (int i = 0; i < 100; i++)
		buf_adds(&b, ",[]");
	buf_adds(&b, "]}");
	assert_int_equal(json_read(again(), b.data, b.len, &j), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_read),
		cmocka_unit_test(only_the_given_bytes_are_read),
		cmocka_unit_test(malformed_text_is_refused_with_its_place),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(brackets_in_texts_are_no_depth),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, scope_setup, scope_teardown);
}
