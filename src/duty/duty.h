/* SPDX-License-Identifier: Apache-2.0
 *
 * A duty: a promise to delete, as a row, from the moment it arises until its certificate is signed.  This folder opens duties and moves
 * them; it stands below directory/ and devices/ because their removal actions open a duty in their own transaction.  Carrying
 * one out is privacy/'s business (erasure.h).
 *
 * The clock counts from the removal action (requested_at), never from a device's answer.
 */
#ifndef REEVE_DUTY_DUTY_H
#define REEVE_DUTY_DUTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

#define DUTY_SOFT_DELETE_US (30 * DAY_US)     /* a deleted user may be restored for so long */
#define DUTY_DEADLINE_US (30 * DAY_US)        /* from the removal action */
#define DUTY_DEVICE_GRACE_US (7 * DAY_US)     /* how long a device may answer before its data goes without it */
#define DUTY_TENANT_DEADLINE_US (180 * DAY_US)
#define DUTY_TENANT_PURGE_US (120 * DAY_US)   /* default; a tenant setting */

enum duty_state {
#define STATE(name, open, meaning) DUTY_##name,
#define MOVE(from, to)
#include "duty/states.def"
#undef STATE
#undef MOVE
	DUTY_STATE_COUNT
};

const char *duty_state_name(enum duty_state s);
bool duty_may_move(enum duty_state from, enum duty_state to);

/* Text as in the schema's CHECK constraints. */
#define DUTY_BY_SOFT_DELETE "softDelete"
#define DUTY_BY_PERMANENT_DELETE "permanentDelete"
#define DUTY_BY_WIPE "wipe"
#define DUTY_BY_RETIRE "retire"
#define DUTY_BY_LEAVE "selfRemoval"
#define DUTY_BY_DEVICE_DELETE "deviceDelete"
#define DUTY_BY_TENANT_CLOSE "tenantClose"
#define DUTY_BY_EXPORT_EXPIRY "exportExpiry"

struct duty {
	struct id tenant, duty, subject, certificate;
	const char *trigger, *subject_type, *plan, *result, *error; /* in the arena */
	enum duty_state state;
	int64_t requested_at, due_at, deadline_at;
};

struct duty_order {
	const char *trigger, *subject_type; /* "user", "device", "tenant", "export" */
	struct id subject;
	struct id person;       /* the user whom the event is about; nil: nobody */
	enum duty_state first;  /* DUTY_scheduled or DUTY_received */
	int64_t due_at, deadline_at;
};

/* Opens a duty and records DUTY_CREATE.  Where the subject has an open duty already, that one is kept: its trigger and state move on if
 * it was only scheduled, its due date and deadline become the earlier ones.  *ret_duty may be NULL. */
MUST_CHECK enum err duty_open(struct db_tx *tx, const struct duty_order *o, struct id *ret_duty);

/* Cancels the subject's scheduled duty (restore).  ERR_NOT_FOUND: there is none that can be cancelled. */
MUST_CHECK enum err duty_cancel(struct db_tx *tx, struct id subject);

/* Brings the subject's open duty forward: due now (the device confirmed).  No open duty: OK, nothing happens. */
MUST_CHECK enum err duty_hasten(struct db_tx *tx, struct id subject);

/* from -> to by compare-and-set, with its event.  ERR_STATE where the table does not have it, ERR_CONFLICT where the duty is elsewhere by now.
 * error: why it failed, or what it waits for (held). */
MUST_CHECK enum err duty_move(struct db_tx *tx, struct id duty, enum duty_state from, enum duty_state to, const char *error);

MUST_CHECK enum err duty_load(struct db_tx *tx, struct id duty, struct duty *ret);
/* The subject's newest duty that is open (any state with `open`). ERR_NOT_FOUND. */
MUST_CHECK enum err duty_of_subject(struct db_tx *tx, struct id subject, struct duty *ret);

MUST_CHECK enum err duty_set_plan(struct db_tx *tx, struct id duty, const char *plan_json);
/* At the end: result and certificate, and the subject's id becomes a pseudonym (the salted reference), in this duty and in every earlier one
 * of the subject, so that none names it. */
MUST_CHECK enum err duty_finish(struct db_tx *tx, struct id duty, const char *result_json, struct id certificate, struct id pseudonym);

/* Duties in a state that are due at the scope's time, of all tenants (system scope), oldest first, at most `most`. */
MUST_CHECK enum err duty_due(struct scope *s, enum duty_state state, size_t most, struct duty **ret, size_t *ret_n);
/* Open duties past their deadline, of all tenants (I7). */
MUST_CHECK enum err duty_overdue(struct scope *s, uint64_t *ret_n);

#endif
