/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuing: the body is written once, in the canonical form of codec/json.h, and what is signed is what is stored.
 * Everything in it comes from the duty's row and progress, the map, the keeper and the notices; nothing of it can say who the subject was.
 * docs/formats/certificate.md is the format.
 */
#include <string.h>

#include "audit/audit.h"
#include "base/limits.h"
#include "codec/json.h"
#include "keeper/keeper.h"
#include "notice/notice.h"
#include "privacy/certificate/certificate.h"
#include "privacy/erasure/internal.h"

DB_TENANT(certificate_insert,
	  "INSERT INTO certificates (tenant_id, certificate_id, duty_id, kind, issued_at, body, signature) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) "
	  "ON CONFLICT (tenant_id, certificate_id) DO NOTHING");
DB_TENANT(certificate_first, "SELECT body FROM certificates WHERE tenant_id = ?1 AND certificate_id = ?2");

enum { BODY_MAX = 512 * KIB };

void subject_reference(struct keeper *k, struct id tenant, struct id subject, uint8_t ret[SHA256_BYTES])
{
	uint8_t both[sizeof tenant.b + sizeof subject.b];
	memcpy(both, tenant.b, sizeof tenant.b);
	memcpy(both + sizeof tenant.b, subject.b, sizeof subject.b);
	keeper_reference(k, "subject", both, sizeof both, ret);
}

struct id reference_id(const uint8_t reference[SHA256_BYTES])
{
	struct id id;
	memcpy(id.b, reference, sizeof id.b);
	return id;
}

/* ---- the body ---- */

static const char *progress_text(const struct erase_job *j, const char *name)
{
	return json_string_value(json_object_get(j->progress, name));
}

static void write_issuer(struct json_writer *w, const struct erase_job *j)
{
	uint8_t key[ED25519_KEY_BYTES];
	keeper_public_key(j->s.keeper, key);
	jw_key(w, "issuer");
	jw_object(w);
	jw_kstring(w, "host", j->e->host);
	jw_kstring(w, "software", "reeve " REEVE_VERSION);
	jw_key(w, "publicKey");
	jw_base64(w, key, sizeof key);
	jw_end_object(w);
}

/* The needles, and with them the subject's id, are there until the certificate is issued; the reference is kept from then on. */
static void write_subject(struct json_writer *w, const struct erase_job *j)
{
	jw_kid(w, "tenantId", j->type == SUBJECT_TENANT ? j->d.subject : j->d.tenant); /* its duty may be the installation's copy by now */
	jw_kid(w, "dutyId", j->d.duty);
	jw_kstring(w, "trigger", j->d.trigger);
	jw_kstring(w, "subjectType", j->d.subject_type);
	jw_kstring(w, "subjectReference", progress_text(j, "subjectReference"));
}

static void write_times(struct json_writer *w, const struct erase_job *j)
{
	jw_ktime(w, "requestedDateTime", j->d.requested_at);
	jw_ktime(w, "suppressedDateTime", progress_int(j, "suppressedAt"));
	jw_ktime(w, "deletedDateTime", progress_int(j, "deletedAt"));
	jw_ktime(w, "scrubbedDateTime", progress_int(j, "scrubbedAt"));
	jw_ktime(w, "deadlineDateTime", j->d.deadline_at);
	jw_kbool(w, "deadlineMet", progress_int(j, "scrubbedAt") <= j->d.deadline_at);
	jw_ktime(w, "copiesDeadlineDateTime", j->d.copies_deadline_at);
}

static int64_t count(const json_t *row, const char *name) { return json_integer_value(json_object_get(row, name)); }

static void write_tables(struct json_writer *w, const struct erase_job *j)
{
	const char *name;
	json_t *row;
	jw_key(w, "tables");
	jw_array(w);
	json_object_foreach(json_object_get(j->progress, "tables"), name, row)
	{
		int64_t kept = count(row, "found") - count(row, "deleted") - count(row, "changed");
		kept = kept < 0 ? 0 : kept; /* rows that came after the plan went too */
		jw_object(w);
		jw_kstring(w, "table", name);
		jw_kint(w, "found", count(row, "found"));
		jw_kint(w, "deleted", count(row, "deleted"));
		jw_kint(w, "changed", count(row, "changed"));
		jw_kint(w, "kept", kept);
		if (kept + count(row, "changed") > 0)
			jw_kstring(w, "ground", json_string_value(json_object_get(row, "ground")));
		if (kept > 0 && count(row, "until") != 0)
			jw_ktime(w, "keptUntilDateTime", count(row, "until"));
		jw_end_object(w);
	}
	jw_end_array(w);
}

