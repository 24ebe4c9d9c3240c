/* SPDX-License-Identifier: Apache-2.0
 *
 * Collections, counts and single entities, from the query's options to JSON.  Promises: a page is one statement (and a
 * count where one is asked for that the page does not tell, on the first page only), read in one transaction and
 * streamed; a failure leaves the output as it was.
 */
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "resource/internal.h"

struct page {
	struct scope *s;
	const struct resource_query *rq;
	struct order order;
	struct row_plan plan;
	struct sql where;    /* without the place */
	uint64_t hash;
	struct place place;  /* where it begins; then of its last row */
	int64_t size, rows;  /* at most, and written */
	bool more;           /* rows follow this page */
};

/* ---- options ---- */

static enum err refuse_options(struct scope *s, const struct resource_query *rq)
{
	const struct odata_query *o = &rq->odata;
	if (o->expand != NULL && rq->expansion_count == 0)
		return scope_fail(s, ERR_EXPAND, "the relation '%.64s' cannot be expanded here", o->expand->name);
	if (o->search != NULL)
		return scope_fail(s, ERR_NOT_IMPLEMENTED, "$search is not implemented; use $filter with contains()");
	if (o->deltatoken != NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "$deltatoken is for delta functions");
	if (o->skip > SKIP_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "$skip is at most %d; follow @odata.nextLink instead", SKIP_MAX);
	return OK;
}

static unsigned first_param(const struct scope *s, const struct resource *r)
{
	return resource_reach(s, r) == DB_REACH_TENANT ? 2 : 1;
}

static enum err where_sql(struct scope *s, const struct resource_query *rq, bool wide, struct sql *q)
{
	sql_begin(q, s->arena, first_param(s, rq->res));
	sql_where(q, s, rq, wide);
	if (rq->odata.filter != NULL) {
		sql_add(q, " AND ");
		TRY(filter_sql(s, rq->res, rq->version, rq->odata.filter, q));
	}
	return sql_end(q, s);
}

static int64_t page_size(const struct resource_query *rq)
{
	int64_t most = rq->res->page_max ? rq->res->page_max : LIMIT_PAGE_MAX;
	int64_t usual = rq->res->page_default ? rq->res->page_default : LIMIT_PAGE_DEFAULT;
	int64_t size = rq->odata.top < 0 ? usual : rq->odata.top;
	for (size_t i = 0; i < rq->expansion_count; i++)
		most = rq->expansions[i].relation->page < most ? rq->expansions[i].relation->page : most;
	return size < most ? size : most;
}

/* Who counts what some people have begins with the people, however many: all of theirs is read in any case. */
static enum err count_rows(struct db_tx *tx, struct scope *s, const struct resource_query *rq, int64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	struct sql q, where;
	TRY(where_sql(s, rq, rq->extra_where != NULL, &where));
	sql_begin(&q, s->arena, where.first);
	sql_add(&q, "SELECT count(*)");
	sql_from(&q, rq->res, where.joined);
	sql_add(&q, where.text);
	TRY(sql_end(&q, s));
	TRY(db_query_text(tx, resource_reach(s, rq->res), q.text, where.args, where.arg_count, &r));
	if (db_next(r))
		*ret = db_int(r, 0);
	return db_rows_err(r);
}

static enum err prepare(struct db_tx *tx, const struct resource_query *rq, struct page *p)
{
	struct scope *s = db_tx_scope(tx);
	bool wide;
	p->s = s;
	p->rq = rq;
	p->size = page_size(rq);
	p->place.count = -1;
	TRY(refuse_options(s, rq));
	TRY(order_plan(s, rq, &p->order));
	TRY(row_plan(s, rq, &p->order, &p->plan));
	TRY(reach_is_wide(tx, rq, &wide));
	TRY(where_sql(s, rq, true, &p->where)); /* a token outlives the growth of a group */
	p->hash = token_hash(s, rq, &p->order, &p->where);
	if (!wide && s->actor.only != NULL)
		TRY(where_sql(s, rq, false, &p->where));
	if (rq->odata.skiptoken != NULL)
		TRY(token_read(s, rq->odata.skiptoken, p->hash, &p->order, &p->place));
	return OK;
}

/* ---- links ---- */

static void write_context(struct json_writer *w, const struct resource_query *rq, const struct row_plan *pl,
			  const char *suffix)
{
	auto_buf text;
	buf_init(&text, 16 * KIB);
	buf_printf(&text, "%s/$metadata#%s", rq->base_url, rq->res->context);
	size_t before = 0; /* of the name written last, so that "target/groupId" and its neighbour give one "target" */
	const char *last = "";
	bool any = false;
	for (size_t i = 0; rq->odata.select != NULL && i < rq->res->prop_count; i++) {
		const char *name = rq->res->props[i].name;
		size_t n = strcspn(name, "/");
		if (!pl->on[i] || (n == before && memcmp(name, last, n) == 0))
			continue;
		buf_addc(&text, any ? ',' : '(');
		buf_add(&text, name, n);
		any = true;
		last = name;
		before = n;
	}
	for (size_t i = 0; i < rq->expansion_count; i++, any = true)
		buf_printf(&text, "%c%s()", any ? ',' : '(', rq->expansions[i].relation->name);
	if (any)
		buf_addc(&text, ')');
	buf_adds(&text, suffix);
	jw_key(w, "@odata.context");
	jw_stringn(w, text.data ? text.data : "", text.len);
}

