/* SPDX-License-Identifier: Apache-2.0
 *
 * Time is 64-bit microseconds since 1970 in UTC, everywhere.  A scope reads the clock once (scope.now); nothing below the edges
 * reads it again.  Timed waits use CLOCK_MONOTONIC with pthread_cond_clockwait.
 */
#ifndef REEVE_BASE_CLOCK_H
#define REEVE_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define HOUR_US (60 * MINUTE_US)
#define DAY_US (24 * HOUR_US)

enum { TIME_TEXT = 32 };

int64_t clock_now(void);       /* CLOCK_REALTIME */
int64_t clock_monotonic(void); /* for durations */

/* "2026-11-22T08:15:30Z", with ".123456" only when there is a fraction.  Returns out. */
char *time_format(int64_t us, char out[TIME_TEXT]);
/* RFC 3339 with any offset, or a date alone (midnight UTC).  Years 1 to 9999.  False leaves *ret. */
bool time_parse(const char *text, int64_t *ret_us);

/* ---- calendar, UTC; results are kept within the years 1 to 9999 ---- */

/* The same day of the month and time of day n months on; where that month is too short, its last day. */
int64_t time_add_months(int64_t us, int n);
/* n days on that are neither Saturday nor Sunday; the day itself is not counted.  n is not negative. */
int64_t time_add_workdays(int64_t us, int n);
/* The day's last second, 23:59:59. */
int64_t time_end_of_day(int64_t us);

#endif
