/* SPDX-License-Identifier: Apache-2.0
 * Sinks: their rules, rows and events. */
#include "directory/sink.h"

#include <string.h>

#include "audit/out/sink.h"
#include "codec/target.h"
#include "crypto/tls_client.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

/* A tenant has at most SINKS_PER_TENANT: its rows are read by the key's first column. */
DB_TENANT(sink_count, "SELECT count(*) FROM audit_sinks WHERE tenant_id = ?1");
DB_TENANT(sink_same_file, "SELECT 1 FROM audit_sinks WHERE tenant_id = ?1 AND kind = 'file' AND target = ?2 AND sink_id <> ?3");
DB_TENANT(sink_end_of_log, "SELECT size FROM audit_heads WHERE tenant_id = ?1");
DB_TENANT(sink_oldest_event, "SELECT leaf_index FROM audit_leaves WHERE tenant_id = ?1 ORDER BY leaf_index LIMIT 1");
DB_TENANT(sink_set_secret, "UPDATE audit_sinks SET secret = ?3 WHERE tenant_id = ?1 AND sink_id = ?2");
DB_TENANT(sink_changed, "UPDATE audit_sinks SET version = version + 1 WHERE tenant_id = ?1 AND sink_id = ?2");
DB_TENANT(sink_drop, "DELETE FROM audit_sinks WHERE tenant_id = ?1 AND sink_id = ?2");

struct write {
	struct id sink;
	const struct sink_request *q;
};

static enum err record_event(struct db_tx *tx, enum activity activity, struct id sink, const char *name, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_AUDIT_SINK.entity, .resource = sink,
						      .resource_name = name, .changes = changes});
}

/* ---- rules ---- */

static enum err check_host(struct scope *s, const struct sink_request *q, const char *host)
{
	if (q->may_reach != NULL && !q->may_reach(q->arg, host))
		return scope_fail(s, ERR_BAD_REQUEST, "'target' is a host that sinks may not reach (the server's setting sink_targets)");
	return OK;
}

static enum err check_target(struct scope *s, const struct sink_request *q, enum sink_kind kind, const char *text)
{
	struct target t;
	switch (kind) {
	case SINK_FILE:
		if (!target_file_name(text))
			return scope_fail(s, ERR_BAD_REQUEST, "'target' of a file is a plain name: 1 to %d letters, digits, dots, dashes and "
							      "underscores that do not begin with a dot", TARGET_FILE_BYTES_MAX);
		return OK;
	case SINK_SYSLOG:
		if (!target_host_port(s->arena, text, SINK_SYSLOG_PORT, &t))
			return scope_fail(s, ERR_BAD_REQUEST, "'target' of a syslog receiver is HOST:PORT");
		return check_host(s, q, t.host);
	case SINK_WEBHOOK:
		if (!target_https(s->arena, text, &t))
			return scope_fail(s, ERR_BAD_REQUEST, "'target' of a webhook is an https URL without a user name, password or fragment");
		return check_host(s, q, t.host);
	case SINK_KINDS: break;
	}
	check(!"a kind");
	return ERR_INTERNAL;
}

static enum err check_secret(struct scope *s, const char *secret, enum sink_kind kind, bool create)
{
	if (secret == NULL)
		return create && kind == SINK_WEBHOOK ? scope_fail(s, ERR_BAD_REQUEST, "a webhook needs a 'secret' for its signatures") : OK;
	if (kind != SINK_WEBHOOK)
		return scope_fail(s, ERR_BAD_REQUEST, "'secret' is for webhooks");
	size_t n = strlen(secret);
	if (n < SINK_SECRET_MIN || n > SINK_SECRET_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "'secret' has %d to %d bytes", SINK_SECRET_MIN, SINK_SECRET_MAX);
	return OK;
}

static enum err check_filter(struct scope *s, const char *filter)
{
	struct resource_condition ignored;
	return resource_condition(s, &RES_AUDIT_EVENT, API_V1, filter, AUDIT_SINK_FIRST_PARAM, &ignored);
}

static enum err check_ca(struct scope *s, const char *pem, enum sink_kind kind)
{
	if (kind == SINK_FILE)
		return scope_fail(s, ERR_BAD_REQUEST, "'caCertificates' are for receivers over TLS");
	return tls_ca_fits(pem) ? OK : scope_fail(s, ERR_BAD_REQUEST, "'caCertificates' must be certificates in PEM");
}

/* What is given is fit. */
static enum err check_given(struct db_tx *tx, const struct write *a, enum sink_kind kind, bool create)
{
	struct scope *s = db_tx_scope(tx);
	const struct record *r = a->q->r;
	TRY(check_secret(s, a->q->secret, kind, create));
	if (record_has(r, "filter"))
		TRY(check_filter(s, record_text(s->arena, r, "filter")));
	if (record_has(r, "caCertificates"))
		TRY(check_ca(s, record_text(s->arena, r, "caCertificates"), kind));
	if (!record_has(r, "target"))
		return OK;
	const char *target = record_text(s->arena, r, "target");
	TRY(check_target(s, a->q, kind, target));
	if (kind != SINK_FILE)
		return OK;
	auto_rows struct db_rows *rows = NULL;
	TRY(db_query(tx, &sink_same_file, DB_ARGS(db_v_text(target), db_v_id(&a->sink)), &rows));
	if (db_next(rows))
		return scope_fail(s, ERR_EXISTS, "another sink writes the file '%s'", target);
	return db_rows_err(rows);
}

static enum err check_room(struct db_tx *tx)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &sink_count, DB_NOARGS, &r));
	if (db_int(r, 0) >= SINKS_PER_TENANT)
		return scope_fail(db_tx_scope(tx), ERR_CONFLICT, "a tenant has at most %d sinks", SINKS_PER_TENANT);
	return OK;
}

