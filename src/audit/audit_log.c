/* SPDX-License-Identifier: Apache-2.0
 *
 * Life of a leaf:
 *   1. audit_record() commits the event and a row of audit_pending.
 *   2. audit_sequence() gives each pending event the next index of its tenant's log (audit_leaves) and drops it from audit_pending, in one
 *      transaction: the log has no gap and no event twice.
 *   3. The keeper extends its own compact range by the new leaf hashes and signs the head; it is on the keeper's disk first.
 *   4. The checkpoint is stored in audit_heads.
 * A crash between 2 and 4 is healed by the next tick: what is signed lags what is sequenced, never the other way round.  Where the
 * keeper has signed more than the database holds, the database was rolled back: nothing is signed any more and it is loud.
 */
#include "audit/audit_log.h"

#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/audit_internal.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "db/db.h"
#include "keeper/keeper.h"
#include "keeper/merkle.h"

DB_GLOBAL(audit_tenants_to_sequence, "SELECT DISTINCT tenant_id FROM audit_pending LIMIT ?1");
DB_GLOBAL(audit_heads_to_sign, "SELECT tenant_id, size, signed_size FROM audit_heads WHERE size > signed_size OR checkpoint IS NULL LIMIT ?1");
DB_GLOBAL(audit_heads_all, "SELECT tenant_id, size, signed_size FROM audit_heads WHERE tenant_id > ?1 ORDER BY tenant_id LIMIT ?2");
DB_TENANT(audit_pending_page,
	  "SELECT p.event_id, e.commitment FROM audit_pending p JOIN audit_events e ON e.tenant_id = p.tenant_id AND e.event_id = p.event_id "
	  "WHERE p.tenant_id = ?1 ORDER BY p.event_id LIMIT ?2");
DB_TENANT(audit_head_size, "SELECT size FROM audit_heads WHERE tenant_id = ?1");
DB_TENANT(audit_leaf_insert, "INSERT INTO audit_leaves (tenant_id, leaf_index, event_id, commitment) VALUES (?1, ?2, ?3, ?4)");
DB_TENANT(audit_pending_drop, "DELETE FROM audit_pending WHERE tenant_id = ?1 AND event_id = ?2");
DB_TENANT(audit_head_grow,
	  "INSERT INTO audit_heads (tenant_id, size, signed_size) VALUES (?1, ?2, 0) "
	  "ON CONFLICT (tenant_id) DO UPDATE SET size = excluded.size");
DB_TENANT(audit_head_signed, "UPDATE audit_heads SET signed_size = ?2, checkpoint = ?3 WHERE tenant_id = ?1 AND signed_size <= ?2");
DB_TENANT(audit_head_checkpoint, "SELECT checkpoint FROM audit_heads WHERE tenant_id = ?1");
DB_TENANT(audit_leaves_page,
	  "SELECT commitment FROM audit_leaves WHERE tenant_id = ?1 AND leaf_index >= ?2 ORDER BY leaf_index LIMIT ?3");
DB_TENANT(audit_leaves_open,
	  "SELECT l.leaf_index, l.commitment, l.event_id, e.bytes, e.salt FROM audit_leaves l LEFT JOIN audit_events e "
	  "ON e.tenant_id = l.tenant_id AND e.event_id = l.event_id WHERE l.tenant_id = ?1 AND l.leaf_index >= ?2 "
	  "ORDER BY l.leaf_index LIMIT ?3");

enum { SEQUENCE_PAGE = 512, SIGN_PAGE = 4096, TENANTS_PAGE = 256, VERIFY_PAGE = 1000 };

char *audit_origin(struct arena *a, const char *host, struct id tenant)
{
	char text[ID_TEXT];
	return arena_printf(a, "%s/log/%s", host, id_format(tenant, text));
}

/* ---- step 2: from pending to leaves ---- */

struct pending {
	struct id event;
	uint8_t commitment[AUDIT_COMMITMENT_BYTES];
};

struct sequence_page {
	size_t n;
	uint64_t size;
};

