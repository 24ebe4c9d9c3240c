/* SPDX-License-Identifier: Apache-2.0
 *
 * Life of a leaf:
 *   1. audit_record() commits the event and a row of audit_pending.
 *   2. audit_integrate() gives each pending event the next index of its tenant's log and appends its commitment to the tiles, in one
 *      transaction: the log has no gap and no event twice.
 *   3. The keeper extends its own compact range by the new leaf hashes and signs the head; it is on the keeper's disk first.
 *   4. The checkpoint is published in audit_heads.
 * A crash between 2 and 4 is healed by the next tick: what is signed lags what is sequenced, never the other way round.
 *
 * Before 3 the tree in the database must have, at the size that the keeper signed last, the root that it signed; and the keeper signs
 * only where it comes to the root that the database's tree has at the new size.  So whatever is signed is a prefix of what the database
 * holds, and a database that went back is found before anything is signed in it (restore.c).
 */
#include "audit/log/log.h"

#include <string.h>

#include "audit/commitment.h"
#include "audit/log/internal.h"
#include "keeper/keeper.h"

DB_GLOBAL(audit_heads_to_sign, "SELECT " LOG_ROW_COLUMNS " FROM audit_heads h WHERE h.size > h.signed_size AND h.tenant_id > ?1 "
			       "ORDER BY h.tenant_id LIMIT ?2");
DB_GLOBAL(audit_head_publish,
	  "UPDATE audit_heads SET signed_size = ?2, checkpoint = ?3, signed_at = ?4, place = ?5 WHERE tenant_id = ?1 AND generation = ?6 "
	  "AND signed_size < ?2 AND size >= ?2 AND (CAST(?7 AS text) IS NULL OR EXISTS (SELECT 1 FROM leases l WHERE l.name = ?7 "
	  "AND l.holder = ?8 AND l.fence = ?9))");

enum {
	LOGS = 256,          /* in one write of the keeper */
	LEAVES_LOG = 4096,   /* of one log */
	LEAVES_ALL = 32768,  /* of all of them */
};

struct growth {
	struct log_row log;
	uint64_t from, to;
	uint8_t (*hashes)[SHA256_BYTES];
	uint8_t root[SHA256_BYTES];
	bool has_root;
	bool settle;  /* this log is looked at by itself */
	bool damaged; /* it is not signed any more until somebody mends it */
	bool later;   /* the round is full */
	struct keeper_growth *k;
};

struct round {
	const char *host;
	const struct audit_fence *fence;
	const struct signed_heads *all; /* NULL until it is needed */
	bool need_all;
	struct id after;
	bool first, more;
	struct log_place place;
	struct growth g[LOGS];
	size_t n, leaves;
};

/* ---- reading ---- */

static enum err load_rows(struct db_tx *tx, struct round *r)
{
	auto_rows struct db_rows *rows = NULL;
	struct db_value after = db_v_blob(&r->after, r->first ? 0 : sizeof r->after);
	TRY(db_query(tx, &audit_heads_to_sign, DB_ARGS(after, db_v_int(LOGS)), &rows));
	for (r->n = 0; db_next(rows); r->n++)
		r->g[r->n] = (struct growth){.log = audit_log_row(rows, db_tx_scope(tx)->arena)};
	return db_rows_err(rows);
}

/* The keeper's newest head of a log.  As long as keeper and database say the same size no newer generation is looked for: a database put
 * back to the very end of an older one under a running server is found at the next start; until then that origin goes on, consistently. */
static enum err newest_head(struct scope *s, struct round *r, const struct log_row *log, struct signed_head *head, const struct signed_head **ret)
{
	*head = (struct signed_head){.tenant = log->tenant, .generation = log->generation};
	if (r->all != NULL) {
		*ret = audit_signed_head(r->all, log->tenant);
		return OK;
	}
	char *detail = s->detail;
	enum err e = keeper_head(s->keeper, s, audit_origin_of(s->arena, r->host, log->tenant, log->generation), &head->size, head->root);
	s->detail = detail;
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	*ret = e == OK ? head : NULL;
	r->need_all |= head->size != log->signed_size || (e == ERR_NOT_FOUND && log->generation > 1);
	return OK;
}

static enum err tree_root(const struct audit_tiles *tiles, uint64_t size, uint8_t out[SHA256_BYTES])
{
	struct tile_tree tree = audit_tiles_tree_of(tiles, size);
	struct arena_mark mark = arena_mark(db_tx_scope(tiles->tx)->arena);
	enum err e = tile_tree_root(&tree, out);
	arena_rewind(db_tx_scope(tiles->tx)->arena, mark);
	return e;
}

