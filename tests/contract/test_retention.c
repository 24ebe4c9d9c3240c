/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention of the audit log on both databases: expired events go with their places and their bytes, each removal and its record are one
 * transaction, the tree stays, and the server's own role has no other way to an event.  Events are recorded in the past, so that the
 * database's own clock lets them go.
 */
#include "db_fixture.h"

#include "audit/audit.h"
#include "audit/log/log.h"
#include "audit/audit_retention.h"
#include "base/clock.h"
#include "codec/json.h"
#include "directory/installation.h"
#include "directory/tenant.h"
#include "keeper/keeper.h"

#define HOST "reeve.example"
#define MARK "RETENTIONMARK"

static struct place {
	struct db_fixture d;
	struct keeper *keeper;
	char dir[64];
	struct id tenant;
	struct scope system, old, now; /* the tenant 400 days ago, and today */
} F;

#define OKAY(s, call)                                                               \
	do {                                                                        \
		enum err e_ = (call);                                               \
		if (e_ != OK)                                                       \
			fail_msg("%s: %s", err_name(e_), scope_detail((s), e_));    \
	} while (0)

/* ---- the place ---- */

static char *psql(const char *url, const char *sql) /* the first value, malloc'd; NULL where it is refused */
{
	PGconn *c = PQconnectdb(url);
	PGresult *res = PQexec(c, sql);
	ExecStatusType status = PQresultStatus(res);
	char *ret = status == PGRES_TUPLES_OK && PQntuples(res) > 0 ? strdup(PQgetvalue(res, 0, 0)) : status == PGRES_COMMAND_OK ? strdup("") : NULL;
	PQclear(res);
	PQfinish(c);
	return ret;
}

/* SQLSTATE of what the server's own role does, in a session that sees every tenant. */
static const char *state_of(const char *sql)
{
	static char state[8];
	PGconn *c = PQconnectdb(F.d.app_url);
	PQclear(PQexec(c, "SET reeve.tenant = '*'"));
	PGresult *res = PQexec(c, sql);
	const char *found = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	snprintf(state, sizeof state, "%s", found == NULL ? "00000" : found);
	PQclear(res);
	PQfinish(c);
	return state;
}

static void owner_does(const char *sql)
{
	char *ret = psql(F.d.owner_url, sql);
	assert_non_null(ret);
	free(ret);
}

static void reopen_with_owner(void)
{
	char *why = NULL;
	db_close(F.d.db);
	fixture_ok(db_open(&(struct db_options){.url = F.d.app_url, .owner_url = F.d.owner_url}, &F.d.db, &why), why);
}

static int up(void **state)
{
	char *detail = NULL;
	struct installation made;
	if (!fixture_open(&F.d, *(const enum db_engine *)*state, NULL))
		return 0;
	if (F.d.engine == DB_POSTGRES) {
		reopen_with_owner();
		owner_does("SELECT audit_events_partition((extract(epoch FROM now()) / 2419200)::bigint - n) FROM generate_series(1, 4) n");
	}
	strcpy(F.dir, "/tmp/reeve-test.XXXXXX");
	assert_non_null(mkdtemp(F.dir));
	const char *keeper = arena_printf(F.d.arena, "%s/keeper", F.dir);
	fixture_ok(keeper_create(keeper, "test CA", clock_now(), &detail), detail);
	fixture_ok(keeper_open(keeper, &F.keeper, &detail), detail);
	scope_system(&F.system, F.d.arena, F.d.db, F.keeper);
	OKAY(&F.system, installation_init(&F.system, "First", &made));
	F.tenant = made.tenant;
	scope_tenant(&F.now, F.d.arena, F.d.db, F.keeper, F.tenant);
	F.old = F.now;
	F.old.now -= 400 * DAY_US;
	return 0;
}

static int down(void **state)
{
	if (F.d.admin_url == NULL)
		return 0;
	keeper_close(F.keeper);
	fixture_close(&F.d);
	char command[128];
	snprintf(command, sizeof command, "rm -rf '%s'", F.dir);
	return system(command);
}

static void need(void)
{
	if (F.d.admin_url == NULL)
		skip();
}

static enum err text_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_TENANT, arg, DB_NOARGS, NULL);
}

static enum err plain_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_GLOBAL, arg, DB_NOARGS, NULL);
}

static enum err run(struct scope *s, const char *sql)
{
	s->detail = NULL;
	return db_write(s, text_tx, (void *)sql);
}

