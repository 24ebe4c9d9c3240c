/* SPDX-License-Identifier: Apache-2.0
 *
 * Cleanup rules: devices that have not checked in for so many days are hidden, and nothing more: no command, no duty, no change of the
 * record.  A hidden device is shown again at its next check-in, or when no rule hides it any more.  A platform's own rule goes before the rule for
 * all.  A device of a restricted person is left alone: its check-ins are not stored, so nobody knows whether it is silent.
 */
#ifndef REEVE_DEVICES_CLEANUP_H
#define REEVE_DEVICES_CLEANUP_H

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "devices/device.h"
#include "resource/resource.h"

enum { CLEANUP_DAYS_MIN = 30, CLEANUP_DAYS_MAX = 270 };

/* ERR_BAD_REQUEST: days outside 30 to 270; ERR_EXISTS: another rule is for the platform type. */
MUST_CHECK enum err cleanup_rule_create(struct scope *s, const struct record *r, struct id *ret);
MUST_CHECK enum err cleanup_rule_patch(struct scope *s, struct id rule, const struct record *change);
MUST_CHECK enum err cleanup_rule_delete(struct scope *s, struct id rule);

/* Graph's older singleton: the days of the rule for all platforms; 0: there is none. */
MUST_CHECK enum err cleanup_days(struct scope *s, int64_t *ret);
MUST_CHECK enum err cleanup_set_days(struct scope *s, int64_t days);

/* In a check-in's transaction: a device that was hidden by a rule is shown again, with its event. */
MUST_CHECK enum err cleanup_reappear(struct db_tx *tx, const struct device *d);

/* In the system's scope: hides and shows what is due, of all tenants, a hundred devices a transaction. */
MUST_CHECK enum err cleanup_run(struct scope *s);

#endif
