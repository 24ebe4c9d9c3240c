/* SPDX-License-Identifier: Apache-2.0
 *
 * Signing in with client credentials, and what a token stands for at each request.  A sign-in is an event, one a day and credential; the refusal
 * of an application that exists is one, too, one a minute.
 */
#include "audit/audit_read.h"
#include "base/clock.h"
#include "directory/access/access.h"
#include "directory/application_internal.h"
#include "directory/sign_in/session.h"
#include "directory/tenant_internal.h"
#include "resource/tables.h"

DB_TENANT(sign_in_secrets, "SELECT s.secret_id, s.secret_hash, s.expires_at, a.enabled, a.display_name FROM applications a "
			   "LEFT JOIN application_secrets s ON s.tenant_id = a.tenant_id AND s.application_id = a.application_id "
			   "WHERE a.tenant_id = ?1 AND a.application_id = ?2");
DB_TENANT(principal, "SELECT a.display_name, t.state, t.closed_at, "
		     "(SELECT count(*) FROM subscriptions p WHERE p.tenant_id = ?1 AND p.status IN ('Enabled', 'Warning') "
		     "AND p.product = '" PRODUCT_DEVICE_MANAGEMENT "'), "
		     "(SELECT count(*) FROM subscriptions p WHERE p.tenant_id = ?1 AND p.status IN ('Enabled', 'Warning')) "
		     "FROM applications a JOIN tenants t ON t.tenant_id = a.tenant_id "
		     "WHERE a.tenant_id = ?1 AND a.application_id = ?3 AND a.enabled = 1 AND ("
		     "EXISTS (SELECT 1 FROM application_secrets s WHERE s.tenant_id = ?1 AND s.secret_id = ?2 AND s.application_id = ?3 "
		     "AND s.expires_at > ?4) OR "
		     "EXISTS (SELECT 1 FROM application_certificates c WHERE c.tenant_id = ?1 AND c.certificate_id = ?2 AND c.application_id = ?3 "
		     "AND c.expires_at > ?4))");

/* ---- sign in ---- */

struct sign_in {
	struct id client, secret;
	uint8_t hash[SHA256_BYTES];
	bool known, granted; /* the application exists; everything fits */
	const char *name, *why;
};

/* Every secret is compared, also after one fits, and an unknown client costs one comparison like a client with one secret. */
static enum err sign_in_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sign_in *a = arg;
	static const uint8_t nobody[SHA256_BYTES];
	a->known = a->granted = false;
	a->why = "wrong secret";
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &sign_in_secrets, DB_ARGS(db_v_id(&a->client)), &r));
	while (db_next(r)) {
		a->known = true;
		a->name = db_text_dup(r, 4, s->arena);
		size_t n = 0;
		const void *hash = db_blob(r, 1, &n);
		if (!bytes_equal(n == SHA256_BYTES ? hash : nobody, a->hash, SHA256_BYTES) || n != SHA256_BYTES)
			continue;
		a->secret = db_id(r, 0);
		bool expired = db_int(r, 2) <= s->now;
		a->granted = !expired && db_bool(r, 3);
		a->why = expired ? "expired secret" : "application disabled";
	}
	if (!a->known && bytes_equal(nobody, a->hash, SHA256_BYTES))
		a->granted = false;
	return db_rows_err(r);
}

enum err sign_in_refuse(struct scope *s, struct id client, const char *name, const char *why)
{
	if (name != NULL && audit_first_in_minute(s, ACT_APPLICATION_SIGN_IN, client)) /* all of them are counted by the API's refusals */
		audit_refused(s, &(struct audit_event){.activity = ACT_APPLICATION_SIGN_IN, .resource_type = RES_APPLICATION.entity,
						       .resource = client, .resource_name = name, .failure = why});
	return scope_fail(s, ERR_UNAUTHENTICATED, "unknown client, wrong or expired secret, or the client may not sign in");
}

/* As the application, which is the event's actor. */
enum err sign_in_grant(struct scope *s, struct id application, const char *name, struct id credential, struct token_claims *ret)
{
	struct scope own = *s;
	own.actor.type = id_is_nil(s->tenant) ? ACTOR_OPERATOR : ACTOR_APPLICATION;
	own.actor.id = application;
	own.actor.name = name;
	enum err e = audit_record_sign_in(&own, credential);
	if (e != OK)
		return scope_fail(s, e, "%s", scope_detail(&own, e));
	*ret = (struct token_claims){.tenant = s->tenant, .application = application, .credential = credential, .issued_us = s->now,
				     .expires_us = s->now + TOKEN_LIFE_US};
	return OK;
}

enum err application_sign_in(struct scope *s, struct id client, const char *secret, struct token_claims *ret)
{
	check(s->has_tenant);
	struct sign_in a = {.client = client};
	secret_hash(secret, a.hash);
	enum tenant_level level;
	TRY(db_read(s, sign_in_tx, &a));
	TRY(tenant_access(s, &level));
	if (a.granted && level == TENANT_NONE) {
		a.granted = false;
		a.why = "the tenant is closed";
	}
	if (!a.granted)
		return sign_in_refuse(s, client, a.name, a.why);
	return sign_in_grant(s, client, a.name, a.secret, ret);
}

/* ---- who a token is ---- */

struct who {
	const struct token_claims *claims;
	struct actor *ret;
	struct tenant_levels *levels; /* NULL: not asked for */
};

static enum err principal_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct who *a = arg;
	const struct token_claims *c = a->claims;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &principal, DB_ARGS(db_v_id(&c->credential), db_v_id(&c->application), db_v_int(s->now)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_UNAUTHENTICATED, "the token's application or secret is gone, disabled or expired");
	TRY(e);
	a->ret->type = id_is_nil(c->tenant) ? ACTOR_OPERATOR : ACTOR_APPLICATION;
	a->ret->id = c->application;
	a->ret->name = db_text_dup(r, 0, s->arena);
	a->ret->upn = NULL;
	if (a->levels != NULL)
		*a->levels = tenant_levels_of(db_text(r, 1), db_int(r, 2), db_int(r, 3), db_int(r, 4), s->now);
	struct access *access;
	TRY(access_load(tx, a->ret->type, c->application, &access));
	a->ret->access = access;
	a->ret->permissions = access_permissions(access, s->arena);
	return OK;
}

enum err application_principal(struct scope *s, const struct token_claims *c, struct actor *ret)
{
	check(s->has_tenant && id_equal(s->tenant, c->tenant));
	return db_read(s, principal_tx, &(struct who){.claims = c, .ret = ret});
}

enum err tenant_admit(struct scope *s, const struct token_claims *c, struct actor *ret, struct tenant_levels *ret_levels)
{
	check(s->has_tenant && id_equal(s->tenant, c->tenant));
	if (id_is_nil(c->user))
		return db_read(s, principal_tx, &(struct who){c, ret, ret_levels});
	TRY(session_admit_id(s, c->credential, ret, ret_levels));
	if (!id_equal(ret->id, c->user) || !id_equal(ret->application, c->application))
		return scope_fail(s, ERR_UNAUTHENTICATED, "the token's session is another's");
	return OK;
}