struct question {
	const char *sql;
	int64_t ret;
};

static enum err ask_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct question *q = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, q->sql, DB_NOARGS, &r));
	q->ret = db_next(r) ? db_int(r, 0) : -1;
	return db_rows_err(r);
}

static int64_t ask(const char *sql)
{
	struct question q = {.sql = sql};
	OKAY(&F.now, db_read(&F.now, ask_tx, &q));
	return q.ret;
}

static enum err record_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	for (int i = 0; i < *(int *)arg; i++)
		TRY(audit_record(tx, &(struct audit_event){.activity = ACT_GROUP_CREATE, .resource_type = "Group", .resource_name = MARK}));
	return OK;
}

static void record(struct scope *s, int n)
{
	for (int part; n > 0; n -= part) {
		part = n < 100 ? n : 100;
		OKAY(s, db_write(s, record_tx, &part));
	}
}

static void sequence(void)
{
	bool more;
	do
		OKAY(&F.system, audit_sequence(&F.system, HOST, &more));
	while (more);
}

static void integrate(void)
{
	bool more;
	OKAY(&F.system, audit_integrate(&F.system, &more));
}

/* ---- the records ---- */

enum { INDEXES = 4096 };

struct records {
	bool gone[INDEXES];
	int64_t events, n, most_ranges;
	uint64_t kept;
};

static const char *property(const json_t *event, const char *name)
{
	size_t i;
	json_t *p, *list = json_object_get(json_array_get(json_object_get(event, "resources"), 0), "modifiedProperties");
	json_array_foreach(list, i, p)
		if (strcmp(json_string_value(json_object_get(p, "displayName")), name) == 0)
			return json_string_value(json_object_get(p, "newValue"));
	fail_msg("no %s", name);
	return NULL;
}

static void read_ranges(struct records *ret, const char *text)
{
	int64_t ranges = 0;
	for (char *p = (char *)text; *p != '\0'; p += *p == ',', ranges++) {
		unsigned long first = strtoul(p, &p, 10), last = *p == '-' ? strtoul(p + 1, &p, 10) : first;
		assert_true(last >= first && last < INDEXES && (*p == ',' || *p == '\0'));
		for (; first <= last; first++) {
			assert_false(ret->gone[first]); /* told once */
			ret->gone[first] = true;
		}
	}
	ret->most_ranges = ranges > ret->most_ranges ? ranges : ret->most_ranges;
}

static enum err records_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct records *ret = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT,
			  "SELECT bytes FROM audit_events WHERE tenant_id = ?1 AND activity_type = 'expire AuditEvents' ORDER BY event_id",
			  DB_NOARGS, &r));
	for (; db_next(r); ret->n++) {
		size_t n;
		auto_json *j = NULL;
		const void *p = db_blob(r, 0, &n);
		TRY(json_read(s, p, n, &j));
		const json_t *event = json_object_get(j, "event");
		ret->events += atoll(property(event, "eventsRemoved"));
		uint64_t kept = strtoull(property(event, "keptFrom"), NULL, 10);
		ret->kept = kept > ret->kept ? kept : ret->kept;
		assert_string_equal(property(event, "policyDays"), "365");
		assert_int_equal(strlen(property(event, "expiredUntil")), 27);
		read_ranges(ret, property(event, "indexes"));
	}
	return db_rows_err(r);
}

static struct records records(void)
{
	struct records ret = {.n = 0};
	OKAY(&F.now, db_read(&F.now, records_tx, &ret));
	return ret;
}

struct range {
	uint64_t first;
	size_t n;
	bool removed[INDEXES];
};

static enum err removed_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct range *r = arg;
	return audit_removed(tx, r->first, r->n, r->removed);
}

static int removed_in(uint64_t first, uint64_t past)
{
	struct range r = {.first = first, .n = past - first};
	int n = 0;
	OKAY(&F.now, db_read(&F.now, removed_tx, &r));
	for (size_t i = 0; i < r.n; i++)
		n += r.removed[i];
	return n;
}

/* ---- the tests ---- */

