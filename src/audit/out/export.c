/* SPDX-License-Identifier: Apache-2.0
 * Exports of the audit log as their caller sees them: asking, fetching, and their end.  Making them is in export_build.c. */
#include "audit/out/export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/out/export_internal.h"
#include "audit/out/format.h"
#include "base/clock.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/newfile.h"
#include "crypto/seal.h"
#include "keeper/keeper.h"

DB_TENANT(audit_export_counts,
	  "SELECT count(*), count(CASE WHEN status IN ('notStarted', 'inProgress') THEN 1 END) FROM audit_exports "
	  "WHERE tenant_id = ?1 AND expires_at > ?2 AND of_tenant IS NULL");
DB_TENANT(audit_export_insert,
	  "INSERT INTO audit_exports (tenant_id, export_id, format, filter, from_at, until_at, status, requested_by, created_at, expires_at, "
	  "scope_groups) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'notStarted', ?7, ?8, ?9, ?10)");
DB_TENANT(audit_export_days, "SELECT value FROM tenant_settings WHERE tenant_id = ?1 AND name = 'exportDays'");
DB_TENANT(audit_export_sum, "SELECT sha256 FROM audit_exports WHERE tenant_id = ?1 AND export_id = ?2");
DB_TENANT(audit_export_select,
	  "SELECT format, status, expires_at, size_bytes, of_tenant, created_at FROM audit_exports WHERE tenant_id = ?1 AND export_id = ?2");
DB_GLOBAL(audit_exports_expired,
	  "SELECT tenant_id, export_id, of_tenant, created_at FROM audit_exports WHERE expires_at <= ?1 AND expires_at > ?2 AND "
	  "status = 'completed' AND size_bytes IS NOT NULL ORDER BY expires_at LIMIT ?3");
DB_TENANT(audit_export_expired,
	  "UPDATE audit_exports SET size_bytes = NULL, sha256 = NULL WHERE tenant_id = ?1 AND export_id = ?2 AND size_bytes IS NOT NULL");
DB_TENANT(audit_exports_of_tenant, "SELECT export_id, of_tenant, created_at FROM audit_exports WHERE tenant_id = ?1 AND export_id > ?2 "
				   "ORDER BY export_id LIMIT ?3");

enum { DAYS_PRESET = 7, EXPIRE_BATCH = 50, PIECE = 64 * KIB };

const char *audit_export_path(struct arena *a, const char *data_dir, struct id export, const char *ending)
{
	char text[ID_TEXT];
	return arena_printf(a, "%s/exports/%s.%s", data_dir, id_format(export, text), ending);
}

/* ---- asking ---- */

struct asking {
	const struct audit_export_request *q;
	const char *format;
	struct id export;
};

static enum err check_limits(struct db_tx *tx)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &audit_export_counts, DB_ARGS(db_v_int(s->now)), &r));
	if (db_int(r, 1) >= AUDIT_EXPORTS_RUNNING)
		return scope_fail(s, ERR_TOO_MANY, "%d exports of the audit log are being made already: wait for one to finish", AUDIT_EXPORTS_RUNNING);
	if (db_int(r, 0) >= AUDIT_EXPORTS_KEPT)
		return scope_fail(s, ERR_TOO_MANY, "%d exports of the audit log are kept already: wait for one to expire", AUDIT_EXPORTS_KEPT);
	return OK;
}

static enum err life_us(struct db_tx *tx, int64_t *ret)
{
	int64_t days = DAYS_PRESET;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_export_days, DB_NOARGS, &r));
	if (db_next(r))
		days = atoll(db_text(r, 0));
	*ret = (days > 0 ? days : DAYS_PRESET) * DAY_US;
	return db_rows_err(r);
}

static enum err record_request(struct db_tx *tx, const struct asking *a)
{
	struct scope *s = db_tx_scope(tx);
	char from[TIME_TEXT], until[TIME_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(s->arena, tail, "format", "audit_exports", "format", NULL, a->format);
	if (a->q->filter != NULL)
		tail = audit_change_add(s->arena, tail, "filter", "audit_exports", "filter", NULL, a->q->filter);
	if (a->q->from > 0)
		tail = audit_change_add(s->arena, tail, "fromDateTime", "audit_exports", "from_at", NULL, time_format(a->q->from, from));
	if (a->q->until < INT64_MAX)
		audit_change_add(s->arena, tail, "untilDateTime", "audit_exports", "until_at", NULL, time_format(a->q->until, until));
	return audit_record(tx, &(struct audit_event){.activity = ACT_AUDIT_EXPORT_REQUEST, .resource_type = AUDIT_EXPORT_TYPE,
						      .resource = a->export, .changes = changes});
}

static enum err request_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct asking *a = arg;
	int64_t life;
	TRY(check_limits(tx));
	TRY(life_us(tx, &life));
	a->export = scope_id(s);
	TRY(db_exec(tx, &audit_export_insert,
		    DB_ARGS(db_v_id(&a->export), db_v_text(a->format), db_v_text(a->q->filter),
			    a->q->from > 0 ? db_v_int(a->q->from) : db_v_null(), a->q->until < INT64_MAX ? db_v_int(a->q->until) : db_v_null(),
			    db_v_id(id_is_nil(s->actor.id) ? NULL : &s->actor.id), db_v_int(s->now), db_v_int(s->now + life),
			    db_v_text(scope_groups_text(s->arena, s->actor.only))),
		    NULL));
	return record_request(tx, a);
}

