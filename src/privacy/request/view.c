/* SPDX-License-Identifier: Apache-2.0
 *
 * What a case has found, and what is shown of it beside its row.
 */
#include "base/limits.h"
#include "codec/json.h"
#include "duty/duty.h"
#include "keeper/keeper.h"
#include "privacy/certificate/certificate.h"
#include "privacy/disclosure/disclosure.h"
#include "privacy/request/internal.h"
#include "privacy/subject.h"

DB_TENANT(request_set_found,
	  "UPDATE data_subject_requests SET found = ?3, discovered_at = ?4 WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(request_sealed, "SELECT contact, statement FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(requests_of_user,
	  "SELECT 1 FROM data_subject_requests WHERE tenant_id = ?1 AND user_id = ?2 AND request_type IN ('access', 'portability') AND "
	  "state IN ('received', 'verified', 'discovered', 'decided') LIMIT 1");

/* ---- what is held: counts; the person sees them, so what is quiet is not in them ---- */

struct discovery {
	struct id request, user;
	enum request_state state;
	const char *found; /* JSON */
};

static enum err count_path(struct db_tx *tx, const struct map_path *p, struct id user, int64_t *ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	const char *sql = arena_printf(a, "SELECT count(*) FROM %s t WHERE %s%s", p->table, subject_path_where(a, p),
				       disclosure_counted_where(a, map_table(p->table)));
	struct db_value who = db_v_id(&user);
	TRY(db_query_text(tx, DB_REACH_TENANT, sql, &who, 1, &r));
	*ret = db_next(r) ? db_int(r, 0) : 0;
	return db_rows_err(r);
}

/* Sections in the order of the map; each path is a section of its own or adds to the one before. */
static enum err count_sections(struct db_tx *tx, struct id user, json_t *into)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	for (size_t i = 0; i < n; i++) {
		int64_t rows = 0;
		if (*p[i].section == '\0')
			continue;
		TRY(count_path(tx, &p[i], user, &rows));
		rows += json_integer_value(json_object_get(into, p[i].section));
		json_object_set_new(into, p[i].section, json_integer(rows));
	}
	return OK;
}

/* Counting may take long where much is held: before the write, for which everybody waits. */
static enum err count_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct discovery *d = arg;
	struct request r;
	auto_json *found = json_object();
	auto_buf text;
	buf_init(&text, MIB);
	TRY(request_load(tx, d->request, &r));
	if (r.state != REQUEST_verified && r.state != REQUEST_discovered)
		return request_wrong_state(s, &r, "discovered");
	if (!id_is_nil(r.user))
		TRY(count_sections(tx, r.user, found));
	struct json_writer w;
	jw_init(&w, &text);
	jw_json(&w, found);
	d->user = r.user;
	d->state = r.state;
	d->found = arena_strndup(s->arena, text.data, text.len);
	return OK;
}

static enum err discover_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct discovery *d = arg;
	struct request r;
	TRY(request_load(tx, d->request, &r));
	if (r.state != d->state || !id_equal(r.user, d->user))
		return scope_fail(s, ERR_CONFLICT, "the request was changed meanwhile");
	TRY(db_exec(tx, &request_set_found, DB_ARGS(db_v_id(&r.request), db_v_text(d->found), db_v_int(s->now)), NULL));
	return request_move(tx, &r, REQUEST_discovered, ACT_DSR_DISCOVER, NULL);
}

enum err request_discover(struct scope *s, struct id request)
{
	struct discovery d = {.request = request};
	TRY(db_read(s, count_tx, &d));
	return db_write(s, discover_tx, &d);
}

/* ---- what is shown ---- */

static const char *unsealed(struct scope *s, const struct db_rows *r, int column)
{
	size_t n, plain_n;
	const void *p = db_blob(r, column, &n);
	const char *plain = p == NULL ? NULL : keeper_unseal(s->keeper, s->arena, p, n, &plain_n);
	return plain == NULL ? NULL : arena_strndup(s->arena, plain, plain_n);
}

/* The case's own duty, or the open one of the person. */
static enum err deadline(struct db_tx *tx, const struct request *r, int64_t *ret)
{
	struct duty d;
	enum err e = ERR_NOT_FOUND;
	if (!id_is_nil(r->duty))
		e = duty_load(tx, r->duty, &d);
	else if (!id_is_nil(r->user))
		e = duty_of_subject(tx, r->user, &d);
	*ret = e == OK ? d.deadline_at : 0;
	return e == ERR_NOT_FOUND ? OK : e;
}

/* The person, who has the id from their export, can tell by it that a certificate is about them. */
static const char *salt_of(struct scope *s, struct id duty)
{
	uint8_t salt[CERTIFICATE_SALT_BYTES];
	char *hex = arena_alloc(s->arena, 2 * sizeof salt + 1);
	certificate_salt(s->keeper, duty, salt);
	hex_encode(salt, sizeof salt, hex);
	wipe(salt, sizeof salt);
	return hex;
}

enum err request_view(struct db_tx *tx, struct id request, struct request_view *ret)
{
	struct scope *s = db_tx_scope(tx);
	struct request r;
	auto_rows struct db_rows *rows = NULL;
	TRY(request_load(tx, request, &r));
	int64_t until = r.delivered_at != 0 ? r.delivered_at : r.closed_at != 0 ? r.closed_at : s->now;
	*ret = (struct request_view){
		.overdue = request_runs(r.state) && s->now > r.due_at,
		.acknowledgement_overdue = r.acknowledge_by != 0 && r.acknowledged_at == 0 && r.state != REQUEST_closed && s->now > r.acknowledge_by,
		.percent = request_percent(r.received_at, r.due_at, until)};
	TRY(deadline(tx, &r, &ret->erasure_deadline));
	TRY(db_query_one(tx, &request_sealed, DB_ARGS(db_v_id(&request)), &rows));
	ret->contact = unsealed(s, rows, 0);
	ret->statement = unsealed(s, rows, 1);
	ret->erasure_salt = id_is_nil(r.duty) ? NULL : salt_of(s, r.duty);
	return OK;
}

enum err request_delays_erasure(struct db_tx *tx, struct id user, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &requests_of_user, DB_ARGS(db_v_id(&user)), &r));
	*ret = db_next(r);
	return db_rows_err(r);
}
