/* SPDX-License-Identifier: Apache-2.0
 *
 * Enrolment.  Signing takes time and needs no database, so it stands between a first look (is the token good, are the
 * terms accepted?) and the transaction, which looks again.
 */
#include "devices/enrolment.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "devices/asset.h"
#include "devices/checkin.h"
#include "devices/device.h"
#include "devices/enrollment_token.h"
#include "directory/tenant.h"
#include "directory/tenant_settings.h"
#include "directory/user.h"
#include "keeper/keeper.h"

DB_TENANT(device_insert,
	  "INSERT INTO managed_devices (tenant_id, device_id, directory_device_id, user_id, owner_type, platform, "
	  "provisioning, device_name, managed_device_name, manufacturer, model, serial_number, os_name, "
	  "os_version, asset_note, compliance_state, management_state, enrolled_at, last_sync_at, certificate_expires_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, 'linux', ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 'unknown', 'managed', "
	  "?15, ?15, ?16)");
DB_TENANT(enrol_suppressed, "SELECT 1 FROM suppressions WHERE tenant_id = ?1 AND reference = ?2 AND expires_at > ?3");

static enum { ALWAYS, PACKAGES, ADDRESSES, DISKS } const COLLECT_WHEN[] = {
#define COLLECTS(when, text) when,
#define NEVER(text)
#include "devices/collects.def"
#undef COLLECTS
#undef NEVER
};
static const char *const COLLECT_TEXT[] = {
#define COLLECTS(when, text) text,
#define NEVER(text)
#include "devices/collects.def"
#undef COLLECTS
#undef NEVER
};
static const char *const NEVER_TEXT[] = {
#define COLLECTS(when, text)
#define NEVER(text) text,
#include "devices/collects.def"
#undef COLLECTS
#undef NEVER
	NULL,
};
enum { COLLECT_COUNT = sizeof COLLECT_TEXT / sizeof COLLECT_TEXT[0] };

/* Binds the scope to the token's tenant, which must be open. */
static enum err bind(struct scope *s, const char *token)
{
	struct id tenant;
	struct tenant_levels levels;
	TRY(enrollment_token_tenant(s, token, &tenant));
	s->tenant = tenant;
	s->has_tenant = true;
	TRY(tenant_levels(s, &levels));
	return levels.management == TENANT_FULL ? OK : scope_fail(s, ERR_FORBIDDEN, "the organisation's account is closed");
}

/* ---- what a person is told ---- */

struct notice_search {
	const char *token;
	struct enrolment_notice *ret;
};

static const char *const *collected(struct arena *a, const struct collect *c)
{
	const bool on[] = {[ALWAYS] = true, [PACKAGES] = c->packages, [ADDRESSES] = c->addresses, [DISKS] = c->disks};
	const char **list = arena_alloc(a, (COLLECT_COUNT + 1) * sizeof *list);
	size_t n = 0;
	for (size_t i = 0; i < COLLECT_COUNT; i++)
		if (on[COLLECT_WHEN[i]])
			list[n++] = COLLECT_TEXT[i];
	return list;
}

static enum err read_notice(struct scope *s, struct db_tx *tx, void *arg)
{
	struct notice_search *q = arg;
	struct enrollment_token token;
	struct collect collect;
	struct terms *terms;
	TRY(enrollment_token_load(tx, q->token, &token));
	TRY(device_collects(tx, token.company, &collect));
	TRY(terms_all(tx, &terms, &q->ret->terms_n));
	q->ret->terms = terms;
	q->ret->company = token.company;
	q->ret->collects = collected(s->arena, &collect);
	q->ret->never = NEVER_TEXT;
	return OK;
}

enum err enrolment_notice(struct scope *s, const char *token, struct enrolment_notice *ret)
{
	struct tenant tenant;
	TRY(bind(s, token));
	TRY(tenant_get(s, s->tenant, &tenant));
	ret->organisation = tenant.display_name;
	return db_read(s, read_notice, &(struct notice_search){token, ret});
}

/* ---- enrolling ---- */

struct enrolling {
	const struct enrolment_request *request;
	struct enrolment *ret;
	struct enrollment_token token;
	struct user user;
	struct terms *terms;
	size_t terms_n;
};

static bool accepted(const struct enrolment_request *r, const struct terms *t)
{
	for (size_t i = 0; i < r->accepted_n; i++)
		if (id_equal(r->accepted[i].terms, t->terms) && r->accepted[i].version == t->version)
			return true;
	return false;
}

/* An erased person's id does not come back with a device. */
static enum err not_suppressed(struct db_tx *tx, struct id user)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t reference[SHA256_BYTES];
	keeper_reference(s->keeper, "object", user.b, sizeof user.b, reference);
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &enrol_suppressed,
				    DB_ARGS(db_v_blob(reference, sizeof reference), db_v_int(s->now)), &r);
	if (err == OK)
		return scope_fail(s, ERR_FORBIDDEN, "the user of this token can no longer enrol devices");
	return err == ERR_NOT_FOUND ? OK : err;
}

