/* SPDX-License-Identifier: Apache-2.0
 * Recipients: their rules, rows and events. */
#include "notice/recipient.h"

#include <string.h>

#include "codec/mail.h"
#include "codec/target.h"
#include "crypto/tls_client.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

/* A tenant has at most RECIPIENTS_PER_TENANT: its rows are read by the key's first column. */
DB_TENANT(recipient_count, "SELECT count(*) FROM recipients WHERE tenant_id = ?1");
DB_TENANT(recipient_set_secret, "UPDATE recipients SET secret = ?3 WHERE tenant_id = ?1 AND recipient_id = ?2");
DB_TENANT(recipient_drop, "DELETE FROM recipients WHERE tenant_id = ?1 AND recipient_id = ?2");

struct write {
	struct id recipient;
	const struct recipient_request *q;
};

static enum err record_event(struct db_tx *tx, enum activity activity, struct id recipient, const char *name, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_RECIPIENT.entity, .resource = recipient,
						      .resource_name = name, .changes = changes});
}

/* ---- rules ---- */

static enum err check_target(struct scope *s, const struct recipient_request *q, bool webhook, const char *text)
{
	struct target t;
	if (!webhook)
		return mail_address_ok(text) ? OK : scope_fail(s, ERR_BAD_REQUEST, "'target' of a mail recipient is a mail address");
	if (!target_https(s->arena, text, &t))
		return scope_fail(s, ERR_BAD_REQUEST, "'target' of a webhook is an https URL without a user name, password or fragment");
	if (q->may_reach != NULL && !q->may_reach(q->arg, t.host))
		return scope_fail(s, ERR_BAD_REQUEST, "'target' is a host that may not be reached (the server's setting sink_targets)");
	return OK;
}

static enum err check_secret(struct scope *s, const char *secret, bool webhook, bool create)
{
	if (secret == NULL)
		return create && webhook ? scope_fail(s, ERR_BAD_REQUEST, "a webhook needs a 'secret' for its signatures") : OK;
	if (!webhook)
		return scope_fail(s, ERR_BAD_REQUEST, "'secret' is for webhooks");
	size_t n = strlen(secret);
	if (n < RECIPIENT_SECRET_MIN || n > RECIPIENT_SECRET_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "'secret' has %d to %d bytes", RECIPIENT_SECRET_MIN, RECIPIENT_SECRET_MAX);
	return OK;
}

static enum err check_given(struct scope *s, const struct write *a, bool webhook, bool create)
{
	const struct record *r = a->q->r;
	TRY(check_secret(s, a->q->secret, webhook, create));
	if (record_has(r, "caCertificates") && !webhook)
		return scope_fail(s, ERR_BAD_REQUEST, "'caCertificates' are for webhooks");
	if (record_has(r, "caCertificates") && !tls_ca_fits(record_text(s->arena, r, "caCertificates")))
		return scope_fail(s, ERR_BAD_REQUEST, "'caCertificates' must be certificates in PEM");
	return record_has(r, "target") ? check_target(s, a->q, webhook, record_text(s->arena, r, "target")) : OK;
}

/* As it will be. */
static enum err check_receives(struct scope *s, bool erasures, bool alarms)
{
	if (!erasures && !alarms)
		return scope_fail(s, ERR_BAD_REQUEST, "a recipient receives something: 'receivesErasures' or 'receivesAlarms' is true");
	if (erasures && id_is_nil(s->tenant))
		return scope_fail(s, ERR_BAD_REQUEST, "people are erased in their tenants: a recipient of the installation receives alarms");
	return OK;
}

static enum err check_room(struct db_tx *tx)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &recipient_count, DB_NOARGS, &r));
	if (db_int(r, 0) >= RECIPIENTS_PER_TENANT)
		return scope_fail(db_tx_scope(tx), ERR_CONFLICT, "there are at most %d recipients", RECIPIENTS_PER_TENANT);
	return OK;
}

