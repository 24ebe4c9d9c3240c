/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports: every documented column is there, every column reads and filters on the engine, values are those of the rows, pages join without gap,
 * and what cannot be asked for is refused.
 */
#include "fixture.h"

#include "devices/reports/plan.h"

#define COLUMNS_FILE VECTORS "/intune-reports.txt"

/* ---- the tables ---- */

static unsigned flags_of(const char *marks)
{
	return (strchr(marks, '*') != NULL ? R_FILTER : 0u) | (strchr(marks, '!') != NULL ? R_ASKED : 0u);
}

static void every_documented_column_is_there(void **state)
{
	char line[256];
	size_t seen = 0, all = 0, n;
	const struct report *reports = report_all(&n);
	FILE *f = fopen(COLUMNS_FILE, "re");
	assert_non_null(f);
	while (fgets(line, sizeof line, f) != NULL) {
		char *header = line;
		const char *report = strsep(&header, " \n"), *column = strsep(&header, " \n");
		const struct report *r = report_find(report);
		if (r == NULL)
			fail_msg("no report %s", report);
		unsigned flags = flags_of(column);
		char *name = arena_strndup(F.d.arena, column, strcspn(column, "*!"));
		const struct report_column *c = report_column(r, name, false);
		if (c == NULL)
			fail_msg("no column %s of %s", name, report);
		if (strcmp(c->name, name) != 0 || (c->flags & (R_FILTER | R_ASKED)) != flags)
			fail_msg("%s %s: name or marks differ", report, name);
		header[strcspn(header, "\n")] = '\0';
		assert_string_equal(c->header == NULL ? c->name : c->header, *header == '\0' ? name : header);
		seen++;
	}
	fclose(f);
	for (size_t i = 0; i < n; i++)
		all += reports[i].n;
	assert_int_equal(seen, all); /* and no other */
}

/* ---- making them ---- */

struct run {
	struct report_plan *plan;
	struct buf out;
};

static enum err page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct run *r = arg;
	return report_plan_page(r->plan, tx, &r->out);
}

/* The whole of it, in the arena. */
static char *text_of(struct scope *s, const char *report, struct report_asked q)
{
	struct run r = {0};
	buf_init(&r.out, 16 * MIB);
	ok_in(s, report_plan_make(s, report_find(report), &q, &r.plan));
	report_plan_head(r.plan, &r.out);
	do
		ok_in(s, db_read(s, page_tx, &r));
	while (report_plan_advance(r.plan));
	report_plan_tail(r.plan, &r.out);
	char *text = arena_strndup(s->arena, r.out.data, r.out.len);
	buf_release(&r.out);
	return text;
}

static size_t lines_of(const char *text)
{
	size_t n = 0;
	while ((text = strstr(text, "\r\n")) != NULL) {
		text += 2;
		n++;
	}
	return n;
}

static const char *any_filter(const struct report *r, const struct report_column *c)
{
	static char text[256];
	const char *v = c->type == REPORT_CODE ? "1" : c->type == REPORT_TIME ? "2026-01-01" : c->type == REPORT_INT ? "0"
		      : c->type == REPORT_APP ? "YR8x" : c->type == REPORT_ID ? "01890a5d-ac96-774b-bcce-b302099a8057" : "x'' or 1";
	bool code = c->type == REPORT_CODE && strstr(c->words, "=1=") == NULL;
	const char *also = r->required != NULL && strcmp(r->required, c->name) != 0 ? " and DeviceId eq '01890a5d-ac96-774b-bcce-b302099a8057'" : "";
	snprintf(text, sizeof text, "(%s eq '%s')%s", c->name, code ? "unknown" : v, also);
	return text;
}

static const char *required_filter(const struct report *r)
{
	return r->required == NULL ? NULL : any_filter(r, report_column(r, r->required, false));
}

/* All columns at once, in both formats; each column alone; each filter. */
static void every_column_reads_and_filters(void **state)
{
	size_t n;
	const struct report *r = report_all(&n);
	for (size_t i = 0; i < n; i++) {
		const char **names = arena_alloc(F.d.arena, (r[i].n + 1) * sizeof *names);
		for (size_t c = 0; c < r[i].n; c++) {
			const struct report_column *column = &r[i].columns[c];
			names[c] = column->name;
			const char *const one[] = {column->name, NULL};
			text_of(&F.admin, r[i].name, (struct report_asked){.select = one, .filter = required_filter(&r[i]), .replace = true});
			if (column->flags & R_FILTER)
				text_of(&F.admin, r[i].name, (struct report_asked){.select = one, .filter = any_filter(&r[i], column)});
		}
		char *csv = text_of(&F.admin, r[i].name, (struct report_asked){.select = names, .filter = required_filter(&r[i])});
		char *json = text_of(&F.admin, r[i].name, (struct report_asked){.select = names, .filter = required_filter(&r[i]), .format = REPORT_JSON});
		json_t *parsed = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(parsed);
		assert_int_equal(json_array_size(json_object_get(parsed, "values")), lines_of(csv) - 1);
		json_decref(parsed);
	}
}

