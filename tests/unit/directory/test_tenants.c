/* SPDX-License-Identifier: Apache-2.0
 * Tenants on a real database: the installation's birth, closing by day, reopening, subscriptions, settings. */
#include "fixture.h"

static void birth(void **state)
{
	struct installation again;
	struct scope s = F.system;
	refused(installation_init(&s, "Again", &again), ERR_EXISTS);
	assert_int_equal(events(&F.a, "create Tenant"), 1);
	assert_int_equal(events(&F.a, "create Application"), 1);
	assert_int_equal(events(&F.operator_, "create Tenant"), 3); /* its own, and a copy for each of the two */
	assert_true(shown(&F.a, &RES_ROLE) >= 5);
	assert_int_equal(shown(&F.operator_, &RES_ROLE), 1);
	struct actor who = {0};
	ok(application_principal(&F.operator_, &F.made.operator_claims, &who));
	assert_int_equal(who.type, ACTOR_OPERATOR);
	assert_string_equal(who.permissions, "Installation.Tenants.ReadWrite.All Installation.Metrics.Read Installation.AuditLog.Read.All");
	ok(application_principal(&F.a, &F.made.administrator_claims, &who));
	assert_int_equal(who.type, ACTOR_APPLICATION);
	assert_true(permission_granted(who.permissions, "Privacy.ReadWrite.All"));
	assert_false(permission_granted(who.permissions, "Installation.Tenants.ReadWrite.All"));
}

static enum err put(struct scope *s, struct id tenant, const char *product, const char *status)
{
	return subscription_set(s, tenant, &(struct subscription_order){.product = product, .status = status, .trial = -1});
}

static void only_the_operator(void **state)
{
	struct application_secret secret;
	struct id id;
	refused(tenant_create(&F.a, "Mine", SECRET_DEFAULT_US, &secret, &id), ERR_FORBIDDEN);
	fresh(&F.a);
	refused(tenant_close(&F.a, F.other), ERR_FORBIDDEN);
	fresh(&F.a);
	refused(tenant_close(&F.a, F.made.tenant), ERR_FORBIDDEN);
	fresh(&F.a);
	refused(tenant_reopen(&F.a, F.other), ERR_FORBIDDEN);
	fresh(&F.a);
	refused(put(&F.a, F.other, "mail", "Enabled"), ERR_FORBIDDEN);
	fresh(&F.a);
	struct tenant t;
	refused(tenant_get(&F.a, F.other, &t), ERR_FORBIDDEN);
	fresh(&F.a);
	struct scope s = F.a;
	refused(tenant_operator_scope(&s), ERR_FORBIDDEN);
	assert_true(s.has_tenant);
}

static enum tenant_level level_at(struct id tenant, int64_t now)
{
	enum tenant_level level;
	struct scope s = tenant_scope(tenant, now);
	ok(tenant_access(&s, &level));
	return level;
}

static void closing_by_day(void **state)
{
	struct application_secret admin;
	struct token_claims claims;
	struct id id, nobody = scope_id(&F.system);
	struct scope op = F.operator_;
	ok(tenant_create(&op, "Closing", SECRET_DEFAULT_US, &admin, &id));
	struct scope s = tenant_scope(id, op.now);
	assert_int_equal(level_at(id, op.now), TENANT_FULL);
	assert_int_equal(level_at(nobody, op.now), TENANT_NONE);
	ok(tenant_close(&op, id));
	refused(tenant_close(&op, id), ERR_CONFLICT);
	fresh(&op);
	refused(tenant_close(&op, nobody), ERR_NOT_FOUND);
	fresh(&op);
	refused(tenant_close(&op, F.operator_.tenant), ERR_NOT_FOUND);
	fresh(&op);
	assert_int_equal(events(&s, "close Tenant"), 1);
	assert_int_equal(events(&F.operator_, "close Tenant"), 1);
	assert_int_equal(duties(&s, id, "scheduled"), 1);
	struct tenant t;
	ok(tenant_get(&op, id, &t));
	assert_string_equal(t.state, "closing");
	assert_int_equal(t.purge_starts_at, op.now + 120 * DAY_US);
	assert_int_equal(t.purge_deadline_at, op.now + 180 * DAY_US);
	assert_int_equal(level_at(id, op.now + 89 * DAY_US), TENANT_READ_ONLY);
	assert_int_equal(level_at(id, op.now + 91 * DAY_US), TENANT_NONE);
	s.now = op.now + 89 * DAY_US;
	ok(application_sign_in(&s, admin.application, admin.text, &claims));
	s.now = op.now + 91 * DAY_US;
	refused(application_sign_in(&s, admin.application, admin.text, &claims), ERR_UNAUTHENTICATED);
}

