/* SPDX-License-Identifier: Apache-2.0
 *
 * Statements and closures on the table of things, for the programs of the database contract.
 */
#ifndef REEVE_TESTS_CONTRACT_DB_THINGS_H
#define REEVE_TESTS_CONTRACT_DB_THINGS_H

#include "db_case.h"

DB_TENANT(add_thing, "INSERT INTO things (tenant_id, thing_id, name, n, data, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
DB_TENANT(count_things, "SELECT count(*), sum(n) FROM things WHERE tenant_id = ?1");
DB_TENANT(set_things, "UPDATE things SET n = ?2 WHERE tenant_id = ?1");
DB_GLOBAL(count_all, "SELECT count(*) FROM things");

static inline struct id numbered(int n)
{
	return (struct id){{(uint8_t)(n >> 8), (uint8_t)n, 7}};
}

static inline enum err thing_insert(struct db_tx *tx, int number, const char *name, int64_t n)
{
	struct id id = numbered(number);
	return db_exec(tx, &add_thing, DB_ARGS(db_v_id(&id), db_v_text(name), db_v_int(n), db_v_null(), db_v_null()),
		       NULL);
}

/* arg: how many things, named by number */
static inline enum err insert_some(struct scope *s, struct db_tx *tx, void *arg)
{
	char name[24];
	for (int i = 0; i < *(int *)arg; i++) {
		snprintf(name, sizeof name, "thing %d", i);
		TRY(thing_insert(tx, i, name, i));
	}
	return OK;
}

static inline enum err count(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	struct db_stmt *st = s->has_tenant ? &count_things : &count_all;
	TRY(db_query_one(tx, st, DB_NOARGS, &r));
	*(int64_t *)arg = db_int(r, 0);
	return OK;
}

static inline int64_t counted(struct db_fixture *f, const struct id *tenant)
{
	struct scope s;
	int64_t n = -1;
	scope_in(&s, f, tenant);
	OKAY(&s, db_read(&s, count, &n));
	return n;
}

static inline enum err set_all(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &set_things, DB_ARGS(db_v_int(7)), arg);
}

#endif
