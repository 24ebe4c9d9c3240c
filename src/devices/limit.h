/* SPDX-License-Identifier: Apache-2.0
 *
 * How many retires, wipes and deletes may be asked for in a day (UTC), over every way in, and the alarm where one actor asks for many in an
 * hour.  What a device does for its user (leave) and what erasures cause is not counted: deletion never waits for a limit.
 */
#ifndef REEVE_DEVICES_LIMIT_H
#define REEVE_DEVICES_LIMIT_H

#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "db/db.h"

/* Counts one more, or refuses: ERR_DAILY_LIMIT with a detail, nothing is counted.  as: ACTION_RETIRE, ACTION_WIPE, ACTION_DELETE. Where the
 * scope's actor has asked for more than the settings actionBurstCount and actionBurstPercent say: an event (ACTION_BURST) and a notice, once
 * an hour and actor. */
MUST_CHECK enum err action_limit_take(struct db_tx *tx, const char *as);

/* Seconds until the next day of UTC begins: when a limit is open again. */
unsigned action_limit_retry_after(int64_t now);

/* For the metrics, of all tenants (system scope): alarms of the last 24 hours. */
MUST_CHECK enum err action_limit_bursts(struct scope *s, uint64_t *ret);

#endif