static void reopening(void **state)
{
	struct application_secret admin;
	struct id id;
	struct scope op = F.operator_;
	ok(tenant_create(&op, "Reopening", SECRET_DEFAULT_US, &admin, &id));
	struct scope s = tenant_scope(id, op.now);
	refused(tenant_reopen(&op, id), ERR_CONFLICT);
	fresh(&op);
	json_t *days = json_pack("{s:i}", "purgeStartsAfterDays", 100);
	ok(tenant_settings_patch(&s, days));
	json_decref(days);
	ok(tenant_close(&op, id));
	op.now += 99 * DAY_US;
	ok(tenant_reopen(&op, id));
	assert_int_equal(duties(&s, id, "cancelled"), 1);
	assert_int_equal(level_at(id, op.now), TENANT_FULL);
	ok(tenant_close(&op, id));
	op.now += 101 * DAY_US;
	refused(tenant_reopen(&op, id), ERR_CONFLICT);
	fresh(&op);
	assert_int_equal(events(&s, "reopen Tenant"), 1);
}

static enum err keeps_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return tenant_keeps_directory(tx, arg);
}

static void subscriptions(void **state)
{
	bool keeps = true;
	struct scope op = F.operator_;
	ok(db_read(&F.b, keeps_tx, &keeps));
	assert_false(keeps);
	int64_t before = events(&F.b, "set Subscription");
	ok(put(&op, F.other, "mail", "Enabled"));
	ok(put(&op, F.other, "mail", "Enabled"));
	assert_int_equal(events(&F.b, "set Subscription"), before + 1);
	ok(db_read(&F.b, keeps_tx, &keeps));
	assert_true(keeps);
	ok(put(&F.b, F.other, "mail", "LockedOut")); /* its own administrator may, too */
	ok(db_read(&F.b, keeps_tx, &keeps));
	assert_false(keeps);
	assert_int_equal(shown(&F.b, &RES_SUBSCRIPTION), 2);
	refused(put(&op, F.other, "no such/name", "Enabled"), ERR_BAD_REQUEST);
	fresh(&op);
	refused(put(&op, F.other, "mail", "enabled"), ERR_BAD_REQUEST);
	fresh(&op);
	refused(put(&op, F.other, "new", "Warning"), ERR_CONFLICT);
}

/* Of one product of a tenant, as text: status, and when it moves on (days from `from`; -1: never). */
static const char *standing(struct scope *s, const char *product, int64_t from)
{
	static const char *const names[] = {"Enabled", "Warning", "Suspended", "LockedOut", "Deleted"};
	static const char sql[] = "SELECT count(*) FROM subscriptions WHERE tenant_id = ?1 AND product = ?2 AND status = ?3";
	static const char when[] = "SELECT CAST(coalesce(max(next_lifecycle_at), 0) AS INTEGER) FROM subscriptions WHERE tenant_id = ?1 AND product = ?2";
	int64_t at = ask(s, when, db_v_text(product), db_v_null());
	for (size_t i = 0; i < 5; i++)
		if (ask(s, sql, db_v_text(product), db_v_text(names[i])) == 1)
			return arena_printf(F.arena, "%s %lld", names[i], at == 0 ? -1LL : (long long)((at - from) / DAY_US));
	return "none";
}

static void pass_to(struct scope *s, int64_t now)
{
	bool more;
	struct scope system = F.system;
	s->now = system.now = now;
	ok(subscription_run_due(&system, &more));
}

