/* SPDX-License-Identifier: Apache-2.0
 *
 * Records: what a request may say, and what inserting, loading and updating write and report.
 */
#include "fixture.h"

/* ---- parsing ---- */

static struct record *rec;

static enum err parse(const struct resource *r, enum record_mode mode, const char *body)
{
	static const char *const extra[] = {"mine", NULL};
	json_error_t why;
	json_t *j = json_loads(body, 0, &why);
	if (j == NULL)
		fail_msg("%s: %s", body, why.text);
	fx.s.detail = NULL;
	enum err e = record_parse(&fx.s, r, j, mode, API_V1, extra, &rec);
	json_decref(j);
	return e;
}

static void good(const struct resource *r, enum record_mode mode, const char *body)
{
	ok(parse(r, mode, body));
}

static void bad(const struct resource *r, enum record_mode mode, const char *body, const char *text)
{
	enum err e = parse(r, mode, body);
	if (e != ERR_BAD_REQUEST || strcmp(fx.s.detail, text) != 0)
		fail_msg("%.200s: %s: %s", body, err_name(e), scope_detail(&fx.s, e));
}

static void creation(void **state)
{
	good(&RES_USER, RECORD_CREATE,
	     "{\"accountEnabled\": true, \"displayName\": \"Ann\", \"mailNickname\": \"ann\", \"userPrincipalName\": "
	     "\"Ann@example.org\", "
	     "\"passwordProfile\": {\"password\": \"hunter2\"}, \"businessPhones\": [\"+1 2\"], \"userType\": \"GUEST\", "
	     "\"city\": null, "
	     "\"@odata.type\": \"#microsoft.graph.user\", \"manager@odata.type\": \"x\", \"mine\": 5}");
	assert_string_equal(record_text(fx.s.arena, rec, "displayName"), "Ann");
	assert_string_equal(record_text(fx.s.arena, rec, "userType"), "Guest");
	assert_string_equal(record_text(fx.s.arena, rec, "businessPhones"), "[\"+1 2\"]");
	assert_int_equal(record_int(rec, "accountEnabled"), 1);
	assert_false(record_has(rec, "city"));
	assert_false(record_has(rec, "passwordProfile"));
	assert_false(record_has(rec, "surname"));
	good(&RES_GROUP, RECORD_CREATE,
	     "{\"displayName\": \"G\", \"mailEnabled\": false, \"securityEnabled\": true, \"groupTypes\": [], "
	     "\"mailNickname\": \"g\"}");
	good(&RES_ENROLLMENT_TOKEN, RECORD_CREATE,
	     "{\"userId\": \"01010000-0000-7000-8000-00000000000A\", \"expirationDateTime\": \"2027-01-16T09:00:00+01:00\"}");
	struct id id = test_id(1, 10);
	assert_true(id_equal(record_id(rec, "userId"), id));
	assert_int_equal(record_int(rec, "expirationDateTime"), TEST_NOW + DAY_US);
}

static void creation_is_checked(void **state)
{
	bad(&RES_GROUP, RECORD_CREATE, "{}", "'displayName' is required");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayName\": null}", "'displayName' must not be null");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayName\": \" \"}", "'displayName' must not be empty");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayName\": 5}", "'displayName' must be a string");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayName\": \"a\\nb\"}", "'displayName' holds control characters");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayName\": \"a\\u0085b\"}", "'displayName' holds control characters");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayName\": \"G\", \"id\": \"x\"}", "'id' cannot be given");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayName\": \"G\", \"mailEnabled\": true}", "'mailEnabled' can only be false");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayName\": \"G\", \"what\": 1}", "group has no property 'what'");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayname\": \"G\"}", "group has no property 'displayname'");
	bad(&RES_GROUP, RECORD_CREATE, "{\"displayName\": \"G\", \"members@odata.bind\": []}",
	    "group has no property 'members@odata.bind'");
	bad(&RES_USER, RECORD_CREATE, "{\"accountEnabled\": \"true\"}", "'accountEnabled' must be true or false");
	bad(&RES_USER, RECORD_CREATE, "{\"userType\": \"Robot\"}", "'userType' must be one of Member|Guest");
	bad(&RES_USER, RECORD_CREATE, "{\"businessPhones\": \"5\"}", "'businessPhones' must be an array or an object");
	bad(&RES_USER, RECORD_CREATE, "{\"passwordProfile\": \"secret\"}", "'passwordProfile' must be an object");
	bad(&RES_ENROLLMENT_TOKEN, RECORD_CREATE, "{\"userId\": \"x\"}", "'userId' must be a UUID");
	bad(&RES_ENROLLMENT_TOKEN, RECORD_CREATE, "{\"expirationDateTime\": \"soon\"}",
	    "'expirationDateTime' must be a date and time as in RFC 3339");
	bad(&RES_TERMS, RECORD_CREATE, "{\"version\": 1.5}", "'version' must be a whole number");
	good(&RES_GROUP, RECORD_CREATE, "{\"displayName\": \"G\", \"description\": \"a\\nb\\tc\"}");
}

