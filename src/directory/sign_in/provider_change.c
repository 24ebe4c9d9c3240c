/* SPDX-License-Identifier: Apache-2.0
 * Identity providers: their rules, rows and events. */
#include <stdlib.h>
#include <string.h>

#include "codec/target.h"
#include "directory/access/role.h"
#include "directory/access/rule.h"
#include "directory/sign_in/identity_internal.h"
#include "directory/sign_in/provider.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

DB_TENANT(provider_count, "SELECT count(*), coalesce(sum(match_external_id), 0) FROM identity_providers WHERE tenant_id = ?1");
DB_TENANT(provider_same_issuer, "SELECT 1 FROM identity_providers WHERE tenant_id = ?1 AND issuer = ?2");
DB_TENANT(provider_set_secret, "UPDATE identity_providers SET client_secret = ?3 WHERE tenant_id = ?1 AND provider_id = ?2");
DB_TENANT(provider_drop, "DELETE FROM identity_providers WHERE tenant_id = ?1 AND provider_id = ?2");
DB_TENANT(provider_mapped_roles, "SELECT DISTINCT role_id FROM identity_provider_roles WHERE tenant_id = ?1 AND provider_id = ?2");
DB_TENANT(provider_mappings, "SELECT role_id, scope_group_id FROM identity_provider_roles WHERE tenant_id = ?1 AND provider_id = ?2");
DB_TENANT(provider_drop_roles, "DELETE FROM identity_provider_roles WHERE tenant_id = ?1 AND provider_id = ?2");

#define MULTI_TENANT(issuer) (ends_with(issuer, "/common/v2.0") || ends_with(issuer, "/organizations/v2.0"))

struct write {
	struct id provider;
	const struct provider_request *q;
};

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);
	return n >= m && strcmp(text + n - m, end) == 0;
}

static enum err record_event(struct db_tx *tx, enum activity activity, struct id provider, const char *name, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_IDENTITY_PROVIDER.entity, .resource = provider,
						      .resource_name = name, .changes = changes});
}

/* ---- rules ---- */

static enum err check_issuer(struct scope *s, const struct provider_request *q, const char *issuer)
{
	struct target t;
	if (!target_https(s->arena, issuer, &t) || strpbrk(issuer, "?{}") != NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "'issuer' is an https URL without a query, as the provider's discovery document has it");
	if (ends_with(issuer, "/.well-known/openid-configuration"))
		return scope_fail(s, ERR_BAD_REQUEST, "'issuer' is the URL without /.well-known/openid-configuration");
	if (q->may_reach != NULL && !q->may_reach(q->arg, t.host))
		return scope_fail(s, ERR_BAD_REQUEST, "'issuer' is a host that may not be reached (the server's setting sink_targets)");
	return OK;
}

static bool is_plain(const char *text, bool blanks)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p > 0x7e || *p < (blanks ? 0x20 : 0x21))
			return false;
	return *text != '\0';
}

static enum err check_secret(struct scope *s, const char *secret)
{
	if (secret != NULL && (strlen(secret) > PROVIDER_SECRET_MAX || !is_plain(secret, true)))
		return scope_fail(s, ERR_BAD_REQUEST, "'clientSecret' has 1 to %d printable ASCII characters", PROVIDER_SECRET_MAX);
	return OK;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
		if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
			return true;
	return false;
}

static enum err check_texts(struct scope *s, const struct record *r)
{
	const char *scope = record_text(s->arena, r, "scope"), *claim = record_text(s->arena, r, "roleClaim"),
		   *hint = record_text(s->arena, r, "domainHint"), *client = record_text(s->arena, r, "clientId");
	if (scope != NULL && (!is_plain(scope, true) || !has_word(scope, "openid")))
		return scope_fail(s, ERR_BAD_REQUEST, "'scope' is a list of scopes with blanks between, and openid is one of them");
	if (claim != NULL && !is_plain(claim, false))
		return scope_fail(s, ERR_BAD_REQUEST, "'roleClaim' is the name of a claim, or a path such as realm_access.roles");
	if ((hint != NULL && !is_plain(hint, false)) || (client != NULL && !is_plain(client, true)))
		return scope_fail(s, ERR_BAD_REQUEST, "'clientId' and 'domainHint' are printable ASCII");
	return OK;
}