enum err audit_export_request(struct scope *s, const struct audit_export_request *q, struct id *ret_export)
{
	enum audit_format f;
	struct asking a = {.q = q};
	if (strcasecmp(q->format, AUDIT_EXPORT_ARCHIVE) == 0)
		a.format = AUDIT_EXPORT_ARCHIVE;
	else if (audit_format_parse(q->format, &f))
		a.format = audit_format_name(f);
	else
		return scope_fail(s, ERR_BAD_REQUEST, "'format' must be csv, ndjson, ocsf or archive");
	if (q->filter != NULL && strcmp(a.format, AUDIT_EXPORT_ARCHIVE) == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "an archive holds every event of its period: it takes no filter");
	if (s->actor.only != NULL && strcmp(a.format, AUDIT_EXPORT_ARCHIVE) == 0)
		return scope_fail(s, ERR_FORBIDDEN, "an archive holds everybody's events: it needs the permission AuditLog.Export.All for the whole tenant");
	if (q->from >= q->until)
		return scope_fail(s, ERR_BAD_REQUEST, "'untilDateTime' must be after 'fromDateTime'");
	TRY(db_write(s, request_tx, &a));
	*ret_export = a.export;
	return OK;
}

enum err audit_export_write_more(struct db_tx *tx, struct json_writer *w, struct id export)
{
	size_t n;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &audit_export_sum, DB_ARGS(db_v_id(&export)), &r));
	jw_key(w, "sha256");
	const void *p = db_blob(r, 0, &n);
	if (db_is_null(r, 0))
		jw_null(w);
	else
		jw_hex(w, p, n);
	return OK;
}

/* ---- fetching ---- */

struct fetch {
	struct id export, of_tenant;
	const char *format;
	int64_t bytes, created_at;
};

static enum err fetch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct fetch *f = arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &audit_export_select, DB_ARGS(db_v_id(&f->export)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no export of the audit log has this id");
	TRY(e);
	f->format = db_text_dup(r, 0, s->arena);
	f->bytes = db_int(r, 3);
	f->of_tenant = db_id(r, 4);
	f->created_at = db_int(r, 5);
	if (strcmp(db_text(r, 1), "completed") != 0)
		return scope_fail(s, ERR_CONFLICT, "the export is %s", db_text(r, 1));
	if (db_int(r, 2) <= s->now || db_is_null(r, 3))
		return scope_fail(s, ERR_GONE, "the export has expired: ask for another");
	return OK;
}

static enum err downloaded_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct fetch *f = arg;
	struct audit_change *change = NULL;
	audit_change_add(s->arena, &change, "format", "audit_exports", "format", NULL, f->format);
	return audit_record(tx, &(struct audit_event){.activity = ACT_AUDIT_EXPORT_DOWNLOAD, .resource_type = AUDIT_EXPORT_TYPE,
						      .resource = f->export, .changes = change});
}

/* Where a purged tenant's archive stands: as privacy/erasure/archive.c names it. */
static const char *archive_path(struct arena *a, const char *data_dir, struct id of_tenant, int64_t created_at)
{
	char tenant[ID_TEXT], day[TIME_TEXT];
	return arena_printf(a, "%s/archives/%s-%.10s.zip", data_dir, id_format(of_tenant, tenant), time_format(created_at, day));
}

struct reading {
	struct unseal_stream *sealed; /* NULL: a plain file */
	int fd;
	char piece[PIECE];
};

