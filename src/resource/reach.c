/* SPDX-License-Identifier: Apache-2.0
 *
 * What scope groups reach: the condition that every list, count, entity, expansion and record of a scoped actor carries.  Rows are people's
 * directly or through a device, so each is a semi-join with group_members: from the people where many rows are asked for, from the row
 * where one is.
 */
#include <string.h>

#include "resource/internal.h"

static void add_groups(struct sql *q, const struct scope_groups *only)
{
	sql_add(q, "gm.group_id IN (");
	for (size_t i = 0; i < only->n; i++) {
		sql_add(q, i == 0 ? "" : ", ");
		sql_param(q, db_v_id(&only->groups[i]));
	}
	sql_add(q, ")");
}

/* The owners that are reached, whoever they are. */
static void from_people(struct sql *q, const char *owner, bool device, const struct scope_groups *only)
{
	sql_add(q, owner);
	sql_add(q, device ? " IN (SELECT gd.device_id FROM group_members gm JOIN managed_devices gd ON gd.tenant_id = ?1 AND gd.user_id = gm.user_id "
		      : " IN (SELECT gm.user_id FROM group_members gm ");
	sql_add(q, "WHERE gm.tenant_id = ?1 AND ");
	add_groups(q, only);
	sql_add(q, ")");
}

/* Whether this owner is reached. */
static void from_row(struct sql *q, const char *owner, bool device, const struct scope_groups *only)
{
	sql_add(q, device ? "EXISTS (SELECT 1 FROM managed_devices gd JOIN group_members gm ON gm.tenant_id = ?1 AND gm.user_id = gd.user_id "
			    "WHERE gd.tenant_id = ?1 AND gd.device_id = "
		      : "EXISTS (SELECT 1 FROM group_members gm WHERE gm.tenant_id = ?1 AND gm.user_id = ");
	sql_add(q, owner);
	sql_add(q, " AND ");
	add_groups(q, only);
	sql_add(q, ")");
}

/* Who asked, and saw then what they see now. */
static void add_askers(struct sql *q, const struct scope *s, const struct scope_groups *only)
{
	sql_add(q, "t.requested_by = ");
	sql_param(q, db_v_blob(s->actor.id.b, sizeof s->actor.id.b));
	sql_add(q, " AND t.scope_groups = ");
	sql_param(q, db_v_text(scope_groups_text(s->arena, only)));
}

static void add_condition(struct sql *q, const struct scope_groups *only, enum resource_whose whose, const char *owner, bool one)
{
	bool device = whose == WHOSE_DEVICES;
	if (whose == WHOSE_NOBODYS)
		sql_add(q, "1=1");
	else if (whose != WHOSE_PERSONS && !device)
		sql_add(q, "1=0");
	else if (one)
		from_row(q, owner, device, only);
	else
		from_people(q, owner, device, only);
}

void sql_reach(struct sql *q, const struct scope *s, const struct resource *r, const struct scope_groups *only, bool one)
{
	if (only == NULL || r->whose == WHOSE_NOBODYS)
		return;
	sql_add(q, " AND ");
	if (r->whose == WHOSE_ASKERS)
		add_askers(q, s, only);
	else
		add_condition(q, only, r->whose, r->owner, one);
}

enum { PEOPLE_FEW = 2000 }; /* about where their rows cost as much as a page of all rows, judged one by one */

enum err reach_is_wide(struct db_tx *tx, const struct resource_query *rq, bool *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	struct sql q;
	*ret = rq->extra_where != NULL;
	if (s->actor.only == NULL || *ret || (rq->res->whose != WHOSE_PERSONS && rq->res->whose != WHOSE_DEVICES))
		return OK;
	sql_begin(&q, s->arena, 2);
	sql_add(&q, "SELECT count(*) FROM (SELECT 1 FROM group_members gm WHERE gm.tenant_id = ?1 AND ");
	add_groups(&q, s->actor.only);
	sql_add(&q, " LIMIT ");
	sql_number(&q, PEOPLE_FEW + 1);
	sql_add(&q, ") x");
	TRY(sql_end(&q, s));
	TRY(db_query_text(tx, DB_REACH_TENANT, q.text, q.args, q.arg_count, &r));
	*ret = db_next(r) && db_int(r, 0) > PEOPLE_FEW;
	return db_rows_err(r);
}

enum err resource_reach_condition(struct scope *s, const struct scope_groups *only, enum resource_whose whose, const char *owner, bool each,
				  unsigned first, struct resource_condition *ret)
{
	struct sql q;
	check(whose != WHOSE_ASKERS);
	sql_begin(&q, s->arena, first);
	if (only == NULL)
		sql_add(&q, "1=1");
	else
		add_condition(&q, only, whose, owner, each);
	TRY(sql_end(&q, s));
	*ret = (struct resource_condition){.sql = q.text, .args = q.args, .arg_count = q.arg_count};
	return OK;
}

enum err resource_reachable(struct db_tx *tx, const struct resource *r, struct id key)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *rows = NULL;
	struct sql q;
	if (s->actor.only == NULL)
		return OK;
	sql_begin(&q, s->arena, 2);
	sql_add(&q, "SELECT 1");
	sql_from(&q, r, false);
	sql_add(&q, " WHERE t.tenant_id = ?1 AND t.");
	sql_add(&q, r->key);
	sql_add(&q, " = ");
	sql_param(&q, db_v_blob(key.b, sizeof key.b));
	sql_reach(&q, s, r, s->actor.only, true);
	TRY(sql_end(&q, s));
	TRY(db_query_text(tx, DB_REACH_TENANT, q.text, q.args, q.arg_count, &rows));
	if (db_next(rows))
		return OK;
	TRY(db_rows_err(rows));
	return scope_fail(s, ERR_NOT_FOUND, "there is no such %s", r->name);
}
