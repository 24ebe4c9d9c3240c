/* SPDX-License-Identifier: Apache-2.0
 * Identifiers: the layout of RFC 9562 version 7, their order in time, and that only one text form is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/id.h"
#include "base/scope.h"

static void layout_is_version_7(void **state)
{
	for (int i = 0; i < 200; i++) {
		struct id id = id_new(INT64_C(0x017f22e279b0) * 1000 + 999); /* the example of RFC 9562, A.6 */
		static const uint8_t ms[] = {0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0};
		assert_memory_equal(id.b, ms, 6);
		assert_int_equal(id.b[6] >> 4, 7);
		assert_int_equal(id.b[8] >> 6, 2);
	}
}

static void random_bits_vary(void **state)
{
	/* Every one of the 74 bits is seen as 0 and as 1; a wrong alarm has odds of 74 in 2^199. */
	uint8_t ones[16] = {0}, zeros[16] = {0};
	for (int i = 0; i < 200; i++) {
		struct id id = id_new(0);
		for (int k = 6; k < 16; k++) {
			ones[k] |= id.b[k];
			zeros[k] |= (uint8_t)~id.b[k];
		}
	}
	for (int k = 6; k < 16; k++) {
		uint8_t mask = k == 6 ? 0x0f : k == 8 ? 0x3f : 0xff;
		assert_int_equal(ones[k] & mask, mask);
		assert_int_equal(zeros[k] & mask, mask);
	}
}

static void later_sorts_later(void **state)
{
	int64_t now = INT64_C(1795335330000000);
	struct id before = id_new(now);
	for (int i = 1; i < 1000; i++) {
		struct id after = id_new(now + i * 1000);
		assert_true(memcmp(before.b, after.b, 16) < 0);
		before = after;
	}
}

static void text_round_trip(void **state)
{
	char text[ID_TEXT];
	struct id id = id_new(INT64_C(1795335330000000)), back;
	assert_ptr_equal(id_format(id, text), text);
	assert_int_equal(strlen(text), 36);
	assert_true(id_parse(text, &back));
	assert_true(id_equal(id, back));
	back.b[15] ^= 1;
	assert_false(id_equal(id, back));
	assert_true(id_parse("F81D4FAE-7dec-11d0-A765-00a0c91e6bf6", &back));
	assert_string_equal(id_format(back, text), "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
}

static void parse_is_strict(void **state)
{
	static const char *const bad[] = {
		"", "f81d4fae", "f81d4fae7dec11d0a76500a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
		"f81d4fae-7dec-11d0-a765-00a0c91e6bf60", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf}",
		"f81d4fae-7dec-11d0-a765_00a0c91e6bf6", "f81d4fa-e7dec-11d0-a765-00a0c91e6bf6",
		"g81d4fae-7dec-11d0-a765-00a0c91e6bf6", " 81d4fae-7dec-11d0-a765-00a0c91e6bf6",
		"f81d4fae-7dec-11d0-a765-00a0c91e6bf-", "0x1d4fae-7dec-11d0-a765-00a0c91e6bf6",
	};
	struct id id = {{1, 2, 3}}, same = id;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (id_parse(bad[i], &id))
			fail_msg("accepted: %s", bad[i]);
	assert_false(id_parse(NULL, &id));
	assert_true(id_equal(id, same)); /* untouched */
}

static void nil(void **state)
{
	struct id id = {{0}};
	assert_true(id_is_nil(id));
	id.b[15] = 1;
	assert_false(id_is_nil(id));
	assert_false(id_is_nil(id_new(0)));
}

static void hex(void **state)
{
	char text[9];
	uint8_t bytes[4];
	hex_encode("\x00\x7f\xab\xff", 4, text);
	assert_string_equal(text, "007fabff");
	assert_true(hex_decode("007FaBff", 4, bytes));
	assert_memory_equal(bytes, "\x00\x7f\xab\xff", 4);
	assert_false(hex_decode("007fabf", 4, bytes)); /* must not read past the terminator */
	assert_false(hex_decode("", 1, bytes));
	/* the neighbours of the digits and letters */
	for (const char *c = "/:@G`g \n"; *c != '\0'; c++) {
		char pair[3] = {'0', *c, '\0'};
		assert_false(hex_decode(pair, 1, bytes));
	}
}

/* Two scopes a microsecond apart, several ids each: the order is that of making. */
static void ids_of_a_scope_keep_their_order(void **state)
{
	struct id before = {{0}};
	for (int64_t now = 1800000000000001; now < 1800000000000400; now += 1) {
		struct scope s = {.now = now};
		for (int i = 0; i < 300; i++) {
			struct id id = scope_id(&s);
			assert_true(memcmp(before.b, id.b, sizeof id.b) < 0);
			assert_int_equal(id.b[6] >> 4, 7);
			assert_int_equal(id.b[8] >> 6, 2);
			before = id;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout_is_version_7), cmocka_unit_test(random_bits_vary),
		cmocka_unit_test(later_sorts_later),   cmocka_unit_test(text_round_trip),
		cmocka_unit_test(parse_is_strict),     cmocka_unit_test(nil),
		cmocka_unit_test(hex),		       cmocka_unit_test(ids_of_a_scope_keep_their_order),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
