/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's own cost at the db layer (bench/log_cost.sh): N creations of a group, from 32 threads through db_write(), each with its event.
 *
 *     log_cost DIR event|rows|log N      prints the CPU seconds and the wall seconds that it took
 *
 * event: the group and the event's row.  rows: also the two rows by which an event waits and has its place, as bench/raw_sqlite writes
 * them.  log: audit_record() itself (salt, HMAC), with the sequencer at work beside it (tiles, keeper, checkpoint), until the last event is
 * under a checkpoint.  DIR is one that `reeve init` made.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "audit/audit_internal.h"
#include "audit/log/log.h"
#include "base/clock.h"
#include "base/limits.h"
#include "keeper/keeper.h"

enum { THREADS = 32 };

DB_TENANT(bench_group, "INSERT INTO groups (tenant_id, group_id, display_name, mail_nickname, created_at) VALUES (?1, ?2, ?3, ?4, ?5)");
DB_TENANT(bench_pending, "INSERT INTO audit_pending (tenant_id, event_id, commitment) VALUES (?1, ?2, ?3)");
DB_TENANT(bench_leaf, "INSERT INTO audit_leaves (tenant_id, leaf_index, event_id) VALUES (?1, ?2, ?3)");
DB_GLOBAL(bench_tenant, "SELECT tenant_id, (SELECT coalesce(max(leaf_index), 1000000) + 1 FROM audit_leaves) FROM tenants ORDER BY tenant_id DESC LIMIT 1");

static struct bench {
	struct db *db;
	struct keeper *keeper;
	struct id tenant;
	enum { EVENT, ROWS, LOG } mode;
	long n;
	int64_t first; /* place in the log of the first event: behind those that are there */
	atomic_long next;
	atomic_bool done;
	char permissions[1200];
} B;

static void need(enum err err, const char *what)
{
	if (err == OK)
		return;
	fprintf(stderr, "log_cost: %s: %s\n", what, err_name(err));
	exit(1);
}

static enum err rows_only(struct db_tx *tx, const struct audit_event *e, long i)
{
	static const uint8_t none[AUDIT_SALT_BYTES];
	struct audit_row row = {.e = e};
	enum err err = audit_row_make(tx, e, &row);
	if (err == OK)
		err = audit_row_insert(tx, &row, none);
	if (err == OK && B.mode == ROWS)
		err = db_exec(tx, &bench_pending, DB_ARGS(db_v_id(&row.event), db_v_blob(none, sizeof none)), NULL);
	if (err == OK && B.mode == ROWS)
		err = db_exec(tx, &bench_leaf, DB_ARGS(db_v_int(B.first + i), db_v_id(&row.event)), NULL);
	buf_release(&row.bytes);
	return err;
}

static enum err one_change(struct scope *s, struct db_tx *tx, void *arg)
{
	char name[64];
	struct id group = scope_id(s);
	struct audit_change *changes = NULL, **tail = &changes;
	snprintf(name, sizeof name, "Group 123456789-1-%ld", *(long *)arg);
	TRY(db_exec(tx, &bench_group, DB_ARGS(db_v_id(&group), db_v_text(name), db_v_text(name), db_v_int(s->now)), NULL));
	tail = audit_change_add(s->arena, tail, "displayName", "groups", "display_name", NULL, name);
	audit_change_add(s->arena, tail, "mailNickname", "groups", "mail_nickname", NULL, name);
	struct audit_event e = {.activity = ACT_GROUP_CREATE, .resource_type = "Group", .resource = group, .resource_name = name, .changes = changes};
	return B.mode == LOG ? audit_record(tx, &e) : rows_only(tx, &e, *(long *)arg);
}

static void *writer(void *arg)
{
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	for (long i = B.next++; i < B.n; i = B.next++) {
		struct scope s;
		scope_tenant(&s, arena, B.db, B.keeper, B.tenant);
		s.actor = (struct actor){.type = ACTOR_APPLICATION, .id = B.tenant, .name = "Administrator", .ip = "127.0.0.1", .permissions = B.permissions};
		need(db_write(&s, one_change, &i), "a change");
		arena_reset(arena);
	}
	arena_free(arena);
	return arg;
}

static void *sequencer(void *arg)
{
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	bool more = false, last = false;
	while (B.mode == LOG && !(last && !more)) {
		struct timespec tick = {.tv_nsec = more ? 0 : 250 * 1000 * 1000};
		struct scope s;
		nanosleep(&tick, NULL);
		last = B.done;
		scope_system(&s, arena, B.db, B.keeper);
		need(audit_sequence(&s, "bench.example", &more), "sequencing");
		arena_reset(arena);
	}
	arena_free(arena);
	return arg;
}

static enum err find_tenant(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &bench_tenant, DB_NOARGS, &r));
	B.tenant = db_id(r, 0);
	B.first = db_int(r, 1);
	return OK;
}

static void open_all(const char *dir)
{
	char *detail = NULL, path[4096];
	snprintf(path, sizeof path, "%s/keeper", dir);
	need(keeper_open(path, &B.keeper, &detail), detail != NULL ? detail : path);
	snprintf(path, sizeof path, "sqlite:%s/reeve.db", dir);
	need(db_open(&(struct db_options){.url = path}, &B.db, &detail), detail != NULL ? detail : path);
	struct arena *arena = arena_new(MIB);
	struct scope s;
	scope_system(&s, arena, B.db, B.keeper);
	need(db_read(&s, find_tenant, NULL), "the tenant");
	arena_free(arena);
	for (int i = 0; i < 30; i++) /* an administrator's */
		strcat(B.permissions, i == 0 ? "DeviceManagementApps.ReadWrite.All" : " DeviceManagementApps.ReadWrite.All");
}

static double cpu_seconds(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS], ticker;
	if (argc != 4 || atol(argv[3]) <= 0) {
		fprintf(stderr, "usage: log_cost DIR event|rows|log N\n");
		return 64;
	}
	B.mode = strcmp(argv[2], "log") == 0 ? LOG : strcmp(argv[2], "rows") == 0 ? ROWS : EVENT;
	B.n = atol(argv[3]);
	open_all(argv[1]);
	int64_t began = clock_monotonic();
	double cpu = cpu_seconds();
	check(pthread_create(&ticker, NULL, sequencer, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, writer, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	B.done = true;
	pthread_join(ticker, NULL);
	printf("%.6f %.6f\n", cpu_seconds() - cpu, (double)(clock_monotonic() - began) / 1e6);
	db_close(B.db);
	keeper_close(B.keeper);
	return 0;
}
