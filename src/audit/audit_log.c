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
#include "audit/audit_tiles.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "db/db.h"
#include "keeper/keeper.h"
#include "tlog/merkle.h"

DB_GLOBAL(audit_heads_to_sign, "SELECT tenant_id, size, signed_size FROM audit_heads WHERE size > signed_size OR checkpoint IS NULL LIMIT ?1");
DB_GLOBAL(audit_heads_all, "SELECT tenant_id, size, signed_size FROM audit_heads WHERE tenant_id > ?1 ORDER BY tenant_id LIMIT ?2");
DB_TENANT(audit_head_signed,
	  "UPDATE audit_heads SET signed_size = ?2, checkpoint = ?3, signed_at = ?4 WHERE tenant_id = ?1 AND signed_size <= ?2");

enum { SIGN_PAGE = 4096, TENANTS_PAGE = 256 };

struct tenant_list {
	struct id id[TENANTS_PAGE];
	uint64_t size[TENANTS_PAGE], signed_size[TENANTS_PAGE];
	size_t n;
};

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
	uint64_t from, size;
	uint8_t (*hashes)[SHA256_BYTES];
	size_t n;
	const char *checkpoint;
};

/* The leaf hashes from g->from on, up to a page. */
static enum err load_hashes(struct scope *s, struct db_tx *tx, void *arg)
{
	struct growth *g = arg;
	g->hashes = arena_alloc(s->arena, SIGN_PAGE * sizeof *g->hashes);
	for (g->n = 0; g->n < SIGN_PAGE && g->from + g->n < g->size;) {
		const uint8_t(*hashes)[SHA256_BYTES];
		uint64_t at = g->from + g->n;
		struct tile t = {.index = at / TILE_WIDTH, .width = tile_width(g->size, 0, at / TILE_WIDTH)};
		unsigned skip = at % TILE_WIDTH, take = t.width - skip;
		if (take > SIGN_PAGE - g->n)
			take = (unsigned)(SIGN_PAGE - g->n);
		enum err e = audit_tiles_read(tx, &t, &hashes);
		if (e != OK)
			return scope_fail(s, e == ERR_NOT_FOUND ? ERR_CONFLICT : e, "the log's tile 0/%llu cannot be read", (unsigned long long)t.index);
		memcpy(g->hashes + g->n, hashes + skip, take * sizeof *hashes);
		g->n += take;
	}
	return OK;
}

static enum err store_checkpoint(struct scope *s, struct db_tx *tx, void *arg)
{
	struct growth *g = arg;
	return db_exec(tx, &audit_head_signed, DB_ARGS(db_v_int((int64_t)(g->from + g->n)), db_v_text(g->checkpoint), db_v_int(s->now)), NULL);
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
	g->size = size;
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

enum err audit_sequence_fenced(struct scope *s, const char *host, const struct audit_fence *fence, bool *ret_more)
{
	return audit_sequence(s, host, ret_more);
}

enum err audit_restored_by_witness(struct scope *s, const char *host, unsigned generation, uint64_t witness_size, const char *witness,
				   bool *ret_restored)
{
	return scope_fail(s, ERR_NOT_IMPLEMENTED, "not yet");
}

enum err audit_sequence(struct scope *s, const char *host, bool *ret_more)
{
	TRY(audit_integrate(s, ret_more));
	return sign_heads(s, host, ret_more);
}

/* ---- reading and checking ---- */

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
