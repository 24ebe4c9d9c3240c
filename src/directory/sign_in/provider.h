/* SPDX-License-Identifier: Apache-2.0
 *
 * Identity providers of a tenant (OpenID Connect): whose word on who somebody is counts here, with which client, which claims give which roles.
 * The issuer of a provider never changes, so that an identity (identity.h) is always that issuer's; the client's secret is sealed and never read
 * back over the API.
 *
 * A provider with allowed tenants is Microsoft Entra ID: people are known there by (tid, oid), and the tenant that a token comes from must be one of
 * those.  Any other knows people by sub.
 */
#ifndef REEVE_DIRECTORY_SIGN_IN_PROVIDER_H
#define REEVE_DIRECTORY_SIGN_IN_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "resource/resource.h"

enum {
	PROVIDERS_MAX = 16,        /* of a tenant */
	PROVIDER_ROLES_MAX = 200,  /* mappings of one provider */
	PROVIDER_SECRET_MAX = 512,
	PROVIDER_TENANTS_MAX = 20, /* allowed tenants */
	PROVIDER_AUDIENCES_MAX = 8,
};

struct provider {
	struct id provider;
	const char *display_name, *issuer, *client_id;
	const char *client_authentication; /* "client_secret_basic", "client_secret_post", "none" */
	const char *scope, *domain_hint, *role_claim; /* the last two may be NULL */
	const char *const *tenants;   /* allowed values of tid, NULL-terminated; NULL: not Entra */
	const char *const *audiences; /* of access tokens that the API takes from this issuer, NULL-terminated; NULL: it takes none */
	bool enabled, match_external_id, match_upn;
};

/* Texts are in the arena of the transaction's scope.  ERR_NOT_FOUND: the tenant has no such provider. */
MUST_CHECK enum err provider_load(struct db_tx *tx, struct id provider, struct provider *ret);
/* The enabled ones, by name. */
MUST_CHECK enum err provider_list(struct db_tx *tx, struct provider **ret, size_t *ret_n);
/* The client's secret; NULL where it has none.  The caller wipes it. */
MUST_CHECK enum err provider_secret(struct db_tx *tx, struct id provider, char **ret);
/* ---- administration: one transaction each, with its event ---- */

struct provider_request {
	const struct record *r;    /* of RES_IDENTITY_PROVIDER */
	const char *client_secret; /* NULL: not given */
	bool (*may_reach)(const void *arg, const char *host); /* what can be said before a name is resolved */
	const void *arg;
};

/* ERR_BAD_REQUEST: an unfit issuer, claim path, tenant or audience; ERR_EXISTS: the tenant has a provider with this issuer; ERR_CONFLICT: it has
 * PROVIDERS_MAX. */
MUST_CHECK enum err provider_create(struct scope *s, const struct provider_request *q, struct id *ret);
/* A secret that is given replaces the old one at once.  enabled = false ends the sessions that it began. */
MUST_CHECK enum err provider_patch(struct scope *s, struct id provider, const struct provider_request *q);
/* With its mappings, the roles that they gave, its identities and the sessions that it began. */
MUST_CHECK enum err provider_delete(struct scope *s, struct id provider);

/* Mappings of claim values to roles: a record of RES_IDENTITY_PROVIDER_ROLE.  ERR_FORBIDDEN: the role allows what the caller may not do. */
MUST_CHECK enum err provider_role_create(struct scope *s, struct id provider, const struct record *r, struct id *ret);
MUST_CHECK enum err provider_role_delete(struct scope *s, struct id provider, struct id mapping);

#endif
