/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates of devices: who one is, issuing, renewing and ending them.
 */
#include "devices/certificate.h"

#include "crypto/x509.h"
#include "devices/device.h"
#include "keeper/keeper.h"

DB_TENANT(certificate_by_fingerprint,
	  "SELECT device_id, issued_at, expires_at, revoked_at, owed_action, owed_name "
	  "FROM device_certificates WHERE tenant_id = ?1 AND fingerprint = ?2");
DB_TENANT(certificate_add,
	  "INSERT INTO device_certificates (tenant_id, fingerprint, device_id, issued_at, expires_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5)");
DB_TENANT(certificate_end_older,
	  "UPDATE device_certificates SET revoked_at = ?5 WHERE tenant_id = ?1 AND device_id = ?2 "
	  "AND fingerprint <> ?3 AND issued_at <= ?4 AND revoked_at IS NULL");
DB_TENANT(certificate_end_all,
	  "UPDATE device_certificates SET revoked_at = ?3 WHERE tenant_id = ?1 AND device_id = ?2 "
	  "AND revoked_at IS NULL");
DB_TENANT(certificate_on_device,
	  "UPDATE managed_devices SET certificate_expires_at = ?3 WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(suppression_of, "SELECT 1 FROM suppressions WHERE tenant_id = ?1 AND reference = ?2 AND expires_at > ?3");

static enum err suppressed(struct db_tx *tx, struct id object, bool *ret)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t reference[SHA256_BYTES];
	keeper_reference(s->keeper, "object", object.b, sizeof object.b, reference);
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &suppression_of,
				    DB_ARGS(db_v_blob(reference, sizeof reference), db_v_int(s->now)), &r);
	*ret = err == OK;
	return err == ERR_NOT_FOUND ? OK : err;
}

enum err certificate_load(struct db_tx *tx, const uint8_t fingerprint[SHA256_BYTES], struct device_identity *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &certificate_by_fingerprint, DB_ARGS(db_v_blob(fingerprint, SHA256_BYTES)), &r);
	if (err == ERR_NOT_FOUND)
		return scope_fail(s, ERR_UNAUTHENTICATED, "this client certificate is not known");
	TRY(err);
	if (!db_is_null(r, 3))
		return scope_fail(s, ERR_UNAUTHENTICATED, "this client certificate is revoked");
	if (db_int(r, 2) <= s->now)
		return scope_fail(s, ERR_UNAUTHENTICATED, "this client certificate has expired");
	*ret = (struct device_identity){
		.device = db_id(r, 0),
		.issued_at = db_int(r, 1),
		.expires_at = db_int(r, 2),
		.owed_only = !db_is_null(r, 4),
		.owed_action = db_id(r, 4),
		.owed_name = db_text_dup(r, 5, s->arena),
	};
	return OK;
}

static enum err identify(struct scope *s, struct db_tx *tx, void *arg)
{
	struct {
		const uint8_t *fingerprint;
		struct device_identity *ret;
	} *q = arg;
	bool gone;
	TRY(certificate_load(tx, q->fingerprint, q->ret));
	if (q->ret->owed_only)
		return OK;
	TRY(suppressed(tx, q->ret->device, &gone));
	return gone ? scope_fail(s, ERR_UNAUTHENTICATED, "this device is no longer managed") : OK;
}

enum err device_identify(struct scope *s, const uint8_t fingerprint[SHA256_BYTES], struct device_identity *ret)
{
	struct {
		const uint8_t *fingerprint;
		struct device_identity *ret;
	} q = {fingerprint, ret};
	return db_read(s, identify, &q);
}

int64_t certificate_renew_before(int64_t issued_at, int64_t expires_at)
{
	return issued_at + (expires_at - issued_at) / 3 * 2;
}

enum err certificate_sign(struct scope *s, const char *csr_pem, struct id device, struct issued_certificate *ret)
{
	TRY(keeper_issue_device(s->keeper, s, csr_pem, s->tenant, device, DEVICE_CERTIFICATE_DAYS, &ret->cert_pem,
				ret->fingerprint, &ret->expires_at));
	ret->ca_pem = keeper_ca_pem(s->keeper, s->arena);
	return OK;
}

enum err certificate_insert(struct db_tx *tx, struct id device, const struct issued_certificate *c)
{
	struct scope *s = db_tx_scope(tx);
	return db_exec(tx, &certificate_add,
		       DB_ARGS(db_v_blob(c->fingerprint, sizeof c->fingerprint), db_v_id(&device), db_v_int(s->now),
			       db_v_int(c->expires_at)),
		       NULL);
}

struct renewal {
	struct id device;
	const uint8_t *fingerprint;
	const struct issued_certificate *certificate;
};

static enum err renew(struct scope *s, struct db_tx *tx, void *arg)
{
	struct renewal *q = arg;
	struct device_identity who;
	struct device d;
	char old[TIME_TEXT], now[TIME_TEXT];
	struct audit_change *changes = NULL;
	TRY(certificate_load(tx, q->fingerprint, &who));
	if (who.owed_only)
		return scope_fail(s, ERR_FORBIDDEN,
				  "this device is no longer on record; its certificate is not renewed");
	TRY(device_load(tx, q->device, true, &d));
	TRY(certificate_insert(tx, d.id, q->certificate));
	TRY(db_exec(tx, &certificate_on_device, DB_ARGS(db_v_id(&d.id), db_v_int(q->certificate->expires_at)), NULL));
	audit_change_add(s->arena, &changes, "managementCertificateExpirationDate", NULL, NULL,
			 time_format(who.expires_at, old), time_format(q->certificate->expires_at, now));
	return device_record(tx, &d, ACT_DEVICE_CERTIFICATE, changes, NULL);
}

enum err device_renew(struct scope *s, struct id device, const uint8_t fingerprint[SHA256_BYTES], const char *csr_pem,
		      struct issued_certificate *ret)
{
	TRY(certificate_sign(s, csr_pem, device, ret));
	return db_write(s, renew, &(struct renewal){device, fingerprint, ret});
}

enum err certificate_supersede(struct db_tx *tx, struct id device, const uint8_t fingerprint[SHA256_BYTES],
			       int64_t issued_at)
{
	struct scope *s = db_tx_scope(tx);
	return db_exec(
		tx, &certificate_end_older,
		DB_ARGS(db_v_id(&device), db_v_blob(fingerprint, SHA256_BYTES), db_v_int(issued_at), db_v_int(s->now)),
		NULL);
}

enum err certificate_revoke_all(struct db_tx *tx, struct id device)
{
	struct scope *s = db_tx_scope(tx);
	return db_exec(tx, &certificate_end_all, DB_ARGS(db_v_id(&device), db_v_int(s->now)), NULL);
}
