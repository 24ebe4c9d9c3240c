/* SPDX-License-Identifier: Apache-2.0
 * One-time passwords: the vectors of RFC 4226 (appendix D) and RFC 6238 (appendix B). */
#include "test.h"

#include "crypto/totp.h"

static const char KEY[] = "12345678901234567890";

static void counters_of_rfc_4226(void **state)
{
	static const char *const want[] = {"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"};
	char code[TOTP_TEXT];
	for (int64_t i = 0; i < 10; i++) {
		totp_code(KEY, sizeof KEY - 1, i, 6, code);
		assert_string_equal(code, want[i]);
	}
}

static void times_of_rfc_6238(void **state)
{
	static const struct {
		int64_t seconds;
		const char *code;
	} want[] = {{59, "94287082"}, {1111111109, "07081804"}, {1111111111, "14050471"}, {1234567890, "89005924"}, {2000000000, "69279037"},
		    {20000000000, "65353130"}};
	char code[TOTP_TEXT];
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
		totp_code(KEY, sizeof KEY - 1, want[i].seconds / TOTP_SECONDS, 8, code);
		assert_string_equal(code, want[i].code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(counters_of_rfc_4226), cmocka_unit_test(times_of_rfc_6238)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