/* An array of 1 to max texts; NULL and an empty array mean none. */
static enum err check_list(struct scope *s, struct record *r, const char *name, size_t max, bool ids)
{
	if (!record_has(r, name))
		return OK;
	auto_json *list = json_loads(record_text(s->arena, r, name), 0, NULL);
	size_t n = json_array_size(list);
	struct id id;
	if (!json_is_array(list) || n > max)
		return scope_fail(s, ERR_BAD_REQUEST, "'%s' is a list of at most %zu texts", name, max);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (text == NULL || strlen(text) > 256 || !is_plain(text, false) || (ids && !id_parse(text, &id)))
			return scope_fail(s, ERR_BAD_REQUEST, ids ? "'%s' is a list of ids" : "'%s' is a list of texts", name);
		char lower[ID_TEXT];
		if (ids)
			json_array_set_new(list, i, json_string(id_format(id, lower)));
	}
	if (n == 0)
		record_set_null(r, name);
	char *dump = json_dumps(list, JSON_COMPACT);
	if (n > 0)
		record_set_text(r, name, arena_strdup(s->arena, dump));
	free(dump);
	return OK;
}

static const char *effective(struct arena *a, const struct record *old, const struct record *r, const char *name)
{
	const struct property *p = resource_property(r->res, name, API_V1);
	return old == NULL || r->set[p - r->res->props] ? record_text(a, r, name) : record_text(a, old, name);
}

/* An ID token is for the client; were that an audience of the API, too, the token that a browser gets at sign-in would open it. */
static enum err check_together(struct db_tx *tx, const struct record *old, const struct record *r)
{
	struct scope *s = db_tx_scope(tx);
	const char *issuer = effective(s->arena, old, r, "issuer"), *client = effective(s->arena, old, r, "clientId");
	const char *audiences = effective(s->arena, old, r, "apiAudiences");
	auto_json *list = audiences == NULL ? NULL : json_loads(audiences, 0, NULL);
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), client) == 0)
			return scope_fail(s, ERR_BAD_REQUEST, "'apiAudiences' must not hold the clientId: an ID token would be taken for an access token");
	if (MULTI_TENANT(issuer) && effective(s->arena, old, r, "allowedTenantIds") == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "this issuer speaks for many tenants: 'allowedTenantIds' says which may sign in");
	return OK;
}

static enum err check_given(struct db_tx *tx, const struct record *old, struct record *r, const struct provider_request *q)
{
	struct scope *s = db_tx_scope(tx);
	TRY(check_secret(s, q->client_secret));
	TRY(check_texts(s, r));
	TRY(check_list(s, r, "allowedTenantIds", PROVIDER_TENANTS_MAX, true));
	TRY(check_list(s, r, "apiAudiences", PROVIDER_AUDIENCES_MAX, false));
	return check_together(tx, old, r);
}

/* At a provider whose people are matched by name its own administrator becomes whoever is not bound yet; what is meant for an audience is in the hands
 * of whoever runs it, as who it was made out to: nobody rises above themselves by either. */
static enum err may_decide_who(struct db_tx *tx)
{
	static const struct id tenant;
	struct role administrator;
	TRY(role_by_name(tx, ROLE_ADMINISTRATOR, &administrator));
	return access_may_give(tx, administrator.role, tenant);
}

/* ---- create ---- */

/* Microsoft's issuers name the tenant: people of it are known by (tid, oid) from the start. */
static void tenant_of_issuer(struct scope *s, struct record *r, const char *issuer)
{
	static const char prefix[] = "https://login.microsoftonline.";
	struct id id;
	const char *at = strncmp(issuer, prefix, sizeof prefix - 1) == 0 ? strchr(issuer + sizeof prefix - 1, '/') : NULL;
	if (at == NULL || record_has(r, "allowedTenantIds") || strlen(at) < ID_TEXT)
		return;
	char text[ID_TEXT];
	if (id_parse(arena_strndup(s->arena, at + 1, ID_TEXT - 1), &id))
		record_set_text(r, "allowedTenantIds", arena_printf(s->arena, "[\"%s\"]", id_format(id, text)));
}

