/* SPDX-License-Identifier: Apache-2.0
 *
 * How long writers wait while the store is scrubbed and scanned:  scrub_wait DIR SECONDS
 *
 * DIR is one that fill_log filled and no server runs on.  Two writers commit an event each in a loop, for SECONDS alone and then as long as
 * ROUNDS scrubs and scans take, each for the identifiers of 64 people.  Prints, in milliseconds: p99 and longest wait alone, p99 and longest wait
 * during, the median of a scrub and of a scan, commits a second alone and during, and the file's MiB.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "keeper/keeper.h"

enum { WRITERS = 2, WAITS_MAX = 1 << 20, PEOPLE = 64, NEEDLES = 3 * PEOPLE, ROUNDS = 5 };
enum phase { ALONE, DURING, PHASES, END };

DB_GLOBAL(bench_tenant_of_wait, "SELECT tenant_id FROM tenants ORDER BY tenant_id DESC LIMIT 1"); /* the other is the installation, nil */

struct writer {
	pthread_t thread;
	int64_t *waits[PHASES];
	size_t n[PHASES];
};

static struct db *db;
static struct keeper *keeper;
static struct id tenant;
static _Atomic int phase;

static void need(enum err err, const struct scope *s, const char *what)
{
	if (err == OK)
		return;
	fprintf(stderr, "scrub_wait: %s: %s\n", what, s != NULL ? scope_detail(s, err) : err_name(err));
	exit(1);
}

static enum err one_event(struct scope *s, struct db_tx *tx, void *arg)
{
	struct audit_change *changes = NULL;
	audit_change_add(s->arena, &changes, "displayName", "groups", "display_name", "before", "after");
	s->actor = (struct actor){.type = ACTOR_APPLICATION, .id = scope_id(s), .name = "Application", .ip = "192.0.2.17"};
	s->correlation = scope_id(s);
	return audit_record(tx, &(struct audit_event){.activity = (enum activity)1, .resource_type = "Group", .resource = scope_id(s),
						      .resource_name = "a group", .changes = changes});
}

static void *write_on(void *arg)
{
	struct writer *w = arg;
	struct scope s;
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	for (int at; (at = atomic_load(&phase)) != END;) {
		scope_tenant(&s, a, db, keeper, tenant);
		int64_t began = clock_monotonic();
		need(db_write(&s, one_event, NULL), &s, "an event");
		if (w->n[at] < WAITS_MAX)
			w->waits[at][w->n[at]++] = clock_monotonic() - began;
		arena_reset(a);
	}
	arena_free(a);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

/* All writers' waits of one phase, in order. */
static int64_t *waits_of(struct writer *w, enum phase at, size_t *ret_n)
{
	int64_t *all = malloc(WRITERS * WAITS_MAX * sizeof *all);
	*ret_n = 0;
	for (int i = 0; i < WRITERS; i++) {
		memcpy(all + *ret_n, w[i].waits[at], w[i].n[at] * sizeof *all);
		*ret_n += w[i].n[at];
	}
	qsort(all, *ret_n, sizeof *all, by_size);
	return all;
}

/* Ids of fill_log's people, as bytes and as text, and what is nowhere. */
static void needles_make(struct arena *a, struct db_needle *needles)
{
	for (int i = 0; i < PEOPLE; i++) {
		struct id id = {.b = {[6] = 0x70, [8] = 0x80, [10] = 0xb, [15] = (uint8_t)i}};
		char *text = arena_alloc(a, ID_TEXT);
		needles[3 * i] = (struct db_needle){arena_memdup(a, id.b, sizeof id.b), sizeof id.b, 0};
		needles[3 * i + 1] = (struct db_needle){id_format(id, text), ID_TEXT - 1, 0};
		needles[3 * i + 2] = (struct db_needle){arena_printf(a, "nobody%d@example.org", i), strlen("nobody1@example.org"), 0};
	}
}

static void rounds(int64_t *scrubs, int64_t *scans)
{
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	struct db_needle needles[NEEDLES];
	struct db_hit *hits;
	size_t n;
	needles_make(a, needles);
	for (int i = 0; i < ROUNDS; i++) {
		int64_t began = clock_monotonic();
		need(db_scrub(db, NULL, 0), NULL, "scrub");
		int64_t scrubbed = clock_monotonic();
		need(db_scan_tables(db, a, needles, NEEDLES, &hits, &n), NULL, "scan");
		scans[i] = clock_monotonic() - scrubbed;
		scrubs[i] = scrubbed - began;
		check(n > 0);
	}
	qsort(scrubs, ROUNDS, sizeof *scrubs, by_size);
	qsort(scans, ROUNDS, sizeof *scans, by_size);
	arena_free(a);
}

static enum err find_tenant(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &bench_tenant_of_wait, DB_NOARGS, &r));
	tenant = db_id(r, 0);
	return OK;
}

static void open_all(const char *dir, char path[4096])
{
	char *detail = NULL;
	struct scope s;
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	snprintf(path, 4096, "%s/keeper", dir);
	need(keeper_open(path, &keeper, &detail), NULL, detail != NULL ? detail : path);
	snprintf(path, 4096, "sqlite:%s/reeve.db", dir);
	need(db_open(&(struct db_options){.url = path}, &db, &detail), NULL, detail != NULL ? detail : path);
	scope_system(&s, a, db, keeper);
	need(db_read(&s, find_tenant, NULL), &s, "the tenant");
	arena_free(a);
}

static double ms(int64_t us) { return (double)us / 1000; }

static void say(struct writer *w, enum phase at)
{
	size_t n;
	int64_t *all = waits_of(w, at, &n);
	check(n > 0);
	printf("%.2f %.2f ", ms(all[n * 99 / 100]), ms(all[n - 1]));
	free(all);
}

int main(int argc, char **argv)
{
	char path[4096];
	struct stat st;
	static struct writer w[WRITERS];
	int64_t scrubs[ROUNDS], scans[ROUNDS];
	if (argc != 3 || atoi(argv[2]) <= 0) {
		fprintf(stderr, "usage: scrub_wait DIR SECONDS\n");
		return 64;
	}
	open_all(argv[1], path);
	for (int i = 0; i < WRITERS; i++) {
		for (int at = 0; at < PHASES; at++)
			w[i].waits[at] = malloc(WAITS_MAX * sizeof **w[i].waits);
		check(pthread_create(&w[i].thread, NULL, write_on, &w[i]) == 0);
	}
	nanosleep(&(struct timespec){.tv_sec = atoi(argv[2])}, NULL);
	int64_t began = clock_monotonic();
	atomic_store(&phase, DURING);
	rounds(scrubs, scans);
	double seconds = (double)(clock_monotonic() - began) / SECOND_US;
	atomic_store(&phase, END);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(w[i].thread, NULL);
	say(w, ALONE);
	say(w, DURING);
	check(stat(path + strlen("sqlite:"), &st) == 0);
	printf("%.1f %.1f %.0f %.0f %lld\n", ms(scrubs[ROUNDS / 2]), ms(scans[ROUNDS / 2]), (double)(w[0].n[ALONE] + w[1].n[ALONE]) / atoi(argv[2]),
	       (double)(w[0].n[DURING] + w[1].n[DURING]) / seconds, (long long)st.st_size >> 20);
	db_close(db);
	keeper_close(keeper);
	return 0;
}