static void changes_are_checked(void **state)
{
	good(&RES_MANAGED_DEVICE, RECORD_PATCH,
	     "{\"notes\": null, \"managedDeviceOwnerType\": \"Personal\", \"managedDeviceName\": \"n\"}");
	assert_string_equal(record_text(fx.s.arena, rec, "managedDeviceOwnerType"), "personal");
	good(&RES_MANAGED_DEVICE, RECORD_PATCH, "{}");
	bad(&RES_MANAGED_DEVICE, RECORD_PATCH, "{\"deviceName\": \"n\"}", "'deviceName' cannot be changed");
	bad(&RES_MANAGED_DEVICE, RECORD_PATCH, "{\"serialNumber\": \"n\"}", "'serialNumber' cannot be changed");
	bad(&RES_MANAGED_DEVICE, RECORD_PATCH, "{\"imei\": \"\"}", "'imei' cannot be changed");
	bad(&RES_MANAGED_DEVICE, RECORD_PATCH, "{\"managedDeviceName\": null}", "'managedDeviceName' must not be null");
	bad(&RES_MANAGED_DEVICE, RECORD_PATCH, "{\"managedDeviceOwnerType\": null}",
	    "'managedDeviceOwnerType' must not be null");
	bad(&RES_MANAGED_DEVICE, RECORD_PATCH, "{\"ownerType\": \"company\"}", "managedDevice has no property 'ownerType'");
	bad(&RES_USER, RECORD_PATCH, "{\"accountEnabled\": null}", "'accountEnabled' must not be null");
	bad(&RES_ENROLLMENT_TOKEN, RECORD_PATCH, "{\"userId\": \"01010000-0000-7000-8000-00000000000a\"}",
	    "'userId' cannot be changed");
}

static void limits(void **state)
{
	char body[6000], text[5000];
	memset(text, 'x', sizeof text);
	snprintf(body, sizeof body, "{\"displayName\": \"%.1024s\"}", text);
	good(&RES_GROUP, RECORD_PATCH, body);
	snprintf(body, sizeof body, "{\"displayName\": \"%.1025s\"}", text);
	bad(&RES_GROUP, RECORD_PATCH, body, "'displayName' is longer than 1024 bytes");
	bad(&RES_USER, RECORD_PATCH, "{\"usageLocation\": \"DEU\"}", "'usageLocation' is longer than 2 bytes");
	snprintf(body, sizeof body, "{\"businessPhones\": [\"%.1024s\"]}", text);
	bad(&RES_USER, RECORD_PATCH, body, "'businessPhones' is longer than 1024 bytes");
}

/* ---- in the database ---- */

struct step {
	enum err (*fn)(struct db_tx *tx, struct step *st);
	const struct resource *res;
	struct record *old, *change;
	struct id key;
	struct audit_change *changes, **tail;
	bool changed, any_row;
};

static enum err step_run(struct scope *s, struct db_tx *tx, void *arg)
{
	struct step *st = arg;
	st->changes = NULL;
	st->tail = &st->changes;
	return st->fn(tx, st);
}

static enum err insert(struct db_tx *tx, struct step *st)
{
	const struct extra_column extra[] = {{"upn_key", db_v_text("ann@example.org")}, {"created_at", db_v_int(TEST_NOW)}};
	record_changes_all(db_tx_scope(tx)->arena, st->change, true, &st->tail);
	return record_insert(tx, st->change, st->key, extra, 2);
}

static enum err load(struct db_tx *tx, struct step *st)
{
	return record_load(tx, st->res, st->key, st->any_row, &st->old);
}

