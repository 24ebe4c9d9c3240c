/* SPDX-License-Identifier: Apache-2.0
 * The installation's birth. */
#include "directory/installation.h"

#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "directory/access/role.h"
#include "directory/tenant_internal.h"

static struct token_claims claims_of(const struct scope *s, struct id tenant, const struct application_secret *secret)
{
	return (struct token_claims){.tenant = tenant, .application = secret->application, .credential = secret->secret,
				     .issued_us = s->now, .expires_us = secret->expires_at};
}

enum err installation_init(struct scope *s, const char *tenant_display_name, struct installation *ret)
{
	check(!s->has_tenant);
	static const struct id installation;
	struct tenant there;
	enum err e = tenant_get(s, installation, &there);
	if (e == OK)
		return scope_fail(s, ERR_EXISTS, "the database has been initialised already");
	if (e != ERR_NOT_FOUND)
		return e;
	s->detail = NULL; /* not found is what we want */
	TRY(tenant_create_installation(s, INSTALLATION_TOKEN_US, &ret->operator_secret));
	TRY(tenant_create(s, tenant_display_name, INSTALLATION_TOKEN_US, &ret->administrator_secret, &ret->tenant));
	ret->operator_claims = claims_of(s, installation, &ret->operator_secret);
	ret->administrator_claims = claims_of(s, ret->tenant, &ret->administrator_secret);
	return OK;
}

struct new_operator {
	const char *name;
	struct application_secret *secret;
};

static enum err add_operator_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct new_operator *o = arg;
	return application_found(tx, o->name, ROLE_OPERATOR, SECRET_DEFAULT_US, o->secret);
}

enum err installation_add_operator(struct scope *s, const char *display_name, struct application_secret *ret)
{
	static const struct id installation;
	size_t n = strlen(display_name);
	TRY(tenant_operator_only(s));
	if (n == 0 || n > LIMIT_TEXT_BYTES)
		return scope_fail(s, ERR_BAD_REQUEST, "an operator's displayName has 1 to %u bytes", LIMIT_TEXT_BYTES);
	return tenant_write(s, installation, add_operator_tx, &(struct new_operator){display_name, ret});
}

enum err installation_remove_operator(struct scope *s, struct id application)
{
	TRY(tenant_operator_only(s));
	if (id_equal(s->actor.id, application))
		return scope_fail(s, ERR_CONFLICT, "nobody removes themselves: another operator must");
	return application_delete(s, application);
}

static enum err record_roll(struct scope *s, struct db_tx *tx, void *arg)
{
	return audit_record(tx, &(struct audit_event){.activity = ACT_CA_ROLL, .resource_type = "CertificateAuthority", .resource_name = arg});
}

/* The keeper is no part of the transaction, so the event goes first: a roll without its event cannot be, and one that fails after it is
 * recorded as refused by the gate. */
enum err installation_roll_ca(struct scope *s, const char *host)
{
	char when[TIME_TEXT];
	char *name = arena_printf(s->arena, "Reeve CA %.32s %.10s", host, time_format(s->now, when));
	TRY(db_write(s, record_roll, name));
	return keeper_ca_roll(s->keeper, s, name);
}
