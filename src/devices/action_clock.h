/* SPDX-License-Identifier: Apache-2.0
 *
 * What time does to actions that wait: one that waits for a silent device is marked (neverSeen), one that has waited for longer than its tenant
 * wants is canceled (expired).  The duty to erase is not touched by either: deletion never waits for a device.
 */
#ifndef REEVE_DEVICES_ACTION_CLOCK_H
#define REEVE_DEVICES_ACTION_CLOCK_H

#include "base/err.h"
#include "base/scope.h"

/* All tenants (system scope).  In each, every action is judged once by each call; each change is a transaction of its own, with its event. */
MUST_CHECK enum err action_clock_run(struct scope *s);

#endif
