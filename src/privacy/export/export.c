/* SPDX-License-Identifier: Apache-2.0
 *
 * Exports as their caller sees them: asking, fetching, and their end.  Building is in build.c.
 */
#include "privacy/export/export.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "crypto/seal.h"
#include "directory/access/access.h"
#include "directory/tenant_settings.h"
#include "directory/user.h"
#include "duty/duty.h"
#include "keeper/keeper.h"
#include "privacy/export/internal.h"
#include "privacy/export/storage_location.h"
#include "privacy/request/request.h"
#include "privacy/retention.h"
#include "resource/tables.h"

DB_TENANT(export_user_known, "SELECT 1 FROM users WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(export_insert,
	  "INSERT INTO data_policy_operations (tenant_id, operation_id, user_id, status, progress, storage_location, "
	  "submitted_at, expires_at, request_id, variant, form, sections, requested_by) "
	  "VALUES (?1, ?2, ?3, 'notStarted', 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
DB_TENANT(export_case_of, "SELECT user_id FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(export_select,
	  "SELECT user_id, status, expires_at, size_bytes, form, request_id, sha256, requested_by FROM data_policy_operations WHERE "
	  "tenant_id = ?1 AND operation_id = ?2");
DB_TENANT(export_delete, "DELETE FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2");
DB_TENANT(exports_of_user, "SELECT operation_id FROM data_policy_operations WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(exports_of_tenant, "SELECT operation_id FROM data_policy_operations WHERE tenant_id = ?1");
DB_GLOBAL(exports_expired,
	  "SELECT tenant_id, operation_id, user_id FROM data_policy_operations WHERE expires_at <= ?1 AND status IN "
	  "('complete', 'failed') "
	  "ORDER BY expires_at LIMIT ?2");

enum { EXPIRE_BATCH = 50, FILES_MAX = 1000 };

/* ---- asking ---- */

static enum err exportable(struct db_tx *tx, struct id user)
{
	struct scope *s = db_tx_scope(tx);
	struct duty d;
	auto_rows struct db_rows *r = NULL;
	TRY(resource_reachable(tx, &RES_USER, user));
	enum err e = db_query_one(tx, &export_user_known, DB_ARGS(db_v_id(&user)), &r);
	if (e == OK) {
		e = duty_of_subject(tx, user, &d);
		if (e == ERR_NOT_FOUND || (e == OK && (d.state == DUTY_scheduled || d.state == DUTY_received || d.state == DUTY_held)))
			return OK; /* a deletion that has not begun may be waiting for this very copy */
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

static bool one_of(const char *text, const char *const *names)
{
	for (; *names != NULL; names++)
		if (text == NULL || strcmp(text, *names) == 0)
			return true;
	return false;
}

static enum err check_sections(struct scope *s, const char *sections)
{
	size_t i;
	json_t *v;
	if (sections == NULL)
		return OK;
	auto_json *list = json_loads(sections, 0, NULL);
	if (!json_is_array(list) || json_array_size(list) == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "'sections' must be an array of one name at least");
	json_array_foreach(list, i, v)
		if (!json_is_string(v) || section_path(json_string_value(v)) == NULL)
			return scope_fail(s, ERR_BAD_REQUEST, "'sections' names a section that an export does not have, at place %zu", i);
	return OK;
}

static enum err check_order(struct scope *s, const struct export_order *o)
{
	static const char *const variants[] = {"redacted", "full", "portability", NULL}, *const forms[] = {"bundle", "page", NULL};
	if (!one_of(o->variant, variants))
		return scope_fail(s, ERR_BAD_REQUEST, "'variant' must be redacted, full or portability");
	if (!one_of(o->form, forms))
		return scope_fail(s, ERR_BAD_REQUEST, "'form' must be bundle or page");
	if (o->storage_location != NULL && !is_https_url(o->storage_location))
		return scope_fail(s, ERR_BAD_REQUEST, "storageLocation must be an https URL of at most %d bytes", (int)EXPORT_LOCATION_MAX);
	return check_sections(s, o->sections);
}

static enum err check_case(struct db_tx *tx, const struct export_order *o)
{
	auto_rows struct db_rows *r = NULL;
	if (id_is_nil(o->request))
		return OK;
	enum err e = db_query_one(tx, &export_case_of, DB_ARGS(db_v_id(&o->request)), &r);
	if (e == OK && id_equal(db_id(r, 0), o->user))
		return OK;
	return e == OK || e == ERR_NOT_FOUND ? scope_fail(db_tx_scope(tx), ERR_NOT_FOUND, "no request of this person has this id") : e;
}

static enum err record_order(struct db_tx *tx, const struct export_order *o, struct id operation)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	char id[ID_TEXT];
	tail = audit_change_add(s->arena, tail, "variant", "data_policy_operations", "variant", NULL, o->variant);
	tail = audit_change_add(s->arena, tail, "form", "data_policy_operations", "form", NULL, o->form);
	if (o->sections != NULL)
		tail = audit_change_add(s->arena, tail, "sections", "data_policy_operations", "sections", NULL, o->sections);
	if (!id_is_nil(o->request))
		audit_change_add(s->arena, tail, "requestId", "data_policy_operations", "request_id", NULL, id_format(o->request, id));
	return audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_REQUEST,
						      .resource_type = "DataPolicyOperation",
						      .resource = operation,
						      .subject = o->user,
						      .changes = changes});
}

enum err export_request_tx(struct db_tx *tx, const struct export_order *order, struct id *ret_operation)
{
	struct scope *s = db_tx_scope(tx);
	struct export_order o = *order;
	int64_t days;
	TRY(check_order(s, &o));
	TRY(exportable(tx, o.user));
	TRY(check_case(tx, &o));
	if (o.storage_location != NULL)
		TRY(storage_location_check(tx, o.storage_location));
	TRY(tenant_setting_int(tx, "exportDays", &days));
	o.variant = o.variant == NULL ? "redacted" : o.variant;
	o.form = o.form == NULL ? "bundle" : o.form;
	*ret_operation = scope_id(s);
	TRY(db_exec(tx, &export_insert,
		    DB_ARGS(db_v_id(ret_operation), db_v_id(&o.user), db_v_text(o.storage_location == NULL ? "" : o.storage_location),
			    db_v_int(s->now), db_v_int(s->now + days * DAY_US), id_is_nil(o.request) ? db_v_null() : db_v_id(&o.request),
			    db_v_text(o.variant), db_v_text(o.form), db_v_text(o.sections), db_v_id(id_is_nil(s->actor.id) ? NULL : &s->actor.id)),
		    NULL));
	return record_order(tx, &o, *ret_operation);
}

struct asking {
	const struct export_order *order;
	struct id operation;
};

static enum err request_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct asking *a = arg;
	return export_request_tx(tx, a->order, &a->operation);
}