static enum sink_kind kind_of(struct scope *s, const struct record *r)
{
	enum sink_kind kind;
	check(sink_kind_parse(record_text(s->arena, r, "kind"), &kind));
	return kind;
}

/* ---- create ---- */

static enum err number(struct db_tx *tx, struct db_stmt *stmt, int64_t fallback, int64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, DB_NOARGS, &r));
	*ret = db_next(r) ? db_int(r, 0) : fallback;
	return db_rows_err(r);
}

static enum err start_of(struct db_tx *tx, const struct sink_request *q, int64_t *ret)
{
	int64_t end;
	TRY(number(tx, &sink_end_of_log, 0, &end));
	if (q->from_beginning && q->start_index >= 0)
		return scope_fail(db_tx_scope(tx), ERR_BAD_REQUEST, "give 'startIndex' or 'fromBeginning', not both");
	if (q->start_index > end)
		return scope_fail(db_tx_scope(tx), ERR_BAD_REQUEST, "'startIndex' is past the end of the log");
	*ret = q->start_index >= 0 ? q->start_index : end;
	return q->from_beginning ? number(tx, &sink_oldest_event, end, ret) : OK;
}

static struct db_value sealed(struct scope *s, const char *secret)
{
	size_t n;
	if (secret == NULL)
		return db_v_null();
	const void *p = keeper_seal(s->keeper, s->arena, secret, strlen(secret), &n);
	return db_v_blob(p, n);
}

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	const struct record *r = a->q->r;
	int64_t start;
	a->sink = scope_id(s);
	TRY(check_given(tx, a, kind_of(s, r), true));
	TRY(check_room(tx));
	TRY(start_of(tx, a->q, &start));
	struct extra_column extra[] = {{"created_at", db_v_int(s->now)}, {"next_index", db_v_int(start)}, {"delivered_count", db_v_int(0)},
				       {"failures", db_v_int(0)}, {"secret", sealed(s, a->q->secret)}};
	TRY(record_insert(tx, r, a->sink, extra, sizeof extra / sizeof extra[0]));
	struct audit_change *changes = NULL, **tail = &changes;
	record_changes_all(s->arena, r, true, &tail);
	audit_change_add(s->arena, tail, "startIndex", NULL, NULL, NULL, arena_printf(s->arena, "%lld", (long long)start));
	return record_event(tx, ACT_AUDIT_SINK_CREATE, a->sink, record_text(s->arena, r, "displayName"), changes);
}

/* Every tenant's: counted before, without the tenant.  Two that create at once may pass the limit by one. */
static enum err check_installation(const struct scope *s)
{
	struct scope all;
	uint64_t n = 0;
	scope_system(&all, s->arena, s->db, s->keeper);
	TRY(audit_sinks_count(&all, &n));
	return n < SINKS_PER_INSTALLATION ? OK : ERR_CONFLICT;
}

enum err sink_create(struct scope *s, const struct sink_request *q, struct id *ret)
{
	check(q->r->res == &RES_AUDIT_SINK);
	struct write a = {.q = q};
	enum err e = check_installation(s);
	if (e == ERR_CONFLICT)
		return scope_fail(s, e, "the installation has all the %d sinks that it can serve", SINKS_PER_INSTALLATION);
	TRY(e);
	TRY(db_write(s, create_tx, &a));
	*ret = a.sink;
	return OK;
}

/* ---- patch ---- */

static enum err change_secret(struct db_tx *tx, const struct write *a, struct audit_change ***tail)
{
	struct scope *s = db_tx_scope(tx);
	*tail = audit_change_add(s->arena, *tail, "secret", NULL, NULL, "[changed]", "[changed]");
	return db_exec(tx, &sink_set_secret, DB_ARGS(db_v_id(&a->sink), sealed(s, a->q->secret)), NULL);
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(record_load(tx, &RES_AUDIT_SINK, a->sink, false, &old));
	TRY(check_given(tx, a, kind_of(s, old), false));
	TRY(record_update(tx, old, a->q->r, a->sink, NULL, 0, &tail, &changed));
	if (a->q->secret != NULL)
		TRY(change_secret(tx, a, &tail));
	if (changes == NULL)
		return OK;
	TRY(db_exec(tx, &sink_changed, DB_ARGS(db_v_id(&a->sink)), NULL));
	const struct record *named = record_has(a->q->r, "displayName") ? a->q->r : old;
	return record_event(tx, ACT_AUDIT_SINK_UPDATE, a->sink, record_text(s->arena, named, "displayName"), changes);
}

enum err sink_patch(struct scope *s, struct id sink, const struct sink_request *q)
{
	check(q->r->res == &RES_AUDIT_SINK);
	return db_write(s, patch_tx, &(struct write){.sink = sink, .q = q});
}

/* ---- delete ---- */

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	TRY(record_load(tx, &RES_AUDIT_SINK, a->sink, false, &old));
	TRY(db_exec(tx, &sink_drop, DB_ARGS(db_v_id(&a->sink)), NULL));
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "kind", NULL, NULL, record_text(s->arena, old, "kind"), NULL);
	tail = audit_change_add(s->arena, tail, "target", NULL, NULL, record_text(s->arena, old, "target"), NULL);
	audit_change_add(s->arena, tail, "nextIndex", NULL, NULL, arena_printf(s->arena, "%lld", (long long)record_int(old, "nextIndex")), NULL);
	return record_event(tx, ACT_AUDIT_SINK_DELETE, a->sink, record_text(s->arena, old, "displayName"), changes);
}

enum err sink_delete(struct scope *s, struct id sink)
{
	return db_write(s, delete_tx, &(struct write){.sink = sink});
}
