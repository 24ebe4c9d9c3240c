/* SPDX-License-Identifier: Apache-2.0
 *
 * An installation with two tenants, a keeper, and a person in the first; short ways to enrol a device, to let it speak,
 * and to ask the rows.  On SQLite, or on PostgreSQL where REEVE_TEST_ENGINE says so (with-postgres.sh runs the server).
 */
#ifndef REEVE_TESTS_DEVICES_FIXTURE_H
#define REEVE_TESTS_DEVICES_FIXTURE_H

#include "../../contract/db_fixture.h"
#include "base/clock.h"
#include "crypto/x509.h"
#include "devices/action.h"
#include "devices/certificate.h"
#include "devices/checkin.h"
#include "devices/enrollment_token.h"
#include "devices/enrolment.h"
#include "devices/item.h"
#include "devices/report.h"
#include "devices/request.h"
#include "devices/terms.h"
#include "directory/group.h"
#include "directory/installation.h"
#include "directory/tenant.h"
#include "directory/tenant_settings.h"
#include "directory/user.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

struct fixture {
	struct db_fixture d;
	struct keeper *keeper;
	char dir[64];
	struct id tenant, other, user, group;
	struct scope admin, other_admin; /* of the two tenants */
	int64_t now;                     /* every new scope has it */
};

static struct fixture F;

#define ok_in(s, call)                                                                                     \
	do {                                                                                               \
		enum err ok_err_ = (call);                                                                 \
		if (ok_err_ != OK)                                                                         \
			fail_msg("%s: %s: %s", #call, err_name(ok_err_), scope_detail((s), ok_err_));      \
	} while (0)
#define ok(call) ok_in(&F.admin, call)
#define refused(call, e) assert_string_equal(err_name(call), err_name(e))

static inline struct scope scope_of(struct id tenant)
{
	struct scope s;
	scope_tenant(&s, F.d.arena, F.d.db, F.keeper, tenant);
	s.now = F.now;
	return s;
}

/* Time passes for every scope that is made from now on. */
static inline void wait_us(int64_t us)
{
	F.now += us;
	F.admin = scope_of(F.tenant);
	F.other_admin = scope_of(F.other);
}

static inline struct record *record_of(struct scope *s, const struct resource *r, enum record_mode mode,
				       const char *json)
{
	json_t *body = NULL;
	struct record *rec = NULL;
	ok_in(s, json_read(s, json, strlen(json), &body));
	ok_in(s, record_parse(s, r, body, mode, API_V1, NULL, &rec));
	json_decref(body);
	return rec;
}

static inline struct id make_user(struct scope *s, const char *upn, const char *name)
{
	struct id id;
	const char *json = arena_printf(
		s->arena,
		"{\"accountEnabled\":true,\"displayName\":\"%s\",\"mailNickname\":\"x\",\"userPrincipalName\":\"%s\","
		"\"passwordProfile\":{\"password\":\"x\"}}",
		name, upn);
	ok_in(s, user_create(s, record_of(s, &RES_USER, RECORD_CREATE, json), &id));
	return id;
}

static inline struct id make_group(struct scope *s, const char *name)
{
	struct id id;
	ok_in(s, group_create(s,
			      record_of(s, &RES_GROUP, RECORD_CREATE,
					arena_printf(s->arena, "{\"displayName\":\"%s\"}", name)),
			      &id));
	return id;
}

static inline int fixture_up(void **state)
{
	static const struct id installation;
	char *detail = NULL;
	const char *engine = getenv("REEVE_TEST_ENGINE");
	struct installation made;
	struct application_secret secret;
	struct scope system, operator_;
	if (!fixture_open(&F.d, engine != NULL && strcmp(engine, "postgres") == 0 ? DB_POSTGRES : DB_SQLITE, NULL))
		return -1;
	strcpy(F.dir, "/tmp/reeve-devices-XXXXXX");
	assert_non_null(mkdtemp(F.dir));
	F.now = clock_now();
	const char *keeper = arena_printf(F.d.arena, "%s/keeper", F.dir);
	fixture_ok(keeper_create(keeper, "Test CA", F.now, &detail), detail);
	fixture_ok(keeper_open(keeper, &F.keeper, &detail), detail);
	scope_system(&system, F.d.arena, F.d.db, F.keeper);
	ok_in(&system, installation_init(&system, "Example Ltd", &made));
	operator_ = scope_of(installation);
	ok_in(&operator_, tenant_create(&operator_, "Other Ltd", SECRET_DEFAULT_US, &secret, &F.other));
	F.tenant = made.tenant;
	wait_us(0);
	F.user = make_user(&F.admin, "Ada@example.org", "Ada L");
	F.group = make_group(&F.admin, "Everyone");
	ok(group_add_member(&F.admin, F.group, F.user));
	return 0;
}

static inline int fixture_down(void **state)
{
	char command[128];
	keeper_close(F.keeper);
	fixture_close(&F.d);
	snprintf(command, sizeof command, "rm -rf %s", F.dir);
	return system(command);
}

/* ---- questions ---- */

struct question {
	const char *sql;
	struct db_value args[2];
	size_t n;
	int64_t ret;
	char *text;
};

static inline enum err question_run(struct scope *s, struct db_tx *tx, void *arg)
{
	struct question *q = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, q->sql, q->args, q->n, &r));
	q->text = NULL;
	q->ret = -1;
	if (db_next(r)) {
		struct db_value v = db_value_dup(r, 0, s->arena);
		q->ret = v.type == DB_INT ? v.i : -1;
		q->text = v.type == DB_TEXT ? arena_strndup(s->arena, v.p, v.n) : NULL;
	}
	return db_rows_err(r);
}