static enum err load_pending(struct db_tx *tx, struct pending *out, size_t *ret_n)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_pending_page, DB_ARGS(db_v_int(SEQUENCE_PAGE)), &r));
	size_t n = 0, len;
	while (db_next(r)) {
		const void *c = db_blob(r, 1, &len);
		check(len == AUDIT_COMMITMENT_BYTES && n < SEQUENCE_PAGE);
		out[n].event = db_id(r, 0);
		memcpy(out[n++].commitment, c, AUDIT_COMMITMENT_BYTES);
	}
	*ret_n = n;
	return db_rows_err(r);
}

static enum err head_size(struct db_tx *tx, uint64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &audit_head_size, DB_NOARGS, &r);
	*ret = err == OK ? (uint64_t)db_int(r, 0) : 0;
	return err == ERR_NOT_FOUND ? OK : err;
}

static enum err sequence_closure(struct scope *s, struct db_tx *tx, void *arg)
{
	struct sequence_page *page = arg;
	struct pending *events = arena_alloc(s->arena, SEQUENCE_PAGE * sizeof *events);
	TRY(load_pending(tx, events, &page->n));
	if (page->n == 0)
		return OK;
	TRY(head_size(tx, &page->size));
	for (size_t i = 0; i < page->n; i++) {
		TRY(db_exec(tx, &audit_leaf_insert,
			    DB_ARGS(db_v_int((int64_t)page->size++), db_v_id(&events[i].event),
				    db_v_blob(events[i].commitment, AUDIT_COMMITMENT_BYTES)),
			    NULL));
		TRY(db_exec(tx, &audit_pending_drop, DB_ARGS(db_v_id(&events[i].event)), NULL));
	}
	return db_exec(tx, &audit_head_grow, DB_ARGS(db_v_int((int64_t)page->size)), NULL);
}

static enum err sequence_tenant(struct scope *s, struct id tenant, bool *ret_more)
{
	struct scope t;
	struct sequence_page page = {0};
	scope_tenant(&t, s->arena, s->db, s->keeper, tenant);
	struct arena_mark mark = arena_mark(s->arena);
	enum err err = db_write(&t, sequence_closure, &page);
	arena_rewind(s->arena, mark);
	*ret_more |= page.n == SEQUENCE_PAGE;
	return err;
}

struct tenant_list {
	struct id id[TENANTS_PAGE];
	uint64_t size[TENANTS_PAGE], signed_size[TENANTS_PAGE];
	size_t n;
};

static enum err list_pending_tenants(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant_list *list = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_tenants_to_sequence, DB_ARGS(db_v_int(TENANTS_PAGE)), &r));
	for (list->n = 0; db_next(r); list->n++)
		list->id[list->n] = db_id(r, 0);
	return db_rows_err(r);
}

/* ---- steps 3 and 4: signing ---- */

static enum err list_unsigned_heads(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant_list *list = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_heads_to_sign, DB_ARGS(db_v_int(TENANTS_PAGE)), &r));
	for (list->n = 0; db_next(r); list->n++) {
		list->id[list->n] = db_id(r, 0);
		list->size[list->n] = (uint64_t)db_int(r, 1);
		list->signed_size[list->n] = (uint64_t)db_int(r, 2);
	}
	return db_rows_err(r);
}

struct growth {
	struct id tenant;
	uint64_t from;
	uint8_t (*hashes)[SHA256_BYTES];
	size_t n;
	const char *checkpoint;
};

static enum err load_hashes(struct scope *s, struct db_tx *tx, void *arg)
{
	struct growth *g = arg;
	g->hashes = arena_alloc(s->arena, SIGN_PAGE * sizeof *g->hashes);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_leaves_page, DB_ARGS(db_v_int((int64_t)g->from), db_v_int(SIGN_PAGE)), &r));
	for (g->n = 0; db_next(r); g->n++) {
		size_t len;
		const void *c = db_blob(r, 0, &len);
		merkle_leaf_hash(c, len, g->hashes[g->n]);
	}
	return db_rows_err(r);
}

static enum err store_checkpoint(struct scope *s, struct db_tx *tx, void *arg)
{
	struct growth *g = arg;
	return db_exec(tx, &audit_head_signed, DB_ARGS(db_v_int((int64_t)(g->from + g->n)), db_v_text(g->checkpoint)), NULL);
}