/* The events about the subject that stay, by the month in which their retention ends (certificate_collect.c). */
static void write_events(struct json_writer *w, const struct erase_job *j)
{
	size_t i;
	json_t *month;
	int64_t total = 0;
	const json_t *months = json_object_get(j->progress, "auditEvents");
	json_array_foreach((json_t *)months, i, month) total += count(month, "events");
	jw_key(w, "auditEvents");
	jw_object(w);
	jw_kint(w, "kept", total);
	jw_kstring(w, "ground", total > 0 ? "auditRetention" : NULL);
	jw_key(w, "ends");
	jw_array(w);
	json_array_foreach((json_t *)months, i, month)
	{
		jw_object(w);
		jw_kint(w, "events", count(month, "events"));
		jw_ktime(w, "untilDateTime", count(month, "until"));
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_kint(w, "identifiersFoundInThem", progress_int(j, "auditHits"));
	jw_end_object(w);
}

/* ---- stores ---- */

/* What a method of the database proves. */
static const struct {
	const char *method, *evidence;
} METHODS[] = {
	{"rowDelete+scrub+byteScan",
	 "every mapped table was asked again; dead space was blanked and the log emptied; every page was read and attributed to its table: the subject's "
	 "own identifiers stand in no page but those of audit events within their retention; identifiers that others have too do not count"},
	{"rowDelete+rewrite+byteScan",
	 "every mapped table was asked again; the tables that held rows were rewritten and the write-ahead log switched; every file of the database was "
	 "read: the subject's own identifiers stand in no file but those of audit events within their retention; identifiers that others have too do not "
	 "count"},
	{"rowDelete+rewrite+walPosition",
	 "every mapped table was asked again; the tables that held rows were rewritten and the write-ahead log switched: by WAL position; the files were "
	 "not scanned, they are not the server's to read"},
	{"rowDelete",
	 "every mapped table was asked again; the tables were not rewritten: the server has no connection of the owner"},
};

static const char *evidence_of(const char *method)
{
	for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
		if (strcmp(METHODS[i].method, method) == 0)
			return METHODS[i].evidence;
	return NULL;
}

/* Where the write-ahead log stood after the rewrite, and where the standbys were. */
static void write_wal(struct json_writer *w, const struct erase_job *j)
{
	const json_t *wal = json_object_get(j->progress, "walPosition");
	if (wal == NULL)
		return;
	jw_key(w, "walPosition");
	jw_json(w, wal);
}

static void write_database(struct json_writer *w, const struct erase_job *j)
{
	const char *method = progress_text(j, "method");
	jw_object(w);
	jw_kstring(w, "store", db_engine(j->s.db) == DB_SQLITE ? "sqlite" : "postgresql");
	jw_kstring(w, "method", method);
	jw_kstring(w, "evidence", evidence_of(method));
	write_wal(w, j);
	jw_end_object(w);
}

/* The map's other places that may hold something of a person, and how each goes. */
static void write_stores(struct json_writer *w, const struct erase_job *j)
{
	size_t n;
	const struct map_store *s = map_stores(&n);
	jw_key(w, "stores");
	jw_array(w);
	write_database(w, j);
	for (size_t i = 0; i < n; i++) {
		if (*s[i].categories == '\0')
			continue;
		jw_object(w);
		jw_kstring(w, "store", s[i].name);
		jw_kstring(w, "method", s[i].erase);
		jw_end_object(w);
	}
	jw_end_array(w);
}

/* ---- what others have ---- */

static const char *backups_evidence(int days, bool gone)
{
	if (days == 0)
		return "the server makes no backups; copies made by others are not covered";
	if (gone)
		return "the keys of every day up to the deletion are destroyed: what they sealed cannot be opened; copies made by others are not covered";
	return "backups are sealed with a key per day; this is when the last key that can open one with the subject's data is destroyed; copies made by "
	       "others are not covered";
}

static void write_backups(struct json_writer *w, const struct erase_job *j, bool gone)
{
	int64_t until = keeper_copies_gone_at(j->s.keeper, progress_int(j, "scrubbedAt"));
	int days = keeper_backup_days(j->s.keeper);
	jw_key(w, "backups");
	jw_object(w);
	jw_kstring(w, "method", days > 0 ? "keyDestruction" : "none");
	jw_kint(w, "keyDays", days);
	if (gone)
		jw_ktime(w, "goneDateTime", j->s.now);
	else
		jw_ktime(w, "goneByDateTime", until);
	jw_kstring(w, "evidence", backups_evidence(days, gone));
	jw_end_object(w);
}

static enum err write_recipients(struct db_tx *tx, struct json_writer *w, struct id duty)
{
	struct notice_state *list;
	size_t n;
	TRY(notice_of_duty(tx, duty, &list, &n));
	jw_key(w, "recipients");
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		jw_kid(w, "recipientId", list[i].recipient);
		jw_kstring(w, "name", list[i].name);
		jw_kstring(w, "kind", list[i].kind);
		jw_kstring(w, "state", list[i].state);
		if (list[i].delivered_at != 0)
			jw_ktime(w, "deliveredDateTime", list[i].delivered_at);
		jw_end_object(w);
	}
	jw_end_array(w);
	return OK;
}

static void write_verification(struct json_writer *w, const struct erase_job *j)
{
	jw_key(w, "verification");
	jw_object(w);
	jw_kstring(w, "rows", "every mapped table was queried for the subject: none left but those listed as kept");
	jw_kint(w, "identifiersSearched", progress_int(j, "needles"));
	jw_kstring(w, "tool", "reeve " REEVE_VERSION);
	jw_ktime(w, "completedDateTime", progress_int(j, "scrubbedAt"));
	jw_end_object(w);
}

