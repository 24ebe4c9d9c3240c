/* SPDX-License-Identifier: Apache-2.0
 *
 * Exports on their way to a storage location: sealed (they have a hash) and not yet complete.  Who carries them is not here.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "directory/tenant_settings.h"
#include "keeper/keeper.h"
#include "privacy/export/internal.h"
#include "privacy/request/request.h"

DB_GLOBAL(parcels_due,
	  "SELECT tenant_id, operation_id, user_id, storage_location, size_bytes, form FROM data_policy_operations "
	  "WHERE status = 'running' AND sha256 IS NOT NULL ORDER BY submitted_at LIMIT ?1");
DB_TENANT(parcel_of,
	  "SELECT user_id, request_id, sha256 FROM data_policy_operations WHERE tenant_id = ?1 AND operation_id = ?2 AND status = 'running' "
	  "AND sha256 IS NOT NULL");
DB_TENANT(parcel_stored,
	  "UPDATE data_policy_operations SET status = 'complete', progress = 100, completed_at = ?3, stored_at = ?3, expires_at = ?4, storage_location = '' "
	  "WHERE tenant_id = ?1 AND operation_id = ?2");
DB_TENANT(parcel_failed,
	  "UPDATE data_policy_operations SET status = 'failed', completed_at = ?3, error = ?4, storage_location = '' WHERE tenant_id = ?1 AND "
	  "operation_id = ?2");
DB_GLOBAL(export_known, "SELECT 1 FROM data_policy_operations WHERE operation_id = ?1 LIMIT 1");

/* ---- parcels ---- */

struct due {
	const char *data_dir;
	struct export_parcel *list;
	size_t most, n;
};

/* A file that is not there: now, and whoever opens it will see. */
static int64_t sealed_at(struct scope *s, const char *data_dir, struct id operation)
{
	struct stat st;
	return stat(export_sealed_path(s->arena, data_dir, operation), &st) == 0 ? (int64_t)st.st_mtime * SECOND_US : s->now;
}

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct due *d = arg;
	auto_rows struct db_rows *r = NULL;
	d->n = 0;
	TRY(db_query(tx, &parcels_due, DB_ARGS(db_v_int((int64_t)d->most)), &r));
	while (d->n < d->most && db_next(r))
		d->list[d->n++] = (struct export_parcel){
			.tenant = db_id(r, 0),
			.operation = db_id(r, 1),
			.user = db_id(r, 2),
			.location = db_text_dup(r, 3, s->arena),
			.bytes = db_int(r, 4),
			.type = export_type(strcmp(db_text(r, 5), "page") == 0),
			.sealed_at = sealed_at(s, d->data_dir, db_id(r, 1)),
		};
	return db_rows_err(r);
}

enum err export_parcels(struct scope *s, const char *data_dir, struct export_parcel *ret, size_t most, size_t *ret_n)
{
	struct due d = {.data_dir = data_dir, .list = ret, .most = most};
	TRY(db_read(s, due_tx, &d));
	*ret_n = d.n;
	return OK;
}

enum err export_parcel_open(struct scope *s, const char *data_dir, struct id operation, struct unseal_stream **ret)
{
	return keeper_unseal_open(s->keeper, operation, export_sealed_path(s->arena, data_dir, operation), ret);
}

struct parcel_end {
	struct id operation;
	const char *failure;
	bool gone;
};

static enum err done_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct parcel_end *p = arg;
	int64_t days;
	size_t n;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &parcel_of, DB_ARGS(db_v_id(&p->operation)), &r);
	p->gone = e == ERR_NOT_FOUND;
	if (e != OK)
		return p->gone ? OK : e;
	struct id user = db_id(r, 0), request = db_id(r, 1);
	const uint8_t *sum = arena_memdup(s->arena, db_blob(r, 2, &n), SHA256_BYTES);
	TRY(tenant_setting_int(tx, "exportDays", &days));
	if (p->failure != NULL)
		TRY(db_exec(tx, &parcel_failed, DB_ARGS(db_v_id(&p->operation), db_v_int(s->now), db_v_text(p->failure)), NULL));
	else
		TRY(db_exec(tx, &parcel_stored, DB_ARGS(db_v_id(&p->operation), db_v_int(s->now), db_v_int(s->now + days * DAY_US)), NULL));
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_STORE,
						   .resource_type = "DataPolicyOperation",
						   .resource = p->operation,
						   .subject = user,
						   .failure = p->failure}));
	return p->failure != NULL || id_is_nil(request) ? OK : request_delivered_tx(tx, request, p->operation, sum);
}

enum err export_parcel_done(struct scope *s, const char *data_dir, struct id operation, const char *failure)
{
	struct parcel_end p = {.operation = operation, .failure = failure};
	TRY(db_write(s, done_tx, &p));
	if (failure != NULL || p.gone)
		unlink(export_sealed_path(s->arena, data_dir, operation));
	return OK;
}

/* ---- files without an operation ---- */

static enum err known_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	return db_query_one(tx, &export_known, DB_ARGS(db_v_id(arg)), &r);
}

static enum err sweep_one(struct scope *s, DIR *d, const char *name)
{
	struct id operation;
	const char *dot = strchr(name, '.');
	char text[ID_TEXT];
	if (dot == NULL || dot - name != ID_TEXT - 1 || strncmp(dot, ".person.sealed", 14) != 0) /* or what a crash left of one, with .new */
		return OK;
	memcpy(text, name, ID_TEXT - 1);
	text[ID_TEXT - 1] = '\0';
	enum err e = id_parse(text, &operation) ? db_read(s, known_tx, &operation) : OK;
	if (e != ERR_NOT_FOUND)
		return e;
	s->detail = NULL;
	return unlinkat(dirfd(d), name, 0) == 0 || errno == ENOENT ? OK : scope_fail(s, ERR_IO, "a file of an export cannot be removed");
}

enum err export_sweep(struct scope *s, const char *data_dir)
{
	const struct dirent *f;
	enum err e = OK;
	DIR *d = opendir(arena_printf(s->arena, "%s/exports", data_dir));
	while (e == OK && d != NULL && (f = readdir(d)) != NULL)
		e = sweep_one(s, d, f->d_name);
	if (d != NULL)
		closedir(d);
	return e;
}
