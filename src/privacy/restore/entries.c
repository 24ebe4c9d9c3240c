/* SPDX-License-Identifier: Apache-2.0
 *
 * The ledger's entries, and whose they are.  An entry names its subject by a keyed reference only, so the references of all that a tenant has are
 * made and looked up: one pass over its users or devices for all entries, in flat memory.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "codec/json.h"
#include "keeper/keeper.h"
#include "privacy/restore/internal.h"

DB_TENANT(replay_duty_by_id, "SELECT state, result FROM duties WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(replay_duty_by_pseudonym, "SELECT duty_id, state, result FROM duties WHERE tenant_id = ?1 AND subject_id = ?2 ORDER BY requested_at DESC");
DB_TENANT(replay_reported, "SELECT max(issued_at) FROM restore_reports WHERE tenant_id = ?1");

/* ---- reading the ledger ---- */

struct loading {
	struct scope *s;
	struct entries *all;
	enum err e;
};

static bool read_type(const char *text, enum subject_type *ret)
{
	bool known = text != NULL && (strcmp(text, "user") == 0 || strcmp(text, "device") == 0 || strcmp(text, "tenant") == 0);
	if (known)
		*ret = subject_type_of(text);
	return known;
}

static bool read_id(const json_t *o, const char *name, struct id *ret)
{
	const char *text = json_string_value(json_object_get(o, name));
	return text != NULL && id_parse(text, ret);
}

static bool parse_entry(const char *json, size_t n, struct entry *ret)
{
	auto_json *o = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_string_value(json_object_get(o, "type")), *hex = json_string_value(json_object_get(o, "subject"));
	const json_t *keeps = json_object_get(o, "keepsDirectory");
	ret->says_directory = json_is_boolean(keeps);
	ret->keeps_directory = json_is_true(keeps);
	return type != NULL && strcmp(type, "erasure") == 0 && read_id(o, "tenantId", &ret->tenant) && read_id(o, "dutyId", &ret->duty) &&
	       read_type(json_string_value(json_object_get(o, "subjectType")), &ret->type) && hex != NULL &&
	       hex_decode(hex, sizeof ret->reference, ret->reference);
}

/* The entry of a duty that was called back before its first row went. */
static bool is_withdrawal(struct entries *all, const char *json, size_t n)
{
	struct id duty;
	auto_json *o = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_string_value(json_object_get(o, "type"));
	if (type == NULL || strcmp(type, "withdrawal") != 0 || !read_id(o, "dutyId", &duty))
		return false;
	size_t kept = 0;
	for (size_t i = 0; i < all->n; i++)
		if (!id_equal(all->v[i].duty, duty))
			all->v[kept++] = all->v[i];
	all->n = kept;
	return true;
}

static bool load_one(void *arg, uint64_t sequence, const char *json, size_t n)
{
	struct loading *l = arg;
	struct entries *all = l->all;
	if (is_withdrawal(all, json, n))
		return true;
	if (all->n == all->room) {
		all->room = all->room ? 2 * all->room : 64;
		all->v = reallocarray(all->v, all->room, sizeof *all->v);
		check(all->v != NULL);
	}
	struct entry *e = &all->v[all->n];
	*e = (struct entry){.sequence = sequence};
	if (!parse_entry(json, n, e)) {
		l->e = scope_fail(l->s, ERR_CONFIG, "entry %" PRIu64 " of the erasure ledger is none that this version can replay", sequence);
		return false;
	}
	all->n++;
	return true;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = memcmp(&x->tenant, &y->tenant, sizeof x->tenant);
	if (order == 0)
		order = (x->type != SUBJECT_TENANT) - (y->type != SUBJECT_TENANT);
	if (order == 0)
		order = (int)x->type - (int)y->type;
	if (order == 0)
		order = memcmp(x->reference, y->reference, sizeof x->reference);
	return order != 0 ? order : x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

enum err entries_load(struct scope *s, uint64_t from, struct entries *ret)
{
	struct loading l = {.s = s, .all = ret};
	*ret = (struct entries){0};
	keeper_ledger_head(s->keeper, &ret->head, ret->head_hash);
	if (ret->head > from)
		TRY(keeper_ledger_read(s->keeper, s, from + 1, load_one, &l));
	TRY(l.e);
	if (ret->n > 0)
		qsort(ret->v, ret->n, sizeof *ret->v, compare);
	return OK;
}

void entries_free(struct entries *e)
{
	free(e->v);
	*e = (struct entries){0};
}

/* ---- what the database has of it ---- */

/* A duty under replay counts as come back until the replay's report is there, however often it was interrupted. */
static bool is_replay(const json_t *progress, int64_t reported_at)
{
	int64_t deleted_at = json_integer_value(json_object_get(progress, "deletedAt"));
	return json_object_get(progress, "replay") != NULL && (deleted_at == 0 || deleted_at > reported_at);
}

static int64_t sum(const json_t *progress, const char *what)
{
	const char *name;
	json_t *row;
	int64_t n = 0;
	json_object_foreach(json_object_get(progress, "tables"), name, row) n += json_integer_value(json_object_get(row, what));
	return n;
}

/* cancelled: between its entry and its first row somebody called it back, and nothing was to go. */
static bool begun(const char *state, const json_t *progress)
{
	static const char *const states[] = {"deleting", "deleted", "scrubbed", "copies_gone", "cancelled"};
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		if (strcmp(state, states[i]) == 0)
			return true;
	const char *from = json_string_value(json_object_get(progress, "from")); /* of a failed one */
	return strcmp(state, "failed") == 0 && from != NULL && (strcmp(from, "deleting") == 0 || strcmp(from, "deleted") == 0);
}

static void judge(struct entry *e, int64_t reported_at, struct id duty, const char *state, const char *result)
{
	auto_json *progress = result != NULL ? json_loads(result, 0, NULL) : NULL;
	if (!begun(state, progress))
		return;
	e->outcome = is_replay(progress, reported_at) ? ENTRY_ERASED : ENTRY_FOLLOWED;
	e->by = duty;
	e->deleted = sum(progress, "deleted");
	e->changed = sum(progress, "changed");
}

struct looking {
	struct entry *e;
	int64_t reported_at;
};

static enum err look_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct looking *l = arg;
	struct entry *e = l->e;
	struct id pseudonym = reference_id(e->reference);
	auto_rows struct db_rows *own = NULL, *others = NULL;
	e->outcome = ENTRY_NOTHING;
	TRY(db_query(tx, &replay_duty_by_id, DB_ARGS(db_v_id(&e->duty)), &own));
	if (db_next(own))
		judge(e, l->reported_at, e->duty, db_text(own, 0), db_text(own, 1));
	TRY(db_rows_err(own));
	if (e->outcome != ENTRY_NOTHING)
		return OK;
	TRY(db_query(tx, &replay_duty_by_pseudonym, DB_ARGS(db_v_id(&pseudonym)), &others));
	while (e->outcome == ENTRY_NOTHING && db_next(others))
		judge(e, l->reported_at, db_id(others, 0), db_text(others, 1), db_text(others, 2));
	return db_rows_err(others);
}