/* The leaf hashes [from, to). */
static enum err load_hashes(const struct audit_tiles *tiles, struct growth *g)
{
	struct arena *a = db_tx_scope(tiles->tx)->arena;
	g->hashes = arena_alloc(a, (size_t)(g->to - g->from) * sizeof *g->hashes);
	for (uint64_t at = g->from; at < g->to;) {
		const uint8_t(*hashes)[SHA256_BYTES];
		struct arena_mark mark = arena_mark(a);
		unsigned skip = at % TILE_WIDTH;
		struct tile t = {.index = at / TILE_WIDTH, .width = tile_width(g->to, 0, at / TILE_WIDTH)};
		TRY(audit_tiles_read_of(tiles, &t, &hashes));
		memcpy(g->hashes + (at - g->from), hashes + skip, (t.width - skip) * sizeof *hashes);
		at += t.width - skip;
		arena_rewind(a, mark);
	}
	return OK;
}

/* Where this keeper is behind what is published (another server signed it): the published head is the tree's, too, and the keeper comes to
 * it on its way.  ERR_CONFLICT where it is not: somebody changed the one or the other. */
static enum err check_published(struct scope *s, const struct audit_tiles *tiles, const struct growth *g)
{
	struct checkpoint c;
	uint8_t root[SHA256_BYTES];
	if (g->from >= g->log.signed_size)
		return OK;
	TRY(tree_root(tiles, g->log.signed_size, root));
	if (!audit_checkpoint_root(s, g->log.checkpoint, &c) || c.size != g->log.signed_size || !bytes_equal(c.root, root, sizeof root))
		return scope_fail(s, ERR_CONFLICT, "the published checkpoint of size %llu is not that of the log",
				  (unsigned long long)g->log.signed_size);
	return OK;
}

static enum err load_growth(struct scope *s, struct round *r, struct audit_tiles *tiles, struct growth *g)
{
	struct signed_head head;
	const struct signed_head *newest;
	enum log_verdict verdict;
	TRY(newest_head(s, r, &g->log, &head, &newest));
	TRY(audit_judge(tiles->tx, &g->log, newest, &r->place, &verdict));
	g->settle = verdict != LOG_CONTINUES;
	if (g->settle)
		return OK;
	g->from = newest != NULL && newest->generation == g->log.generation ? newest->size : 0;
	g->to = g->log.size - g->from > LEAVES_LOG ? g->from + LEAVES_LOG : g->log.size;
	if (g->from < g->log.signed_size && g->to > g->log.signed_size)
		g->to = g->log.signed_size;
	enum err e = check_published(s, tiles, g);
	if (e == OK)
		e = tree_root(tiles, g->to, g->root);
	g->has_root = e == OK;
	if (e == OK || (e == ERR_NOT_FOUND && g->log.leaving))
		e = load_hashes(tiles, g);
	g->settle = e == ERR_NOT_FOUND;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err load_round(struct scope *s, struct db_tx *tx, void *arg)
{
	struct round *r = arg;
	r->need_all = false;
	r->leaves = 0;
	TRY(audit_log_place(tx, &r->place));
	TRY(load_rows(tx, r));
	for (size_t i = 0; i < r->n; i++) {
		struct growth *g = &r->g[i];
		g->later = r->leaves >= LEAVES_ALL;
		enum err e = g->later ? OK : load_growth(s, r, &(struct audit_tiles){tx, g->log.tenant}, g);
		g->damaged = e == ERR_CONFLICT;
		if (g->damaged)
			audit_damaged(s, g->log.tenant);
		else if (e != OK)
			return e;
		else
			r->leaves += g->to - g->from;
	}
	return OK;
}

/* ---- signing and publishing ---- */

/* A new origin shows itself when it has caught up with the log, not before. */
static bool publishes(const struct growth *g)
{
	return g->k != NULL && g->k->err == OK && g->to > g->log.signed_size &&
	       (g->to == g->log.size || g->log.signed_size > 0 || g->log.generation == 1);
}

static enum err publish(struct scope *s, struct db_tx *tx, void *arg)
{
	struct round *r = arg;
	const struct audit_fence *f = r->fence;
	for (size_t i = 0; i < r->n; i++) {
		const struct growth *g = &r->g[i];
		if (!publishes(g))
			continue;
		TRY(db_exec(tx, &audit_head_publish,
			    DB_ARGS(db_v_id(&g->log.tenant), db_v_int((int64_t)g->to), db_v_text(g->k->checkpoint), db_v_int(s->now),
				    db_v_text(r->place.name), db_v_int(g->log.generation), db_v_text(f != NULL ? f->lease : NULL),
				    db_v_id(f != NULL ? &f->holder : NULL), db_v_int(f != NULL ? f->number : 0)),
			    NULL));
	}
	return OK;
}

/* What the keeper is asked for. */
static size_t ask(struct scope *s, struct round *r, struct keeper_growth *k)
{
	size_t n = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct growth *g = &r->g[i];
		if (g->settle || g->damaged || g->later)
			continue;
		g->k = &k[n++];
		*g->k = (struct keeper_growth){.origin = audit_origin_of(s->arena, r->host, g->log.tenant, g->log.generation),
					       .old_size = g->from, .leaf_hashes = (const void *)g->hashes, .n = (size_t)(g->to - g->from),
					       .root = g->has_root ? g->root : NULL};
	}
	return n;
}

