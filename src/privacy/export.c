/* SPDX-License-Identifier: Apache-2.0
 *
 * Exports as their caller sees them: asking, fetching, and their end.  Building is in export_build.c.
 */
#include "privacy/export.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "crypto/seal.h"
#include "directory/tenant_settings.h"
#include "directory/user.h"
#include "duty/duty.h"
#include "keeper/keeper.h"
#include "privacy/retention.h"

DB_TENANT(export_user_known, "SELECT 1 FROM users WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(export_insert,
	  "INSERT INTO data_policy_operations (tenant_id, operation_id, user_id, status, progress, storage_location, "
	  "submitted_at, expires_at) "
	  "VALUES (?1, ?2, ?3, 'notStarted', 0, ?4, ?5, ?6)");
DB_TENANT(export_select,
	  "SELECT user_id, status, expires_at, size_bytes FROM data_policy_operations WHERE tenant_id = ?1 AND "
	  "operation_id = ?2");
DB_TENANT(export_delete, "DELETE FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2");
DB_TENANT(exports_of_user, "SELECT operation_id FROM data_policy_operations WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(exports_of_tenant, "SELECT operation_id FROM data_policy_operations WHERE tenant_id = ?1");
DB_GLOBAL(exports_expired,
	  "SELECT tenant_id, operation_id, user_id FROM data_policy_operations WHERE expires_at <= ?1 AND status IN "
	  "('complete', 'failed') "
	  "ORDER BY expires_at LIMIT ?2");

enum { EXPIRE_BATCH = 50, FILES_MAX = 1000 };

/* ---- asking ---- */

struct request {
	struct id user, operation;
	const char *location;
};

static enum err exportable(struct db_tx *tx, struct id user)
{
	struct scope *s = db_tx_scope(tx);
	struct duty d;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &export_user_known, DB_ARGS(db_v_id(&user)), &r);
	if (e == OK) {
		e = duty_of_subject(tx, user, &d);
		if (e == ERR_NOT_FOUND || (e == OK && d.state == DUTY_scheduled))
			return OK;
	}
	return e == OK || e == ERR_NOT_FOUND ? scope_fail(s, ERR_NOT_FOUND, "there is no such user") : e;
}

static enum err exportable_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return exportable(tx, *(const struct id *)arg);
}

enum err export_resolve(struct scope *s, const char *id_or_upn, struct id *ret_user)
{
	if (!id_parse(id_or_upn, ret_user))
		return user_resolve(s, id_or_upn, ret_user);
	return db_read(s, exportable_tx, ret_user);
}

static enum err request_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct request *q = arg;
	int64_t days;
	TRY(exportable(tx, q->user));
	TRY(tenant_setting_int(tx, "exportDays", &days));
	q->operation = scope_id(s);
	TRY(db_exec(tx, &export_insert,
		    DB_ARGS(db_v_id(&q->operation), db_v_id(&q->user),
			    db_v_text(q->location == NULL ? "" : q->location), db_v_int(s->now),
			    db_v_int(s->now + days * DAY_US)),
		    NULL));
	return audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_REQUEST,
						      .resource_type = "DataPolicyOperation",
						      .resource = q->operation,
						      .subject = q->user});
}

static bool is_https_url(const char *url)
{
	size_t n = strlen(url);
	if (n > EXPORT_LOCATION_MAX || strncmp(url, "https://", 8) != 0 || url[8] == '\0' || url[8] == '/')
		return false;
	for (size_t i = 0; i < n; i++)
		if (url[i] <= ' ' || url[i] == 0x7f)
			return false;
	return true;
}

enum err export_request(struct scope *s, struct id user, const char *storage_location, struct id *ret_operation)
{
	if (storage_location != NULL && !is_https_url(storage_location))
		return scope_fail(s, ERR_BAD_REQUEST, "storageLocation must be an https URL of at most %d bytes",
				  (int)EXPORT_LOCATION_MAX);
	struct request q = {.user = user, .location = storage_location};
	s->subject = user;
	TRY(db_write(s, request_tx, &q));
	*ret_operation = q.operation;
	return OK;
}

/* ---- fetching ---- */

struct fetch {
	struct id operation, user;
	int64_t bytes;
};

static enum err fetch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct fetch *f = arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &export_select, DB_ARGS(db_v_id(&f->operation)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no export has this id");
	TRY(e);
	f->user = db_id(r, 0);
	f->bytes = db_int(r, 3);
	if (strcmp(db_text(r, 1), "complete") != 0)
		return scope_fail(s, ERR_CONFLICT, "the export is %s", db_text(r, 1));
	if (db_int(r, 2) <= s->now)
		return scope_fail(s, ERR_GONE, "the export has expired: ask for another");
	return OK;
}

