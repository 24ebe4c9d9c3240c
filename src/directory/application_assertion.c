/* SPDX-License-Identifier: Apache-2.0
 * Signing in with an assertion that one of the application's certificates signed (RFC 7521, 7523; OpenID Connect Core, section 9). */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "directory/application_internal.h"
#include "directory/tenant_internal.h"

DB_TENANT(assertion_application, "SELECT display_name, enabled FROM applications WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(assertion_insert, "INSERT INTO client_assertions (tenant_id, application_id, assertion_hash, expires_at) VALUES (?1, ?2, ?3, ?4) "
			    "ON CONFLICT DO NOTHING");

enum { JTI_MAX = 255 };

struct assertion {
	struct id client;
	const struct jose_token *token;
	const char *const *audiences;
	const char *name; /* of the application; NULL: there is none */
	bool enabled;
	struct application_certificate *certificates;
	size_t n;
	uint8_t jti[SHA256_BYTES];
	int64_t expires_at;
	bool fresh;
};

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct assertion *a = arg;
	a->name = NULL;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &assertion_application, DB_ARGS(db_v_id(&a->client)), &r));
	if (db_next(r)) {
		a->name = db_text_dup(r, 0, s->arena);
		a->enabled = db_bool(r, 1);
	}
	TRY(db_rows_err(r));
	return application_certificates(tx, a->client, &a->certificates, &a->n);
}

/* ---- which certificate ---- */

static bool names(struct arena *a, const struct application_certificate *c, const struct jose_token *t)
{
	char sha1_hex[2 * sizeof c->sha1 + 1], id[ID_TEXT];
	const char *sha1 = base64url_encode(a, c->sha1, sizeof c->sha1), *sha256_text = base64url_encode(a, c->sha256, sizeof c->sha256);
	for (size_t i = 0; i < sizeof c->sha1; i++)
		snprintf(&sha1_hex[2 * i], 3, "%02x", c->sha1[i]);
	if (t->x5t_s256 != NULL)
		return strcmp(t->x5t_s256, sha256_text) == 0;
	if (t->x5t != NULL)
		return strcmp(t->x5t, sha1) == 0;
	if (t->kid == NULL)
		return true;
	return strcmp(t->kid, sha256_text) == 0 || strcmp(t->kid, sha1) == 0 || strcasecmp(t->kid, sha1_hex) == 0 ||
	       strcasecmp(t->kid, id_format(c->certificate, id)) == 0;
}

/* NULL: none of them signed it, or the one that did is not good now. */
static const struct application_certificate *signer(struct scope *s, const struct assertion *a)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct application_certificate *c = &a->certificates[i];
		struct jose_certificate key;
		struct jose_token t = *a->token;
		if (c->starts_at > s->now || c->expires_at <= s->now || !names(s->arena, c, &t) || jose_certificate(s, c->der, c->der_n, &key) != OK)
			continue;
		auto_json *keys = json_pack("{s:[o]}", "keys", key.jwk);
		t.kid = NULL; /* the choice is made */
		if (jose_verify(&t, keys, JOSE_ALL) == JOSE_GOOD)
			return c;
	}
	return NULL;
}

/* ---- the claims ---- */

static bool is_client(const json_t *claims, const char *name, struct id client)
{
	struct id id;
	return id_parse(jose_text(claims, name), &id) && id_equal(id, client);
}

/* What is wrong, for the tenant's log; NULL: nothing. */
static const char *check_claims(struct scope *s, struct assertion *a)
{
	const json_t *claims = a->token->claims;
	const char *jti = jose_text(claims, "jti");
	bool audience = false;
	if (!is_client(claims, "iss", a->client) || !is_client(claims, "sub", a->client))
		return "assertion of somebody else";
	for (const char *const *aud = a->audiences; *aud != NULL && !audience; aud++)
		audience = jose_has_audience(claims, *aud);
	if (!audience)
		return "assertion for another server";
	if (jose_check_times(s, claims, JOSE_SKEW_US) != OK)
		return "assertion expired or not yet valid";
	a->expires_at = (int64_t)json_number_value(json_object_get(claims, "exp")) * SECOND_US + JOSE_SKEW_US;
	if (a->expires_at > s->now + ASSERTION_LIFE_US + 2 * JOSE_SKEW_US)
		return "assertion lives too long";
	if (jti == NULL || *jti == '\0' || strlen(jti) > JTI_MAX)
		return "assertion without a jti";
	sha256(jti, strlen(jti), a->jti);
	return NULL;
}

static enum err use_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct assertion *a = arg;
	int64_t inserted;
	TRY(db_exec(tx, &assertion_insert, DB_ARGS(db_v_id(&a->client), db_v_blob(a->jti, sizeof a->jti), db_v_int(a->expires_at)), &inserted));
	a->fresh = inserted == 1;
	return OK;
}

enum err application_assert(struct scope *s, struct id client, const struct jose_token *t, const char *const *audiences, struct token_claims *ret)
{
	struct assertion a = {.client = client, .token = t, .audiences = audiences};
	enum tenant_level level;
	check(s->has_tenant);
	TRY(db_read(s, load_tx, &a));
	TRY(tenant_access(s, &level));
	const struct application_certificate *c = signer(s, &a);
	const char *why = c == NULL ? "wrong signature" : !a.enabled ? "application disabled" : level == TENANT_NONE ? "the tenant is closed" : NULL;
	if (why == NULL)
		why = check_claims(s, &a);
	if (why == NULL) {
		TRY(db_write(s, use_tx, &a));
		why = a.fresh ? NULL : "assertion used before";
	}
	s->detail = NULL;
	if (why != NULL)
		return sign_in_refuse(s, client, a.name, why);
	return sign_in_grant(s, client, a.name, c->certificate, ret);
}
