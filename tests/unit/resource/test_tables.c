/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables against the live schema: every property of every resource can be selected, filtered and ordered as its
 * flags say, and what its flags promise of the column is true.
 */
#include <strings.h>

#include "fixture.h"
#include "map/datamap.h"
#include "resource/internal.h"

/* Percent-encodes a query's text. */
static const char *query(const char *option, const char *text)
{
	return arena_printf(fx.s.arena, "%s=%s", option, url_encode(fx.s.arena, text));
}

static const char *literal(const struct property *p)
{
	switch (p->type) {
	case PROP_ID: return "00000000-0000-0000-0000-000000000001";
	case PROP_BOOL: return "true";
	case PROP_INT: return "42";
	case PROP_TIME:
	case PROP_TIME_0: return "2026-11-22T08:00:00Z";
	case PROP_ENUM: return arena_printf(fx.s.arena, "'%.*s'", (int)strcspn(p->values, "|"), p->values);
	default: return "'x'";
	}
}

static const struct resource *const *all(size_t *n)
{
	return resource_all(n);
}

/* In beta, which has most properties; NULL: whichever. */
static enum api_version version_of(const struct property *p)
{
	return p != NULL && (p->flags & P_V1) ? API_V1 : API_BETA;
}

static enum err list_in(const struct resource *r, const struct property *p, const char *text)
{
	struct question a = {.q = {.res = r, .version = version_of(p)}};
	enum err e = ask(&a, text);
	if (e != OK)
		print_message("# %s?%s: %s: %s\n", r->name, text, err_name(e), scope_detail(&fx.s, e));
	return e;
}

static void check_names(const struct resource *r)
{
	for (size_t i = 0; i < r->prop_count; i++) {
		const struct property *p = &r->props[i];
		assert_true(strcspn(p->name, "\"\\ ,'&") == strlen(p->name));
		for (size_t j = 0; j < i; j++)
			if (strcasecmp(p->name, r->props[j].name) == 0)
				fail_msg("%s.%s stands twice", r->name, p->name);
		if (p->type == PROP_CONST) {
			json_t *j = json_loads(p->sql, JSON_DECODE_ANY, NULL);
			if (j == NULL)
				fail_msg("%s.%s is no JSON", r->name, p->name);
			json_decref(j);
		}
		if (p->type != PROP_CONST && p->sql != NULL && strstr(p->sql, "u.") != NULL) /* joined where it is used */
			assert_int_equal(strncmp(p->sql, "(u.", 3), 0);
		if (p->type == PROP_ENUM)
			assert_non_null(p->values);
		if ((p->flags & (P_CREATE | P_PATCH)) && p->type != PROP_CONST && !(p->flags & P_WRITE_ONLY))
			assert_true(property_is_column(p));
		if (p->flags & (P_FILTER | P_SORT))
			assert_non_null(p->sql);
	}
}

static void names_are_sound(void **state)
{
	size_t n;
	const struct resource *const *r = all(&n);
	assert_true(n >= 20);
	for (size_t i = 0; i < n; i++) {
		const struct property *keys[KEY_COLUMNS_MAX];
		check_names(r[i]);
		for (size_t k = property_keys(r[i], keys); k > 0; k--)
			if (!property_is_plain(keys[k - 1]) || property_is_nullable(keys[k - 1]))
				fail_msg("%s: %s cannot be a key", r[i]->name, keys[k - 1]->name);
		if (r[i]->order != NULL)
			assert_true(resource_property(r[i], r[i]->order, API_V1)->flags & P_SORT);
	}
}

/* Nullable columns of the schema; the engine's own catalogue says. */
static enum err nullable(struct scope *s, struct db_tx *tx, void *arg)
{
	const char **want = arg; /* table, column; then the answer */
	auto_rows struct db_rows *r = NULL;
	const char *sql = db_engine(s->db) == DB_SQLITE
		? "SELECT \"notnull\" + pk FROM pragma_table_info(?1) WHERE name = ?2"
		: "SELECT CASE WHEN is_nullable = 'NO' THEN 1 ELSE 0 END::bigint FROM information_schema.columns WHERE "
			"table_name = ?1 AND "
		  "column_name = ?2";
	TRY(db_query_text(tx, DB_REACH_GLOBAL, sql, DB_ARGS(db_v_text(want[0]), db_v_text(want[1])), &r));
	want[2] = !db_next(r) ? "missing" : db_int(r, 0) == 0 ? "nullable" : "not null";
	return db_rows_err(r);
}

