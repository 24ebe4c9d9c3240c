/* SPDX-License-Identifier: Apache-2.0
 *
 * A database with the real schema and two tenants, and short ways to fill it and to ask it.  On SQLite, or on
 * PostgreSQL where REEVE_TEST_ENGINE says so (with-postgres.sh runs the server).
 */
#ifndef REEVE_TEST_RESOURCE_FIXTURE_H
#define REEVE_TEST_RESOURCE_FIXTURE_H

#include "../../contract/db_fixture.h"
#include "base/clock.h"
#include "resource/tables.h"

#define TEST_NOW (INT64_C(1800000000) * SECOND_US) /* 2027-01-15T08:00:00Z */
#define BASE_URL "https://reeve.example/v1.0"

static const struct id tenant_a = {{0xaa, 1}}, tenant_b = {{0xbb, 2}};

struct fixture {
	struct db_fixture d;
	struct scope s;
	struct buf out;   /* of the last question */
	json_t *page;     /* the same, read */
	int statements;
};

static struct fixture fx;

static inline struct id test_id(unsigned kind, unsigned n)
{
	struct id id = {{0x01, (uint8_t)kind, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
			 (uint8_t)(n >> 8), (uint8_t)n}};
	return id;
}

static inline void as_tenant(struct id tenant)
{
	scope_tenant(&fx.s, fx.d.arena, fx.d.db, NULL, tenant);
	fx.s.now = TEST_NOW;
}

static inline void as_system(void)
{
	scope_system(&fx.s, fx.d.arena, fx.d.db, NULL);
	fx.s.now = TEST_NOW;
}

static inline void ok(enum err e)
{
	if (e != OK)
		fail_msg("%s: %s", err_name(e), scope_detail(&fx.s, e));
}

/* ---- filling ---- */

struct statement {
	const char *sql;
	const struct db_value *args;
	size_t n;
};

static inline enum err statement_run(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct statement *st = arg;
	return db_exec_text(tx, s->has_tenant ? DB_REACH_TENANT : DB_REACH_GLOBAL, st->sql, st->args, st->n, NULL);
}

static inline void run(const char *sql, const struct db_value *args, size_t n)
{
	struct statement st = {sql, args, n};
	ok(db_write(&fx.s, statement_run, &st));
}

static inline void add_tenant(struct id id, const char *name)
{
	as_system();
	run("INSERT INTO tenants (tenant_id, display_name, state, created_at) VALUES (?1, ?2, 'active', ?3)",
	    DB_ARGS(db_v_id(&id), db_v_text(name), db_v_int(TEST_NOW)));
}

static inline void add_user(unsigned n, const char *upn, const char *name, bool deleted)
{
	struct id id = test_id(1, n);
	char key[128] = "";
	for (size_t i = 0; upn[i] != '\0'; i++)
		key[i] = (char)(upn[i] >= 'A' && upn[i] <= 'Z' ? upn[i] + 32 : upn[i]);
	run("INSERT INTO users (tenant_id, user_id, upn, upn_key, display_name, account_enabled, created_at, deleted_at) "
	    "VALUES "
	    "(?1, ?2, ?3, ?4, ?5, 1, ?6, ?7)",
	    DB_ARGS(db_v_id(&id), db_v_text(upn), deleted ? db_v_null() : db_v_text(key), db_v_text(name),
		    db_v_int(TEST_NOW), deleted ? db_v_int(TEST_NOW) : db_v_null()));
}

#define DEVICE_SQL \
	"INSERT INTO managed_devices (tenant_id, device_id, directory_device_id, user_id, owner_type, platform, " \
	"provisioning, device_name, managed_device_name, serial_number, model, compliance_state, management_state, " \
	"enrolled_at, last_sync_at, certificate_expires_at) VALUES (?1, ?2, ?2, ?3, 'company', 'linux', 1, ?4, ?4, ?5, " \
	"?6, 'compliant', 'managed', ?7, ?7, ?7)"

/* user: 0 for none; model may be NULL. */
static inline void add_device(unsigned n, unsigned user, const char *name, const char *model)
{
	struct id id = test_id(2, n), owner = test_id(1, user);
	char serial[32];
	snprintf(serial, sizeof serial, "SN%u", n);
	run(DEVICE_SQL, DB_ARGS(db_v_id(&id), user ? db_v_id(&owner) : db_v_null(), db_v_text(name), db_v_text(serial),
				db_v_text(model), db_v_int(TEST_NOW - (int64_t)n * SECOND_US)));
}

