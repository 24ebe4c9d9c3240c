/* SPDX-License-Identifier: Apache-2.0
 * Restriction of processing: one time stamp of the account, and its two events. */
#include "directory/restriction.h"

#include "audit/audit.h"
#include "resource/tables.h"

DB_TENANT(restriction_state, "SELECT restricted_at, display_name FROM users WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(restriction_change, "UPDATE users SET restricted_at = ?3 WHERE tenant_id = ?1 AND user_id = ?2");

struct state {
	bool restricted;
	const char *name;
};

static enum err load(struct db_tx *tx, struct id user, struct state *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &restriction_state, DB_ARGS(db_v_id(&user)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such user");
	TRY(e);
	*ret = (struct state){.restricted = !db_is_null(r, 0), .name = db_text_dup(r, 1, s->arena)};
	return OK;
}

static enum err change(struct db_tx *tx, struct id user, enum activity activity, bool restrict_it)
{
	struct scope *s = db_tx_scope(tx);
	struct state now;
	TRY(load(tx, user, &now));
	if (now.restricted == restrict_it)
		return scope_fail(s, ERR_CONFLICT, "the processing of this person's data is %s", restrict_it ? "restricted already" : "not restricted");
	TRY(db_exec(tx, &restriction_change, DB_ARGS(db_v_id(&user), restrict_it ? db_v_int(s->now) : db_v_null()), NULL));
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_USER.entity, .resource = user,
						      .resource_name = now.name, .subject = user});
}

enum err restriction_set(struct db_tx *tx, struct id user)
{
	return change(tx, user, ACT_RESTRICTION_SET, true);
}

enum err restriction_lift(struct db_tx *tx, struct id user)
{
	return change(tx, user, ACT_RESTRICTION_LIFT, false);
}

enum err restriction_holds(struct db_tx *tx, struct id user, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &restriction_state, DB_ARGS(db_v_id(&user)), &r);
	*ret = e == OK && !db_is_null(r, 0);
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err restriction_refuses(struct db_tx *tx, struct id user)
{
	bool holds;
	TRY(restriction_holds(tx, user, &holds));
	return holds ? scope_fail(db_tx_scope(tx), ERR_CONFLICT, "the processing of this person's data is restricted: nothing is changed until the "
								  "restriction is lifted") : OK;
}

struct ask {
	struct id user;
	bool restrict_it;
};

static enum err order_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct ask *a = arg;
	return a->restrict_it ? restriction_set(tx, a->user) : restriction_lift(tx, a->user);
}

enum err restriction_order(struct scope *s, struct id user, bool restrict_it)
{
	return db_write(s, order_tx, &(struct ask){.user = user, .restrict_it = restrict_it});
}
