/* SPDX-License-Identifier: Apache-2.0
 *
 * The job that builds bundles, one at a time: the oldest that waits.  A row that is `running` when the job looks is
 * what a crash left (the job never leaves one so): it starts again from nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/log/log.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "crypto/seal.h"
#include "directory/tenant_settings.h"
#include "keeper/keeper.h"
#include "privacy/export.h"
#include "privacy/export_internal.h"

DB_GLOBAL(
	export_next,
	"SELECT tenant_id, operation_id, user_id FROM data_policy_operations WHERE status IN ('running', 'notStarted') "
	"ORDER BY submitted_at LIMIT 1");
DB_TENANT(
	export_start,
	"UPDATE data_policy_operations SET status = 'running', progress = 0 WHERE tenant_id = ?1 AND operation_id = ?2 "
	"AND status IN ('running', 'notStarted')");
DB_TENANT(export_finish,
	  "UPDATE data_policy_operations SET status = 'complete', progress = 100, completed_at = ?3, expires_at = ?4, "
	  "sha256 = ?5, size_bytes = ?6 "
	  "WHERE tenant_id = ?1 AND operation_id = ?2 AND status = 'running'");
DB_TENANT(export_fail,
	  "UPDATE data_policy_operations SET status = 'failed', completed_at = ?3, error = ?4 WHERE tenant_id = ?1 AND "
	  "operation_id = ?2 "
	  "AND status IN ('running', 'notStarted')");
DB_TENANT(export_subject,
	  "SELECT u.upn, u.display_name, t.display_name FROM users u JOIN tenants t ON t.tenant_id = u.tenant_id "
	  "WHERE u.tenant_id = ?1 AND u.user_id = ?2");

struct work {
	struct id tenant;
	struct bundle b;
	bool found;
	int64_t bytes; /* of the zip */
	uint8_t sha256[SHA256_BYTES];
	const char *error;
};

static enum err next_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct work *w = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &export_next, DB_NOARGS, &r));
	w->found = db_next(r);
	if (w->found) {
		w->tenant = db_id(r, 0);
		w->b.operation = db_id(r, 1);
		w->b.user = db_id(r, 2);
	}
	return db_rows_err(r);
}

static enum err start_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct work *w = arg;
	return db_exec(tx, &export_start, DB_ARGS(db_v_id(&w->b.operation)), NULL);
}

static enum err subject_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct bundle *b = arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &export_subject, DB_ARGS(db_v_id(&b->user)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "the person's account is gone");
	TRY(e);
	b->upn = db_text_dup(r, 0, s->arena);
	b->display_name = db_text_dup(r, 1, s->arena);
	b->organisation = db_text_dup(r, 2, s->arena);
	return OK;
}

/* ---- building ---- */

static enum err add_sections(struct bundle *b)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	for (size_t i = 0; i < n; i++) {
		if (*p[i].section == '\0')
			continue;
		check(b->n < SECTIONS_MAX);
		struct section *section = &b->sections[b->n++];
		TRY(section_write(b, &p[i], section));
	}
	return OK;
}

static enum err add_text(struct bundle *b, const char *name, struct buf *text)
{
	if (text->failed)
		return scope_fail(b->s, ERR_LIMIT, "%s of an export is too large", name);
	return zip_add(b->zip, name, text->data, text->len, b->s->now);
}

static enum err add_texts(struct bundle *b)
{
	auto_buf manifest, readme;
	buf_init(&manifest, 4 * MIB);
	buf_init(&readme, 64 * MIB);
	TRY(bundle_manifest(b, &manifest));
	bundle_readme(b, &readme);
	TRY(add_text(b, "manifest.json", &manifest));
	return add_text(b, "README.html", &readme);
}

static enum err hash_file(const char *path, uint8_t ret[SHA256_BYTES], int64_t *ret_bytes)
{
	char piece[64 * 1024];
	size_t n;
	FILE *f = fopen(path, "rbe");
	if (f == NULL)
		return ERR_IO;
	struct sha256_stream *h = sha256_new();
	*ret_bytes = 0;
	while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
		sha256_update(h, piece, n);
		*ret_bytes += (int64_t)n;
	}
	enum err e = ferror(f) ? ERR_IO : OK;
	sha256_final(h, ret);
	fclose(f);
	return e;
}