static void default_text(struct record *r, const char *name, const char *value)
{
	if (!record_has(r, name))
		record_set_text(r, name, value);
}

static void default_bool(struct record *r, const char *name, bool value)
{
	if (!record_has(r, name))
		record_set_int(r, name, value);
}

static enum err check_room(struct db_tx *tx, const char *issuer, int64_t *ret_matching)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL, *same = NULL;
	TRY(db_query_one(tx, &provider_count, DB_NOARGS, &r));
	*ret_matching = db_int(r, 1);
	if (db_int(r, 0) >= PROVIDERS_MAX)
		return scope_fail(s, ERR_CONFLICT, "a tenant has at most %d identity providers", PROVIDERS_MAX);
	TRY(db_query(tx, &provider_same_issuer, DB_ARGS(db_v_text(issuer)), &same));
	if (db_next(same))
		return scope_fail(s, ERR_EXISTS, "the tenant has an identity provider with this issuer");
	return db_rows_err(same);
}

static struct db_value sealed(struct scope *s, const char *secret)
{
	size_t n;
	if (secret == NULL)
		return db_v_null();
	const void *p = keeper_seal(s->keeper, s->arena, secret, strlen(secret), &n);
	return db_v_blob(p, n);
}

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	struct record *r = arena_memdup(s->arena, a->q->r, sizeof *r);
	const char *issuer = record_text(s->arena, r, "issuer");
	int64_t matching;
	a->provider = scope_id(s);
	TRY(check_issuer(s, a->q, issuer));
	TRY(check_room(tx, issuer, &matching));
	default_text(r, "clientAuthentication", a->q->client_secret == NULL ? "none" : "client_secret_basic");
	default_text(r, "scope", "openid profile email");
	default_bool(r, "matchExternalId", matching == 0); /* only one directory provisions, as a rule */
	default_bool(r, "matchUserPrincipalName", false);
	default_bool(r, "enabled", true);
	tenant_of_issuer(s, r, issuer);
	TRY(check_given(tx, NULL, r, a->q));
	if (a->q->client_secret == NULL && strcmp(record_text(s->arena, r, "clientAuthentication"), "none") != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "this 'clientAuthentication' needs a 'clientSecret'");
	if (record_int(r, "matchExternalId") != 0 || record_int(r, "matchUserPrincipalName") != 0 || record_text(s->arena, r, "apiAudiences") != NULL)
		TRY(may_decide_who(tx));
	struct extra_column extra[] = {{"created_at", db_v_int(s->now)}, {"client_secret", sealed(s, a->q->client_secret)}};
	TRY(record_insert(tx, r, a->provider, extra, sizeof extra / sizeof extra[0]));
	struct audit_change *changes = NULL, **tail = &changes;
	record_changes_all(s->arena, r, true, &tail);
	return record_event(tx, ACT_IDENTITY_PROVIDER_CREATE, a->provider, record_text(s->arena, r, "displayName"), changes);
}

enum err provider_create(struct scope *s, const struct provider_request *q, struct id *ret)
{
	check(q->r->res == &RES_IDENTITY_PROVIDER);
	struct write a = {.q = q};
	TRY(db_write(s, create_tx, &a));
	*ret = a.provider;
	return OK;
}

/* ---- patch ---- */

static bool changes_any(const struct audit_change *changes, const char *const *names)
{
	for (; changes != NULL; changes = changes->next)
		for (const char *const *name = names; *name != NULL; name++)
			if (strcmp(changes->name, *name) == 0)
				return true;
	return false;
}

/* These say whose claims give the mapped roles, and which claim does: whoever changes them could give themselves each of the roles. */
static const char *const OF_ROLES[] = {"clientId", "roleClaim", "allowedTenantIds", NULL};
static const char *const OF_MATCHING[] = {"matchExternalId", "matchUserPrincipalName", "clientId", "allowedTenantIds", NULL};
static const char *const OF_TOKENS[] = {"apiAudiences", NULL};
static const char *const OF_SESSIONS[] = {"enabled", "allowedTenantIds", NULL};

static bool is_on(const struct record *old, const struct record *r, const char *name)
{
	return record_int(record_has(r, name) ? r : old, name) != 0;
}

