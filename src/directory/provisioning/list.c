/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists and searches (RFC 7644, section 3.4.2).  Without a filter, and with one that the database can decide (narrow.c), it counts and cuts out
 * the page.  Else what it narrows down is read row by row, asked, counted, and written where it falls on the page: one row is in memory at a time.
 */
#include "directory/provisioning/scim_internal.h"

#include <string.h>

#include "directory/provisioning/searches.h"

/* All but the deleted: both are counted in an index. */
DB_TENANT(scim_count_users, "SELECT (SELECT count(*) FROM users WHERE tenant_id = ?1) - "
			    "(SELECT count(*) FROM users WHERE tenant_id = ?1 AND deleted_at IS NOT NULL)");
DB_TENANT(scim_count_groups, "SELECT count(*) FROM groups WHERE tenant_id = ?1");
DB_TENANT(scim_is_member, "SELECT 1 FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id "
			  "WHERE m.tenant_id = ?1 AND m.group_id = ?2 AND m.user_id = ?3 AND u.deleted_at IS NULL");
DB_TENANT(scim_any_member, "SELECT m.user_id FROM group_members m JOIN users u ON u.tenant_id = m.tenant_id AND u.user_id = m.user_id "
			   "WHERE m.tenant_id = ?1 AND m.group_id = ?2 AND u.deleted_at IS NULL LIMIT 1");

enum { COUNT_DEFAULT = 100 };

struct listing {
	const struct scim_query *q;
	struct buf *out;
	struct json_writer w;
	const struct scim_filter *filter;
	int64_t start, count; /* within bounds */
	int64_t total, written;
	int64_t asked; /* rows of a search */
};

/* ---- a group's members in a filter ---- */

/* Of a filter on members, the document gets those that it asks for, as far as they are members. */
struct asked {
	struct id v[64];
	size_t n;
	bool any;
};

static enum err ask_member(struct scope *s, const struct scim_attribute *sub, const struct scim_filter *f, struct asked *a)
{
	if (f->op == SCIM_PR && sub == NULL) {
		a->any = true;
		return OK;
	}
	bool value = sub == NULL || strcmp(sub->name, "value") == 0;
	if (f->op != SCIM_EQ || !value || f->value.type != SCIM_TEXT || a->n == sizeof a->v / sizeof a->v[0])
		return scope_fail(s, ERR_BAD_FILTER, "members are asked for by value eq, or by members pr");
	a->n += id_parse(f->value.text, &a->v[a->n]);
	return OK;
}

static enum err ask_element(struct scope *s, const struct scim_attribute *members, const struct scim_filter *f, struct asked *a)
{
	if (f->op == SCIM_AND || f->op == SCIM_OR)
		TRY(ask_element(s, members, f->right, a));
	if (f->op == SCIM_AND || f->op == SCIM_OR || f->op == SCIM_NOT)
		return ask_element(s, members, f->left, a);
	return ask_member(s, scim_sub(members, f->path.attr), f, a);
}

static enum err ask_members(struct scope *s, const struct scim_filter *f, struct asked *a)
{
	struct scim_place p;
	if (f->op == SCIM_AND || f->op == SCIM_OR)
		TRY(ask_members(s, f->right, a));
	if (f->op == SCIM_AND || f->op == SCIM_OR || f->op == SCIM_NOT)
		return ask_members(s, f->left, a);
	if (!scim_resolve(SCIM_GROUP, &f->path, &p) || p.whole || strcmp(p.attr->name, "members") != 0)
		return OK;
	return f->op == SCIM_HAS ? ask_element(s, p.attr, f->left, a) : ask_member(s, p.sub, f, a);
}

static void add_member(json_t *doc, struct id id)
{
	char text[ID_TEXT];
	json_t *list = json_object_get(doc, "members");
	if (list == NULL)
		json_object_set_new(doc, "members", list = json_array());
	json_array_append_new(list, json_pack("{s:s}", "value", id_format(id, text)));
}

