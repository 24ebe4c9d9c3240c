/* SPDX-License-Identifier: Apache-2.0
 * Rows of audit_cosignatures. */
#include "audit/log/witness.h"

#include <string.h>

#include "audit/log/log.h"
#include "audit/log/tiles.h"
#include "db/db.h"

DB_GLOBAL(audit_heads_signed_since,
	  "SELECT tenant_id, generation, signed_size, checkpoint FROM audit_heads WHERE tenant_id > ?1 AND (signed_at >= ?2 OR signed_at IS NULL) "
	  "AND checkpoint IS NOT NULL ORDER BY tenant_id LIMIT ?3");
DB_TENANT(audit_cosignature_put,
	  "INSERT INTO audit_cosignatures (tenant_id, generation, size, witness, checkpoint, line, at, witnessed) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (tenant_id, generation, size, witness) DO UPDATE SET "
	  "checkpoint = excluded.checkpoint, line = excluded.line, at = excluded.at");
DB_TENANT(audit_cosignatures_at,
	  "SELECT witness, checkpoint FROM audit_cosignatures WHERE tenant_id = ?1 AND generation = ?2 AND size = ?3");
DB_TENANT(audit_cosignatures_enough,
	  "UPDATE audit_cosignatures SET witnessed = ?4 WHERE tenant_id = ?1 AND generation = ?2 AND size = ?3");
DB_TENANT(audit_cosignatures_of_past_generations, "DELETE FROM audit_cosignatures WHERE tenant_id = ?1 AND generation < ?2");
/* Below the newest that is witnessed each witness keeps its last only. */
DB_TENANT(audit_cosignatures_settle,
	  "DELETE FROM audit_cosignatures WHERE tenant_id = ?1 AND generation = ?2 AND size < ?3 AND EXISTS (SELECT 1 FROM audit_cosignatures c "
	  "WHERE c.tenant_id = ?1 AND c.generation = ?2 AND c.size > audit_cosignatures.size AND c.witness = audit_cosignatures.witness)");
/* Where none ever is, no witness has more than a few. */
DB_TENANT(audit_cosignatures_bound,
	  "DELETE FROM audit_cosignatures WHERE tenant_id = ?1 AND generation = ?2 AND witness = ?3 AND size < (SELECT size FROM audit_cosignatures c "
	  "WHERE c.tenant_id = ?1 AND c.generation = ?2 AND c.witness = ?3 ORDER BY size DESC LIMIT 1 OFFSET 16)");
DB_TENANT(audit_cosignatures_newest,
	  "SELECT witness, size, checkpoint, line, at FROM audit_cosignatures WHERE tenant_id = ?1 AND generation = ?2 ORDER BY size DESC");

struct page {
	int64_t since;
	struct id after;
	struct audit_signed *out;
	size_t max, n;
};

static enum err load_signed(struct scope *s, struct db_tx *tx, void *arg)
{
	struct page *p = arg;
	auto_rows struct db_rows *r = NULL;
	/* From the start: nothing comes before the installation's own log, whose id is nil. */
	struct db_value after = db_v_blob(&p->after, id_is_nil(p->after) ? 0 : sizeof p->after);
	TRY(db_query(tx, &audit_heads_signed_since, DB_ARGS(after, db_v_int(p->since), db_v_int((int64_t)p->max)), &r));
	for (p->n = 0; db_next(r); p->n++)
		p->out[p->n] = (struct audit_signed){.tenant = db_id(r, 0), .generation = (unsigned)db_int(r, 1), .size = (uint64_t)db_int(r, 2),
						     .checkpoint = db_text_dup(r, 3, s->arena)};
	return db_rows_err(r);
}

enum err audit_signed_since(struct scope *s, int64_t since, struct id after, struct audit_signed *out, size_t max, size_t *ret_n)
{
	struct page p = {.since = since, .after = after, .out = out, .max = max};
	TRY(db_read(s, load_signed, &p));
	*ret_n = p.n;
	return OK;
}

struct stretch {
	uint64_t old_size, size;
	struct merkle_proof *ret;
};

static enum err prove(struct scope *s, struct db_tx *tx, void *arg)
{
	struct stretch *x = arg;
	struct tile_tree tree = audit_tiles_tree(tx, x->size);
	return tile_tree_consistency(&tree, x->old_size, x->ret);
}

