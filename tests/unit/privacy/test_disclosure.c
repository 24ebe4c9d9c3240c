/* SPDX-License-Identifier: Apache-2.0
 * What decides on disclosure: the map, then an officer, the most specific place first; and an officer's decisions themselves. */
#include "cases.h"

#include "privacy/disclosure/reason.h"
#include "resource/tables.h"

/* ---- the map ---- */

enum device { NO_DEVICE, PERSONAL_DEVICE, COMPANY_DEVICE };

static enum verdict expected(enum map_disclosure rule, enum device device, bool full, bool own)
{
	switch (rule) {
	case MAP_DISCLOSE_FULL: return GIVE;
	case MAP_DISCLOSE_OTHERS: return own || full ? GIVE : REDACT;
	case MAP_DISCLOSE_PHONE: return device == PERSONAL_DEVICE && !full ? REDACT : GIVE;
	case MAP_DISCLOSE_LOCATION: return device == COMPANY_DEVICE || full ? GIVE : WITHHOLD;
	default: return WITHHOLD;
	}
}

static const struct map_path *devices(void) { return section_path("devices"); }

static void the_map_decides(void **state)
{
	for (int rule = MAP_DISCLOSE_FULL; rule <= MAP_DISCLOSE_INTERNAL; rule++)
		for (int bits = 0; bits < 12; bits++) {
			enum device device = (enum device)(bits % 3);
			bool full = bits >= 6, own = (bits / 3) % 2 != 0;
			struct map_column c = {"managed_devices", "x", "user.device", MAP_TYPE_ID, MAP_KIND_PERSONAL, .disclosure = (enum map_disclosure)rule};
			struct disclosed_row row = {.path = devices(), .record = "r", .personal_device = device == PERSONAL_DEVICE,
						    .company_device = device == COMPANY_DEVICE};
			struct disclosure *d = load(&F.ann, none, full);
			struct disclosed got = disclosure_of_value(d, &row, &c, own ? &F.ann.user : &F.bob.user);
			assert_int_equal(got.verdict, expected(c.disclosure, device, full, own));
			assert_int_equal(got.reason != NULL, got.verdict != GIVE);
			assert_false(got.by_officer);
			assert_int_equal(got.quiet, rule == MAP_DISCLOSE_WITHHOLD_INVESTIGATION);
			if (got.reason != NULL)
				assert_true(*reason_text(got.reason) != '\0');
		}
}

static void numbers_are_masked(void **state)
{
	static const char *const numbers[][2] = {{"+41 44 668 18 00", "***-***-1800"}, {"0446681801", "***-***-1801"}, {"1234", "***"},
						 {"", "***"}, {"ext. 12-34-5", "***-***-2345"}, {"no digits", "***"}};
	struct map_column c = {"managed_devices", "phone", "user.contact.phone_number", MAP_TYPE_TEXT, MAP_KIND_PERSONAL, .disclosure = MAP_DISCLOSE_PHONE};
	struct disclosed d = disclosure_of_map(&c), decided = d;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		assert_string_equal(disclosure_text(F.d.arena, &c, &d, numbers[i][0]), numbers[i][1]);
	decided.by_officer = true;
	decided.reason = "other_law";
	assert_null(strstr(disclosure_text(F.d.arena, &c, &decided, "0446681801"), "1801"));
}

/* ---- an officer's decisions ---- */

enum { LEVELS = 4, CHOICES = 4 }; /* section, section and property, record, record and property; nothing, full, redacted, withheld */
static const char *const chosen[] = {NULL, "full", "redacted", "withheld"};
static const enum verdict verdicts[] = {GIVE, GIVE, REDACT, WITHHOLD};
static const char key[] = "00112233445566778899aabbccddeeff", other_key[] = "ffeeddccbbaa99887766554433221100";

struct planting {
	struct id request[CHOICES * CHOICES * CHOICES * CHOICES], user;
};

static enum err plant_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct planting *p = arg;
	for (int i = 0; i < CHOICES * CHOICES * CHOICES * CHOICES; i++) {
		p->request[i] = scope_id(s);
		for (int level = 0, n = i; level < LEVELS; level++, n /= CHOICES) {
			if (chosen[n % CHOICES] == NULL)
				continue;
			struct id decision = scope_id(s);
			TRY(db_exec_text(tx, DB_REACH_TENANT,
					 "INSERT INTO disclosure_decisions (tenant_id, decision_id, request_id, user_id, section, record_key, property, "
					 "disclosure, reason_code, legal_ground, decided_at) VALUES (?1, ?2, ?3, ?4, 'devices', ?5, ?6, ?7, 'other_law', 'Law', ?8)",
					 DB_ARGS(db_v_id(&decision), db_v_id(&p->request[i]), db_v_id(&p->user), db_v_text(level >= 2 ? key : ""),
						 db_v_text(level % 2 == 1 ? "notes" : ""), db_v_text(chosen[n % CHOICES]), db_v_int(s->now)),
					 NULL));
		}
	}
	return OK;
}

