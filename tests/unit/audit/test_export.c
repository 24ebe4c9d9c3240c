/* SPDX-License-Identifier: Apache-2.0
 * Exports of the audit log: limits, what is in the file, crashes, other tenants, and the end. */
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "audit/out/export.h"
#include "crypto/digest.h"

static struct audit_export_job JOB;

static enum err filter(struct scope *s, const char *text, unsigned first, const char **ret_sql, const struct db_value **ret_args, size_t *ret_n)
{
	struct resource_condition c;
	TRY(resource_condition(s, &RES_AUDIT_EVENT, API_V1, text, first, &c));
	*ret_sql = c.sql;
	*ret_args = c.args;
	*ret_n = c.arg_count;
	return OK;
}

static int up_job(void **state)
{
	assert_int_equal(up(state), 0);
	F.operator_.keeper = K;
	JOB = (struct audit_export_job){.data_dir = F.dir, .host = HOST, .filter = filter};
	return 0;
}

static enum err record_n_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	for (int i = 0; i < *(int *)arg; i++)
		TRY(audit_record(tx, &(struct audit_event){.activity = i % 10 == 0 ? ACT_USER_CREATE : ACT_GROUP_CREATE, .resource_type = "Group",
							   .resource = scope_id(s), .resource_name = "=1+1"}));
	return OK;
}

static void record_n(struct scope *s, int n)
{
	ok(db_write(s, record_n_tx, &n));
}

static void run(void)
{
	bool more = true;
	for (; more; sequence()) {
		sequence();
		ok(audit_export_run_pending(&F.system, &JOB, &more));
	}
}

static struct id ask_for(struct scope *s, const char *format, const char *text, int64_t from, int64_t until)
{
	struct id id;
	ok(audit_export_request(s, &(struct audit_export_request){.format = format, .filter = text, .from = from, .until = until}, &id));
	return id;
}

static int64_t column(struct scope *s, struct id export, const char *sql)
{
	return ask(s, arena_printf(F.arena, "SELECT %s FROM audit_exports WHERE tenant_id = ?1 AND export_id = ?2", sql), db_v_id(&export), db_v_null());
}

static bool is(struct scope *s, struct id export, const char *status)
{
	return column(s, export, arena_printf(F.arena, "status = '%s'", status)) == 1;
}

static void download(struct scope *s, struct id export, struct buf *out)
{
	struct audit_export_file f;
	size_t n = 1;
	const void *p;
	buf_init(out, 64 * MIB);
	ok(audit_export_open(s, F.dir, export, &f));
	while (n > 0) {
		assert_true(audit_export_read(f.stream, &p, &n));
		buf_add(out, p, n);
	}
	audit_export_close(f.stream);
	assert_int_equal(out->len, f.bytes);
	assert_int_equal(out->len, column(s, export, "size_bytes"));
	uint8_t sum[SHA256_BYTES];
	sha256(out->data, out->len, sum);
	assert_int_equal(ask(s, "SELECT count(*) FROM audit_exports WHERE tenant_id = ?1 AND export_id = ?2 AND sha256 = ?3", db_v_id(&export),
			     db_v_blob(sum, sizeof sum)), 1);
}

