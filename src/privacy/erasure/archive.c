/* SPDX-License-Identifier: Apache-2.0
 *
 * A purged tenant's log leaves it as a signed archive before it goes: a file for the operator, found among the installation's exports
 * and deleted at the tenant's deadline.  Its row's id is the duty's, and when the file was begun stands in the duty's progress, so that a
 * crash anywhere leaves one file and one row.
 *
 * Where the archive cannot be written the purge waits and tries again, loudly, until the last day before the deadline; then deletion wins,
 * and the installation's log says that there is no archive.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/audit.h"
#include "audit/out/archive.h"
#include "base/clock.h"
#include "base/log.h"
#include "directory/tenant.h"
#include "privacy/erasure/internal.h"

DB_TENANT(archive_waits,
	  "SELECT 1 FROM audit_pending WHERE tenant_id = ?1 UNION ALL SELECT 1 FROM audit_heads WHERE tenant_id = ?1 AND signed_size < size LIMIT 1");
DB_TENANT(archive_there, "SELECT 1 FROM audit_exports WHERE tenant_id = ?1 AND export_id = ?2");
DB_TENANT(archive_insert,
	  "INSERT INTO audit_exports (tenant_id, export_id, format, of_tenant, status, created_at, completed_at, expires_at, events, size_bytes, "
	  "sha256, error) VALUES (?1, ?2, 'archive', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");

static const int64_t again_after_us = 10 * MINUTE_US, last_chance_us = DAY_US;

struct archive {
	struct erase_job *j;
	struct scope installation;
	struct audit_archive log;
	int64_t begun, deadline, bytes;
	uint8_t sha256[SHA256_BYTES];
	const char *failure; /* NULL: it is written */
	bool found;
};

/* ---- where it stands ---- */

static enum err look_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct archive *a = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &archive_there, DB_ARGS(db_v_id(&a->j->d.duty)), &r));
	a->found = db_next(r);
	return db_rows_err(r);
}

static enum err waits_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &archive_waits, DB_NOARGS, &r));
	*(bool *)arg = db_next(r);
	return db_rows_err(r);
}

static enum err save_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return progress_save(tx, arg);
}

/* Fixes the day in the file's name before the first byte is written. */
static enum err begin(struct archive *a)
{
	struct erase_job *j = a->j;
	if (!progress_has(j, "archiveAt")) {
		progress_set_int(j, "archiveAt", j->s.now);
		TRY(db_write_low(&j->s, save_tx, j));
	}
	a->begun = progress_int(j, "archiveAt");
	return OK;
}

/* ---- the file ---- */

static enum err hash_file(struct archive *a, const char *path)
{
	char block[32 * 1024];
	size_t n;
	FILE *f = fopen(path, "re");
	if (f == NULL)
		return scope_fail(&a->j->s, ERR_IO, "the archive cannot be read back");
	struct sha256_stream *hash = sha256_new();
	for (a->bytes = 0; (n = fread(block, 1, sizeof block, f)) > 0; a->bytes += (int64_t)n)
		sha256_update(hash, block, n);
	bool failed = ferror(f);
	sha256_final(hash, a->sha256);
	fclose(f);
	return failed ? scope_fail(&a->j->s, ERR_IO, "the archive cannot be read back") : OK;
}

static enum err write_file(struct archive *a)
{
	char tenant[ID_TEXT], day[TIME_TEXT];
	struct scope *s = &a->j->s;
	const char *dir = arena_printf(s->arena, "%s/archives", a->j->e->data_dir);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return scope_fail(s, errno == ENOSPC ? ERR_STORAGE_FULL : ERR_IO, "the folder of archives cannot be made");
	const char *path = arena_printf(s->arena, "%s/%s-%.10s.zip", dir, id_format(s->tenant, tenant), time_format(a->begun, day));
	a->log = (struct audit_archive){.until = INT64_MAX};
	TRY(audit_archive_write(s, a->j->e->host, path, &a->log));
	return hash_file(a, path);
}