static enum err update(struct db_tx *tx, struct step *st)
{
	const struct extra_column extra[] = {{"company_name", db_v_text("touched")}};
	TRY(record_load(tx, st->res, st->key, false, &st->old));
	return record_update(tx, st->old, st->change, st->key, extra, 1, &st->tail, &st->changed);
}

static enum err remove_all(struct db_tx *tx, struct step *st)
{
	TRY(record_load(tx, st->res, st->key, false, &st->old));
	record_changes_all(db_tx_scope(tx)->arena, st->old, false, &st->tail);
	return OK;
}

/* "name: old > new" of every change, with ";" between. */
static const char *told(const struct audit_change *c)
{
	static char text[2048];
	size_t at = 0;
	text[0] = '\0';
	for (; c != NULL; c = c->next)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s(%s.%s): %s > %s;", c->name, c->table, c->column,
				       c->old_value ? c->old_value : "-", c->new_value ? c->new_value : "-");
	return text;
}

static struct step step(enum err (*fn)(struct db_tx *tx, struct step *st))
{
	return (struct step){.fn = fn, .res = &RES_USER, .key = test_id(1, 1)};
}

static void insert_ann(void)
{
	struct step st = step(insert);
	as_tenant(tenant_a);
	good(&RES_USER, RECORD_CREATE,
	     "{\"accountEnabled\": true, \"displayName\": \"Ann\", \"mailNickname\": \"ann\", \"userPrincipalName\": "
	     "\"Ann@example.org\", "
	     "\"passwordProfile\": {\"password\": \"hunter2\"}, \"businessPhones\": [\"1\"], \"companyName\": null}");
	st.change = rec;
	ok(db_write(&fx.s, step_run, &st));
	assert_string_equal(
		told(st.changes),
		"businessPhones(users.business_phones): - > [\"1\"];displayName(users.display_name): - > Ann;"
		"userPrincipalName(users.upn): - > Ann@example.org;accountEnabled(users.account_enabled): - > true;"
		"mailNickname(users.mail_nickname): - > ann;");
}

static void insert_and_load(void **state)
{
	insert_ann();
	struct step st = step(load);
	ok(db_read(&fx.s, step_run, &st));
	assert_string_equal(record_text(fx.s.arena, st.old, "userPrincipalName"), "Ann@example.org");
	assert_int_equal(record_int(st.old, "createdDateTime"), TEST_NOW);
	assert_true(id_equal(record_id(st.old, "id"), st.key));
	assert_false(record_has(st.old, "companyName"));
	struct step again = step(insert);
	again.change = rec;
	assert_int_equal(db_write(&fx.s, step_run, &again), ERR_EXISTS);
	as_tenant(tenant_b); /* neither seen nor in the way elsewhere */
	assert_int_equal(db_read(&fx.s, step_run, &st), ERR_NOT_FOUND);
	assert_string_equal(fx.s.detail, "there is no user with the id 01010000-0000-7000-8000-000000000001");
	ok(db_write(&fx.s, step_run, &again));
}

static void only_differences_are_written(void **state)
{
	struct step st = step(update), seen = step(load);
	insert_ann();
	good(&RES_USER, RECORD_PATCH,
	     "{\"displayName\": \"Ann\", \"accountEnabled\": false, \"city\": \"Bern\", \"surname\": null, "
	     "\"businessPhones\": null}");
	st.change = rec;
	ok(db_write(&fx.s, step_run, &st));
	assert_true(st.changed);
	assert_string_equal(told(st.changes), "businessPhones(users.business_phones): [\"1\"] > -;"
			    "accountEnabled(users.account_enabled): true > false;city(users.city): - > Bern;");
	ok(db_read(&fx.s, step_run, &seen));
	assert_string_equal(record_text(fx.s.arena, seen.old, "city"), "Bern");
	assert_int_equal(record_int(seen.old, "accountEnabled"), 0);
	assert_string_equal(record_text(fx.s.arena, seen.old, "companyName"), "touched");
	assert_string_equal(record_text(fx.s.arena, seen.old, "mailNickname"), "ann");
}

static void no_difference_writes_nothing(void **state)
{
	struct step st = step(update), seen = step(load);
	insert_ann();
	good(&RES_USER, RECORD_PATCH, "{\"displayName\": \"Ann\", \"surname\": null}");
	st.change = rec;
	ok(db_write(&fx.s, step_run, &st));
	assert_false(st.changed);
	assert_null(st.changes);
	ok(db_read(&fx.s, step_run, &seen));
	assert_false(record_has(seen.old, "companyName"));
}