static enum err check_mapped(struct db_tx *tx, struct id provider)
{
	struct id roles[PROVIDER_ROLES_MAX], groups[PROVIDER_ROLES_MAX];
	size_t n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &provider_mappings, DB_ARGS(db_v_id(&provider)), &r));
	for (; n < PROVIDER_ROLES_MAX && db_next(r); n++) {
		roles[n] = db_id(r, 0);
		groups[n] = db_id(r, 1);
	}
	TRY(db_rows_err(r));
	for (size_t i = 0; i < n; i++)
		TRY(access_may_give(tx, roles[i], groups[i]));
	return OK;
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old, *r = arena_memdup(s->arena, a->q->r, sizeof *r);
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(record_load(tx, &RES_IDENTITY_PROVIDER, a->provider, false, &old));
	TRY(check_given(tx, old, r, a->q));
	TRY(record_update(tx, old, r, a->provider, NULL, 0, &tail, &changed));
	if (a->q->client_secret != NULL) {
		tail = audit_change_add(s->arena, tail, "clientSecret", NULL, NULL, "[changed]", "[changed]");
		TRY(db_exec(tx, &provider_set_secret, DB_ARGS(db_v_id(&a->provider), sealed(s, a->q->client_secret)), NULL));
	}
	if (changes == NULL)
		return OK;
	if (changes_any(changes, OF_MATCHING) && (is_on(old, r, "matchExternalId") || is_on(old, r, "matchUserPrincipalName")))
		TRY(may_decide_who(tx));
	if (changes_any(changes, OF_TOKENS) && effective(s->arena, old, r, "apiAudiences") != NULL)
		TRY(may_decide_who(tx));
	if (changes_any(changes, OF_ROLES))
		TRY(check_mapped(tx, a->provider));
	if (changes_any(changes, OF_SESSIONS)) /* who was let in may be nobody any more */
		TRY(identity_end_all(tx, a->provider, false, NULL));
	return record_event(tx, ACT_IDENTITY_PROVIDER_UPDATE, a->provider, effective(s->arena, old, r, "displayName"), changes);
}

enum err provider_patch(struct scope *s, struct id provider, const struct provider_request *q)
{
	check(q->r->res == &RES_IDENTITY_PROVIDER);
	return db_write(s, patch_tx, &(struct write){.provider = provider, .q = q});
}

/* ---- delete ---- */

static enum err check_roles(struct db_tx *tx, struct id provider)
{
	struct id roles[PROVIDER_ROLES_MAX];
	size_t n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &provider_mapped_roles, DB_ARGS(db_v_id(&provider)), &r));
	while (n < PROVIDER_ROLES_MAX && db_next(r))
		roles[n++] = db_id(r, 0);
	TRY(db_rows_err(r));
	for (size_t i = 0; i < n; i++)
		TRY(access_may_take(tx, roles[i]));
	return OK;
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	int64_t mappings, identities;
	TRY(record_load(tx, &RES_IDENTITY_PROVIDER, a->provider, false, &old));
	TRY(check_roles(tx, a->provider));
	TRY(identity_end_all(tx, a->provider, true, &identities));
	TRY(db_exec(tx, &provider_drop_roles, DB_ARGS(db_v_id(&a->provider)), &mappings));
	TRY(db_exec(tx, &provider_drop, DB_ARGS(db_v_id(&a->provider)), NULL));
	tail = audit_change_add(s->arena, tail, "issuer", NULL, NULL, record_text(s->arena, old, "issuer"), NULL);
	tail = audit_change_add(s->arena, tail, "clientId", NULL, NULL, record_text(s->arena, old, "clientId"), NULL);
	tail = audit_change_add(s->arena, tail, "roleMappings", NULL, NULL, arena_printf(s->arena, "%lld", (long long)mappings), NULL);
	audit_change_add(s->arena, tail, "identities", NULL, NULL, arena_printf(s->arena, "%lld", (long long)identities), NULL);
	return record_event(tx, ACT_IDENTITY_PROVIDER_DELETE, a->provider, record_text(s->arena, old, "displayName"), changes);
}

enum err provider_delete(struct scope *s, struct id provider)
{
	return db_write(s, delete_tx, &(struct write){.provider = provider});
}
