/* SPDX-License-Identifier: Apache-2.0
 * Links to finished exports: who may have one, and until when; and what is shown of where one goes. */
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "privacy/export/internal.h"

DB_TENANT(export_link_select,
	  "SELECT user_id, status, expires_at, requested_by FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2");
DB_TENANT(export_location_select, "SELECT storage_location, requested_by FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2");

#define LINK_LIFE_US DAY_US

struct linking {
	struct id operation;
	int64_t expires;
};

static enum err link_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct linking *l = arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &export_link_select, DB_ARGS(db_v_id(&l->operation)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no export has this id");
	TRY(e);
	TRY(export_readable(tx, db_id(r, 0), db_id(r, 3)));
	if (strcmp(db_text(r, 1), "complete") != 0)
		return scope_fail(s, ERR_CONFLICT, "the export is %s", db_text(r, 1));
	if (db_int(r, 2) <= s->now)
		return scope_fail(s, ERR_GONE, "the export has expired: ask for another");
	l->expires = db_int(r, 2) < s->now + LINK_LIFE_US ? db_int(r, 2) : s->now + LINK_LIFE_US;
	return audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_LINK, .resource_type = "DataPolicyOperation",
						      .resource = l->operation, .subject = db_id(r, 0)});
}

enum err export_link(struct scope *s, struct id operation, int64_t *ret_expires)
{
	struct linking l = {.operation = operation};
	TRY(db_write(s, link_tx, &l));
	*ret_expires = l.expires;
	return OK;
}

enum err export_location(struct db_tx *tx, struct id operation, const char **ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &export_location_select, DB_ARGS(db_v_id(&operation)), &r));
	struct id by = db_id(r, 1);
	bool own = !id_is_nil(by) && id_equal(by, s->actor.id);
	const char *text = db_text(r, 0);
	*ret = arena_strndup(s->arena, text, own ? strlen(text) : strcspn(text, "?"));
	return OK;
}
