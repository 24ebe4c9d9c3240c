/* SPDX-License-Identifier: Apache-2.0
 * Who may be the second person, and telling them. */
#include <string.h>

#include "directory/access/access.h"
#include "directory/access/role.h"
#include "directory/application_key.h"
#include "directory/approval/internal.h"
#include "notice/notice.h"

DB_TENANT(approver_member, "SELECT 1 FROM group_members WHERE tenant_id = ?1 AND group_id = ?2 AND user_id = ?3");
DB_TENANT(approver_others,
	  "SELECT m.user_id FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id "
	  "WHERE m.tenant_id = ?1 AND m.group_id = ?2 AND u.deleted_at IS NULL AND u.account_enabled = 1 ORDER BY m.user_id LIMIT ?3");
DB_TENANT(approver_user_since, "SELECT created_at FROM users WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(approver_application_since, "SELECT created_at FROM applications WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(approver_roles, "SELECT DISTINCT role_id FROM role_assignments WHERE tenant_id = ?1 AND scope_group_id IS NULL ORDER BY role_id LIMIT ?2");
/* For the whole tenant, of their own or through a group. */
DB_TENANT(approver_holders,
	  "SELECT p.user_id FROM (SELECT a.user_id FROM role_assignments a WHERE a.tenant_id = ?1 AND a.role_id = ?2 AND a.scope_group_id IS NULL "
	  "AND a.user_id IS NOT NULL UNION SELECT m.user_id FROM role_assignments a JOIN group_members m ON m.tenant_id = a.tenant_id AND "
	  "m.group_id = a.principal_id WHERE a.tenant_id = ?1 AND a.role_id = ?2 AND a.scope_group_id IS NULL AND a.principal_type = 'group') p "
	  "JOIN users u ON u.tenant_id = ?1 AND u.user_id = p.user_id WHERE u.deleted_at IS NULL AND u.account_enabled = 1 "
	  "ORDER BY p.user_id LIMIT ?3");

enum { TOLD_MAX = 50, ROLES_MAX = 256 }; /* ROLES_MAX: as many as a tenant has */

/* Who asked; and where an application did, everybody through whose hands its key went. */
static enum err is_requester(struct db_tx *tx, const struct request *r, struct id user, bool *ret)
{
	*ret = id_equal(user, r->requested_by);
	return *ret || r->requester != ACTOR_APPLICATION ? OK : application_key_held(tx, r->requested_by, user, ret);
}

/* ---- groups that policies name ---- */

struct asking {
	struct db_tx *tx;
	const struct request *r;
	bool member, others; /* out: the actor is in one of them; somebody but the requester is */
};

static enum err ask_group(void *arg, struct id group)
{
	struct asking *q = arg;
	struct id me = db_tx_scope(q->tx)->actor.id;
	auto_rows struct db_rows *mine = NULL, *all = NULL;
	TRY(db_query(q->tx, &approver_member, DB_ARGS(db_v_id(&group), db_v_id(&me)), &mine));
	q->member = db_next(mine) || q->member;
	TRY(db_rows_err(mine));
	TRY(db_query(q->tx, &approver_others, DB_ARGS(db_v_id(&group), db_v_int(TOLD_MAX)), &all));
	while (!q->others && db_next(all)) {
		bool asked;
		TRY(is_requester(q->tx, q->r, db_id(all, 0), &asked));
		q->others = !asked;
	}
	return db_rows_err(all);
}

/* ---- whether somebody may ---- */

static bool is_closing(const struct request *r) { return r->profiles == 1u << APPROVAL_tenantClosing; }

static bool is_operators_closing(const struct request *r) { return r->requester == ACTOR_OPERATOR && is_closing(r); }

static const char *permission_for(const struct request *r)
{
	return is_operators_closing(r) ? PERMISSION_TO_CLOSE : r->permission;
}

/* A right over some people's data counts for a request about one of them. */
static enum err holds_permission(struct db_tx *tx, const struct request *r, bool *ret)
{
	struct scope *s = db_tx_scope(tx);
	const struct scope_groups *only;
	*ret = actor_allows(&s->actor, permission_for(r), s->arena, &only);
	if (!*ret || only == NULL)
		return OK;
	*ret = false;
	for (size_t i = 0; i < only->n && !*ret; i++) {
		auto_rows struct db_rows *m = NULL;
		TRY(db_query(tx, &approver_member, DB_ARGS(db_v_id(&only->groups[i]), db_v_id(&r->user)), &m));
		*ret = db_next(m);
		TRY(db_rows_err(m));
	}
	return OK;
}

/* By what one policy says; groups that have nobody left but the requester name nobody. */
static enum err fits_policy(struct db_tx *tx, const struct request *r, const char *groups, bool *ret)
{
	struct asking q = {.tx = tx, .r = r};
	TRY(approval_list_each(groups, ask_group, &q));
	if (!q.others)
		return holds_permission(tx, r, ret);
	*ret = q.member;
	return OK;
}

static enum err person_fits(struct db_tx *tx, const struct request *r)
{
	struct scope *s = db_tx_scope(tx);
	struct approval_policy list[APPROVAL_PROFILES];
	unsigned left = r->profiles;
	size_t n;
	bool fits = true;
	TRY(approval_policies_load(tx, list, &n));
	for (size_t i = 0; i < n && fits; i++) {
		if (!(left & 1u << list[i].profile))
			continue;
		left &= ~(1u << list[i].profile);
		TRY(fits_policy(tx, r, list[i].groups, &fits));
	}
	if (fits && left != 0) /* a policy has gone since */
		TRY(holds_permission(tx, r, &fits));
	return fits ? OK : scope_fail(s, ERR_FORBIDDEN, "you are none of the approvers of this request");
}

static enum err program_fits(struct db_tx *tx, const struct request *r)
{
	struct scope *s = db_tx_scope(tx);
	if (s->actor.type == ACTOR_OPERATOR && is_closing(r))
		return OK;
	if (s->actor.type == ACTOR_APPLICATION && is_operators_closing(r) && permission_granted(s->actor.permissions, PERMISSION_TO_CLOSE))
		return OK;
	return scope_fail(s, ERR_FORBIDDEN, "an application cannot approve: a person does");
}

/* An operator's own row is in the installation's tenant, which this transaction does not reach; its id says when it was made (RFC 9562, UUIDv7). */
static enum err since(struct db_tx *tx, int64_t *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	if (s->actor.type == ACTOR_OPERATOR) {
		*ret = 0;
		for (int i = 0; i < 6; i++)
			*ret = *ret << 8 | s->actor.id.b[i];
		*ret *= 1000;
		return OK;
	}
	struct db_stmt *stmt = s->actor.type == ACTOR_USER ? &approver_user_since : &approver_application_since;
	enum err e = db_query_one(tx, stmt, DB_ARGS(db_v_id(&s->actor.id)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_FORBIDDEN, "you are none of the approvers of this request");
	TRY(e);
	*ret = db_int(r, 0);
	return OK;
}

enum err approval_may_decide(struct db_tx *tx, const struct request *r)
{
	struct scope *s = db_tx_scope(tx);
	int64_t created;
	bool holds_key;
	if (approval_actor_type(s->actor.type) == NULL)
		return scope_fail(s, ERR_FORBIDDEN, "you are none of the approvers of this request");
	if (id_equal(s->actor.id, r->requested_by))
		return scope_fail(s, ERR_FORBIDDEN, "whoever asked does not decide: a second person does");
	TRY(is_requester(tx, r, s->actor.id, &holds_key));
	if (holds_key)
		return scope_fail(s, ERR_FORBIDDEN, "whoever gave the application that asks its key does not decide: a second person does");
	TRY(s->actor.type == ACTOR_USER ? person_fits(tx, r) : program_fits(tx, r));
	TRY(since(tx, &created));
	if (created > r->requested_at) /* made for this, it would be no second person */
		return scope_fail(s, ERR_FORBIDDEN, "an account that is younger than the request does not decide it");
	return OK;
}

/* ---- telling them ---- */

struct telling {
	struct db_tx *tx;
	const struct request *r;
	const char *text;
	struct id told[TOLD_MAX];
	size_t n;
};

static enum err tell(struct telling *t, struct id user)
{
	bool before;
	TRY(is_requester(t->tx, t->r, user, &before));
	before = before || t->n == TOLD_MAX;
	for (size_t i = 0; i < t->n; i++)
		before = before || id_equal(t->told[i], user);
	if (before)
		return OK;
	t->told[t->n++] = user;
	return notice_person(t->tx, user, "Your approval is asked for", t->text);
}

/* stmt: the people of a group or with a role, by its id. */
static enum err tell_all(struct telling *t, struct db_stmt *stmt, struct id of)
{
	struct id list[TOLD_MAX];
	size_t n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(t->tx, stmt, DB_ARGS(db_v_id(&of), db_v_int(TOLD_MAX)), &r));
	while (n < TOLD_MAX && db_next(r))
		list[n++] = db_id(r, 0);
	TRY(db_rows_err(r));
	for (size_t i = 0; i < n; i++)
		TRY(tell(t, list[i]));
	return OK;
}

static enum err tell_group(void *arg, struct id group) { return tell_all(arg, &approver_others, group); }

static enum err tell_holders(struct telling *t)
{
	struct id list[ROLES_MAX];
	size_t n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(t->tx, &approver_roles, DB_ARGS(db_v_int(ROLES_MAX)), &r));
	while (n < ROLES_MAX && db_next(r))
		list[n++] = db_id(r, 0);
	TRY(db_rows_err(r));
	for (size_t i = 0; i < n; i++) {
		struct role role;
		TRY(role_by_id(t->tx, list[i], &role));
		if (permission_granted(role.permissions, permission_for(t->r)))
			TRY(tell_all(t, &approver_holders, role.role));
	}
	return OK;
}

enum err approval_tell_approvers(struct db_tx *tx, const struct request *r)
{
	struct scope *s = db_tx_scope(tx);
	struct approval_policy list[APPROVAL_PROFILES];
	char until[TIME_TEXT], id[ID_TEXT];
	struct telling t = {.tx = tx, .r = r};
	size_t n;
	t.text = arena_printf(s->arena, "Somebody asks for the approval of a second person: %s. The request %s lapses at %s.\n",
			      approval_set_what(s->arena, r->profiles),
			      id_format(r->request, id), time_format(r->decide_until, until));
	TRY(notice_alarm(tx, "approvalRequested", r->request, t.text));
	TRY(approval_policies_load(tx, list, &n));
	for (size_t i = 0; i < n; i++) {
		if (!(r->profiles & 1u << list[i].profile))
			continue;
		TRY(strcmp(list[i].groups, "[]") == 0 ? tell_holders(&t) : approval_list_each(list[i].groups, tell_group, &t));
	}
	return OK;
}
