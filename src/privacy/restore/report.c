/* SPDX-License-Identifier: Apache-2.0
 *
 * The report of a replay: the body is written once, in the canonical form of codec/json.h, and what is signed is what is stored.
 * docs/formats/restore-report.md.  It names no person: the subject of an entry is the ledger's keyed reference.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/audit.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/json.h"
#include "crypto/newfile.h"
#include "keeper/keeper.h"
#include "privacy/restore/internal.h"

DB_TENANT(restore_report_insert,
	  "INSERT INTO restore_reports (tenant_id, report_id, issued_at, followed_sequence, head_sequence, erased, body, signature) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
DB_TENANT(restore_report_select, "SELECT body, signature, issued_at FROM restore_reports WHERE tenant_id = ?1 AND report_id = ?2");
DB_TENANT(restore_report_next, "SELECT report_id FROM restore_reports WHERE tenant_id = ?1 AND announced_at IS NULL LIMIT 1");
DB_TENANT(restore_report_announced, "UPDATE restore_reports SET announced_at = ?3 WHERE tenant_id = ?1 AND report_id = ?2");
DB_TENANT(restore_tenant_there, "SELECT state FROM tenants WHERE tenant_id = ?1");

static const struct id installation;
enum { BODY_MAX = 16 * MIB, ENTRIES_SHOWN = 25000 };

/* ---- the body ---- */

static void write_issuer(struct json_writer *w, const struct restore_run *r)
{
	uint8_t key[ED25519_KEY_BYTES];
	keeper_public_key(r->system->keeper, key);
	jw_key(w, "issuer");
	jw_object(w);
	jw_kstring(w, "host", r->host);
	jw_kstring(w, "software", "reeve " REEVE_VERSION);
	jw_key(w, "publicKey");
	jw_base64(w, key, sizeof key);
	jw_end_object(w);
}

static void write_place(struct json_writer *w, const char *name, uint64_t sequence, const uint8_t hash[SHA256_BYTES])
{
	jw_key(w, name);
	jw_object(w);
	jw_kint(w, "sequence", (int64_t)sequence);
	jw_key(w, "sha256");
	jw_hex(w, hash, SHA256_BYTES);
	jw_end_object(w);
}

static void write_entry(struct json_writer *w, const struct entry *e)
{
	static const char *const types[] = {[SUBJECT_USER] = "user", [SUBJECT_DEVICE] = "device", [SUBJECT_TENANT] = "tenant"};
	jw_object(w);
	jw_kint(w, "sequence", (int64_t)e->sequence);
	jw_kid(w, "tenantId", e->tenant);
	jw_kid(w, "dutyId", e->duty);
	jw_kstring(w, "subjectType", types[e->type]);
	jw_key(w, "subject");
	jw_hex(w, e->reference, sizeof e->reference);
	jw_kstring(w, "outcome", e->outcome == ENTRY_ERASED ? "erasedAgain" : "nothingLeft");
	if (e->outcome == ENTRY_ERASED) {
		jw_kid(w, "replayDutyId", e->by);
		jw_kint(w, "rowsDeleted", e->deleted);
		jw_kint(w, "rowsChanged", e->changed);
	}
	jw_end_object(w);
}

static int64_t count_erased(const struct entries *all)
{
	int64_t n = 0;
	for (size_t i = 0; i < all->n; i++)
		n += all->v[i].outcome == ENTRY_ERASED;
	return n;
}

static void write_body(struct json_writer *w, const struct outcome_of_replay *o, struct id report, int64_t issued)
{
	const struct entries *all = o->entries;
	size_t shown = all->n < ENTRIES_SHOWN ? all->n : ENTRIES_SHOWN;
	jw_object(w);
	jw_kstring(w, "format", RESTORE_REPORT_FORMAT);
	jw_kid(w, "reportId", report);
	jw_ktime(w, "startedDateTime", o->started_at);
	jw_ktime(w, "issuedDateTime", issued);
	write_issuer(w, o->run);
	jw_key(w, "ledger");
	jw_object(w);
	write_place(w, "followed", o->from.sequence, o->from.hash);
	write_place(w, "head", all->head, all->head_hash);
	jw_end_object(w);
	jw_kint(w, "entryCount", (int64_t)all->n);
	jw_kint(w, "erasedAgainCount", count_erased(all));
	jw_kint(w, "resumedCount", (int64_t)o->resumed);
	jw_key(w, "entries");
	jw_array(w);
	for (size_t i = 0; i < shown; i++)
		write_entry(w, &all->v[i]);
	jw_end_array(w);
	jw_end_object(w);
}

