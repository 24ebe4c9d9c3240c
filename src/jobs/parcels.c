/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread of parcels.h.  The database says what is due; what this thread remembers of a location that failed may be lost: then it is only
 * tried sooner.
 */
#include "jobs/parcels.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/target.h"
#include "crypto/seal.h"
#include "jobs/lease.h"
#include "http/outbound.h"
#include "jobs/sinks_internal.h"
#include "privacy/export/export.h"
#include "privacy/export/storage_location.h"

enum {
	SLOTS = 16,
	SLOTS_OF_TENANT = 4,
	LEASE_SECONDS = 30,
	CONNECT_MS = 10000,
	QUIET_SECONDS = 30,    /* less than this many bytes a second for so long: given up */
	QUIET_BYTES = 100,
	LOOK_MS = 1000,        /* at the database, while something is under way or was committed */
	IDLE_MS = 5000,        /* unasked: another server, or a pause, may have made something due */
};
#define LEASE "parcels"
#define GIVE_UP_US HOUR_US
#define TRANSFER_MAX_S (30L * 60)

struct transfer {
	struct parcels *all;
	bool busy;
	struct id tenant, operation;
	int64_t sealed_at;
	CURL *curl;
	struct curl_slist *headers;
	struct unseal_stream *in;
	const char *piece;
	size_t left;
	char *url, *host;
	struct outbound out;
	bool broken; /* the file cannot be read */
};

struct pause {
	struct id operation;
	unsigned failures;
	int64_t until; /* monotonic */
};

struct parcels {
	struct server *srv;
	struct id holder;
	pthread_t thread;
	_Atomic bool stop, woken;
	CURLM *multi;
	struct arena *arena;
	struct transfer slot[SLOTS];
	struct pause pause[EXPORT_PARCELS_MAX];
	size_t pauses;
};

/* ---- curl's questions ---- */

static size_t give(char *to, size_t size, size_t count, void *arg)
{
	struct transfer *t = arg;
	size_t n = size * count;
	const void *p;
	if (t->left == 0) {
		if (unseal_read(t->in, &p, &t->left) != OK) {
			t->broken = true;
			return CURL_READFUNC_ABORT;
		}
		t->piece = p;
	}
	n = n < t->left ? n : t->left;
	memcpy(to, t->piece, n);
	t->piece += n;
	t->left -= n;
	return n;
}

/* ---- one transfer ---- */

static void set_options(struct transfer *t, const struct export_parcel *p)
{
	CURL *h = t->curl;
	const char *ca = t->all->srv->storage_ca;
	outbound_guard(h, &t->out, t->url);
	curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, 1L); /* an open connection would not be judged again */
	curl_easy_setopt(h, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)p->bytes);
	curl_easy_setopt(h, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(h, CURLOPT_READDATA, t);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, (long)QUIET_BYTES);
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)QUIET_SECONDS);
	curl_easy_setopt(h, CURLOPT_TIMEOUT, TRANSFER_MAX_S);
	curl_easy_setopt(h, CURLOPT_PRIVATE, t);
	if (ca != NULL && *ca != '\0') {
		curl_easy_setopt(h, CURLOPT_CAINFO, ca);
		curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	}
}

static void release(struct transfer *t)
{
	struct parcels *all = t->all;
	if (t->curl != NULL) {
		curl_multi_remove_handle(all->multi, t->curl);
		curl_easy_cleanup(t->curl);
	}
	curl_slist_free_all(t->headers);
	unseal_close(t->in);
	free(t->url);
	free(t->host);
	*t = (struct transfer){.all = all};
}

static struct pause *pause_of(struct parcels *all, struct id operation)
{
	for (size_t i = 0; i < all->pauses; i++)
		if (id_equal(all->pause[i].operation, operation))
			return &all->pause[i];
	return NULL;
}

static void forget_pause(struct parcels *all, struct id operation)
{
	struct pause *p = pause_of(all, operation);
	if (p != NULL)
		*p = all->pause[--all->pauses];
}

/* failure NULL: it is there. */
static void done(struct parcels *all, struct id tenant, struct id operation, const char *failure)
{
	struct scope s;
	char id[ID_TEXT];
	scope_tenant(&s, all->arena, all->srv->db, all->srv->keeper, tenant);
	forget_pause(all, operation);
	enum err e = export_parcel_done(&s, all->srv->data_dir, operation, failure);
	if (e != OK) /* it stays due */
		log_event(LOG_ERROR, "parcel_not_recorded", "operation=%s error=%s detail=\"%s\"", id_format(operation, id), err_name(e), scope_detail(&s, e));
}

