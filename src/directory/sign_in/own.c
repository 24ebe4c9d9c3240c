/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/sign_in/own.h"

DB_TENANT(own_organisation, "SELECT display_name FROM tenants WHERE tenant_id = ?1");
DB_TENANT(own_group, "SELECT display_name FROM groups WHERE tenant_id = ?1 AND group_id = ?2");

static enum err name_of(struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t n, const char **ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, stmt, args, n, &r);
	*ret = e == OK ? db_text_dup(r, 0, db_tx_scope(tx)->arena) : "?";
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err load_scopes(struct db_tx *tx, struct own *o)
{
	o->scopes = arena_alloc(db_tx_scope(tx)->arena, (o->access->n + 1) * sizeof *o->scopes);
	for (size_t i = 0; i < o->access->n; i++) {
		const struct id *group = &o->access->grants[i].scope_group;
		o->scopes[i] = NULL;
		if (!id_is_nil(*group))
			TRY(name_of(tx, &own_group, DB_ARGS(db_v_id(group)), &o->scopes[i]));
	}
	return OK;
}

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct own *o = arg;
	TRY(name_of(tx, &own_organisation, DB_NOARGS, &o->organisation));
	TRY(session_get(tx, s->actor.session, &o->session));
	TRY(session_list(tx, s->actor.id, &o->sessions, &o->session_n));
	TRY(access_load(tx, ACTOR_USER, s->actor.id, &o->access));
	TRY(load_scopes(tx, o));
	struct scope was = *s; /* most people have none: that is no failure to tell of */
	enum err e = account_load(tx, s->actor.id, &o->account);
	o->local = e == OK;
	if (e != ERR_NOT_FOUND)
		return e;
	s->detail = was.detail;
	return OK;
}

enum err own_load(struct scope *s, struct own *ret)
{
	check(s->actor.type == ACTOR_USER && !id_is_nil(s->actor.session));
	*ret = (struct own){0};
	return db_read(s, load_tx, ret);
}

struct ending {
	struct id session;
	enum { ONE, OTHERS, THIS } which;
};

static enum err end_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct ending *e = arg;
	switch (e->which) {
	case ONE: return session_end_of(tx, s->actor.id, e->session, "byThemselves");
	case OTHERS: return session_end_others(tx, s->actor.id, s->actor.session, "byThemselves");
	default: return session_end_of(tx, s->actor.id, s->actor.session, SESSION_SIGN_OUT);
	}
}

enum err own_end(struct scope *s, struct id session)
{
	return db_write(s, end_tx, &(struct ending){session, ONE});
}

enum err own_end_others(struct scope *s)
{
	return db_write(s, end_tx, &(struct ending){.which = OTHERS});
}

enum err own_sign_out(struct scope *s)
{
	return db_write(s, end_tx, &(struct ending){.which = THIS});
}
