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

static enum err alarm(struct db_tx *tx, struct id about)
{
	return notice_alarm(tx, "deviceReturned", about,
			    "A device that had confirmed that it was removed from management has come back with its old credential: what it held may "
			    "still be on it.");
}

/* Of what has no record any more: the certificate's keyed hash stands for it. */
static enum err record_nameless(struct db_tx *tx, struct id about, const char *type)
{
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_DEVICE_RETURNED, .resource_type = type, .resource = about, .failure = FAILURE}));
	return alarm(tx, about);
}

static enum err of_suppression(struct db_tx *tx, const uint8_t *fingerprint)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t reference[SHA256_BYTES];
	struct id about;
	int64_t marked;
	keeper_reference(s->keeper, "object", fingerprint, SHA256_BYTES, reference);
	TRY(db_exec(tx, &returned_mark_suppression, DB_ARGS(db_v_blob(reference, sizeof reference), db_v_int(s->now)), &marked));
	if (marked == 0)
		return OK;
	memcpy(about.b, reference, sizeof about.b);
	return record_nameless(tx, about, "DeviceCertificate");
}

static enum err mark(struct db_tx *tx, const uint8_t *fingerprint, int64_t *ret)
{
	return db_exec(tx, &returned_mark_certificate,
		       DB_ARGS(db_v_blob(fingerprint, SHA256_BYTES), db_v_int(db_tx_scope(tx)->now)), ret);
}

/* A certificate that a newer one took the place of is none of this: its device confirmed nothing. */
static enum err of_record(struct db_tx *tx, const struct device *d, const uint8_t *fingerprint)
{
	struct device_action a;
	int64_t marked;
	enum err err = action_last_removal(tx, d->id, &a);
	if (err == ERR_NOT_FOUND || (err == OK && a.state != ACTION_done))
		return OK;
	TRY(err);
	TRY(mark(tx, fingerprint, &marked));
	TRY(action_end(tx, d, &a, ACTION_failed, OUTCOME_RETURNED, FAILURE));
	return alarm(tx, d->id);
}

static enum err note(struct scope *s, struct db_tx *tx, void *arg)
{
	const uint8_t *fingerprint = arg;
	struct device d;
	int64_t marked;
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &returned_certificate, DB_ARGS(db_v_blob(fingerprint, SHA256_BYTES)), &r);
	if (err == ERR_NOT_FOUND)
		return of_suppression(tx, fingerprint);
	TRY(err);
	struct id device = db_id(r, 0);
	bool owed = !db_is_null(r, 1);
	err = device_load(tx, device, true, &d);
	if (err == OK)
		return of_record(tx, &d, fingerprint);
	if (err != ERR_NOT_FOUND)
		return err;
	s->detail = NULL; /* no failure: its record is gone */
	TRY(mark(tx, fingerprint, &marked));
	return marked > 0 && owed ? record_nameless(tx, device, DEVICE_ENTITY) : OK;
}

void device_returned(const struct scope *s, const uint8_t fingerprint[SHA256_BYTES])
{
	struct scope t = *s;
	uint8_t copy[SHA256_BYTES];
	struct id name;
	memcpy(copy, fingerprint, sizeof copy);
	memcpy(name.b, fingerprint, sizeof name.b);
	t.actor = (struct actor){.type = ACTOR_DEVICE, .name = "Reeve agent"};
	t.detail = NULL;
	if (!audit_first_in_minute(&t, ACT_DEVICE_RETURNED, name)) /* an agent that tries and tries keeps no writer busy */
		return;
	enum err err = db_write(&t, note, copy);
	if (err != OK)
		log_event(LOG_ERROR, "device_returned", "error=%s", err_name(err));
}
