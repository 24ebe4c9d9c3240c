/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/sign_in/provider_token.h"

#include <string.h>
#include <strings.h>

#include "crypto/jose.h"
#include "directory/access/access.h"
#include "directory/access/role.h"
#include "directory/application.h"
#include "directory/sign_in/identity.h"

/* Administrators make these, tens in a tenant at most. */
DB_GLOBAL(token_providers_by_issuer, "SELECT tenant_id, provider_id FROM identity_providers WHERE issuer = ?1 AND enabled = 1 "
				     "AND api_audiences IS NOT NULL ORDER BY tenant_id LIMIT ?2");
DB_GLOBAL(token_providers_entra, "SELECT tenant_id, provider_id, allowed_tenants FROM identity_providers WHERE allowed_tenants IS NOT NULL "
				 "AND enabled = 1 AND api_audiences IS NOT NULL ORDER BY tenant_id");
DB_TENANT(token_application, "SELECT display_name FROM applications WHERE tenant_id = ?1 AND application_id = ?2");

enum { CANDIDATES_MAX = 64, PERMISSIONS_BYTES_MAX = 16 * 1024 };

/* ---- whose ---- */

struct candidate {
	struct id tenant, provider;
};

struct search {
	const char *iss, *tid;
	struct candidate list[CANDIDATES_MAX];
	size_t n;
};

static void add(struct search *f, struct id tenant, struct id provider)
{
	for (size_t i = 0; i < f->n; i++)
		if (id_equal(f->list[i].provider, provider) && id_equal(f->list[i].tenant, tenant))
			return;
	if (f->n < CANDIDATES_MAX)
		f->list[f->n++] = (struct candidate){tenant, provider};
}

static enum err by_issuer_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct search *f = arg;
	auto_rows struct db_rows *r = NULL;
	(void)s;
	f->n = 0;
	TRY(db_query(tx, &token_providers_by_issuer, DB_ARGS(db_v_text(f->iss), db_v_int(CANDIDATES_MAX)), &r));
	while (db_next(r))
		add(f, db_id(r, 0), db_id(r, 1));
	return db_rows_err(r);
}

static enum err by_tenant_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct search *f = arg;
	auto_rows struct db_rows *r = NULL;
	(void)s;
	f->n = 0;
	TRY(db_query(tx, &token_providers_entra, DB_NOARGS, &r));
	while (db_next(r))
		if (strcasestr(db_text(r, 2), f->tid) != NULL)
			add(f, db_id(r, 0), db_id(r, 1));
	return db_rows_err(r);
}

struct load {
	struct id id;
	struct provider provider;
};

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct load *l = arg;
	(void)s;
	return provider_load(tx, l->id, &l->provider);
}

static bool accepts(const struct provider *p, const json_t *claims)
{
	for (const char *const *aud = p->audiences; aud != NULL && *aud != NULL; aud++)
		if (jose_has_audience(claims, *aud))
			return true;
	return false;
}

static enum err refuse(struct scope *s, const char *why)
{
	return scope_fail(s, ERR_UNAUTHENTICATED, "%s", why);
}

struct choice {
	struct id but; /* a tenant that is passed over; nil: none */
	size_t n;      /* how many accept the token */
	struct id tenant;
	struct provider provider;
};

static enum err choose(struct scope *s, struct search *f, db_fn find, const json_t *claims, struct choice *ret)
{
	TRY(db_read(s, find, f));
	for (size_t i = 0; i < f->n; i++) {
		struct scope own;
		struct load l = {.id = f->list[i].provider};
		scope_tenant(&own, s->arena, s->db, s->keeper, f->list[i].tenant);
		if (id_equal(f->list[i].tenant, ret->but) || db_read(&own, load_tx, &l) != OK || !accepts(&l.provider, claims))
			continue;
		ret->n++;
		ret->tenant = f->list[i].tenant;
		ret->provider = l.provider;
	}
	return OK;
}

enum err provider_of_token(struct scope *s, const json_t *claims, struct provider *ret)
{
	struct id tid;
	struct search f = {.iss = jose_text(claims, "iss"), .tid = jose_text(claims, "tid")};
	struct choice c = {.n = 0}, wider = {.n = 0};
	check(!s->has_tenant);
	if (f.iss == NULL)
		return refuse(s, "the token has no issuer");
	TRY(choose(s, &f, by_issuer_tx, claims, &c));
	wider.but = c.tenant;
	if (id_parse(f.tid, &tid)) /* also of a token that has its provider: another tenant may mean the same one */
		TRY(choose(s, &f, by_tenant_tx, claims, &wider));
	if (c.n == 0)
		c = wider;
	else
		c.n += wider.n;
	if (c.n == 0)
		return refuse(s, "the token is of an issuer or for an audience that is not accepted here");
	if (c.n > 1)
		return refuse(s, "more than one identity provider here accepts the token's issuer and audience");
	s->tenant = c.tenant;
	s->has_tenant = true;
	*ret = c.provider;
	return OK;
}

/* ---- who ---- */

