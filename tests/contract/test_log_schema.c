/* SPDX-License-Identifier: Apache-2.0
 *
 * A database of the first schema comes over with its log: every event, every place and every commitment, and the tree's root is the old
 * one.  Commitments stood there as 33 bytes, the version first, one to a row.
 */
#include "db_fixture.h"

#include "audit/audit_internal.h"
#include "audit/log/log.h"
#include "audit/audit_retention.h"
#include "audit/log/tiles.h"
#include "base/clock.h"
#include "tlog/merkle.h"

enum { LEAVES = 700, PENDING = 5, EXPIRED = 40 };

static const struct id tenants[] = {{{0xaa, 1}}, {{0xbb, 2}}};

static struct place {
	struct db_fixture d;
	struct db_migration first[2];
	struct id tenant;
	struct scope s;
	uint8_t root[2][SHA256_BYTES];
} F;

#define OKAY(call)                                                                   \
	do {                                                                         \
		enum err e_ = (call);                                                \
		if (e_ != OK)                                                        \
			fail_msg("%s: %s", err_name(e_), scope_detail(&F.s, e_));    \
	} while (0)

static void as(size_t which)
{
	arena_reset(F.d.arena);
	F.tenant = tenants[which];
	scope_tenant(&F.s, F.d.arena, F.d.db, NULL, F.tenant);
}

/* ---- the old log ---- */

struct old_event {
	struct id id;
	uint8_t salt[32], commitment[33];
	char bytes[512];
};

static struct old_event old_event(const struct scope *s, int i)
{
	struct old_event e = {.id = {{0x01, (uint8_t)(i >> 8), (uint8_t)i, s->tenant.b[0]}}};
	memset(e.salt, i, sizeof e.salt);
	snprintf(e.bytes, sizeof e.bytes,
		 "{\"schema\":1,\"event\":{\"id\":\"%d\",\"correlationId\":\"0190aaaa-bbbb-7ccc-8ddd-00000000%04d\",\"actor\":{\"auditActorType\":\"IW\","
		 "\"applicationDisplayName\":null,\"ipAddress\":\"192.0.2.%d\"},\"resources\":[{\"displayName\":\"Gr\xc3\xbc\xc3\x9f""e %d\","
		 "\"auditResourceType\":\"Group\"}]}}", i, i, i % 250, i);
	e.commitment[0] = 1;
	audit_commitment(e.bytes, strlen(e.bytes), e.salt, e.commitment + 1);
	return e;
}

static enum err put_event(struct db_tx *tx, const struct old_event *e, int64_t at)
{
	struct db_value args[] = {db_v_id(&e->id), db_v_int(at), db_v_int(at + 365 * DAY_US), db_v_blob(e->bytes, strlen(e->bytes)),
				  db_v_blob(e->salt, sizeof e->salt), db_v_blob(e->commitment, sizeof e->commitment)};
	return db_exec_text(tx, DB_REACH_TENANT,
			    "INSERT INTO audit_events (tenant_id, event_id, at, expires_at, bytes, salt, commitment, category, activity_type, "
			    "operation, result, component, actor_upn) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'Group', 'create Group', 'Create', "
			    "'Success', 'Directory', 'ann@example.org')", args, 6, NULL);
}

static bool expired(int i) { return i == 0 || (i >= 10 && i < 10 + EXPIRED - 1); }

static enum err fill_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct merkle_range range = {.size = 0};
	uint8_t hash[SHA256_BYTES];
	for (int i = 0; i < LEAVES + PENDING; i++) {
		struct old_event e = old_event(s, i);
		bool gone = expired(i);
		if (!gone)
			TRY(put_event(tx, &e, s->now));
		if (i >= LEAVES) {
			TRY(db_exec_text(tx, DB_REACH_TENANT, "INSERT INTO audit_pending (tenant_id, event_id) VALUES (?1, ?2)",
					 DB_ARGS(db_v_id(&e.id)), NULL));
			continue;
		}
		TRY(db_exec_text(tx, DB_REACH_TENANT, "INSERT INTO audit_leaves (tenant_id, leaf_index, event_id, commitment) VALUES (?1, ?2, ?3, ?4)",
				 DB_ARGS(db_v_int(i), db_v_id(gone ? NULL : &e.id), db_v_blob(e.commitment, sizeof e.commitment)), NULL));
		merkle_leaf_hash(e.commitment, sizeof e.commitment, hash);
		merkle_append(&range, hash);
	}
	merkle_root(&range, arg);
	return db_exec_text(tx, DB_REACH_TENANT, "INSERT INTO audit_heads (tenant_id, size, signed_size, checkpoint) VALUES (?1, ?2, ?2, 'note')",
			    DB_ARGS(db_v_int(LEAVES)), NULL);
}

static int up(void **state)
{
	F.first[0] = db_migrations[0];
	if (!fixture_open(&F.d, *(const enum db_engine *)*state, F.first))
		return 0;
	for (size_t i = 0; i < 2; i++) {
		as(i);
		OKAY(db_write(&F.s, fill_tx, F.root[i]));
	}
	return 0;
}

static int down(void **state)
{
	fixture_close(&F.d);
	return 0;
}

