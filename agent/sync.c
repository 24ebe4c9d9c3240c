/* SPDX-License-Identifier: Apache-2.0
 *
 * One synchronisation from end to end (see sync.h).
 */
#include "sync.h"

#include <string.h>

enum { ROUNDS = 4 }; /* check-ins at once, however often the server says that there is more */

static void note_action(struct sync_result *r, const struct action *act)
{
	if (r->n_actions == SYNC_ACTIONS)
		return;
	r->actions[r->n_actions].id = act->id;
	r->actions[r->n_actions].name = act->name;
	r->actions[r->n_actions].state = act->state != NULL ? act->state : "doing";
	r->n_actions++;
}

/* What a run before this one began. */
static enum err resume(struct agent *a, struct sync_result *r)
{
	struct action act;
	struct device d = {0};
	enum err e = action_load(a, &act);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	if (act.phase != ACTION_REPORTED) /* after that device.json may be gone, and nobody is asked any more */
		TRY(device_load(a, &d));
	if (act.phase != ACTION_REPORTED)
		TRY(state_credentials(a));
	TRY(action_finish(a, &d, &act, &r->items, &r->gone));
	note_action(r, &act);
	return OK;
}

/* *ret_stop: the device is no longer to be brought to the desired state in this round. */
static enum err do_actions(struct agent *a, const struct device *d, const json_t *actions, struct sync_result *r,
			   bool *ret_stop)
{
	for (size_t i = 0; i < json_array_size(actions) && i < SYNC_ACTIONS && !r->gone; i++) {
		struct action act;
		struct id id;
		const json_t *o = json_array_get(actions, i);
		const char *name = json_string_value(json_object_get(o, "action"));
		if (!id_parse(json_string_value(json_object_get(o, "id")), &id) || name == NULL)
			return scope_fail(a->scope, ERR_BAD_REQUEST,
					  "an action of the server's answer has no id or name");
		char text[ID_TEXT];
		TRY(action_begin(a, d, id_format(id, text), name));
		TRY(action_finish(a, d, &act, &r->items, &r->gone));
		note_action(r, &act);
		*ret_stop = *ret_stop || strcmp(act.name, "retire") == 0 || r->gone;
	}
	return OK;
}

static bool did_something(const struct outcome *before, const struct outcome *now)
{
	return now->applied > before->applied || now->taken_back > before->taken_back || now->failed > before->failed;
}

static bool asks_more(struct collect before, struct collect now)
{
	return (now.packages && !before.packages) || (now.addresses && !before.addresses) ||
	       (now.disks && !before.disks);
}

static enum err obey(struct agent *a, const struct device *d, const struct checkin *c, struct sync_result *r,
		     bool *ret_again)
{
	bool stop = false, more = false;
	struct outcome before = r->items;
	TRY(do_actions(a, d, c->actions, r, &stop));
	if (stop) {
		*ret_again = false;
		return OK;
	}
	if (c->now > c->renew_before && !r->renewed) {
		TRY(renew(a, d));
		r->renewed = true;
	}
	if (d->provisioning)
		TRY(provision_all(a, c->items, c->n_items, &r->items));
	if (did_something(&before, &r->items))
		TRY(report_send(a, d, NULL, &more));
	*ret_again = *ret_again || more;
	return OK;
}

static enum err one_round(struct agent *a, const struct device *d, struct sync_result *r, bool *ret_again)
{
	struct last_sync last;
	struct checkin c;
	bool sent;
	last_sync_load(a, &last);
	struct collect before = last.collect;
	TRY(checkin_send(a, d, &last, &c, &sent));
	r->inventory_sent = r->inventory_sent || sent;
	r->sync_seconds = c.sync_seconds;
	*ret_again = asks_more(before, c.collect);
	enum err e = obey(a, d, &c, r, ret_again);
	checkin_release(&c);
	return e;
}

static enum err enrolled_sync(struct agent *a, struct sync_result *r)
{
	struct device d;
	bool again = true;
	TRY(device_load(a, &d));
	TRY(state_credentials(a));
	for (int round = 0; again && !r->gone && round < ROUNDS; round++) {
		r->items.unchanged = r->items.failed = 0; /* what counts is how the last round found and left things */
		TRY(one_round(a, &d, r, &again));
	}
	return OK;
}

enum err sync_once(struct agent *a, struct sync_result *r)
{
	*r = (struct sync_result){.sync_seconds = 3600};
	TRY(state_open(a));
	enum err e = resume(a, r);
	if (e == OK && !r->gone)
		e = enrolled_sync(a, r);
	state_close(a);
	return e;
}
