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
	refused(subscription_set(&F.a, F.other, "mail", "Enabled"), ERR_FORBIDDEN);
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
	ok(subscription_set(&op, F.other, "mail", "Enabled"));
	ok(subscription_set(&op, F.other, "mail", "Enabled"));
	assert_int_equal(events(&F.b, "set Subscription"), before + 1);
	ok(db_read(&F.b, keeps_tx, &keeps));
	assert_true(keeps);
	ok(subscription_set(&F.b, F.other, "mail", "Deleted")); /* its own administrator may, too */
	ok(db_read(&F.b, keeps_tx, &keeps));
	assert_false(keeps);
	assert_int_equal(shown(&F.b, &RES_SUBSCRIPTION), 2);
	refused(subscription_set(&op, F.other, "no such/name", "Enabled"), ERR_BAD_REQUEST);
	fresh(&op);
	refused(subscription_set(&op, F.other, "mail", "enabled"), ERR_BAD_REQUEST);
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
		cmocka_unit_test(subscriptions), cmocka_unit_test(settings),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
