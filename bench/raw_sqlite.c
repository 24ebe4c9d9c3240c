/* SPDX-License-Identifier: Apache-2.0
 *
 * The yardstick of bench/changes.sh: a plain SQLite program that inserts the rows of N creations of a group, in batches of 64, each
 * batch on disk (WAL, synchronous=FULL) before the next.  The file is one that `reeve init` made, so tables and indexes are the
 * server's; per change it writes the group, its event, the row of the events that are not yet in the log, and the leaf of the log.
 * It checks nothing, hashes nothing and speaks to nobody.
 *
 *     raw_sqlite FILE CHANGES EVENT_BYTES      prints the seconds that it took
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { BATCH = 64, ID = 16, SALT = 32, COMMITMENT = 32, EVENT_MAX = 64 * 1024 };

static const char *const statements[] = {
	"INSERT INTO groups (tenant_id, group_id, display_name, description, mail_nickname, created_at) VALUES (?1, ?2, ?3, NULL, ?4, ?5)",
	"INSERT INTO audit_events (tenant_id, event_id, at, expires_at, bytes, salt, correlation_id, category, activity_type, operation, "
	"result, component, actor_type, actor_id, actor_name, actor_ip, resource_type, resource_id, resource_name) VALUES (?1, ?2, ?3, ?4, "
	"?5, ?6, ?7, 'Other', 'create Group', 'Create', 'Success', 'Directory', 'Application', ?8, 'Administrator', '127.0.0.1', 'Group', "
	"?9, 'bench group')",
	"INSERT INTO audit_pending (tenant_id, event_id, commitment) VALUES (?1, ?2, ?3)",
	"INSERT INTO audit_leaves (tenant_id, leaf_index, event_id) VALUES (?1, ?2, ?3)",
};
enum { GROUP, EVENT, PENDING, LEAF, STATEMENTS };

struct bench {
	sqlite3 *db;
	sqlite3_stmt *st[STATEMENTS];
	unsigned char tenant[ID], actor[ID], event[EVENT_MAX];
	int event_bytes;
	int64_t leaf;
};

static void need(struct bench *b, int rc)
{
	if (rc == SQLITE_OK || rc == SQLITE_DONE || rc == SQLITE_ROW)
		return;
	fprintf(stderr, "raw_sqlite: %s\n", sqlite3_errmsg(b->db));
	exit(1);
}

static int64_t now_us(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

/* In the order of time, as the server's are: 48 bits of milliseconds, then chance. */
static void new_id(unsigned char out[ID], int64_t at)
{
	int64_t ms = at / 1000;
	if (getrandom(out, ID, 0) != ID)
		exit(1);
	for (int i = 0; i < 6; i++)
		out[i] = (unsigned char)(ms >> (40 - 8 * i));
}

static void blob(struct bench *b, int st, int at, const void *p, int n)
{
	need(b, sqlite3_bind_blob(b->st[st], at, p, n, SQLITE_STATIC));
}

static void integer(struct bench *b, int st, int at, int64_t v)
{
	need(b, sqlite3_bind_int64(b->st[st], at, v));
}

static void run(struct bench *b, int st)
{
	need(b, sqlite3_step(b->st[st]));
	need(b, sqlite3_reset(b->st[st]));
}

static void one_change(struct bench *b)
{
	int64_t at = now_us(CLOCK_REALTIME);
	char name[64], nickname[64];
	unsigned char group[ID], event[ID], salt[SALT], commitment[COMMITMENT];
	new_id(group, at);
	new_id(event, at);
	if (getrandom(salt, sizeof salt, 0) != SALT || getrandom(commitment, sizeof commitment, 0) != COMMITMENT)
		exit(1);
	snprintf(name, sizeof name, "Group 123456789-1-%lld", (long long)b->leaf);
	snprintf(nickname, sizeof nickname, "group%lld", (long long)b->leaf);
	blob(b, GROUP, 2, group, ID);
	need(b, sqlite3_bind_text(b->st[GROUP], 3, name, -1, SQLITE_STATIC));
	need(b, sqlite3_bind_text(b->st[GROUP], 4, nickname, -1, SQLITE_STATIC));
	integer(b, GROUP, 5, at);
	run(b, GROUP);
	blob(b, EVENT, 2, event, ID);
	integer(b, EVENT, 3, at);
	integer(b, EVENT, 4, at + INT64_C(365) * 86400 * 1000000);
	blob(b, EVENT, 5, b->event, b->event_bytes);
	blob(b, EVENT, 6, salt, SALT);
	blob(b, EVENT, 7, event, ID);
	blob(b, EVENT, 8, b->actor, ID);
	blob(b, EVENT, 9, group, ID);
	run(b, EVENT);
	blob(b, PENDING, 2, event, ID);
	blob(b, PENDING, 3, commitment, COMMITMENT);
	run(b, PENDING);
	integer(b, LEAF, 2, b->leaf++);
	blob(b, LEAF, 3, event, ID);
	run(b, LEAF);
}

static void open_file(struct bench *b, const char *path)
{
	sqlite3_stmt *st;
	need(b, sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READWRITE, NULL));
	need(b, sqlite3_exec(b->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16000", NULL, NULL, NULL));
	need(b, sqlite3_prepare_v2(b->db, "SELECT coalesce(max(leaf_index), 1000000) + 1 FROM audit_leaves", -1, &st, NULL));
	need(b, sqlite3_step(st));
	b->leaf = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	for (int i = 0; i < STATEMENTS; i++) {
		need(b, sqlite3_prepare_v2(b->db, statements[i], -1, &b->st[i], NULL));
		blob(b, i, 1, b->tenant, ID);
	}
}

int main(int argc, char **argv)
{
	static struct bench b;
	long changes = argc == 4 ? atol(argv[2]) : 0;
	b.event_bytes = argc == 4 ? atoi(argv[3]) : 0;
	if (changes <= 0 || b.event_bytes <= 0 || b.event_bytes > EVENT_MAX) {
		fprintf(stderr, "usage: raw_sqlite FILE CHANGES EVENT_BYTES\n");
		return 64;
	}
	memset(b.event, 'e', sizeof b.event);
	memset(b.tenant, 't', ID);
	memset(b.actor, 'a', ID);
	open_file(&b, argv[1]);
	int64_t began = now_us(CLOCK_MONOTONIC);
	for (long i = 0; i < changes; i++) {
		if (i % BATCH == 0)
			need(&b, sqlite3_exec(b.db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
		one_change(&b);
		if (i % BATCH == BATCH - 1 || i == changes - 1)
			need(&b, sqlite3_exec(b.db, "COMMIT", NULL, NULL, NULL));
	}
	printf("%.6f\n", (double)(now_us(CLOCK_MONOTONIC) - began) / 1e6);
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(b.st[i]);
	sqlite3_close(b.db);
	return 0;
}