static size_t lines(const struct buf *b)
{
	size_t n = 0;
	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

static bool has_file(struct id export, const char *ending)
{
	char text[ID_TEXT];
	return access(arena_printf(F.arena, "%s/exports/%s.%s", F.dir, id_format(export, text), ending), F_OK) == 0;
}

/* ---- tests ---- */

static void ndjson_is_the_stored_bytes_in_order(void **state)
{
	auto_buf out;
	record_n(&F.a, 1000);
	int64_t before = all_events(&F.a);
	struct id x = ask_for(&F.a, "NDJSON", NULL, 0, INT64_MAX);
	run();
	assert_true(is(&F.a, x, "completed"));
	download(&F.a, x, &out);
	assert_int_equal(lines(&out), before + 1); /* and the request itself */
	assert_int_equal(column(&F.a, x, "events"), before + 1);
	uint64_t index = 0;
	for (char *line = out.data, *end; line < out.data + out.len; line = end + 1, index++) {
		end = memchr(line, '\n', (size_t)(out.data + out.len - line));
		assert_int_equal(ask(&F.a, "SELECT count(*) FROM audit_leaves l JOIN audit_events e ON e.tenant_id = l.tenant_id AND e.event_id = l.event_id "
					   "WHERE l.tenant_id = ?1 AND l.leaf_index = ?2 AND e.bytes = ?3",
				     db_v_int((int64_t)index), db_v_blob(line, (size_t)(end - line))), 1);
	}
	assert_int_equal(events(&F.a, "export AuditLog"), 1);
	assert_int_equal(events(&F.a, "complete AuditExport"), 1);
	assert_int_equal(events(&F.a, "download AuditExport"), 1);
	assert_false(has_file(x, "part"));
	struct stat st;
	char text[ID_TEXT];
	const char *path = arena_printf(F.arena, "%s/exports/%s.sealed", F.dir, id_format(x, text));
	assert_true(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	assert_int_not_equal(system(arena_printf(F.arena, "grep -q createdDateTime %s || grep -q Group %s", path, path)), 0); /* encrypted */
}

static void filter_and_period(void **state)
{
	auto_buf csv, some, none, all;
	struct scope later = F.a;
	later.now += HOUR_US;
	record_n(&later, 50);
	sequence();
	int64_t users = events(&F.a, "create User");
	struct id a = ask_for(&F.a, "csv", "activityType eq 'create User' and activityResult eq 'Success'", 0, INT64_MAX);
	struct id b = ask_for(&F.a, "ndjson", "activityType eq 'create User'", later.now, later.now + 1);
	struct id c = ask_for(&F.a, "ocsf", NULL, later.now + 1, later.now + 2), d = ask_for(&F.a, "ndjson", NULL, later.now, later.now + 1);
	run();
	download(&F.a, d, &all);
	assert_int_equal(lines(&all), 50);
	download(&F.a, a, &csv);
	assert_int_equal(lines(&csv), users + 1);
	assert_int_equal(strncmp(csv.data, "Index,ID,", 9), 0);
	assert_non_null(memmem(csv.data, csv.len, ",'=1+1,", 7));
	download(&F.a, b, &some);
	assert_int_equal(lines(&some), 5);
	download(&F.a, c, &none);
	assert_int_equal(none.len, 0);
	assert_int_equal(column(&F.a, c, "events"), 0);
}

static enum err record_large_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct audit_change change = {.name = "large", .new_value = arg};
	return audit_record(tx, &(struct audit_event){.activity = ACT_GROUP_UPDATE, .resource_type = "Group", .resource = scope_id(s), .changes = &change});
}

/* A page ends where its text is large enough; the next goes on behind it. */
static void large_events_fill_several_pages(void **state)
{
	auto_buf out;
	struct scope day = F.a;
	day.now += DAY_US;
	char *large = arena_alloc(F.arena, 400 * KIB);
	memset(large, 'x', 400 * KIB - 1);
	for (int i = 0; i < 30; i++)
		ok(db_write(&day, record_large_tx, large));
	sequence();
	struct id x = ask_for(&F.a, "ndjson", NULL, day.now, INT64_MAX);
	run();
	download(&F.a, x, &out);
	assert_int_equal(lines(&out), 30);
	assert_true(out.len > 30 * 399 * KIB);
}

static void requests_are_checked(void **state)
{
	struct id id;
	struct scope *s = &F.b;
	refused(audit_export_request(s, &(struct audit_export_request){.format = "xml", .until = INT64_MAX}, &id), ERR_BAD_REQUEST);
	refused(audit_export_request(s, &(struct audit_export_request){.format = "csv", .from = 5, .until = 5}, &id), ERR_BAD_REQUEST);
	refused(audit_export_request(s, &(struct audit_export_request){.format = "archive", .filter = "x", .until = INT64_MAX}, &id), ERR_BAD_REQUEST);
	fresh(s);
	for (int i = 0; i < AUDIT_EXPORTS_RUNNING; i++)
		ask_for(s, "csv", NULL, 0, INT64_MAX);
	refused(audit_export_request(s, &(struct audit_export_request){.format = "csv", .until = INT64_MAX}, &id), ERR_TOO_MANY);
	fresh(s);
	ask_for(&F.a, "csv", NULL, 0, INT64_MAX); /* another tenant's are its own */
	run();
	ask_for(s, "csv", NULL, 0, INT64_MAX);
	run();
}

static void other_tenants_have_no_part_in_it(void **state)
{
	auto_buf out;
	struct audit_export_file f;
	char text[ID_TEXT];
	struct id x = ask_for(&F.b, "ndjson", NULL, 0, INT64_MAX);
	run();
	refused(audit_export_open(&F.a, F.dir, x, &f), ERR_NOT_FOUND);
	fresh(&F.a);
	download(&F.b, x, &out);
	assert_null(memmem(out.data, out.len, id_format(F.a.tenant, text), 36));
	/* a file put in the place of another does not open */
	struct id y = ask_for(&F.a, "ndjson", NULL, 0, INT64_MAX);
	run();
	char other[ID_TEXT];
	assert_int_equal(system(arena_printf(F.arena, "cp %s/exports/%s.sealed %s/exports/%s.sealed", F.dir, id_format(x, text), F.dir, id_format(y, other))), 0);
	size_t n;
	const void *p;
	enum err e = audit_export_open(&F.a, F.dir, y, &f);
	assert_true(e != OK || !audit_export_read(f.stream, &p, &n));
	if (e == OK)
		audit_export_close(f.stream);
	fresh(&F.a);
}

static enum err sql_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_TENANT, arg, DB_NOARGS, NULL);
}

