/* SPDX-License-Identifier: Apache-2.0
 *
 * $skiptoken: the place after which the next page begins, as base64url of a JSON array: a hash that binds it to its
 * query, the count taken on the first page (or null), and the values of the order's terms in the last row.  It grants
 * nothing (its values are parameters, the tenant comes from the scope); the hash only refuses a token of another query,
 * which would skip rows silently.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "codec/base64.h"
#include "resource/internal.h"

/* ---- FNV-1a ---- */

static void mix(uint64_t *h, const void *p, size_t n)
{
	const unsigned char *b = p;
	for (size_t i = 0; i < n; i++)
		*h = (*h ^ b[i]) * UINT64_C(0x100000001b3);
}

static void mix_value(uint64_t *h, const struct db_value *v)
{
	mix(h, &v->type, sizeof v->type);
	if (v->type == DB_INT)
		mix(h, &v->i, sizeof v->i);
	else if (v->type != DB_NULL)
		mix(h, v->p, v->n);
}

uint64_t token_hash(const struct scope *s, const struct resource_query *rq, const struct order *o,
		    const struct sql *where)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	mix(&h, s->tenant.b, sizeof s->tenant.b);
	mix(&h, rq->res->name, strlen(rq->res->name));
	mix(&h, where->text, where->len);
	for (size_t i = 0; i < where->arg_count; i++)
		mix_value(&h, &where->args[i]);
	for (size_t i = 0; i < o->n; i++) {
		mix(&h, o->t[i].p->name, strlen(o->t[i].p->name) + 1);
		mix(&h, o->t[i].descending ? "-" : "+", 1);
	}
	return h;
}

/* ---- reading ---- */

static enum err foreign(struct scope *s)
{
	return scope_fail(s, ERR_BAD_REQUEST, "$skiptoken does not belong to this query");
}

static bool value_read(struct arena *a, const struct term *t, const json_t *j, struct db_value *ret)
{
	struct id id;
	*ret = db_v_null();
	if (json_is_null(j))
		return t->nullable;
	switch (property_db_type(t->p)) {
	case DB_INT:
		*ret = db_v_int(json_integer_value(j));
		return json_is_integer(j);
	case DB_TEXT:
		if (!json_is_string(j))
			return false;
		*ret = db_v_textn(arena_memdup(a, json_string_value(j), json_string_length(j)), json_string_length(j));
		return true;
	case DB_BLOB:
		if (!json_is_string(j) || !id_parse(json_string_value(j), &id))
			return false;
		*ret = db_v_blob(arena_memdup(a, id.b, sizeof id.b), sizeof id.b);
		return true;
	case DB_NULL: break;
	}
	return false;
}

static bool array_read(struct scope *s, const json_t *j, uint64_t hash, const struct order *o, struct place *p)
{
	char want[17];
	snprintf(want, sizeof want, "%016" PRIx64, hash);
	const char *got = json_string_value(json_array_get(j, 0));
	const json_t *count = json_array_get(j, 1);
	if (json_array_size(j) != o->n + 2 || got == NULL || strcmp(got, want) != 0)
		return false;
	if (!json_is_null(count) && (!json_is_integer(count) || json_integer_value(count) < 0))
		return false;
	p->count = json_is_null(count) ? -1 : json_integer_value(count);
	for (size_t i = 0; i < o->n; i++)
		if (!value_read(s->arena, &o->t[i], json_array_get(j, i + 2), &p->v[i]))
			return false;
	return true;
}

enum err token_read(struct scope *s, const char *token, uint64_t hash, const struct order *o, struct place *ret)
{
	void *bytes;
	size_t n;
	*ret = (struct place){.given = true};
	if (!base64url_decode(s->arena, token, strlen(token), &bytes, &n))
		return foreign(s);
	json_t *j = json_loadb(bytes, n, 0, NULL);
	bool good = j != NULL && array_read(s, j, hash, o, ret);
	json_decref(j);
	return good ? OK : foreign(s);
}

/* ---- writing ---- */

static void value_write(struct json_writer *w, const struct term *t, const struct db_value *v)
{
	struct id id;
	switch (v->type) {
	case DB_NULL: jw_null(w); break;
	case DB_INT: jw_int(w, v->i); break;
	case DB_TEXT: jw_stringn(w, v->p, v->n); break;
	case DB_BLOB:
		check(t->p->type == PROP_ID && v->n == sizeof id.b);
		memcpy(id.b, v->p, sizeof id.b);
		char text[ID_TEXT];
		jw_string(w, id_format(id, text));
		break;
	}
}

enum err token_write(struct scope *s, uint64_t hash, const struct order *o, const struct place *p, char **ret)
{
	auto_buf out;
	struct json_writer w;
	char text[17];
	buf_init(&out, 64 * KIB);
	jw_init(&w, &out);
	snprintf(text, sizeof text, "%016" PRIx64, hash);
	jw_array(&w);
	jw_string(&w, text);
	if (p->count >= 0)
		jw_int(&w, p->count);
	else
		jw_null(&w);
	for (size_t i = 0; i < o->n; i++)
		value_write(&w, &o->t[i], &p->v[i]);
	jw_end_array(&w);
	if (out.failed)
		return scope_fail(s, ERR_LIMIT, "the page's last row is too long to continue from");
	*ret = base64url_encode(s->arena, out.data, out.len);
	return OK;
}
