/* SPDX-License-Identifier: Apache-2.0
 * Tokens of others: those of RFC 7515's examples are good with their keys, and nothing else is.  (Tokens of another implementation, PS256 and hostile ones
 * are in tests/system/13-tokens.mjs.) */
#include "test.h"

#include "base/clock.h"
#include "base/scope.h"
#include "codec/base64.h"
#include "crypto/jose.h"
#include "crypto/jose_inner.h"

#define N_RSA                                                                                                                           \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b" \
	"32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5" \
	"IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define X_EC "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y_EC "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

/* RFC 7515, appendices A.2 and A.3 */
static const char RS256[] =
	"eyJhbGciOiJSUzI1NiJ9." PAYLOAD ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9"
	"CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6"
	"BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
static const char ES256[] = "eyJhbGciOiJFUzI1NiJ9." PAYLOAD ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

#define RSA_KEY "\"kty\":\"RSA\",\"n\":\"" N_RSA "\",\"e\":\"AQAB\""
#define EC_KEY "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X_EC "\",\"y\":\"" Y_EC "\""
static const char BOTH[] = "{\"keys\":[7,{},{\"kty\":\"OKP\"},{" RSA_KEY "},{" EC_KEY "}]}";

static struct arena *arena;
static struct scope s;

static void fresh(void)
{
	arena_reset(arena);
	s = (struct scope){.arena = arena, .now = INT64_C(1300819000) * SECOND_US};
}

static enum jose_verdict verdict(const char *token, const char *keys, unsigned algs)
{
	auto_jose t = {0};
	fresh();
	assert_err(jose_read(&s, token, strlen(token), &t), OK);
	json_t *set = json_loads(keys, 0, NULL);
	assert_non_null(set);
	enum jose_verdict v = jose_verify(&t, set, algs);
	json_decref(set);
	return v;
}

static void examples_are_good(void **state)
{
	assert_int_equal(verdict(RS256, BOTH, JOSE_ALL), JOSE_GOOD);
	assert_int_equal(verdict(ES256, BOTH, JOSE_ALL), JOSE_GOOD);
	assert_int_equal(verdict(ES256, BOTH, JOSE_RS256 | JOSE_PS256), JOSE_ALGORITHM);
	assert_int_equal(verdict(ES256, "{\"keys\":[{" RSA_KEY "}]}", JOSE_ALL), JOSE_UNKNOWN_KEY);
	assert_int_equal(verdict(ES256, "{\"keys\":[]}", JOSE_ALL), JOSE_UNKNOWN_KEY);
	assert_int_equal(verdict(ES256, "{}", JOSE_ALL), JOSE_UNKNOWN_KEY);
}

/* Every byte of what is signed and of the signature counts. */
static void changed_ones_are_not(void **state)
{
	const char *const tokens[] = {RS256, ES256};
	for (size_t i = 0; i < 2; i++) {
		for (size_t at = 24; at < strlen(tokens[i]); at += 7) {
			auto_jose t = {0};
			fresh();
			char *bad = arena_strdup(arena, tokens[i]);
			bad[at] = bad[at] == 'A' ? 'B' : 'A';
			if (jose_read(&s, bad, strlen(bad), &t) != OK)
				continue;
			json_t *set = json_loads(BOTH, 0, NULL);
			assert_int_equal(jose_verify(&t, set, JOSE_ALL), JOSE_BAD_SIGNATURE);
			json_decref(set);
		}
	}
}

static void odd_keys_are_passed_over(void **state)
{
	static const char *const odd[] = {
		RSA_KEY ",\"use\":\"enc\"", RSA_KEY ",\"key_ops\":[\"encrypt\"]", RSA_KEY ",\"alg\":\"PS256\"", RSA_KEY ",\"alg\":7", RSA_KEY ",\"d\":\"AQ\"",
		"\"kty\":\"RSA\",\"n\":\"" N_RSA "\"", "\"kty\":\"RSA\",\"n\":\"" N_RSA "\",\"e\":\"AQ\"", "\"kty\":\"RSA\",\"n\":\"" N_RSA "\",\"e\":\"AA\"",
		"\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"", "\"kty\":\"RSA\",\"n\":\"" N_RSA "=\",\"e\":\"AQAB\"", "\"kty\":7",
		"\"kty\":\"oct\",\"k\":\"AQAB\"",
	};
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		fresh();
		const char *keys = arena_printf(arena, "{\"keys\":[{%s}]}", odd[i]);
		json_t *set = json_loads(keys, 0, NULL);
		assert_non_null(set);
		auto_jose t = {0};
		assert_err(jose_read(&s, RS256, strlen(RS256), &t), OK);
		if (jose_verify(&t, set, JOSE_ALL) == JOSE_GOOD)
			fail_msg("%s was used", odd[i]);
		json_decref(set);
	}
	assert_int_equal(verdict(RS256, "{\"keys\":[{" RSA_KEY ",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"alg\":\"RS256\"}]}", JOSE_ALL), JOSE_GOOD);
	assert_int_equal(verdict(ES256, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X_EC "\",\"y\":\"" X_EC "\"}]}", JOSE_ALL), JOSE_BAD_SIGNATURE);
}