enum err entry_look(struct scope *system, int64_t reported_at, struct entry *e)
{
	struct scope t;
	struct looking l = {e, reported_at};
	struct arena_mark mark = arena_mark(system->arena);
	scope_tenant(&t, system->arena, system->db, system->keeper, e->tenant);
	enum err err = db_read(&t, look_tx, &l);
	if (err != OK)
		return scope_fail(system, err, "%s", scope_detail(&t, err));
	arena_rewind(system->arena, mark);
	return OK;
}

static enum err reported_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &replay_reported, DB_NOARGS, &r));
	*(int64_t *)arg = db_int(r, 0);
	return OK;
}

enum err entries_reported_at(struct scope *system, int64_t *ret)
{
	static const struct id installation;
	struct scope t;
	scope_tenant(&t, system->arena, system->db, system->keeper, installation);
	return db_read(&t, reported_tx, ret);
}

/* ---- whose it is ---- */

struct matching {
	struct entry *v;
	size_t n;
};

static int to_reference(const void *key, const void *of) { return memcmp(key, ((const struct entry *)of)->reference, SHA256_BYTES); }

/* Several entries may name one subject. */
static void match_one(struct matching *m, struct scope *s, struct id subject)
{
	uint8_t reference[SHA256_BYTES];
	subject_reference(s->keeper, s->tenant, subject, reference);
	struct entry *hit = bsearch(reference, m->v, m->n, sizeof *m->v, to_reference);
	if (hit == NULL)
		return;
	while (hit > m->v && to_reference(reference, hit - 1) == 0)
		hit--;
	for (; hit < m->v + m->n && to_reference(reference, hit) == 0; hit++) {
		hit->found = true;
		hit->subject = subject;
	}
}

static enum err match_all(struct scope *s, struct db_tx *tx, struct matching *m, const char *sql)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_stream_text(tx, DB_REACH_TENANT, sql, DB_NOARGS, &r));
	while (db_next(r))
		match_one(m, s, db_id(r, 0));
	return db_rows_err(r);
}

/* A subject whose own row went already is still named by its duty. */
static enum err match_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	static const char *const rows[] = {
		[SUBJECT_USER] = "SELECT user_id FROM users WHERE tenant_id = ?1",
		[SUBJECT_DEVICE] = "SELECT device_id FROM managed_devices WHERE tenant_id = ?1",
		[SUBJECT_TENANT] = "SELECT tenant_id FROM tenants WHERE tenant_id = ?1",
	};
	struct matching *m = arg;
	TRY(match_all(s, tx, m, rows[m->v[0].type]));
	return m->v[0].type == SUBJECT_TENANT ? OK : match_all(s, tx, m,
		"SELECT subject_id FROM duties WHERE tenant_id = ?1 AND state IN ('scheduled', 'received', 'held', 'suppressed', 'deleting', 'failed')");
}

enum err entries_match(struct scope *system, struct entry *v, size_t n)
{
	struct scope t;
	struct matching m = {.v = v, .n = n};
	struct arena_mark mark = arena_mark(system->arena);
	scope_tenant(&t, system->arena, system->db, system->keeper, v[0].tenant);
	enum err err = db_read(&t, match_tx, &m);
	if (err != OK)
		return scope_fail(system, err, "%s", scope_detail(&t, err));
	arena_rewind(system->arena, mark);
	return OK;
}
