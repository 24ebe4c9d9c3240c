/* SPDX-License-Identifier: Apache-2.0
 * A tenant deleted by hand: what must be so, who asked, who confirms. */
#include "privacy/erasure/tenant_deletion.h"

#include <string.h>

#include "audit/audit.h"
#include "base/limits.h"
#include "directory/tenant.h"
#include "privacy/hold/legal_hold.h"

DB_TENANT(deletion_select,
	  "SELECT deletion_asked_at, deletion_asked_by, state, display_name FROM tenants WHERE tenant_id = ?1 AND state IN ('active', 'closing')");
DB_TENANT(deletion_put, "UPDATE tenants SET deletion_asked_at = ?2, deletion_asked_by = ?3 WHERE tenant_id = ?1");
DB_TENANT(deletion_confirmer, "SELECT created_at FROM applications WHERE tenant_id = ?1 AND application_id = ?2");

/* PRECONDITION(name, the most, text, count): of a directory that ends with it, in Graph's world: no subscription but Deprovisioned ones, one
 * user, one application, no bill. */
#define PRECONDITION(name, most, text, sql) DB_TENANT(deletion_count_##name, sql);
#include "privacy/erasure/tenant_preconditions.def"
#undef PRECONDITION

static const struct {
	const char *name, *text;
	int64_t most;
	struct db_stmt *count;
} PRECONDITIONS[] = {
#define PRECONDITION(name_, most_, text_, sql) {#name_, text_, most_, &deletion_count_##name_},
#include "privacy/erasure/tenant_preconditions.def"
#undef PRECONDITION
};
enum { PRECONDITION_COUNT = sizeof PRECONDITIONS / sizeof PRECONDITIONS[0] };
_Static_assert((int)PRECONDITION_COUNT < (int)TENANT_PRECONDITIONS_MAX, "room for every precondition, and the holds");

struct deletion {
	struct tenant_deletion *d;
	const char *name; /* of the tenant; out */
};

/* ---- how it stands ---- */

static enum err count_holds(struct db_tx *tx, struct tenant_deletion *d)
{
	bool held;
	TRY(legal_hold_blocks(tx, SUBJECT_TENANT, db_tx_scope(tx)->tenant, &held));
	d->v[d->n++] = (struct tenant_precondition){.name = "legalHolds", .text = "nothing is on legal hold", .found = held};
	return OK;
}

static enum err read_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct deletion *a = arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &deletion_select, DB_NOARGS, &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such tenant, or its data is going already");
	TRY(e);
	bool waits = !db_is_null(r, 0) && s->now - db_int(r, 0) < TENANT_DELETION_CONFIRM_US;
	*a->d = (struct tenant_deletion){.asked_at = waits ? db_int(r, 0) : 0};
	if (waits)
		a->d->asked_by = db_id(r, 1);
	a->name = db_text_dup(r, 3, s->arena);
	for (size_t i = 0; i < PRECONDITION_COUNT; i++) {
		struct tenant_precondition *p = &a->d->v[a->d->n++];
		auto_rows struct db_rows *n = NULL;
		*p = (struct tenant_precondition){.name = PRECONDITIONS[i].name, .text = PRECONDITIONS[i].text, .most = PRECONDITIONS[i].most};
		TRY(db_query_one(tx, PRECONDITIONS[i].count, DB_NOARGS, &n));
		p->found = db_int(n, 0);
	}
	return count_holds(tx, a->d);
}

static enum err check_all(struct scope *s, const struct tenant_deletion *d)
{
	auto_buf text;
	buf_init(&text, 4 * KIB);
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].found > d->v[i].most)
			buf_printf(&text, "%s%s: %s, and there are %lld", text.len > 0 ? "; " : "", d->v[i].name, d->v[i].text,
				   (long long)d->v[i].found);
	if (text.len == 0)
		return OK;
	return scope_fail(s, ERR_CONFLICT, "the tenant cannot be deleted: %.*s", (int)text.len, text.data);
}

static struct scope of_tenant(const struct scope *s, struct id tenant)
{
	struct scope t = *s;
	t.tenant = tenant;
	t.has_tenant = true;
	return t;
}

