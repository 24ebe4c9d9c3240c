/* SPDX-License-Identifier: Apache-2.0
 *
 * What a certificate says that only the living subject's rows or id can tell, noted in the duty's progress while they are there: the salted
 * reference, the audit events that stay, and of a device what it is and what was asked of it (the fields of NIST SP 800-88, appendix
 * "certificate of sanitization").
 */
#include <string.h>

#include "base/clock.h"
#include "privacy/certificate/certificate.h"
#include "privacy/erasure/internal.h"

/* An index serves each half. */
DB_TENANT(certificate_person_events,
	  "SELECT x.expires_at, count(*) FROM (SELECT expires_at FROM audit_events WHERE tenant_id = ?1 AND subject_id = ?2 UNION ALL "
	  "SELECT expires_at FROM audit_events WHERE tenant_id = ?1 AND actor_id = ?2 AND (subject_id IS NULL OR subject_id <> ?2)) x "
	  "GROUP BY x.expires_at ORDER BY x.expires_at");
DB_TENANT(certificate_device_events,
	  "SELECT expires_at, count(*) FROM audit_events WHERE tenant_id = ?1 AND resource_id = ?2 GROUP BY expires_at ORDER BY expires_at");
DB_TENANT(certificate_device_facts,
	  "SELECT platform, owner_type, manufacturer, model, serial_number, asset_note, is_encrypted, os_name, os_version FROM managed_devices "
	  "WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(certificate_device_action,
	  "SELECT action_name, state, requested_at, updated_at FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 "
	  "AND action_name IN ('retire', 'wipe') ORDER BY requested_at DESC, action_id DESC LIMIT 1");

/* ---- the audit events that stay ---- */

static void set_time(json_t *o, const char *name, int64_t at)
{
	char text[TIME_TEXT];
	json_object_set_new(o, name, json_string(time_format(at, text)));
}

/* Ends within 30 days of each other are one line: hundreds of events do not make the certificate long. */
static void add_events(json_t *list, int64_t until, int64_t n)
{
	json_t *last = json_array_get(list, json_array_size(list) - 1);
	if (json_array_size(list) == 0 || until - json_integer_value(json_object_get(last, "from")) > 30 * DAY_US) {
		last = json_pack("{s:I, s:i}", "from", (json_int_t)until, "events", 0);
		json_array_append_new(list, last);
	}
	json_object_set_new(last, "events", json_integer(json_integer_value(json_object_get(last, "events")) + n));
	json_object_set_new(last, "until", json_integer(until));
}

struct events {
	struct id subject;
	bool device;
	json_t *list;
};

static enum err events_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct events *e = arg;
	auto_rows struct db_rows *r = NULL;
	json_array_clear(e->list);
	TRY(db_query(tx, e->device ? &certificate_device_events : &certificate_person_events, DB_ARGS(db_v_id(&e->subject)), &r));
	while (db_next(r))
		add_events(e->list, db_int(r, 0), db_int(r, 1));
	return db_rows_err(r);
}

enum err certificate_collect(struct erase_job *j, const struct needles *n)
{
	uint8_t salt[CERTIFICATE_SALT_BYTES], reference[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	struct events e = {.subject = n->subject, .device = j->type == SUBJECT_DEVICE, .list = json_array()};
	certificate_salt(j->s.keeper, j->d.duty, salt);
	certificate_reference(salt, j->d.tenant, n->subject, reference);
	wipe(salt, sizeof salt);
	hex_encode(reference, sizeof reference, hex);
	json_object_set_new(j->progress, "subjectReference", json_string(hex));
	json_object_set_new(j->progress, "auditEvents", e.list);
	return j->type == SUBJECT_TENANT ? OK : db_read(&j->s, events_tx, &e);
}

/* ---- a device ---- */

static void set_text(json_t *o, const char *name, const char *text)
{
	if (text != NULL)
		json_object_set_new(o, name, json_string(text));
}

/* Make, model and serial number are the organisation's, of its own devices; of a personal one they would point at the person. */
static enum err add_facts(struct db_tx *tx, struct id device, json_t *o)
{
	auto_rows struct db_rows *r = NULL;
	static const char *const names[] = {"platform", "ownerType", "manufacturer", "model", "serialNumber", "assetNote"};
	TRY(db_query(tx, &certificate_device_facts, DB_ARGS(db_v_id(&device)), &r));
	if (!db_next(r))
		return db_rows_err(r);
	bool company = strcmp(db_text(r, 1), "company") == 0;
	for (int i = 0; i < (company ? 6 : 2); i++)
		set_text(o, names[i], db_text(r, i));
	json_object_set_new(o, "media", json_string(db_bool(r, 6) ? "internal storage, encrypted" : "internal storage"));
	return OK;
}

static enum err add_action(struct db_tx *tx, struct id device, json_t *o)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &certificate_device_action, DB_ARGS(db_v_id(&device)), &r));
	if (!db_next(r))
		return db_rows_err(r);
	bool wipes = strcmp(db_text(r, 0), "wipe") == 0, done = strcmp(db_text(r, 1), "done") == 0;
	set_text(o, "action", db_text(r, 0));
	set_text(o, "category", wipes ? "clear" : "selective removal, no sanitization of the media");
	set_text(o, "method", wipes ? "the device's own agent deletes everything, or destroys the disk's key where its owner chose that"
				    : "the device's own agent takes back what the organisation provided");
	set_text(o, "tool", "reeve-agent");
	set_text(o, "outcome", db_text(r, 1));
	set_text(o, "verification", done ? "by the device's own word" : "none: the device has not confirmed");
	set_time(o, "requestedDateTime", db_int(r, 2));
	if (done)
		set_time(o, "confirmedDateTime", db_int(r, 3));
	return OK;
}

enum err certificate_collect_device(struct db_tx *tx, struct erase_job *j)
{
	if (j->type != SUBJECT_DEVICE)
		return OK;
	json_t *o = json_object();
	json_object_set_new(j->progress, "device", o);
	TRY(add_facts(tx, j->d.subject, o));
	return add_action(tx, j->d.subject, o);
}
