/* SPDX-License-Identifier: Apache-2.0
 * What follows accountEnabled: since when an account is disabled, whether another directory said so, and the end of a retention when it is
 * enabled again. */
#include <string.h>

#include "base/clock.h"
#include "directory/provisioning/client.h"
#include "directory/user_internal.h"
#include "resource/tables.h"

DB_TENANT(user_provider_disabled, "UPDATE users SET provider_disabled = 1, disabled_at = ?3 WHERE tenant_id = ?1 AND user_id = ?2");

static const char BY_PROVIDER[] = "isDisabledByProvisioning";

enum err user_enabled_columns(struct db_tx *tx, const struct record *old, const struct record *r, struct extra_column *extra, size_t *n,
			      struct audit_change ***tail)
{
	struct scope *s = db_tx_scope(tx);
	if (!record_has(r, "accountEnabled") || (old != NULL && record_int(old, "accountEnabled") == record_int(r, "accountEnabled")))
		return OK;
	bool disabled = record_int(r, "accountEnabled") == 0, provider = false;
	if (old == NULL && !disabled)
		return OK;
	if (disabled)
		TRY(provisioning_acts(tx, &provider));
	extra[(*n)++] = (struct extra_column){"disabled_at", disabled ? db_v_int(s->now) : db_v_null()};
	extra[(*n)++] = (struct extra_column){"provider_disabled", db_v_int(provider)};
	if (disabled || old == NULL || !record_has(old, "erasureDueDateTime"))
		return OK;
	char due[TIME_TEXT];
	time_format(record_int(old, "erasureDueDateTime"), due);
	*tail = audit_change_add(s->arena, *tail, "erasureDueDateTime", RES_USER.table, "erase_due_at", due, NULL);
	extra[(*n)++] = (struct extra_column){"erase_due_at", db_v_null()};
	return OK;
}

enum err user_told_disabled(struct db_tx *tx, struct id user, const struct record *old, const struct record *r, struct audit_change ***tail,
			     bool *changed)
{
	struct scope *s = db_tx_scope(tx);
	bool provider, disabled = record_has(r, "accountEnabled") && record_int(r, "accountEnabled") == 0;
	if (!disabled || record_int(old, "accountEnabled") != 0 || record_int(old, BY_PROVIDER) != 0)
		return OK;
	TRY(provisioning_acts(tx, &provider));
	if (!provider)
		return OK;
	TRY(db_exec(tx, &user_provider_disabled, DB_ARGS(db_v_id(&user), db_v_int(s->now)), NULL));
	*tail = audit_change_add(s->arena, *tail, BY_PROVIDER, RES_USER.table, "provider_disabled", "false", "true");
	*changed = true;
	return OK;
}

bool user_only_disabled(const struct audit_change *changes)
{
	for (const struct audit_change *c = changes; c != NULL; c = c->next)
		if (strcmp(c->name, BY_PROVIDER) != 0 &&
		    (strcmp(c->name, "accountEnabled") != 0 || c->new_value == NULL || strcmp(c->new_value, "false") != 0))
			return false;
	return true;
}
