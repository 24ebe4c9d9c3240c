/* SPDX-License-Identifier: Apache-2.0
 * Identity providers: reading them. */
#include "directory/sign_in/provider.h"

#include <string.h>

#include "keeper/keeper.h"

#define COLUMNS                                                                                                                             \
	"provider_id, display_name, issuer, client_id, client_authentication, scope, domain_hint, role_claim, allowed_tenants, api_audiences, " \
	"match_external_id, match_upn, enabled"

/* A tenant has at most PROVIDERS_MAX: its rows are read by the key's first column. */
DB_TENANT(provider_by_id, "SELECT " COLUMNS " FROM identity_providers WHERE tenant_id = ?1 AND provider_id = ?2");
DB_TENANT(provider_enabled, "SELECT " COLUMNS " FROM identity_providers WHERE tenant_id = ?1 AND enabled = 1 ORDER BY display_name, provider_id");
DB_TENANT(provider_sealed, "SELECT client_secret FROM identity_providers WHERE tenant_id = ?1 AND provider_id = ?2");

/* A JSON array of texts, as it was checked when it was written; NULL for NULL and for an empty one. */
static const char *const *texts(struct arena *a, const char *json)
{
	auto_json *list = json == NULL ? NULL : json_loads(json, 0, NULL);
	size_t n = json_array_size(list);
	if (n == 0)
		return NULL;
	const char **ret = arena_alloc(a, (n + 1) * sizeof *ret);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		ret[i] = arena_strdup(a, text != NULL ? text : "");
	}
	return ret;
}

static void read_row(struct arena *a, const struct db_rows *r, struct provider *ret)
{
	*ret = (struct provider){
		.provider = db_id(r, 0), .display_name = db_text_dup(r, 1, a), .issuer = db_text_dup(r, 2, a), .client_id = db_text_dup(r, 3, a),
		.client_authentication = db_text_dup(r, 4, a), .scope = db_text_dup(r, 5, a), .domain_hint = db_text_dup(r, 6, a),
		.role_claim = db_text_dup(r, 7, a), .tenants = texts(a, db_text(r, 8)), .audiences = texts(a, db_text(r, 9)),
		.match_external_id = db_bool(r, 10), .match_upn = db_bool(r, 11), .enabled = db_bool(r, 12),
	};
}

enum err provider_load(struct db_tx *tx, struct id provider, struct provider *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &provider_by_id, DB_ARGS(db_v_id(&provider)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such identity provider");
	TRY(e);
	read_row(s->arena, r, ret);
	return OK;
}

enum err provider_list(struct db_tx *tx, struct provider **ret, size_t *ret_n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	*ret = arena_alloc(a, PROVIDERS_MAX * sizeof **ret);
	*ret_n = 0;
	TRY(db_query(tx, &provider_enabled, DB_NOARGS, &r));
	while (*ret_n < PROVIDERS_MAX && db_next(r))
		read_row(a, r, &(*ret)[(*ret_n)++]);
	return db_rows_err(r);
}

enum err provider_secret(struct db_tx *tx, struct id provider, char **ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	size_t n, len;
	*ret = NULL;
	TRY(db_query_one(tx, &provider_sealed, DB_ARGS(db_v_id(&provider)), &r));
	if (db_is_null(r, 0))
		return OK;
	const void *sealed = db_blob(r, 0, &n);
	const void *secret = keeper_unseal(s->keeper, s->arena, sealed, n, &len);
	if (secret == NULL)
		return scope_fail(s, ERR_CONFIG, "the secret of an identity provider was sealed by another keeper: give it again");
	*ret = arena_strndup(s->arena, secret, len);
	return OK;
}