static void what_a_crash_left_is_made_again(void **state)
{
	auto_buf out;
	struct id x = ask_for(&F.a, "csv", NULL, 0, INT64_MAX);
	char text[ID_TEXT];
	ok(db_write(&F.a, sql_tx, (void *)"UPDATE audit_exports SET status = 'inProgress' WHERE tenant_id = ?1 AND status = 'notStarted'"));
	const char *half = arena_printf(F.arena, "%s/exports/%s.sealed.new", F.dir, id_format(x, text));
	int fd = open(half, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0 && write(fd, "half", 4) == 4 && close(fd) == 0);
	run();
	assert_true(is(&F.a, x, "completed"));
	assert_false(has_file(x, "sealed.new"));
	download(&F.a, x, &out);
	assert_true(out.len > 1000);
	/* a server that stops leaves it for the next start */
	_Atomic bool stop = true;
	bool more;
	struct audit_export_job job = JOB;
	struct id y = ask_for(&F.a, "ndjson", NULL, 0, INT64_MAX);
	sequence();
	job.stop = &stop;
	ok(audit_export_run_pending(&F.system, &job, &more));
	assert_true(is(&F.a, y, "inProgress") && !more && !has_file(y, "sealed"));
	run();
	assert_true(is(&F.a, y, "completed"));
}

static void failures_are_told(void **state)
{
	struct audit_export_file f;
	struct id x = ask_for(&F.a, "ndjson", "nothing eq 1", 0, INT64_MAX); /* the API would not have let it through */
	struct id y = ask_for(&F.a, "archive", NULL, 0, INT64_MAX);
	run();
	assert_true(is(&F.a, x, "failed"));
	assert_true(is(&F.a, y, "completed")); /* it holds up no other */
	assert_true(event_says(&F.a, "complete AuditExport", "'nothing'") || event_says(&F.a, "complete AuditExport", "Failure"));
	refused(audit_export_open(&F.a, F.dir, x, &f), ERR_CONFLICT);
	fresh(&F.a);
}