static enum err open_file(struct scope *s, const char *data_dir, const struct fetch *f, struct reading *r)
{
	if (id_is_nil(f->of_tenant))
		return keeper_unseal_open(s->keeper, f->export, audit_export_path(s->arena, data_dir, f->export, "sealed"), &r->sealed);
	r->fd = open(archive_path(s->arena, data_dir, f->of_tenant, f->created_at), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return r->fd < 0 ? err_from_errno(errno) : OK;
}

enum err audit_export_open(struct scope *s, const char *data_dir, struct id export, struct audit_export_file *ret)
{
	enum audit_format format;
	char id[ID_TEXT];
	struct fetch f = {.export = export};
	s->subject = export;
	TRY(db_read(s, fetch_tx, &f));
	struct reading *r = calloc(1, sizeof *r);
	check(r != NULL);
	r->fd = -1;
	enum err e = open_file(s, data_dir, &f, r);
	if (e != OK)
		e = scope_fail(s, e == ERR_NOT_FOUND ? ERR_GONE : e, "the file of the export is not there");
	if (e == OK)
		e = db_write(s, downloaded_tx, &f); /* before the first byte: a download that is not recorded does not happen */
	if (e != OK) {
		audit_export_close(r);
		return e;
	}
	bool plain = audit_format_parse(f.format, &format);
	*ret = (struct audit_export_file){.bytes = f.bytes, .stream = r,
					  .content_type = plain ? audit_format_content_type(format) : "application/zip",
					  .name = arena_printf(s->arena, "audit-%s.%s", id_format(export, id), !plain ? "zip"
							       : format == AUDIT_CSV ? "csv" : format == AUDIT_OCSF ? "ocsf.ndjson" : "ndjson")};
	return OK;
}

bool audit_export_read(void *stream, const void **ret, size_t *ret_n)
{
	struct reading *r = stream;
	if (r->sealed != NULL)
		return unseal_read(r->sealed, ret, ret_n) == OK;
	ssize_t n;
	do
		n = read(r->fd, r->piece, sizeof r->piece);
	while (n < 0 && errno == EINTR);
	*ret = r->piece;
	*ret_n = n > 0 ? (size_t)n : 0;
	return n >= 0;
}

void audit_export_close(void *stream)
{
	struct reading *r = stream;
	if (r == NULL)
		return;
	unseal_close(r->sealed);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
}

/* ---- the end ---- */

static enum err remove_file(struct scope *s, const char *path)
{
	return unlink(path) == 0 || errno == ENOENT
		       ? OK
		       : scope_fail(s, ERR_IO, "a file of an export of the audit log cannot be removed: %s", strerror(errno));
}

struct ended {
	struct id tenant, export, of_tenant;
	int64_t created_at;
};

static enum err remove_files(struct scope *s, const char *data_dir, const struct ended *x)
{
	if (!id_is_nil(x->of_tenant))
		return remove_file(s, archive_path(s->arena, data_dir, x->of_tenant, x->created_at));
	TRY(remove_file(s, audit_export_path(s->arena, data_dir, x->export, "part")));
	TRY(remove_file(s, audit_export_path(s->arena, data_dir, x->export, "sealed.new")));
	return remove_file(s, audit_export_path(s->arena, data_dir, x->export, "sealed"));
}

struct ended_list {
	struct ended x[EXPIRE_BATCH];
	size_t n;
	struct id after;
};

static enum err expired_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ended_list *list = arg;
	auto_rows struct db_rows *r = NULL;
	list->n = 0;
	TRY(db_query(tx, &audit_exports_expired, DB_ARGS(db_v_int(s->now), db_v_int(s->now - 31 * DAY_US), db_v_int(EXPIRE_BATCH)), &r));
	while (list->n < EXPIRE_BATCH && db_next(r))
		list->x[list->n++] = (struct ended){.tenant = db_id(r, 0), .export = db_id(r, 1), .of_tenant = db_id(r, 2), .created_at = db_int(r, 3)};
	return db_rows_err(r);
}

static enum err expire_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct ended *x = arg;
	int64_t n;
	TRY(db_exec(tx, &audit_export_expired, DB_ARGS(db_v_id(&x->export)), &n));
	if (n == 0)
		return OK;
	return audit_record(tx, &(struct audit_event){.activity = ACT_AUDIT_EXPORT_EXPIRE, .resource_type = AUDIT_EXPORT_TYPE, .resource = x->export});
}

enum err audit_export_expire_due(struct scope *s, const char *data_dir, bool *ret_more)
{
	struct ended_list *list = arena_alloc(s->arena, sizeof *list);
	TRY(db_read(s, expired_tx, list));
	for (size_t i = 0; i < list->n; i++) {
		struct scope tenant;
		scope_tenant(&tenant, s->arena, s->db, s->keeper, list->x[i].tenant);
		TRY(remove_files(s, data_dir, &list->x[i]));
		TRY(db_write_low(&tenant, expire_tx, &list->x[i]));
	}
	*ret_more = list->n == EXPIRE_BATCH;
	return OK;
}

static enum err list_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ended_list *list = arg;
	auto_rows struct db_rows *r = NULL;
	list->n = 0;
	TRY(db_query(tx, &audit_exports_of_tenant, DB_ARGS(db_v_id(&list->after), db_v_int(EXPIRE_BATCH)), &r));
	while (list->n < EXPIRE_BATCH && db_next(r))
		list->x[list->n++] = (struct ended){.export = db_id(r, 0), .of_tenant = db_id(r, 1), .created_at = db_int(r, 2)};
	return db_rows_err(r);
}

enum err audit_export_forget_files(struct scope *s, const char *data_dir)
{
	struct ended_list *list = arena_alloc(s->arena, sizeof *list);
	do {
		TRY(db_read(s, list_tx, list));
		for (size_t i = 0; i < list->n; i++)
			TRY(remove_files(s, data_dir, &list->x[i]));
		if (list->n > 0)
			list->after = list->x[list->n - 1].export;
	} while (list->n == EXPIRE_BATCH);
	return OK;
}
