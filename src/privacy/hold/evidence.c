/* SPDX-License-Identifier: Apache-2.0
 * Copies of events: found by the indexes of the log, in short batches that are read and written in one transaction. */
#include "privacy/hold/evidence.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "audit/audit_read.h"
#include "audit/commitment.h"
#include "keeper/keeper.h"
#include "privacy/hold/internal.h"
#include "resource/tables.h"

#define AHEAD_US DAY_US /* of retention, which runs every hour */
enum { BATCH = 50 };

/* Events of one member (?2) that expire up to ?4 and are not in the hold's (?3) evidence yet. */
#define EVENTS \
	"SELECT e.event_id, e.bytes, e.salt, (SELECT l.leaf_index FROM audit_leaves l WHERE l.tenant_id = ?1 AND l.event_id = e.event_id) " \
	"FROM audit_events e "
#define NOT_COPIED \
	" AND e.expires_at <= ?4 AND NOT EXISTS (SELECT 1 FROM legal_hold_evidence v WHERE v.tenant_id = ?1 AND v.hold_id = ?3 " \
	"AND v.event_id = e.event_id) LIMIT ?5"
DB_TENANT(evidence_about, EVENTS "WHERE e.tenant_id = ?1 AND e.subject_id = ?2" NOT_COPIED);
DB_TENANT(evidence_by, EVENTS "WHERE e.tenant_id = ?1 AND e.actor_id = ?2" NOT_COPIED);
DB_TENANT(evidence_on, EVENTS "WHERE e.tenant_id = ?1 AND e.resource_id = ?2" NOT_COPIED);
DB_TENANT(evidence_insert,
	  "INSERT INTO legal_hold_evidence (tenant_id, evidence_id, hold_id, user_id, event_id, leaf_index, event, copied_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING");

struct copying {
	const struct hold_member *m;
	struct db_stmt *stmt;
	int64_t until;
	size_t n; /* copied in this batch */
};

struct event {
	struct id event;
	struct db_value index;
	const void *sealed;
	size_t sealed_n;
};

static void seal_event(struct scope *s, const struct db_rows *r, struct event *e)
{
	size_t salt_n, n;
	const void *bytes = db_blob(r, 1, &n), *salt = db_blob(r, 2, &salt_n);
	auto_buf plain;
	buf_init(&plain, 4 * 1024 * 1024);
	check(salt_n == AUDIT_SALT_BYTES);
	buf_add(&plain, salt, salt_n);
	buf_add(&plain, bytes, n);
	check(!plain.failed);
	*e = (struct event){.event = db_id(r, 0), .index = db_is_null(r, 3) ? db_v_null() : db_v_int(db_int(r, 3))};
	e->sealed = keeper_seal(s->keeper, s->arena, plain.data, plain.len, &e->sealed_n);
}

static enum err copy_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct copying *c = arg;
	auto_rows struct db_rows *r = NULL;
	struct event *list = arena_alloc(s->arena, BATCH * sizeof *list);
	const struct id *key = c->stmt == &evidence_on ? &c->m->device : &c->m->user;
	TRY(db_query(tx, c->stmt, DB_ARGS(db_v_id(key), db_v_id(&c->m->hold), db_v_int(c->until), db_v_int(BATCH)), &r));
	for (c->n = 0; c->n < BATCH && db_next(r); c->n++)
		seal_event(s, r, &list[c->n]);
	TRY(db_rows_err(r));
	for (size_t i = 0; i < c->n; i++) {
		struct id id = scope_id(s);
		TRY(db_exec(tx, &evidence_insert,
			    DB_ARGS(db_v_id(&id), db_v_id(&c->m->hold), id_is_nil(c->m->user) ? db_v_null() : db_v_id(&c->m->user),
				    db_v_id(&list[i].event), list[i].index, db_v_blob(list[i].sealed, list[i].sealed_n), db_v_int(s->now)),
			    NULL));
	}
	return OK;
}

