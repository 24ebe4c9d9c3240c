/* SPDX-License-Identifier: Apache-2.0
 *
 * Looking after the sinks' threads.  Commits wake this thread, which asks once for all sinks whose log is longer than their cursor and wakes
 * those: what a busy server commits costs one small statement four times a second, however many sinks there are.
 */
#include "jobs/sinks.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "jobs/sinks_internal.h"

enum { STACK_BYTES = 512 * 1024 };
#define LOOK_EVERY_US (SECOND_US / 4)
#define LOOK_IDLE_US (5 * SECOND_US) /* what another server on the same database commits wakes nobody here */
#define SWEEP_EVERY_US HOUR_US

static void wait_until(struct sinks *a, int64_t monotonic_us)
{
	struct timespec ts = {.tv_sec = monotonic_us / SECOND_US, .tv_nsec = monotonic_us % SECOND_US * 1000};
	pthread_cond_clockwait(&a->wake, &a->lock, CLOCK_MONOTONIC, &ts);
}

void sinks_wake(struct sinks *a)
{
	pthread_mutex_lock(&a->lock);
	a->commits++;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
}

/* ---- one thread ---- */

static void start_thread(struct sinks *a, const struct sink_place *p)
{
	struct sink_thread *t = calloc(1, sizeof *t);
	pthread_attr_t attr;
	check(t != NULL);
	*t = (struct sink_thread){.all = a, .tenant = p->tenant, .sink = p->sink, .version = p->version, .look = true};
	pthread_cond_init(&t->wake, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	int error = pthread_create(&t->thread, &attr, sink_thread_main, t);
	pthread_attr_destroy(&attr);
	if (error != 0) { /* tried again at the next look */
		log_event(LOG_ERROR, "sink_thread_failed", "error=\"%s\"", strerror(error));
		pthread_cond_destroy(&t->wake);
		free(t);
		return;
	}
	t->next = a->first;
	a->first = t;
}

static void tell(struct sink_thread *t, bool leave)
{
	t->leave |= leave;
	pthread_cond_signal(&t->wake);
}

static struct sink_thread *find(const struct sinks *a, const struct sink_place *p)
{
	for (struct sink_thread *t = a->first; t != NULL; t = t->next)
		if (id_equal(t->sink, p->sink) && id_equal(t->tenant, p->tenant))
			return t;
	return NULL;
}

static void free_thread(struct sink_thread *t)
{
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->wake);
	free(t);
}

/* Joins those that have ended. */
static bool reap(struct sinks *a)
{
	bool any = false;
	for (struct sink_thread **at = &a->first; *at != NULL;) {
		struct sink_thread *t = *at;
		if (!t->ended) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		free_thread(t); /* it does nothing more that needs the lock */
		any = true;
	}
	return any;
}

/* ---- all of them ---- */

static void follow(struct sinks *a, const struct sink_place *p)
{
	struct sink_thread *t = find(a, p);
	if (t == NULL) {
		start_thread(a, p);
		return;
	}
	if (t->version != p->version)
		t->changed = true;
	t->version = p->version;
	t->look |= p->size > p->next_index;
	if (t->look || t->changed)
		tell(t, false);
}

static bool is_listed(const struct sink_thread *t, const struct sink_place *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (id_equal(t->sink, v[i].sink) && id_equal(t->tenant, v[i].tenant))
			return true;
	return false;
}

/* Threads for what is enabled, none for the rest.  *ret_gone: a thread has ended, perhaps with its tenant. */
static enum err look(struct sinks *a, struct arena *arena, bool *ret_gone)
{
	struct scope s;
	struct sink_place *v;
	size_t n;
	scope_system(&s, arena, a->srv->db, a->srv->keeper);
	TRY(audit_sinks_enabled(&s, &v, &n));
	pthread_mutex_lock(&a->lock);
	*ret_gone |= reap(a);
	for (struct sink_thread *t = a->first; t != NULL; t = t->next)
		if (!is_listed(t, v, n))
			tell(t, true);
	for (size_t i = 0; i < n; i++)
		follow(a, &v[i]);
	pthread_mutex_unlock(&a->lock);
	return OK;
}

static void sweep(struct sinks *a, struct arena *arena)
{
	struct scope s;
	scope_system(&s, arena, a->srv->db, a->srv->keeper);
	sink_files_sweep(&s, a->srv->sink_dir);
}

static void *watch_main(void *arg)
{
	struct sinks *a = arg;
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	int64_t sweep_at = 0;
	bool gone = false;
	pthread_mutex_lock(&a->lock);
	while (!a->stop) {
		uint64_t seen = a->commits;
		pthread_mutex_unlock(&a->lock);
		int64_t began = clock_monotonic();
		enum err err = look(a, arena, &gone);
		if (err != OK)
			log_event(LOG_ERROR, "sinks_not_read", "error=%s", err_name(err));
		if (gone || began >= sweep_at) {
			sweep(a, arena);
			sweep_at = began + SWEEP_EVERY_US;
			gone = false;
		}
		arena_reset(arena);
		pthread_mutex_lock(&a->lock);
		while (!a->stop && clock_monotonic() < began + LOOK_EVERY_US)
			wait_until(a, began + LOOK_EVERY_US);
		while (!a->stop && a->commits == seen && clock_monotonic() < began + LOOK_IDLE_US)
			wait_until(a, began + LOOK_IDLE_US);
	}
	pthread_mutex_unlock(&a->lock);
	arena_free(arena);
	return NULL;
}

struct sinks *sinks_start(struct server *srv, struct id holder)
{
	struct sinks *a = calloc(1, sizeof *a);
	check(a != NULL);
	a->srv = srv;
	a->holder = holder;
	a->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	check(a->stop_fd >= 0 && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->wake, NULL);
	check(pthread_create(&a->watcher, NULL, watch_main, a) == 0);
	return a;
}

static void tell_all(struct sinks *a)
{
	pthread_mutex_lock(&a->lock);
	for (struct sink_thread *t = a->first; t != NULL; t = t->next)
		tell(t, true);
	pthread_mutex_unlock(&a->lock);
}

void sinks_stop(struct sinks *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	check(eventfd_write(a->stop_fd, 1) == 0);
	pthread_cond_broadcast(&a->wake);
	pthread_mutex_unlock(&a->lock);
	tell_all(a);
	pthread_join(a->watcher, NULL); /* now the list stays as it is */
	tell_all(a);
	for (struct sink_thread *t = a->first, *next; t != NULL; t = next) {
		next = t->next;
		free_thread(t);
	}
	close(a->stop_fd);
	pthread_cond_destroy(&a->wake);
	pthread_mutex_destroy(&a->lock);
	curl_global_cleanup();
	free(a);
}