static void expired_events_go_and_the_tree_stays(void **state)
{
	uint64_t removed, found, leaves;
	bool any;
	char *note;
	need();
	int64_t first = ask("SELECT count(*) FROM audit_events WHERE tenant_id = ?1");
	record(&F.old, 700);
	sequence();
	OKAY(&F.now, audit_checkpoint(&F.now, &note));
	OKAY(&F.now, audit_expired_since(&F.now, F.now.now - 22 * HOUR_US, &any));
	assert_true(any);
	OKAY(&F.now, audit_expire(&F.now, &removed));
	assert_int_equal(removed, 700);
	OKAY(&F.now, audit_expired_since(&F.now, F.now.now, &any));
	assert_false(any);
	struct records r = records();
	assert_int_equal(r.n, 4); /* of 200 */
	assert_int_equal(r.events, 700);
	assert_int_equal(r.kept, 700); /* older ids come first */
	assert_true(r.gone[0] && r.gone[699] && !r.gone[700]);
	assert_int_equal(removed_in(0, INDEXES), 700);
	assert_int_equal(removed_in(699, 701), 1);
	assert_int_equal(ask("SELECT count(*) FROM audit_removed WHERE tenant_id = ?1"), 1);
	assert_int_equal(ask("SELECT count(*) FROM audit_leaves WHERE tenant_id = ?1"), first);
	sequence();
	OKAY(&F.now, audit_verify_all(&F.now, HOST, &found, &leaves));
	assert_int_equal(leaves, first + 700 + 4);
	assert_int_equal(found, first + 4);
	OKAY(&F.now, audit_expire(&F.now, &removed)); /* nothing: no event about it */
	assert_int_equal(removed, 0);
	assert_int_equal(records().n, 4);
}

static void ranges_have_holes_and_are_told_once(void **state)
{
	uint64_t removed;
	need();
	integrate();
	int64_t at = ask("SELECT size FROM audit_heads WHERE tenant_id = ?1");
	struct scope late = F.old;
	late.now += 300 * DAY_US; /* 100 days ago: within its year */
	for (int i = 0; i < 150; i++) {
		record(&F.old, 1);
		integrate();
		record(&late, 1);
		integrate();
	}
	OKAY(&F.now, audit_expire(&F.now, &removed));
	assert_int_equal(removed, 150);
	struct records r = records();
	assert_int_equal(r.n, 2);
	assert_int_equal(r.most_ranges, 100);
	assert_int_equal(r.events, 150);
	assert_int_equal(r.kept, 0);
	for (int i = 0; i < 300; i++)
		assert_int_equal(r.gone[at + i], i % 2 == 0);
	assert_int_equal(ask("SELECT count(*) FROM audit_removed WHERE tenant_id = ?1"), 150);
	assert_int_equal(removed_in(0, INDEXES), 150);
}

/* What somebody took away is covered by no later record. */
static void a_removal_covers_only_its_own(void **state)
{
	uint64_t removed;
	need();
	record(&F.old, 10);
	integrate();
	OKAY(&F.now, run(&F.now, "DELETE FROM audit_leaves WHERE tenant_id = ?1 AND leaf_index IN (3, 4)"));
	OKAY(&F.now, audit_expire(&F.now, &removed));
	struct records r = records();
	assert_int_equal(r.events, 8);
	assert_int_equal(r.kept, 3);
	assert_true(r.gone[2] && !r.gone[3] && !r.gone[4] && r.gone[5]);
	assert_int_equal(removed_in(0, 10), 8);
	sequence();
	uint64_t found, leaves;
	assert_int_equal(audit_verify_all(&F.now, HOST, &found, &leaves), ERR_CONFLICT);
	assert_non_null(strstr(F.now.detail, "index 3 is missing"));
	F.now.detail = NULL;
}

static void no_removal_without_its_record(void **state)
{
	uint64_t removed;
	need();
	record(&F.old, 10);
	integrate();
	if (F.d.engine == DB_SQLITE)
		OKAY(&F.system, db_write(&F.system, plain_tx, (void *)"CREATE TRIGGER broken BEFORE INSERT ON audit_pending "
								      "BEGIN SELECT RAISE(ABORT, 'broken'); END"));
	else
		owner_does("ALTER TABLE audit_pending ADD CONSTRAINT broken CHECK (false)");
	assert_int_not_equal(audit_expire(&F.now, &removed), OK);
	F.now.detail = NULL;
	assert_int_equal(ask("SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND resource_name = '" MARK "'"), 10);
	assert_int_equal(ask("SELECT count(*) FROM audit_removed WHERE tenant_id = ?1"), 0);
	assert_int_equal(removed_in(0, INDEXES), 0);
}

