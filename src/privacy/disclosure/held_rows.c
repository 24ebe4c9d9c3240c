/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/disclosure/held_rows.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "keeper/keeper.h"
#include "privacy/subject.h"

enum { EVENT_HIDDEN_MAX = 32 }; /* an event has ten parts, each redacted by the map or as it was decided */

struct held_rows {
	struct scope *s;
	const struct disclosure *d;
	const struct map_path *path;
	const struct map_table *table;
	const struct held_column *column;
	size_t n, keys;
	bool keys_only;
	struct db_rows *rows;
	enum err err;
};

/* ---- which columns ---- */

bool held_is_event(const struct map_path *path) { return map_table(path->table)->link == MAP_LINK_AUDIT; }

static bool is_read(const struct map_column *c, bool portability)
{
	if (c->disclosure == MAP_DISCLOSE_WITHHOLD_SECURITY || c->disclosure == MAP_DISCLOSE_INTERNAL || c->kind == MAP_KIND_SECRET)
		return false;
	return !portability || c->origin != MAP_ORIGIN_DERIVED;
}

const struct held_column *held_columns(struct arena *a, const struct map_path *path, bool portability, size_t *ret_n)
{
	size_t n, out = 0;
	const struct map_column *c = map_table_columns(map_table(path->table), &n);
	struct held_column *list = arena_alloc(a, n * sizeof *list);
	for (size_t i = 0; i < n && !held_is_event(path); i++)
		if (is_read(&c[i], portability))
			list[out++] = (struct held_column){&c[i], property_name(a, c[i].name)};
	check(out <= HELD_COLUMNS_MAX);
	*ret_n = out;
	return list;
}

size_t held_key_count(const struct map_path *path)
{
	size_t n = 1;
	for (const char *p = record_key_columns(map_table(path->table)); *p != '\0'; p++)
		n += *p == ',';
	check(n <= HELD_KEY_MAX);
	return n;
}

/* ---- the query ---- */

/* "t.a, t.b" */
static const char *key_list(struct arena *a, const struct map_table *t)
{
	auto_buf out;
	buf_init(&out, 4 * KIB);
	buf_adds(&out, "t.");
	for (const char *p = record_key_columns(t); *p != '\0'; p++) {
		buf_addc(&out, *p);
		if (*p == ' ')
			buf_adds(&out, "t.");
	}
	return arena_strdup(a, out.data);
}

/* Whose device the row is of. */
static const char *owner_sql(const struct map_table *t)
{
	if (map_column(t->name, "owner_type") != NULL)
		return "t.owner_type";
	if (map_column(t->name, "device_id") == NULL)
		return "NULL";
	return "(SELECT o.owner_type FROM managed_devices o WHERE o.tenant_id = t.tenant_id AND o.device_id = t.device_id)";
}

static const char *query_sql(const struct held_rows *h, const struct held_query *q)
{
	struct arena *a = h->s->arena;
	const char *keys = key_list(a, h->table);
	auto_buf sql;
	buf_init(&sql, 32 * KIB);
	buf_printf(&sql, "SELECT %s, %s", keys, owner_sql(h->table));
	for (size_t i = 0; i < h->n; i++)
		buf_printf(&sql, ", t.%s", h->column[i].column->name);
	if (held_is_event(h->path) && !h->keys_only)
		buf_adds(&sql, ", t.bytes");
	buf_printf(&sql, " FROM %s t WHERE %s%s", h->table->name, subject_path_where(a, h->path), disclosure_told_where(a, h->table));
	if (q->after != NULL) {
		buf_printf(&sql, " AND (%s) > (", keys);
		for (size_t i = 0; i < h->keys; i++)
			buf_printf(&sql, "%s?%zu", i > 0 ? ", " : "", i + 3);
		buf_addc(&sql, ')');
	}
	/* events by the person's index, which has their time */
	buf_printf(&sql, " ORDER BY %s", q->limit == 0 && held_is_event(h->path) ? "t.at, t.event_id" : keys);
	if (q->limit > 0)
		buf_printf(&sql, " LIMIT %u", q->limit);
	return arena_strndup(a, sql.data, sql.len);
}

enum err held_open(struct db_tx *tx, const struct disclosure *d, struct id person, const struct held_query *q, struct held_rows **ret)
{
	struct scope *s = db_tx_scope(tx);
	struct held_rows *h = arena_alloc(s->arena, sizeof *h);
	struct db_value args[1 + HELD_KEY_MAX] = {db_v_id(&person)};
	*h = (struct held_rows){.s = s, .d = d, .path = q->path, .table = map_table(q->path->table), .keys_only = q->keys_only};
	h->keys = held_key_count(q->path);
	if (!h->keys_only)
		h->column = held_columns(s->arena, q->path, q->portability, &h->n);
	for (size_t i = 0; q->after != NULL && i < h->keys; i++)
		args[1 + i] = q->after[i];
	size_t n = q->after != NULL ? 1 + h->keys : 1;
	if (q->limit > 0)
		TRY(db_query_text(tx, DB_REACH_TENANT, query_sql(h, q), args, n, &h->rows));
	else
		TRY(db_stream_text(tx, DB_REACH_TENANT, query_sql(h, q), args, n, &h->rows));
	*ret = h;
	return OK;
}

void held_close(struct held_rows **h)
{
	if (*h != NULL)
		db_rows_free(&(*h)->rows);
	*h = NULL;
}

