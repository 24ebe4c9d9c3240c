/* SPDX-License-Identifier: Apache-2.0
 * Links to finished exports: who may have one, and until when. */
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "privacy/export/internal.h"

DB_TENANT(export_link_select,
	  "SELECT user_id, status, expires_at, requested_by FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2");

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
