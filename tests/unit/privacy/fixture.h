/* SPDX-License-Identifier: Apache-2.0
 *
 * An installation with two tenants and three people, and canaries: a row in every table that the data map links to a
 * person, with a marker of its own in every column that can hold one.  The rows are made from the map, so a new table
 * is in these tests the day it is on the map.
 *
 * On SQLite (with-postgres.sh and REEVE_TEST_ENGINE: on PostgreSQL, where the raw scans are skipped).
 */
#ifndef REEVE_TESTS_PRIVACY_FIXTURE_H
#define REEVE_TESTS_PRIVACY_FIXTURE_H

#include "../../contract/db_fixture.h"
#include "audit/log/log.h"
#include "base/clock.h"
#include "codec/zip.h"
#include "crypto/digest.h"
#include "directory/installation.h"
#include "directory/tenant.h"
#include "directory/user.h"
#include "duty/duty.h"
#include "keeper/keeper.h"
#include "map/datamap.h"
#include "privacy/certificate/certificate.h"
#include "privacy/erasure/erasure.h"
#include "privacy/export/export.h"

#define HOST "reeve.example:8443"

#define ok_in(s, call)                                                                                \
	do {                                                                                          \
		enum err ok_err_ = (call);                                                            \
		if (ok_err_ != OK)                                                                    \
			fail_msg("%s: %s: %s", #call, err_name(ok_err_), scope_detail((s), ok_err_)); \
	} while (0)
#define refused(call, e) assert_string_equal(err_name(call), err_name(e))

enum { CANARIES_MAX = 1024, CANARY_TEXT = 96 };

struct canary {
	const struct map_column *column;
	bool company; /* of a company device's row */
	bool sealed;  /* not there as bytes */
	char text[CANARY_TEXT];
};

struct person {
	struct id tenant, user, personal, company;
	char tag[8];
	struct canary canary[CANARIES_MAX];
	size_t n;
};

struct fixture {
	struct db_fixture d;
	struct keeper *keeper;
	char dir[64];
	struct id tenant, other;
	struct person ann, bob, eve; /* ann and bob in the first tenant, eve in the other */
	int64_t now;
};

static struct fixture F;

static inline struct scope scope_of(struct id tenant)
{
	struct scope s;
	scope_tenant(&s, F.d.arena, F.d.db, F.keeper, tenant);
	s.now = F.now;
	return s;
}

static inline struct scope system_scope(void)
{
	struct scope s;
	scope_system(&s, F.d.arena, F.d.db, F.keeper);
	s.now = F.now;
	return s;
}

/* ---- rows from the map ---- */

/* Columns whose values a CHECK or a rule fixes. */
static inline const char *fixed_text(const struct map_column *c, bool company)
{
	static const struct {
		const char *table, *column, *value;
	} fixed[] = {
		{NULL, "platform", "linux"},
		{NULL, "item_type", "mobileApp"},
		{"provisioned_items", "state", "installed"},
		{"device_actions", "state", "done"},
		{"ownership_changes", "state", "done"},
		{NULL, "from_owner", "personal"},
		{NULL, "to_owner", "company"},
		{NULL, "ground", "consent"},
		{"device_actions", "action_name", "syncDevice"},
		{"device_actions", "asked_as", "syncDevice"},
		{"action_requests", "asked_as", "retire"},
		{"device_actions", "outcome", "returned"},
		{"data_policy_operations", "status", "failed"},
		{"managed_devices", "compliance_state", "compliant"},
		{"managed_devices", "management_state", "managed"},
		{NULL, "owed_name", ""},
		{"users", "user_type", "Member"},
		{NULL, "principal_type", "user"},
		{"operation_approval_requests", "state", "completed"},
		{"operation_approval_requests", "requester_type", "user"},
		{"operation_approval_requests", "approver_type", "user"},
		{"device_codes", "state", "allowed"},
		{"user_contacts", "kind", "email"},
		{"user_contacts", "source", "mail"},
		{"sessions", "kind", "browser"},
		{NULL, "request_type", "objection"}, /* an open access would hold the deletion */
		{"data_subject_requests", "state", "decided"},
		{NULL, "channel", "email"},
		{NULL, "regime", "gdpr"},
		{NULL, "identity_method", "document"},
		{NULL, "decision", "redacted"},
		{NULL, "disclosure", "full"},
		{NULL, "section", "nothing"}, /* decisions that decide nothing */
		{NULL, "reason_code", "third_party"},
		{"letters", "state", "failed"},
		{"notices", "kind", "alarm"},
		{"notices", "recipient_kind", "mail"},
		{"notices", "state", "delivered"},
		{NULL, "variant", "redacted"},
		{NULL, "form", "bundle"},
		{NULL, "format", "csv"},
		{NULL, "status", "completed"},
	};
	if (strcmp(c->name, "owner_type") == 0)
		return company ? "company" : "personal";
	for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
		if (strcmp(fixed[i].column, c->name) == 0 &&
		    (fixed[i].table == NULL || strcmp(fixed[i].table, c->table) == 0))
			return fixed[i].value;
	return NULL;
}

static inline const char *new_canary(struct person *p, const struct map_column *c, bool company)
{
	assert_true(p->n < CANARIES_MAX);
	struct canary *k = &p->canary[p->n++];
	k->column = c;
	k->company = company;
	const char *tail = strstr(c->category, "email") != NULL ? "@example.org" : "";
	snprintf(k->text, sizeof k->text, "%s%s-%s-%s-7q%s", p->tag, company ? "c" : "p", c->table, c->name, tail);
	for (char *x = k->text; *x != '\0'; x++)
		if (*x == '_')
			*x = '-';
	return k->text;
}

static inline struct db_value id_value(struct person *p, const struct map_column *c, bool company)
{
	struct id *id = arena_alloc(F.d.arena, sizeof *id);
	*id = id_new(F.now);
	if (strcmp(c->name, "tenant_id") == 0)
		*id = p->tenant;
	else if (strcmp(c->name, "user_id") == 0 || strcmp(c->name, "requested_by") == 0 ||
		 strcmp(c->name, "decided_by") == 0 || strcmp(c->name, "identity_checked_by") == 0)
		*id = p->user;
	else if (strcmp(c->name, "device_id") == 0)
		*id = company ? p->company : p->personal;
	return strncmp(c->name, "owed", 4) == 0 ? db_v_null() : db_v_id(id);
}

static inline struct db_value value_for(struct person *p, const struct map_column *c, bool company)
{
	const char *fixed = fixed_text(c, company), *marker;
	static const char *const nulls[] = {"deleted_at", "revoked_at", "hidden_at", "hidden_reason", "used_at", "restricted_at"};
	if (fixed != NULL)
		return *fixed == '\0' ? db_v_null() : db_v_text(fixed);
	for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
		if (strcmp(nulls[i], c->name) == 0)
			return db_v_null();
	switch (c->type) {
	case MAP_TYPE_ID: return id_value(p, c, company);
	case MAP_TYPE_TIME: return db_v_int(strcmp(c->name, "expires_at") == 0 ? F.now + 20 * DAY_US : F.now);
	case MAP_TYPE_INT: return db_v_int(1);
	case MAP_TYPE_BOOL: return db_v_int(1);
	default: break;
	}
	marker = new_canary(p, c, company);
	if (c->type == MAP_TYPE_JSON)
		return db_v_text(arena_printf(F.d.arena, "[\"%s\"]", marker));
	if (c->type == MAP_TYPE_SEALED) {
		size_t n;
		p->canary[p->n - 1].sealed = true;
		void *sealed = keeper_seal(F.keeper, F.d.arena, marker, strlen(marker), &n);
		return db_v_blob(sealed, n);
	}
	return c->type == MAP_TYPE_BLOB ? db_v_blob(marker, strlen(marker)) : db_v_text(marker);
}

struct insertion {
	const char *sql;
	struct db_value v[80];
	size_t n;
};

static inline enum err insert_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct insertion *i = arg;
	return db_exec_text(tx, DB_REACH_TENANT, i->sql, i->v, i->n, NULL);
}