/* Options that the link replaces. */
static bool is_place(struct arena *a, const char *option, size_t n)
{
	const char *equals = memchr(option, '=', n);
	char *name = url_decode(a, option, equals == NULL ? n : (size_t)(equals - option), true);
	if (name == NULL)
		return false;
	name += *name == '$';
	return strcasecmp(name, "skip") == 0 || strcasecmp(name, "skiptoken") == 0;
}

static enum err write_next_link(struct page *p, struct json_writer *w)
{
	auto_buf link;
	char *token;
	buf_init(&link, 64 * KIB);
	TRY(token_write(p->s, p->hash, &p->order, &p->place, &token));
	buf_printf(&link, "%s%s?", p->rq->base_url, p->rq->path);
	for (const char *at = p->rq->raw_query; at != NULL && *at != '\0';) {
		size_t n = strcspn(at, "&");
		if (n > 0 && !is_place(p->s->arena, at, n)) {
			buf_add(&link, at, n);
			buf_addc(&link, '&');
		}
		at += n + (at[n] == '&');
	}
	buf_printf(&link, "$skiptoken=%s", token);
	if (link.failed)
		return scope_fail(p->s, ERR_LIMIT, "the link to the next page is too long");
	jw_key(w, "@odata.nextLink");
	jw_stringn(w, link.data, link.len);
	return OK;
}

/* ---- rows ---- */

static enum err page_sql(const struct page *p, struct sql *q)
{
	sql_begin(q, p->s->arena, p->where.first);
	row_plan_sql(&p->plan, q);
	sql_from(q, p->rq->res, q->joined || p->where.joined);
	sql_add(q, p->where.text);
	sql_args(q, p->where.args, p->where.arg_count);
	if (p->place.given) {
		sql_add(q, " AND ");
		order_after_sql(&p->order, p->place.v, q);
	}
	order_sql(&p->order, q);
	sql_add(q, " LIMIT ");
	sql_number(q, p->size + 1); /* one more, to know whether rows follow */
	if (p->rq->odata.skip > 0 && !p->place.given) {
		sql_add(q, " OFFSET ");
		sql_number(q, p->rq->odata.skip);
	}
	return sql_end(q, p->s);
}

enum err list_sql(struct db_tx *tx, const struct resource_query *rq, struct sql *ret)
{
	struct page *p = arena_alloc(db_tx_scope(tx)->arena, sizeof *p);
	TRY(prepare(tx, rq, p));
	return page_sql(p, ret);
}

static void take_place(struct page *p, const struct db_rows *r)
{
	for (size_t i = 0; i < p->order.n; i++)
		p->place.v[i] = db_value_dup(r, p->order.t[i].column, p->s->arena);
}

static enum err write_rows(struct db_tx *tx, struct page *p, struct json_writer *w)
{
	auto_rows struct db_rows *r = NULL;
	struct expand expand;
	struct sql q;
	if (p->size == 0)
		return OK;
	expand_begin(&expand, p->s, p->rq, (size_t)p->size);
	TRY(page_sql(p, &q));
	TRY(db_query_text(tx, resource_reach(p->s, p->rq->res), q.text, q.args, q.arg_count, &r));
	for (int64_t n = 0; db_next(r); n++) {
		if (n == p->size) {
			p->more = true;
			break;
		}
		jw_object(w);
		TRY(row_write(&p->plan, tx, p->rq, r, w));
		TRY(expand_row(&expand, tx, &p->plan, r, w));
		jw_end_object(w);
		p->rows++;
		if (n == p->size - 1)
			take_place(p, r);
	}
	TRY(db_rows_err(r));
	return expand_end(&expand, tx, w->out);
}

/* A page that holds the last row knows the count; else it is asked for, once: the token carries it on. */
static enum err take_count(struct db_tx *tx, struct page *p)
{
	const struct resource_query *rq = p->rq;
	if (p->place.count >= 0 || !(rq->odata.count || rq->res->always_count))
		return OK;
	if (p->more || p->rows == 0 || p->place.given)
		return count_rows(tx, p->s, rq, &p->place.count);
	p->place.count = p->rows + (rq->odata.skip > 0 ? rq->odata.skip : 0);
	return OK;
}