/* ---- its row, and the event ---- */

static enum err record(struct db_tx *tx, struct archive *a)
{
	struct scope *s = db_tx_scope(tx);
	char text[TIME_TEXT], hex[2 * SHA256_BYTES + 1];
	struct audit_change *changes = NULL, **tail = &changes;
	if (a->failure == NULL) {
		hex_encode(a->sha256, sizeof a->sha256, hex);
		tail = audit_change_add(s->arena, tail, "sha256", NULL, NULL, NULL, hex);
		tail = audit_change_add(s->arena, tail, "sizeBytes", NULL, NULL, NULL, arena_printf(s->arena, "%lld", (long long)a->bytes));
		tail = audit_change_add(s->arena, tail, "events", NULL, NULL, NULL,
					arena_printf(s->arena, "%llu", (unsigned long long)a->log.events));
		tail = audit_change_add(s->arena, tail, "checkpoint", NULL, NULL, NULL, a->log.checkpoint);
	}
	audit_change_add(s->arena, tail, "expiresDateTime", NULL, NULL, NULL, time_format(a->deadline, text));
	return audit_record(tx, &(struct audit_event){.activity = ACT_AUDIT_ARCHIVE,
						      .resource_type = "AuditLog",
						      .resource = a->j->d.tenant,
						      .changes = changes,
						      .failure = a->failure});
}

static enum err register_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct archive *a = arg;
	bool written = a->failure == NULL;
	TRY(db_exec(tx, &archive_insert,
		    DB_ARGS(db_v_id(&a->j->d.duty), db_v_id(&a->j->d.tenant), db_v_text(written ? "completed" : "failed"), db_v_int(a->begun),
			    db_v_int(s->now), db_v_int(a->deadline), written ? db_v_int((int64_t)a->log.events) : db_v_null(),
			    written ? db_v_int(a->bytes) : db_v_null(), written ? db_v_blob(a->sha256, sizeof a->sha256) : db_v_null(),
			    db_v_text(a->failure)),
		    NULL));
	return record(tx, a);
}

/* ---- the step ---- */

static enum err not_written(struct archive *a, enum err err)
{
	char tenant[ID_TEXT];
	struct erase_job *j = a->j;
	const char *why = scope_detail(&j->s, err);
	bool last = a->deadline - j->s.now <= last_chance_us;
	log_event(LOG_ERROR, "tenant_archive_failed", "tenant=%s error=%s detail=\"%s\" %s", id_format(j->d.tenant, tenant), err_name(err), why,
		  last ? "the log is deleted without an archive" : "the purge waits");
	if (last) {
		a->failure = arena_strdup(j->s.arena, why);
		return db_write_low(&a->installation, register_tx, a);
	}
	j->s.detail = NULL;
	progress_set_int(j, "archiveTriedAt", j->s.now);
	TRY(db_write_low(&j->s, save_tx, j));
	return ERR_BUSY;
}

enum err erasure_archive(struct erase_job *j)
{
	static const struct id installation;
	struct archive a = {.j = j};
	struct tenant t;
	bool waits = false;
	scope_tenant(&a.installation, j->s.arena, j->s.db, j->s.keeper, installation);
	a.installation.now = j->s.now;
	TRY(tenant_get(&j->s, j->d.tenant, &t));
	a.deadline = t.purge_deadline_at;
	TRY(db_read(&a.installation, look_tx, &a));
	if (a.found || a.deadline <= j->s.now)
		return OK;
	TRY(db_read(&j->s, waits_tx, &waits)); /* the sequencer is a moment behind */
	if (a.deadline - j->s.now > last_chance_us && (waits || j->s.now - progress_int(j, "archiveTriedAt") < again_after_us))
		return ERR_BUSY;
	TRY(begin(&a));
	enum err err = write_file(&a);
	return err == OK ? db_write_low(&a.installation, register_tx, &a) : not_written(&a, err);
}