/* Where the keeper stands; 0 for a log that it never signed. */
static enum err keeper_size(struct scope *s, const char *origin, uint64_t *ret)
{
	uint8_t root[SHA256_BYTES];
	enum err err = keeper_head(s->keeper, s, origin, ret, root);
	if (err != ERR_NOT_FOUND)
		return err;
	*ret = 0;
	return OK;
}

static enum err load_growth(struct scope *s, struct id tenant, uint64_t size, const char *origin, struct growth *g)
{
	struct scope t;
	scope_tenant(&t, s->arena, s->db, s->keeper, tenant);
	g->tenant = tenant;
	TRY(keeper_size(s, origin, &g->from));
	if (g->from > size) {
		log_event(LOG_ERROR, "audit_log_rolled_back", "origin=%s database_size=%llu signed_size=%llu", origin,
			  (unsigned long long)size, (unsigned long long)g->from);
		g->from = size;
		g->n = 0;
		return ERR_CONFLICT;
	}
	return db_read(&t, load_hashes, g);
}

static enum err sign_heads(struct scope *s, const char *host, bool *ret_more)
{
	struct tenant_list *list = arena_alloc(s->arena, sizeof *list);
	TRY(db_read(s, list_unsigned_heads, list));
	struct growth *g = arena_alloc(s->arena, (list->n + 1) * sizeof *g);
	struct keeper_growth *k = arena_alloc(s->arena, (list->n + 1) * sizeof *k);
	size_t n = 0;
	for (size_t i = 0; i < list->n; i++) {
		char *origin = audit_origin(s->arena, host, list->id[i]);
		if (load_growth(s, list->id[i], list->size[i], origin, &g[n]) != OK)
			continue; /* loud already; the other logs go on */
		*ret_more |= g[n].n == SIGN_PAGE;
		k[n] = (struct keeper_growth){.origin = origin, .old_size = g[n].from, .leaf_hashes = (const void *)g[n].hashes,
					      .n = g[n].n};
		n++;
	}
	if (n == 0)
		return OK;
	TRY(keeper_sign_heads(s->keeper, s, k, n));
	for (size_t i = 0; i < n; i++) {
		struct scope t;
		scope_tenant(&t, s->arena, s->db, s->keeper, g[i].tenant);
		g[i].checkpoint = k[i].checkpoint;
		if (k[i].err == OK)
			TRY(db_write(&t, store_checkpoint, &g[i]));
	}
	return OK;
}

enum err audit_sequence(struct scope *s, const char *host, bool *ret_more)
{
	*ret_more = false;
	struct tenant_list *list = arena_alloc(s->arena, sizeof *list);
	TRY(db_read(s, list_pending_tenants, list));
	*ret_more = list->n == TENANTS_PAGE;
	for (size_t i = 0; i < list->n; i++)
		TRY(sequence_tenant(s, list->id[i], ret_more));
	return sign_heads(s, host, ret_more);
}

/* ---- reading and checking ---- */

static enum err load_checkpoint(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &audit_head_checkpoint, DB_NOARGS, &r));
	*(char **)arg = db_text_dup(r, 0, s->arena);
	return OK;
}

enum err audit_checkpoint(struct scope *s, char **ret_note)
{
	*ret_note = NULL;
	enum err err = db_read(s, load_checkpoint, ret_note);
	if (err == OK && *ret_note == NULL)
		err = ERR_NOT_FOUND;
	return err == ERR_NOT_FOUND ? scope_fail(s, err, "no checkpoint has been signed yet") : err;
}

struct head_page {
	struct id after;
	struct tenant_list list;
};

static enum err load_heads(struct scope *s, struct db_tx *tx, void *arg)
{
	struct head_page *p = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_heads_all, DB_ARGS(db_v_id(&p->after), db_v_int(TENANTS_PAGE)), &r));
	for (p->list.n = 0; db_next(r); p->list.n++) {
		p->list.id[p->list.n] = db_id(r, 0);
		p->list.size[p->list.n] = (uint64_t)db_int(r, 1);
	}
	return db_rows_err(r);
}

