/* SPDX-License-Identifier: Apache-2.0
 *
 * Calling back what waits for a device.  The promise to erase goes with the removal that made it: whoever calls back a retire keeps the device,
 * and what is held of it.  So it is refused where the erasure has begun, and where somebody else relies on it.
 */
#include "devices/action.h"
#include "devices/device.h"
#include "devices/request.h"
#include "duty/duty.h"

#include <string.h>

struct cancelling {
	struct id device;
	const char *name;
};

static enum err may_cancel(struct scope *s, const struct device_action *a)
{
	if (strcmp(a->asked_as, ASKED_AS_LEAVE) == 0)
		return scope_fail(s, ERR_CONFLICT, "the device's user has taken it out of management; that is not called back");
	if (strcmp(a->asked_as, ASKED_AS_ERASURE) == 0)
		return scope_fail(s, ERR_CONFLICT, "the %s belongs to an erasure and is not called back", a->name);
	return OK;
}

/* A held one has not begun: it goes by way of received. */
static enum err cancel_duty(struct db_tx *tx, struct id device)
{
	struct scope *s = db_tx_scope(tx);
	struct duty d;
	enum err err = duty_of_subject(tx, device, &d);
	if (err == ERR_NOT_FOUND)
		return OK;
	TRY(err);
	bool begun = d.state != DUTY_scheduled && d.state != DUTY_received && d.state != DUTY_held;
	if (begun)
		return scope_fail(s, ERR_CONFLICT, "the erasure of the device's data has begun and cannot be called back");
	if (d.state == DUTY_held && !duty_may_move(DUTY_held, DUTY_cancelled))
		TRY(duty_move(tx, d.duty, DUTY_held, DUTY_received, NULL));
	return duty_cancel(tx, device);
}

static enum err cancel(struct scope *s, struct db_tx *tx, void *arg)
{
	struct cancelling *q = arg;
	struct device d;
	struct device_action *open;
	size_t n, cancelled = 0;
	TRY(device_load(tx, q->device, false, &d));
	TRY(action_open_of(tx, d.id, &open, &n));
	for (size_t i = 0; i < n; i++) {
		if (q->name != NULL && strcmp(q->name, open[i].name) != 0)
			continue;
		TRY(may_cancel(s, &open[i]));
		TRY(action_end(tx, &d, &open[i], ACTION_canceled, OUTCOME_CANCELED, NULL));
		if (action_removes(&open[i]))
			TRY(cancel_duty(tx, d.id));
		cancelled++;
	}
	if (cancelled == 0)
		return scope_fail(s, ERR_CONFLICT, "nothing that could be called back waits for this device");
	return OK;
}

enum err device_cancel(struct scope *s, struct id device, const char *name)
{
	return db_write(s, cancel, &(struct cancelling){device, name});
}