enum err held_err(const struct held_rows *h) { return h->err != OK ? h->err : db_rows_err(h->rows); }

/* ---- one row ---- */

static const char *sealed_text(struct held_rows *h, int col)
{
	size_t n, plain_n;
	const void *p = db_blob(h->rows, col, &n);
	const char *plain = keeper_unseal(h->s->keeper, h->s->arena, p, n, &plain_n);
	return plain == NULL ? "" : arena_strndup(h->s->arena, plain, plain_n);
}

static const char *hex_text(struct held_rows *h, int col)
{
	size_t n;
	const void *p = db_blob(h->rows, col, &n);
	char *hex = arena_alloc(h->s->arena, 2 * n + 1);
	hex_encode(p, n, hex);
	return hex;
}

static const char *text_of(struct held_rows *h, int col, enum map_type type)
{
	struct arena *a = h->s->arena;
	char id[ID_TEXT], time[TIME_TEXT];
	switch (type) {
	case MAP_TYPE_ID: return arena_strdup(a, id_format(db_id(h->rows, col), id));
	case MAP_TYPE_TIME: return arena_strdup(a, time_format(db_int(h->rows, col), time));
	case MAP_TYPE_BOOL: return db_bool(h->rows, col) ? "true" : "false";
	case MAP_TYPE_INT: return arena_printf(a, "%lld", (long long)db_int(h->rows, col));
	case MAP_TYPE_JSON:
	case MAP_TYPE_TEXT: return db_text_dup(h->rows, col, a);
	case MAP_TYPE_SEALED: return sealed_text(h, col);
	case MAP_TYPE_BLOB: break;
	}
	return hex_text(h, col);
}

/* Once for each property and reason: an event may tell of thousands of members. */
static void hide(struct held_row *row, const char *property, const struct disclosed *what)
{
	if (what->quiet)
		return;
	for (size_t i = 0; i < row->hidden_n; i++) {
		struct held_hidden *h = &row->hidden[i];
		if (strcmp(h->property, property) == 0 && h->what.verdict == what->verdict && h->what.reason == what->reason) {
			h->count++;
			return;
		}
	}
	check(row->hidden_n < row->hidden_room);
	row->hidden[row->hidden_n++] = (struct held_hidden){property, *what, 1};
}

static void read_value(struct held_rows *h, const struct disclosed_row *of, struct held_row *row, size_t i)
{
	const struct map_column *c = h->column[i].column;
	struct held_value *v = &row->value[i];
	int col = (int)(h->keys + 1 + i);
	*v = (struct held_value){.what = {.verdict = GIVE}};
	if (db_is_null(h->rows, col))
		return;
	struct id id = c->type == MAP_TYPE_ID ? db_id(h->rows, col) : (struct id){0};
	v->literal = c->type == MAP_TYPE_BOOL || c->type == MAP_TYPE_INT || c->type == MAP_TYPE_JSON;
	v->text = text_of(h, col, c->type);
	v->what = disclosure_of_value(h->d, of, c, c->type == MAP_TYPE_ID ? &id : NULL);
	v->shown = v->what.verdict == GIVE ? v->text : v->what.verdict == REDACT ? disclosure_text(h->s->arena, c, &v->what, v->text) : NULL;
	if (v->what.verdict != GIVE)
		hide(row, h->column[i].name, &v->what);
}

static void report_part(void *arg, const char *property, const struct disclosed *what) { hide(arg, property, what); }

static void read_event(struct held_rows *h, const struct disclosed_row *of, struct held_row *row)
{
	size_t n;
	const char *bytes = db_blob(h->rows, (int)h->keys + 1, &n);
	row->hidden_room = EVENT_HIDDEN_MAX;
	row->hidden = arena_alloc(h->s->arena, row->hidden_room * sizeof *row->hidden);
	row->event = disclosure_of_event(h->d, of, bytes, n, report_part, row, &row->what);
	json_t *stored = json_loadb(bytes, n, 0, NULL);
	row->held = json_incref(json_object_get(stored, "event"));
	json_decref(stored);
}

static void read_values(struct held_rows *h, const struct disclosed_row *of, struct held_row *row)
{
	row->what = disclosure_of_record(h->d, of);
	row->hidden_room = h->n;
	row->hidden = arena_alloc(h->s->arena, row->hidden_room * sizeof *row->hidden);
	for (size_t i = 0; i < h->n; i++)
		read_value(h, of, row, i);
}

bool held_next(struct held_rows *h, struct held_row *ret)
{
	if (!db_next(h->rows))
		return false;
	struct arena *a = h->s->arena;
	const char *owner = db_text(h->rows, (int)h->keys);
	struct disclosed_row of = {.path = h->path};
	memset(ret, 0, sizeof *ret);
	for (size_t i = 0; i < h->keys; i++)
		ret->key[i] = db_value_dup(h->rows, (int)i, a);
	ret->record = record_key(a, h->s->tenant, h->table, ret->key, h->keys);
	of.record = ret->record;
	of.company_device = owner != NULL && strcmp(owner, "company") == 0;
	of.personal_device = owner != NULL && !of.company_device;
	if (held_is_event(h->path) && !h->keys_only)
		read_event(h, &of, ret);
	else
		read_values(h, &of, ret);
	return true;
}

void held_row_done(struct held_row *row)
{
	json_decref(row->event);
	json_decref(row->held);
	row->event = row->held = NULL;
}