static void value_is(const struct disclosure *d, const char *record, const char *column, int decision, enum verdict otherwise)
{
	struct disclosed_row row = {.path = devices(), .record = record, .personal_device = true};
	struct disclosed got = disclosure_of_value(d, &row, map_column("managed_devices", column), NULL);
	assert_int_equal(got.by_officer, decision != 0);
	assert_int_equal(got.verdict, decision != 0 ? verdicts[decision] : otherwise);
	if (disclosure_of_section(d, "devices").verdict == WITHHOLD || disclosure_of_record(d, &row).verdict == WITHHOLD)
		assert_int_equal(got.verdict, WITHHOLD); /* a place that is withheld holds nothing that is given */
}

static int most_specific(int a, int b, int c, int d) { return a != 0 ? a : b != 0 ? b : c != 0 ? c : d; }

static bool gives(int choice) { return choice == 1 || choice == 2; }

static void the_most_specific_decision_wins(void **state)
{
	struct scope s = scope_of(F.tenant);
	struct planting *p = arena_alloc(F.d.arena, sizeof *p);
	p->user = F.ann.user;
	ok_in(&s, db_write(&s, plant_tx, p));
	for (int i = 0; i < CHOICES * CHOICES * CHOICES * CHOICES; i++) {
		struct disclosure *d = load(&F.ann, p->request[i], false), *of_bob = load(&F.bob, p->request[i], false);
		int section = i % 4, property = i / 4 % 4, record = i / 16 % 4, both = i / 64;
		struct disclosed_row row = {.path = devices(), .record = key, .personal_device = true};
		value_is(d, key, "notes", most_specific(both, record, property, section), GIVE);
		value_is(d, key, "model", most_specific(0, record, 0, section), GIVE);
		value_is(d, other_key, "notes", most_specific(0, 0, property, section), GIVE);
		value_is(d, other_key, "model", section, GIVE);
		/* withheld as a whole only where nothing below is given */
		bool open = gives(property) || gives(record) || gives(both), whole = section == 3 && !open;
		assert_int_equal(disclosure_of_section(d, "devices").verdict, whole ? WITHHOLD : GIVE);
		bool all = (record == 3 && !gives(both)) || (record == 0 && section == 3 && !gives(both) && !gives(property));
		assert_int_equal(disclosure_of_record(d, &row).verdict, all ? WITHHOLD : GIVE);
		/* whatever was decided, what is never given is not */
		assert_int_equal(disclosure_of_value(d, &row, map_column("users", "upn_key"), NULL).verdict, WITHHOLD);
		assert_int_equal(disclosure_of_value(d, &row, map_column("enrollment_tokens", "token_hash"), NULL).verdict, WITHHOLD);
		/* decisions about somebody else's answer do not count */
		value_is(of_bob, key, "notes", 0, GIVE);
		assert_int_equal(disclosure_of_section(of_bob, "devices").verdict, GIVE);
		assert_int_equal(disclosure_of_section(d, "account").verdict, GIVE);
	}
}

static void an_inquiry_is_opened_by_its_name_alone(void **state)
{
	struct map_column c = *map_column("managed_devices", "notes");
	struct disclosed_row row = {.path = devices(), .record = key};
	struct scope s = scope_of(F.tenant);
	struct planting *p = arena_alloc(F.d.arena, sizeof *p);
	c.disclosure = MAP_DISCLOSE_WITHHOLD_INVESTIGATION;
	p->user = F.ann.user;
	ok_in(&s, db_write(&s, plant_tx, p));
	for (int i = 0; i < CHOICES * CHOICES * CHOICES * CHOICES; i++) {
		int section = i % 4, property = i / 4 % 4, record = i / 16 % 4, both = i / 64;
		struct disclosed got = disclosure_of_value(load(&F.ann, p->request[i], false), &row, &c, NULL);
		if (property == 0 && both == 0)
			assert_int_equal(got.verdict, WITHHOLD);
		else
			assert_int_equal(got.verdict, verdicts[most_specific(both, record, property, section)]);
		if (!got.by_officer)
			assert_true(got.quiet);
	}
}

