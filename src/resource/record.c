/* SPDX-License-Identifier: Apache-2.0
 *
 * A record: the values of one resource by property name, and their text for audit events.  A name that the resource
 * does not have is a programming error and stops the program.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "resource/internal.h"
#include "resource/record_internal.h"

struct record *record_new(struct arena *a, const struct resource *r)
{
	check(r->prop_count <= RECORD_PROPS_MAX);
	struct record *rec = arena_alloc(a, sizeof *rec);
	rec->res = r;
	return rec;
}

static size_t place_of(const struct resource *r, const char *name)
{
	for (size_t i = 0; i < r->prop_count; i++)
		if (strcmp(r->props[i].name, name) == 0)
			return i;
	check_failed(name, __FILE__, __LINE__);
}

static const struct db_value *value_of(const struct record *r, const char *name)
{
	size_t i = place_of(r->res, name);
	return r->set[i] && r->v[i].type != DB_NULL ? &r->v[i] : NULL;
}

bool record_has(const struct record *r, const char *name)
{
	return value_of(r, name) != NULL;
}

const char *record_text(struct arena *a, const struct record *r, const char *name)
{
	const struct db_value *v = value_of(r, name);
	if (v == NULL)
		return NULL;
	check(v->type == DB_TEXT);
	return arena_strndup(a, v->p, v->n);
}

int64_t record_int(const struct record *r, const char *name)
{
	const struct db_value *v = value_of(r, name);
	check(v == NULL || v->type == DB_INT);
	return v == NULL ? 0 : v->i;
}

struct id record_id(const struct record *r, const char *name)
{
	const struct db_value *v = value_of(r, name);
	struct id id = {{0}};
	check(v == NULL || (v->type == DB_BLOB && v->n == sizeof id.b));
	if (v != NULL)
		memcpy(id.b, v->p, sizeof id.b);
	return id;
}

bool record_is_first(const struct record *r, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (r->set[j] && property_is_column(&r->res->props[j]) && strcmp(r->res->props[j].sql, r->res->props[i].sql) == 0)
			return false;
	return true;
}

void record_put(struct record *r, size_t i, struct db_value v)
{
	r->v[i] = v;
	r->set[i] = true;
}

static void put(struct record *r, const char *name, struct db_value v)
{
	size_t i = place_of(r->res, name);
	check(v.type == DB_NULL || v.type == property_db_type(&r->res->props[i]));
	record_put(r, i, v);
}

void record_set_text(struct record *r, const char *name, const char *text)
{
	put(r, name, db_v_text(text));
}

void record_set_int(struct record *r, const char *name, int64_t v)
{
	put(r, name, db_v_int(v));
}

void record_set_id(struct record *r, struct arena *a, const char *name, struct id id)
{
	put(r, name, db_v_blob(arena_memdup(a, id.b, sizeof id.b), sizeof id.b));
}

void record_set_null(struct record *r, const char *name)
{
	put(r, name, db_v_null());
}

/* ---- audit ---- */

const char *record_public_text(struct arena *a, const struct property *p, const struct db_value *v)
{
	char id_text[ID_TEXT], time_text[TIME_TEXT];
	struct id id;
	switch (v->type) {
	case DB_NULL: return NULL;
	case DB_TEXT: return arena_strndup(a, v->p, v->n);
	case DB_INT:
		if (p->type == PROP_BOOL)
			return v->i ? "true" : "false";
		if (p->type == PROP_TIME || p->type == PROP_TIME_0)
			return arena_strdup(a, time_format(v->i, time_text));
		return arena_printf(a, "%" PRId64, v->i);
	case DB_BLOB:
		check(p->type == PROP_ID && v->n == sizeof id.b);
		memcpy(id.b, v->p, sizeof id.b);
		return arena_strdup(a, id_format(id, id_text));
	}
	return NULL;
}

void record_changes_all(struct arena *a, const struct record *r, bool created, struct audit_change ***changes_tail)
{
	for (size_t i = 0; i < r->res->prop_count; i++) {
		const struct property *p = &r->res->props[i];
		if (!r->set[i] || r->v[i].type == DB_NULL || !property_is_column(p) || p->type == PROP_BINARY ||
		    !record_is_first(r, i))
			continue;
		const char *text = record_public_text(a, p, &r->v[i]);
		*changes_tail = audit_change_add(a, *changes_tail, p->name, r->res->table, p->sql, created ? NULL : text,
						 created ? text : NULL);
	}
}
