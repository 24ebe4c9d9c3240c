/* SPDX-License-Identifier: Apache-2.0
 *
 * What time does to actions that wait.
 */
#include "devices/action_clock.h"

#include "base/clock.h"
#include "devices/action.h"
#include "devices/device.h"
#include "directory/tenant_settings.h"

/* Younger ones cannot be due: a day is the shortest setting. */
DB_GLOBAL(actions_waiting,
	  "SELECT tenant_id, action_id, requested_at FROM device_actions WHERE state IN ('pending', 'issued', 'notNow') AND requested_at <= ?1 "
	  "AND (requested_at, action_id) > (?2, ?3) ORDER BY requested_at, action_id LIMIT ?4");
DB_TENANT(device_seen, "SELECT last_sync_at FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2");

enum { PAGE = 256 };

struct waiting {
	struct id tenant, action;
};

struct page {
	struct waiting v[PAGE];
	size_t n;
	int64_t after_at;
	struct id after;
};

static enum err load_page(struct scope *s, struct db_tx *tx, void *arg)
{
	struct page *p = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &actions_waiting, DB_ARGS(db_v_int(s->now - DAY_US), db_v_int(p->after_at), db_v_id(&p->after), db_v_int(PAGE)), &r));
	for (p->n = 0; p->n < PAGE && db_next(r); p->n++) {
		p->v[p->n] = (struct waiting){.tenant = db_id(r, 0), .action = db_id(r, 1)};
		p->after = db_id(r, 1);
		p->after_at = db_int(r, 2);
	}
	return db_rows_err(r);
}

enum verdict { WAITS, SILENT, EXPIRED };

struct judged {
	struct id action;
	struct device d;
	struct device_action a;
	enum verdict verdict;
};

static enum err judge(struct scope *s, struct db_tx *tx, void *arg)
{
	struct judged *j = arg;
	int64_t silent, expiry;
	auto_rows struct db_rows *r = NULL;
	j->verdict = WAITS;
	TRY(action_load(tx, j->action, &j->a));
	if (!action_state_open(j->a.state))
		return OK;
	TRY(device_load(tx, j->a.device, true, &j->d));
	TRY(tenant_setting_int(tx, "actionSilentDays", &silent));
	TRY(tenant_setting_int(tx, "actionExpiryDays", &expiry));
	TRY(db_query_one(tx, &device_seen, DB_ARGS(db_v_id(&j->d.id)), &r));
	int64_t long_ago = s->now - silent * DAY_US;
	if (expiry > 0 && j->a.requested_at <= s->now - expiry * DAY_US)
		j->verdict = EXPIRED;
	else if (j->a.state == ACTION_pending && j->a.outcome == NULL && j->a.requested_at <= long_ago && db_int(r, 0) <= long_ago)
		j->verdict = SILENT;
	return OK;
}

static enum err settle(struct scope *s, struct db_tx *tx, void *arg)
{
	struct judged *j = arg;
	TRY(judge(s, tx, j)); /* again: a check-in may have come between */
	switch (j->verdict) {
	case WAITS: return OK;
	case SILENT: return action_mark_silent(tx, &j->d, &j->a);
	case EXPIRED: return action_end(tx, &j->d, &j->a, ACTION_canceled, OUTCOME_EXPIRED, NULL);
	}
	return OK;
}

static enum err look_at(struct scope *system, const struct waiting *w)
{
	struct scope s;
	struct judged j = {.action = w->action};
	struct arena_mark mark = arena_mark(system->arena);
	scope_tenant(&s, system->arena, system->db, system->keeper, w->tenant);
	s.now = system->now;
	enum err err = db_read(&s, judge, &j);
	if (err == OK && j.verdict != WAITS)
		err = db_write_low(&s, settle, &j);
	if (err == ERR_NOT_FOUND || err == ERR_CONFLICT) /* its rows went meanwhile, or it moved */
		err = OK;
	else if (err != OK)
		return scope_fail(system, err, "%s", scope_detail(&s, err));
	arena_rewind(system->arena, mark);
	return err;
}

enum err action_clock_run(struct scope *s)
{
	struct page *p = arena_alloc(s->arena, sizeof *p);
	*p = (struct page){.after_at = INT64_MIN};
	do {
		TRY(db_read(s, load_page, p));
		for (size_t i = 0; i < p->n; i++)
			TRY(look_at(s, &p->v[i]));
	} while (p->n == PAGE);
	return OK;
}