/* ---- deciding ---- */

static void a_decision_needs_a_place_a_reason_and_a_ground(void **state)
{
	struct id request = open_case(&F.ann, "access");
	static const struct disclosure_decision good[] = {
		{"devices", NULL, NULL, "withheld", "legal_privilege", "Art. 15(4)"},
		{"devices", "", "notes", "redacted", "third_party", "Art. 15(4)"},
		{"actions", NULL, "requestedBy", "full", "consent", "Art. 15(1)"},
		{"auditAsTarget", NULL, "actor/ipAddress", "withheld", "third_party", "Art. 15(4)"},
		{"account", NULL, "mobilePhone", "redacted", "other_law", "Some law"},
	};
	static const struct disclosure_decision bad[] = {
		{"nothing", NULL, NULL, "withheld", "third_party", "x"},      /* no such section */
		{"", NULL, NULL, "withheld", "third_party", "x"},
		{"devices", NULL, "nothing", "withheld", "third_party", "x"}, /* no such property */
		{"devices", NULL, "user_id", "withheld", "other_law", "x"},   /* a column's name is none */
		{"devices", key, NULL, "withheld", "third_party", "x"},       /* no such record */
		{"devices", "UPPER", NULL, "withheld", "third_party", "x"},
		{"devices", NULL, NULL, "hidden", "third_party", "x"},
		{"devices", NULL, NULL, "withheld", "nonsense", "x"},
		{"devices", NULL, NULL, "withheld", "security_secret", "x"}, /* the map's alone */
		{"devices", NULL, NULL, "withheld", "unfounded", "x"},       /* of a whole answer */
		{"devices", NULL, NULL, "withheld", "consent", "x"},         /* to open */
		{"devices", NULL, NULL, "full", "third_party", "x"},         /* to close */
		{"devices", NULL, NULL, "withheld", "third_party", NULL},
		{"devices", NULL, NULL, "withheld", "third_party", ""},
		{"devices", NULL, "tenantId", "full", "consent", "x"},            /* INTERNAL */
		{"enrolmentTokens", NULL, "tokenHash", "full", "consent", "x"},  /* WITHHOLD_SECURITY */
		{"account", NULL, "displayName", "redacted", "third_party", "x"}, /* the person's own */
		{"account", NULL, NULL, "withheld", "third_party", "x"},
		{"account", NULL, "jobTitle", "redacted", "not_personal", "x"},
		{"devices", NULL, NULL, "withheld", "legal_hold", "x"}, /* the gap would tell */
		{"auditAsTarget", NULL, "actor/nothing", "withheld", "third_party", "x"},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		refused(decide(&F.ann, request, good[i]), OK);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		refused(decide(&F.ann, request, bad[i]), ERR_BAD_REQUEST);
	refused(decide(&F.eve, request, good[0]), ERR_NOT_FOUND); /* another tenant's */
	refused(decide(&F.ann, id_new(F.now), good[0]), ERR_NOT_FOUND);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM disclosure_decisions WHERE tenant_id = ?1 AND request_id = ?2", db_v_id(&request)).ret,
			 sizeof good / sizeof good[0]);
	static const char *const late[] = {"decided", "delivered", "closed"};
	for (size_t i = 0; i < 3; i++) {
		set_state(F.tenant, request, late[i]);
		refused(decide(&F.ann, request, good[0]), ERR_CONFLICT);
	}
}

