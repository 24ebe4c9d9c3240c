/* SPDX-License-Identifier: Apache-2.0
 *
 * What a scan looks for after a deletion: the identifiers of the subject, picked by the map's categories, sealed in the
 * keeper from before the first row goes until the scan is done.  An identifier that stays by law or promise (the id of
 * a device that still owes an action, what a company device keeps) is none.  An identifier that others have too is told
 * from a residue at the scan (scan.c).
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "codec/json.h"
#include "devices/removal.h"
#include "keeper/keeper.h"
#include "privacy/erasure/internal.h"

DB_TENANT(
	device_id_stays,
	"SELECT 1 FROM device_certificates WHERE tenant_id = ?1 AND device_id = ?2 AND owed_action IS NOT NULL "
	  "LIMIT 1");

enum {
	TEXT_MIN = 6, /* shorter ones stand everywhere */
	TEXT_MAX = 256,
	ROWS_MAX = 500,	    /* of one table */
	NEEDLES_MAX = 3000, /* a tenant's are a sample */
};

static const struct {
	const char *category;
	bool strong;
} CATEGORIES
	[] =
		{
			{"user.contact.email", true},	  {"user.contact.phone_number", false},
			{"user.unique_id", false},	  {"user.name", false},
			{"user.device.device_id", false}, /* but ids: a serial number may be "Default string" */
};

/* ---- a list ---- */

static bool known(const struct needles *n, const void *p, size_t len)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->v[i].n == len && memcmp(n->v[i].p, p, len) == 0)
			return true;
	return false;
}

static void add(struct arena *a, struct needles *n, const char *source, bool strong, const void *p, size_t len)
{
	if (n->n == NEEDLES_MAX || known(n, p, len))
		return;
	if (n->n == n->room) {
		n->room = n->room == 0 ? 32 : 2 * n->room;
		struct needle *more = arena_alloc(a, n->room * sizeof *more);
		if (n->n > 0)
			memcpy(more, n->v, n->n * sizeof *more);
		n->v = more;
	}
	n->v[n->n++] = (struct needle){.source = source, .strong = strong, .p = arena_memdup(a, p, len), .n = len};
}

static void add_id(struct arena *a, struct needles *n, const char *source, struct id id)
{
	char text[ID_TEXT];
	add(a, n, source, true, id.b, sizeof id.b);
	id_format(id, text);
	add(a, n, source, true, text, ID_TEXT - 1);
}