static enum err sign(struct scope *s, struct round *r)
{
	bool any = false;
	enum err first = OK;
	struct keeper_growth *k = arena_alloc(s->arena, (r->n + 1) * sizeof *k);
	size_t n = ask(s, r, k);
	if (n > 0)
		TRY(keeper_sign_heads(s->keeper, s, k, n));
	for (size_t i = 0; i < r->n; i++) {
		const struct growth *g = &r->g[i];
		any |= publishes(g);
		r->more |= g->later || (g->k != NULL && g->k->err == OK && g->to < g->log.size);
		if (g->k != NULL && g->k->err != OK)
			audit_damaged(s, g->log.tenant);
		if (g->damaged || (g->k != NULL && g->k->err != OK))
			first = ERR_CONFLICT;
	}
	if (any)
		TRY(db_write(s, publish, r));
	return first;
}

static enum err settle(struct scope *s, struct round *r, struct signed_heads *all)
{
	enum err first = OK;
	for (size_t i = 0; i < r->n; i++) {
		if (!r->g[i].settle)
			continue;
		if (r->all == NULL)
			audit_signed_heads(s, r->host, all);
		r->all = all;
		enum err e = audit_settle(s, r->host, r->g[i].log.tenant, all);
		if (e != OK && e != ERR_CONFLICT)
			return e;
		if (e == ERR_CONFLICT)
			audit_damaged(s, r->g[i].log.tenant);
		else
			r->more = true; /* it can be signed now */
		first = first == OK ? e : first;
	}
	return first;
}

static enum err sign_round(struct scope *s, struct round *r)
{
	struct signed_heads all;
	r->all = NULL;
	TRY(db_read(s, load_round, r));
	if (r->need_all) {
		audit_signed_heads(s, r->host, &all);
		r->all = &all;
		TRY(db_read(s, load_round, r));
	}
	enum err signing = sign(s, r);
	if (signing != OK && signing != ERR_CONFLICT)
		return signing;
	enum err settling = settle(s, r, &all);
	return signing == OK ? settling : signing;
}

static enum err sign_heads(struct scope *s, const char *host, const struct audit_fence *fence, bool *ret_more)
{
	enum err first = OK;
	struct round *r = arena_alloc(s->arena, sizeof *r);
	*r = (struct round){.host = host, .fence = fence, .first = true};
	do {
		struct arena_mark mark = arena_mark(s->arena);
		enum err e = sign_round(s, r);
		if (e != OK && e != ERR_CONFLICT)
			return e;
		first = first == OK ? e : first;
		if (r->n > 0)
			r->after = r->g[r->n - 1].log.tenant;
		r->first = false;
		if (e == OK)
			arena_rewind(s->arena, mark);
	} while (r->n == LOGS);
	*ret_more |= r->more;
	return first;
}

enum err audit_sequence_fenced(struct scope *s, const char *host, const struct audit_fence *fence, bool *ret_more)
{
	enum err integrating = audit_integrate(s, ret_more);
	if (integrating != OK && integrating != ERR_CONFLICT)
		return integrating;
	enum err signing = sign_heads(s, host, fence, ret_more);
	return signing != OK ? signing : integrating;
}

enum err audit_sequence(struct scope *s, const char *host, bool *ret_more)
{
	return audit_sequence_fenced(s, host, NULL, ret_more);
}