static void every_decision_is_an_event(void **state)
{
	struct id request = open_case(&F.ann, "access"), decision, again;
	struct scope s = scope_of(F.tenant);
	struct disclosure_decision d = {"devices", NULL, "notes", "redacted", "third_party", "Art. 15(4) GDPR"};
	int64_t before = events_of("set DisclosureDecision"), gone = events_of("delete DisclosureDecision");
	ok_in(&s, disclosure_decide(&s, request, &d, &decision));
	ok_in(&s, disclosure_decide(&s, request, &d, &again)); /* says what stands */
	assert_true(id_equal(decision, again));
	assert_int_equal(events_of("set DisclosureDecision"), before + 1);
	d.disclosure = "withheld";
	ok_in(&s, disclosure_decide(&s, request, &d, &again));
	assert_true(id_equal(decision, again));
	assert_int_equal(events_of("set DisclosureDecision"), before + 2);
	struct question last = ask(F.tenant, arena_printf(F.d.arena, "SELECT %s FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2 "
								      "ORDER BY event_id DESC LIMIT 1",
							  F.d.engine == DB_SQLITE ? "CAST(bytes AS TEXT)" : "convert_from(bytes, 'UTF8')"),
				   db_v_text("set DisclosureDecision"));
	assert_non_null(strstr(last.text, "\"displayName\":\"disclosure\",\"oldValue\":\"redacted\",\"newValue\":\"withheld\""));
	assert_non_null(strstr(last.text, "\"displayName\":\"property\",\"oldValue\":\"notes\",\"newValue\":\"notes\""));
	refused(disclosure_withdraw(&s, open_case(&F.bob, "access"), decision), ERR_NOT_FOUND);
	ok_in(&s, disclosure_withdraw(&s, request, decision));
	refused(disclosure_withdraw(&s, request, decision), ERR_NOT_FOUND);
	assert_int_equal(events_of("delete DisclosureDecision"), gone + 1);
}

/* ---- tables ---- */

/* PostgreSQL's partitions of events have their expiry in the key, too. */
static void record_keys_are_the_primary_keys(void **state)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	for (size_t i = 0; i < n; i++) {
		if (*p[i].section == '\0')
			continue;
		const char *keys = record_key_columns(map_table(p[i].table));
		const char *sql = F.d.engine == DB_SQLITE
					  ? "SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_table_info('%s') WHERE pk > 1 ORDER BY pk) WHERE ?1 <> x''"
					  : "SELECT string_agg(a.attname, ', ' ORDER BY array_position(x.indkey::int2[], a.attnum)) FROM pg_index x JOIN pg_attribute a "
					    "ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey) WHERE x.indrelid = '%s'::regclass AND x.indisprimary "
					    "AND a.attname NOT IN ('tenant_id', 'expires_at') AND ?1 <> ''::bytea";
		assert_string_equal(ask(F.tenant, arena_printf(F.d.arena, sql, p[i].table), db_v_null()).text, keys);
	}
}

static void keys_name_one_row(void **state)
{
	struct db_value a[] = {db_v_text("ab"), db_v_text("c")}, b[] = {db_v_text("a"), db_v_text("bc")}, c[] = {db_v_int(1), db_v_null()};
	const struct map_table *t = map_table("detected_apps"), *u = map_table("users");
	const char *one = record_key(F.d.arena, F.tenant, t, a, 2);
	assert_int_equal(strlen(one), RECORD_KEY_TEXT - 1);
	assert_string_equal(one, record_key(F.d.arena, F.tenant, t, a, 2));
	assert_string_not_equal(one, record_key(F.d.arena, F.tenant, t, b, 2));
	assert_string_not_equal(one, record_key(F.d.arena, F.tenant, t, c, 2));
	assert_string_not_equal(one, record_key(F.d.arena, F.tenant, u, a, 2));
	assert_string_not_equal(one, record_key(F.d.arena, F.other, t, a, 2));
}

/* Each property whose column names a person is in people.def. */
static void properties_that_name_people_are_listed(void **state)
{
	static const char *const people[] = {
#define PEOPLE(name) name,
#include "privacy/disclosure/people.def"
#undef PEOPLE
	};
	size_t n;
	const struct resource *const *all = resource_all(&n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < all[i]->prop_count; k++) {
			const struct property *p = &all[i]->props[k];
			const struct map_column *c = p->sql == NULL ? NULL : map_column(all[i]->table, p->sql);
			if (c == NULL || p->type != PROP_ID || strcmp(c->category, "user.unique_id") != 0 || strcmp(p->name, "id") == 0)
				continue;
			bool listed = false;
			for (size_t m = 0; m < sizeof people / sizeof people[0]; m++)
				listed = listed || strcmp(people[m], p->name) == 0;
			if (!listed)
				fail_msg("%s of %s names a person and is not in people.def", p->name, all[i]->name);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_decides),
		cmocka_unit_test(numbers_are_masked),
		cmocka_unit_test(the_most_specific_decision_wins),
		cmocka_unit_test(an_inquiry_is_opened_by_its_name_alone),
		cmocka_unit_test(a_decision_needs_a_place_a_reason_and_a_ground),
		cmocka_unit_test(every_decision_is_an_event),
		cmocka_unit_test(record_keys_are_the_primary_keys),
		cmocka_unit_test(keys_name_one_row),
		cmocka_unit_test(properties_that_name_people_are_listed),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