static void an_update_touches_one_row(void **state)
{
	struct step st = step(update);
	insert_ann();
	add_user(2, "bob@example.org", "Bob", false);
	as_tenant(tenant_b);
	add_user(1, "ann@example.org", "Other", false);
	as_tenant(tenant_a);
	good(&RES_USER, RECORD_PATCH, "{\"displayName\": \"Anna\"}");
	st.change = rec;
	ok(db_write(&fx.s, step_run, &st));
	assert_string_equal(column(list(&RES_USER, "$orderby=displayName"), "displayName"), "Anna,Bob");
	as_tenant(tenant_b);
	assert_string_equal(column(list(&RES_USER, ""), "displayName"), "Other");
}

static void where_hides_and_any_row_shows(void **state)
{
	struct step st = step(load);
	as_tenant(tenant_a);
	add_user(1, "gone@example.org", "Gone", true);
	assert_int_equal(db_read(&fx.s, step_run, &st), ERR_NOT_FOUND);
	st.any_row = true;
	ok(db_read(&fx.s, step_run, &st));
	assert_string_equal(record_text(fx.s.arena, st.old, "displayName"), "Gone");
	st = step(load);
	st.res = &RES_DELETED_USER;
	ok(db_read(&fx.s, step_run, &st));
}

static void deletion_tells_every_value(void **state)
{
	struct step st = step(remove_all);
	as_tenant(tenant_a);
	add_user(1, "ann@example.org", "Ann", false);
	ok(db_read(&fx.s, step_run, &st));
	assert_string_equal(told(st.changes), "displayName(users.display_name): Ann > -;"
			    "id(users.user_id): 01010000-0000-7000-8000-000000000001 > -;userPrincipalName(users.upn): ann@example.org > -;"
			    "accountEnabled(users.account_enabled): true > -;createdDateTime(users.created_at): 2027-01-15T08:00:00Z > -;"
			    "isDisabledByProvisioning(users.provider_disabled): false > -;");
}

static void computed_values_load(void **state)
{
	struct step st = {.fn = load, .res = &RES_MANAGED_DEVICE, .key = test_id(2, 1)};
	as_tenant(tenant_a);
	add_user(1, "ann@example.org", "Ann", false);
	add_device(1, 1, "one", NULL);
	ok(db_read(&fx.s, step_run, &st));
	assert_string_equal(record_text(fx.s.arena, st.old, "userPrincipalName"), "ann@example.org");
	assert_string_equal(record_text(fx.s.arena, st.old, "operatingSystem"), "Linux");
	assert_false(record_has(st.old, "isEncrypted"));
}

static void tenants_by_the_installation(void **state)
{
	struct step st = {.fn = load, .res = &RES_TENANT, .key = tenant_b};
	as_system();
	ok(db_read(&fx.s, step_run, &st));
	assert_string_equal(record_text(fx.s.arena, st.old, "displayName"), "B");
	as_tenant(tenant_a);
	assert_int_equal(db_read(&fx.s, step_run, &st), ERR_NOT_FOUND);
}

static void setters(void **state)
{
	struct record *r = record_new(fx.s.arena, &RES_DEVICE_CONFIGURATION);
	record_set_text(r, "payload", "{}");
	record_set_text(r, "@odata.type", "#x");
	record_set_int(r, "version", 7);
	record_set_id(r, fx.s.arena, "id", test_id(9, 9));
	record_set_null(r, "description");
	assert_string_equal(record_text(fx.s.arena, r, "payload"), "{}");
	assert_int_equal(record_int(r, "version"), 7);
	assert_true(id_equal(record_id(r, "id"), test_id(9, 9)));
	assert_null(record_text(fx.s.arena, r, "description"));
	assert_int_equal(record_int(r, "createdDateTime"), 0);
	struct id none = record_id(record_new(fx.s.arena, &RES_GROUP), "id");
	assert_true(id_is_nil(none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(creation), TEST(creation_is_checked), TEST(changes_are_checked), TEST(limits), TEST(insert_and_load),
		TEST(only_differences_are_written), TEST(no_difference_writes_nothing), TEST(an_update_touches_one_row),
		TEST(where_hides_and_any_row_shows), TEST(deletion_tells_every_value), TEST(computed_values_load),
		TEST(tenants_by_the_installation), TEST(setters)};
	return RUN(tests);
}