static const char *token_of(const char *header, const char *claims)
{
	return arena_printf(arena, "%s.%s.AAAA", base64url_encode(arena, header, strlen(header)), base64url_encode(arena, claims, strlen(claims)));
}

static void malformed_ones_are_refused(void **state)
{
	static const struct {
		const char *header, *claims;
	} bad[] = {
		{"{\"alg\":\"none\"}", "{}"}, {"{\"alg\":\"HS256\"}", "{}"}, {"{\"alg\":\"rs256\"}", "{}"}, {"{}", "{}"}, {"{\"alg\":7}", "{}"}, {"[]", "{}"},
		{"{\"alg\":\"RS256\",\"alg\":\"RS256\"}", "{}"}, {"{\"alg\":\"RS256\",\"crit\":[\"exp\"]}", "{}"}, {"{\"alg\":\"RS256\",\"b64\":true}", "{}"},
		{"{\"alg\":\"RS256\"}", "[]"}, {"{\"alg\":\"RS256\"}", "{\"a\":1,\"a\":2}"}, {"{\"alg\":\"RS256\"}", ""}, {"", "{}"},
	};
	static const char *const texts[] = {"", ".", "..", "a.b.c", "eyJhbGciOiJSUzI1NiJ9.e30", "eyJhbGciOiJSUzI1NiJ9.e30.", "eyJhbGciOiJSUzI1NiJ9.e30.A",
					    "eyJhbGciOiJSUzI1NiJ9.e30.AAAA.AAAA", "eyJhbGciOiJSUzI1NiJ9.e30.AA==", " eyJhbGciOiJSUzI1NiJ9.e30.AAAA",
					    "eyJhbGciOiJSUzI1NiJ9.e30.AB"};
	struct jose_token t;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		fresh();
		const char *text = token_of(bad[i].header, bad[i].claims);
		assert_err(jose_read(&s, text, strlen(text), &t), ERR_UNAUTHENTICATED);
		assert_true(s.detail != NULL && t.header == NULL && t.claims == NULL);
	}
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		fresh();
		assert_err(jose_read(&s, texts[i], strlen(texts[i]), &t), ERR_UNAUTHENTICATED);
	}
	fresh();
	char *many = arena_alloc(arena, JOSE_TOKEN_MAX + 2);
	memset(many, 'a', JOSE_TOKEN_MAX + 1);
	assert_err(jose_read(&s, many, JOSE_TOKEN_MAX + 1, &t), ERR_UNAUTHENTICATED);
	assert_err(jose_read(&s, "a\0b", 3, &t), ERR_UNAUTHENTICATED);
}

static void times_are_looked_at(void **state)
{
	static const struct {
		const char *claims;
		enum err want;
	} cases[] = {
		{"{\"exp\":1300819001}", OK}, {"{\"exp\":1300818881}", OK}, {"{\"exp\":1300818880}", ERR_UNAUTHENTICATED}, {"{}", ERR_UNAUTHENTICATED},
		{"{\"exp\":1300819001.5,\"iat\":1300819120,\"nbf\":1300819120}", OK}, {"{\"exp\":1300819001,\"iat\":1300819121}", ERR_UNAUTHENTICATED},
		{"{\"exp\":1300819001,\"nbf\":1300819121}", ERR_UNAUTHENTICATED}, {"{\"exp\":\"1300819001\"}", ERR_UNAUTHENTICATED},
		{"{\"exp\":-1}", ERR_UNAUTHENTICATED}, {"{\"exp\":1e300}", ERR_UNAUTHENTICATED}, {"{\"exp\":1300819001,\"nbf\":null}", ERR_UNAUTHENTICATED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		fresh();
		json_t *claims = json_loads(cases[i].claims, 0, NULL);
		enum err e = jose_check_times(&s, claims, JOSE_SKEW_US);
		if (e != cases[i].want)
			fail_msg("%s: %s", cases[i].claims, err_name(e));
		json_decref(claims);
	}
}

static int set_up(void **state)
{
	arena = arena_new(4 * MIB);
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_are_good),	     cmocka_unit_test(changed_ones_are_not), cmocka_unit_test(odd_keys_are_passed_over),
		cmocka_unit_test(malformed_ones_are_refused), cmocka_unit_test(times_are_looked_at),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