/* Whether this enrolment may go on; made once before signing and once in the transaction.  From here the token's user
 * acts. */
static enum err look(struct scope *s, struct db_tx *tx, void *arg)
{
	struct enrolling *q = arg;
	int64_t seconds;
	TRY(enrollment_token_load(tx, q->request->token, &q->token));
	s->actor = (struct actor){.type = ACTOR_USER, .id = q->token.user, .ip = s->actor.ip};
	enum err err = user_load(tx, q->token.user, &q->user);
	if (err == ERR_NOT_FOUND || (err == OK && !q->user.account_enabled))
		return scope_fail(s, ERR_FORBIDDEN, "the user of this token can no longer enrol devices");
	TRY(err);
	s->actor.name = q->user.display_name;
	s->actor.upn = q->user.upn;
	TRY(not_suppressed(tx, q->user.user));
	TRY(tenant_setting_int(tx, "syncSeconds", &seconds));
	q->ret->sync_seconds = seconds;
	q->ret->company = q->token.company;
	TRY(terms_all(tx, &q->terms, &q->terms_n));
	for (size_t i = 0; i < q->terms_n; i++)
		if (!accepted(q->request, &q->terms[i]))
			return scope_fail(s, ERR_PRECONDITION,
					  "the terms \"%s\" have not been accepted in their current version %lld",
					  q->terms[i].display_name, (long long)q->terms[i].version);
	return OK;
}

/* "<local part of the UPN>_Linux_<date>", as Graph's management names are made. */
static const char *management_name(struct scope *s, const char *upn)
{
	char now[TIME_TEXT];
	return arena_printf(s->arena, "%.*s_Linux_%.10s", (int)strcspn(upn, "@"), upn, time_format(s->now, now));
}

/* A company machine that was wiped before is a new device; its asset's note is all that it takes up. */
static enum err insert_device(struct db_tx *tx, const struct enrolling *q)
{
	struct scope *s = db_tx_scope(tx);
	const struct enrolment_request *r = q->request;
	struct id directory_id = scope_id(s);
	const char *note = NULL;
	if (q->token.company)
		TRY(asset_take_up(tx, r->manufacturer, r->model, r->serial_number, &note));
	return db_exec(tx, &device_insert,
		       DB_ARGS(db_v_id(&q->ret->device), db_v_id(&directory_id), db_v_id(&q->user.user),
			       db_v_text(q->token.company ? OWNER_COMPANY : OWNER_PERSONAL), db_v_int(r->provisioning),
			       db_v_text(r->device_name), db_v_text(management_name(s, q->user.upn)),
			       db_v_text(r->manufacturer), db_v_text(r->model), db_v_text(r->serial_number),
			       db_v_text(r->os_name), db_v_text(r->os_version), db_v_text(note), db_v_int(s->now),
			       db_v_int(q->ret->certificate.expires_at)),
		       NULL);
}

static enum err record_enrolment(struct db_tx *tx, const struct enrolling *q)
{
	struct scope *s = db_tx_scope(tx);
	const struct enrolment_request *r = q->request;
	const struct {
		const char *name, *column, *value;
	} facts[] = {
		{"deviceName", "device_name", r->device_name},
		{"managedDeviceOwnerType", "owner_type", q->token.company ? OWNER_COMPANY : OWNER_PERSONAL},
		{"provisioning", "provisioning", r->provisioning ? "true" : "false"},
		{"manufacturer", "manufacturer", r->manufacturer},
		{"model", "model", r->model},
		{"serialNumber", "serial_number", r->serial_number},
		{"osVersion", "os_version", r->os_version},
	};
	struct audit_change *changes = NULL, **tail = &changes;
	struct device d = {.id = q->ret->device, .user = q->user.user, .name = r->device_name};
	for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
		if (facts[i].value != NULL)
			tail = audit_change_add(s->arena, tail, facts[i].name, "managed_devices", facts[i].column, NULL,
						facts[i].value);
	return device_record(tx, &d, ACT_DEVICE_ENROLL, changes, NULL);
}

static enum err enrol(struct scope *s, struct db_tx *tx, void *arg)
{
	struct enrolling *q = arg;
	TRY(look(s, tx, q));
	TRY(enrollment_token_use(tx, &q->token));
	for (size_t i = 0; i < q->terms_n; i++)
		TRY(terms_accept(tx, q->user.user, &q->terms[i]));
	TRY(insert_device(tx, q));
	TRY(certificate_insert(tx, q->ret->device, &q->ret->certificate));
	return record_enrolment(tx, q);
}

enum err device_enrol(struct scope *s, const struct enrolment_request *r, struct enrolment *ret)
{
	struct enrolling q = {.request = r, .ret = ret};
	TRY(bind(s, r->token));
	TRY(db_read(s, look, &q));
	ret->device = scope_id(s);
	TRY(certificate_sign(s, r->csr_pem, ret->device, &ret->certificate));
	return db_write(s, enrol, &q);
}
