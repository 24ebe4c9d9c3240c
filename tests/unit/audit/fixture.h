/* SPDX-License-Identifier: Apache-2.0
 * Two tenants with a database and a keeper, and their logs. */
#ifndef REEVE_TESTS_AUDIT_FIXTURE_H
#define REEVE_TESTS_AUDIT_FIXTURE_H

#include "../directory/fixture.h"
#include "audit/audit.h"
#include "audit/log/log.h"
#include "keeper/keeper.h"

#define HOST "reeve.example"

static struct keeper *K;

static inline int up(void **state)
{
	char *detail = NULL, dir[96];
	assert_int_equal(fixture_up(state), 0);
	snprintf(dir, sizeof dir, "%s/log-keeper", F.dir); /* the fixture below has one of its own */
	ok(keeper_create(dir, "test CA", F.system.now, &detail));
	ok(keeper_open(dir, &K, &detail));
	F.system.keeper = F.a.keeper = F.b.keeper = K;
	return 0;
}

static inline int down(void **state)
{
	keeper_close(K);
	return fixture_down(state);
}

static inline void sequence(void)
{
	bool more;
	do
		ok(audit_sequence(&F.system, HOST, &more));
	while (more);
}

struct run {
	const char *sql;
};

static inline enum err exec_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_TENANT, ((struct run *)arg)->sql, DB_NOARGS, NULL);
}

static inline enum err exec(struct scope *s, const char *sql)
{
	fresh(s);
	return db_write(s, exec_tx, &(struct run){sql});
}

static inline enum err record_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return audit_record(tx, arg);
}

static inline void record(struct scope *s, const struct audit_event *e)
{
	struct audit_event copy = *e;
	ok(db_write(s, record_tx, &copy));
}

struct many {
	size_t n;
};

static inline enum err record_many_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct arena_mark mark = arena_mark(s->arena);
	for (size_t i = 0; i < ((struct many *)arg)->n; i++) {
		TRY(audit_record(tx, &(struct audit_event){.activity = ACT_GROUP_CREATE, .resource_type = "Group", .resource = id_new(s->now)}));
		arena_rewind(s->arena, mark);
	}
	return OK;
}

/* n events in one transaction. */
static inline void record_many(struct scope *s, size_t n)
{
	ok(db_write(s, record_many_tx, &(struct many){n}));
}

/* ---- the database as it was ---- */

static inline void reopen(void)
{
	char *detail = NULL;
	ok(db_open(&(struct db_options){.url = arena_printf(F.arena, "sqlite:%s/reeve.db", F.dir)}, &F.db, &detail));
	F.system.db = F.a.db = F.b.db = F.operator_.db = F.db;
}

static inline void copy(const char *from, const char *to)
{
	db_close(F.db);
	char *command = arena_printf(F.arena, "cd %s && rm -rf %s && cp -a %s %s && rm -f reeve.db-wal reeve.db-shm", F.dir, to, from, to);
	assert_int_equal(system(command), 0);
	reopen();
}

static inline void keep(const char *name)
{
	copy("reeve.db", name);
}

static inline void put_back(const char *name)
{
	copy(name, "reeve.db");
}

#endif