static void try_later(struct parcels *all, struct id operation)
{
	uint32_t random;
	struct pause *p = pause_of(all, operation);
	if (p == NULL && all->pauses < EXPORT_PARCELS_MAX) {
		p = &all->pause[all->pauses++];
		*p = (struct pause){.operation = operation};
	}
	if (p == NULL)
		return;
	random_bytes(&random, sizeof random);
	p->until = clock_monotonic() + sink_backoff_us(++p->failures, random);
}

static void failed(struct parcels *all, struct id tenant, struct id operation, int64_t sealed_at, bool final, const char *reason)
{
	char id[ID_TEXT];
	final = final || clock_now() - sealed_at > GIVE_UP_US;
	log_event(final ? LOG_ERROR : LOG_WARN, "export_not_stored", "operation=%s final=%d reason=\"%s\"", id_format(operation, id), final, reason);
	if (final)
		done(all, tenant, operation, reason);
	else
		try_later(all, operation);
}

/* A status is an answer also where the rest of it was cut off. */
static void judge(struct transfer *t, CURLcode code)
{
	struct parcels *all = t->all;
	long status = 0;
	curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	bool answered = outbound_answered(&t->out, code) || (code == CURLE_SEND_ERROR && status >= 300);
	if (answered && status >= 200 && status < 300)
		done(all, t->tenant, t->operation, NULL);
	else if (t->out.refused)
		failed(all, t->tenant, t->operation, t->sealed_at, true, OUTBOUND_REFUSED);
	else if (t->broken)
		failed(all, t->tenant, t->operation, t->sealed_at, true, "the file of the export cannot be read");
	else if (!answered)
		failed(all, t->tenant, t->operation, t->sealed_at, false, arena_printf(all->arena, "no answer: %s", curl_easy_strerror(code)));
	else
		failed(all, t->tenant, t->operation, t->sealed_at, status >= 300 && status < 500 && status != 408 && status != 425 && status != 429,
		       arena_printf(all->arena, "the storage location answered %ld", status));
	release(t);
}

static enum err begin(struct transfer *t, const struct export_parcel *p)
{
	struct scope s;
	struct target target;
	t->busy = true;
	t->tenant = p->tenant;
	t->operation = p->operation;
	t->sealed_at = p->sealed_at;
	scope_tenant(&s, t->all->arena, t->all->srv->db, t->all->srv->keeper, p->tenant);
	if (!target_https(s.arena, p->location, &target))
		return ERR_BAD_REQUEST;
	TRY(storage_location_allowed(&s, p->location)); /* it may have been taken from the list meanwhile */
	t->url = strdup(p->location);
	t->host = strdup(target.host);
	check(t->url != NULL && t->host != NULL);
	TRY(export_parcel_open(&s, t->all->srv->data_dir, p->operation, &t->in));
	t->headers = curl_slist_append(NULL, "x-ms-blob-type: BlockBlob");
	t->headers = curl_slist_append(t->headers, "Expect:");
	t->headers = curl_slist_append(t->headers, arena_printf(s.arena, "Content-Type: %s", p->type));
	t->curl = curl_easy_init();
	check(t->headers != NULL && t->curl != NULL);
	t->out = (struct outbound){.reach = t->all->srv->reach, .host = t->host};
	set_options(t, p);
	return curl_multi_add_handle(t->all->multi, t->curl) == CURLM_OK ? OK : ERR_INTERNAL;
}

/* ---- the thread ---- */

static struct transfer *slot_for(struct parcels *all, const struct export_parcel *p)
{
	struct transfer *room = NULL;
	unsigned of_tenant = 0;
	for (int i = 0; i < SLOTS; i++) {
		struct transfer *t = &all->slot[i];
		if (!t->busy) {
			room = t;
			continue;
		}
		if (id_equal(t->operation, p->operation))
			return NULL; /* it is under way */
		of_tenant += id_equal(t->tenant, p->tenant);
	}
	return of_tenant < SLOTS_OF_TENANT ? room : NULL;
}

static void start_due(struct parcels *all, const struct export_parcel *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct pause *pause = pause_of(all, list[i].operation);
		struct transfer *t = pause != NULL && pause->until > clock_monotonic() ? NULL : slot_for(all, &list[i]);
		if (t == NULL)
			continue;
		enum err e = begin(t, &list[i]);
		if (e == OK)
			continue;
		release(t);
		failed(all, list[i].tenant, list[i].operation, list[i].sealed_at, e == ERR_BAD_REQUEST || e == ERR_NOT_FOUND || e == ERR_FORBIDDEN,
		       e == ERR_FORBIDDEN     ? "the storage location is not on the organisation's list any more"
		       : e == ERR_BAD_REQUEST ? "the storage location is no https URL"
					      : "the file of the export cannot be read");
	}
}

