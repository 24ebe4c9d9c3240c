/* SPDX-License-Identifier: Apache-2.0
 *
 * $expand: a relation of every row of a page with one statement.  The rows are written first, with a note of where the members of each end;
 * then each relation is read for all of them, ordered by owner, and the pieces are put into their places.  Cost is bounded: by the page, which a
 * relation may make smaller, and by EXPANDED_MAX.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "resource/internal.h"

enum { EXPANDED_MAX = 100000 }; /* rows of one relation on one page */

struct piece_of { /* the text of one relation of one row, in the scratch buffer */
	size_t at, n;
};

struct fill {
	struct expand *e;
	struct scope *s;
	struct db_tx *tx;
	struct buf text;
	struct piece_of *pieces; /* by place, then by expansion */
	size_t *sorted;          /* places by key */
};

void expand_begin(struct expand *e, struct scope *s, const struct resource_query *rq, size_t cap)
{
	*e = (struct expand){.rq = rq, .cap = cap};
	if (rq->expansion_count > 0)
		e->places = arena_alloc(s->arena, cap * sizeof *e->places);
}

/* As the relation's own permission reaches. */
static enum err write_value(struct db_tx *tx, const struct resource_expansion *x, struct json_writer *w, struct id key)
{
	struct scope *s = db_tx_scope(tx);
	const struct scope_groups *was = s->actor.only;
	s->actor.only = x->only;
	enum err e = x->relation->write(tx, w, key);
	s->actor.only = was;
	return e;
}

enum err expand_row(struct expand *e, struct db_tx *tx, const struct row_plan *pl, const struct db_rows *r, struct json_writer *w)
{
	if (e->rq->expansion_count == 0)
		return OK;
	check(e->n < e->cap && pl->key_count == 1);
	struct id key = db_id(r, pl->key_columns[0]);
	for (size_t i = 0; i < e->rq->expansion_count; i++) {
		const struct resource_relation *relation = e->rq->expansions[i].relation;
		if (relation->target != NULL)
			continue;
		jw_key(w, relation->name);
		TRY(write_value(tx, &e->rq->expansions[i], w, key));
	}
	e->places[e->n++] = (struct expand_place){.key = key, .end = w->out->len};
	return OK;
}

/* ---- reading one relation ---- */

static int by_key(const void *a, const void *b, void *arg)
{
	const struct expand_place *places = arg;
	return memcmp(places[*(const size_t *)a].key.b, places[*(const size_t *)b].key.b, sizeof places->key.b);
}