static void write_json(struct json_writer *w, const char *name, const json_t *v)
{
	if (v == NULL)
		return;
	jw_key(w, name);
	jw_json(w, v);
}

static void write_ledger(struct json_writer *w, const struct erase_job *j)
{
	jw_key(w, "ledger");
	jw_object(w);
	jw_kint(w, "sequence", progress_int(j, "ledgerSequence"));
	jw_kstring(w, "entrySha256", progress_text(j, "ledgerHash"));
	jw_end_object(w);
}

/* ---- the two bodies ---- */

static enum err write_active(struct db_tx *tx, struct json_writer *w, const struct erase_job *j)
{
	auto_json *plan = json_loads(j->d.plan, 0, NULL);
	write_subject(w, j);
	write_times(w, j);
	jw_kstring(w, "mapVersion", json_string_value(json_object_get(plan, "mapVersion")));
	write_tables(w, j);
	write_events(w, j);
	write_stores(w, j);
	write_backups(w, j, false);
	TRY(write_recipients(tx, w, j->d.duty));
	write_verification(w, j);
	write_json(w, "device", json_object_get(j->progress, "device"));
	write_json(w, "residues", json_object_get(j->progress, "residues"));
	write_ledger(w, j);
	return OK;
}

static enum err write_completes(struct db_tx *tx, struct json_writer *w, struct id first)
{
	uint8_t hash[SHA256_BYTES];
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &certificate_first, DB_ARGS(db_v_id(&first)), &r));
	sha256(db_text(r, 0), strlen(db_text(r, 0)), hash);
	jw_key(w, "completes");
	jw_object(w);
	jw_kid(w, "certificateId", first);
	jw_key(w, "sha256");
	jw_hex(w, hash, sizeof hash);
	jw_end_object(w);
	return OK;
}

static enum err write_copies(struct db_tx *tx, struct json_writer *w, const struct erase_job *j)
{
	int64_t now = db_tx_scope(tx)->now;
	TRY(write_completes(tx, w, j->d.certificate));
	write_subject(w, j);
	jw_ktime(w, "requestedDateTime", j->d.requested_at);
	jw_ktime(w, "deletedDateTime", progress_int(j, "deletedAt"));
	jw_ktime(w, "scrubbedDateTime", progress_int(j, "scrubbedAt"));
	jw_ktime(w, "copiesGoneDateTime", now);
	jw_ktime(w, "deadlineDateTime", j->d.copies_deadline_at);
	jw_kbool(w, "deadlineMet", now <= j->d.copies_deadline_at);
	write_backups(w, j, true);
	TRY(write_recipients(tx, w, j->d.duty));
	write_json(w, "residues", json_object_get(j->progress, "residues"));
	write_ledger(w, j);
	return OK;
}

static enum err write_body(struct db_tx *tx, struct json_writer *w, const struct erase_job *j, const char *kind, struct id certificate)
{
	bool copies = strcmp(kind, CERTIFICATE_COPIES) == 0;
	jw_object(w);
	jw_kstring(w, "format", CERTIFICATE_FORMAT);
	jw_kid(w, "certificateId", certificate);
	jw_kstring(w, "kind", kind);
	jw_ktime(w, "issuedDateTime", db_tx_scope(tx)->now);
	write_issuer(w, j);
	TRY(copies ? write_copies(tx, w, j) : write_active(tx, w, j));
	jw_end_object(w);
	return OK;
}

/* ---- issuing ---- */

static enum err record(struct db_tx *tx, struct id certificate, const void *body, size_t n)
{
	uint8_t hash[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	struct audit_change *change = NULL;
	sha256(body, n, hash);
	hex_encode(hash, sizeof hash, hex);
	audit_change_add(db_tx_scope(tx)->arena, &change, "sha256", NULL, NULL, NULL, hex);
	return audit_record(tx, &(struct audit_event){.activity = ACT_DUTY_CERTIFICATE, .resource_type = "ErasureCertificate", .resource = certificate,
						      .changes = change});
}

enum err certificate_issue(struct db_tx *tx, struct erase_job *j, const char *kind, struct id certificate)
{
	struct scope *s = db_tx_scope(tx);
	struct json_writer w;
	auto_buf body;
	int64_t added;
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	buf_init(&body, BODY_MAX);
	jw_init(&w, &body);
	TRY(write_body(tx, &w, j, kind, certificate));
	if (body.failed)
		return scope_fail(s, ERR_LIMIT, "the certificate is too large");
	keeper_sign(s->keeper, body.data, body.len, signature);
	TRY(db_exec(tx, &certificate_insert,
		    DB_ARGS(db_v_id(&certificate), db_v_id(&j->d.duty), db_v_text(kind), db_v_int(s->now), db_v_textn(body.data, body.len),
			    db_v_blob(signature, sizeof signature)),
		    &added));
	return added == 0 ? OK : record(tx, certificate, body.data, body.len);
}
