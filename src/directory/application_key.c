/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/application_key.h"

#include "base/scope.h"
#include "directory/approval/approval.h"

/* The later end counts; none is the latest. */
#define TAKE_LATER                                                                                                              \
	" ON CONFLICT (tenant_id, application_id, user_id) DO UPDATE SET given_at = excluded.given_at, expires_at = CASE WHEN "      \
	"application_key_holders.expires_at > excluded.expires_at OR application_key_holders.expires_at IS NULL THEN "            \
	"application_key_holders.expires_at ELSE excluded.expires_at END"

DB_TENANT(key_given, "INSERT INTO application_key_holders (tenant_id, application_id, user_id, given_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)" TAKE_LATER);
DB_TENANT(key_given_by_holders, "INSERT INTO application_key_holders (tenant_id, application_id, user_id, given_at, expires_at) "
				"SELECT tenant_id, ?2, user_id, ?4, ?5 FROM application_key_holders WHERE tenant_id = ?1 AND application_id = ?3" TAKE_LATER);
DB_TENANT(key_held, "SELECT 1 FROM application_key_holders WHERE tenant_id = ?1 AND application_id = ?2 AND user_id = ?3");
DB_TENANT(keys_drop, "DELETE FROM application_key_holders WHERE tenant_id = ?1 AND application_id = ?2");

enum err application_key_given(struct db_tx *tx, struct id application, int64_t until)
{
	const struct scope *s = db_tx_scope(tx);
	bool person = s->actor.type == ACTOR_USER;
	int64_t ends = until + APPROVAL_OPEN_US; /* what is asked for in its last moment is decided later */
	if (!person && s->actor.type != ACTOR_APPLICATION)
		return OK;
	return db_exec(tx, person ? &key_given : &key_given_by_holders,
		       DB_ARGS(db_v_id(&application), db_v_id(&s->actor.id), db_v_int(s->now), until == 0 ? db_v_null() : db_v_int(ends)), NULL);
}

enum err application_key_held(struct db_tx *tx, struct id application, struct id user, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &key_held, DB_ARGS(db_v_id(&application), db_v_id(&user)), &r));
	*ret = db_next(r);
	return db_rows_err(r);
}

enum err application_keys_drop(struct db_tx *tx, struct id application) { return db_exec(tx, &keys_drop, DB_ARGS(db_v_id(&application)), NULL); }
