/* SPDX-License-Identifier: Apache-2.0
 *
 * The pool of reading connections.  Promises: a read sees one snapshot; a connection is opened when it is first needed;
 * while the gate is shut no reader comes in, so that a checkpoint can empty the WAL.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "db/sqlite_internal.h"

static const int64_t after_interrupt_us = 500 * 1000;

enum err sq_readers_open(struct sq_db *d, int n)
{
	d->readers = calloc((size_t)n, sizeof *d->readers);
	d->readers_n = d->readers == NULL ? 0 : n;
	return d->readers == NULL ? ERR_UNAVAILABLE : OK;
}

void sq_readers_close(struct sq_db *d)
{
	for (int i = 0; i < d->readers_n; i++) {
		check(!d->readers[i].in_use);
		sq_conn_close(&d->readers[i]);
	}
	free(d->readers);
}

/* An open one first. */
static struct sq_conn *find_free(struct sq_db *d)
{
	struct sq_conn *closed = NULL;
	for (int i = 0; i < d->readers_n; i++) {
		struct sq_conn *c = &d->readers[i];
		if (!c->in_use && c->h != NULL)
			return c;
		if (!c->in_use && closed == NULL)
			closed = c;
	}
	return closed;
}

static struct sq_conn *enter(struct sq_db *d)
{
	struct sq_conn *c;
	pthread_mutex_lock(&d->readers_lock);
	while (d->gate_closed || (c = find_free(d)) == NULL) {
		d->readers_waiting++;
		pthread_cond_wait(&d->readers_changed, &d->readers_lock);
		d->readers_waiting--;
	}
	c->in_use = true;
	c->since = clock_monotonic();
	d->readers_active++;
	pthread_mutex_unlock(&d->readers_lock);
	return c;
}

static void leave(struct sq_db *d, struct sq_conn *c)
{
	pthread_mutex_lock(&d->readers_lock);
	c->in_use = false;
	d->readers_active--;
	bool gate_closed = d->gate_closed, waited_for = d->readers_waiting > 0;
	pthread_mutex_unlock(&d->readers_lock);
	if (gate_closed) /* whoever shut it is among those who wait */
		pthread_cond_broadcast(&d->readers_changed);
	else if (waited_for)
		pthread_cond_signal(&d->readers_changed);
}

/* Opened under the lock: an interrupt from another thread must not meet half a connection.  Happens once per
 * connection. */
static enum err open_if_needed(struct sq_db *d, struct sq_conn *c, struct scope *s)
{
	enum err e = OK;
	pthread_mutex_lock(&d->readers_lock);
	if (c->h == NULL) {
		struct sq_conn fresh = {0};
		char *why = NULL;
		e = sq_conn_open(&fresh, d->path, SQ_READER, &why);
		if (e == OK) {
			fresh.in_use = true;
			fresh.since = c->since;
			*c = fresh;
		} else {
			scope_fail(s, e, "%s", why == NULL ? "cannot open a connection" : why);
			sq_conn_close(&fresh);
		}
		free(why);
	}
	pthread_mutex_unlock(&d->readers_lock);
	return e;
}

static enum err read_inside(struct sq_db *d, struct sq_conn *c, struct scope *s, db_fn fn, void *arg)
{
	TRY(open_if_needed(d, c, s));
	enum err e = sq_run(c, c->begin);
	if (e != OK)
		return scope_fail(s, e, "cannot begin to read");
	struct sq_tx tx = {.conn = c};
	db_tx_start(&tx.base, &d->base, s, false);
	e = db_tx_run(&tx.base, fn, arg);
	if (sqlite3_get_autocommit(c->h) == 0) {
		enum err ignored = sq_run(c, c->rollback);
		(void)ignored; /* nothing was written */
	}
	return e;
}

enum err sq_read(struct db *db, struct scope *s, db_fn fn, void *arg)
{
	struct sq_db *d = (struct sq_db *)db;
	struct sq_conn *c = enter(d);
	enum err e = read_inside(d, c, s, fn, arg);
	leave(d, c);
	return e;
}

/* ---- the gate ---- */

static void interrupt_older(struct sq_db *d, int64_t before)
{
	for (int i = 0; i < d->readers_n; i++)
		if (d->readers[i].in_use && d->readers[i].h != NULL && d->readers[i].since <= before)
			sqlite3_interrupt(d->readers[i].h);
}

void sq_readers_interrupt(struct sq_db *d, int64_t older_than_us)
{
	pthread_mutex_lock(&d->readers_lock);
	interrupt_older(d, clock_monotonic() - older_than_us);
	pthread_mutex_unlock(&d->readers_lock);
}

static bool wait_empty(struct sq_db *d, int64_t wait_us)
{
	int64_t until = clock_monotonic() + wait_us;
	struct timespec ts = {.tv_sec = until / SECOND_US, .tv_nsec = until % SECOND_US * 1000};
	while (d->readers_active > 0)
		if (pthread_cond_clockwait(&d->readers_changed, &d->readers_lock, CLOCK_MONOTONIC, &ts) != 0)
			break;
	return d->readers_active == 0;
}

enum err sq_readers_shut(struct sq_db *d, int64_t patience_us, int64_t older_than_us)
{
	pthread_mutex_lock(&d->readers_lock);
	d->gate_closed = true;
	bool empty = wait_empty(d, patience_us);
	if (!empty) {
		interrupt_older(d, clock_monotonic() - older_than_us);
		empty = wait_empty(d, after_interrupt_us);
	}
	if (!empty) {
		d->gate_closed = false;
		pthread_cond_broadcast(&d->readers_changed);
	}
	pthread_mutex_unlock(&d->readers_lock);
	return empty ? OK : ERR_BUSY;
}

void sq_readers_admit(struct sq_db *d)
{
	pthread_mutex_lock(&d->readers_lock);
	d->gate_closed = false;
	pthread_cond_broadcast(&d->readers_changed);
	pthread_mutex_unlock(&d->readers_lock);
}