/* Count and link stand before the rows, as in Graph, and are known after them. */
static enum err insert_annotations(struct page *p, struct buf *out, size_t at)
{
	auto_buf head;
	struct json_writer w;
	size_t tail = out->len - at;
	buf_init(&head, 64 * KIB);
	jw_init(&w, &head);
	w.depth = 1; /* inside the object, behind its context */
	w.comma = true;
	if (p->rq->odata.count || p->rq->res->always_count)
		jw_kint(&w, "@odata.count", p->place.count);
	if (p->more)
		TRY(write_next_link(p, &w));
	if (head.len == 0)
		return OK;
	buf_add(out, head.data, head.len);
	if (head.failed || out->failed)
		return OK; /* seen by the caller: the buffer is full */
	memmove(out->data + at + head.len, out->data + at, tail);
	memcpy(out->data + at, head.data, head.len);
	return OK;
}

static enum err write_list(struct db_tx *tx, struct page *p, struct buf *out)
{
	struct json_writer w;
	jw_init(&w, out);
	jw_object(&w);
	write_context(&w, p->rq, &p->plan, "");
	size_t at = out->len;
	jw_key(&w, "value");
	jw_array(&w);
	TRY(write_rows(tx, p, &w));
	jw_end_array(&w);
	jw_end_object(&w);
	TRY(take_count(tx, p));
	TRY(insert_annotations(p, out, at));
	return out->failed ? scope_fail(p->s, ERR_LIMIT, "the answer is too large; ask for a smaller $top") : OK;
}

/* What was written is taken back on failure, so that an error can be written instead. */
static enum err settle(enum err e, struct buf *out, size_t before)
{
	if (e != OK && out->data != NULL) {
		out->len = before;
		out->data[before] = '\0';
		out->failed = false;
	}
	return e;
}

enum err resource_list(struct db_tx *tx, const struct resource_query *q, struct buf *out)
{
	struct page *p = arena_alloc(db_tx_scope(tx)->arena, sizeof *p);
	size_t before = out->len;
	TRY(prepare(tx, q, p));
	return settle(write_list(tx, p, out), out, before);
}

enum err resource_page(struct db_tx *tx, const struct resource_query *q, struct json_writer *w, char **ret_next)
{
	struct page *p = arena_alloc(db_tx_scope(tx)->arena, sizeof *p);
	*ret_next = NULL;
	TRY(prepare(tx, q, p));
	TRY(write_rows(tx, p, w));
	return p->more ? token_write(p->s, p->hash, &p->order, &p->place, ret_next) : OK;
}

enum err resource_count(struct db_tx *tx, const struct resource_query *q, struct buf *out)
{
	struct scope *s = db_tx_scope(tx);
	int64_t n = 0;
	if (q->odata.search != NULL)
		TRY(refuse_options(s, q));
	TRY(count_rows(tx, s, q, &n));
	buf_printf(out, "%lld", (long long)n);
	return OK;
}

/* ---- one ---- */

static enum err write_one(struct db_tx *tx, const struct resource_query *rq, struct row_plan *pl, struct id key,
			  struct json_writer *w)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	struct sql q;
	sql_begin(&q, s->arena, first_param(s, rq->res));
	row_plan_sql(pl, &q);
	sql_from(&q, rq->res, q.joined);
	sql_where(&q, s, rq, true);
	sql_add(&q, " AND ");
	check(pl->key_count == 1); /* rows with a longer key are listed only */
	sql_property(&q, pl->keys[0]);
	sql_add(&q, " = ");
	sql_param(&q, db_v_blob(key.b, sizeof key.b));
	TRY(sql_end(&q, s));
	TRY(db_query_text(tx, resource_reach(s, rq->res), q.text, q.args, q.arg_count, &r));
	if (!db_next(r)) {
		char text[ID_TEXT];
		TRY(db_rows_err(r));
		return scope_fail(s, ERR_NOT_FOUND, "there is no %s with the id %s", rq->res->name, id_format(key, text));
	}
	struct expand expand;
	expand_begin(&expand, s, rq, 1);
	write_context(w, rq, pl, "/$entity");
	TRY(row_write(pl, tx, rq, r, w));
	TRY(expand_row(&expand, tx, pl, r, w));
	return expand_end(&expand, tx, w->out);
}

static enum err get(struct db_tx *tx, const struct resource_query *q, struct id key, struct buf *out)
{
	struct scope *s = db_tx_scope(tx);
	struct row_plan *pl = arena_alloc(s->arena, sizeof *pl);
	struct json_writer w;
	TRY(refuse_options(s, q));
	TRY(row_plan(s, q, NULL, pl));
	jw_init(&w, out);
	jw_object(&w);
	TRY(write_one(tx, q, pl, key, &w));
	jw_end_object(&w);
	return out->failed ? scope_fail(s, ERR_LIMIT, "the answer is too large") : OK;
}

enum err resource_get(struct db_tx *tx, const struct resource_query *q, struct id key, struct buf *out)
{
	size_t before = out->len;
	return settle(get(tx, q, key, out), out, before);
}
