/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleanup rules, and the hiding and showing of devices by them.
 */
#include "devices/cleanup.h"

#include <string.h>

#include "base/clock.h"
#include "resource/tables.h"

/* A tenant has at most a rule for each platform type. */
DB_TENANT(cleanup_rules, "SELECT rule_id, platform_type, inactivity_days FROM device_cleanup_rules WHERE tenant_id = ?1");
DB_TENANT(cleanup_of_type, "SELECT rule_id FROM device_cleanup_rules WHERE tenant_id = ?1 AND platform_type = ?2");
DB_TENANT(cleanup_remove, "DELETE FROM device_cleanup_rules WHERE tenant_id = ?1 AND rule_id = ?2");
DB_TENANT(cleanup_silent,
	  "SELECT d.device_id FROM managed_devices d LEFT JOIN users u ON u.tenant_id = d.tenant_id AND u.user_id = d.user_id "
	  "WHERE d.tenant_id = ?1 AND d.platform = ?2 AND d.hidden_at IS NULL AND d.last_sync_at < ?3 AND u.restricted_at IS NULL LIMIT ?4");
DB_TENANT(cleanup_heard,
	  "SELECT device_id FROM managed_devices WHERE tenant_id = ?1 AND platform = ?2 AND hidden_reason = 'cleanup' AND last_sync_at >= ?3 LIMIT ?4");
DB_TENANT(cleanup_hide,
	  "UPDATE managed_devices SET hidden_at = ?3, hidden_reason = 'cleanup' WHERE tenant_id = ?1 AND device_id = ?2 AND hidden_at IS NULL");
DB_TENANT(cleanup_show,
	  "UPDATE managed_devices SET hidden_at = NULL, hidden_reason = NULL WHERE tenant_id = ?1 AND device_id = ?2 AND hidden_reason = 'cleanup'");
DB_GLOBAL(cleanup_next_ruled, "SELECT tenant_id FROM device_cleanup_rules WHERE tenant_id > ?1 ORDER BY tenant_id LIMIT 1");
DB_GLOBAL(cleanup_next_hidden,
	  "SELECT tenant_id FROM managed_devices WHERE hidden_reason = 'cleanup' AND tenant_id > ?1 ORDER BY tenant_id LIMIT 1");

#define CLEANUP_ALL "all"
#define CLEANUP_EVERY ""
#define CLEANUP_NONE NULL
static const struct {
	const char *type, *platform;
} TYPES[] = {
#define CLEANUP_TYPE(type, platform) {type, platform},
#include "devices/cleanup_platforms.def"
#undef CLEANUP_TYPE
};
enum { TYPE_COUNT = sizeof TYPES / sizeof TYPES[0], DEVICES_A_CLOSURE = 100 };

/* ---- rules ---- */

struct edit {
	struct id rule;
	const struct record *record;
};

static enum err record_event(struct db_tx *tx, enum activity activity, struct id rule, const char *name, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity,
						      .resource_type = RES_DEVICE_CLEANUP_RULE.entity,
						      .resource = rule,
						      .resource_name = name,
						      .changes = changes});
}

static enum err check_days(struct scope *s, const struct record *r)
{
	int64_t days = record_int(r, "deviceInactivityBeforeRetirementInDays");
	if (record_has(r, "deviceInactivityBeforeRetirementInDays") && (days < CLEANUP_DAYS_MIN || days > CLEANUP_DAYS_MAX))
		return scope_fail(s, ERR_BAD_REQUEST, "'deviceInactivityBeforeRetirementInDays' is a number of days from %d to %d", CLEANUP_DAYS_MIN,
				  CLEANUP_DAYS_MAX);
	return OK;
}

/* *ret: the rule for a platform type.  ERR_NOT_FOUND. */
static enum err rule_of(struct db_tx *tx, const char *type, struct id *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &cleanup_of_type, DB_ARGS(db_v_text(type)), &r));
	*ret = db_id(r, 0);
	return OK;
}

static enum err check_type(struct db_tx *tx, const struct edit *q)
{
	struct scope *s = db_tx_scope(tx);
	struct id other;
	const char *type = record_text(s->arena, q->record, "deviceCleanupRulePlatformType");
	if (type == NULL)
		return OK;
	enum err e = rule_of(tx, type, &other);
	if (e == OK && !id_equal(other, q->rule))
		return scope_fail(s, ERR_EXISTS, "there is a cleanup rule for '%s' already", type);
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err create(struct db_tx *tx, const struct edit *q)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	struct extra_column modified = {"modified_at", db_v_int(s->now)};
	TRY(check_type(tx, q));
	TRY(record_insert(tx, q->record, q->rule, &modified, 1));
	record_changes_all(s->arena, q->record, true, &tail);
	return record_event(tx, ACT_CLEANUP_RULE_CREATE, q->rule, record_text(s->arena, q->record, "displayName"), changes);
}

