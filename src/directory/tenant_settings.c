/* SPDX-License-Identifier: Apache-2.0
 * A tenant's settings: the table, its rows, and their change. */
#include "directory/tenant_settings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "directory/tenant.h"
#include "duty/duty.h"

DB_TENANT(setting_select, "SELECT value FROM tenant_settings WHERE tenant_id = ?1 AND name = ?2");
DB_TENANT(setting_select_all, "SELECT name, value FROM tenant_settings WHERE tenant_id = ?1");
/* A row or two of each tenant. */
DB_GLOBAL(settings_of_promise, "SELECT tenants.tenant_id, s.name, s.value FROM tenants CROSS JOIN tenant_settings s "
			       "WHERE s.tenant_id = tenants.tenant_id AND s.name IN ('deviceGraceDays', 'eraseUndoHours')");
DB_TENANT(setting_upsert, "INSERT INTO tenant_settings (tenant_id, name, value) VALUES (?1, ?2, ?3) "
			  "ON CONFLICT (tenant_id, name) DO UPDATE SET value = excluded.value");

enum { TYPE_INT, TYPE_BOOL };
static const struct setting_info SETTINGS[] = {
#define SETTING(name_, type_, preset_, lowest_, highest_, text_)                                                 \
	{.name = #name_, .text = text_, .is_bool = TYPE_##type_ == TYPE_BOOL, .preset = preset_, .lowest = lowest_, \
	 .highest = highest_},
#include "directory/tenant_settings.def"
#undef SETTING
};
enum { SETTING_COUNT = sizeof SETTINGS / sizeof SETTINGS[0], NUMBER_TEXT = 24 };

const struct setting_info *setting_table(size_t *ret_n)
{
	*ret_n = SETTING_COUNT;
	return SETTINGS;
}

const struct setting_info *setting_info(const char *name)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (strcmp(SETTINGS[i].name, name) == 0)
			return &SETTINGS[i];
	return NULL;
}

/* A stored value that is out of today's range (a later version narrowed it) counts as the nearest one that is allowed. */
static int64_t in_range(const struct setting_info *i, const char *text)
{
	int64_t v = strtoll(text, NULL, 10);
	return v < i->lowest ? i->lowest : v > i->highest ? i->highest : v;
}

enum err tenant_setting_int(struct db_tx *tx, const char *name, int64_t *ret)
{
	const struct setting_info *i = setting_info(name);
	check(i != NULL);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &setting_select, DB_ARGS(db_v_text(name)), &r);
	if (e == ERR_NOT_FOUND) {
		*ret = i->preset;
		return OK;
	}
	TRY(e);
	*ret = in_range(i, db_text(r, 0));
	return OK;
}

enum err setting_parse(struct scope *s, const char *name, const json_t *value, int64_t *ret)
{
	const struct setting_info *i = setting_info(name);
	if (i == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "there is no tenant setting '%.64s'", name);
	if (i->is_bool) {
		if (!json_is_boolean(value))
			return scope_fail(s, ERR_BAD_REQUEST, "%s must be true or false", name);
		*ret = json_is_true(value);
		return OK;
	}
	int64_t v = json_is_integer(value) ? json_integer_value(value) : i->lowest - 1;
	if (v < i->lowest || v > i->highest)
		return scope_fail(s, ERR_BAD_REQUEST, "%s must be a whole number from %" PRId64 " to %" PRId64, name,
				  i->lowest, i->highest);
	*ret = v;
	return OK;
}

static const char *value_text(const struct setting_info *i, int64_t v, char out[NUMBER_TEXT])
{
	if (i->is_bool)
		return v != 0 ? "true" : "false";
	snprintf(out, NUMBER_TEXT, "%" PRId64, v);
	return out;
}

static enum err store(struct db_tx *tx, const struct setting_info *i, int64_t v)
{
	char text[NUMBER_TEXT];
	snprintf(text, sizeof text, "%" PRId64, v);
	return db_exec(tx, &setting_upsert, DB_ARGS(db_v_text(i->name), db_v_text(text)), NULL);
}

enum err tenant_settings_seed(struct db_tx *tx)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
		TRY(store(tx, &SETTINGS[i], SETTINGS[i].preset));
	return OK;
}

/* ---- the promise ---- */

#define PROMISE_DAYS ((int64_t)(DUTY_DEADLINE_US / DAY_US))

/* What can put a deletion off by itself: days, of a value of the setting; -1 of others. */
static int64_t days_put_off(const char *name, int64_t v)
{
	if (strcmp(name, "deviceGraceDays") == 0)
		return v;
	return strcmp(name, "eraseUndoHours") == 0 ? (v + 23) / 24 : -1;
}