static inline void plant_row(struct person *p, const struct map_table *t, bool company)
{
	size_t n;
	const struct map_column *c = map_table_columns(t, &n);
	struct insertion in = {0};
	struct scope s = scope_of(p->tenant);
	char *names = arena_strdup(F.d.arena, "tenant_id"), *marks = arena_strdup(F.d.arena, "?1");
	for (size_t i = 0; i < n; i++) {
		if (strcmp(c[i].name, "tenant_id") == 0)
			continue;
		in.v[in.n++] = value_for(p, &c[i], company);
		names = arena_printf(F.d.arena, "%s, %s", names, c[i].name);
		marks = arena_printf(F.d.arena, "%s, ?%zu", marks, in.n + 1);
	}
	in.sql = arena_printf(F.d.arena, "INSERT INTO %s (%s) VALUES (%s)", t->name, names, marks);
	ok_in(&s, db_write(&s, insert_tx, &in));
}

static inline void plant(struct person *p, struct id tenant, const char *tag)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	*p = (struct person){
		.tenant = tenant, .user = id_new(F.now), .personal = id_new(F.now), .company = id_new(F.now)};
	strcpy(p->tag, tag);
	for (size_t i = 0; i < n; i++) {
		bool per_device = map_column(t[i].name, "device_id") != NULL && t[i].link != MAP_LINK_NONE;
		if (t[i].link == MAP_LINK_NONE || t[i].link == MAP_LINK_AUDIT)
			continue;
		if (strcmp(t[i].name, "legal_hold_members") == 0)
			continue; /* who is held is not erased */
		plant_row(p, &t[i], false);
		if (per_device)
			plant_row(p, &t[i], true);
	}
}

