/* SPDX-License-Identifier: Apache-2.0
 *
 * What the programs of the database contract share: a small schema of their own, the statements on it, and the way in
 * which each test runs once per engine.
 */
#ifndef REEVE_TESTS_CONTRACT_DB_CASE_H
#define REEVE_TESTS_CONTRACT_DB_CASE_H

#include "db_fixture.h"

#define TEST_SCHEMA                                                                                                    \
	"CREATE TABLE things (tenant_id ID NOT NULL, thing_id ID NOT NULL, name TEXT, n INT, data BLOB, doc JSON,\n"   \
	"  PRIMARY KEY (tenant_id, thing_id)) STRICT;\n"                                                               \
	"CREATE UNIQUE INDEX things_by_name ON things (tenant_id, name);\n"                                            \
	"CREATE TABLE parts (tenant_id ID NOT NULL, part_id ID NOT NULL, thing_id ID NOT NULL, PRIMARY KEY "           \
	"(tenant_id, part_id),\n"                                                                                      \
	"  FOREIGN KEY (tenant_id, thing_id) REFERENCES things (tenant_id, thing_id) DEFERRABLE INITIALLY DEFERRED) "  \
	"STRICT;\n"                                                                                                    \
	"CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, n INT NOT NULL CHECK (n >= 0)) STRICT;\n"              \
	"CREATE TABLE strict_parts (part_id ID NOT NULL PRIMARY KEY, counter TEXT NOT NULL REFERENCES counters "       \
	"(name)) STRICT;\n"                                                                                            \
	"CREATE TABLE audit_events (tenant_id ID NOT NULL, event_id ID NOT NULL, PRIMARY KEY (tenant_id, event_id)) "  \
	"STRICT;\n"                                                                                                    \
	"CREATE TABLE fixed (id INT NOT NULL PRIMARY KEY) STRICT;\n"                                                   \
	"CREATE TABLE bombs (id INT NOT NULL PRIMARY KEY) STRICT;\n"                                                   \
	"-- @sqlite\n"                                                                                                 \
	"CREATE TRIGGER fixed_refuses BEFORE INSERT ON fixed BEGIN SELECT RAISE(ABORT, 'nothing enters here'); END;\n" \
	"CREATE TRIGGER bombs_end BEFORE INSERT ON bombs BEGIN SELECT RAISE(ROLLBACK, 'everything is gone'); END;\n"   \
	"-- @end\n"                                                                                                    \
	"-- @postgres\n"                                                                                               \
	"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'nothing enters "       \
	"here'; END $$;\n"                                                                                             \
	"CREATE TRIGGER fixed_refuses BEFORE INSERT ON fixed FOR EACH ROW EXECUTE FUNCTION refuse();\n"                \
	"-- @end\n"

static const struct db_migration test_schema[] = {{1, "things", TEST_SCHEMA}, {0}};

/* In a closure: failing an assertion there would jump out of a thread that is not the test's. */
#define WANT(cond)                                                                               \
	do {                                                                                     \
		if (!(cond))                                                                     \
			return scope_fail(s, ERR_STATE, "%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

#define OKAY(scope_, call)                                                            \
	do {                                                                          \
		enum err e_ = (call);                                                 \
		if (e_ != OK)                                                         \
			fail_msg("%s: %s", err_name(e_), scope_detail((scope_), e_)); \
	} while (0)

static const struct id tenant_a = {{0xaa, 1}}, tenant_b = {{0xbb, 2}};

/* The state of a test: its engine before, the fixture after the set-up. */
struct db_case {
	struct db_fixture f;
	bool there;
};

static inline int case_setup(void **state)
{
	static struct db_case c;
	enum db_engine engine = *(const enum db_engine *)*state;
	c.there = fixture_open(&c.f, engine, test_schema);
	*state = &c;
	return 0;
}

static inline int case_teardown(void **state)
{
	fixture_close(&((struct db_case *)*state)->f);
	return 0;
}

static inline struct db_fixture *fixture_of(void **state)
{
	struct db_case *c = *state;
	if (!c->there)
		skip();
	return &c->f;
}

static inline struct db_fixture *fixture_only(void **state, enum db_engine engine)
{
	struct db_fixture *f = fixture_of(state);
	if (f->engine != engine)
		skip();
	return f;
}

static enum db_engine engine_sqlite __attribute__((unused)) = DB_SQLITE;
static enum db_engine engine_postgres __attribute__((unused)) = DB_POSTGRES;

#define SQLITE(fn) {"sqlite: " #fn, fn, case_setup, case_teardown, &engine_sqlite}
#define POSTGRES(fn) {"postgres: " #fn, fn, case_setup, case_teardown, &engine_postgres}
#define BOTH(fn) SQLITE(fn), POSTGRES(fn)

static inline void scope_in(struct scope *s, struct db_fixture *f, const struct id *tenant)
{
	arena_reset(f->arena);
	if (tenant != NULL)
		scope_tenant(s, f->arena, f->db, NULL, *tenant);
	else
		scope_system(s, f->arena, f->db, NULL);
}

#endif