static enum err fill_members(struct db_tx *tx, struct id group, const struct asked *a, json_t *doc)
{
	for (size_t i = 0; i < a->n; i++) {
		auto_rows struct db_rows *r = NULL;
		TRY(db_query(tx, &scim_is_member, DB_ARGS(db_v_id(&group), db_v_id(&a->v[i])), &r));
		if (db_next(r))
			add_member(doc, a->v[i]);
		TRY(db_rows_err(r));
	}
	if (!a->any)
		return OK;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &scim_any_member, DB_ARGS(db_v_id(&group)), &r));
	if (db_next(r))
		add_member(doc, db_id(r, 0));
	return db_rows_err(r);
}

/* ---- rows ---- */

static bool on_page(const struct listing *l)
{
	return l->total >= l->start && l->written < l->count;
}

static enum err write_row(struct db_tx *tx, struct listing *l, enum scim_resource r, const struct db_rows *rows)
{
	json_t *made;
	TRY(scim_row(tx, r, rows, l->q->base, scim_needs_all(r), &made));
	auto_json *doc = made;
	l->written++;
	TRY(scim_write(tx, r, db_id(rows, SCIM_COLUMN_ID), l->q->base, &l->q->projection, doc, &l->w));
	return l->out->failed ? scope_fail(db_tx_scope(tx), ERR_LIMIT, "the answer is too large: ask for fewer with count, or leave members out with "
									"excludedAttributes") : OK;
}

static enum err ask_row(struct db_tx *tx, const struct listing *l, enum scim_resource r, const struct db_rows *rows, const struct asked *a, bool *ret)
{
	json_t *made;
	TRY(scim_row(tx, r, rows, l->q->base, scim_filter_needs(r, l->filter), &made));
	auto_json *doc = made;
	if (r == SCIM_GROUP)
		TRY(fill_members(tx, db_id(rows, SCIM_COLUMN_ID), a, doc));
	*ret = scim_matches(r, l->filter, doc);
	return OK;
}

static enum err go_on(struct scope *s, struct listing *l)
{
	if (++l->asked != SCIM_ROWS_FREE || scim_search_enter(s->tenant))
		return OK;
	l->asked--; /* it holds no place */
	return scope_fail(s, ERR_TOO_MANY, "other searches that read all are running: ask by userName, externalId or another indexed attribute, or later");
}

static enum err search_rows(struct db_tx *tx, struct listing *l, enum scim_resource r, const struct scim_condition *c, const char *order)
{
	struct scope *s = db_tx_scope(tx);
	struct asked a = {.n = 0};
	auto_rows struct db_rows *rows = NULL;
	if (r == SCIM_GROUP)
		TRY(ask_members(s, l->filter, &a));
	const char *sql = arena_printf(s->arena, "%s%s%s%s", scim_select(s, r), c->sql == NULL ? "" : " AND ", c->sql == NULL ? "" : c->sql, order);
	TRY(db_stream_text(tx, DB_REACH_TENANT, sql, c->args, c->arg_count, &rows));
	while (db_next(rows)) {
		struct arena_mark mark = arena_mark(s->arena);
		bool yes;
		TRY(go_on(s, l));
		TRY(ask_row(tx, l, r, rows, &a, &yes));
		l->total += yes;
		if (yes && on_page(l))
			TRY(write_row(tx, l, r, rows));
		arena_rewind(s->arena, mark);
	}
	return db_rows_err(rows);
}

static enum err search(struct db_tx *tx, struct listing *l, enum scim_resource r, const struct scim_condition *c, const char *order)
{
	l->asked = 0;
	enum err err = search_rows(tx, l, r, c, order);
	if (l->asked >= SCIM_ROWS_FREE)
		scim_search_leave(db_tx_scope(tx)->tenant);
	return err;
}

static enum err count(struct db_tx *tx, enum scim_resource r, const struct scim_condition *c, const char *from, int64_t *ret)
{
	auto_rows struct db_rows *n = NULL;
	if (c->sql == NULL)
		TRY(db_query_one(tx, r == SCIM_USER ? &scim_count_users : &scim_count_groups, DB_NOARGS, &n));
	else
		TRY(db_query_text(tx, DB_REACH_TENANT, arena_printf(db_tx_scope(tx)->arena, "SELECT count(*) FROM %s", from), c->args, c->arg_count, &n));
	*ret = c->sql == NULL || db_next(n) ? db_int(n, 0) : 0;
	return db_rows_err(n);
}