/* ---- asking ---- */

struct question {
	struct resource_query q;
	struct id key;
	int kind; /* 0 list, 1 count, 2 get */
};

static inline enum err question_run(struct scope *s, struct db_tx *tx, void *arg)
{
	struct question *a = arg;
	buf_clear(&fx.out);
	if (a->kind == 0)
		return resource_list(tx, &a->q, &fx.out);
	if (a->kind == 1)
		return resource_count(tx, &a->q, &fx.out);
	return resource_get(tx, &a->q, a->key, &fx.out);
}

static inline enum err ask(struct question *a, const char *query)
{
	struct arena_mark m = arena_mark(fx.d.arena);
	fx.s.detail = NULL;
	json_decref(fx.page);
	fx.page = NULL;
	a->q.raw_query = query;
	a->q.base_url = BASE_URL;
	a->q.path = "/things";
	a->q.version = a->q.version ? a->q.version : API_V1;
	enum err e = odata_parse(&fx.s, query, &a->q.odata);
	if (e == OK)
		e = db_read(&fx.s, question_run, a);
	if (e == OK && a->kind != 1) {
		json_error_t why;
		fx.page = json_loadb(fx.out.data, fx.out.len, JSON_REJECT_DUPLICATES, &why);
		if (fx.page == NULL)
			fail_msg("no JSON (%s): %s", why.text, fx.out.data);
	}
	if (e == OK)
		arena_rewind(fx.d.arena, m);
	return e;
}

static inline enum err try_list(const struct resource *r, const char *query)
{
	struct question a = {.q = {.res = r}};
	return ask(&a, query);
}

static inline json_t *list(const struct resource *r, const char *query)
{
	enum err e = try_list(r, query);
	if (e != OK)
		fail_msg("%s?%s: %s: %s", r->name, query, err_name(e), scope_detail(&fx.s, e));
	return json_object_get(fx.page, "value");
}

/* Fails with this error, and the detail holds this text. */
static inline void refused(const struct resource *r, const char *query, enum err want, const char *text)
{
	enum err e = try_list(r, query);
	if (e != want)
		fail_msg("?%s gave %s", query, err_name(e));
	if (strstr(scope_detail(&fx.s, e), text) == NULL)
		fail_msg("?%s: \"%s\" does not say \"%s\"", query, scope_detail(&fx.s, e), text);
}

/* The values of one property over the page, with "," between; null is "-". */
static inline const char *column(const json_t *value, const char *name)
{
	static char text[4096];
	size_t i, at = 0;
	json_t *row;
	text[0] = '\0';
	json_array_foreach(value, i, row) {
		const json_t *v = json_object_get(row, name);
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i == 0 ? "" : ",",
				       json_is_string(v) ? json_string_value(v) : "-");
	}
	return text;
}

/* The query part of @odata.nextLink; NULL on the last page. */
static inline const char *next_query(void)
{
	const char *link = json_string_value(json_object_get(fx.page, "@odata.nextLink"));
	return link == NULL ? NULL : strchr(link, '?') + 1;
}

/* ---- life ---- */

static inline enum db_engine test_engine(void)
{
	const char *e = getenv("REEVE_TEST_ENGINE");
	return e != NULL && strcmp(e, "postgres") == 0 ? DB_POSTGRES : DB_SQLITE;
}

static inline int fixture_setup(void **state)
{
	buf_init(&fx.out, LIMIT_RESPONSE_BYTES);
	if (!fixture_open(&fx.d, test_engine(), NULL))
		return -1;
	add_tenant(tenant_a, "A");
	add_tenant(tenant_b, "B");
	as_tenant(tenant_a);
	return 0;
}

static inline int fixture_teardown(void **state)
{
	json_decref(fx.page);
	buf_release(&fx.out);
	fixture_close(&fx.d);
	memset(&fx, 0, sizeof fx);
	return 0;
}

#define RUN(tests)                                                                            \
	(cmocka_set_message_output(CM_OUTPUT_TAP), cmocka_run_group_tests(tests, NULL, NULL))
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

#endif