enum err export_request(struct scope *s, const struct export_order *o, struct id *ret_operation)
{
	struct asking a = {.order = o};
	s->subject = o->user;
	TRY(db_write(s, request_tx, &a));
	*ret_operation = a.operation;
	return OK;
}

/* ---- fetching ---- */

#define READ_OTHERS "PrivacyBundles.Read.All"

enum err export_readable(struct db_tx *tx, struct id user, struct id requested_by)
{
	struct scope *s = db_tx_scope(tx);
	const struct scope_groups *only = NULL, *was = s->actor.only;
	bool person = s->actor.type == ACTOR_USER || s->actor.type == ACTOR_APPLICATION || s->actor.type == ACTOR_OPERATOR;
	if (!person || (id_equal(s->actor.id, requested_by) && !id_is_nil(requested_by)))
		return OK;
	if (!actor_allows(&s->actor, READ_OTHERS, s->arena, &only))
		return scope_fail(s, ERR_FORBIDDEN, "somebody else asked for this export: what it holds is read with the permission " READ_OTHERS);
	s->actor.only = only;
	enum err e = resource_reachable(tx, &RES_USER, user);
	s->actor.only = was;
	return e;
}

struct fetch {
	struct id operation, user, request;
	int64_t bytes;
	bool page;
	uint8_t sha256[SHA256_BYTES];
};

static enum err fetch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct fetch *f = arg;
	size_t n;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &export_select, DB_ARGS(db_v_id(&f->operation)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no export has this id");
	TRY(e);
	f->user = db_id(r, 0);
	f->bytes = db_int(r, 3);
	f->page = strcmp(db_text(r, 4), "page") == 0;
	f->request = db_id(r, 5);
	TRY(export_readable(tx, f->user, db_id(r, 7)));
	if (strcmp(db_text(r, 1), "complete") != 0)
		return scope_fail(s, ERR_CONFLICT, "the export is %s", db_text(r, 1));
	if (db_int(r, 2) <= s->now)
		return scope_fail(s, ERR_GONE, "the export has expired: ask for another");
	const void *sum = db_blob(r, 6, &n);
	if (n == sizeof f->sha256)
		memcpy(f->sha256, sum, n);
	return OK;
}

static enum err downloaded_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct fetch *f = arg;
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_DOWNLOAD,
						   .resource_type = "DataPolicyOperation",
						   .resource = f->operation,
						   .subject = f->user}));
	return id_is_nil(f->request) ? OK : request_delivered_tx(tx, f->request, f->operation, f->sha256);
}

const char *export_sealed_path(struct arena *a, const char *data_dir, struct id operation)
{
	char text[ID_TEXT];
	return arena_printf(a, "%s/exports/%s.person.sealed", data_dir, id_format(operation, text));
}

enum err export_open(struct scope *s, const char *data_dir, struct id operation, struct export_file *ret)
{
	struct fetch f = {.operation = operation};
	char text[ID_TEXT];
	TRY(db_read(s, fetch_tx, &f));
	s->subject = f.user;
	enum err e = keeper_unseal_open(s->keeper, operation, export_sealed_path(s->arena, data_dir, operation), &ret->stream);
	if (e != OK)
		return scope_fail(s, e == ERR_NOT_FOUND ? ERR_GONE : e, "the file of the export is not there");
	e = db_write(s, downloaded_tx, &f); /* before the first byte: a download that is not recorded does not happen */
	if (e != OK)
		unseal_close(ret->stream);
	ret->bytes = f.bytes;
	ret->type = export_type(f.page);
	ret->name = arena_printf(s->arena, "export-%s.%s", id_format(operation, text), f.page ? "html" : "zip");
	return e;
}

const char *export_type(bool page) { return page ? "text/html; charset=utf-8" : "application/zip"; }

/* ---- the end ---- */

static enum err remove_files(struct scope *s, const char *data_dir, struct id operation)
{
	return unlink(export_sealed_path(s->arena, data_dir, operation)) == 0 || errno == ENOENT
		       ? OK
		       : scope_fail(s, ERR_IO, "a file of an export cannot be removed: %s", strerror(errno));
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
	TRY(export_sweep(s, data_dir));
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