static void check_column(const struct resource *r, const struct property *p)
{
	const char *q[3] = {r->table, p->sql, NULL};
	ok(db_read(&fx.s, nullable, q));
	if (strcmp(q[2], "missing") == 0 || map_column(r->table, p->sql) == NULL)
		fail_msg("%s.%s: there is no column %s.%s", r->name, p->name, r->table, p->sql);
	bool excluded = strstr(r->where, arena_printf(fx.s.arena, "%s IS NOT NULL", p->sql)) != NULL;
	if ((p->flags & P_NOT_NULL) && strcmp(q[2], "nullable") == 0 && !excluded)
		fail_msg("%s.%s may be NULL", r->name, p->name);
	if (!(p->flags & (P_NOT_NULL | P_DEFAULT)) && strcmp(q[2], "not null") == 0)
		fail_msg("%s.%s is never NULL: P_NOT_NULL lets an index serve its order", r->name, p->name);
}

static void columns_are_the_schemas(void **state)
{
	size_t n;
	const struct resource *const *r = all(&n);
	as_system();
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < r[i]->prop_count; k++)
			if (property_is_column(&r[i]->props[k]))
				check_column(r[i], &r[i]->props[k]);
}

static void every_property_selects(void **state)
{
	size_t n;
	const struct resource *const *r = all(&n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(list_in(r[i], NULL, ""), OK);
		assert_int_equal(try_list(r[i], ""), OK);
		for (size_t k = 0; k < r[i]->prop_count; k++) {
			const struct property *p = &r[i]->props[k];
			const char *top = arena_strndup(fx.s.arena, p->name, strcspn(p->name, "/"));
			bool may = !(p->flags & (P_HIDDEN | P_WRITE_ONLY | P_V1)) && p->name[0] != '@';
			struct question a = {.q = {.res = r[i], .version = API_BETA}};
			if (strcmp(top, p->name) != 0) /* the object is selected, not its member */
				continue;
			if (ask(&a, query("$select", top)) != (may ? OK : ERR_BAD_REQUEST))
				fail_msg("%s?$select=%s", r[i]->name, p->name);
		}
	}
}

static void try_operators(const struct resource *r, const struct property *p)
{
	static const char *const ordered[] = {"gt", "ge", "lt", "le"}, *const text[] = {"startswith", "endswith", "contains"};
	bool has_order = p->type == PROP_TEXT || p->type == PROP_INT || p->type == PROP_TIME || p->type == PROP_TIME_0;
	struct arena *a = fx.s.arena;
	const char *v = literal(p);
	bool good = list_in(r, p, query("$filter", arena_printf(a, "%s eq %s or %s ne %s", p->name, v, p->name, v))) == OK;
	good = good && list_in(r, p, query("$filter", arena_printf(a, "%s eq null or not (%s ne null)", p->name,
								p->name))) == OK;
	good = good && list_in(r, p, query("$filter", arena_printf(a, "%s in (%s, %s)", p->name, v, v))) == OK;
	for (size_t i = 0; i < 4 && has_order; i++)
		good = good && list_in(r, p, query("$filter", arena_printf(a, "%s %s %s", p->name, ordered[i], v))) == OK;
	for (size_t i = 0; i < 3 && p->type == PROP_TEXT; i++)
		good = good && list_in(r, p, query("$filter", arena_printf(a, "%s(%s, 'a%%_!''b')", text[i], p->name))) == OK;
	if (!good)
		fail_msg("%s.%s cannot be filtered", r->name, p->name);
}

static void every_filterable_property_filters(void **state)
{
	size_t n, tried = 0;
	const struct resource *const *r = all(&n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < r[i]->prop_count; k++) {
			const struct property *p = &r[i]->props[k];
			if (p->flags & P_FILTER) {
				try_operators(r[i], p);
				tried++;
			} else if (!(p->flags & P_WRITE_ONLY)) {
				struct question a = {.q = {.res = r[i], .version = version_of(p)}};
				assert_int_equal(ask(&a, query("$filter", arena_printf(fx.s.arena, "%s eq null", p->name))), ERR_BAD_REQUEST);
			}
		}
	assert_true(tried > 120);
}

/* A page after a place too, with and without a value in it. */
static void try_order(const struct resource *r, const struct property *p, bool descending, bool null)
{
	struct question a = {.q = {.res = r, .version = version_of(p)}};
	struct sql where;
	struct order o;
	struct place at = {.count = 7};
	char *token;
	const char *text = query("$orderby", arena_printf(fx.s.arena, "%s %s", p->name, descending ? "desc" : "asc"));
	ok(odata_parse(&fx.s, text, &a.q.odata));
	ok(order_plan(&fx.s, &a.q, &o));
	sql_begin(&where, fx.s.arena, resource_reach(&fx.s, r) == DB_REACH_TENANT ? 2 : 1);
	sql_where(&where, &fx.s, &a.q, false);
	for (size_t i = 0; i < o.n; i++) {
		static const struct id one = {{1}};
		enum db_type t = property_db_type(o.t[i].p);
		at.v[i] = t == DB_INT ? db_v_int(5) : t == DB_TEXT ? db_v_text("x") : db_v_id(&one);
		if (null && o.t[i].nullable)
			at.v[i] = db_v_null();
	}
	ok(token_write(&fx.s, token_hash(&fx.s, &a.q, &o, &where), &o, &at, &token));
	if (list_in(r, p, text) != OK || list_in(r, p, arena_printf(fx.s.arena, "%s&$skiptoken=%s", text, token)) != OK)
		fail_msg("%s.%s cannot be ordered", r->name, p->name);
}