static bool is_webhook(struct scope *s, const struct record *r) { return strcmp(record_text(s->arena, r, "kind"), "webhook") == 0; }

/* ---- create ---- */

static struct db_value sealed(struct scope *s, const char *secret)
{
	size_t n;
	if (secret == NULL)
		return db_v_null();
	const void *p = keeper_seal(s->keeper, s->arena, secret, strlen(secret), &n);
	return db_v_blob(p, n);
}

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	const struct record *r = a->q->r;
	a->recipient = scope_id(s);
	TRY(check_given(s, a, is_webhook(s, r), true));
	TRY(check_receives(s, record_int(r, "receivesErasures") != 0, record_int(r, "receivesAlarms") != 0));
	TRY(check_room(tx));
	struct extra_column extra[] = {{"created_at", db_v_int(s->now)}, {"secret", sealed(s, a->q->secret)}};
	TRY(record_insert(tx, r, a->recipient, extra, sizeof extra / sizeof extra[0]));
	struct audit_change *changes = NULL, **tail = &changes;
	record_changes_all(s->arena, r, true, &tail);
	return record_event(tx, ACT_RECIPIENT_CREATE, a->recipient, record_text(s->arena, r, "displayName"), changes);
}

enum err recipient_create(struct scope *s, const struct recipient_request *q, struct id *ret)
{
	check(q->r->res == &RES_RECIPIENT);
	struct write a = {.q = q};
	TRY(db_write(s, create_tx, &a));
	*ret = a.recipient;
	return OK;
}

/* ---- patch ---- */

static enum err change_secret(struct db_tx *tx, const struct write *a, struct audit_change ***tail)
{
	struct scope *s = db_tx_scope(tx);
	*tail = audit_change_add(s->arena, *tail, "secret", NULL, NULL, "[changed]", "[changed]");
	return db_exec(tx, &recipient_set_secret, DB_ARGS(db_v_id(&a->recipient), sealed(s, a->q->secret)), NULL);
}

static bool becomes(const struct record *change, const struct record *old, const char *name)
{
	return record_int(record_has(change, name) ? change : old, name) != 0;
}

static enum err patch_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	const struct record *r = a->q->r;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(record_load(tx, &RES_RECIPIENT, a->recipient, false, &old));
	TRY(check_given(s, a, is_webhook(s, old), false));
	TRY(check_receives(s, becomes(r, old, "receivesErasures"), becomes(r, old, "receivesAlarms")));
	TRY(record_update(tx, old, r, a->recipient, NULL, 0, &tail, &changed));
	if (a->q->secret != NULL)
		TRY(change_secret(tx, a, &tail));
	if (changes == NULL)
		return OK;
	const struct record *named = record_has(r, "displayName") ? r : old;
	return record_event(tx, ACT_RECIPIENT_UPDATE, a->recipient, record_text(s->arena, named, "displayName"), changes);
}

enum err recipient_patch(struct scope *s, struct id recipient, const struct recipient_request *q)
{
	check(q->r->res == &RES_RECIPIENT);
	return db_write(s, patch_tx, &(struct write){.recipient = recipient, .q = q});
}

/* ---- delete ---- */

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(record_load(tx, &RES_RECIPIENT, a->recipient, false, &old));
	TRY(db_exec(tx, &recipient_drop, DB_ARGS(db_v_id(&a->recipient)), NULL));
	record_changes_all(s->arena, old, false, &tail);
	return record_event(tx, ACT_RECIPIENT_DELETE, a->recipient, record_text(s->arena, old, "displayName"), changes);
}

enum err recipient_delete(struct scope *s, struct id recipient)
{
	return db_write(s, delete_tx, &(struct write){.recipient = recipient});
}

static enum err exists_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct record *r;
	return record_load(tx, &RES_RECIPIENT, *(const struct id *)arg, false, &r);
}

enum err recipient_exists(struct scope *s, struct id recipient)
{
	return db_read(s, exists_tx, &recipient);
}
