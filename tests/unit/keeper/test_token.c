/* SPDX-License-Identifier: Apache-2.0
 * Bearer tokens: good ones are taken until they expire; nothing else is, and no refusal repeats what was sent. */
#include "fixture.h"

#include <jansson.h>

#include "codec/base64.h"

static struct token_claims claims;

static char *issue(struct fixture *f)
{
	claims = (struct token_claims){.tenant = id_new(TEST_NOW),
				       .application = id_new(TEST_NOW),
				       .credential = id_new(TEST_NOW),
				       .issued_us = TEST_NOW,
				       .expires_us = TEST_NOW + HOUR_US};
	return keeper_token_issue(f->k, f->arena, "https://mdm.example.com", &claims);
}

static enum err verify(struct fixture *f, const char *token)
{
	struct token_claims got;
	f->s.detail = NULL;
	enum err e = keeper_token_verify(f->k, &f->s, token, &got);
	if (e == OK) {
		assert_true(id_equal(got.tenant, claims.tenant) && id_equal(got.application, claims.application) &&
			    id_equal(got.credential, claims.credential));
		assert_true(id_equal(got.user, claims.user));
		assert_true(got.issued_us == claims.issued_us && got.expires_us == claims.expires_us);
		return OK;
	}
	assert_non_null(f->s.detail);
	if (token != NULL && strlen(token) > 8)
		assert_null(strstr(f->s.detail, token));
	return e;
}

/* A token with this header and payload, signed with the server's own key. */
static char *forge(struct fixture *f, const char *header, const char *payload)
{
	uint8_t mac[SHA256_BYTES];
	char *text = arena_printf(f->arena, "%s.%s", base64url_encode(f->arena, header, strlen(header)),
				  base64url_encode(f->arena, payload, strlen(payload)));
	hmac_sha256(f->k->vault->token_key, sizeof f->k->vault->token_key, &(struct digest_part){text, strlen(text)}, 1, mac);
	return arena_printf(f->arena, "%s.%s", text, base64url_encode(f->arena, mac, sizeof mac));
}

static const char right_header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

static char *right_payload(struct fixture *f, const char *exp, const char *more)
{
	char t[ID_TEXT], a[ID_TEXT], c[ID_TEXT];
	return arena_printf(
		f->arena,
		"{\"iss\":\"i\",\"aud\":\"i\",\"tid\":\"%s\",\"appid\":\"%s\",\"jti\":\"%s\",\"iat\":1800000000,"
		"\"nbf\":1800000000,\"exp\":%s%s}",
		id_format(claims.tenant, t), id_format(claims.application, a), id_format(claims.credential, c), exp,
		more);
}

static void valid(void **state)
{
	struct fixture *f = *state;
	char *token = issue(f);
	assert_err(verify(f, token), OK);
	fixture_close(f);
	token = strdup(token);
	fixture_open(f);
	assert_err(verify(f, token), OK);
	free(token);
	assert_err(verify(f, forge(f, right_header, right_payload(f, "1800003600", ""))), OK);
}

/* A person's, and what a program is told of the person: two kinds of text, of which one opens the API. */
static void acts_for_a_person(void **state)
{
	struct fixture *f = *state;
	issue(f);
	claims.user = id_new(TEST_NOW);
	char *token = keeper_token_issue(f->k, f->arena, "https://mdm.example.com", &claims);
	assert_err(verify(f, token), OK);
	assert_true(keeper_token_looks(token));
	const struct id_token about = {.audience = "reeve", .name = "Ann", .upn = "ann@example.com", .claims = &claims};
	char *id = keeper_id_token_issue(f->k, f->arena, "https://mdm.example.com", &about);
	assert_false(keeper_token_looks(id));
	assert_err(verify(f, id), ERR_UNAUTHENTICATED);
	assert_says(&f->s, "malformed");
	assert_err(verify(f, forge(f, right_header, right_payload(f, "1800003600", ",\"oid\":\"x\""))), ERR_UNAUTHENTICATED);
	claims.user = (struct id){0};
}

/* What other JWT tools see in it. */
static void is_a_jwt(void **state)
{
	struct fixture *f = *state;
	char *token = issue(f), *dot = strchr(token, '.'), *dot2 = strrchr(token, '.'), id[ID_TEXT];
	void *header, *payload;
	size_t n;
	assert_true(base64url_decode(f->arena, token, (size_t)(dot - token), &header, &n));
	assert_int_equal(n, strlen(right_header));
	assert_memory_equal(header, right_header, n);
	assert_true(base64url_decode(f->arena, dot + 1, (size_t)(dot2 - dot - 1), &payload, &n));
	json_t *o = json_loadb(payload, n, JSON_REJECT_DUPLICATES, NULL);
	assert_int_equal(json_object_size(o), 8);
	assert_string_equal(json_string_value(json_object_get(o, "iss")), "https://mdm.example.com");
	assert_string_equal(json_string_value(json_object_get(o, "aud")), "https://mdm.example.com");
	assert_string_equal(json_string_value(json_object_get(o, "tid")), id_format(claims.tenant, id));
	assert_string_equal(json_string_value(json_object_get(o, "appid")), id_format(claims.application, id));
	assert_string_equal(json_string_value(json_object_get(o, "jti")), id_format(claims.credential, id));
	assert_int_equal(json_integer_value(json_object_get(o, "iat")), 1800000000);
	assert_int_equal(json_integer_value(json_object_get(o, "nbf")), 1800000000);
	assert_int_equal(json_integer_value(json_object_get(o, "exp")), 1800003600);
	json_decref(o);
}