static void every_sortable_property_sorts(void **state)
{
	size_t n, tried = 0;
	const struct resource *const *r = all(&n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < r[i]->prop_count; k++) {
			const struct property *p = &r[i]->props[k];
			if (p->flags & P_SORT) {
				for (int way = 0; way < 4; way++)
					try_order(r[i], p, way & 1, way & 2);
				tried++;
			} else if (!(p->flags & P_WRITE_ONLY)) {
				struct question a = {.q = {.res = r[i], .version = version_of(p)}};
				assert_int_equal(ask(&a, query("$orderby", p->name)), ERR_BAD_REQUEST);
			}
		}
	assert_true(tried > 90);
}

/* What Graph's v1.0 says of managedDevice, so that a property that goes missing is noticed. */
static void managed_device_is_complete(void **state)
{
	static const char *const names[] = {
		"activationLockBypassCode", "androidSecurityPatchLevel", "azureADDeviceId", "deviceCategoryDisplayName", "deviceName",
		"easDeviceId", "emailAddress", "enrollmentProfileName", "ethernetMacAddress", "iccid", "imei", "jailBroken",
		"managedDeviceName", "manufacturer", "meid", "model", "notes", "operatingSystem", "osVersion", "phoneNumber",
		"remoteAssistanceSessionErrorDetails", "remoteAssistanceSessionUrl", "serialNumber", "subscriberCarrier", "udid",
		"userDisplayName", "userId", "userPrincipalName", "wiFiMacAddress",
		"azureADRegistered", "easActivated", "isEncrypted",
		"isSupervised", "requireUserEnrollmentApproval", "freeStorageSpaceInBytes", "physicalMemoryInBytes",
		"totalStorageSpaceInBytes", "complianceGracePeriodExpirationDateTime", "easActivationDateTime", "enrolledDateTime",
		"exchangeLastSuccessfulSyncDateTime", "lastSyncDateTime", "managementCertificateExpirationDate", "complianceState",
		"deviceEnrollmentType", "deviceRegistrationState", "exchangeAccessState", "exchangeAccessStateReason",
		"managedDeviceOwnerType", "managementAgent", "managementState", "partnerReportedThreatState",
		"configurationManagerClientEnabledFeatures", "deviceHealthAttestationState", "id"};
	add_device(1, 0, "one", NULL);
	json_t *row = json_array_get(list(&RES_MANAGED_DEVICE, ""), 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (json_object_get(row, names[i]) == NULL)
			fail_msg("managedDevice.%s is missing", names[i]);
	assert_int_equal(json_object_size(row), sizeof names / sizeof names[0]);
	assert_null(resource_property(&RES_MANAGED_DEVICE, "hardwareInformation", API_V1));
	assert_non_null(resource_property(&RES_MANAGED_DEVICE, "hardwareInformation", API_BETA));
}

static void only_tenants_are_global(void **state)
{
	size_t n;
	const struct resource *const *r = all(&n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(r[i]->global, r[i] == &RES_TENANT);
}

/* Entra's words for each change, once, and such as SQL can hold. */
static void every_change_of_the_directory_has_its_words(void **state)
{
	static const char *const words[][2] = {
#define DIRECTORY_ACTIVITY(type, name, category, operation) {type, name},
#include "audit/directory_activities.def"
#undef DIRECTORY_ACTIVITY
	};
	enum { WORDS = sizeof words / sizeof words[0] };
	size_t found = 0;
	for (int a = ACT_NONE + 1; a < ACT_COUNT; a++) {
		const struct activity_info *info = activity_info((enum activity)a);
		if (strcmp(info->component, "Directory") != 0 || strcmp(info->operation, "Get") == 0)
			continue;
		size_t i = 0;
		while (i < WORDS && strcmp(words[i][0], info->type) != 0)
			i++;
		if (i == WORDS)
			fail_msg("directory_activities.def has no '%s'", info->type);
		found++;
	}
	assert_int_equal(found, WORDS);
	for (size_t i = 0; i < WORDS; i++) {
		assert_null(strpbrk(words[i][1], "'?|"));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(words[i][1], words[j][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_sound), TEST(columns_are_the_schemas), TEST(every_property_selects),
		TEST(every_filterable_property_filters), TEST(every_sortable_property_sorts), TEST(managed_device_is_complete),
		cmocka_unit_test(every_change_of_the_directory_has_its_words), cmocka_unit_test(only_tenants_are_global)};
	return RUN(tests);
}
