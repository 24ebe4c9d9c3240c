/* SPDX-License-Identifier: Apache-2.0
 *
 * Removed devices that come back.  The device's record may be there still (its data goes within the minute, but a hold keeps it), or only its
 * certificate's row, or only the keyed hash that keeps what was erased from coming back.
 */
#include "devices/returned.h"

#include <string.h>

#include "audit/audit_read.h"
#include "base/log.h"
#include "devices/action.h"
#include "devices/device.h"
#include "keeper/keeper.h"
#include "notice/notice.h"

DB_TENANT(returned_certificate, "SELECT device_id, owed_action FROM device_certificates WHERE tenant_id = ?1 AND fingerprint = ?2 AND revoked_at IS NOT NULL");
DB_TENANT(returned_mark_certificate,
	  "UPDATE device_certificates SET returned_at = ?3 WHERE tenant_id = ?1 AND fingerprint = ?2 AND returned_at IS NULL");
DB_TENANT(returned_mark_suppression,
	  "UPDATE suppressions SET returned_at = ?3 WHERE tenant_id = ?1 AND reference = ?2 AND returned_at IS NULL AND expires_at > ?3");

#define FAILURE "the device came back with the credential that ended when it said that it was removed"
#define FAILURE_ERASED "a device whose record was erased came back with its old credential" /* whether it ever confirmed is not known any more */

static enum err alarm(struct db_tx *tx, struct id about)
{
	return notice_alarm(tx, "deviceReturned", about,
			    "A device that was removed from management has come back with its old credential: what it held may still be on it.");
}

/* Of what has no record any more: the certificate's keyed hash stands for it. */
static enum err record_nameless(struct db_tx *tx, struct id about, const char *type, const char *failure)
{
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_DEVICE_RETURNED, .resource_type = type, .resource = about, .failure = failure}));
	return alarm(tx, about);
}

struct return_note {
	const uint8_t *fingerprint;
	bool first;
};

static enum err of_suppression(struct db_tx *tx, struct return_note *q)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t reference[SHA256_BYTES];
	struct id about;
	int64_t marked;
	keeper_reference(s->keeper, "object", q->fingerprint, SHA256_BYTES, reference);
	TRY(db_exec(tx, &returned_mark_suppression, DB_ARGS(db_v_blob(reference, sizeof reference), db_v_int(s->now)), &marked));
	q->first = marked > 0;
	memcpy(about.b, reference, sizeof about.b);
	return q->first ? record_nameless(tx, about, "DeviceCertificate", FAILURE_ERASED) : OK;
}

/* A certificate that a newer one took the place of is none of this: its device confirmed nothing. */
static enum err of_record(struct db_tx *tx, const struct device *d, struct return_note *q)
{
	struct device_action a;
	enum err err = action_last_removal(tx, d->id, &a);
	if (err == ERR_NOT_FOUND || (err == OK && a.state != ACTION_done))
		return OK;
	TRY(err);
	q->first = true;
	TRY(action_end(tx, d, &a, ACTION_failed, OUTCOME_RETURNED, FAILURE));
	return alarm(tx, d->id);
}

/* It confirmed when its record was gone already: the certificate's row is what is left. */
static enum err of_owed(struct db_tx *tx, struct id device, struct return_note *q)
{
	int64_t marked;
	TRY(db_exec(tx, &returned_mark_certificate,
		    DB_ARGS(db_v_blob(q->fingerprint, SHA256_BYTES), db_v_int(db_tx_scope(tx)->now)), &marked));
	q->first = marked > 0;
	return q->first ? record_nameless(tx, device, DEVICE_ENTITY, FAILURE) : OK;
}

static enum err note(struct scope *s, struct db_tx *tx, void *arg)
{
	struct return_note *q = arg;
	struct device d;
	auto_rows struct db_rows *r = NULL;
	q->first = false;
	enum err err = db_query_one(tx, &returned_certificate, DB_ARGS(db_v_blob(q->fingerprint, SHA256_BYTES)), &r);
	if (err == ERR_NOT_FOUND)
		return of_suppression(tx, q);
	TRY(err);
	err = device_load(tx, db_id(r, 0), true, &d);
	if (err == OK)
		return of_record(tx, &d, q);
	if (err != ERR_NOT_FOUND)
		return err;
	s->detail = NULL; /* no failure: its record is gone */
	return db_is_null(r, 1) ? OK : of_owed(tx, db_id(r, 0), q);
}

bool device_returned(const struct scope *s, const uint8_t fingerprint[SHA256_BYTES])
{
	struct scope t = *s;
	struct return_note q = {.fingerprint = fingerprint};
	struct id name;
	memcpy(name.b, fingerprint, sizeof name.b);
	t.actor = (struct actor){.type = ACTOR_DEVICE, .name = "Reeve agent"};
	t.detail = NULL;
	if (!audit_first_in_minute(&t, ACT_DEVICE_RETURNED, name)) /* an agent that tries and tries keeps no writer busy */
		return false;
	enum err err = db_write(&t, note, &q);
	if (err != OK)
		log_event(LOG_ERROR, "device_returned", "error=%s", err_name(err));
	return err == OK && q.first;
}