static enum err patch(struct db_tx *tx, const struct edit *q)
{
	struct scope *s = db_tx_scope(tx);
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	struct extra_column modified = {"modified_at", db_v_int(s->now)};
	bool changed;
	TRY(record_load(tx, &RES_DEVICE_CLEANUP_RULE, q->rule, false, &old));
	TRY(check_type(tx, q));
	TRY(record_update(tx, old, q->record, q->rule, &modified, 1, &tail, &changed));
	return changed ? record_event(tx, ACT_CLEANUP_RULE_UPDATE, q->rule, record_text(s->arena, old, "displayName"), changes) : OK;
}

static enum err remove_rule(struct db_tx *tx, const struct edit *q)
{
	struct scope *s = db_tx_scope(tx);
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(record_load(tx, &RES_DEVICE_CLEANUP_RULE, q->rule, false, &old));
	TRY(db_exec(tx, &cleanup_remove, DB_ARGS(db_v_id(&q->rule)), NULL));
	record_changes_all(s->arena, old, false, &tail);
	return record_event(tx, ACT_CLEANUP_RULE_DELETE, q->rule, record_text(s->arena, old, "displayName"), changes);
}

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg) { return create(tx, arg); }
static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg) { return patch(tx, arg); }
static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg) { return remove_rule(tx, arg); }

enum err cleanup_rule_create(struct scope *s, const struct record *r, struct id *ret)
{
	TRY(check_days(s, r));
	*ret = scope_id(s);
	return db_write(s, create_tx, &(struct edit){*ret, r});
}

enum err cleanup_rule_patch(struct scope *s, struct id rule, const struct record *change)
{
	TRY(check_days(s, change));
	return db_write(s, patch_tx, &(struct edit){rule, change});
}

enum err cleanup_rule_delete(struct scope *s, struct id rule) { return db_write(s, delete_tx, &(struct edit){.rule = rule}); }

/* ---- the singleton ---- */

/* Days by platform; 0: no rule. */
struct ruling {
	int64_t all, days[TYPE_COUNT];
	struct id rule[TYPE_COUNT], all_rule;
};

static enum err load_rules(struct db_tx *tx, struct ruling *ret)
{
	auto_rows struct db_rows *r = NULL;
	*ret = (struct ruling){0};
	TRY(db_query(tx, &cleanup_rules, DB_NOARGS, &r));
	while (db_next(r))
		for (size_t i = 0; i < TYPE_COUNT; i++)
			if (strcmp(TYPES[i].type, db_text(r, 1)) == 0) {
				ret->rule[i] = db_id(r, 0);
				ret->days[i] = db_int(r, 2);
				if (strcmp(TYPES[i].type, CLEANUP_ALL) == 0) {
					ret->all_rule = ret->rule[i];
					ret->all = ret->days[i];
				}
			}
	return db_rows_err(r);
}

static enum err days_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ruling rules;
	TRY(load_rules(tx, &rules));
	*(int64_t *)arg = rules.all;
	return OK;
}

enum err cleanup_days(struct scope *s, int64_t *ret) { return db_read(s, days_tx, ret); }

static enum err set_days_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const int64_t *days = arg;
	struct edit q = {0};
	struct record *r = record_new(s->arena, &RES_DEVICE_CLEANUP_RULE);
	enum err e = rule_of(tx, CLEANUP_ALL, &q.rule);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (*days == 0)
		return e == OK ? remove_rule(tx, &q) : OK;
	record_set_int(r, "deviceInactivityBeforeRetirementInDays", *days);
	q.record = r;
	if (e == OK)
		return patch(tx, &q);
	record_set_text(r, "displayName", "All devices");
	record_set_text(r, "deviceCleanupRulePlatformType", CLEANUP_ALL);
	q.rule = scope_id(s);
	return create(tx, &q);
}

enum err cleanup_set_days(struct scope *s, int64_t days)
{
	if (days != 0 && (days < CLEANUP_DAYS_MIN || days > CLEANUP_DAYS_MAX))
		return scope_fail(s, ERR_BAD_REQUEST, "'deviceInactivityBeforeRetirementInDays' is a number of days from %d to %d", CLEANUP_DAYS_MIN,
				  CLEANUP_DAYS_MAX);
	return db_write(s, set_days_tx, &days);
}