static inline const char *canary_of(const struct person *p, const char *table, const char *column, bool company)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->canary[i].company == company && strcmp(p->canary[i].column->table, table) == 0 &&
		    strcmp(p->canary[i].column->name, column) == 0)
			return p->canary[i].text;
	fail_msg("no canary in %s.%s", table, column);
	return NULL;
}

/* ---- life ---- */

static inline int fixture_up(void **state)
{
	static const struct id installation;
	char *detail = NULL;
	const char *engine = getenv("REEVE_TEST_ENGINE");
	struct installation made;
	struct application_secret secret;
	if (!fixture_open(&F.d, engine != NULL && strcmp(engine, "postgres") == 0 ? DB_POSTGRES : DB_SQLITE, NULL))
		return -1;
	strcpy(F.dir, "/tmp/reeve-privacy-XXXXXX");
	assert_non_null(mkdtemp(F.dir));
	F.now = clock_now();
	const char *keeper = arena_printf(F.d.arena, "%s/keeper", F.dir);
	fixture_ok(keeper_create(keeper, "Test CA", F.now, &detail), detail);
	fixture_ok(keeper_open(keeper, &F.keeper, &detail), detail);
	struct scope system = system_scope(), operator_ = scope_of(installation);
	ok_in(&system, installation_init(&system, "First Ltd", &made));
	ok_in(&operator_, tenant_create(&operator_, "Second Ltd", SECRET_DEFAULT_US, &secret, &F.other));
	F.tenant = made.tenant;
	plant(&F.ann, F.tenant, "ann");
	plant(&F.bob, F.tenant, "bob");
	plant(&F.eve, F.other, "eve");
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
	struct db_value v;
	enum db_reach reach;
	size_t n;
	int64_t ret;
	char *text;
};

static inline enum err question_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct question *q = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, q->reach, q->sql, &q->v, q->n, &r));
	q->ret = -1;
	q->text = NULL;
	if (db_next(r)) {
		struct db_value v = db_value_dup(r, 0, s->arena);
		q->ret = v.type == DB_INT ? v.i : -1;
		q->text = v.type == DB_TEXT ? arena_strndup(s->arena, v.p, v.n) : NULL;
	}
	return db_rows_err(r);
}

static inline struct question ask(struct id tenant, const char *sql, struct db_value v)
{
	struct scope s = scope_of(tenant);
	struct question q = {.sql = sql, .v = v, .reach = DB_REACH_TENANT, .n = strstr(sql, "?2") != NULL};
	ok_in(&s, db_read(&s, question_tx, &q));
	return q;
}

struct planned {
	const char *sql;
	struct db_value v;
	const char *text;
};

static inline enum err planned_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct planned *p = arg;
	auto_rows struct db_rows *r = NULL;
	p->text = "";
	TRY(db_query_text(tx, DB_REACH_TENANT, p->sql, &p->v, 1, &r));
	while (db_next(r))
		p->text = arena_printf(s->arena, "%s%s\n", p->text, db_text(r, 3));
	return db_rows_err(r);
}

/* How SQLite would run it. */
static inline const char *plan_of(struct id tenant, const char *sql, struct db_value v)
{
	struct scope s = scope_of(tenant);
	struct planned p = {.sql = arena_printf(F.d.arena, "EXPLAIN QUERY PLAN %s", sql), .v = v};
	ok_in(&s, db_read(&s, planned_tx, &p));
	return p.text;
}

static inline int64_t ask_all(const char *sql, struct db_value v)
{
	struct scope s = system_scope();
	struct question q = {.sql = sql, .v = v, .reach = DB_REACH_GLOBAL, .n = strstr(sql, "?1") != NULL};
	ok_in(&s, db_read(&s, question_tx, &q));
	return q.ret;
}

static inline void run_sql(struct id tenant, const char *sql, struct db_value v)
{
	struct scope s = scope_of(tenant);
	struct insertion in = {.sql = sql, .v = {v}, .n = strstr(sql, "?2") != NULL};
	ok_in(&s, db_write(&s, insert_tx, &in));
}