/* The promise is kept where the delay, the life of the keys of backups and two days for the work leave no more than its days. */
static enum err keeps_promise(struct scope *s, const struct setting_info *i, int64_t v, const char *of)
{
	int64_t days = days_put_off(i->name, v), keys = duty_backup_days(s);
	if (days < 0 || days + keys + 2 <= PROMISE_DAYS)
		return OK;
	return scope_fail(s, ERR_BAD_REQUEST,
			  "%s%s = %" PRId64 " cannot keep the promise to delete within %" PRId64 " days: keys of backups live %" PRId64
			  " days, and the work takes up to 2",
			  of, i->name, v, PROMISE_DAYS, keys);
}

static enum err check_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &settings_of_promise, DB_NOARGS, &r));
	while (db_next(r)) {
		char tenant[ID_TEXT];
		const struct setting_info *i = setting_info(db_text(r, 1));
		TRY(keeps_promise(s, i, in_range(i, db_text(r, 2)), arena_printf(s->arena, "tenant %s: ", id_format(db_id(r, 0), tenant))));
	}
	return db_rows_err(r);
}

enum err tenant_settings_check(struct scope *s)
{
	enum err e = db_read(s, check_tx, NULL);
	return e == ERR_BAD_REQUEST ? ERR_CONFIG : e;
}

/* ---- change ---- */

struct patch {
	bool given[SETTING_COUNT];
	int64_t value[SETTING_COUNT];
};

static enum err patch_one(struct db_tx *tx, const struct setting_info *i, int64_t v, struct audit_change ***tail)
{
	int64_t old;
	TRY(tenant_setting_int(tx, i->name, &old));
	if (old == v)
		return OK;
	TRY(keeps_promise(db_tx_scope(tx), i, v, ""));
	char before[NUMBER_TEXT], after[NUMBER_TEXT];
	*tail = audit_change_add(db_tx_scope(tx)->arena, *tail, i->name, NULL, NULL, value_text(i, old, before),
				 value_text(i, v, after));
	return store(tx, i, v);
}

/* What one setting promises may not be broken by another. */
static enum err purge_keeps_promises(struct db_tx *tx)
{
	struct scope *s = db_tx_scope(tx);
	int64_t purge, grace, earliest, latest = tenant_purge_days_most(s->keeper);
	TRY(tenant_setting_int(tx, "purgeStartsAfterDays", &purge));
	TRY(tenant_setting_int(tx, "deviceGraceDays", &grace));
	earliest = TENANT_READ_ONLY_US / DAY_US + grace;
	if (purge < earliest || purge > latest)
		return scope_fail(s, ERR_BAD_REQUEST,
				  "purgeStartsAfterDays must be from %" PRId64 " (90 and deviceGraceDays) to %" PRId64
				  " (180 less the days that backups are kept, and %d)",
				  earliest, latest, (int)TENANT_PURGE_ROOM_DAYS);
	return OK;
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct patch *p = arg;
	struct audit_change *changes = NULL, **tail = &changes;
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (p->given[i])
			TRY(patch_one(tx, &SETTINGS[i], p->value[i], &tail));
	if (changes == NULL)
		return OK;
	TRY(purge_keeps_promises(tx));
	return audit_record(tx, &(struct audit_event){.activity = ACT_TENANT_SETTINGS, .resource_type = "TenantSettings",
						      .resource = s->tenant, .changes = changes});
}

enum err tenant_settings_patch(struct scope *s, const json_t *values)
{
	struct patch p = {0};
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)values, name, value) {
		if (strncmp(name, "@odata.", strlen("@odata.")) == 0)
			continue;
		int64_t v;
		TRY(setting_parse(s, name, value, &v));
		size_t at = (size_t)(setting_info(name) - SETTINGS);
		p.given[at] = true;
		p.value[at] = v;
	}
	return db_write(s, patch_tx, &p);
}

/* ---- reading ---- */

static enum err read_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	(void)s;
	int64_t *value = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &setting_select_all, DB_NOARGS, &r));
	while (db_next(r)) {
		const struct setting_info *i = setting_info(db_text(r, 0));
		if (i != NULL) /* a row of a setting that this version no longer has is left alone */
			value[i - SETTINGS] = in_range(i, db_text(r, 1));
	}
	return db_rows_err(r);
}

enum err tenant_settings_write(struct scope *s, struct json_writer *w)
{
	int64_t value[SETTING_COUNT];
	for (size_t i = 0; i < SETTING_COUNT; i++)
		value[i] = SETTINGS[i].preset;
	TRY(db_read(s, read_tx, value));
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		if (SETTINGS[i].is_bool)
			jw_kbool(w, SETTINGS[i].name, value[i] != 0);
		else
			jw_kint(w, SETTINGS[i].name, value[i]);
	}
	return OK;
}