/* ---- values ---- */

static enum err devices_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const char *sql = "INSERT INTO managed_devices (tenant_id, device_id, directory_device_id, user_id, owner_type, platform, provisioning, "
			  "device_name, managed_device_name, architecture, total_storage_bytes, is_encrypted, compliance_state, management_state, "
			  "enrolled_at, last_sync_at, certificate_expires_at) VALUES (?1, ?2, ?2, ?3, ?4, 'linux', 1, ?5, 'm', 'aarch64', "
			  "10737418240, 1, 'noncompliant', 'retirePending', 1795335330000000, 1795335330120000, 0)";
	for (int i = 0; i < *(int *)arg; i++) {
		struct id id = scope_id(s);
		bool personal = i % 2 != 0;
		const char *name = i == 0 ? "=cmd|'/c'!A1" : i == 1 ? "a \"b\", <i>\xe2\x80\xae\n" : arena_printf(s->arena, "device %d", i);
		TRY(db_exec_text(tx, DB_REACH_TENANT, sql,
				 DB_ARGS(db_v_id(&id), db_v_id(&F.user), db_v_text(personal ? "personal" : "company"), db_v_text(name)), NULL));
		TRY(db_exec_text(tx, DB_REACH_TENANT, "INSERT INTO detected_apps (tenant_id, device_id, name, version) VALUES (?1, ?2, 'vim', '9.0')",
				 DB_ARGS(db_v_id(&id)), NULL));
	}
	return OK;
}

static int with_devices(void **state)
{
	int n = 5;
	if (fixture_up(state) != 0)
		return -1;
	ok(db_write(&F.admin, devices_tx, &n));
	return 0;
}

static void values_are_the_rows_in_intunes_words(void **state)
{
	static const char *const select[] = {"devicename", "OS", "Ownership", "OwnerType", "ComplianceState", "ManagementState", "CreatedDate",
					     "LastContact", "StorageTotal", "EncryptionStatus", "EasID", "InGracePeriodUntil", "UPN", "managementAgent", NULL};
	char *csv = text_of(&F.admin, "Devices", (struct report_asked){.select = select, .filter = "(OwnerType eq '1') and startswith(JailBroken,'unk')"});
	const char *end = strstr(csv, "\r\n");
	assert_int_equal(strncmp(csv, "DeviceName,OS,Ownership,OwnerType,CompliantState,ManagementState,CreatedDate,LastContact,StorageTotal,EncryptionStatus,"
				      "EasID,InGracePeriodUntil,UPN,ManagedBy\r\n", (size_t)(end + 2 - csv)), 0);
	static const char row[] = "'=cmd|'/c'!A1,Linux,Corporate,1,Noncompliant,Retire pending,2026-11-22 08:15:30.0000000,2026-11-22 08:15:30.1200000,"
				  "10240,True,,9999-12-31 23:59:59.0000000,Ada@example.org,Intune\r\n";
	if (strncmp(end + 2, row, sizeof row - 1) != 0)
		fail_msg("%s", end + 2);
	assert_int_equal(lines_of(csv), 4); /* the header and three company devices */
	static const char *const names[] = {"DeviceName", "OwnerType", "LastContact", NULL};
	char *json = text_of(&F.admin, "DeviceNonCompliance", (struct report_asked){.select = names, .filter = "OwnerType eq 2", .format = REPORT_JSON});
	assert_non_null(strstr(json, "{\"values\":[{\"DeviceName\":\"a \\\"b\\\", <i>\xe2\x80\xae\\n\",\"OwnerType\":\"2\",\"OwnerType_loc\":\"Personal\","
				     "\"LastContact\":\"2026-11-22T08:15:30.120000Z\"},"));
	json = text_of(&F.admin, "DeviceCompliance", (struct report_asked){.select = names, .replace = true, .format = REPORT_JSON});
	assert_non_null(strstr(json, "\"OwnerType\":\"Corporate\",\"LastContact\""));
	assert_int_equal(lines_of(text_of(&F.admin, "DevicesWithoutCompliancePolicy", (struct report_asked){0})), 1);
	assert_int_equal(lines_of(text_of(&F.other_admin, "Devices", (struct report_asked){0})), 1); /* another tenant */
	assert_int_equal(lines_of(text_of(&F.admin, "Devices", (struct report_asked){.filter = "(LastContact gt '2026-11-22T08:15:30Z')"})), 6);
	assert_int_equal(lines_of(text_of(&F.admin, "Devices", (struct report_asked){.filter = "LastContact gt 2026-11-22T08:15:31Z"})), 1);
}

