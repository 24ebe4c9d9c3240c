/* SPDX-License-Identifier: Apache-2.0
 * The clocks of requests, case by case: months, leap years, weekends, extensions, and the tenant's own days. */
#include "fixture.h"
#include "directory/tenant_settings.h"
#include "privacy/request/regime.h"

static int64_t at(const char *text)
{
	int64_t us = 0;
	if (!time_parse(text, &us))
		fail_msg("no time: %s", text);
	return us;
}

static void says(int64_t us, const char *text)
{
	char got[TIME_TEXT];
	if (*text == '\0')
		assert_int_equal(us, 0);
	else
		assert_string_equal(time_format(us, got), arena_printf(F.d.arena, "%sT23:59:59Z", text));
}

static void every_clock_case(void **state)
{
	static const struct {
		const char *regime, *received, *acknowledge, *due, *extended;
	} cases[] = {
		{"gdpr", "2026-11-22T08:15:00Z", "", "2026-12-22", "2027-02-22"},
		{"gdpr", "2026-01-31T00:00:00Z", "", "2026-02-28", "2026-04-30"}, /* three months from the receipt, not two from 28 February */
		{"gdpr", "2028-01-31T23:59:59Z", "", "2028-02-29", "2028-04-30"},
		{"gdpr", "2028-01-30T12:00:00Z", "", "2028-02-29", "2028-04-30"},
		{"gdpr", "2028-01-29T12:00:00Z", "", "2028-02-29", "2028-04-29"},
		{"gdpr", "2028-02-29T12:00:00Z", "", "2028-03-29", "2028-05-29"},
		{"gdpr", "2026-02-28T12:00:00Z", "", "2026-03-28", "2026-05-28"},
		{"gdpr", "2026-03-31T12:00:00Z", "", "2026-04-30", "2026-06-30"},
		{"gdpr", "2026-11-30T12:00:00Z", "", "2026-12-30", "2027-02-28"},
		{"gdpr", "2027-11-30T12:00:00Z", "", "2027-12-30", "2028-02-29"},
		{"gdpr", "2026-12-31T23:59:59.999999Z", "", "2027-01-31", "2027-03-31"},
		{"ukGdpr", "2026-09-03T09:00:00Z", "", "2026-10-03", "2026-12-03"}, /* the ICO's example; a Saturday is not moved */
		{"gdpr", "2000-01-31T12:00:00Z", "", "2000-02-29", "2000-04-30"},
		{"gdpr", "2100-01-31T12:00:00Z", "", "2100-02-28", "2100-04-30"},
		{"gdpr", "9999-12-15T12:00:00Z", "", "9999-12-31", "9999-12-31"},
		{"ccpa", "2026-11-20T12:00:00Z", "2026-12-04", "2027-01-04", "2027-02-18"}, /* a Friday; 45 days, 90 in all */
		{"ccpa", "2026-11-21T12:00:00Z", "2026-12-04", "2027-01-05", "2027-02-19"}, /* a Saturday */
		{"ccpa", "2026-11-22T12:00:00Z", "2026-12-04", "2027-01-06", "2027-02-20"}, /* a Sunday */
		{"ccpa", "2026-11-23T12:00:00Z", "2026-12-07", "2027-01-07", "2027-02-21"},
		{"ccpa", "2028-01-15T12:00:00Z", "2028-01-28", "2028-02-29", "2028-04-14"},
		{"lgpd", "2026-11-22T12:00:00Z", "", "2026-12-07", ""},
		{"pipeda", "2026-11-22T12:00:00Z", "", "2026-12-22", "2027-01-21"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct regime *r = regime_find(cases[i].regime);
		int64_t received = at(cases[i].received), due = regime_due(r, received);
		says(regime_acknowledge_by(r, received), cases[i].acknowledge);
		says(due, cases[i].due);
		says(regime_extended(r, received, due), cases[i].extended);
	}
	assert_null(regime_find("GDPR"));
	assert_null(regime_find(""));
}

/* Over four years: a due date is never before the law's shortest month nor after its longest, and grows with the receipt. */
static void due_dates_grow_with_the_receipt(void **state)
{
	const struct regime *r = regime_find("gdpr");
	int64_t last = 0, last_extended = 0;
	for (int64_t day = at("2026-01-01T10:00:00Z"); day < at("2030-01-01"); day += DAY_US) {
		int64_t due = regime_due(r, day), extended = regime_extended(r, day, due);
		assert_true(due >= last && extended >= last_extended);
		assert_in_range((due - day) / DAY_US, 28, 31);
		assert_in_range((extended - day) / DAY_US, 89, 92);
		last = due;
		last_extended = extended;
	}
}

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg) { return regime_load(tx, "custom", arg); }
static enum err unknown_tx(struct scope *s, struct db_tx *tx, void *arg) { return regime_load(tx, "roman", arg); }

static struct regime custom(const char *settings)
{
	struct scope s = scope_of(F.tenant);
	struct regime r;
	json_t *body = json_loads(settings, 0, NULL);
	ok_in(&s, tenant_settings_patch(&s, body));
	json_decref(body);
	ok_in(&s, db_read(&s, load_tx, &r));
	return r;
}

static void a_tenant_has_its_own_days(void **state)
{
	struct scope s = scope_of(F.tenant);
	int64_t received = at("2026-11-22T12:00:00Z");
	struct regime r = custom("{}");
	says(regime_acknowledge_by(&r, received), "");
	says(regime_due(&r, received), "2026-12-22");
	r = custom("{\"customAcknowledgeDays\":5,\"customDueDays\":1,\"customExtensionDays\":180}");
	says(regime_acknowledge_by(&r, received), "2026-11-27");
	says(regime_due(&r, received), "2026-11-23");
	says(regime_extended(&r, received, regime_due(&r, received)), "2027-05-22");
	r = custom("{\"customExtensionDays\":0}");
	says(regime_extended(&r, received, regime_due(&r, received)), "");
	refused(db_read(&s, unknown_tx, &r), ERR_BAD_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_clock_case),
		cmocka_unit_test(due_dates_grow_with_the_receipt),
		cmocka_unit_test(a_tenant_has_its_own_days),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("regimes", tests, fixture_up, fixture_down);
}