/* What is no longer due (erased, delivered by another server) is forgotten. */
static void forget_gone(struct parcels *all, const struct export_parcel *list, size_t n)
{
	for (size_t i = all->pauses; i-- > 0;) {
		bool there = false;
		for (size_t k = 0; k < n && !there; k++)
			there = id_equal(list[k].operation, all->pause[i].operation);
		if (!there)
			all->pause[i] = all->pause[--all->pauses];
	}
}

static enum err look(struct parcels *all, struct scope *s)
{
	struct export_parcel *list = arena_alloc(s->arena, EXPORT_PARCELS_MAX * sizeof *list);
	size_t n = 0;
	bool held = true;
	if (db_engine(s->db) == DB_POSTGRES)
		TRY(lease_take(s, LEASE, all->holder, LEASE_SECONDS, &held, NULL));
	if (!held)
		return OK;
	TRY(export_parcels(s, all->srv->data_dir, list, EXPORT_PARCELS_MAX, &n));
	forget_gone(all, list, n);
	start_due(all, list, n);
	return OK;
}

static void look_once(struct parcels *all)
{
	struct scope s;
	scope_system(&s, all->arena, all->srv->db, all->srv->keeper);
	enum err e = look(all, &s);
	if (e != OK)
		log_event(LOG_ERROR, "job_failed", "job=parcels error=%s detail=\"%s\"", err_name(e), scope_detail(&s, e));
	arena_reset(all->arena);
}

static void move(struct parcels *all)
{
	int running, left;
	curl_multi_perform(all->multi, &running);
	for (CURLMsg *m; (m = curl_multi_info_read(all->multi, &left)) != NULL;) {
		struct transfer *t = NULL;
		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode code = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		judge(t, code);
		arena_reset(all->arena);
	}
}

static bool any_busy(const struct parcels *all)
{
	for (int i = 0; i < SLOTS; i++)
		if (all->slot[i].busy)
			return true;
	return false;
}

/* When the database is looked at again: soon where something is under way, is paused, or was committed. */
static int64_t next_look(const struct parcels *all, int64_t looked)
{
	bool soon = all->woken || all->pauses > 0 || any_busy(all);
	return looked + (soon ? LOOK_MS : IDLE_MS) * INT64_C(1000);
}

static void *parcels_main(void *arg)
{
	struct parcels *all = arg;
	int64_t looked = clock_monotonic() - IDLE_MS * INT64_C(1000);
	while (!all->stop) {
		int64_t now = clock_monotonic();
		if (now >= next_look(all, looked)) {
			all->woken = false;
			looked = now;
			look_once(all);
		}
		move(all);
		int64_t wait = next_look(all, looked) - clock_monotonic();
		if (wait > 0)
			curl_multi_poll(all->multi, NULL, 0, (int)(wait / 1000) + 1, NULL);
	}
	for (int i = 0; i < SLOTS; i++)
		if (all->slot[i].busy)
			release(&all->slot[i]);
	return NULL;
}

struct parcels *parcels_start(struct server *srv, struct id holder)
{
	struct parcels *all = calloc(1, sizeof *all);
	check(all != NULL);
	all->srv = srv;
	all->holder = holder;
	all->woken = true;
	all->arena = arena_new(LIMIT_ARENA_BYTES);
	check(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
	all->multi = curl_multi_init();
	check(all->multi != NULL);
	for (int i = 0; i < SLOTS; i++)
		all->slot[i].all = all;
	check(pthread_create(&all->thread, NULL, parcels_main, all) == 0);
	return all;
}

void parcels_wake(struct parcels *p)
{
	if (p != NULL && !atomic_exchange(&p->woken, true))
		curl_multi_wakeup(p->multi);
}

void parcels_stop(struct parcels *p)
{
	struct scope s;
	if (p == NULL)
		return;
	p->stop = true;
	curl_multi_wakeup(p->multi);
	pthread_join(p->thread, NULL);
	scope_system(&s, p->arena, p->srv->db, p->srv->keeper);
	if (db_engine(p->srv->db) == DB_POSTGRES)
		lease_give(&s, LEASE, p->holder);
	curl_multi_cleanup(p->multi);
	arena_free(p->arena);
	free(p);
}
