/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the time can be believed.  What is destroyed because its time has come is gone for good, so a clock that was set forward by
 * mistake must destroy nothing: the file DIR/clock holds the time as it was last seen, the machine's time since it started (CLOCK_BOOTTIME) and
 * which start that was.  Where the clock has moved on further than the machine did, the time is in doubt, and jobs that destroy do not run
 * until an operator has confirmed it.  A clock that was set back destroys nothing early by itself.
 */
#ifndef REEVE_DUTY_CLOCK_GUARD_H
#define REEVE_DUTY_CLOCK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/scope.h"

#define CLOCK_JUMP_US HOUR_US	      /* within one start of the machine; less is a correction */
#define CLOCK_JUMP_START_US (7 * DAY_US) /* over a start, during which nobody counted */

enum { BOOT_ID = 40 };
struct clock_seen {
	int64_t wall, boottime; /* microseconds */
	char boot[BOOT_ID];	/* of this start of the machine */
	bool doubt;
};

/* What is to be remembered after `then`, now that the clocks say `now`: a clock that was set back is expected to be right again later.
 * ret->doubt: it has jumped; then the rest is what was known before. */
void clock_judge(const struct clock_seen *then, const struct clock_seen *now, struct clock_seen *ret);

struct clock_guard;

/* The file is made where it is not there.  ERR_CONFIG: it is none of ours.  *detail is malloc'd. */
MUST_CHECK enum err clock_guard_open(const char *data_dir, struct clock_guard **ret, char **detail);
void clock_guard_close(struct clock_guard *g); /* stores the time; NULL is allowed */

/* Looks at the clocks, stores them about every 30 seconds, and tells a new doubt (event of the installation, line, notice).  s: the system's
 * scope.  NULL: never. */
bool clock_guard_doubts(struct clock_guard *g, struct scope *s);
/* The last answer, without looking. */
bool clock_guard_in_doubt(struct clock_guard *g);
/* The time as it is now is right; in the operator's scope (the nil tenant), with its event.  ERR_CONFLICT: nobody doubts it. */
MUST_CHECK enum err clock_guard_confirm(struct clock_guard *g, struct scope *s);

#endif
