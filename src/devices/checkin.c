/* SPDX-License-Identifier: Apache-2.0
 *
 * A check-in: first what needs no decision (is it asked for? packages, in batches), then one transaction for everything
 * else.  While the processing of its person's data is restricted a device is answered, gets what it owes and keeps what it
 * has, and nothing that it says is stored.
 */
#include "devices/checkin.h"

#include <string.h>

#include "devices/certificate.h"
#include "devices/cleanup.h"
#include "devices/device.h"
#include "devices/inventory.h"
#include "devices/items.h"
#include "directory/restriction.h"
#include "directory/tenant.h"
#include "directory/tenant_settings.h"

DB_TENANT(checkin_touch, "UPDATE managed_devices SET last_sync_at = ?3 WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(checkin_person, "SELECT upn, mail, display_name FROM users WHERE tenant_id = ?1 AND user_id = ?2");

struct checking {
	const struct checkin *in;
	struct checkin_answer *out;
	struct device_identity who;
	bool restricted;
};

enum err device_collects(struct db_tx *tx, bool company, struct collect *ret)
{
	int64_t packages, addresses, disks;
	TRY(tenant_setting_int(tx, "collectPackages", &packages));
	TRY(tenant_setting_int(tx, "collectAddresses", &addresses));
	TRY(tenant_setting_int(tx, "collectDisks", &disks));
	*ret = (struct collect){.packages = packages != 0 && company, .addresses = addresses != 0, .disks = disks != 0};
	return OK;
}

/* The device's record is gone: it gets what it owes and nothing else. */
static void answer_owed(struct scope *s, const struct device_identity *who, struct checkin_answer *out)
{
	struct device_action *owed = arena_alloc(s->arena, sizeof *owed);
	*owed = (struct device_action){
		.action = who->owed_action, .device = who->device, .name = who->owed_name, .state = ACTION_issued};
	out->actions = owed;
	out->action_n = 1;
}

/* Whether what it says is stored: not of a person whose data is restricted, nor once the tenant's reading time is over. */
static enum err is_restricted(struct db_tx *tx, struct id user, bool *ret)
{
	struct tenant_levels levels;
	TRY(tenant_levels_in(tx, &levels));
	*ret = levels.management == TENANT_NONE;
	return *ret ? OK : restriction_holds(tx, user, ret);
}

static enum err prepare(struct scope *s, struct db_tx *tx, void *arg)
{
	struct checking *q = arg;
	struct device d;
	TRY(certificate_load(tx, q->in->fingerprint, &q->who));
	*q->out = (struct checkin_answer){
		.device = q->in->device, .renew_before = certificate_renew_before(q->who.issued_at, q->who.expires_at)};
	TRY(tenant_setting_int(tx, "syncSeconds", &q->out->sync_seconds));
	if (q->who.owed_only) {
		answer_owed(s, &q->who, q->out);
		return OK;
	}
	TRY(device_load(tx, q->in->device, true, &d));
	TRY(is_restricted(tx, d.user, &q->restricted));
	if (q->restricted)
		return OK;
	TRY(device_collects(tx, d.company, &q->out->collect));
	return q->in->inventory == NULL ? OK : inventory_check(s, q->in->inventory, &q->out->collect);
}

/* Delivers what is open: a sync is fulfilled by this very check-in, unless nothing was stored of it; a removal is issued, once. */
static enum err settle_actions(struct db_tx *tx, const struct device *d, bool restricted, struct checkin_answer *out, bool *ret_removal)
{
	struct scope *s = db_tx_scope(tx);
	struct device_action *open, *give;
	size_t n, given = 0;
	TRY(action_open_of(tx, d->id, &open, &n));
	give = n == 0 ? NULL : arena_alloc(s->arena, n * sizeof *give);
	for (size_t i = 0; i < n; i++) {
		if (!action_removes(&open[i])) {
			if (!restricted)
				TRY(action_move(tx, d, &open[i], ACTION_done, NULL));
			continue;
		}
		if (open[i].state == ACTION_pending)
			TRY(action_move(tx, d, &open[i], ACTION_issued, NULL));
		give[given++] = open[i];
	}
	out->actions = give;
	out->action_n = given;
	*ret_removal = given > 0;
	return OK;
}

static enum err load_person(struct db_tx *tx, struct id user, struct payload_person *ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	*ret = (struct payload_person){0};
	enum err err = db_query_one(tx, &checkin_person, DB_ARGS(db_v_id(&user)), &r);
	if (err == ERR_NOT_FOUND)
		return OK;
	TRY(err);
	*ret = (struct payload_person){db_text_dup(r, 0, a), db_text_dup(r, 1, a), db_text_dup(r, 2, a)};
	return OK;
}

/* Nothing is provisioned on a device that was enrolled for inventory only, nor on one that is on its way out; on one of a restricted person
 * nothing new. */
static enum err settle_items(struct db_tx *tx, const struct device *d, bool removal, bool restricted, struct checkin_answer *out)
{
	struct desired_item *items = NULL;
	out->item_n = 0;
	if (d->provisioning && !removal && !id_is_nil(d->user))
		TRY(items_desired(tx, d->user, &items, &out->item_n));
	if (restricted)
		TRY(items_keep_known(tx, d->id, items, &out->item_n));
	out->items = items;
	if (out->item_n > 0)
		TRY(load_person(tx, d->user, &out->person));
	return restricted ? OK : items_reconcile(tx, d->id, items, out->item_n);
}

static enum err settle(struct scope *s, struct db_tx *tx, void *arg)
{
	struct checking *q = arg;
	const struct checkin *in = q->in;
	struct device d;
	bool removal;
	TRY(certificate_load(tx, in->fingerprint, &q->who));
	if (q->who.owed_only) { /* erased since prepare() looked */
		answer_owed(s, &q->who, q->out);
		return OK;
	}
	TRY(device_load(tx, in->device, true, &d));
	TRY(certificate_supersede(tx, d.id, in->fingerprint, q->who.issued_at));
	TRY(is_restricted(tx, d.user, &q->restricted));
	if (q->restricted) {
		TRY(settle_actions(tx, &d, true, q->out, &removal));
		return settle_items(tx, &d, removal, true, q->out);
	}
	TRY(cleanup_reappear(tx, &d));
	TRY(db_exec(tx, &checkin_touch, DB_ARGS(db_v_id(&d.id), db_v_int(s->now)), NULL));
	if (in->inventory != NULL)
		TRY(inventory_store(tx, &d, in->inventory, &q->out->collect));
	TRY(items_report(tx, &d, in->items, in->item_n));
	TRY(settle_actions(tx, &d, false, q->out, &removal));
	return settle_items(tx, &d, removal, false, q->out);
}

enum err device_checkin(struct scope *s, const struct checkin *c, struct checkin_answer *ret)
{
	struct checking q = {.in = c, .out = ret};
	TRY(db_read(s, prepare, &q));
	if (q.who.owed_only)
		return OK;
	if (c->inventory != NULL && !q.restricted && (c->inventory->has_packages || !ret->collect.packages))
		TRY(packages_store(s, c->device, c->inventory->packages, c->inventory->package_n));
	return db_write(s, settle, &q);
}
