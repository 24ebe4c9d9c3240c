/* SPDX-License-Identifier: Apache-2.0
 * Holds: their rows, their life, and what they keep from going. */
#include <string.h>

#include "duty/kept.h"
#include "notice/notice.h"
#include "privacy/hold/internal.h"
#include "resource/tables.h"

DB_TENANT(hold_set_released,
	  "UPDATE legal_holds SET released_at = ?3, released_by = ?4, release_reason = ?5, ends_at = ?6 WHERE tenant_id = ?1 AND hold_id = ?2");
DB_TENANT(hold_forget_alarm, "UPDATE legal_holds SET review_alarm_at = NULL WHERE tenant_id = ?1 AND hold_id = ?2");
DB_TENANT(hold_set_alarm, "UPDATE legal_holds SET review_alarm_at = ?3 WHERE tenant_id = ?1 AND hold_id = ?2 AND review_alarm_at IS NULL");
DB_TENANT(hold_free_members, "DELETE FROM legal_hold_members WHERE tenant_id = ?1 AND hold_id = ?2");
DB_GLOBAL(holds_to_review,
	  "SELECT tenant_id, hold_id FROM legal_holds WHERE review_at <= ?1 AND review_alarm_at IS NULL AND released_at IS NULL LIMIT ?2");
DB_GLOBAL(holds_to_end, "SELECT tenant_id, hold_id FROM legal_holds WHERE ends_at <= ?1 LIMIT ?2");
DB_TENANT(hold_evidence_drop,
	  "DELETE FROM legal_hold_evidence WHERE tenant_id = ?1 AND evidence_id IN (SELECT e.evidence_id FROM legal_hold_evidence e "
	  "WHERE e.tenant_id = ?1 AND e.hold_id = ?2 LIMIT ?3)");
DB_TENANT(hold_drop, "DELETE FROM legal_holds WHERE tenant_id = ?1 AND hold_id = ?2 AND ends_at <= ?3");

enum { BATCH = 200, PAGE = 50 };

/* ---- what it keeps from going ---- */

enum err legal_hold_blocks(struct db_tx *tx, enum subject_type type, struct id subject, bool *ret)
{
	switch (type) {
	case SUBJECT_USER: return kept_person(tx, subject, ret);
	case SUBJECT_DEVICE: return kept_device(tx, subject, ret);
	case SUBJECT_TENANT: return kept_tenant(tx, ret);
	}
	check(!"a subject");
	return ERR_INTERNAL;
}

/* Whether a member keeps rows of this table: true of all sections, and of those of the table's paths. */
static const char *sections_of(struct arena *a, const struct map_table *t)
{
	size_t n;
	const struct map_path *p = map_table_paths(t, &n);
	const char *text = "m.sections IS NULL";
	for (size_t i = 0; i < n; i++)
		if (*p[i].section != '\0')
			text = arena_printf(a, "%s OR m.sections LIKE '%%\"%s\"%%'", text, p[i].section);
	return text;
}

const char *legal_hold_unheld(struct arena *a, const struct map_table *t)
{
	switch (t->link) {
	case MAP_LINK_USER:
		return arena_printf(a, " AND NOT EXISTS (SELECT 1 FROM legal_hold_members m WHERE m.tenant_id = t.tenant_id AND m.user_id = t.user_id "
				       "AND m.device_id IS NULL AND (%s))", sections_of(a, t));
	case MAP_LINK_DEVICE:
		return arena_printf(a, " AND NOT EXISTS (SELECT 1 FROM legal_hold_members m WHERE m.tenant_id = t.tenant_id AND m.device_id = t.device_id) "
				       "AND NOT EXISTS (SELECT 1 FROM managed_devices d JOIN legal_hold_members m ON m.tenant_id = d.tenant_id "
				       "AND m.user_id = d.user_id AND m.device_id IS NULL WHERE d.tenant_id = t.tenant_id AND d.device_id = t.device_id "
				       "AND (%s))", sections_of(a, t));
	default: return "";
	}
}