/* The page as the database cuts it out: ids first, so that nothing is joined to the rows before it. */
static enum err page(struct db_tx *tx, struct listing *l, enum scim_resource r, const struct scim_condition *c, const char *order)
{
	struct scope *s = db_tx_scope(tx);
	struct db_value args[sizeof c->args / sizeof c->args[0] + 2];
	int64_t here, skip = l->start - 1 - l->total, most = l->count - l->written; /* behind what another resource had */
	const char *key = r == SCIM_USER ? "t.user_id" : "t.group_id";
	const char *all = r == SCIM_USER ? "users t WHERE t.tenant_id = ?1 AND t.deleted_at IS NULL" : "groups t WHERE t.tenant_id = ?1";
	const char *from = c->sql == NULL ? all : arena_printf(s->arena, "%s AND %s", all, c->sql);
	TRY(count(tx, r, c, from, &here));
	l->total += here;
	if (most <= 0 || skip >= here)
		return OK;
	if (c->arg_count > 0)
		memcpy(args, c->args, c->arg_count * sizeof *args);
	args[c->arg_count] = db_v_int(most);
	args[c->arg_count + 1] = db_v_int(skip < 0 ? 0 : skip);
	const char *sql = arena_printf(s->arena, "%s AND %s IN (SELECT %s FROM %s%s LIMIT ?%zu OFFSET ?%zu)%s", scim_select(s, r), key, key, from, order,
				       c->arg_count + 2, c->arg_count + 3, order);
	auto_rows struct db_rows *rows = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, sql, args, c->arg_count + 2, &rows));
	while (db_next(rows)) {
		struct arena_mark mark = arena_mark(s->arena);
		TRY(write_row(tx, l, r, rows));
		arena_rewind(s->arena, mark);
	}
	return db_rows_err(rows);
}

/* ---- a list ---- */

/* Over both, an attribute that one does not have is one that its resources have no value for. */
static enum err list_one(struct db_tx *tx, struct listing *l, enum scim_resource r, bool alone, bool *fits)
{
	struct scope *s = db_tx_scope(tx);
	const char *order;
	enum err err = scim_order(s, r, l->q->sort_by, l->q->descending, &order);
	if (err == OK && l->filter != NULL)
		err = scim_filter_check(s, r, l->q->users && l->q->groups, l->filter);
	if (err != OK && !alone)
		return OK;
	TRY(err);
	*fits = true;
	s->detail = NULL;
	struct scim_condition c;
	scim_narrow(s, r, l->filter, &c);
	return c.exact ? page(tx, l, r, &c, order) : search(tx, l, r, &c, order);
}

static void end_list(struct listing *l)
{
	struct json_writer *w = &l->w;
	jw_end_array(w);
	jw_kint(w, "totalResults", l->total);
	jw_kint(w, "startIndex", l->start);
	jw_kint(w, "itemsPerPage", l->written);
	jw_end_object(w);
}

static enum err list_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct listing *l = arg;
	bool both = l->q->users && l->q->groups, fits = false;
	buf_clear(l->out);
	jw_init(&l->w, l->out);
	l->total = l->written = 0;
	jw_object(&l->w);
	jw_key(&l->w, "schemas");
	jw_array(&l->w);
	jw_string(&l->w, "urn:ietf:params:scim:api:messages:2.0:ListResponse");
	jw_end_array(&l->w);
	jw_key(&l->w, "Resources");
	jw_array(&l->w);
	if (l->q->users)
		TRY(list_one(tx, l, SCIM_USER, !both, &fits));
	if (l->q->groups)
		TRY(list_one(tx, l, SCIM_GROUP, !both || !fits, &fits));
	end_list(l);
	return OK;
}

enum err scim_list(struct scope *s, const struct scim_query *q, struct buf *out)
{
	struct listing l = {.q = q, .out = out, .start = q->start < 1 ? 1 : q->start};
	struct scim_filter *filter = NULL;
	if (q->filter != NULL && *q->filter != '\0')
		TRY(scim_filter_parse(s, q->filter, &filter));
	l.filter = filter;
	l.count = q->count == INT64_MAX ? COUNT_DEFAULT : q->count < 0 ? 0 : q->count > SCIM_RESULTS_MAX ? SCIM_RESULTS_MAX : q->count;
	return db_read(s, list_tx, &l);
}