enum err audit_check_heads(struct scope *s, const char *host)
{
	struct head_page *p = arena_alloc(s->arena, sizeof *p);
	do {
		TRY(db_read(s, load_heads, p));
		for (size_t i = 0; i < p->list.n; i++) {
			char *origin = audit_origin(s->arena, host, p->list.id[i]);
			uint64_t signed_size;
			TRY(keeper_size(s, origin, &signed_size));
			if (signed_size > p->list.size[i])
				return scope_fail(s, ERR_CONFLICT, "log %s has %llu events in the database, but a head of %llu was signed: "
						  "the database is older than the keeper (was it restored?)", origin,
						  (unsigned long long)p->list.size[i], (unsigned long long)signed_size);
			p->after = p->list.id[i];
		}
	} while (p->list.n == TENANTS_PAGE);
	return OK;
}

struct verify_state {
	struct merkle_range range;
	uint64_t events, stop;  /* stop: the last signed size; the root is compared exactly there */
	uint8_t root_at_stop[SHA256_BYTES];
	size_t n;
};

/* Bytes and salt must open the commitment.  A leaf without an event is one whose retention ended. */
static enum err open_commitment(struct scope *s, struct verify_state *v, struct db_rows *r, const void *commitment, unsigned long long at)
{
	size_t bytes_n, salt_n;
	uint8_t made[AUDIT_COMMITMENT_BYTES];
	if (db_is_null(r, 2))
		return OK;
	const void *bytes = db_blob(r, 3, &bytes_n), *salt = db_blob(r, 4, &salt_n);
	if (bytes == NULL || salt == NULL || salt_n != AUDIT_SALT_BYTES)
		return scope_fail(s, ERR_CONFLICT, "the event at index %llu is missing inside its retention", at);
	audit_commitment(bytes, bytes_n, salt, made);
	if (!bytes_equal(made, commitment, AUDIT_COMMITMENT_BYTES))
		return scope_fail(s, ERR_CONFLICT, "the event at index %llu was changed: it does not open its commitment", at);
	v->events++;
	return OK;
}

static enum err verify_row(struct scope *s, struct verify_state *v, struct db_rows *r)
{
	size_t len;
	const void *commitment = db_blob(r, 1, &len);
	uint8_t hash[SHA256_BYTES];
	if ((uint64_t)db_int(r, 0) != v->range.size || len != AUDIT_COMMITMENT_BYTES)
		return scope_fail(s, ERR_CONFLICT, "the log has a gap at index %llu", (unsigned long long)v->range.size);
	TRY(open_commitment(s, v, r, commitment, v->range.size));
	merkle_leaf_hash(commitment, len, hash);
	merkle_append(&v->range, hash);
	if (v->range.size == v->stop)
		merkle_root(&v->range, v->root_at_stop);
	v->n++;
	return OK;
}

static enum err verify_page(struct scope *s, struct db_tx *tx, void *arg)
{
	struct verify_state *v = arg;
	auto_rows struct db_rows *r = NULL;
	v->n = 0;
	TRY(db_query(tx, &audit_leaves_open, DB_ARGS(db_v_int((int64_t)v->range.size), db_v_int(VERIFY_PAGE)), &r));
	while (db_next(r))
		TRY(verify_row(s, v, r));
	return db_rows_err(r);
}

enum err audit_verify_all(struct scope *s, const char *host, uint64_t *ret_events, uint64_t *ret_leaves)
{
	struct verify_state v = {.stop = 0};
	uint8_t signed_root[SHA256_BYTES];
	enum err err = keeper_head(s->keeper, s, audit_origin(s->arena, host, s->tenant), &v.stop, signed_root);
	bool has_head = err == OK;
	if (err != OK && err != ERR_NOT_FOUND)
		return err;
	s->detail = NULL;
	do
		TRY(db_read(s, verify_page, &v));
	while (v.n == VERIFY_PAGE);
	if (has_head && v.range.size < v.stop)
		return scope_fail(s, ERR_CONFLICT, "the log ends at index %llu, but a head of size %llu was signed",
				  (unsigned long long)v.range.size, (unsigned long long)v.stop);
	if (has_head && v.stop > 0 && !bytes_equal(v.root_at_stop, signed_root, SHA256_BYTES))
		return scope_fail(s, ERR_CONFLICT, "the log's root at size %llu is not the signed one", (unsigned long long)v.stop);
	*ret_events = v.events;
	*ret_leaves = v.range.size;
	return OK;
}
