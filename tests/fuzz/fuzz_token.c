/* SPDX-License-Identifier: Apache-2.0
 * No text but an issued token is a token.  Input: a byte that says what the rest is: a text as it came; changes to an issued token
 * (place, place, byte …); the payload of a token that is signed with the right key, as no client can. */
#include "fuzz.h"

#include "codec/base64.h"
#include "place.h"

static const struct token_claims CLAIMS = {.tenant = {{1}}, .application = {{2}}, .credential = {{3}}};

static enum err verify(struct scope *s, const char *token, struct token_claims *ret)
{
	s->detail = NULL;
	enum err e = keeper_token_verify(fuzz_keeper(), s, token, ret);
	if (e == OK)
		return e;
	fuzz_refused(s, e);
	check(e == ERR_UNAUTHENTICATED);
	check(strlen(token) < 16 || strstr(s->detail, token) == NULL);
	return e;
}

static const char *issued(struct scope *s)
{
	struct token_claims c = CLAIMS;
	c.issued_us = FUZZ_NOW;
	c.expires_us = FUZZ_NOW + HOUR_US;
	return keeper_token_issue(fuzz_keeper(), s->arena, "https://reeve.example", &c);
}

static void damaged(struct scope *s, const uint8_t *p, size_t n)
{
	struct token_claims got;
	const char *good = issued(s);
	char *bad = arena_strdup(s->arena, good);
	size_t len = strlen(good);
	for (; n >= 3; p += 3, n -= 3)
		bad[((size_t)p[0] << 8 | p[1]) % len] = (char)p[2];
	if (strcmp(good, bad) != 0) {
		check(verify(s, bad, &got) != OK);
		return;
	}
	check(verify(s, good, &got) == OK);
	check(id_equal(got.tenant, CLAIMS.tenant) && id_equal(got.application, CLAIMS.application));
	check(id_equal(got.credential, CLAIMS.credential) && got.issued_us == FUZZ_NOW && got.expires_us == FUZZ_NOW + HOUR_US);
}

/* The key out of the keeper's file: "token.key <64 hex> …" */
static const uint8_t *token_key(void)
{
	static uint8_t key[32];
	static bool known;
	char path[512], hex[65] = "";
	fuzz_keeper();
	if (known)
		return key;
	fuzz_file(path, "keeper/token.key");
	FILE *f = fopen(path, "r");
	check(f != NULL && fscanf(f, "token.key %64s", hex) == 1);
	fclose(f);
	known = hex_decode(hex, sizeof key, key);
	check(known);
	return key;
}

static void with_payload(struct scope *s, const uint8_t *p, size_t n)
{
	struct token_claims got;
	uint8_t mac[32];
	const char *good = issued(s);
	char *text = arena_printf(s->arena, "%.*s.%s", (int)strcspn(good, "."), good, base64url_encode(s->arena, p, n));
	hmac_sha256(token_key(), 32, &(struct digest_part){text, strlen(text)}, 1, mac);
	text = arena_printf(s->arena, "%s.%s", text, base64url_encode(s->arena, mac, sizeof mac));
	if (verify(s, text, &got) != OK)
		return;
	check(strlen(text) <= 4096 && got.expires_us > s->now && got.issued_us >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct token_claims got;
	if (n == 0 || n > 8 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	s->now = FUZZ_NOW + MINUTE_US;
	switch (bytes[0] % 3) {
	case 0:
		check(verify(s, arena_strndup(s->arena, (const char *)bytes + 1, n - 1), &got) != OK);
		break;
	case 1:
		damaged(s, bytes + 1, n - 1);
		break;
	default:
		with_payload(s, bytes + 1, n - 1);
	}
	return 0;
}
