/* SPDX-License-Identifier: Apache-2.0
 * The file DIR/clock, one line: "reeve-clock-1 WALL BOOTTIME BOOT DOUBT". */
#include "duty/clock_guard.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/log.h"
#include "crypto/newfile.h"
#include "notice/notice.h"

#define STORE_EVERY_US (30 * SECOND_US)
#define FILE_NAME "clock"
#define FORMAT "reeve-clock-1"
enum { LINE_MAX_BYTES = 160 };

struct clock_guard {
	pthread_mutex_t lock;
	int dir;
	struct clock_seen seen;
	int64_t stored_at; /* boottime */
	bool told;
};

/* ---- judging ---- */

void clock_judge(const struct clock_seen *then, const struct clock_seen *now, struct clock_seen *ret)
{
	bool same = strcmp(then->boot, now->boot) == 0 && now->boottime >= then->boottime;
	int64_t expected = then->wall + (same ? now->boottime - then->boottime : 0);
	int64_t allowed = same ? CLOCK_JUMP_US : CLOCK_JUMP_START_US;
	*ret = *then;
	ret->doubt = then->doubt || now->wall - expected > allowed;
	if (ret->doubt)
		return;
	*ret = *now;
	ret->doubt = false;
	if (ret->wall < expected)
		ret->wall = expected;
}

/* ---- the clocks ---- */

static void read_boot(char out[BOOT_ID])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, BOOT_ID - 1);
	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, " \n")] = '\0';
	if (out[0] == '\0')
		snprintf(out, BOOT_ID, "unknown");
}

static void read_clocks(struct clock_seen *ret)
{
	struct timespec ts;
	clock_gettime(CLOCK_BOOTTIME, &ts);
	*ret = (struct clock_seen){.wall = clock_now(), .boottime = (int64_t)ts.tv_sec * SECOND_US + ts.tv_nsec / 1000};
	read_boot(ret->boot);
}

/* ---- the file ---- */

static enum err store(struct clock_guard *g)
{
	char line[LINE_MAX_BYTES];
	const struct clock_seen *c = &g->seen;
	int n = snprintf(line, sizeof line, FORMAT " %" PRId64 " %" PRId64 " %s %d\n", c->wall, c->boottime, c->boot, c->doubt);
	enum err e = newfile_put(g->dir, FILE_NAME, line, (size_t)n);
	if (e != OK)
		log_event(LOG_ERROR, "clock_store", "error=%s", err_name(e));
	return e;
}

/* ERR_NOT_FOUND: there is none yet. */
static enum err load(struct clock_guard *g)
{
	char line[LINE_MAX_BYTES];
	int doubt, end = 0;
	int fd = openat(g->dir, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return ERR_NOT_FOUND;
	ssize_t n = read(fd, line, sizeof line - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	int got = sscanf(line, FORMAT " %" SCNd64 " %" SCNd64 " %39s %1d\n%n", &g->seen.wall, &g->seen.boottime, g->seen.boot, &doubt, &end);
	if (got != 4 || end == 0 || line[end] != '\0')
		return ERR_CONFIG;
	g->seen.doubt = doubt != 0;
	return OK;
}

enum err clock_guard_open(const char *data_dir, struct clock_guard **ret, char **detail)
{
	struct clock_guard *g = calloc(1, sizeof *g);
	check(g != NULL && pthread_mutex_init(&g->lock, NULL) == 0);
	g->dir = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = g->dir < 0 ? ERR_IO : load(g);
	if (e == ERR_NOT_FOUND) {
		read_clocks(&g->seen);
		e = store(g);
	}
	if (e == OK) {
		*ret = g;
		return OK;
	}
	if (asprintf(detail, "%s/" FILE_NAME " cannot be read: it holds the last time that the server saw; remove it if the time is right", data_dir) < 0)
		*detail = NULL;
	if (g->dir >= 0)
		close(g->dir);
	free(g);
	return e;
}

void clock_guard_close(struct clock_guard *g)
{
	struct clock_seen now, judged;
	if (g == NULL)
		return;
	read_clocks(&now);
	clock_judge(&g->seen, &now, &judged);
	g->seen = judged;
	enum err told = store(g);
	(void)told; /* the next start has an older one */
	close(g->dir);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

/* ---- looking ---- */

static enum err doubt_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct clock_seen *seen = arg;
	static const struct id nobody;
	struct audit_change *changes = NULL;
	char before[TIME_TEXT], now[TIME_TEXT];
	audit_change_add(s->arena, &changes, "dateTime", NULL, NULL, time_format(seen->wall, before), time_format(s->now, now));
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_CLOCK_DOUBT, .resource_type = "Installation", .changes = changes}));
	return notice_alarm(tx, "clockInDoubt", nobody,
			    arena_printf(s->arena, "The clock says %s and was last seen at %s: nothing is deleted until an operator confirms the time.", now,
					 before));
}

