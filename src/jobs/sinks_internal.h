/* SPDX-License-Identifier: Apache-2.0
 * What the files of the sinks share: a delivery, and the three ways to make one. */
#ifndef REEVE_JOBS_SINKS_INTERNAL_H
#define REEVE_JOBS_SINKS_INTERNAL_H

#include <pthread.h>

#include "audit/out/sink.h"
#include "jobs/sinks.h"

enum { SINK_TIMEOUT_MS = 10000 };

/* One page on its way to one receiver. */
struct delivery {
	struct scope *s;
	struct server *srv;
	const struct audit_sink *sink;
	const struct audit_sink_page *page;
	const char *origin;          /* of the log */
	int wake_fd;                 /* readable: the server stops */
	const _Atomic bool *stop;    /* the same, for those that cannot poll */
	void **kept;                 /* what a kind keeps between rounds of a thread (a connection); NULL at first */
	int64_t retry_after_us;      /* out: the receiver asked for so long a pause */
	size_t fewer;                /* out: it wants no more than so many events at once; 0: as it was */
};

/* OK: the receiver has confirmed all events.  Else a detail says why, without names of hosts and people: it is shown to the tenant's
 * administrators and stands in the server's log. */
MUST_CHECK enum err sink_to_file(struct delivery *d);
MUST_CHECK enum err sink_to_syslog(struct delivery *d);
MUST_CHECK enum err sink_to_webhook(struct delivery *d);
void sink_webhook_forget(void *kept);

/* One event in the sink's format, without a line's end: the stored bytes themselves, or OCSF appended to out. */
MUST_CHECK enum err sink_render(struct delivery *d, const struct audit_sink_event *e, struct buf *out);

/* ---- files ---- */

/* Opens (0600) a file to append to, after cutting off a last line that a crash left without its end.  ERR_IO, ERR_STORAGE_FULL,
 * ERR_NOT_FOUND. */
MUST_CHECK enum err sink_file_open(int dir, const char *name, int *ret_fd);
/* Removes the directories of tenants that are gone.  s: a system scope. */
void sink_files_sweep(struct scope *s, const char *sink_dir);

/* ---- webhooks ---- */

/* A page as a batch of CloudEvents 1.0 (JSON event format, section 4): `data` is the event as rendered, byte by byte. */
MUST_CHECK enum err sink_cloud_events(struct delivery *d, struct buf *out);
/* "t=<Unix seconds>,v1=<hex of HMAC-SHA256(secret, "<Unix seconds>.<body>")>" */
char *sink_signature(struct arena *a, const void *secret, size_t secret_n, int64_t now_us, const void *body, size_t n);

/* ---- pauses ---- */

/* After so many failures in a row (1: the first): 1 s, 2 s, 4 s … 5 min, up to a quarter less by chance, never less than 1 s. */
int64_t sink_backoff_us(unsigned failures, uint32_t random);

/* ---- threads: sinks.c looks after them, sinks_thread.c is what they run ---- */

struct sink_thread {
	struct sinks *all;
	struct sink_thread *next;
	struct id tenant, sink;
	pthread_t thread;
	pthread_cond_t wake;
	/* under all->lock */
	bool look, changed; /* the log grew; its row changed */
	bool leave, ended;  /* it shall end; it has, and may be joined */
	int64_t version;
};

struct sinks {
	struct server *srv;
	struct id holder;
	pthread_t watcher; /* looks after the list */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	_Atomic bool stop;
	uint64_t commits;
	int stop_fd;      /* an eventfd that becomes readable for good */
	struct sink_thread *first;
};

void *sink_thread_main(void *thread);

#endif
