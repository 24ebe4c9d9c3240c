/* SPDX-License-Identifier: Apache-2.0
 * A bar on standard error while something takes its time: on a terminal only, and not where the answer is for a program. */
#ifndef REEVE_CMD_PROGRESS_H
#define REEVE_CMD_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	const char *label; /* "collecting" */
	bool on, bytes;    /* bytes: amounts are told in KiB and MiB, else in percent */
	int64_t shown_at;  /* monotonic, microseconds: at most ten times a second */
	size_t shown;      /* characters of the line that stands there */
};

/* quiet: --json, or whatever else wants no bar. */
void progress_begin(struct progress *p, const char *label, bool bytes, bool quiet);
/* done of `of`; of 0: nobody knows how much it will be. */
void progress_show(struct progress *p, int64_t done, int64_t of);
/* Takes the line away. */
void progress_end(struct progress *p);

/* The line for a terminal of so many columns, without a line break: "collecting  [#####-----]  50 %".  Never longer than columns - 1 and n - 1;
 * the length is returned. */
size_t progress_line(char *out, size_t n, int columns, const struct progress *p, int64_t done, int64_t of);

#endif
