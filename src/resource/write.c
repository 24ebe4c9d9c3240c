/* SPDX-License-Identifier: Apache-2.0
 *
 * A row as JSON, straight from the cursor.  What is the same in every row (names, constants, brackets of nested
 * objects) is made once per query into pieces; a row then costs its values.  Promises: nothing is allocated per row,
 * properties come in the table's order whatever the order in $select.
 */
#include <string.h>

#include "base/limits.h"
#include "resource/internal.h"

#define ODATA_TYPE "@odata.type"

/* ---- which properties ---- */

static bool selectable(const struct property *p, enum api_version v)
{
	return property_in(p, v) && !(p->flags & (P_HIDDEN | P_WRITE_ONLY)) && strcmp(p->name, ODATA_TYPE) != 0;
}

static enum err select_one(struct scope *s, const struct resource_query *rq, const char *option, struct row_plan *pl)
{
	const struct resource *r = rq->res;
	bool found = false;
	for (size_t i = 0; i < r->prop_count; i++)
		if (selectable(&r->props[i], rq->version) && property_selected_by(&r->props[i], option))
			found = pl->on[i] = true;
	return found ? OK : scope_fail(s, ERR_BAD_REQUEST, "$select names '%.64s', which %s does not have", option, r->name);
}

static enum err select_all(struct scope *s, const struct resource_query *rq, struct row_plan *pl)
{
	const struct resource *r = rq->res;
	for (size_t i = 0; rq->odata.select == NULL && i < r->prop_count; i++)
		pl->on[i] = selectable(&r->props[i], rq->version) && !(r->props[i].flags & P_SELECT_ONLY);
	for (const char *const *o = rq->odata.select; o != NULL && *o != NULL; o++)
		TRY(select_one(s, rq, *o, pl));
	return OK;
}

/* ---- which columns ---- */

static int column_for(struct row_plan *pl, const struct property *p, bool operand)
{
	operand = operand && !property_is_plain(p);
	for (int i = 0; i < pl->columns; i++)
		if (strcmp(pl->select[i]->sql, p->sql) == 0 && pl->operand[i] == operand && (!operand || pl->select[i] == p))
			return i;
	check(pl->columns < COLUMNS_MAX);
	pl->select[pl->columns] = p;
	pl->operand[pl->columns] = operand;
	return pl->columns++;
}

void row_plan_sql(const struct row_plan *pl, struct sql *q)
{
	for (int i = 0; i < pl->columns; i++) {
		sql_add(q, i == 0 ? "SELECT " : ", ");
		if (pl->operand[i])
			sql_operand(q, pl->select[i]);
		else
			sql_property(q, pl->select[i]);
	}
}

/* ---- pieces ---- */

struct piecing {
	struct row_plan *pl;
	struct buf text;    /* not yet in a piece */
	bool any;           /* a member stands in the object already */
	const char *nested; /* the name of a property in the nested object that is open; NULL */
	size_t nested_n;
	struct arena *arena;
};

static void close_nested(struct piecing *b)
{
	if (b->nested != NULL)
		buf_addc(&b->text, '}');
	b->nested = NULL;
}

static void add_name(struct piecing *b, const char *name, size_t n)
{
	if (b->any)
		buf_addc(&b->text, ',');
	b->any = true;
	buf_addc(&b->text, '"');
	buf_add(&b->text, name, n);
	buf_adds(&b->text, "\":");
}

static void begin_member(struct piecing *b, const char *name)
{
	const char *slash = strchr(name, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - name);
	if (b->nested != NULL && (n != b->nested_n || memcmp(b->nested, name, n) != 0))
		close_nested(b);
	if (slash == NULL) {
		add_name(b, name, strlen(name));
		return;
	}
	if (b->nested == NULL) {
		add_name(b, name, n);
		buf_addc(&b->text, '{');
		b->nested = name;
		b->nested_n = n;
		b->any = false;
	}
	add_name(b, slash + 1, strlen(slash + 1));
}

static void end_piece(struct piecing *b, const struct property *p, int column)
{
	check(b->pl->piece_count <= RECORD_PROPS_MAX && !b->text.failed);
	char *text = arena_strndup(b->arena, b->text.data ? b->text.data : "", b->text.len);
	b->pl->pieces[b->pl->piece_count++] = (struct piece){text, b->text.len, p, column};
	buf_clear(&b->text);
}

static void add_property(struct piecing *b, const struct property *p)
{
	if (p->flags & P_MORE)
		return;
	begin_member(b, p->name);
	if (p->type == PROP_CONST)
		buf_adds(&b->text, p->sql);
	else
		end_piece(b, p, p->type == PROP_KEY ? -1 : column_for(b->pl, p, false));
}