static void files_end(void **state)
{
	struct audit_export_file f;
	bool more;
	struct id x = ask_for(&F.a, "archive", NULL, 0, INT64_MAX), done;
	run();
	assert_true(has_file(x, "sealed"));
	assert_false(has_file(x, "part"));
	struct scope day6 = F.system, day8 = F.system, late = F.a;
	day6.now += 6 * DAY_US;
	late.now += 8 * DAY_US;
	day8.now = late.now;
	ok(audit_export_expire_due(&day6, F.dir, &more));
	assert_true(has_file(x, "sealed"));
	refused(audit_export_open(&late, F.dir, x, &f), ERR_GONE); /* also before the job has come */
	int64_t before = events(&F.a, "expire AuditExport");
	ok(audit_export_expire_due(&day8, F.dir, &more));
	assert_false(has_file(x, "sealed"));
	int64_t after = events(&F.a, "expire AuditExport");
	assert_true(after > before);
	ok(audit_export_expire_due(&day8, F.dir, &more));
	assert_int_equal(events(&F.a, "expire AuditExport"), after); /* once */
	assert_int_equal(column(&F.a, x, "size_bytes IS NULL AND sha256 IS NULL AND status = 'completed'"), 1);
	/* a tenant that goes */
	done = ask_for(&F.b, "csv", NULL, 0, INT64_MAX);
	run();
	assert_true(has_file(done, "sealed"));
	ok(audit_export_forget_files(&F.b, F.dir));
	assert_false(has_file(done, "sealed"));
}

/* The purge of a tenant leaves a plain zip to the operator: here as it registers it. */
static void archives_of_purged_tenants(void **state)
{
	auto_buf out;
	struct audit_export_file f;
	bool more;
	struct id x = {{7}};
	char hex[33], tenant[33], text[ID_TEXT];
	hex_encode(x.b, 16, hex);
	hex_encode(F.b.tenant.b, 16, tenant);
	ok(db_write(&F.operator_, sql_tx, arena_printf(F.arena, "INSERT INTO audit_exports (tenant_id, export_id, format, of_tenant, status, created_at, "
		    "completed_at, expires_at, events, size_bytes, sha256) VALUES (?1, x'%s', 'archive', x'%s', 'completed', %lld, %lld, %lld, 1, 5, "
		    "x'2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824')", hex, tenant, (long long)F.system.now, (long long)F.system.now,
		    (long long)(F.system.now + DAY_US))));
	char day[TIME_TEXT];
	const char *path = arena_printf(F.arena, "%s/archives/%s-%.10s.zip", F.dir, id_format(F.b.tenant, text), time_format(F.system.now, day));
	assert_int_equal(system(arena_printf(F.arena, "mkdir -p %s/archives && printf hello > %s", F.dir, path)), 0);
	refused(audit_export_open(&F.b, F.dir, x, &f), ERR_NOT_FOUND);
	fresh(&F.b);
	download(&F.operator_, x, &out);
	assert_memory_equal(out.data, "hello", 5);
	assert_int_equal(events(&F.operator_, "download AuditExport"), 1);
	struct scope after = F.system;
	after.now += 2 * DAY_US;
	ok(audit_export_expire_due(&after, F.dir, &more));
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(events(&F.operator_, "expire AuditExport"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ndjson_is_the_stored_bytes_in_order), cmocka_unit_test(filter_and_period),
		cmocka_unit_test(large_events_fill_several_pages),    cmocka_unit_test(requests_are_checked),
		cmocka_unit_test(other_tenants_have_no_part_in_it),
		cmocka_unit_test(what_a_crash_left_is_made_again),     cmocka_unit_test(failures_are_told),
		cmocka_unit_test(archives_of_purged_tenants),	       cmocka_unit_test(files_end),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, up_job, down);
}