static enum err make_zip(struct work *w, const char *part)
{
	struct bundle *b = &w->b;
	TRY(zip_open(part, &b->zip));
	enum err e = add_sections(b);
	if (e == OK)
		e = add_texts(b);
	if (e != OK) {
		zip_abort(b->zip);
		return e;
	}
	return zip_finish(b->zip);
}

static enum err build(struct work *w, const char *part, const char *sealed)
{
	struct bundle *b = &w->b;
	const char *map = map_version_text(b->s->arena);
	char *note = NULL;
	sha256(map, strlen(map), b->map);
	if (mkdir(b->dir, 0700) != 0 && errno != EEXIST)
		return scope_fail(b->s, ERR_IO, "the folder of exports cannot be made");
	TRY(db_read(b->s, subject_tx, b));
	if (audit_checkpoint(b->s, &note) == OK) /* a log that was never signed has none */
		b->checkpoint = note;
	b->s->detail = NULL;
	enum err e = make_zip(w, part);
	for (size_t i = 0; i < b->n; i++)
		buf_release(&b->sections[i].html);
	if (e == OK)
		e = hash_file(part, w->sha256, &w->bytes);
	if (e == OK)
		e = keeper_seal_file(b->s->keeper, b->operation, part, sealed);
	unlink(part);
	return e;
}

/* ---- the end ---- */

struct ending {
	struct work *w;
	bool gone; /* the row went while the bundle was built: the person was erased */
};

static enum err record(struct db_tx *tx, const struct work *w, const char *failure)
{
	char bytes[24];
	struct audit_change *change = NULL;
	struct scope *s = db_tx_scope(tx);
	snprintf(bytes, sizeof bytes, "%lld", (long long)w->bytes);
	if (failure == NULL)
		audit_change_add(s->arena, &change, "sizeBytes", "data_policy_operations", "size_bytes", NULL, bytes);
	return audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_COMPLETE,
						      .resource_type = "DataPolicyOperation",
						      .resource = w->b.operation,
						      .subject = w->b.user,
						      .changes = change,
						      .failure = failure});
}

static enum err finish_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ending *a = arg;
	int64_t days, n;
	TRY(tenant_setting_int(tx, "exportDays", &days));
	TRY(db_exec(tx, &export_finish,
		    DB_ARGS(db_v_id(&a->w->b.operation), db_v_int(s->now), db_v_int(s->now + days * DAY_US),
			    db_v_blob(a->w->sha256, sizeof a->w->sha256), db_v_int(a->w->bytes)),
		    &n));
	a->gone = n == 0;
	return a->gone ? OK : record(tx, a->w, NULL);
}

static enum err fail_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct ending *a = arg;
	int64_t n;
	TRY(db_exec(tx, &export_fail, DB_ARGS(db_v_id(&a->w->b.operation), db_v_int(s->now), db_v_text(a->w->error)),
		    &n));
	a->gone = n == 0;
	return a->gone ? OK : record(tx, a->w, a->w->error);
}

static enum err run_one(struct work *w, const char *data_dir)
{
	char id[ID_TEXT];
	struct scope *s = w->b.s;
	struct ending end = {.w = w};
	id_format(w->b.operation, id);
	w->b.dir = arena_printf(s->arena, "%s/exports", data_dir);
	const char *part = arena_printf(s->arena, "%s/%s.part", w->b.dir, id);
	const char *sealed = arena_printf(s->arena, "%s/%s.sealed", w->b.dir, id);
	TRY(db_write(s, start_tx, w));
	enum err e = build(w, part, sealed);
	if (e == OK) {
		TRY(db_write(s, finish_tx, &end));
		if (end.gone)
			unlink(sealed);
		return OK;
	}
	log_event(LOG_ERROR, "export_failed", "operation=%s error=%s detail=\"%s\"", id, err_name(e),
		  scope_detail(s, e));
	w->error = scope_detail(s, e);
	unlink(sealed);
	return db_write(s, fail_tx, &end);
}

enum err export_run_pending(struct scope *s, const char *data_dir, const char *host, bool *ret_more)
{
	struct work *w = arena_alloc(s->arena, sizeof *w);
	struct scope tenant;
	*ret_more = false;
	TRY(db_read(s, next_tx, w));
	if (!w->found)
		return OK;
	scope_tenant(&tenant, s->arena, s->db, s->keeper, w->tenant);
	tenant.now = s->now;
	w->b.s = &tenant;
	w->b.host = host;
	enum err e = run_one(w, data_dir);
	*ret_more = e == OK;
	return e == OK ? OK : scope_fail(s, e, "%s", scope_detail(&tenant, e));
}
