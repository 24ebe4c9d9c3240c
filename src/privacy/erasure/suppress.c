/* SPDX-License-Identifier: Apache-2.0
 *
 * From received to suppressed: what could act for the subject or bring it back ends first.  Enrolment tokens die; a
 * keyed hash of each object and credential is kept, so that a late report cannot bring it back; a device that has not
 * confirmed keeps its certificate for the one action that it owes.
 */
#include "audit/audit.h"
#include "devices/asset.h"
#include "devices/certificate.h"
#include "devices/removal.h"
#include "directory/tenant.h"
#include "duty/suppression.h"
#include "privacy/erasure/erasure.h"
#include "privacy/erasure/internal.h"

DB_TENANT(tokens_end,
	  "UPDATE enrollment_tokens SET expires_at = ?3 WHERE tenant_id = ?1 AND user_id = ?2 AND expires_at > ?3");
DB_TENANT(fingerprints_of_device,
	  "SELECT fingerprint FROM device_certificates WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(devices_to_retire,
	  "SELECT d.device_id FROM managed_devices d WHERE d.tenant_id = ?1 AND d.user_id = ?2 AND d.owner_type = "
	  "'personal' AND EXISTS "
	  "(SELECT 1 FROM device_certificates c WHERE c.tenant_id = ?1 AND c.device_id = d.device_id AND c.revoked_at "
	  "IS NULL "
	  "AND c.expires_at > ?3 AND c.owed_action IS NULL) LIMIT ?4");

DB_TENANT(
	certificates_that_owe,
	"SELECT count(*) FROM device_certificates WHERE tenant_id = ?1 AND device_id = ?2 AND owed_action IS NOT NULL "
	"AND revoked_at IS NULL");

enum { RETIRE_BATCH = 20 };

static enum err suppress_device(struct db_tx *tx, const struct duty *d, struct id device)
{
	auto_rows struct db_rows *r = NULL;
	TRY(suppression_add(tx, d, device.b, sizeof device.b));
	TRY(db_query(tx, &fingerprints_of_device, DB_ARGS(db_v_id(&device)), &r));
	while (db_next(r)) {
		size_t n;
		const void *fingerprint = db_blob(r, 0, &n);
		TRY(suppression_add(tx, d, fingerprint, n));
	}
	return db_rows_err(r);
}

/* ---- a device ---- */

/* *ret_owed: certificates that may still fetch the action. */
static enum err owe(struct db_tx *tx, struct id device, size_t *ret_owed)
{
	struct id action;
	const char *name;
	*ret_owed = 0;
	enum err e = device_owed_action(tx, device, &action, &name);
	if (e == OK)
		return device_owe(tx, device, action, name, ret_owed);
	return e == ERR_NOT_FOUND ? OK : e; /* it confirmed, or was never asked: nothing is owed */
}

static enum err device_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	size_t unused;
	bool held;
	auto_rows struct db_rows *r = NULL;
	TRY(erasure_hold(tx, j, &held));
	if (held)
		return OK;
	TRY(suppress_device(tx, &j->d, j->d.subject));
	TRY(owe(tx, j->d.subject, &unused));
	TRY(asset_record(tx, j->d.subject)); /* while the action and the record are still there */
	/* its person's erasure may have taken the action's row already: the certificate says what is owed */
	TRY(db_query_one(tx, &certificates_that_owe, DB_ARGS(db_v_id(&j->d.subject)), &r));
	progress_set_int(j, "owed", db_int(r, 0));
	progress_set_int(j, "suppressedAt", s->now);
	TRY(progress_save(tx, j));
	return duty_move(tx, j->d.duty, DUTY_received, DUTY_suppressed, NULL);
}

/* ---- a user ---- */

static enum err load_devices(struct db_tx *tx, struct id user, struct id ret[RETIRE_BATCH], size_t *ret_n)
{
	auto_rows struct db_rows *r = NULL;
	*ret_n = 0;
	TRY(db_query(tx, &devices_to_retire,
		     DB_ARGS(db_v_id(&user), db_v_int(db_tx_scope(tx)->now), db_v_int(RETIRE_BATCH)), &r));
	while (*ret_n < RETIRE_BATCH && db_next(r))
		ret[(*ret_n)++] = db_id(r, 0);
	return db_rows_err(r);
}