static enum err run(struct scope *s, struct id tenant, bool writes, db_fn fn, struct deletion *a)
{
	struct scope t = of_tenant(s, tenant), operator_ = *s;
	TRY(tenant_operator_scope(&operator_));
	if (id_is_nil(tenant))
		return scope_fail(s, ERR_NOT_FOUND, "there is no such tenant");
	enum err e = writes ? db_write(&t, fn, a) : db_read(&t, fn, a);
	s->detail = t.detail;
	return e;
}

enum err tenant_deletion_get(struct scope *s, struct id tenant, struct tenant_deletion *ret)
{
	return run(s, tenant, false, read_tx, &(struct deletion){.d = ret});
}

/* ---- one asks ---- */

static enum err record(struct db_tx *tx, enum activity activity, const struct deletion *a)
{
	struct scope *s = db_tx_scope(tx);
	char when[TIME_TEXT], id[ID_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "deletionRequestedDateTime", "tenants", "deletion_asked_at", NULL, time_format(a->d->asked_at, when));
	audit_change_add(s->arena, tail, "deletionRequestedBy", "tenants", "deletion_asked_by", NULL, id_format(a->d->asked_by, id));
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = "Tenant", .resource = s->tenant,
						      .resource_name = a->name, .changes = changes});
}

static enum err ask_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct deletion *a = arg;
	TRY(read_tx(s, tx, a));
	TRY(check_all(s, a->d));
	a->d->asked_at = s->now;
	a->d->asked_by = s->actor.id;
	TRY(db_exec(tx, &deletion_put, DB_ARGS(db_v_int(s->now), db_v_id(&s->actor.id)), NULL));
	return record(tx, ACT_TENANT_DELETE_ASKED, a);
}

enum err tenant_deletion_ask(struct scope *s, struct id tenant, struct tenant_deletion *ret)
{
	struct deletion a = {.d = ret};
	if (id_is_nil(s->actor.id))
		return scope_fail(s, ERR_FORBIDDEN, "only an operator's application may ask for this");
	TRY(run(s, tenant, true, ask_tx, &a));
	tenant_tell_installation(s, ACT_TENANT_DELETE_ASKED, tenant, a.name);
	return OK;
}

/* ---- another one confirms ---- */

static enum err confirm_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct deletion *a = arg;
	TRY(read_tx(s, tx, a));
	if (a->d->asked_at == 0)
		return scope_fail(s, ERR_CONFLICT, "nobody has asked for the deletion of this tenant within a day");
	TRY(check_all(s, a->d));
	TRY(record(tx, ACT_TENANT_DELETE, a));
	return tenant_delete_now(tx);
}

struct confirmer {
	struct id application;
	int64_t created_at;
};

static enum err confirmer_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct confirmer *c = arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &deletion_confirmer, DB_ARGS(db_v_id(&c->application)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_FORBIDDEN, "only an operator's application may confirm this");
	TRY(e);
	c->created_at = db_int(r, 0);
	return OK;
}

/* A second credential that the first operator made for this would be no second person. */
static enum err check_confirmer(struct scope *s, const struct tenant_deletion *d)
{
	static const struct id installation;
	struct scope t = of_tenant(s, installation);
	struct confirmer c = {.application = s->actor.id};
	if (id_equal(d->asked_by, s->actor.id))
		return scope_fail(s, ERR_FORBIDDEN, "who asked for the deletion cannot confirm it: another operator must");
	enum err e = db_read(&t, confirmer_tx, &c);
	s->detail = t.detail;
	TRY(e);
	return c.created_at < d->asked_at ? OK : scope_fail(s, ERR_FORBIDDEN, "an application that is younger than the request cannot confirm it");
}

enum err tenant_deletion_confirm(struct scope *s, struct id tenant)
{
	struct tenant_deletion d;
	struct deletion a = {.d = &d};
	TRY(run(s, tenant, false, read_tx, &a));
	if (d.asked_at != 0)
		TRY(check_confirmer(s, &d));
	TRY(run(s, tenant, true, confirm_tx, &a));
	tenant_tell_installation(s, ACT_TENANT_DELETE, tenant, a.name);
	return OK;
}