/* Every pair of states: by hand it is in the table, or refused and nothing changes. */
static void every_move(void **state)
{
	size_t n;
	const struct subscription_state *all = subscription_states(&n);
	static const char *const ways[][3] = {{NULL}, {"Warning"}, {"Suspended"}, {"LockedOut"}, {"LockedOut", "time"}};
	static const char *const reached[] = {"Enabled", "Warning", "Suspended", "LockedOut", "Deleted"};
	for (size_t from = 0; from < n; from++)
		for (size_t to = 0; to < n; to++) {
			struct scope s = F.b, op = F.operator_;
			const char *product = arena_printf(F.arena, "p%zu-%zu", from, to);
			ok(put(&op, F.other, product, "Enabled"));
			for (size_t i = 0; i < 3 && ways[from][i] != NULL; i++)
				if (strcmp(ways[from][i], "time") == 0)
					pass_to(&s, F.b.now + 4 * DAY_US);
				else
					ok(put(&op, F.other, product, ways[from][i]));
			bool same = strcmp(reached[from], all[to].status) == 0;
			bool may = same || subscription_may_move(reached[from], all[to].status);
			refused(put(&op, F.other, product, all[to].status), may ? OK : ERR_CONFLICT);
			assert_memory_equal(standing(&F.b, product, F.b.now), may ? all[to].status : reached[from], strlen(may ? all[to].status : reached[from]));
			assert_false(!same && strcmp(all[to].status, "Deleted") == 0 && may);
		}
}

static struct id new_tenant(const char *name)
{
	struct application_secret admin;
	struct id id;
	struct scope op = F.operator_;
	ok(tenant_create(&op, name, SECRET_DEFAULT_US, &admin, &id));
	return id;
}

static const char *state_of(struct scope *s, struct id tenant)
{
	struct tenant t;
	ok(tenant_get(s, tenant, &t));
	return t.state;
}

/* Active 30 days, Expired 30, Disabled 30, Deprovisioned; what is disabled starts the clock of the tenant's closing. */
static void a_trial_by_day(void **state)
{
	struct id id = new_tenant("Trial");
	int64_t start = F.operator_.now;
	struct scope s = tenant_scope(id, start), op = F.operator_;
	ok(subscription_set(&op, id, &(struct subscription_order){.product = PRODUCT_DEVICE_MANAGEMENT, .status = "Enabled", .trial = 1, .licenses = 25}));
	assert_string_equal(standing(&s, PRODUCT_DEVICE_MANAGEMENT, start), "Enabled 30");
	pass_to(&s, start + 29 * DAY_US);
	assert_string_equal(standing(&s, PRODUCT_DEVICE_MANAGEMENT, start), "Enabled 30");
	pass_to(&s, start + 30 * DAY_US);
	assert_string_equal(standing(&s, PRODUCT_DEVICE_MANAGEMENT, start), "Warning 60");
	assert_int_equal(level_at(id, s.now), TENANT_FULL);
	pass_to(&s, start + 60 * DAY_US);
	assert_string_equal(standing(&s, PRODUCT_DEVICE_MANAGEMENT, start), "Suspended 90");
	assert_string_equal(state_of(&s, id), "closing");
	assert_int_equal(level_at(id, s.now), TENANT_READ_ONLY);
	assert_int_equal(duties(&s, id, "scheduled"), 1);
	pass_to(&s, start + 90 * DAY_US);
	assert_string_equal(standing(&s, PRODUCT_DEVICE_MANAGEMENT, start), "Deleted -1");
	assert_int_equal(events(&s, "set Subscription"), 4);
	op.now = s.now;
	ok(put(&op, id, PRODUCT_DEVICE_MANAGEMENT, "Enabled")); /* the tenant returns */
	assert_string_equal(state_of(&s, id), "active");
	assert_int_equal(duties(&s, id, "cancelled"), 1);
}