/* The server's clock alone removes nothing. */
static void the_databases_clock_decides(void **state)
{
	uint64_t removed = 0;
	need();
	record(&F.now, 3);
	integrate();
	struct scope later = F.now;
	later.now += 366 * DAY_US;
	enum err e = audit_expire(&later, &removed);
	assert_true(F.d.engine == DB_SQLITE ? e == ERR_CONFLICT : e == OK && removed == 0);
	assert_int_equal(ask("SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND resource_name = '" MARK "'"), 3);
	assert_int_equal(records().n, 0);
}

static void what_has_no_place_yet_stays(void **state)
{
	uint64_t removed;
	need();
	record(&F.old, 3);
	OKAY(&F.now, audit_expire(&F.now, &removed));
	assert_int_equal(removed, 0);
	integrate();
	OKAY(&F.now, audit_expire(&F.now, &removed));
	assert_int_equal(removed, 3);
}

static void nobody_changes_an_event(void **state)
{
	static const char columns[] = "(tenant_id, event_id, at, expires_at, category, activity_type, operation, result, component, actor_type, "
				      "correlation_id, salt, bytes) SELECT tenant_id, event_id, at, expires_at, 'x', activity_type, operation, "
				      "result, component, actor_type, correlation_id, salt, bytes FROM audit_events WHERE tenant_id = ?1 ";
	need();
	record(&F.now, 3);
	const char *both[] = {
		"UPDATE audit_events SET result = 'Failure' WHERE tenant_id = ?1",
		"UPDATE audit_events SET expires_at = 0 WHERE tenant_id = ?1",
		"DELETE FROM audit_events WHERE tenant_id = ?1",
		arena_printf(F.d.arena, "INSERT INTO audit_events %s", columns),
		F.d.engine == DB_SQLITE
			? arena_printf(F.d.arena, "INSERT INTO audit_events %s ON CONFLICT (tenant_id, event_id) DO UPDATE SET category = 'x'", columns)
			: arena_printf(F.d.arena, "INSERT INTO audit_events %s ON CONFLICT (tenant_id, event_id, expires_at) DO UPDATE SET "
						  "category = 'x'", columns),
	};
	const char *sqlite[] = {
		arena_printf(F.d.arena, "REPLACE INTO audit_events %s", columns),
		arena_printf(F.d.arena, "INSERT OR REPLACE INTO audit_events %s", columns),
		"UPDATE OR REPLACE audit_events SET event_id = (SELECT min(event_id) FROM audit_events WHERE tenant_id = ?1) WHERE tenant_id = ?1",
		/* another event in the place of one: by the row's number */
		"INSERT OR REPLACE INTO audit_events (rowid, tenant_id, event_id, at, expires_at, category, activity_type, operation, result, "
		"component, actor_type, correlation_id, salt, bytes) SELECT rowid, tenant_id, randomblob(16), at, expires_at, 'x', activity_type, "
		"operation, result, component, actor_type, correlation_id, salt, bytes FROM audit_events WHERE tenant_id = ?1 LIMIT 1",
	};
	static const char *const postgres[][2] = {
		{"42501", "TRUNCATE audit_events"},
		{"42501", "DROP TABLE audit_events"},
		{"42501", "ALTER TABLE audit_events DISABLE ROW LEVEL SECURITY"},
		{"42501", "SELECT 1 FROM audit_events FOR UPDATE"},
		{"42501", "SELECT audit_events_partition(1)"},
		{"P0001", "SELECT audit_events_purge(tenant_id, 10) FROM audit_events"},
		{"42501", "MERGE INTO audit_events e USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE"},
		{"42501", "INSERT INTO audit_events SELECT * FROM audit_events ON CONFLICT (tenant_id, event_id, expires_at) DO UPDATE SET at = 0"},
		{"00000", "SELECT audit_events_prune(tenant_id, 9223372036854775807, 10) FROM audit_events"}, /* nothing has expired */
	};
	int64_t before = ask("SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND category <> 'x'");
	for (size_t i = 0; i < sizeof both / sizeof *both; i++)
		if (run(&F.now, both[i]) == OK)
			fail_msg("not refused: %s", both[i]);
	for (size_t i = 0; F.d.engine == DB_SQLITE && i < sizeof sqlite / sizeof *sqlite; i++)
		if (run(&F.now, sqlite[i]) != ERR_CONFLICT)
			fail_msg("not refused: %s", sqlite[i]);
	for (size_t i = 0; F.d.engine == DB_POSTGRES && i < sizeof postgres / sizeof *postgres; i++)
		if (strcmp(state_of(postgres[i][1]), postgres[i][0]) != 0)
			fail_msg("%s: %s", postgres[i][1], state_of(postgres[i][1]));
	F.now.detail = NULL;
	assert_int_equal(ask("SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND category <> 'x'"), before);
}