static enum err downloaded_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct fetch *f = arg;
	return audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_DOWNLOAD,
						      .resource_type = "DataPolicyOperation",
						      .resource = f->operation,
						      .subject = f->user});
}

static const char *sealed_path(struct arena *a, const char *data_dir, struct id operation)
{
	char text[ID_TEXT];
	return arena_printf(a, "%s/exports/%s.sealed", data_dir, id_format(operation, text));
}

enum err export_open(struct scope *s, const char *data_dir, struct id operation, struct unseal_stream **ret,
		     int64_t *ret_bytes)
{
	struct fetch f = {.operation = operation};
	TRY(db_read(s, fetch_tx, &f));
	s->subject = f.user;
	enum err e = keeper_unseal_open(s->keeper, operation, sealed_path(s->arena, data_dir, operation), ret);
	if (e != OK)
		return scope_fail(s, e == ERR_NOT_FOUND ? ERR_GONE : e, "the file of the export is not there");
	e = db_write(s, downloaded_tx, &f); /* before the first byte: a download that is not recorded does not happen */
	if (e != OK)
		unseal_close(*ret);
	*ret_bytes = f.bytes;
	return e;
}

/* ---- the end ---- */

static enum err remove_file(struct scope *s, const char *path)
{
	return unlink(path) == 0 || errno == ENOENT
		       ? OK
		       : scope_fail(s, ERR_IO, "a file of an export cannot be removed: %s", strerror(errno));
}

static enum err remove_files(struct scope *s, const char *data_dir, struct id operation)
{
	char text[ID_TEXT];
	TRY(remove_file(s, arena_printf(s->arena, "%s/exports/%s.part", data_dir, id_format(operation, text))));
	return remove_file(s, sealed_path(s->arena, data_dir, operation));
}

struct expired {
	struct id tenant[EXPIRE_BATCH], operation[EXPIRE_BATCH], user[EXPIRE_BATCH];
	size_t n;
};

static enum err expired_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct expired *x = arg;
	auto_rows struct db_rows *r = NULL;
	x->n = 0;
	TRY(db_query(tx, &exports_expired, DB_ARGS(db_v_int(s->now), db_v_int(EXPIRE_BATCH)), &r));
	for (; x->n < EXPIRE_BATCH && db_next(r); x->n++) {
		x->tenant[x->n] = db_id(r, 0);
		x->operation[x->n] = db_id(r, 1);
		x->user[x->n] = db_id(r, 2);
	}
	return db_rows_err(r);
}

static enum err expire_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct fetch *f = arg;
	int64_t n;
	TRY(db_exec(tx, &export_delete, DB_ARGS(db_v_id(&f->operation)), &n));
	if (n == 0)
		return OK;
	return audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_EXPIRE,
						      .resource_type = "DataPolicyOperation",
						      .resource = f->operation,
						      .subject = f->user});
}

enum err export_expire_due(struct scope *s, const char *data_dir, bool *ret_more)
{
	struct expired x;
	TRY(db_read(s, expired_tx, &x));
	for (size_t i = 0; i < x.n; i++) {
		struct scope tenant;
		struct fetch f = {.operation = x.operation[i], .user = x.user[i]};
		scope_tenant(&tenant, s->arena, s->db, s->keeper, x.tenant[i]);
		TRY(remove_files(s, data_dir, x.operation[i]));
		TRY(db_write_low(&tenant, expire_tx, &f));
	}
	TRY(retention_expire(s, ret_more));
	*ret_more = *ret_more || x.n == EXPIRE_BATCH;
	return OK;
}

/* ---- erasure's ---- */

struct forgetting {
	struct id user;
	struct id *list;
	size_t n;
};

static enum err list_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct forgetting *f = arg;
	auto_rows struct db_rows *r = NULL;
	bool all = id_is_nil(f->user);
	struct db_value who = db_v_id(&f->user);
	size_t room = 0;
	f->n = 0;
	TRY(db_query(tx, all ? &exports_of_tenant : &exports_of_user, &who, !all, &r));
	while (db_next(r)) {
		if (f->n == room) {
			room = room == 0 ? FILES_MAX : 2 * room;
			struct id *more = arena_alloc(s->arena, room * sizeof *more);
			if (f->n > 0)
				memcpy(more, f->list, f->n * sizeof *more);
			f->list = more;
		}
		f->list[f->n++] = db_id(r, 0);
	}
	return db_rows_err(r);
}

enum err export_forget_files(struct scope *s, const char *data_dir, struct id user)
{
	struct forgetting f = {.user = user};
	TRY(db_read(s, list_tx, &f));
	for (size_t i = 0; i < f.n; i++)
		TRY(remove_files(s, data_dir, f.list[i]));
	return OK;
}
