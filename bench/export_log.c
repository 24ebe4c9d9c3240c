/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of the whole of the largest log, made as the server's job makes it and then read as a download reads it (bench/export.sh):
 *
 *     export_log DIR csv|ndjson|ocsf|archive
 *
 * Prints the seconds until the sealed file is on disk, the seconds that reading it back took, events, bytes of the file, and by how much the
 * process's peak memory grew meanwhile, in KiB.  DIR is one that no server runs on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "audit/out/export.h"
#include "audit/log/log.h"
#include "base/clock.h"
#include "base/limits.h"
#include "keeper/keeper.h"

DB_GLOBAL(bench_tenant, "SELECT tenant_id FROM audit_heads ORDER BY size DESC LIMIT 1");
DB_TENANT(bench_export, "SELECT events, size_bytes FROM audit_exports WHERE tenant_id = ?1 AND export_id = ?2 AND status = 'completed'");

struct done {
	struct id export;
	int64_t events, bytes;
};

static struct db *DB;
static struct keeper *KEEPER;
static struct arena *ARENA;

static void need(enum err err, const struct scope *s, const char *what)
{
	if (err == OK)
		return;
	fprintf(stderr, "export_log: %s: %s\n", what, s != NULL ? scope_detail(s, err) : err_name(err));
	exit(1);
}

static enum err find_tenant(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &bench_tenant, DB_NOARGS, &r));
	*(struct id *)arg = db_id(r, 0);
	return OK;
}

static enum err find_export(struct scope *s, struct db_tx *tx, void *arg)
{
	struct done *d = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &bench_export, DB_ARGS(db_v_id(&d->export)), &r));
	d->events = db_int(r, 0);
	d->bytes = db_int(r, 1);
	return OK;
}

static void sequence(const char *host)
{
	struct scope s;
	for (bool more = true; more;) {
		scope_system(&s, ARENA, DB, KEEPER);
		need(audit_sequence(&s, host, &more), &s, "sequence");
		arena_reset(ARENA);
	}
}

static long peak_kib(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static double seconds_since(int64_t began)
{
	return (double)(clock_monotonic() - began) / (double)SECOND_US;
}

static void open_all(const char *dir)
{
	char *detail = NULL, path[4096];
	snprintf(path, sizeof path, "%s/keeper", dir);
	need(keeper_open(path, &KEEPER, &detail), NULL, detail != NULL ? detail : path);
	snprintf(path, sizeof path, "sqlite:%s/reeve.db", dir);
	need(db_open(&(struct db_options){.url = path}, &DB, &detail), NULL, detail != NULL ? detail : path);
	ARENA = arena_new(LIMIT_ARENA_BYTES);
}

static int64_t download(struct scope *s, const char *dir, struct id export)
{
	struct audit_export_file f;
	const void *p;
	size_t n = 1;
	int64_t bytes = 0;
	need(audit_export_open(s, dir, export, &f), s, "open");
	for (; n > 0; bytes += (int64_t)n)
		if (!audit_export_read(f.stream, &p, &n))
			need(ERR_IO, NULL, "read");
	audit_export_close(f.stream);
	return bytes;
}

int main(int argc, char **argv)
{
	static const char host[] = "127.0.0.1";
	struct id tenant;
	struct done d = {0};
	struct scope s, t;
	bool more;
	if (argc != 3) {
		fprintf(stderr, "usage: export_log DIR FORMAT\n");
		return 64;
	}
	open_all(argv[1]);
	scope_system(&s, ARENA, DB, KEEPER);
	need(db_read(&s, find_tenant, &tenant), &s, "tenant");
	scope_tenant(&t, ARENA, DB, KEEPER, tenant);
	need(audit_export_request(&t, &(struct audit_export_request){.format = argv[2], .until = INT64_MAX}, &d.export), &t, "request");
	sequence(host);
	long before = peak_kib();
	int64_t began = clock_monotonic();
	scope_system(&s, ARENA, DB, KEEPER);
	need(audit_export_run_pending(&s, &(struct audit_export_job){.data_dir = argv[1], .host = host}, &more), &s, "run");
	double made = seconds_since(began);
	scope_tenant(&t, ARENA, DB, KEEPER, tenant);
	need(db_read(&t, find_export, &d), &t, "the export failed");
	began = clock_monotonic();
	if (download(&t, argv[1], d.export) != d.bytes)
		need(ERR_IO, NULL, "the file is short");
	printf("%.3f %.3f %lld %lld %ld\n", made, seconds_since(began), (long long)d.events, (long long)d.bytes, peak_kib() - before);
	arena_free(ARENA);
	db_close(DB);
	keeper_close(KEEPER);
	return 0;
}