/* ---- devices ---- */

static enum err show(struct db_tx *tx, const struct device *d)
{
	struct audit_change *changes = NULL;
	TRY(db_exec(tx, &cleanup_show, DB_ARGS(db_v_id(&d->id)), NULL));
	audit_change_add(db_tx_scope(tx)->arena, &changes, "hiddenReason", "managed_devices", "hidden_reason", "cleanup", NULL);
	return device_record(tx, d, ACT_DEVICE_REAPPEAR, changes, NULL);
}

enum err cleanup_reappear(struct db_tx *tx, const struct device *d) { return d->hidden && !d->deleted ? show(tx, d) : OK; }

static enum err hide(struct db_tx *tx, const struct device *d, struct id rule)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	char id[ID_TEXT];
	TRY(db_exec(tx, &cleanup_hide, DB_ARGS(db_v_id(&d->id), db_v_int(s->now)), NULL));
	tail = audit_change_add(s->arena, tail, "hiddenReason", "managed_devices", "hidden_reason", NULL, "cleanup");
	audit_change_add(s->arena, tail, "ruleId", "device_cleanup_rules", "rule_id", NULL, id_format(rule, id));
	return device_record(tx, d, ACT_DEVICE_HIDE, changes, NULL);
}

struct sweep {
	const char *platform;
	size_t type;
	bool hides;
	size_t n; /* out */
};

/* The rules are read again in each transaction: one that was changed meanwhile holds from then on. */
static enum err sweep_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sweep *q = arg;
	struct ruling rules;
	struct id v[DEVICES_A_CLOSURE];
	auto_rows struct db_rows *r = NULL;
	q->n = 0;
	TRY(load_rules(tx, &rules));
	bool own = rules.days[q->type] != 0;
	int64_t days = own ? rules.days[q->type] : rules.all;
	if (q->hides && days == 0)
		return OK;
	int64_t since = days == 0 ? 0 : s->now - days * DAY_US;
	TRY(db_query(tx, q->hides ? &cleanup_silent : &cleanup_heard, DB_ARGS(db_v_text(q->platform), db_v_int(since), db_v_int(DEVICES_A_CLOSURE)), &r));
	while (q->n < DEVICES_A_CLOSURE && db_next(r))
		v[q->n++] = db_id(r, 0);
	TRY(db_rows_err(r));
	for (size_t i = 0; i < q->n; i++) {
		struct device d;
		TRY(device_load(tx, v[i], true, &d));
		TRY(q->hides ? hide(tx, &d, own ? rules.rule[q->type] : rules.all_rule) : show(tx, &d));
	}
	return OK;
}

static enum err sweep_tenant(struct scope *s)
{
	for (size_t i = 0; i < TYPE_COUNT; i++)
		for (int hides = 0; hides < 2; hides++) {
			struct sweep q = {.platform = TYPES[i].platform, .type = i, .hides = hides};
			if (q.platform == NULL || *q.platform == '\0')
				continue;
			do {
				struct arena_mark mark = arena_mark(s->arena);
				TRY(db_write_low(s, sweep_tx, &q));
				arena_rewind(s->arena, mark);
			} while (q.n == DEVICES_A_CLOSURE);
		}
	return OK;
}

struct next {
	struct id after, ret;
	bool found;
};

static enum err next_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct db_stmt *const all[] = {&cleanup_next_ruled, &cleanup_next_hidden};
	struct next *q = arg;
	q->found = false;
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		auto_rows struct db_rows *r = NULL;
		TRY(db_query(tx, all[i], DB_ARGS(db_v_id(&q->after)), &r));
		if (db_next(r)) {
			struct id tenant = db_id(r, 0);
			if (!q->found || memcmp(tenant.b, q->ret.b, sizeof tenant.b) < 0)
				q->ret = tenant;
			q->found = true;
		}
		TRY(db_rows_err(r));
	}
	return OK;
}

enum err cleanup_run(struct scope *s)
{
	struct next q = {0};
	for (;;) {
		struct scope t;
		TRY(db_read(s, next_tx, &q));
		if (!q.found)
			return OK;
		scope_tenant(&t, s->arena, s->db, s->keeper, q.ret);
		t.now = s->now;
		enum err e = sweep_tenant(&t);
		s->detail = t.detail;
		TRY(e);
		q.after = q.ret;
	}
}