static void migrate(void)
{
	char *why = NULL;
	db_close(F.d.db);
	fixture_ok(db_open(&(struct db_options){.url = F.d.app_url, .owner_url = F.d.owner_url}, &F.d.db, &why), why);
}

/* ---- the new one ---- */

#define WANT(cond)                                                                            \
	do {                                                                                  \
		if (!(cond))                                                                  \
			return scope_fail(s, ERR_STATE, "%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

static enum err tree_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct merkle_range range = {.size = 0};
	uint8_t hashes[TILE_WIDTH][SHA256_BYTES], root[SHA256_BYTES];
	while (range.size < LEAVES) {
		const uint8_t(*commitments)[SHA256_BYTES];
		struct tile t = {.entries = true, .index = range.size / TILE_WIDTH};
		t.width = tile_width(LEAVES, 0, t.index);
		TRY(audit_tiles_read(tx, &t, &commitments));
		entry_hashes(commitments, t.width, hashes);
		for (unsigned i = 0; i < t.width; i++)
			merkle_append(&range, hashes[i]);
	}
	merkle_root(&range, root);
	WANT(memcmp(root, arg, SHA256_BYTES) == 0);
	return OK;
}

/* Every event opens the commitment at its place, and has what the new columns say of it. */
static enum err events_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	int n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT,
			  "SELECT l.leaf_index, e.bytes, e.salt, e.event_id, e.actor_type, e.actor_ip, e.resource_type, e.resource_name, e.actor_upn "
			  "FROM audit_leaves l JOIN audit_events e ON e.tenant_id = l.tenant_id AND e.event_id = l.event_id "
			  "WHERE l.tenant_id = ?1 ORDER BY l.leaf_index", DB_NOARGS, &r));
	for (; db_next(r); n++) {
		size_t len, salt;
		char name[32];
		struct old_event e = old_event(s, (int)db_int(r, 0));
		const void *bytes = db_blob(r, 1, &len);
		struct id id = db_id(r, 3);
		WANT(len == strlen(e.bytes) && memcmp(bytes, e.bytes, len) == 0);
		WANT(memcmp(db_blob(r, 2, &salt), e.salt, 32) == 0 && salt == 32);
		WANT(id_equal(id, e.id));
		WANT(strcmp(db_text(r, 4), "IW") == 0 && strncmp(db_text(r, 5), "192.0.2.", 8) == 0 && strcmp(db_text(r, 6), "Group") == 0);
		snprintf(name, sizeof name, "Gr\xc3\xbc\xc3\x9f""e %d", (int)db_int(r, 0));
		WANT(strcmp(db_text(r, 7), name) == 0 && strcmp(db_text(r, 8), "ann@example.org") == 0);
	}
	TRY(db_rows_err(r));
	WANT(n == LEAVES - EXPIRED);
	return OK;
}

static enum err pending_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	int n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, "SELECT event_id, commitment FROM audit_pending WHERE tenant_id = ?1 ORDER BY event_id", DB_NOARGS, &r));
	for (; db_next(r); n++) {
		size_t len;
		struct old_event e = old_event(s, LEAVES + n);
		WANT(id_equal(db_id(r, 0), e.id));
		WANT(memcmp(db_blob(r, 1, &len), e.commitment + 1, SHA256_BYTES) == 0 && len == SHA256_BYTES);
	}
	TRY(db_rows_err(r));
	WANT(n == PENDING);
	return OK;
}

static enum err removed_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	bool removed[LEAVES];
	TRY(audit_removed(tx, 0, LEAVES, removed));
	for (int i = 0; i < LEAVES; i++)
		WANT(removed[i] == expired(i));
	return OK;
}

static enum err size_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, "SELECT size, generation FROM audit_heads WHERE tenant_id = ?1", DB_NOARGS, &r));
	WANT(db_next(r) && db_int(r, 0) == LEAVES + PENDING && db_int(r, 1) == 1);
	return OK;
}

static void the_log_comes_over(void **state)
{
	if (F.d.admin_url == NULL)
		skip();
	migrate();
	for (size_t i = 0; i < 2; i++) {
		as(i);
		OKAY(db_read(&F.s, tree_tx, F.root[i]));
		OKAY(db_read(&F.s, events_tx, NULL));
		OKAY(db_read(&F.s, pending_tx, NULL));
		OKAY(db_read(&F.s, removed_tx, NULL));
	}
	/* and goes on */
	bool more = true;
	struct scope system;
	scope_system(&system, F.d.arena, F.d.db, NULL);
	while (more)
		OKAY(audit_integrate(&system, &more));
	as(1);
	OKAY(db_read(&F.s, size_tx, NULL));
	OKAY(db_read(&F.s, tree_tx, F.root[1]));
}

int main(void)
{
	static enum db_engine sqlite = DB_SQLITE, postgres = DB_POSTGRES;
	const struct CMUnitTest tests[] = {
		{"sqlite: the_log_comes_over", the_log_comes_over, up, down, &sqlite},
		{"postgres: the_log_comes_over", the_log_comes_over, up, down, &postgres},
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("log_schema", tests, NULL, NULL);
}
