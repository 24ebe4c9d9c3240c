/* SPDX-License-Identifier: Apache-2.0
 *
 * Issuing: the body is written once, in the canonical form of codec/json.h, and what is signed is what is stored.
 * Everything in it comes from the duty's row and progress; nothing of it can say who the subject was.
 */
#include <string.h>

#include "audit/audit.h"
#include "base/limits.h"
#include "codec/json.h"
#include "keeper/keeper.h"
#include "privacy/erasure/certificate.h"
#include "privacy/erasure/internal.h"

DB_TENANT(certificate_insert,
	  "INSERT INTO certificates (tenant_id, certificate_id, duty_id, issued_at, body, signature) VALUES (?1, ?2, "
	  "?3, ?4, ?5, ?6) "
	  "ON CONFLICT (tenant_id, certificate_id) DO NOTHING");
DB_TENANT(certificate_select, "SELECT body, signature FROM certificates WHERE tenant_id = ?1 AND certificate_id = ?2");

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

static void write_times(struct json_writer *w, const struct erase_job *j)
{
	jw_ktime(w, "requestedDateTime", j->d.requested_at);
	jw_ktime(w, "suppressedDateTime", progress_int(j, "suppressedAt"));
	jw_ktime(w, "deletedDateTime", progress_int(j, "deletedAt"));
	jw_ktime(w, "scrubbedDateTime", progress_int(j, "scrubbedAt"));
	jw_ktime(w, "deadlineDateTime", j->d.deadline_at);
	jw_kbool(w, "deadlineMet", progress_int(j, "scrubbedAt") <= j->d.deadline_at);
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

static const char *evidence(const struct erase_job *j)
{
	const char *method = progress_text(j, "method");
	if (strcmp(method, "rowDelete+vacuum+byteScan") == 0)
		return "every page of the database file was read and attributed to its table: the subject's own "
		       "identifiers stand in no page but those "
		       "of audit events within their retention; identifiers that others have too do not count";
	if (strcmp(method, "rowDelete+rewrite+walSwitch") == 0)
		return "every mapped table was asked again; the tables were rewritten and the write-ahead log "
		       "switched; the files were not scanned";
	return "every mapped table was asked again; the tables were not rewritten: the server has no connection of "
	       "the owner";
}

static void write_store(struct json_writer *w, const char *store, const char *method, const char *text)
{
	jw_object(w);
	jw_kstring(w, "store", store);
	jw_kstring(w, "method", method);
	jw_kstring(w, "evidence", text);
	jw_end_object(w);
}

static void write_stores(struct json_writer *w, const struct erase_job *j)
{
	jw_key(w, "stores");
	jw_array(w);
	write_store(w, db_engine(j->s.db) == DB_SQLITE ? "sqlite" : "postgresql", progress_text(j, "method"),
		    evidence(j));
	write_store(w, "exportFiles", "unlink",
		    "files of exports are sealed under keys of their own and were removed before their rows");
	write_store(w, "backups", "none",
		    "this version of the server makes no backups of its own; copies made by others are not covered");
	jw_end_array(w);
	jw_key(w, "verification");
	jw_object(w);
	jw_kstring(w, "rows", "every mapped table was queried for the subject: none left but those listed as kept");
	jw_kint(w, "identifiersSearched", progress_int(j, "needles"));
	jw_end_object(w);
}

static void write_ledger(struct json_writer *w, const struct erase_job *j)
{
	jw_key(w, "ledger");
	jw_object(w);
	jw_kint(w, "sequence", progress_int(j, "ledgerSequence"));
	jw_kstring(w, "entrySha256", progress_text(j, "ledgerHash"));
	jw_end_object(w);
}

static void write_body(struct json_writer *w, const struct erase_job *j, struct id certificate, int64_t issued)
{
	auto_json *plan = json_loads(j->d.plan, 0, NULL);
	jw_object(w);
	jw_kstring(w, "format", "reeve/erasure-certificate/v1");
	jw_kid(w, "certificateId", certificate);
	jw_ktime(w, "issuedDateTime", issued);
	write_issuer(w, j);
	jw_kid(w, "tenantId", j->d.tenant);
	jw_kid(w, "dutyId", j->d.duty);
	jw_kstring(w, "trigger", j->d.trigger);
	jw_kstring(w, "subjectType", j->d.subject_type);
	jw_kstring(w, "subjectReference", progress_text(j, "reference"));
	write_times(w, j);
	jw_kstring(w, "mapVersion", json_string_value(json_object_get(plan, "mapVersion")));
	write_tables(w, j);
	write_stores(w, j);
	jw_key(w, "residues");
	jw_json(w, json_object_get(j->progress, "residues"));
	write_ledger(w, j);
	jw_end_object(w);
}

/* ---- issuing ---- */

enum err certificate_issue(struct db_tx *tx, struct erase_job *j, struct id certificate)
{
	struct scope *s = db_tx_scope(tx);
	struct json_writer w;
	auto_buf body;
	int64_t added;
	uint8_t signature[ED25519_SIGNATURE_BYTES], hash[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	struct audit_change *change = NULL;
	buf_init(&body, 256 * KIB);
	jw_init(&w, &body);
	write_body(&w, j, certificate, s->now);
	if (body.failed)
		return scope_fail(s, ERR_LIMIT, "the certificate is too large");
	keeper_sign(s->keeper, body.data, body.len, signature);
	TRY(db_exec(tx, &certificate_insert,
		    DB_ARGS(db_v_id(&certificate), db_v_id(&j->d.duty), db_v_int(s->now),
			    db_v_textn(body.data, body.len), db_v_blob(signature, sizeof signature)),
		    &added));
	if (added == 0)
		return OK;
	sha256(body.data, body.len, hash);
	hex_encode(hash, sizeof hash, hex);
	audit_change_add(s->arena, &change, "sha256", NULL, NULL, NULL, hex);
	return audit_record(tx, &(struct audit_event){.activity = ACT_DUTY_CERTIFICATE,
						      .resource_type = "ErasureCertificate",
						      .resource = certificate,
						      .changes = change});
}

/* ---- reading ---- */

enum err certificate_write(struct db_tx *tx, struct json_writer *w, struct id certificate)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t key[ED25519_KEY_BYTES];
	size_t n;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &certificate_select, DB_ARGS(db_v_id(&certificate)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no certificate has this id");
	TRY(e);
	const char *body = db_text(r, 0);
	const void *signature = db_blob(r, 1, &n);
	keeper_public_key(s->keeper, key);
	jw_key(w, "certificate");
	jw_raw(w, body, strlen(body));
	jw_key(w, "body");
	jw_base64(w, body, strlen(body));
	jw_key(w, "signature");
	jw_base64(w, signature, n);
	jw_key(w, "publicKey");
	jw_base64(w, key, sizeof key);
	return OK;
}