static enum err copy_all(struct scope *s, const struct hold_member *m, struct db_stmt *stmt, int64_t until, uint64_t *copied)
{
	struct copying c = {.m = m, .stmt = stmt, .until = until};
	do {
		struct arena_mark mark = arena_mark(s->arena);
		TRY(db_write_low(s, copy_tx, &c));
		*copied += c.n;
		arena_rewind(s->arena, mark);
	} while (c.n == BATCH);
	return OK;
}

static enum err copy_member(struct scope *s, const struct hold_member *m, int64_t until, uint64_t *copied)
{
	if (!id_is_nil(m->device))
		return copy_all(s, m, &evidence_on, until, copied);
	TRY(copy_all(s, m, &evidence_about, until, copied));
	return copy_all(s, m, &evidence_by, until, copied);
}

struct listing {
	struct id hold;
	struct hold_member *m;
	size_t n;
};

static enum err list_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct listing *l = arg;
	struct record *ignored;
	if (!id_is_nil(l->hold))
		TRY(hold_open(tx, l->hold, &ignored));
	return hold_members(tx, l->hold, &l->m, &l->n);
}

struct told {
	struct id hold;
	enum activity activity;
	uint64_t copied;
};

static enum err told_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct told *t = arg;
	struct record *r;
	struct audit_change *changes = NULL;
	TRY(record_load(tx, &RES_LEGAL_HOLD, t->hold, false, &r));
	if (t->activity == ACT_LEGAL_HOLD_EVIDENCE)
		audit_change_add(s->arena, &changes, "eventsCopied", NULL, NULL, NULL, arena_printf(s->arena, "%" PRIu64, t->copied));
	return hold_record(tx, t->activity, t->hold, record_text(s->arena, r, "displayName"), (struct id){{0}}, changes);
}

static enum err tell(struct scope *s, struct id hold, uint64_t copied)
{
	return copied == 0 ? OK : db_write_low(s, told_tx, &(struct told){.hold = hold, .activity = ACT_LEGAL_HOLD_EVIDENCE, .copied = copied});
}

enum err evidence_keep_expiring(struct scope *s)
{
	struct listing l = {0};
	TRY(db_read(s, list_tx, &l));
	for (size_t i = 0; i < l.n; i++) {
		uint64_t copied = 0;
		TRY(copy_member(s, &l.m[i], s->now + AHEAD_US, &copied));
		TRY(tell(s, l.m[i].hold, copied));
	}
	return OK;
}

enum err evidence_collect(struct scope *s, struct id hold, uint64_t *ret_copied)
{
	struct listing l = {.hold = hold};
	*ret_copied = 0;
	TRY(db_read(s, list_tx, &l));
	for (size_t i = 0; i < l.n; i++)
		TRY(copy_member(s, &l.m[i], INT64_MAX, ret_copied));
	return tell(s, hold, *ret_copied);
}

enum err evidence_record_read(struct scope *s, struct id hold)
{
	return db_write(s, told_tx, &(struct told){.hold = hold, .activity = ACT_LEGAL_HOLD_READ});
}

enum err evidence_write(struct scope *s, struct json_writer *w, const char *const *select, const void *sealed, size_t n)
{
	size_t plain_n, event_n;
	const char *plain = keeper_unseal(s->keeper, s->arena, sealed, n, &plain_n);
	if (plain == NULL || plain_n <= AUDIT_SALT_BYTES)
		return scope_fail(s, ERR_CONFIG, "the evidence was not sealed by this keeper");
	if (audit_selected(select, "event")) {
		const char *event = audit_event_member(plain + AUDIT_SALT_BYTES, plain_n - AUDIT_SALT_BYTES, &event_n);
		jw_key(w, "event");
		jw_raw(w, event, event_n);
	}
	if (audit_selected(select, "bytes")) {
		jw_key(w, "bytes");
		jw_base64(w, plain + AUDIT_SALT_BYTES, plain_n - AUDIT_SALT_BYTES);
	}
	if (audit_selected(select, "salt")) {
		jw_key(w, "salt");
		jw_base64(w, plain, AUDIT_SALT_BYTES);
	}
	return OK;
}