/* As it is, and in lower case: UPNs are stored so, too. */
static void add_text(struct arena *a, struct needles *n, const char *source, bool strong, const char *text)
{
	size_t len = strlen(text);
	if (len < TEXT_MIN || len > TEXT_MAX)
		return;
	strong = strong && strchr(text, '@') != NULL; /* a mail nickname may be "reception" */
	add(a, n, source, strong, text, len);
	char *lower = arena_strdup(a, text);
	for (char *c = lower; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	if (strong)
		add(a, n, source, strong, lower, len);
}

static void add_json(struct arena *a, struct needles *n, const char *source, bool strong, const char *text)
{
	auto_json *j = json_loads(text, JSON_DECODE_ANY, NULL);
	size_t i;
	json_t *v;
	json_array_foreach(j, i, v) if (json_is_string(v)) add_text(a, n, source, strong, json_string_value(v));
}

/* ---- from the map ---- */

static const struct map_column *needle_column(const struct map_column *c, bool *ret_strong)
{
	bool persons_id = c->type == MAP_TYPE_ID && strcmp(c->category, "user.unique_id") == 0; /* the subject's own is there already */
	if (c->kind != MAP_KIND_PERSONAL || c->disclosure == MAP_DISCLOSE_OTHERS || persons_id)
		return NULL;
	for (size_t i = 0; i < sizeof CATEGORIES / sizeof CATEGORIES[0]; i++)
		if (strcmp(CATEGORIES[i].category, c->category) == 0) {
			*ret_strong = CATEGORIES[i].strong;
			return c;
		}
	return NULL;
}

struct collector {
	struct db_tx *tx;
	struct erase_job *j;
	struct needles *out;
};

/* Whether the device's id may be gone from the store: it does not own a duty of another, and owes nothing. */
static enum err device_id_goes(struct db_tx *tx, struct erase_job *j, struct id device, bool *ret)
{
	struct duty other;
	auto_rows struct db_rows *r = NULL;
	*ret = false;
	enum err e = duty_of_subject(tx, device, &other);
	if (e == OK && !id_equal(other.duty, j->d.duty))
		return OK; /* it is that duty's to prove */
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	e = db_query_one(tx, &device_id_stays, DB_ARGS(db_v_id(&device)), &r);
	*ret = e == ERR_NOT_FOUND;
	return e == ERR_NOT_FOUND ? OK : e;
}

static enum err add_value(struct collector *k, const struct map_column *c, bool strong, const struct db_rows *r,
			  int col)
{
	struct arena *a = db_tx_scope(k->tx)->arena;
	const char *source = arena_printf(a, "%s.%s", c->table, c->name);
	bool goes = true;
	if (db_is_null(r, col))
		return OK;
	if (c->type == MAP_TYPE_ID) {
		if (strcmp(c->name, "device_id") == 0)
			TRY(device_id_goes(k->tx, k->j, db_id(r, col), &goes));
		if (goes)
			add_id(a, k->out, source, db_id(r, col));
	} else if (c->type == MAP_TYPE_JSON) {
		add_json(a, k->out, source, strong, db_text(r, col));
	} else if (c->type == MAP_TYPE_TEXT) {
		add_text(a, k->out, source, strong, db_text(r, col));
	}
	return OK;
}

static enum err collect_table(struct collector *k, const struct map_table *t, enum subject_type type, struct id subject)
{
	struct arena *a = db_tx_scope(k->tx)->arena;
	size_t n, wanted = 0;
	const struct map_column *c = map_table_columns(t, &n);
	bool strong[64];
	const struct map_column *pick[64];
	auto_buf sql;
	buf_init(&sql, 16 * KIB);
	buf_adds(&sql, "SELECT ");
	for (size_t i = 0; i < n && wanted < 64; i++)
		if (needle_column(&c[i], &strong[wanted]) != NULL) {
			buf_printf(&sql, "%st.%s", wanted > 0 ? ", " : "", c[i].name);
			pick[wanted++] = &c[i];
		}
	if (wanted == 0)
		return OK;
	buf_printf(&sql, " FROM %s t WHERE %s LIMIT %d", t->name, subject_where(a, t, type, 0), ROWS_MAX);
	struct db_value who = db_v_id(&subject);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(k->tx, DB_REACH_TENANT, arena_strndup(a, sql.data, sql.len), &who,
			  type == SUBJECT_TENANT ? 0 : 1, &r));
	while (db_next(r))
		for (size_t i = 0; i < wanted; i++)
			TRY(add_value(k, pick[i], strong[i], r, (int)i));
	return db_rows_err(r);
}

static enum err collect_device(struct collector *k, struct id device)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	bool goes;
	TRY(device_id_goes(k->tx, k->j, device, &goes));
	if (goes) /* also where the record itself went with its person's */
		add_id(db_tx_scope(k->tx)->arena, k->out, "managed_devices.device_id", device);
	for (size_t i = 0; i < n; i++)
		if (subject_parts(&t[i], SUBJECT_DEVICE) > 0)
			TRY(collect_table(k, &t[i], SUBJECT_DEVICE, device));
	return OK;
}

static enum err collect_user(struct collector *k, struct id user)
{
	struct scope *s = db_tx_scope(k->tx);
	struct user_device *devices;
	size_t n, device_n;
	const struct map_table *t = map_tables(&n);
	add_id(s->arena, k->out, "users.user_id", user);
	for (size_t i = 0; i < n; i++)
		if (t[i].link == MAP_LINK_USER && subject_parts(&t[i], SUBJECT_DEVICE) == 0)
			TRY(collect_table(k, &t[i], SUBJECT_USER, user));
	TRY(devices_of_user(k->tx, user, &devices, &device_n));
	k->out->devices = arena_alloc(s->arena, (device_n + 1) * sizeof *k->out->devices);
	for (size_t i = 0; i < device_n; i++)
		if (!devices[i].company) {
			k->out->devices[k->out->device_n++] = devices[i].device;
			TRY(collect_device(k, devices[i].device));
		}
	return OK;
}