static inline struct question answer(struct scope *s, const char *sql, struct db_value v2, struct db_value v3)
{
	struct question q = {.sql = sql, .args = {v2, v3}};
	q.n = strstr(sql, "?3") != NULL ? 2 : strstr(sql, "?2") != NULL ? 1 : 0;
	ok_in(s, db_read(s, question_run, &q));
	return q;
}

static inline int64_t all_events(struct scope *s)
{
	return answer(s, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1", db_v_null(), db_v_null()).ret;
}

static inline int64_t events(struct scope *s, enum activity a)
{
	const char *type = activity_info(a)->type;
	return answer(s, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2",
		      db_v_text(type), db_v_null())
		.ret;
}

static inline int64_t failures(struct scope *s, enum activity a)
{
	return answer(s,
		      "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2 AND result <> ?3",
		      db_v_text(activity_info(a)->type), db_v_text("Success"))
		.ret;
}

/* Exactly one event, of this activity, between two looks. */
#define one_event(activity, call)                                                       \
	do {                                                                            \
		int64_t of_it_ = events(&F.admin, activity), all_ = all_events(&F.admin); \
		call;                                                                   \
		assert_int_equal(events(&F.admin, activity), of_it_ + 1);               \
		assert_int_equal(all_events(&F.admin), all_ + 1);                       \
	} while (0)
#define no_event(call)                                                                  \
	do {                                                                            \
		int64_t all_ = all_events(&F.admin);                                    \
		call;                                                                   \
		assert_int_equal(all_events(&F.admin), all_);                           \
	} while (0)

static inline const char *device_text(struct id device, const char *column)
{
	return answer(&F.admin,
		      arena_printf(F.d.arena, "SELECT %s FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2",
				   column),
		      db_v_id(&device), db_v_null())
		.text;
}

static inline int64_t device_count(const char *table, struct id device)
{
	return answer(&F.admin,
		      arena_printf(F.d.arena, "SELECT count(*) FROM %s WHERE tenant_id = ?1 AND device_id = ?2", table),
		      db_v_id(&device), db_v_null())
		.ret;
}

static inline const char *action_state_of(struct id device, const char *name)
{
	return answer(&F.admin,
		      "SELECT state FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 AND action_name = ?3 "
		      "ORDER BY requested_at DESC, action_id DESC",
		      db_v_id(&device), db_v_text(name))
		.text;
}

static inline const char *item_state_of(struct id device, struct id item)
{
	return answer(&F.admin,
		      "SELECT state FROM provisioned_items WHERE tenant_id = ?1 AND device_id = ?2 AND item_id = ?3",
		      db_v_id(&device), db_v_id(&item))
		.text;
}

static inline int64_t duties(struct id subject)
{
	return answer(&F.admin, "SELECT count(*) FROM duties WHERE tenant_id = ?1 AND subject_id = ?2",
		      db_v_id(&subject), db_v_null())
		.ret;
}

/* ---- a device ---- */

struct machine {
	struct id id;
	uint8_t fingerprint[32];
	struct issued_certificate certificate;
};

static inline const char *new_csr(void)
{
	char *key, *csr;
	fixture_ok(x509_make_request(F.d.arena, "device", &key, &csr), "csr");
	return csr;
}

static inline struct scope scope_of_machine(const struct machine *m)
{
	struct scope s = scope_of(F.tenant);
	s.actor = (struct actor){.type = ACTOR_DEVICE, .id = m->id, .name = "Reeve agent"};
	return s;
}

static inline struct enrollment_token new_token(bool company)
{
	struct enrollment_token t;
	ok(enrollment_token_create(&F.admin, F.user, company, 0, &t));
	return t;
}

static inline enum err try_enrol(const char *token, const struct accepted_terms *accepted, size_t n, bool provisioning,
				 struct machine *ret)
{
	struct scope s;
	struct enrolment e;
	struct enrolment_request r = {.token = token,
				      .csr_pem = new_csr(),
				      .accepted = accepted,
				      .accepted_n = n,
				      .device_name = "ada-laptop",
				      .manufacturer = "LENOVO",
				      .model = "X1",
				      .serial_number = "PF-1",
				      .os_name = "Debian",
				      .os_version = "12",
				      .provisioning = provisioning};
	scope_system(&s, F.d.arena, F.d.db, F.keeper);
	s.now = F.now;
	s.actor = (struct actor){.type = ACTOR_ANONYMOUS};
	TRY(device_enrol(&s, &r, &e));
	ret->id = e.device;
	ret->certificate = e.certificate;
	memcpy(ret->fingerprint, e.certificate.fingerprint, sizeof ret->fingerprint);
	return OK;
}

static inline struct machine new_machine(bool company, bool provisioning)
{
	struct machine m = {0};
	struct enrollment_token t = new_token(company);
	ok(try_enrol(t.text, NULL, 0, provisioning, &m));
	return m;
}

static inline enum err try_checkin(const struct machine *m, const struct inventory *inventory,
				   const struct item_report *items, size_t n, struct checkin_answer *ret)
{
	struct scope s = scope_of_machine(m);
	return device_checkin(&s,
			      &(struct checkin){.device = m->id,
						.fingerprint = m->fingerprint,
						.inventory = inventory,
						.items = items,
						.item_n = n},
			      ret);
}

static inline struct checkin_answer checkin(const struct machine *m, const struct inventory *inventory,
					    const struct item_report *items, size_t n)
{
	struct checkin_answer a;
	ok(try_checkin(m, inventory, items, n, &a));
	return a;
}

static inline enum err try_report(const struct machine *m, struct id action, enum action_state state, const char *error)
{
	struct scope s = scope_of_machine(m);
	struct action_report r = {action, state, error};
	bool more;
	return device_report(
		&s,
		&(struct device_report){.device = m->id, .fingerprint = m->fingerprint, .results = &r, .result_n = 1},
		&more);
}

static inline void settings(const char *json)
{
	json_t *body = NULL;
	ok(json_read(&F.admin, json, strlen(json), &body));
	ok(tenant_settings_patch(&F.admin, body));
	json_decref(body);
}

/* ---- items ---- */

static inline enum err try_item(struct scope *s, const struct item_kind *k, const char *json, struct id *ret)
{
	auto_json *body = NULL;
	TRY(json_read(s, json, strlen(json), &body));
	return item_create(s, k, body, API_V1, ret);
}

static inline struct id new_file_item(const char *path)
{
	struct id id;
	ok(try_item(&F.admin, &item_configuration,
		    arena_printf(F.d.arena,
				 "{\"@odata.type\":\"#microsoft.graph.linuxSettingsFileConfiguration\",\"displayName\":"
				 "\"motd\",\"path\":\"%s\","
				 "\"content\":\"hello {{displayName}}\"}",
				 path),
		    &id));
	return id;
}

static inline enum err try_assign(const struct item_kind *k, struct id item, const struct id *group)
{
	char id[ID_TEXT];
	auto_json *body = NULL;
	bool app = k == &item_app;
	const char *json =
		group == NULL
			? arena_printf(F.d.arena, "{\"%s\":[]}", app ? "mobileAppAssignments" : "assignments")
			: arena_printf(
				  F.d.arena,
				  "{\"%s\":[{%s\"target\":{\"@odata.type\":\"#microsoft.graph.groupAssignmentTarget\","
				  "\"groupId\":\"%s\"}}]}",
				  app ? "mobileAppAssignments" : "assignments", app ? "\"intent\":\"required\"," : "",
				  id_format(*group, id));
	TRY(json_read(&F.admin, json, strlen(json), &body));
	return item_assign(&F.admin, k, item, body);
}

#endif