/* ---- storing ---- */

struct storing {
	const struct outcome_of_replay *o;
	uint64_t head; /* now: the replay's own entries have been carried out, too */
	uint8_t head_hash[SHA256_BYTES];
	struct id report; /* out */
};

static enum err record(struct db_tx *tx, struct id report, const char *body, size_t n, const char *followed, const char *head, const char *erased)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t hash[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	struct audit_change *changes = NULL, **tail = &changes;
	sha256(body, n, hash);
	hex_encode(hash, sizeof hash, hex);
	tail = audit_change_add(s->arena, tail, "sha256", NULL, NULL, NULL, hex);
	if (followed != NULL)
		tail = audit_change_add(s->arena, tail, "ledgerSequence", NULL, NULL, followed, head);
	audit_change_add(s->arena, tail, "erasedAgain", NULL, NULL, NULL, erased);
	return audit_record(tx, &(struct audit_event){.activity = ACT_RESTORE_REPLAY, .resource_type = "RestoreReport", .resource = report,
						      .changes = changes});
}

static enum err store_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct storing *st = arg;
	const struct entries *all = st->o->entries;
	struct json_writer w;
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	int64_t erased = count_erased(all);
	auto_buf body;
	buf_init(&body, BODY_MAX);
	jw_init(&w, &body);
	st->report = scope_id(s);
	write_body(&w, st->o, st->report, s->now);
	if (body.failed)
		return scope_fail(s, ERR_LIMIT, "the report of the replay is too large");
	keeper_sign(s->keeper, body.data, body.len, signature);
	TRY(db_exec(tx, &restore_report_insert,
		    DB_ARGS(db_v_id(&st->report), db_v_int(s->now), db_v_int((int64_t)st->o->from.sequence), db_v_int((int64_t)all->head),
			    db_v_int(erased), db_v_textn(body.data, body.len), db_v_blob(signature, sizeof signature)),
		    NULL));
	TRY(position_set(tx, st->head, st->head_hash));
	return record(tx, st->report, body.data, body.len,
		      arena_printf(s->arena, "%llu", (unsigned long long)st->o->from.sequence),
		      arena_printf(s->arena, "%llu", (unsigned long long)all->head), arena_printf(s->arena, "%lld", (long long)erased));
}

enum err report_store(const struct outcome_of_replay *o)
{
	struct scope s;
	struct storing st = {.o = o};
	char text[ID_TEXT];
	keeper_ledger_head(o->run->system->keeper, &st.head, st.head_hash);
	scope_tenant(&s, o->run->system->arena, o->run->system->db, o->run->system->keeper, installation);
	enum err err = db_write(&s, store_tx, &st);
	if (err != OK)
		return scope_fail(o->run->system, err, "%s", scope_detail(&s, err));
	log_event(LOG_WARN, "restore_replayed", "report=%s entries=%zu erased_again=%lld", id_format(st.report, text), o->entries->n,
		  (long long)count_erased(o->entries));
	return OK;
}

/* ---- reading ---- */

enum err restore_report_write(struct db_tx *tx, struct json_writer *w, struct id report)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t key[ED25519_KEY_BYTES];
	size_t n;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &restore_report_select, DB_ARGS(db_v_id(&report)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no restore report has this id");
	TRY(e);
	const char *body = db_text(r, 0);
	const void *signature = db_blob(r, 1, &n);
	keeper_public_key(s->keeper, key);
	jw_key(w, "report");
	jw_raw(w, body, strlen(body));
	jw_key(w, "body");
	jw_base64(w, body, strlen(body));
	jw_key(w, "signature");
	jw_base64(w, signature, n);
	jw_key(w, "publicKey");
	jw_base64(w, key, sizeof key);
	return OK;
}

/* ---- announcing ---- */

struct announcing {
	const struct restore_run *run;
	struct id report;
	bool there;
	struct buf *file;
	const char *body;
};