static bool tell(struct scope *s, const struct clock_seen *seen)
{
	static const struct id installation;
	struct scope t;
	char before[TIME_TEXT], now[TIME_TEXT];
	scope_tenant(&t, s->arena, s->db, s->keeper, installation);
	log_event(LOG_ERROR, "clock_doubt", "seen=%s now=%s detail=\"nothing is deleted until the time is confirmed: reeve tenant confirm-clock\"",
		  time_format(seen->wall, before), time_format(t.now, now));
	return db_write(&t, doubt_tx, (void *)(uintptr_t)seen) == OK;
}

bool clock_guard_doubts(struct clock_guard *g, struct scope *s)
{
	struct clock_seen now, before;
	bool news;
	if (g == NULL)
		return false;
	read_clocks(&now);
	pthread_mutex_lock(&g->lock);
	before = g->seen;
	clock_judge(&before, &now, &g->seen);
	bool doubt = g->seen.doubt;
	if (doubt != before.doubt || now.boottime - g->stored_at > STORE_EVERY_US || now.boottime < g->stored_at) {
		g->stored_at = now.boottime;
		enum err later = store(g);
		(void)later;
	}
	news = doubt && !g->told;
	g->told = doubt;
	pthread_mutex_unlock(&g->lock);
	if (news && !tell(s, &before)) {
		pthread_mutex_lock(&g->lock);
		g->told = false;
		pthread_mutex_unlock(&g->lock);
	}
	return doubt;
}

bool clock_guard_in_doubt(struct clock_guard *g)
{
	if (g == NULL)
		return false;
	pthread_mutex_lock(&g->lock);
	bool doubt = g->seen.doubt;
	pthread_mutex_unlock(&g->lock);
	return doubt;
}

/* ---- confirming ---- */

static enum err confirm_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct audit_change *changes = NULL;
	char before[TIME_TEXT], now[TIME_TEXT];
	audit_change_add(s->arena, &changes, "dateTime", NULL, NULL, time_format(((const struct clock_seen *)arg)->wall, before),
			 time_format(s->now, now));
	return audit_record(tx, &(struct audit_event){.activity = ACT_CLOCK_CONFIRM, .resource_type = "Installation", .changes = changes});
}

enum err clock_guard_confirm(struct clock_guard *g, struct scope *s)
{
	struct clock_seen seen;
	check(g != NULL);
	pthread_mutex_lock(&g->lock);
	seen = g->seen;
	pthread_mutex_unlock(&g->lock);
	if (!seen.doubt)
		return scope_fail(s, ERR_CONFLICT, "the time is not in doubt");
	TRY(db_write(s, confirm_tx, &seen));
	pthread_mutex_lock(&g->lock);
	read_clocks(&g->seen);
	g->told = false;
	enum err e = store(g);
	pthread_mutex_unlock(&g->lock);
	return e == OK ? OK : scope_fail(s, e, "the time could not be stored: it is in doubt again at the next start");
}
