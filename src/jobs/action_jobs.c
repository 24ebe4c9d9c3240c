/* SPDX-License-Identifier: Apache-2.0
 * Actions that wait for a device. */
#include "devices/action_clock.h"
#include "jobs/jobs_internal.h"

enum err job_device_actions(struct server *srv, struct scope *s, bool *ret_more) { return action_clock_run(s); }