static void expires(void **state)
{
	struct fixture *f = *state;
	char *token = issue(f);
	f->s.now = TEST_NOW + HOUR_US - 1;
	assert_err(verify(f, token), OK);
	f->s.now = TEST_NOW + HOUR_US;
	assert_err(verify(f, token), ERR_UNAUTHENTICATED);
	assert_says(&f->s, "expired");
	f->s.now = TEST_NOW - MINUTE_US;
	assert_err(verify(f, token), OK);
	f->s.now = TEST_NOW - MINUTE_US - 1;
	assert_err(verify(f, token), ERR_UNAUTHENTICATED);
	assert_says(&f->s, "not yet valid");
}

/* However well they are signed. */
static void other_headers(void **state)
{
	struct fixture *f = *state;
	issue(f);
	char *payload = right_payload(f, "1800003600", "");
	static const char *const bad[] = {
		"{\"alg\":\"none\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS384\",\"typ\":\"JWT\"}",
		"{\"alg\":\"HS512\",\"typ\":\"JWT\"}",
		"{\"alg\":\"RS256\",\"typ\":\"JWT\"}",
		"{\"alg\":\"hs256\",\"typ\":\"JWT\"}",
		"{\"typ\":\"JWT\",\"alg\":\"HS256\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"x\"}",
		"{\"alg\":\"HS256\"}",
		"{}",
		"",
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_err(verify(f, forge(f, bad[i], payload)), ERR_UNAUTHENTICATED);
		assert_says(&f->s, "malformed");
	}
	char *none = forge(f, bad[0], payload);
	strrchr(none, '.')[1] = '\0'; /* "none" with an empty signature */
	assert_err(verify(f, none), ERR_UNAUTHENTICATED);
}

static void payloads_that_do_not_fit(void **state)
{
	struct fixture *f = *state;
	issue(f);
	const char *const bad[] = {
		"",
		"1",
		"[]",
		"{",
		"{}",
		right_payload(f, "\"1800003600\"", ""),
		right_payload(f, "-1", ""),
		right_payload(f, "1e9", ""),
		right_payload(f, "99999999999999999999", ""),
		right_payload(f, "9223372036854775807", ""),
		right_payload(f, "1800003600", ",\"exp\":1900000000"),
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_err(verify(f, forge(f, right_header, bad[i])), ERR_UNAUTHENTICATED);
		assert_says(&f->s, "malformed");
	}
	for (const char *name = "tid\0appid\0jti\0iat\0nbf\0exp\0iss\0aud\0"; *name != '\0'; name += strlen(name) + 1) {
		char *payload = right_payload(f, "1800003600", ""),
		     *key = strstr(payload, arena_printf(f->arena, "\"%s\"", name));
		key[1] ^= 1; /* another name for it */
		assert_err(verify(f, forge(f, right_header, payload)), ERR_UNAUTHENTICATED);
		assert_says(&f->s, "malformed");
	}
}

static void every_flipped_bit(void **state)
{
	struct fixture *f = *state;
	char *token = issue(f);
	struct arena_mark mark = arena_mark(f->arena);
	for (size_t bit = 0; bit < strlen(token) * 8; bit++) {
		token[bit / 8] ^= (char)(1 << bit % 8);
		assert_err(verify(f, token), ERR_UNAUTHENTICATED);
		token[bit / 8] ^= (char)(1 << bit % 8);
		arena_rewind(f->arena, mark);
	}
	for (size_t i = 0; i < strlen(token); i++) { /* every other character in its place: no second spelling */
		char was = token[i];
		for (const char *c = "AQgwBRhx-_=. "; *c != '\0'; c++) {
			token[i] = *c;
			if (*c != was)
				assert_err(verify(f, token), ERR_UNAUTHENTICATED);
		}
		token[i] = was;
		arena_rewind(f->arena, mark);
	}
	assert_err(verify(f, token), OK);
}

static void lengths(void **state)
{
	struct fixture *f = *state;
	char *token = issue(f);
	size_t n = strlen(token);
	assert_err(verify(f, NULL), ERR_UNAUTHENTICATED);
	for (size_t cut = 0; cut < n; cut++)
		assert_err(verify(f, arena_strndup(f->arena, token, cut)), ERR_UNAUTHENTICATED);
	assert_err(verify(f, arena_printf(f->arena, "%s=", token)), ERR_UNAUTHENTICATED);
	assert_err(verify(f, arena_printf(f->arena, "%s.", token)), ERR_UNAUTHENTICATED);
	assert_err(verify(f, arena_printf(f->arena, " %s", token)), ERR_UNAUTHENTICATED);
	/* Rightly signed and too long all the same. */
	char *more = arena_alloc(f->arena, 3100);
	memset(more, ' ', 3050);
	char *large = forge(f, right_header, right_payload(f, "1800003600", more));
	assert_true(strlen(large) > 4096);
	assert_err(verify(f, large), ERR_UNAUTHENTICATED);
	assert_says(&f->s, "too long");
	more[2000] = '\0';
	assert_err(verify(f, forge(f, right_header, right_payload(f, "1800003600", more))), OK);
}

static void another_server(void **state)
{
	struct fixture *f = *state;
	char *token = strdup(issue(f));
	uint8_t key[KEEPER_KEY_BYTES] = {1};
	assert_err(vault_key_write(f->k->vault->dir, "token.key", key), OK);
	fixture_close(f);
	fixture_open(f);
	assert_err(verify(f, token), ERR_UNAUTHENTICATED);
	assert_says(&f->s, "wrong signature");
	free(token);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(valid),
		CASE(acts_for_a_person), CASE(is_a_jwt),
		CASE(expires),
		CASE(other_headers),
		CASE(payloads_that_do_not_fit),
		CASE(every_flipped_bit),
		CASE(lengths),
		CASE(another_server),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
