/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { COLUMNS = 80, BAR_MAX = 40, EVERY_US = 100 * 1000, LINE_MAX_BYTES = 512 };

/* ---- the line ---- */

static void amount(char out[32], int64_t bytes)
{
	if (bytes < 1024 * 1024)
		snprintf(out, 32, "%lld KiB", (long long)((bytes + 1023) / 1024));
	else
		snprintf(out, 32, "%.1f MiB", (double)bytes / (1024 * 1024));
}

/* What stands behind the bar. */
static void tail_text(char out[80], const struct progress *p, int64_t done, int64_t of)
{
	char a[32], b[32];
	*out = '\0';
	if (!p->bytes) {
		if (of > 0)
			snprintf(out, 80, "%3d %%", (int)(100.0 * (double)done / (double)of));
		return;
	}
	amount(a, done);
	amount(b, of);
	snprintf(out, 80, of > 0 ? "%s of %s" : "%s", a, b);
}

size_t progress_line(char *out, size_t n, int columns, const struct progress *p, int64_t done, int64_t of)
{
	char tail[80], bar[BAR_MAX + 4] = "";
	if (done < 0)
		done = 0;
	if (of > 0 && done > of)
		done = of;
	tail_text(tail, p, done, of);
	int room = columns - 1 - (int)strlen(p->label) - 2 - 2 - 2 - (int)strlen(tail);
	int width = room > BAR_MAX ? BAR_MAX : room;
	if (of > 0 && width >= 5) {
		int full = (int)((double)done / (double)of * width);
		bar[0] = '[';
		memset(bar + 1, '#', (size_t)full);
		memset(bar + 1 + full, '-', (size_t)(width - full));
		memcpy(bar + 1 + width, "]", 2);
	}
	int len = snprintf(out, n, "%s%s%s%s%s", p->label, *bar ? "  " : "", bar, *tail ? "  " : "", tail);
	size_t most = n > 0 ? n - 1 : 0;
	if (columns > 0 && most > (size_t)columns - 1)
		most = (size_t)columns - 1;
	if (n > 0 && len > (int)most)
		out[len = (int)most] = '\0';
	return (size_t)len;
}

/* ---- the terminal ---- */

static int64_t monotonic_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int terminal_columns(void)
{
	struct winsize w;
	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : COLUMNS;
}

void progress_begin(struct progress *p, const char *label, bool bytes, bool quiet)
{
	*p = (struct progress){.label = label, .bytes = bytes, .on = !quiet && isatty(STDERR_FILENO)};
}

void progress_show(struct progress *p, int64_t done, int64_t of)
{
	char line[LINE_MAX_BYTES];
	int64_t now = monotonic_us();
	if (!p->on || (p->shown_at != 0 && now - p->shown_at < EVERY_US && (of == 0 || done != of)))
		return;
	size_t n = progress_line(line, sizeof line, terminal_columns(), p, done, of);
	fprintf(stderr, "\r%s%*s", line, p->shown > n ? (int)(p->shown - n) : 0, "");
	fflush(stderr);
	p->shown = n;
	p->shown_at = now;
}

void progress_end(struct progress *p)
{
	if (p->shown > 0)
		fprintf(stderr, "\r%*s\r", (int)p->shown, "");
	fflush(stderr);
	p->shown = 0;
	p->shown_at = 0;
}