static void make_pieces(struct scope *s, const struct resource_query *rq, struct row_plan *pl)
{
	const struct resource *r = rq->res;
	struct piecing b = {.pl = pl, .arena = s->arena};
	buf_init(&b.text, 64 * KIB);
	const struct property *type = resource_property(r, ODATA_TYPE, rq->version);
	if (type != NULL) {
		add_property(&b, type);
	} else if (r->odata_type != NULL) {
		add_name(&b, ODATA_TYPE, strlen(ODATA_TYPE));
		buf_printf(&b.text, "\"%s\"", r->odata_type);
	}
	for (size_t i = 0; i < r->prop_count; i++)
		if (pl->on[i])
			add_property(&b, &r->props[i]);
	close_nested(&b);
	if (b.text.len > 0)
		end_piece(&b, NULL, -1);
	buf_release(&b.text);
}

enum err row_plan(struct scope *s, const struct resource_query *rq, struct order *o, struct row_plan *ret)
{
	memset(ret, 0, sizeof *ret);
	TRY(select_all(s, rq, ret));
	make_pieces(s, rq, ret);
	ret->key_count = property_keys(rq->res, ret->keys);
	for (size_t i = 0; i < ret->key_count; i++)
		ret->key_columns[i] = column_for(ret, ret->keys[i], false);
	for (size_t i = 0; o != NULL && i < o->n; i++)
		o->t[i].column = column_for(ret, o->t[i].p, true);
	ret->content = -1;
	if (rq->content != NULL)
		ret->content = column_for(ret, property_by_column(rq->res, rq->res->content, strlen(rq->res->content)), false);
	return OK;
}

/* ---- values ---- */

static void write_null(struct json_writer *w, const struct property *p)
{
	if (p->type == PROP_TIME_0)
		jw_string(w, "0001-01-01T00:00:00Z");
	else if (!(p->flags & P_DEFAULT))
		jw_null(w);
	else if (p->type == PROP_BOOL)
		jw_bool(w, false);
	else if (p->type == PROP_INT)
		jw_int(w, 0);
	else if (p->type == PROP_JSON)
		jw_raw(w, "[]", 2);
	else
		jw_string(w, "");
}

static void write_binary(struct json_writer *w, const struct db_rows *r, int col)
{
	size_t n;
	const void *p = db_blob(r, col, &n);
	jw_base64(w, p, n);
}

static void write_json(struct json_writer *w, const char *text)
{
	if (*text == '\0')
		jw_null(w);
	else
		jw_raw(w, text, strlen(text));
}

static void write_value(struct json_writer *w, const struct property *p, const struct db_rows *r, int col)
{
	if (db_is_null(r, col)) {
		write_null(w, p);
		return;
	}
	switch (p->type) {
	case PROP_ID: jw_id(w, db_id(r, col)); break;
	case PROP_TEXT:
	case PROP_ENUM: jw_string(w, db_text(r, col)); break;
	case PROP_BOOL: jw_bool(w, db_bool(r, col)); break;
	case PROP_INT: jw_int(w, db_int(r, col)); break;
	case PROP_TIME:
	case PROP_TIME_0: jw_time(w, db_int(r, col)); break;
	case PROP_JSON: write_json(w, db_text(r, col)); break;
	case PROP_BINARY: write_binary(w, r, col); break;
	case PROP_CONST:
	case PROP_KEY: check(false);
	}
}

/* The key columns' texts with "_" between. */
static void write_key(struct json_writer *w, const struct row_plan *pl, const struct db_rows *r)
{
	auto_buf text;
	char id[ID_TEXT];
	buf_init(&text, 16 * KIB);
	for (size_t i = 0; i < pl->key_count; i++) {
		int col = pl->key_columns[i];
		if (i > 0)
			buf_addc(&text, '_');
		switch (property_db_type(pl->keys[i])) {
		case DB_BLOB: buf_adds(&text, id_format(db_id(r, col), id)); break;
		case DB_INT: buf_printf(&text, "%lld", (long long)db_int(r, col)); break;
		default: buf_adds(&text, db_text(r, col)); break;
		}
	}
	jw_stringn(w, text.data ? text.data : "", text.len);
}

static void write_piece(const struct row_plan *pl, const struct piece *at, const struct db_rows *r,
			struct json_writer *w)
{
	buf_add(w->out, at->text, at->n);
	w->comma = false; /* the text has it */
	if (at->p == NULL)
		return;
	if (at->p->type == PROP_KEY)
		write_key(w, pl, r);
	else
		write_value(w, at->p, r, at->column);
}

enum err row_write(const struct row_plan *pl, struct db_tx *tx, const struct resource_query *rq,
		   const struct db_rows *r, struct json_writer *w)
{
	if (w->comma && pl->piece_count > 0)
		buf_addc(w->out, ',');
	for (size_t i = 0; i < pl->piece_count; i++)
		write_piece(pl, &pl->pieces[i], r, w);
	if (pl->piece_count > 0)
		w->comma = true;
	if (pl->content >= 0) {
		size_t n;
		const char *p = db_blob(r, pl->content, &n);
		TRY(rq->content(db_tx_scope(tx), w, rq, p, n));
	}
	if (rq->more == NULL)
		return OK;
	struct id key = {{0}};
	if (property_db_type(pl->keys[0]) == DB_BLOB)
		key = db_id(r, pl->key_columns[0]);
	return rq->more(tx, w, rq, key, rq->more_arg);
}
