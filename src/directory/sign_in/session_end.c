/* SPDX-License-Identifier: Apache-2.0
 * The ends of sessions before their time: the row goes, and an event stays. */
#include <string.h>

#include "audit/audit.h"
#include "directory/sign_in/session.h"
#include "resource/tables.h"

#define ENDED " RETURNING session_id, user_id, kind"
DB_TENANT(session_drop, "DELETE FROM sessions WHERE tenant_id = ?1 AND session_id = ?2" ENDED);
DB_TENANT(session_drop_own, "DELETE FROM sessions WHERE tenant_id = ?1 AND session_id = ?2 AND user_id = ?3" ENDED);
DB_TENANT(sessions_drop_user, "DELETE FROM sessions WHERE tenant_id = ?1 AND user_id = ?2" ENDED);
DB_TENANT(sessions_drop_others, "DELETE FROM sessions WHERE tenant_id = ?1 AND user_id = ?2 AND session_id <> ?3" ENDED);
DB_TENANT(sessions_drop_provider, "DELETE FROM sessions WHERE tenant_id = ?1 AND provider_id = ?2 AND provider_session = ?3" ENDED);
DB_TENANT(sessions_drop_provider_user, "DELETE FROM sessions WHERE tenant_id = ?1 AND provider_id = ?2 AND user_id = ?3" ENDED);
DB_TENANT(sessions_drop_provider_both, "DELETE FROM sessions WHERE tenant_id = ?1 AND provider_id = ?2 AND user_id = ?3 AND provider_session = ?4" ENDED);

static enum err record_end(struct db_tx *tx, struct id session, struct id user, const char *kind, const char *why)
{
	struct scope *s = db_tx_scope(tx);
	bool own = strcmp(why, SESSION_SIGN_OUT) == 0;
	char text[ID_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "session", NULL, NULL, id_format(session, text), NULL);
	tail = audit_change_add(s->arena, tail, "kind", NULL, NULL, kind, NULL);
	if (!own)
		audit_change_add(s->arena, tail, "reason", NULL, NULL, NULL, why);
	return audit_record(tx, &(struct audit_event){.activity = own ? ACT_SIGN_OUT : ACT_SESSION_REVOKE, .resource_type = RES_USER.entity,
						      .resource = user, .subject = user, .changes = changes});
}

struct ended {
	struct id session, user;
	const char *kind;
	struct ended *next;
};

/* The rows are read to their end before the first event: no two statements at a time. */
static enum err end(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n, const char *why, bool *ret_any)
{
	struct arena *a = db_tx_scope(tx)->arena;
	struct ended *list = NULL;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, args, n, &r));
	while (db_next(r)) {
		struct ended *e = arena_alloc(a, sizeof *e);
		*e = (struct ended){.session = db_id(r, 0), .user = db_id(r, 1), .kind = db_text_dup(r, 2, a), .next = list};
		list = e;
	}
	TRY(db_rows_err(r));
	for (const struct ended *e = list; e != NULL; e = e->next)
		TRY(record_end(tx, e->session, e->user, e->kind, why));
	if (ret_any != NULL)
		*ret_any = list != NULL;
	return OK;
}

enum err session_end(struct db_tx *tx, struct id session, const char *why)
{
	return end(tx, &session_drop, DB_ARGS(db_v_id(&session)), why, NULL);
}

enum err session_end_of(struct db_tx *tx, struct id user, struct id session, const char *why)
{
	bool any;
	TRY(end(tx, &session_drop_own, DB_ARGS(db_v_id(&session), db_v_id(&user)), why, &any));
	return any ? OK : scope_fail(db_tx_scope(tx), ERR_NOT_FOUND, "there is no such session");
}

enum err session_end_all(struct db_tx *tx, struct id user, const char *why)
{
	return end(tx, &sessions_drop_user, DB_ARGS(db_v_id(&user)), why, NULL);
}

enum err session_end_others(struct db_tx *tx, struct id user, struct id keep, const char *why)
{
	return end(tx, &sessions_drop_others, DB_ARGS(db_v_id(&user), db_v_id(&keep)), why, NULL);
}

enum err session_end_provider(struct db_tx *tx, struct id provider, const char *provider_session, struct id user, const char *why)
{
	check(provider_session != NULL || !id_is_nil(user));
	if (provider_session == NULL)
		return end(tx, &sessions_drop_provider_user, DB_ARGS(db_v_id(&provider), db_v_id(&user)), why, NULL);
	if (id_is_nil(user))
		return end(tx, &sessions_drop_provider, DB_ARGS(db_v_id(&provider), db_v_text(provider_session)), why, NULL);
	return end(tx, &sessions_drop_provider_both, DB_ARGS(db_v_id(&provider), db_v_id(&user), db_v_text(provider_session)), why, NULL);
}