enum err audit_consistency(struct scope *s, uint64_t old_size, uint64_t size, struct merkle_proof *ret)
{
	struct stretch x = {.old_size = old_size, .size = size, .ret = ret};
	return db_read(s, prove, &x);
}

/* ---- storing ---- */

struct storing {
	const struct policy *policy;
	const struct audit_cosignature *c;
};

/* Whether those that stand under the checkpoint suffice; without a quorum one does. */
static enum err is_enough(struct db_tx *tx, const struct storing *x, bool *ret)
{
	bool signed_[POLICY_ITEMS_MAX] = {false};
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_cosignatures_at, DB_ARGS(db_v_int(x->c->generation), db_v_int((int64_t)x->c->size)), &r));
	while (db_next(r))
		for (unsigned i = 0; i < x->policy->n; i++)
			if (x->policy->item[i].kind == POLICY_WITNESS && strcmp(x->policy->item[i].name, db_text(r, 0)) == 0 &&
			    strcmp(x->c->checkpoint, db_text(r, 1)) == 0)
				signed_[i] = true;
	*ret = policy_satisfied(x->policy, signed_);
	return db_rows_err(r);
}

static enum err store(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct storing *x = arg;
	const struct audit_cosignature *c = x->c;
	struct audit_head_info head;
	struct db_value generation = db_v_int(c->generation), size = db_v_int((int64_t)c->size);
	bool enough = false;
	enum err e = audit_head_tx(tx, &head);
	if (e == ERR_NOT_FOUND || (e == OK && head.generation != c->generation))
		return OK;
	if (e != OK)
		return e;
	TRY(db_exec(tx, &audit_cosignature_put,
		    DB_ARGS(generation, size, db_v_text(c->witness), db_v_text(c->checkpoint), db_v_text(c->line), db_v_int(s->now), db_v_int(0)), NULL));
	TRY(is_enough(tx, x, &enough));
	TRY(db_exec(tx, &audit_cosignatures_of_past_generations, DB_ARGS(generation), NULL));
	TRY(db_exec(tx, &audit_cosignatures_bound, DB_ARGS(generation, db_v_text(c->witness)), NULL));
	if (!enough)
		return OK;
	TRY(db_exec(tx, &audit_cosignatures_enough, DB_ARGS(generation, size, db_v_int(1)), NULL));
	return db_exec(tx, &audit_cosignatures_settle, DB_ARGS(generation, size), NULL);
}

enum err audit_cosignature_store(struct scope *s, const struct policy *p, const struct audit_cosignature *c)
{
	return db_write(s, store, &(struct storing){.policy = p, .c = c});
}

/* ---- reading ---- */

struct last {
	struct audit_cosignature *row;
	size_t n;
};

static bool has(const struct last *l, const char *witness)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->row[i].witness, witness) == 0)
			return true;
	return false;
}

static enum err load_last(struct scope *s, struct db_tx *tx, void *arg)
{
	struct last *l = arg;
	struct audit_head_info head;
	auto_rows struct db_rows *r = NULL;
	l->n = 0;
	enum err e = audit_head_tx(tx, &head);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	TRY(db_query(tx, &audit_cosignatures_newest, DB_ARGS(db_v_int(head.generation)), &r));
	while (l->n < POLICY_ITEMS_MAX && db_next(r))
		if (!has(l, db_text(r, 0)))
			l->row[l->n++] = (struct audit_cosignature){.generation = head.generation, .witness = db_text_dup(r, 0, s->arena),
				.size = (uint64_t)db_int(r, 1), .checkpoint = db_text_dup(r, 2, s->arena), .line = db_text_dup(r, 3, s->arena),
				.at = db_int(r, 4)};
	return db_rows_err(r);
}

enum err audit_cosignatures_last(struct scope *s, struct audit_cosignature **ret, size_t *ret_n)
{
	struct last l = {.row = arena_alloc(s->arena, POLICY_ITEMS_MAX * sizeof *l.row)};
	TRY(db_read(s, load_last, &l));
	*ret = l.row;
	*ret_n = l.n;
	return OK;
}