static const char *client_of(const json_t *claims)
{
	const char *azp = jose_text(claims, "azp"), *appid = jose_text(claims, "appid");
	return azp != NULL ? azp : appid != NULL ? appid : jose_text(claims, "client_id");
}

static const json_t *scopes_of(const json_t *claims)
{
	const json_t *scp = json_object_get(claims, "scp");
	return scp != NULL ? scp : json_object_get(claims, "scope");
}

bool provider_token_is_app(const struct provider *p, const json_t *claims)
{
	const char *type = jose_text(claims, "idtyp"), *sub = jose_text(claims, "sub"), *client = client_of(claims);
	if (type != NULL)
		return strcmp(type, "app") == 0;
	bool itself = sub != NULL && client != NULL && strcmp(sub, client) == 0;
	return itself || (p->tenants != NULL && scopes_of(claims) == NULL); /* elsewhere a person's token may lack scopes, too */
}

struct bearer {
	const struct provider *p;
	const json_t *claims;
	struct actor *ret;
	struct tenant_levels *levels;
};

static enum err app_actor(struct db_tx *tx, const struct bearer *b)
{
	struct scope *s = db_tx_scope(tx);
	const char *client = client_of(b->claims);
	struct id application;
	struct access *access;
	enum err e = client != NULL ? application_external(tx, b->p->issuer, client, &application) : ERR_NOT_FOUND;
	if (e == ERR_NOT_FOUND)
		return refuse(s, "the token's program stands for no application here (externalIssuer, externalClientId)");
	TRY(e);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &token_application, DB_ARGS(db_v_id(&application)), &r));
	b->ret->type = ACTOR_APPLICATION;
	b->ret->id = application;
	b->ret->name = db_text_dup(r, 0, s->arena);
	b->ret->upn = NULL;
	TRY(access_load(tx, ACTOR_APPLICATION, application, &access));
	b->ret->access = access;
	b->ret->permissions = access_permissions(access, s->arena);
	return OK;
}

/* scp is a text with blanks, or an array of texts. */
static const char *scope_text(struct arena *a, const json_t *scp)
{
	const char *text = json_string_value(scp);
	if (text != NULL)
		return text;
	text = "";
	for (size_t i = 0; i < json_array_size(scp) && i < 200; i++) {
		const char *one = json_string_value(json_array_get(scp, i));
		if (one != NULL && strlen(text) + strlen(one) < PERMISSIONS_BYTES_MAX)
			text = arena_printf(a, "%s %s", text, one);
	}
	return text;
}

/* The names of either list that the other grants. */
static const char *both(struct arena *a, const char *one, const char *other)
{
	const char *lists[][2] = {{one, other}, {other, one}}, *ret = "";
	for (size_t i = 0; i < 2; i++) {
		char *rest = arena_strdup(a, lists[i][0]);
		for (char *name = strsep(&rest, " "); name != NULL; name = strsep(&rest, " "))
			if (permission_known(name) && permission_granted(lists[i][1], name) && (i == 0 || !permission_granted(ret, name)))
				ret = *ret != '\0' ? arena_printf(a, "%s %s", ret, name) : name;
	}
	return ret;
}

/* What a person holds, each grant cut to what the token's scopes allow. */
static struct access *cut(struct arena *a, const struct access *whole, const char *scopes)
{
	struct access *ret = arena_alloc(a, sizeof *ret);
	struct access_grant *grants = arena_memdup(a, whole->grants, whole->n * sizeof *grants);
	for (size_t i = 0; i < whole->n; i++)
		grants[i].permissions = both(a, grants[i].permissions, scopes);
	*ret = (struct access){.grants = grants, .n = whole->n};
	return ret;
}

static enum err person_actor(struct db_tx *tx, const struct bearer *b)
{
	struct scope *s = db_tx_scope(tx);
	struct id user;
	const char *client = client_of(b->claims);
	enum err e = identity_user(tx, b->p, b->claims, &user);
	if (e == ERR_NOT_FOUND) {
		s->detail = NULL;
		return refuse(s, "the token's person is bound to nobody here: they have to sign in once");
	}
	TRY(e);
	TRY(access_of_user(tx, user, b->ret));
	struct access *access = cut(s->arena, b->ret->access, scope_text(s->arena, scopes_of(b->claims)));
	b->ret->type = ACTOR_USER;
	b->ret->access = access;
	b->ret->permissions = access_permissions(access, s->arena);
	e = client != NULL ? application_external(tx, b->p->issuer, client, &b->ret->application) : ERR_NOT_FOUND;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err actor_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct bearer *b = arg;
	(void)s;
	TRY(tenant_levels_in(tx, b->levels));
	return provider_token_is_app(b->p, b->claims) ? app_actor(tx, b) : person_actor(tx, b);
}

enum err provider_token_actor(struct scope *s, const struct provider *p, const json_t *claims, struct actor *ret, struct tenant_levels *ret_levels)
{
	return db_read(s, actor_tx, &(struct bearer){p, claims, ret, ret_levels});
}