/* Of software only what company devices have; the key that a report carries finds it again. */
static void software_of_personal_devices_is_not_reported(void **state)
{
	static const char *const select[] = {"ApplicationKey", NULL};
	char *raw = text_of(&F.admin, "AppInvRawData", (struct report_asked){.select = select, .filter = "(ApplicationName eq 'vim') and (Platform eq 'Linux')"});
	assert_int_equal(lines_of(raw), 4);
	const char *key = strstr(raw, "\r\n") + 2;
	const char *filter = arena_printf(F.d.arena, "(ApplicationKey eq '%.*s')", (int)strcspn(key, "\r"), key);
	assert_int_equal(lines_of(text_of(&F.admin, "DevicesByAppInv", (struct report_asked){.filter = filter})), 4);
}

static void pages_join_without_gap(void **state)
{
	int n = 2 * REPORT_PAGE + 3;
	static const char *const select[] = {"DeviceId", NULL};
	ok(db_write(&F.admin, devices_tx, &n));
	char *csv = text_of(&F.admin, "Devices", (struct report_asked){.select = select});
	assert_int_equal(lines_of(csv), n + 5 + 1);
	char last[ID_TEXT] = "";
	for (char *line = strstr(csv, "\r\n") + 2; *line != '\0'; line += ID_TEXT + 1) {
		assert_true(strncmp(last, line, ID_TEXT - 1) < 0);
		memcpy(last, line, ID_TEXT - 1);
	}
	assert_int_equal(lines_of(text_of(&F.admin, "AppInvRawData", (struct report_asked){0})), (n + 1) / 2 + 3 + 1);
	json_t *parsed = json_loads(text_of(&F.admin, "Devices", (struct report_asked){.select = select, .format = REPORT_JSON}), 0, NULL);
	assert_int_equal(json_array_size(json_object_get(parsed, "values")), n + 5);
	json_decref(parsed);
}

static void what_cannot_be_asked_is_refused(void **state)
{
	static const struct {
		const char *report, *filter;
	} bad[] = {
		{"Devices", "(Nothing eq '1')"}, {"Devices", "(DeviceName eq 'x')"}, {"Devices", "(ComplianceState eq '1')"}, /* an alias is none */
		{"Devices", "(OwnerType eq '9')"}, {"Devices", "(OwnerType gt '1')"}, {"Devices", "contains(OwnerType,'1')"},
		{"Devices", "OwnerType"}, {"Devices", "(OwnerType eq '1'"}, {"Devices", "CreatedDate gt 'soon'"},
		{"DevicesWithInventory", "PartnerFeaturesBitmask eq 'x'"}, {"AppInvByDevice", NULL}, {"AppInvByDevice", " "},
		{"AppInvByDevice", "DeviceId ne '01890a5d-ac96-774b-bcce-b302099a8057'"},
		{"AppInvByDevice", "not (DeviceId eq '01890a5d-ac96-774b-bcce-b302099a8057')"},
		{"AppInvByDevice", "DeviceId eq 'x'"}, {"DevicesByAppInv", "ApplicationKey eq 'x!'"}, {"DevicesByAppInv", "ApplicationKey eq 'eA'"},
		{"DevicesByAppInv", "ApplicationKey in ('YR8x')"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct report_plan *plan;
		struct scope s = scope_of(F.tenant);
		enum err e = report_plan_make(&s, report_find(bad[i].report), &(struct report_asked){.filter = bad[i].filter}, &plan);
		if (e != ERR_BAD_REQUEST || s.detail == NULL)
			fail_msg("%s %s: %s", bad[i].report, bad[i].filter, err_name(e));
	}
	static const char *const unknown[] = {"DeviceName", "Nothing", NULL};
	struct report_plan *plan;
	refused(report_plan_make(&F.admin, report_find("devices"), &(struct report_asked){.select = unknown}, &plan), ERR_BAD_REQUEST);
	assert_null(report_find("Device"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, with_devices, fixture_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_documented_column_is_there),
		TEST(every_column_reads_and_filters),
		TEST(values_are_the_rows_in_intunes_words),
		TEST(software_of_personal_devices_is_not_reported),
		TEST(pages_join_without_gap),
		TEST(what_cannot_be_asked_is_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
