/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills the log of a tenant for the benches:  fill_log DIR N DAYS
 *
 * N events through audit_record(), so that each has its bytes, salt, commitment and place in the tiles, spread over 300 days of which the first
 * was DAYS ago: by 50 applications, about 1,000 people, of every category.  DIR is one that `reeve init` made and no server runs on; the server
 * signs at its start.  `fill_log DIR expire` removes what has expired, as the server's job does, and scrubs the files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/log/log.h"
#include "audit/audit_retention.h"
#include "base/clock.h"
#include "base/limits.h"
#include "keeper/keeper.h"

/* A batch whose pages do not fit the writer's cache is slow: SQLite looks for one to spill at each step. */
enum { BATCH = 512, DAYS_SPREAD = 300, ACTORS = 50, SUBJECTS = 1000 };

DB_GLOBAL(bench_tenant, "SELECT tenant_id FROM tenants ORDER BY tenant_id DESC LIMIT 1"); /* the other is the installation, nil */

static struct bench {
	struct db *db;
	struct keeper *keeper;
	struct arena *arena;
	struct id tenant;
	int64_t n, next, first, step; /* events; microseconds */
} B;

static void need(enum err err, const struct scope *s, const char *what)
{
	if (err == OK)
		return;
	fprintf(stderr, "fill_log: %s: %s\n", what, s != NULL ? scope_detail(s, err) : err_name(err));
	exit(1);
}

/* "00000000-0000-7000-8000-<kind><number>" */
static struct id made_up(uint8_t kind, unsigned number)
{
	struct id id = {.b = {[6] = 0x70, [8] = 0x80, [10] = kind, [14] = (uint8_t)(number >> 8), [15] = (uint8_t)number}};
	return id;
}

static enum err one_event(struct scope *s, struct db_tx *tx, int64_t i)
{
	char name[64], actor[32];
	struct audit_change *changes = NULL, **tail = &changes;
	unsigned who = (unsigned)(i % ACTORS), whom = (unsigned)(i * 7919 % SUBJECTS);
	s->now = B.first + i * B.step;
	s->ids = 0;
	snprintf(actor, sizeof actor, "Application %u", who);
	snprintf(name, sizeof name, "Thing %lld of person %u", (long long)i, whom);
	s->actor = (struct actor){.type = ACTOR_APPLICATION, .id = made_up(0xa, who), .name = actor, .ip = "192.0.2.17",
				  .permissions = "DeviceManagementManagedDevices.ReadWrite.All User.ReadWrite.All"};
	s->correlation = scope_id(s);
	tail = audit_change_add(s->arena, tail, "displayName", "groups", "display_name", "Something else", name);
	audit_change_add(s->arena, tail, "mailNickname", "groups", "mail_nickname", NULL, "nickname");
	struct audit_event e = {.activity = (enum activity)(1 + i % (ACT_COUNT - 1)), .resource_type = "Group", .resource = scope_id(s),
				.resource_name = name, .subject = made_up(0xb, whom), .changes = changes};
	return audit_record(tx, &e);
}

static enum err one_batch(struct scope *s, struct db_tx *tx, void *arg)
{
	for (int64_t i = B.next; i < B.n && i < B.next + BATCH; i++) {
		struct arena_mark mark = arena_mark(s->arena);
		TRY(one_event(s, tx, i));
		arena_rewind(s->arena, mark);
	}
	return OK;
}

static void fill(int64_t n, int64_t days)
{
	struct scope s;
	bool more = true;
	B.n = n;
	B.first = clock_now() - days * DAY_US;
	B.step = DAYS_SPREAD * DAY_US / n;
	for (; B.next < n; B.next += BATCH) {
		scope_tenant(&s, B.arena, B.db, B.keeper, B.tenant);
		need(db_write(&s, one_batch, NULL), &s, "events");
		arena_reset(B.arena);
	}
	while (more) {
		scope_system(&s, B.arena, B.db, B.keeper);
		need(audit_integrate(&s, &more), &s, "tiles");
		arena_reset(B.arena);
	}
}

static void expire(void)
{
	struct scope s;
	uint64_t removed;
	scope_tenant(&s, B.arena, B.db, B.keeper, B.tenant);
	need(audit_expire(&s, &removed), &s, "retention");
	arena_reset(B.arena);
	scope_system(&s, B.arena, B.db, B.keeper);
	need(audit_scrub(&s), &s, "scrub");
	printf("%llu\n", (unsigned long long)removed);
}

static enum err find_tenant(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &bench_tenant, DB_NOARGS, &r));
	B.tenant = db_id(r, 0);
	return OK;
}

static void open_all(const char *dir)
{
	char *detail = NULL, path[4096];
	struct scope s;
	snprintf(path, sizeof path, "%s/keeper", dir);
	need(keeper_open(path, &B.keeper, &detail), NULL, detail != NULL ? detail : path);
	snprintf(path, sizeof path, "sqlite:%s/reeve.db", dir);
	need(db_open(&(struct db_options){.url = path}, &B.db, &detail), NULL, detail != NULL ? detail : path);
	B.arena = arena_new(LIMIT_ARENA_BYTES);
	scope_system(&s, B.arena, B.db, B.keeper);
	need(db_read(&s, find_tenant, NULL), &s, "the tenant");
	arena_reset(B.arena);
}

int main(int argc, char **argv)
{
	bool expires = argc == 3 && strcmp(argv[2], "expire") == 0;
	if (!expires && (argc != 4 || atoll(argv[2]) <= 0 || atoll(argv[3]) <= 0)) {
		fprintf(stderr, "usage: fill_log DIR N DAYS | fill_log DIR expire\n");
		return 64;
	}
	open_all(argv[1]);
	if (expires)
		expire();
	else
		fill(atoll(argv[2]), atoll(argv[3]));
	arena_free(B.arena);
	db_close(B.db);
	keeper_close(B.keeper);
	return 0;
}
