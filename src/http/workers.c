/* SPDX-License-Identifier: Apache-2.0
 * A queue, a condition and threads. */
#include "http/workers.h"

#include <stdlib.h>

#include "base/limits.h"

enum { THREADS_DEFAULT = 32, QUEUE_MAX = 1024, ARENAS_KEPT = 32 };

/* Sanitizers put red zones into every frame. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifdef SANITIZED
enum { STACK_BYTES = 4 * 1024 * 1024 };
#else
enum { STACK_BYTES = 256 * 1024 };
#endif

struct http_workers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct http_task *first, **last;
	size_t reserved, max; /* reserved: places taken and not yet picked up by a thread */
	bool stopping;
	struct arena *kept[ARENAS_KEPT];
	size_t kept_count;
	size_t threads;
	pthread_t thread[];
};

size_t workers_stack_bytes(void)
{
	return STACK_BYTES;
}

void workers_block_signals(sigset_t *ret_before)
{
	sigset_t all;
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	check(pthread_sigmask(SIG_SETMASK, &all, ret_before) == 0);
}

bool workers_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t before;
	check(pthread_attr_init(&attr) == 0);
	check(pthread_attr_setstacksize(&attr, STACK_BYTES) == 0);
	workers_block_signals(&before);
	bool ok = pthread_create(ret, &attr, fn, arg) == 0;
	check(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	pthread_attr_destroy(&attr);
	return ok;
}

/* The next task, or NULL when the pool stops and the queue is empty. */
static struct http_task *take(struct http_workers *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->first == NULL && !w->stopping)
		pthread_cond_wait(&w->work, &w->lock);
	struct http_task *t = w->first;
	if (t != NULL) {
		w->first = t->next;
		if (w->first == NULL)
			w->last = &w->first;
		w->reserved--;
	}
	pthread_mutex_unlock(&w->lock);
	return t;
}

static void *worker(void *arg)
{
	struct http_workers *w = arg;
	for (struct http_task *t = take(w); t != NULL; t = take(w))
		t->run(t);
	return NULL;
}

struct http_workers *workers_new(int threads, size_t queue_max)
{
	size_t n = threads > 0 ? (size_t)threads : THREADS_DEFAULT;
	struct http_workers *w = calloc(1, sizeof *w + n * sizeof w->thread[0]);
	check(w != NULL);
	check(pthread_mutex_init(&w->lock, NULL) == 0 && pthread_cond_init(&w->work, NULL) == 0);
	w->last = &w->first;
	w->max = queue_max;
	while (w->threads < n && workers_thread_start(&w->thread[w->threads], worker, w))
		w->threads++;
	check(w->threads > 0); /* fewer than asked for still serve */
	return w;
}

struct http_workers *http_workers_new(int threads)
{
	return workers_new(threads, QUEUE_MAX);
}

void http_workers_free(struct http_workers *w)
{
	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (size_t i = 0; i < w->threads; i++)
		check(pthread_join(w->thread[i], NULL) == 0);
	while (w->kept_count > 0)
		arena_free(w->kept[--w->kept_count]);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

bool workers_reserve(struct http_workers *w)
{
	pthread_mutex_lock(&w->lock);
	bool ok = w->reserved < w->max && !w->stopping;
	if (ok)
		w->reserved++;
	pthread_mutex_unlock(&w->lock);
	return ok;
}

void workers_put(struct http_workers *w, struct http_task *t)
{
	pthread_mutex_lock(&w->lock);
	t->next = NULL;
	*w->last = t;
	w->last = &t->next;
	pthread_mutex_unlock(&w->lock);
	pthread_cond_signal(&w->work); /* outside: whom it wakes wants the lock */
}

struct arena *workers_arena_take(struct http_workers *w)
{
	pthread_mutex_lock(&w->lock);
	struct arena *a = w->kept_count > 0 ? w->kept[--w->kept_count] : NULL;
	pthread_mutex_unlock(&w->lock);
	return a != NULL ? a : arena_new(LIMIT_ARENA_BYTES);
}

void workers_arena_give(struct http_workers *w, struct arena *a)
{
	if (a == NULL)
		return;
	arena_reset(a);
	pthread_mutex_lock(&w->lock);
	if (w->kept_count < ARENAS_KEPT) {
		w->kept[w->kept_count++] = a;
		a = NULL;
	}
	pthread_mutex_unlock(&w->lock);
	arena_free(a);
}