static enum err next_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct announcing *a = arg;
	struct json_writer w;
	auto_rows struct db_rows *next = NULL, *r = NULL;
	TRY(db_query(tx, &restore_report_next, DB_NOARGS, &next));
	a->there = db_next(next);
	TRY(db_rows_err(next));
	if (!a->there)
		return OK;
	a->report = db_id(next, 0);
	db_rows_free(&next);
	TRY(db_query_one(tx, &restore_report_select, DB_ARGS(db_v_id(&a->report)), &r));
	a->body = db_text_dup(r, 0, s->arena);
	int64_t issued = db_int(r, 2);
	db_rows_free(&r);
	buf_clear(a->file);
	jw_init(&w, a->file);
	jw_object(&w);
	jw_kid(&w, "id", a->report);
	jw_ktime(&w, "issuedDateTime", issued);
	TRY(restore_report_write(tx, &w, a->report));
	jw_end_object(&w);
	buf_addc(a->file, '\n');
	return a->file->failed ? scope_fail(s, ERR_LIMIT, "the report of the replay is too large") : OK;
}

static enum err write_file(const struct announcing *a)
{
	char id[ID_TEXT];
	struct scope *s = a->run->system;
	const char *dir = arena_printf(s->arena, "%s/restore-reports", a->run->data_dir);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return scope_fail(s, err_from_errno(errno), "%s: %s", dir, strerror(errno));
	enum err err = newfile_put(AT_FDCWD, arena_printf(s->arena, "%s/%s.json", dir, id_format(a->report, id)), a->file->data, a->file->len);
	return err == OK ? OK : scope_fail(s, err, "the report of the replay cannot be written to %s", dir);
}

struct telling {
	const struct announcing *a;
	const char *erased;
};

/* A tenant that went again has nobody to tell. */
static enum err tell_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct telling *t = arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &restore_tenant_there, DB_NOARGS, &r);
	bool told = e == OK && strcmp(db_text(r, 0), "purging") != 0;
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	return told ? record(tx, t->a->report, t->a->body, strlen(t->a->body), NULL, NULL, t->erased) : OK;
}

static enum err tell_tenant(const struct announcing *a, const char *tenant, size_t erased)
{
	struct scope s;
	struct id id;
	struct telling t = {.a = a, .erased = arena_printf(a->run->system->arena, "%zu", erased)};
	check(id_parse(tenant, &id));
	scope_tenant(&s, a->run->system->arena, a->run->system->db, a->run->system->keeper, id);
	enum err err = db_write(&s, tell_tx, &t);
	return err == OK ? OK : scope_fail(a->run->system, err, "%s", scope_detail(&s, err));
}

/* Entries are in the order of their tenants. */
static enum err tell_tenants(const struct announcing *a)
{
	size_t i, erased = 0;
	json_t *v;
	const char *last = NULL;
	auto_json *body = json_loads(a->body, 0, NULL);
	json_array_foreach(json_object_get(body, "entries"), i, v)
	{
		const char *tenant = json_string_value(json_object_get(v, "tenantId"));
		if (tenant == NULL) /* the installation's own */
			continue;
		if (last != NULL && strcmp(last, tenant) != 0) {
			TRY(tell_tenant(a, last, erased));
			erased = 0;
		}
		erased += json_object_get(v, "replayDutyId") != NULL;
		last = tenant;
	}
	return last != NULL ? tell_tenant(a, last, erased) : OK;
}

static enum err announced_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct announcing *a = arg;
	return db_exec(tx, &restore_report_announced, DB_ARGS(db_v_id(&a->report), db_v_int(s->now)), NULL);
}

/* After a crash in the middle a tenant may be told twice. */
enum err report_announce(const struct restore_run *r)
{
	struct scope s;
	auto_buf file;
	buf_init(&file, RESTORE_REPORT_FILE_MAX);
	struct announcing a = {.run = r, .file = &file};
	scope_tenant(&s, r->system->arena, r->system->db, r->system->keeper, installation);
	for (;;) {
		enum err err = db_read(&s, next_tx, &a);
		if (err == OK && !a.there)
			return OK;
		if (err == OK)
			TRY(write_file(&a));
		if (err == OK)
			TRY(tell_tenants(&a));
		if (err == OK)
			err = db_write(&s, announced_tx, &a);
		if (err != OK)
			return scope_fail(r->system, err, "%s", scope_detail(&s, err));
	}
}
