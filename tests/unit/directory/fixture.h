/* SPDX-License-Identifier: Apache-2.0
 *
 * An installation with two tenants in a database of its own, and questions to its rows.  A test that needs another time sets `now` of its
 * scope; make_user() and its like fail the test where the server refuses.
 */
#ifndef REEVE_TESTS_DIRECTORY_FIXTURE_H
#define REEVE_TESTS_DIRECTORY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "db/db.h"
#include "directory/group.h"
#include "directory/installation.h"
#include "directory/access/role.h"
#include "directory/tenant.h"
#include "directory/tenant_settings.h"
#include "directory/user.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

struct fixture {
	char dir[64];
	struct db *db;
	struct keeper *keeper;
	struct arena *arena;
	struct installation made;
	struct id other;                      /* a second tenant */
	struct application_secret other_admin;
	struct scope system, operator_, a, b; /* the installation's operator; tenants `made.tenant` and `other` */
};

static struct fixture F;

#define ok(call) assert_string_equal(err_name(call), "OK")
#define refused(call, e) assert_string_equal(err_name(call), err_name(e))

static inline void fresh(struct scope *s)
{
	s->detail = NULL;
}

static inline struct scope tenant_scope(struct id tenant, int64_t now)
{
	struct scope s;
	scope_tenant(&s, F.arena, F.db, F.keeper, tenant);
	s.now = now;
	return s;
}

static inline int fixture_up(void **state)
{
	static const struct id installation;
	char *detail = NULL, *app = NULL, *owner = NULL;
	strcpy(F.dir, "/tmp/reeve-directory-XXXXXX");
	assert_non_null(mkdtemp(F.dir));
	F.arena = arena_new(LIMIT_ARENA_BYTES);
	const char *url = arena_printf(F.arena, "sqlite:%s/reeve.db", F.dir);
	ok(db_init(url, &app, &owner, &detail));
	ok(db_open(&(struct db_options){.url = url}, &F.db, &detail));
	free(app);
	free(owner);
	const char *keeper = arena_printf(F.arena, "%s/keeper", F.dir);
	ok(keeper_create(keeper, "Test CA", clock_now(), &detail));
	ok(keeper_open(keeper, &F.keeper, &detail));
	scope_system(&F.system, F.arena, F.db, F.keeper);
	ok(installation_init(&F.system, "First", &F.made));
	F.operator_ = tenant_scope(installation, F.system.now);
	ok(tenant_create(&F.operator_, "Second", SECRET_DEFAULT_US, &F.other_admin, &F.other));
	F.a = tenant_scope(F.made.tenant, F.system.now);
	F.b = tenant_scope(F.other, F.system.now);
	return 0;
}

static inline int fixture_down(void **state)
{
	db_close(F.db);
	keeper_close(F.keeper);
	arena_free(F.arena);
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", F.dir);
	return system(command);
}

/* ---- questions ---- */

struct count {
	const char *sql;
	struct db_value args[2];
	size_t n;
	int64_t ret;
};

static inline enum err count_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct count *c = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, c->sql, c->args, c->n, &r));
	assert_true(db_next(r));
	c->ret = db_int(r, 0);
	return OK;
}

/* One number; parameters from ?2. */
static inline int64_t ask(struct scope *s, const char *sql, struct db_value v2, struct db_value v3)
{
	struct count c = {.sql = sql, .args = {v2, v3}};
	c.n = strstr(sql, "?3") != NULL ? 2 : strstr(sql, "?2") != NULL ? 1 : 0;
	ok(db_read(s, count_tx, &c));
	return c.ret;
}

static inline struct scope as_user(struct id user, const char *permissions)
{
	struct scope s = tenant_scope(F.made.tenant, F.a.now + HOUR_US);
	s.actor = (struct actor){.type = ACTOR_USER, .id = user, .name = "Somebody", .upn = "somebody@acme.example", .permissions = permissions};
	return s;
}

static inline struct scope as_application(struct id application, const char *permissions)
{
	struct scope s = as_user(application, permissions);
	s.actor.type = ACTOR_APPLICATION;
	s.actor.upn = NULL;
	return s;
}

struct named_role {
	const char *name;
	struct role role;
};

static inline enum err named_role_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct named_role *n = arg;
	return role_by_name(tx, n->name, &n->role);
}

static inline struct id role_named(struct scope *s, const char *name)
{
	struct named_role n = {.name = name};
	ok(db_read(s, named_role_tx, &n));
	return n.role.role;
}

static inline int64_t events(struct scope *s, const char *type)
{
	return ask(s, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2", db_v_text(type), db_v_null());
}

static inline int64_t all_events(struct scope *s)
{
	return ask(s, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1", db_v_null(), db_v_null());
}

/* Whether some event of the type holds the text. */
static inline bool event_says(struct scope *s, const char *type, const char *text)
{
	return ask(s, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2 AND instr(CAST(bytes AS TEXT), ?3) > 0",
		   db_v_text(type), db_v_text(text)) > 0;
}

/* Open or closed duties of a subject in a state. */
static inline int64_t duties(struct scope *s, struct id subject, const char *state)
{
	return ask(s, "SELECT count(*) FROM duties WHERE tenant_id = ?1 AND subject_id = ?2 AND state = ?3", db_v_id(&subject),
		   db_v_text(state));
}

/* ---- makers ---- */

static inline struct record *record_of(struct scope *s, const struct resource *r, enum record_mode mode, const char *json)
{
	json_t *body = NULL;
	struct record *rec = NULL;
	ok(json_read(s, json, strlen(json), &body));
	ok(record_parse(s, r, body, mode, API_V1, NULL, &rec));
	json_decref(body);
	return rec;
}

static inline struct record *user_record(struct scope *s, const char *upn, bool enabled)
{
	return record_of(s, &RES_USER, RECORD_CREATE,
			 arena_printf(s->arena,
				      "{\"accountEnabled\":%s,\"displayName\":\"Ada\",\"mailNickname\":\"ada\",\"userPrincipalName\":\"%s\","
				      "\"passwordProfile\":{\"password\":\"secret-word\"}}",
				      enabled ? "true" : "false", upn));
}

static inline struct id make_user(struct scope *s, const char *upn)
{
	struct id id;
	ok(user_create(s, user_record(s, upn, true), &id));
	return id;
}

static inline struct id make_group(struct scope *s, const char *name)
{
	struct id id;
	ok(group_create(s, record_of(s, &RES_GROUP, RECORD_CREATE, arena_printf(s->arena, "{\"displayName\":\"%s\"}", name)), &id));
	return id;
}

/* How many rows a resource shows. */
struct shown {
	const struct resource *r;
	struct buf out;
};

static inline enum err shown_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct shown *v = arg;
	struct resource_query q = {.res = v->r, .version = API_V1, .base_url = "https://x/v1.0", .path = "/x", .raw_query = "",
				   .odata = {.top = -1, .skip = -1}};
	return resource_count(tx, &q, &v->out);
}

static inline int64_t shown(struct scope *s, const struct resource *r)
{
	struct shown v = {.r = r};
	buf_init(&v.out, 4096);
	ok(db_read(s, shown_tx, &v));
	int64_t n = atoll(v.out.data);
	buf_release(&v.out);
	return n;
}

#endif
