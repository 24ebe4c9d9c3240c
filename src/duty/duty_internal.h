/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of duty/. */
#ifndef REEVE_DUTY_DUTY_INTERNAL_H
#define REEVE_DUTY_DUTY_INTERNAL_H

#include "duty/duty.h"

#define DUTY_COLUMNS                                                                                              \
	"tenant_id, duty_id, trigger_name, subject_type, subject_id, state, requested_at, due_at, deadline_at, "  \
	"plan, result, error, certificate_id, copies_deadline_at, updated_at, requested_by, confirmed_by, waits_for, undo_until, alarm, alarm_at, " \
	"copies_certificate_id"

/* A row of DUTY_COLUMNS. */
void duty_read(const struct db_rows *r, struct arena *a, struct duty *d);

#endif