static size_t place_of(const struct fill *f, struct id key)
{
	size_t from = 0, to = f->e->n;
	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int c = memcmp(f->e->places[f->sorted[middle]].key.b, key.b, sizeof key.b);
		if (c == 0)
			return f->sorted[middle];
		if (c < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return f->e->n;
}

static enum err relation_sql(struct fill *f, const struct resource_expansion *x, struct order *order, const struct row_plan *plan, struct sql *q)
{
	const struct resource_relation *relation = x->relation;
	sql_begin(q, f->s->arena, 2);
	row_plan_sql(plan, q);
	sql_add(q, ", ");
	sql_add(q, relation->parent);
	sql_from(q, relation->target, q->joined);
	sql_add(q, " ");
	sql_add(q, relation->via);
	sql_add(q, " WHERE t.tenant_id = ?1 AND ");
	sql_add(q, relation->target->where);
	sql_add(q, " AND ");
	sql_add(q, relation->parent);
	sql_add(q, " IN (");
	for (size_t i = 0; i < f->e->n; i++) {
		sql_add(q, i == 0 ? "" : ", ");
		sql_param(q, db_v_id(&f->e->places[i].key));
	}
	sql_add(q, ")");
	sql_reach(q, f->s, relation->target, x->only, true);
	sql_add(q, " ORDER BY ");
	sql_add(q, relation->parent);
	for (size_t i = 0; i < order->n; i++) {
		sql_add(q, ", ");
		sql_operand(q, order->t[i].p);
	}
	sql_add(q, " LIMIT ");
	sql_number(q, EXPANDED_MAX + 1);
	return sql_end(q, f->s);
}

static enum err write_object(struct fill *f, const struct resource_relation *relation, const struct resource_query *rq,
			     const struct row_plan *plan, const struct db_rows *r)
{
	struct json_writer w;
	jw_init(&w, &f->text);
	jw_object(&w);
	if (relation->odata_type != NULL)
		jw_kstring(&w, "@odata.type", relation->odata_type);
	TRY(row_write(plan, f->tx, rq, r, &w));
	jw_end_object(&w);
	return OK;
}

/* Rows come grouped by owner: the piece of each grows until the next begins. */
static enum err read_rows(struct fill *f, size_t which, const struct resource_query *rq, const struct row_plan *plan, struct db_rows *r)
{
	const struct resource_relation *relation = f->e->rq->expansions[which].relation;
	size_t rows = 0;
	while (db_next(r)) {
		if (++rows > EXPANDED_MAX)
			return scope_fail(f->s, ERR_LIMIT, "'%s' is too much to be expanded: ask for fewer with $top, or for it alone", relation->name);
		size_t place = place_of(f, db_id(r, plan->columns));
		check(place < f->e->n);
		struct piece_of *piece = &f->pieces[place * ODATA_EXPAND_MAX + which];
		if (piece->n == 0)
			piece->at = f->text.len;
		else
			buf_addc(&f->text, ',');
		TRY(write_object(f, relation, rq, plan, r));
		piece->n = f->text.len - piece->at;
	}
	return db_rows_err(r);
}

static enum err read_relation(struct fill *f, size_t which)
{
	const struct resource_expansion *x = &f->e->rq->expansions[which];
	auto_rows struct db_rows *r = NULL;
	struct row_plan *plan = arena_alloc(f->s->arena, sizeof *plan);
	struct order order;
	struct sql q;
	struct resource_query rq = {.res = x->relation->target, .version = f->e->rq->version, .odata = {.select = x->select, .top = -1, .skip = -1},
				    .base_url = f->e->rq->base_url, .more = x->relation->more};
	TRY(order_plan(f->s, &rq, &order));
	TRY(row_plan(f->s, &rq, NULL, plan));
	TRY(relation_sql(f, x, &order, plan, &q));
	TRY(db_query_text(f->tx, DB_REACH_TENANT, q.text, q.args, q.arg_count, &r));
	return read_rows(f, which, &rq, plan, r);
}

/* ---- putting together ---- */

static void add_relations(const struct fill *f, size_t place, struct buf *out)
{
	for (size_t i = 0; i < f->e->rq->expansion_count; i++) {
		const struct resource_relation *relation = f->e->rq->expansions[i].relation;
		const struct piece_of *piece = &f->pieces[place * ODATA_EXPAND_MAX + i];
		if (relation->target == NULL)
			continue;
		buf_printf(out, ",\"%s\":[", relation->name);
		if (piece->n > 0)
			buf_add(out, f->text.data + piece->at, piece->n);
		buf_addc(out, ']');
	}
}

static enum err put_in(const struct fill *f, struct buf *out)
{
	auto_buf whole;
	size_t at = f->e->places[0].end, first = at;
	buf_init(&whole, LIMIT_RESPONSE_BYTES);
	for (size_t i = 0; i < f->e->n; i++) {
		size_t end = f->e->places[i].end;
		buf_add(&whole, out->data + at, end - at);
		add_relations(f, i, &whole);
		at = end;
	}
	buf_add(&whole, out->data + at, out->len - at);
	if (whole.failed || f->text.failed)
		return scope_fail(f->s, ERR_LIMIT, "the answer is too large; ask for a smaller $top");
	out->len = first;
	buf_add(out, whole.data, whole.len);
	return OK;
}

static enum err fill(struct fill *f, struct buf *out)
{
	size_t n = f->e->n;
	bool any = false;
	f->pieces = arena_alloc(f->s->arena, n * ODATA_EXPAND_MAX * sizeof *f->pieces);
	f->sorted = arena_alloc(f->s->arena, n * sizeof *f->sorted);
	for (size_t i = 0; i < n; i++)
		f->sorted[i] = i;
	qsort_r(f->sorted, n, sizeof *f->sorted, by_key, f->e->places);
	for (size_t i = 0; i < f->e->rq->expansion_count; i++) {
		if (f->e->rq->expansions[i].relation->target == NULL)
			continue;
		TRY(read_relation(f, i));
		any = true;
	}
	return any && !out->failed ? put_in(f, out) : OK;
}

enum err expand_end(struct expand *e, struct db_tx *tx, struct buf *out)
{
	struct fill f = {.e = e, .s = db_tx_scope(tx), .tx = tx};
	if (e->n == 0)
		return OK;
	buf_init(&f.text, LIMIT_RESPONSE_BYTES);
	enum err err = fill(&f, out);
	buf_release(&f.text);
	return err;
}