/* Cancelled at once: three days to take it back; the clock of the closing runs from the first of them. */
static void cancelled_by_hand(void **state)
{
	struct id id = new_tenant("Cancelling");
	int64_t start = F.operator_.now;
	struct scope s = tenant_scope(id, start);
	ok(put(&s, id, PRODUCT_DEVICE_MANAGEMENT, "LockedOut")); /* by its own administrator */
	assert_string_equal(standing(&s, PRODUCT_DEVICE_MANAGEMENT, start), "LockedOut 3");
	assert_string_equal(state_of(&s, id), "closing");
	s.now += 2 * DAY_US;
	ok(put(&s, id, PRODUCT_DEVICE_MANAGEMENT, "Enabled"));
	assert_string_equal(state_of(&s, id), "active");
	assert_string_equal(standing(&s, PRODUCT_DEVICE_MANAGEMENT, start), "Enabled -1");
	ok(put(&s, id, PRODUCT_DEVICE_MANAGEMENT, "LockedOut"));
	pass_to(&s, s.now + 3 * DAY_US);
	assert_string_equal(standing(&s, PRODUCT_DEVICE_MANAGEMENT, start), "Deleted -1");
	assert_string_equal(state_of(&s, id), "closing");
	struct scope op = F.operator_;
	op.now = s.now + 100 * DAY_US;
	ok(tenant_reopen(&op, id));
	assert_string_equal(standing(&s, PRODUCT_DEVICE_MANAGEMENT, start), "Enabled -1");
}

/* With another active product the directory goes on; without device management nobody gets at that. */
static void beside_another_product(void **state)
{
	struct id id = new_tenant("Beside");
	struct tenant_levels l;
	struct scope op = F.operator_, s = tenant_scope(id, op.now);
	ok(put(&op, id, "mail", "Enabled"));
	ok(tenant_close(&op, id));
	ok(tenant_levels(&s, &l));
	assert_true(l.whole == TENANT_FULL && l.management == TENANT_READ_ONLY);
	s.now += 91 * DAY_US;
	ok(tenant_levels(&s, &l));
	assert_true(l.whole == TENANT_FULL && l.management == TENANT_NONE && l.devices_retire);
	ok(put(&op, id, "mail", "LockedOut"));
	ok(tenant_levels(&s, &l));
	assert_true(l.whole == TENANT_NONE && l.management == TENANT_NONE);
}

static void the_clock_leaves_room(void **state)
{
	json_t *late = json_pack("{s:i}", "purgeStartsAfterDays", 179), *early = json_pack("{s:i}", "purgeStartsAfterDays", 96);
	json_t *grace = json_pack("{s:i,s:i}", "purgeStartsAfterDays", 110, "deviceGraceDays", 21), *good = json_pack("{s:i}", "purgeStartsAfterDays", 111);
	refused(tenant_settings_patch(&F.b, late), ERR_BAD_REQUEST);
	fresh(&F.b);
	refused(tenant_settings_patch(&F.b, early), ERR_BAD_REQUEST);
	fresh(&F.b);
	refused(tenant_settings_patch(&F.b, grace), ERR_BAD_REQUEST); /* devices would not have their grace after day 90 */
	fresh(&F.b);
	ok(tenant_settings_patch(&F.b, good));
	json_decref(late);
	json_decref(early);
	json_decref(grace);
	json_decref(good);
}

static enum err read_setting_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return tenant_setting_int(tx, "syncSeconds", arg);
}

static void settings(void **state)
{
	int64_t v = 0;
	ok(db_read(&F.a, read_setting_tx, &v));
	assert_int_equal(v, 28800);
	json_t *good = json_pack("{s:i,s:b}", "syncSeconds", 60, "collectDisks", 1);
	json_t *half = json_pack("{s:i,s:i}", "syncSeconds", 120, "exportDays", 99);
	ok(tenant_settings_patch(&F.a, good));
	ok(tenant_settings_patch(&F.a, good));
	assert_int_equal(events(&F.a, "patch TenantSettings"), 1);
	assert_true(event_says(&F.a, "patch TenantSettings", "28800"));
	refused(tenant_settings_patch(&F.a, half), ERR_BAD_REQUEST);
	fresh(&F.a);
	json_decref(good);
	json_decref(half);
	ok(db_read(&F.a, read_setting_tx, &v));
	assert_int_equal(v, 60);
	ok(db_read(&F.b, read_setting_tx, &v)); /* the other tenant keeps its own */
	assert_int_equal(v, 28800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(birth), cmocka_unit_test(only_the_operator), cmocka_unit_test(closing_by_day), cmocka_unit_test(reopening),
		cmocka_unit_test(subscriptions), cmocka_unit_test(settings), cmocka_unit_test(every_move), cmocka_unit_test(a_trial_by_day),
		cmocka_unit_test(cancelled_by_hand), cmocka_unit_test(beside_another_product), cmocka_unit_test(the_clock_leaves_room),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