static enum err collect_tenant(struct collector *k)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	for (size_t i = 0; i < n; i++)
		if ((tenant_domains(k->j) & 1u << t[i].domain) != 0 && t[i].link != MAP_LINK_NONE &&
		    subject_parts(&t[i], SUBJECT_TENANT) > 0)
			TRY(collect_table(k, &t[i], SUBJECT_TENANT, k->j->d.subject));
	return OK;
}

enum err needles_collect(struct db_tx *tx, struct erase_job *j, struct needles *ret)
{
	struct collector k = {.tx = tx, .j = j, .out = ret};
	*ret = (struct needles){.subject = j->d.subject};
	switch (j->type) {
	case SUBJECT_USER: return collect_user(&k, j->d.subject);
	case SUBJECT_DEVICE:
		ret->devices = arena_memdup(db_tx_scope(tx)->arena, &j->d.subject, sizeof j->d.subject);
		ret->device_n = 1;
		return collect_device(&k, j->d.subject);
	case SUBJECT_TENANT: return collect_tenant(&k);
	}
	return OK;
}

/* ---- at rest ---- */

enum err needles_put(struct erase_job *j, const struct needles *n)
{
	struct json_writer w;
	auto_buf out;
	buf_init(&out, MIB);
	jw_init(&w, &out);
	jw_object(&w);
	jw_key(&w, "subject");
	jw_hex(&w, n->subject.b, sizeof n->subject.b);
	jw_key(&w, "devices");
	jw_array(&w);
	for (size_t i = 0; i < n->device_n; i++)
		jw_hex(&w, n->devices[i].b, sizeof n->devices[i].b);
	jw_end_array(&w);
	jw_key(&w, "needles");
	jw_array(&w);
	for (size_t i = 0; i < n->n; i++) {
		jw_array(&w);
		jw_string(&w, n->v[i].source);
		jw_bool(&w, n->v[i].strong);
		jw_hex(&w, n->v[i].p, n->v[i].n);
		jw_end_array(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	if (out.failed)
		return scope_fail(&j->s, ERR_LIMIT, "the identifiers of one subject are more than the keeper holds");
	enum err e = keeper_needles_put(j->s.keeper, &j->s, j->d.duty, out.data, out.len);
	wipe(out.data, out.len);
	return e;
}

static bool read_id(const json_t *v, struct id *ret)
{
	return json_is_string(v) && hex_decode(json_string_value(v), sizeof ret->b, ret->b);
}

static bool read_needle(struct arena *a, const json_t *v, struct needle *ret)
{
	const char *source = json_string_value(json_array_get(v, 0)), *hex = json_string_value(json_array_get(v, 2));
	if (source == NULL || hex == NULL)
		return false;
	size_t n = strlen(hex) / 2;
	void *p = arena_alloc(a, n + 1);
	*ret = (struct needle){
		.source = arena_strdup(a, source), .strong = json_is_true(json_array_get(v, 1)), .p = p, .n = n};
	return hex_decode(hex, n, p);
}

enum err needles_get(struct erase_job *j, struct needles *ret)
{
	void *bytes;
	size_t len, i;
	json_t *v;
	*ret = (struct needles){0};
	TRY(keeper_needles_get(j->s.keeper, &j->s, j->d.duty, &bytes, &len));
	auto_json *root = json_loadb(bytes, len, 0, NULL);
	const json_t *devices = json_object_get(root, "devices"), *list = json_object_get(root, "needles");
	bool good = read_id(json_object_get(root, "subject"), &ret->subject);
	ret->devices = arena_alloc(j->s.arena, (json_array_size(devices) + 1) * sizeof *ret->devices);
	ret->v = arena_alloc(j->s.arena, (json_array_size(list) + 1) * sizeof *ret->v);
	json_array_foreach((json_t *)devices, i, v) good = good && read_id(v, &ret->devices[ret->device_n++]);
	json_array_foreach((json_t *)list, i, v) good = good && read_needle(j->s.arena, v, &ret->v[ret->n++]);
	return good ? OK : scope_fail(&j->s, ERR_IO, "the sealed identifiers of the duty cannot be read");
}