/* ---- rows and events ---- */

enum err hold_record(struct db_tx *tx, enum activity activity, struct id hold, const char *name, struct id person, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_LEGAL_HOLD.entity, .resource = hold,
						      .resource_name = name, .subject = person, .changes = changes});
}

enum err hold_open(struct db_tx *tx, struct id hold, struct record **ret)
{
	TRY(record_load(tx, &RES_LEGAL_HOLD, hold, false, ret));
	return record_has(*ret, "releasedDateTime") ? scope_fail(db_tx_scope(tx), ERR_CONFLICT, "the legal hold was released") : OK;
}

static const char *name_of(struct scope *s, const struct record *r) { return record_text(s->arena, r, "displayName"); }

struct write {
	struct id hold;
	const struct record *r;
	const char *reason;
};

static enum err check_review(struct scope *s, const struct record *r)
{
	return record_has(r, "reviewDateTime") && record_int(r, "reviewDateTime") <= s->now
		       ? scope_fail(s, ERR_BAD_REQUEST, "'reviewDateTime' is to come: the day on which the hold is looked at again") : OK;
}

static struct db_value actor_id(const struct scope *s) { return id_is_nil(s->actor.id) ? db_v_null() : db_v_id(&s->actor.id); }

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	struct audit_change *changes = NULL, **tail = &changes;
	a->hold = scope_id(s);
	TRY(check_review(s, a->r));
	struct extra_column extra[] = {{"created_at", db_v_int(s->now)}, {"created_by", actor_id(s)}};
	TRY(record_insert(tx, a->r, a->hold, extra, sizeof extra / sizeof extra[0]));
	record_changes_all(s->arena, a->r, true, &tail);
	return hold_record(tx, ACT_LEGAL_HOLD_CREATE, a->hold, name_of(s, a->r), (struct id){{0}}, changes);
}

enum err legal_hold_create(struct scope *s, const struct record *r, struct id *ret)
{
	check(r->res == &RES_LEGAL_HOLD);
	struct write a = {.r = r};
	TRY(db_write(s, create_tx, &a));
	*ret = a.hold;
	return OK;
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(hold_open(tx, a->hold, &old));
	TRY(check_review(s, a->r));
	TRY(record_update(tx, old, a->r, a->hold, NULL, 0, &tail, &changed));
	if (!changed)
		return OK;
	if (record_has(a->r, "reviewDateTime"))
		TRY(db_exec(tx, &hold_forget_alarm, DB_ARGS(db_v_id(&a->hold)), NULL));
	return hold_record(tx, ACT_LEGAL_HOLD_UPDATE, a->hold, name_of(s, record_has(a->r, "displayName") ? a->r : old), (struct id){{0}}, changes);
}

enum err legal_hold_patch(struct scope *s, struct id hold, const struct record *r)
{
	check(r->res == &RES_LEGAL_HOLD);
	return db_write(s, patch_tx, &(struct write){.hold = hold, .r = r});
}

struct asked {
	const struct resource *of;
	struct id key;
};

static enum err has_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct asked *a = arg;
	struct record *r;
	return record_load(tx, a->of, a->key, true, &r);
}

enum err legal_hold_has(struct scope *s, const struct resource *of, struct id key)
{
	return db_read(s, has_tx, &(struct asked){of, key});
}

/* ---- release ---- */

