/* SPDX-License-Identifier: Apache-2.0
 *
 * `sync`: once, with a summary.  `run`: for ever, as a daemon.
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "channel.h"
#include "cmd.h"
#include "sync.h"

enum { BACKOFF_FIRST = 30, BACKOFF_MOST = 3600 };

static void print_json(const struct sync_result *r)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, 1u << 16);
	jw_init(&w, &out);
	jw_object(&w);
	jw_kint(&w, "applied", r->items.applied);
	jw_kint(&w, "takenBack", r->items.taken_back);
	jw_kint(&w, "failed", r->items.failed);
	jw_kint(&w, "unchanged", r->items.unchanged);
	jw_kbool(&w, "inventorySent", r->inventory_sent);
	jw_kbool(&w, "renewed", r->renewed);
	jw_kbool(&w, "enrolled", !r->gone);
	jw_key(&w, "actions");
	jw_array(&w);
	for (int i = 0; i < r->n_actions; i++) {
		jw_object(&w);
		jw_kstring(&w, "id", r->actions[i].id);
		jw_kstring(&w, "action", r->actions[i].name);
		jw_kstring(&w, "state", r->actions[i].state);
		jw_end_object(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
	printf("%s\n", out.data);
}

static void print_text(const struct sync_result *r)
{
	for (int i = 0; i < r->n_actions; i++)
		printf("%s: %s\n", r->actions[i].name, r->actions[i].state);
	printf("synchronised: %d applied, %d taken back, %d failed, %d as they were%s%s\n", r->items.applied,
	       r->items.taken_back, r->items.failed, r->items.unchanged, r->renewed ? "; certificate renewed" : "",
	       r->gone ? "; this device is no longer managed" : "");
}

int cmd_sync(struct agent *a, const struct options *o)
{
	struct sync_result r;
	enum err e = sync_once(a, &r);
	if (e != OK)
		return complain(a, e);
	if (o->json)
		print_json(&r);
	else
		print_text(&r);
	return 0;
}

/* Nine to eleven tenths, so that a building full of devices does not ask at the same moment for ever. */
static int64_t jitter(int64_t seconds)
{
	uint16_t r;
	random_bytes(&r, sizeof r);
	return seconds * (900 + r % 201) / 1000;
}

/* True: end. */
static bool wait_for(const sigset_t *signals, int64_t seconds)
{
	int got = sigtimedwait(signals, NULL, &(struct timespec){.tv_sec = seconds > 0 ? seconds : 1});
	return got == SIGTERM || got == SIGINT; /* SIGHUP: synchronise now */
}

static bool one_run(struct agent *a, int64_t *wait, int64_t *backoff)
{
	struct sync_result r;
	enum err e = sync_once(a, &r);
	if (e == OK) {
		*backoff = 0;
		*wait = jitter(r.sync_seconds);
		log_event(LOG_INFO, "sync", "applied=%d takenBack=%d failed=%d actions=%d renewed=%d", r.items.applied,
			  r.items.taken_back, r.items.failed, r.n_actions, r.renewed);
		return !r.gone;
	}
	log_event(LOG_WARN, "sync-failed", "error=%s detail=\"%s\"", err_name(e),
		  channel_clean(a, scope_detail(a->scope, e)));
	if (e == ERR_STATE)
		return false; /* left or retired by another run */
	*backoff = *backoff == 0 ? BACKOFF_FIRST : *backoff * 2 > BACKOFF_MOST ? BACKOFF_MOST : *backoff * 2;
	*wait = jitter(*backoff);
	if (*wait < a->retry_after)
		*wait = a->retry_after;
	return true;
}

int cmd_run(struct agent *a, const struct options *o)
{
	sigset_t signals;
	int64_t wait = 0, backoff = 0;
	(void)o;
	enum err e = state_peek(a);
	state_close(a);
	if (e != OK)
		return complain(a, e);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	a->daemon = true;
	struct arena *arena = a->scope->arena;
	struct arena_mark mark = arena_mark(arena);
	const char *name = a->device_name;
	do {
		arena_rewind(arena, mark);
		scope_system(a->scope, arena, NULL, NULL);
		a->device_name = name; /* what a run set points into its own memory */
		if (!one_run(a, &wait, &backoff)) {
			log_event(LOG_INFO, "end", "reason=unenrolled");
			return 0;
		}
	} while (!wait_for(&signals, wait));
	log_event(LOG_INFO, "end", "reason=signal");
	return 0;
}
