/* SPDX-License-Identifier: Apache-2.0
 *
 * One report file, made as the server's job makes it (bench/report.sh):
 *
 *     report_make DIR TENANT REPORT csv|json
 *
 * Prints the seconds until the sealed zip is on disk, rows, bytes of the zip, and by how much the process's peak memory grew meanwhile, in
 * KiB.  DIR is one that no server runs on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/limits.h"
#include "devices/reports/job.h"
#include "keeper/keeper.h"

DB_TENANT(bench_report, "SELECT row_count, size_bytes, error FROM report_jobs WHERE tenant_id = ?1 AND job_id = ?2");

struct done {
	struct id job;
	int64_t rows, bytes;
};

static void need(enum err err, const struct scope *s, const char *what)
{
	if (err == OK)
		return;
	fprintf(stderr, "report_make: %s: %s\n", what, s != NULL ? scope_detail(s, err) : err_name(err));
	exit(1);
}

static enum err find_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct done *d = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &bench_report, DB_ARGS(db_v_id(&d->job)), &r));
	d->rows = db_int(r, 0);
	d->bytes = db_int(r, 1);
	return db_is_null(r, 2) ? OK : scope_fail(s, ERR_INTERNAL, "%s", db_text(r, 2));
}

static long peak_kib(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

int main(int argc, char **argv)
{
	struct db *db;
	struct keeper *keeper;
	struct scope s, t;
	struct id tenant;
	struct done d = {0};
	char *detail = NULL, path[4096];
	bool more;
	if (argc != 5 || !id_parse(argv[2], &tenant)) {
		fprintf(stderr, "usage: report_make DIR TENANT REPORT FORMAT\n");
		return 64;
	}
	snprintf(path, sizeof path, "%s/keeper", argv[1]);
	need(keeper_open(path, &keeper, &detail), NULL, detail != NULL ? detail : path);
	snprintf(path, sizeof path, "sqlite:%s/reeve.db", argv[1]);
	need(db_open(&(struct db_options){.url = path}, &db, &detail), NULL, detail != NULL ? detail : path);
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	scope_tenant(&t, arena, db, keeper, tenant);
	need(report_job_request(&t, &(struct report_job_request){.report = argv[3], .format = argv[4]}, &d.job), &t, "request");
	long before = peak_kib();
	int64_t began = clock_monotonic();
	scope_system(&s, arena, db, keeper);
	need(report_jobs_run_pending(&s, argv[1], NULL, &more), &s, "run");
	double made = (double)(clock_monotonic() - began) / (double)SECOND_US;
	need(db_read(&t, find_tx, &d), &t, "the report failed");
	printf("%.3f %lld %lld %ld\n", made, (long long)d.rows, (long long)d.bytes, peak_kib() - before);
	arena_free(arena);
	db_close(db);
	keeper_close(keeper);
	return 0;
}