/* An event for each member, so that the log of a person tells when they were free. */
static enum err release_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	struct hold_member *m;
	size_t n;
	TRY(hold_open(tx, a->hold, &old));
	TRY(hold_members(tx, a->hold, &m, &n));
	TRY(db_exec(tx, &hold_free_members, DB_ARGS(db_v_id(&a->hold)), NULL));
	TRY(db_exec(tx, &hold_set_released,
		    DB_ARGS(db_v_id(&a->hold), db_v_int(s->now), actor_id(s), db_v_text(a->reason), db_v_int(s->now + LEGAL_HOLD_KEPT_US)), NULL));
	for (size_t i = 0; i < n; i++)
		TRY(hold_record(tx, ACT_LEGAL_HOLD_REMOVE, a->hold, name_of(s, old), m[i].user, NULL));
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "releaseReason", NULL, NULL, NULL, a->reason);
	audit_change_add(s->arena, tail, "membersReleased", NULL, NULL, NULL, arena_printf(s->arena, "%zu", n));
	return hold_record(tx, ACT_LEGAL_HOLD_RELEASE, a->hold, name_of(s, old), (struct id){{0}}, changes);
}

enum err legal_hold_release(struct scope *s, struct id hold, const char *reason)
{
	return db_write(s, release_tx, &(struct write){.hold = hold, .reason = reason});
}

/* ---- by themselves ---- */

struct due {
	struct db_stmt *stmt;
	struct id tenant[PAGE], hold[PAGE];
	size_t n;
};

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct due *d = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, d->stmt, DB_ARGS(db_v_int(s->now), db_v_int(PAGE)), &r));
	for (d->n = 0; d->n < PAGE && db_next(r); d->n++) {
		d->tenant[d->n] = db_id(r, 0);
		d->hold[d->n] = db_id(r, 1);
	}
	return db_rows_err(r);
}

static enum err review_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id hold = *(const struct id *)arg;
	struct record *r;
	int64_t n;
	char when[TIME_TEXT];
	struct audit_change *changes = NULL;
	TRY(db_exec(tx, &hold_set_alarm, DB_ARGS(db_v_id(&hold), db_v_int(s->now)), &n));
	if (n == 0)
		return OK;
	TRY(hold_open(tx, hold, &r));
	audit_change_add(s->arena, &changes, "reviewDateTime", NULL, NULL, NULL, time_format(record_int(r, "reviewDateTime"), when));
	TRY(hold_record(tx, ACT_LEGAL_HOLD_REVIEW, hold, name_of(s, r), (struct id){{0}}, changes));
	return notice_alarm(tx, "legalHoldReview", hold, "The review date of a legal hold has come: release it, or give it a later one.");
}

struct ending {
	struct id hold;
	bool more;
};

static enum err end_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ending *e = arg;
	struct record *r;
	int64_t n;
	TRY(db_exec(tx, &hold_evidence_drop, DB_ARGS(db_v_id(&e->hold), db_v_int(BATCH)), &n));
	e->more = n == BATCH;
	if (e->more)
		return OK;
	TRY(record_load(tx, &RES_LEGAL_HOLD, e->hold, false, &r));
	TRY(db_exec(tx, &hold_drop, DB_ARGS(db_v_id(&e->hold), db_v_int(s->now)), NULL));
	return hold_record(tx, ACT_LEGAL_HOLD_EXPIRE, e->hold, name_of(s, r), (struct id){{0}}, NULL);
}

static enum err run_each(struct scope *s, struct db_stmt *stmt, db_fn fn, bool *ret_more)
{
	struct due *d = arena_alloc(s->arena, sizeof *d);
	d->stmt = stmt;
	TRY(db_read(s, due_tx, d));
	for (size_t i = 0; i < d->n; i++) {
		struct scope t;
		struct ending e = {.hold = d->hold[i]};
		scope_tenant(&t, s->arena, s->db, s->keeper, d->tenant[i]);
		t.now = s->now;
		TRY(db_write_low(&t, fn, &e));
		*ret_more = *ret_more || e.more;
	}
	*ret_more = *ret_more || d->n == PAGE;
	return OK;
}

enum err legal_hold_run(struct scope *s, bool *ret_more)
{
	*ret_more = false;
	TRY(run_each(s, &holds_to_review, review_tx, ret_more));
	return run_each(s, &holds_to_end, end_tx, ret_more);
}
