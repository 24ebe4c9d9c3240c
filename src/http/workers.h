/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool of threads that run handlers, private to http/.  They may block (on the database), so there are many and
 * their stacks are small.  The queue is bounded: a place is reserved before the connection is suspended, so that
 * putting the task in cannot fail.
 */
#ifndef REEVE_HTTP_WORKERS_H
#define REEVE_HTTP_WORKERS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/http.h"

struct http_task {
	struct http_task *next;
	void (*run)(struct http_task *t);
};

struct http_workers *workers_new(int threads, size_t queue_max);
bool workers_reserve(struct http_workers *w); /* false: overloaded */
void workers_put(struct http_workers *w, struct http_task *t); /* after a successful workers_reserve() */

/* Arenas of LIMIT_ARENA_BYTES; a few are kept for the next request, the others are freed. */
struct arena *workers_arena_take(struct http_workers *w);
void workers_arena_give(struct http_workers *w, struct arena *a);

/* Starts a thread with the small stack of this folder and workers_block_signals(). */
bool workers_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg);
size_t workers_stack_bytes(void);
/* Blocks every signal that does not come from the thread itself: the main thread handles them. */
void workers_block_signals(sigset_t *ret_before);

#endif
