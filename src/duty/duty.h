/* SPDX-License-Identifier: Apache-2.0
 *
 * A duty: a promise to delete, as a row, from the moment it arises until its certificate is signed.  This folder opens duties and moves
 * them; it stands below directory/ and devices/ because their removal actions open a duty in their own transaction.  Carrying
 * one out is privacy/'s business (erasure.h).
 *
 * The clock counts from the removal action (requested_at), never from a device's answer.  The promise (30 days, 180 for a tenant) includes the
 * copies in backups, whose keys live keeper_backup_days(); so the active data has its own, earlier deadline: a day and that many before.
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
#define DUTY_DEADLINE_US (30 * DAY_US)        /* the promise: from the removal action until every copy is gone */
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

/* How long copies of the store outlive what is deleted in it; 0 also without a keeper (tools). */
int duty_backup_days(const struct scope *s);

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
#define DUTY_BY_RESTORE_REPLAY "restoreReplay"       /* a restored database held what the ledger says is gone */
#define DUTY_BY_DEACTIVATED "deactivated"            /* long ago, by the directory that provisions the account, and never deleted there */
#define DUTY_BY_OWNERSHIP_CHANGE "ownershipChange"   /* a company's device became personal: what may no longer be held */

/* What a held one waits for. */
#define DUTY_WAITS_RESTRICTION "restriction" /* of processing */
#define DUTY_WAITS_COPY "copy"		     /* that the person asked for */
#define DUTY_WAITS_LEGAL_HOLD "legalHold"
#define DUTY_WAITS_BURST "burst"	     /* for a second person's word */

struct duty {
	struct id tenant, duty, subject, certificate, copies_certificate;
	struct id requested_by, confirmed_by; /* applications; nil: nobody */
	const char *trigger, *subject_type, *plan, *result, *error, *waits_for, *alarm; /* in the arena; may be NULL from plan on */
	enum duty_state state;
	int64_t requested_at, due_at, updated_at;
	int64_t deadline_at, copies_deadline_at; /* of the active data, and the promise */
	int64_t undo_until, alarm_at;		 /* 0: none */
};

struct duty_order {
	const char *trigger, *subject_type; /* "user", "device", "tenant", "export" */
	struct id subject;
	struct id person;       /* the user whom the event is about; nil: nobody */
	enum duty_state first;  /* DUTY_scheduled or DUTY_received */
	int64_t due_at;
	int64_t deadline_at;    /* the promise, copies included; the deadline of the active data follows from it */
	int64_t undo_until;     /* 0: nothing undoes it */
};

/* Opens a duty and records DUTY_CREATE.  Where the subject has an open duty already, that one is kept: its trigger and state move on if
 * it was only scheduled, its due date and deadline become the earlier ones.  *ret_duty may be NULL. */
MUST_CHECK enum err duty_open(struct db_tx *tx, const struct duty_order *o, struct id *ret_duty);

/* Cancels the subject's scheduled duty (restore).  ERR_NOT_FOUND: there is none that can be cancelled. */
MUST_CHECK enum err duty_cancel(struct db_tx *tx, struct id subject);

/* Brings the subject's open duty forward: due now (the device confirmed).  No open duty: OK, nothing happens. */
MUST_CHECK enum err duty_hasten(struct db_tx *tx, struct id subject);

/* from -> to by compare-and-set, with its event.  ERR_STATE where the table does not have it, ERR_CONFLICT where the duty is elsewhere by now.
 * error: why it failed; of held one of DUTY_WAITS_*. */
MUST_CHECK enum err duty_move(struct db_tx *tx, struct id duty, enum duty_state from, enum duty_state to, const char *error);

MUST_CHECK enum err duty_load(struct db_tx *tx, struct id duty, struct duty *ret);
/* The subject's newest duty that is open (any state with `open`). ERR_NOT_FOUND. */
MUST_CHECK enum err duty_of_subject(struct db_tx *tx, struct id subject, struct duty *ret);

/* When it is carried out next of its own accord: the end of the undo window; when the last copy is gone. */
MUST_CHECK enum err duty_set_due(struct db_tx *tx, struct id duty, int64_t due_at);
MUST_CHECK enum err duty_set_plan(struct db_tx *tx, struct id duty, const char *plan_json);
/* At the end: result and certificate, and the subject's id becomes a pseudonym (the salted reference), in this duty and in every earlier one
 * of the subject, so that none names it. */
MUST_CHECK enum err duty_finish(struct db_tx *tx, struct id duty, const char *result_json, struct id certificate, struct id pseudonym);

/* Duties in a state that are due at the scope's time, of all tenants (system scope), oldest first, at most `most`. */
MUST_CHECK enum err duty_due(struct scope *s, enum duty_state state, size_t most, struct duty **ret, size_t *ret_n);

/* ---- numbers, of all tenants (system scope) ---- */

struct duty_counts {
	uint64_t overdue;	 /* active data is left past its deadline (I7) */
	uint64_t copies_overdue; /* copies are left past the promise */
	uint64_t alarmed;	 /* open, and an alarm was raised */
	uint64_t held, failed;
};
MUST_CHECK enum err duty_count(struct scope *s, struct duty_counts *ret);

/* ---- alarms (alarm.c) ---- */

enum duty_alarm {
#define ALARM(name, of, numerator, denominator, text) ALARM_##name,
#include "duty/alarms.def"
#undef ALARM
	DUTY_ALARM_COUNT
};

/* Raises it: its event, the duty's columns, a line in the log, a notice.  The log's line is written before the commit and may be written twice. */
MUST_CHECK enum err duty_raise(struct db_tx *tx, const struct duty *d, enum duty_alarm alarm);
/* When the first alarm of a deadline after `now` is due, of a duty whose clock counts from `from`; 0: none is left. */
int64_t duty_alarm_next(int64_t from, int64_t deadline, int64_t copies_deadline, int64_t now);
/* Raises what is due, of all tenants (system scope): of each duty the latest alarm of a deadline that has passed, and `stuck`. */
MUST_CHECK enum err duty_alarms(struct scope *s);

#endif
