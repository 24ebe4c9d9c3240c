/* SPDX-License-Identifier: Apache-2.0
 *
 * Daily limits and the alarm of bursts.  The requests are rows of their own: those of devices go with their devices, often within the minute.
 */
#include "devices/limit.h"

#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "devices/action.h"
#include "directory/tenant_settings.h"
#include "notice/notice.h"

DB_TENANT(request_insert,
	  "INSERT INTO action_requests (tenant_id, request_id, asked_as, requested_by, requested_at, alarmed, expires_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)");
DB_TENANT(request_set_alarmed, "UPDATE action_requests SET alarmed = 1 WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(requests_today,
	  "SELECT count(*) FROM (SELECT 1 FROM action_requests WHERE tenant_id = ?1 AND asked_as = ?2 AND requested_at >= ?3 LIMIT ?4) x");
DB_TENANT(requests_of_hour,
	  "SELECT count(*), COALESCE(max(alarmed), 0) FROM action_requests WHERE tenant_id = ?1 AND requested_by = ?2 AND requested_at > ?3");
DB_TENANT(devices_up_to, "SELECT count(*) FROM (SELECT 1 FROM managed_devices WHERE tenant_id = ?1 LIMIT ?2) x");
DB_GLOBAL(bursts_since, "SELECT count(*) FROM action_requests WHERE alarmed = 1 AND requested_at > ?1");

enum { KEEP_DAYS = 3 };

/* How many may be asked for in a day: the tenant's setting. */
static const struct {
	const char *as, *setting;
} LIMITS[] = {
	{ACTION_RETIRE, "retiresPerDay"},
	{ACTION_WIPE, "wipesPerDay"},
	{ACTION_DELETE, "deletesPerDay"},
};

unsigned action_limit_retry_after(int64_t now)
{
	return (unsigned)((DAY_US - now % DAY_US + SECOND_US - 1) / SECOND_US);
}

static enum err check_day(struct db_tx *tx, const char *as, const char *setting)
{
	struct scope *s = db_tx_scope(tx);
	int64_t limit;
	auto_rows struct db_rows *r = NULL;
	TRY(tenant_setting_int(tx, setting, &limit));
	TRY(db_query_one(tx, &requests_today, DB_ARGS(db_v_text(as), db_v_int(s->now - s->now % DAY_US), db_v_int(limit)), &r));
	if (db_int(r, 0) < limit)
		return OK;
	return scope_fail(s, ERR_DAILY_LIMIT, "no more than %lld of the action %s are accepted in a day (tenant setting %s); the next day begins at 00:00 UTC",
			  (long long)limit, as, setting);
}

/* ---- bursts ---- */

static enum err raise_alarm(struct db_tx *tx, struct id request, int64_t n)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL;
	const char *count = arena_printf(s->arena, "%lld", (long long)n);
	TRY(db_exec(tx, &request_set_alarmed, DB_ARGS(db_v_id(&request)), NULL));
	audit_change_add(s->arena, &changes, "requestsInHour", NULL, NULL, NULL, count);
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_ACTION_BURST, .resource_type = "DeviceManagement", .resource = s->tenant,
						   .changes = changes}));
	return notice_alarm(tx, "deviceActionBurst", s->actor.id,
			    arena_printf(s->arena, "One actor has asked for %s retires, wipes and deletes of devices within an hour.", count));
}

static enum err watch(struct db_tx *tx, struct id request)
{
	struct scope *s = db_tx_scope(tx);
	int64_t most, percent;
	auto_rows struct db_rows *hour = NULL;
	auto_rows struct db_rows *devices = NULL;
	if (id_is_nil(s->actor.id))
		return OK;
	TRY(tenant_setting_int(tx, "actionBurstCount", &most));
	TRY(tenant_setting_int(tx, "actionBurstPercent", &percent));
	TRY(db_query_one(tx, &requests_of_hour, DB_ARGS(db_v_id(&s->actor.id), db_v_int(s->now - HOUR_US)), &hour));
	int64_t n = db_int(hour, 0);
	if (n <= most || db_int(hour, 1) != 0)
		return OK;
	/* more than the share of all devices: there are fewer than would be needed for n to be just that */
	int64_t enough = percent == 0 ? 1 : (n * 100 + percent - 1) / percent;
	TRY(db_query_one(tx, &devices_up_to, DB_ARGS(db_v_int(enough)), &devices));
	return percent == 0 || db_int(devices, 0) < enough ? raise_alarm(tx, request, n) : OK;
}

enum err action_limit_take(struct db_tx *tx, const char *as)
{
	struct scope *s = db_tx_scope(tx);
	struct id request = scope_id(s);
	const struct id *by = id_is_nil(s->actor.id) ? NULL : &s->actor.id;
	for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++)
		if (strcmp(LIMITS[i].as, as) == 0)
			TRY(check_day(tx, as, LIMITS[i].setting));
	TRY(db_exec(tx, &request_insert,
		    DB_ARGS(db_v_id(&request), db_v_text(as), db_v_id(by), db_v_int(s->now), db_v_int(s->now + KEEP_DAYS * DAY_US)), NULL));
	return watch(tx, request);
}

static enum err count(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &bursts_since, DB_ARGS(db_v_int(s->now - DAY_US)), &r));
	*(uint64_t *)arg = (uint64_t)db_int(r, 0);
	return OK;
}

enum err action_limit_bursts(struct scope *s, uint64_t *ret) { return db_read(s, count, ret); }