/* A personal device is told to retire and may fetch that with its certificate; its own duty is due at once, for its
 * rows go with the person's. */
static enum err retire_device(struct db_tx *tx, struct id device)
{
	size_t owed;
	TRY(device_retire_in_tx(tx, device, DUTY_BY_PERMANENT_DELETE, NULL));
	TRY(owe(tx, device, &owed));
	if (owed == 0)
		TRY(certificate_revoke_all(tx, device));
	return duty_hasten(tx, device);
}

/* *ret_all: none is left. */
static enum err retire_some(struct db_tx *tx, struct erase_job *j, bool *ret_all)
{
	struct id devices[RETIRE_BATCH];
	size_t n;
	TRY(load_devices(tx, j->d.subject, devices, &n));
	for (size_t i = 0; i < n; i++) {
		TRY(suppress_device(tx, &j->d, devices[i]));
		TRY(retire_device(tx, devices[i]));
	}
	*ret_all = n < RETIRE_BATCH;
	if (*ret_all)
		progress_set_int(j, "devicesAt", db_tx_scope(tx)->now);
	return OK;
}

static enum err user_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	bool held, all = true, waits = j->d.undo_until > s->now;
	TRY(suppression_add(tx, &j->d, j->d.subject.b, sizeof j->d.subject.b));
	TRY(db_exec(tx, &tokens_end, DB_ARGS(db_v_id(&j->d.subject), db_v_int(s->now)), NULL));
	TRY(erasure_hold(tx, j, &held));
	if (held)
		return OK;
	if (!waits)
		TRY(retire_some(tx, j, &all));
	if (!all)
		return OK; /* more of them: the duty stays received for another step */
	progress_set_int(j, "suppressedAt", s->now);
	TRY(progress_save(tx, j));
	if (waits)
		TRY(duty_set_due(tx, j->d.duty, j->d.undo_until));
	return duty_move(tx, j->d.duty, DUTY_received, DUTY_suppressed, NULL);
}

/* The undo window is over: now the devices are told. */
static enum err devices_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	bool held, all;
	TRY(erasure_hold(tx, j, &held));
	if (held)
		return OK;
	TRY(retire_some(tx, j, &all));
	return progress_save(tx, j);
}

enum err erasure_tell_devices(struct erase_job *j) { return db_write_low(&j->s, devices_tx, j); }

/* ---- a tenant ---- */

/* From here on nobody signs in, and the database allows its log to go. */
static enum err start_tenant_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	bool keeps;
	TRY(tenant_start_purge(tx));
	TRY(tenant_keeps_directory(tx, &keeps));
	progress_set_int(j, "keepsDirectory", keeps);
	TRY(progress_save(tx, j));
	return duty_move(tx, j->d.duty, DUTY_scheduled, DUTY_received, NULL);
}

static enum err tenant_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	bool held;
	TRY(erasure_hold(tx, j, &held));
	if (held)
		return OK;
	progress_set_int(j, "suppressedAt", s->now);
	TRY(progress_save(tx, j));
	return duty_move(tx, j->d.duty, DUTY_received, DUTY_suppressed, NULL);
}

enum err step_scheduled(struct erase_job *j)
{
	struct scope installation;
	static const struct id nil;
	TRY(db_write_low(&j->s, start_tenant_tx, j));
	/* The installation's copy, which outlives the tenant's log; it fails nobody. */
	scope_tenant(&installation, j->s.arena, j->s.db, j->s.keeper, nil);
	audit_refused(&installation, &(struct audit_event){.activity = ACT_TENANT_PURGE,
							   .resource_type = "Tenant",
							   .resource = j->d.tenant});
	return OK;
}

enum err step_received(struct erase_job *j)
{
	switch (j->type) {
	case SUBJECT_USER: return db_write_low(&j->s, user_tx, j);
	case SUBJECT_DEVICE: return db_write_low(&j->s, device_tx, j);
	case SUBJECT_TENANT: return db_write_low(&j->s, tenant_tx, j);
	}
	return OK;
}