/* ---- every row of a person or a tenant, as one hash ---- */

struct dump {
	struct sha256_stream *h;
	const struct person *person; /* NULL: all of the tenant */
};

static inline enum err dump_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct dump *d = arg;
	size_t n;
	const struct map_table *t = map_tables(&n);
	for (size_t i = 0; i < n; i++) {
		const char *where = "t.tenant_id = ?1";
		struct db_value who = d->person == NULL ? db_v_null() : db_v_id(&d->person->user);
		auto_rows struct db_rows *r = NULL;
		if (t[i].domain == MAP_DOMAIN_INSTALLATION || t[i].domain == MAP_DOMAIN_LOG ||
		    t[i].domain == MAP_DOMAIN_EVIDENCE)
			continue;
		if (d->person != NULL && t[i].link == MAP_LINK_NONE)
			continue;
		if (d->person != NULL)
			where = t[i].link == MAP_LINK_USER
					? "t.tenant_id = ?1 AND t.user_id = ?2"
					: "t.tenant_id = ?1 AND t.device_id IN (SELECT d.device_id FROM "
					  "managed_devices d "
					  "WHERE d.tenant_id = ?1 AND d.user_id = ?2)";
		TRY(db_query_text(
			tx, DB_REACH_TENANT,
			arena_printf(s->arena, "SELECT t.* FROM %s t WHERE %s ORDER BY 1, 2, 3", t[i].name, where),
			&who, d->person != NULL, &r));
		while (db_next(r))
			for (int col = 0; col < db_columns(r); col++) {
				struct db_value v = db_value_dup(r, col, s->arena);
				sha256_update(d->h, &v.type, sizeof v.type);
				sha256_update(d->h, &v.i, sizeof v.i);
				if (v.n > 0)
					sha256_update(d->h, v.p, v.n);
			}
		TRY(db_rows_err(r));
	}
	return OK;
}

static inline char *dump_of(struct id tenant, const struct person *p)
{
	struct scope s = scope_of(tenant);
	struct dump d = {.h = sha256_new(), .person = p};
	uint8_t hash[SHA256_BYTES];
	char *hex = arena_alloc(F.d.arena, 2 * SHA256_BYTES + 1);
	ok_in(&s, db_read(&s, dump_tx, &d));
	sha256_final(d.h, hash);
	hex_encode(hash, sizeof hash, hex);
	return hex;
}

/* ---- the bytes ---- */

static inline char *slurp(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	*ret_n = 0;
	if (f == NULL)
		return NULL;
	fseek(f, 0, SEEK_END);
	*ret_n = (size_t)ftell(f);
	rewind(f);
	char *p = malloc(*ret_n + 1);
	assert_int_equal(fread(p, 1, *ret_n, f), *ret_n);
	p[*ret_n] = '\0';
	fclose(f);
	return p;
}

/* Whether the text stands in the database file or its WAL, read with nothing of the server's. */
static inline bool on_disk(const char *text)
{
	static const char *const suffix[] = {"", "-wal"};
	bool found = false;
	for (size_t i = 0; i < 2 && !found; i++) {
		size_t n;
		char *p = slurp(arena_printf(F.d.arena, "%s%s", F.d.file, suffix[i]), &n);
		found = p != NULL && memmem(p, n, text, strlen(text)) != NULL;
		free(p);
	}
	return found;
}

/* ---- duties ---- */

static inline void erase_forever(const struct person *p)
{
	struct scope s = scope_of(p->tenant);
	ok_in(&s, user_delete(&s, p->user));
	ok_in(&s, user_delete_forever(&s, p->user));
}

/* What the sequencer's thread does: a purged tenant's archive waits for it. */
static inline void sequence_logs(void)
{
	for (bool more = true; more;) {
		struct scope s = system_scope();
		ok_in(&s, audit_sequence(&s, HOST, &more));
	}
}

static inline void run_erasure(void)
{
	bool more = true;
	for (int i = 0; more && i < 1000; i++) {
		struct scope s = system_scope();
		ok_in(&s, erasure_run_due(&s, F.dir, HOST, &more));
		sequence_logs();
	}
	assert_false(more);
	for (int i = 0; i < 5; i++) { /* steps that wait for the sequencer */
		struct scope s = system_scope();
		ok_in(&s, erasure_run_due(&s, F.dir, HOST, &more));
		sequence_logs();
	}
}

static inline int64_t duties_in(struct id tenant, const char *state)
{
	return ask(tenant, "SELECT count(*) FROM duties WHERE tenant_id = ?1 AND state = ?2", db_v_text(state)).ret;
}

#endif