/* ---- SQLite ---- */

static bool on_disk(const char *text)
{
	bool found = false;
	static const char *const suffix[] = {"", "-wal"};
	for (size_t i = 0; i < 2; i++)
		found |= system(arena_printf(F.d.arena, "grep -qa '%s' '%s%s'", text, F.d.file, suffix[i])) == 0;
	return found;
}

static void no_byte_is_left(void **state)
{
	need();
	record(&F.old, 300);
	integrate();
	assert_true(on_disk(MARK));
	OKAY(&F.now, audit_expire(&F.now, NULL));
	assert_int_equal(ask("SELECT count(*) FROM audit_removed WHERE tenant_id = ?1 AND scrubbed = 0"), 1);
	OKAY(&F.system, audit_scrub(&F.system));
	assert_false(on_disk(MARK));
	assert_int_equal(ask("SELECT count(*) FROM audit_removed WHERE tenant_id = ?1 AND scrubbed = 0"), 0);
}

/* ---- PostgreSQL ---- */

static int64_t partitions(void)
{
	char *n = psql(F.d.admin_url, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'audit_events'::regclass");
	int64_t ret = atoll(n);
	free(n);
	return ret;
}

static void passed_partitions_are_dropped(void **state)
{
	need();
	record(&F.old, 300);
	integrate();
	int64_t before = partitions();
	/* three of four are empty; the fourth holds what expired 35 days ago */
	OKAY(&F.system, audit_scrub(&F.system));
	assert_int_equal(partitions(), before - 3);
	assert_int_equal(ask("SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND resource_name = '" MARK "'"), 300);
	OKAY(&F.now, audit_expire(&F.now, NULL));
	PGconn *c = PQconnectdb(F.d.admin_url); /* somebody reads: later */
	PQclear(PQexec(c, "BEGIN; SELECT count(*) FROM audit_events"));
	OKAY(&F.system, audit_scrub(&F.system));
	assert_int_equal(partitions(), before - 3);
	PQfinish(c);
	OKAY(&F.system, audit_scrub(&F.system));
	assert_int_equal(partitions(), before - 4);
	OKAY(&F.system, audit_partitions(&F.system)); /* makes none of the past again */
	assert_int_equal(partitions(), before - 4);
}

static void partitions_reach_far_enough(void **state)
{
	need();
	static const char *const tables[] = {"audit_events"};
	struct scope far = F.now;
	OKAY(&F.now, run(&F.now, "UPDATE tenant_settings SET value = '730' WHERE tenant_id = ?1 AND name = 'auditRetentionDays'"));
	far.now += 97 * DAY_US;
	record(&far, 1);
	char *rights = psql(F.d.admin_url, "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE c.relispartition AND a.grantee <> c.relowner");
	assert_string_equal(rights, "0");
	free(rights);
	char *seen = psql(F.d.app_url, "SELECT count(*) FROM audit_events"); /* without a tenant in the session */
	assert_string_equal(seen, "0");
	free(seen);
	char *name = psql(F.d.admin_url, "SELECT c.relname FROM pg_class c WHERE c.relispartition AND c.relkind = 'r' LIMIT 1");
	char *direct = psql(F.d.app_url, arena_printf(F.d.arena, "SELECT count(*) FROM %s", name));
	assert_null(direct);
	free(name);
	assert_int_equal(db_scrub(F.d.db, tables, 1), OK);
}

static enum db_engine engine_sqlite = DB_SQLITE, engine_postgres = DB_POSTGRES;
#define SQLITE(fn) {"sqlite: " #fn, fn, up, down, &engine_sqlite}
#define POSTGRES(fn) {"postgres: " #fn, fn, up, down, &engine_postgres}
#define BOTH(fn) SQLITE(fn), POSTGRES(fn)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(expired_events_go_and_the_tree_stays),
		BOTH(ranges_have_holes_and_are_told_once),
		BOTH(a_removal_covers_only_its_own),
		BOTH(no_removal_without_its_record),
		BOTH(the_databases_clock_decides),
		BOTH(what_has_no_place_yet_stays),
		BOTH(nobody_changes_an_event),
		SQLITE(no_byte_is_left),
		POSTGRES(passed_partitions_are_dropped),
		POSTGRES(partitions_reach_far_enough),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
