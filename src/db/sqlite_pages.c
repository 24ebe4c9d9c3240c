/* SPDX-License-Identifier: Apache-2.0
 *
 * In which table a byte string stands: the file is read page by page, and the dbstat table says whose each page is.  A
 * byte scan (scan.c) says only that something is left; this says where, so that what may stay (an audit event within
 * its retention) can be told from what may not.
 *
 * Runs on the writer's thread with the WAL moved into the file, so that the file is the whole store and does not change
 * under the scan: commits wait for it, as they wait for the VACUUM that goes before it.  Memory: two bytes a page.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/sqlite_internal.h"

enum { BUCKETS = 1 << 14, OWNERS_MAX = 512, TAIL = 4 };

struct page_scan {
	struct db_needle *needles;
	size_t n;
	struct db_hit *hits; /* room for `room` */
	size_t room, found;
	char owner[OWNERS_MAX][sizeof((struct db_hit *)0)->table]; /* 0: no table */
	size_t owners;
	uint16_t *page_owner;
	size_t pages, page_size;
	int32_t bucket[BUCKETS]; /* by the last four bytes: identifiers made at one time begin alike */
	int32_t *next;
};

static uint32_t tail_hash(const unsigned char *end)
{
	uint32_t v;
	memcpy(&v, end - TAIL, TAIL);
	return (v * UINT32_C(2654435761)) >> (32 - 14);
}

static enum err needles_index(struct page_scan *p)
{
	p->next = calloc(p->n + 1, sizeof *p->next);
	if (p->next == NULL)
		return ERR_UNAVAILABLE;
	memset(p->bucket, -1, sizeof p->bucket);
	for (size_t i = 0; i < p->n; i++) {
		check(p->needles[i].n >= TAIL);
		p->needles[i].hits = 0;
		uint32_t h = tail_hash((const unsigned char *)p->needles[i].p + p->needles[i].n);
		p->next[i] = p->bucket[h];
		p->bucket[h] = (int32_t)i;
	}
	return OK;
}

/* ---- whose page ---- */

static uint16_t owner_of(struct page_scan *p, const char *table)
{
	for (size_t i = 1; i < p->owners; i++)
		if (strcmp(p->owner[i], table) == 0)
			return (uint16_t)i;
	if (p->owners == OWNERS_MAX || strlen(table) >= sizeof p->owner[0])
		return 0;
	memcpy(p->owner[p->owners], table, strlen(table) + 1);
	return (uint16_t)p->owners++;
}

static int64_t pragma(struct sq_conn *c, const char *sql)
{
	int64_t v = 0;
	sqlite3_stmt *st = NULL;
	if (sqlite3_prepare_v2(c->h, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* An index counts as its table.  The schema's own pages have a name of their own. */
static enum err pages_map(struct page_scan *p, struct sq_conn *c)
{
	static const char sql[] = "SELECT s.pageno, coalesce(m.tbl_name, s.name) FROM dbstat s LEFT JOIN sqlite_schema "
				  "m ON m.name = s.name";
	sqlite3_stmt *st = NULL;
	p->owners = 1;
	p->page_size = (size_t)pragma(c, "PRAGMA page_size");
	p->pages = (size_t)pragma(c, "PRAGMA page_count");
	p->page_owner = calloc(p->pages + 1, sizeof *p->page_owner);
	if (p->page_owner == NULL)
		return ERR_UNAVAILABLE;
	if (sqlite3_prepare_v2(c->h, sql, -1, &st, NULL) != SQLITE_OK)
		return sq_error(c);
	int rc;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		int64_t page = sqlite3_column_int64(st, 0);
		if (page >= 1 && (size_t)page <= p->pages)
			p->page_owner[page] = owner_of(p, (const char *)sqlite3_column_text(st, 1));
	}
	enum err e = rc == SQLITE_DONE ? OK : sq_error(c);
	sqlite3_finalize(st);
	return e;
}

/* ---- the pages ---- */

static enum err hit(struct page_scan *p, size_t needle, uint16_t owner)
{
	p->needles[needle].hits++;
	for (size_t i = 0; i < p->found; i++)
		if (p->hits[i].needle == needle && strcmp(p->hits[i].table, p->owner[owner]) == 0) {
			p->hits[i].hits++;
			return OK;
		}
	if (p->found == p->room) {
		size_t room = p->room == 0 ? 64 : 2 * p->room;
		struct db_hit *more = realloc(p->hits, room * sizeof *more);
		if (more == NULL)
			return ERR_UNAVAILABLE;
		p->hits = more;
		p->room = room;
	}
	struct db_hit *h = &p->hits[p->found++];
	*h = (struct db_hit){.needle = needle, .hits = 1};
	memcpy(h->table, p->owner[owner], sizeof h->table);
	return OK;
}

static enum err page_search(struct page_scan *p, const unsigned char *page, uint16_t owner)
{
	for (size_t end = TAIL; end <= p->page_size; end++)
		for (int32_t k = p->bucket[tail_hash(page + end)]; k >= 0; k = p->next[k]) {
			const struct db_needle *needle = &p->needles[k];
			if (needle->n <= end && memcmp(page + end - needle->n, needle->p, needle->n) == 0)
				TRY(hit(p, (size_t)k, owner));
		}
	return OK;
}

static bool page_read(int fd, unsigned char *page, size_t n, off_t at)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = pread(fd, page + got, n - got, at + (off_t)got);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		got += (size_t)r;
	}
	return true;
}

static enum err pages_search(struct page_scan *p, int fd)
{
	unsigned char *page = malloc(p->page_size);
	enum err e = page == NULL ? ERR_UNAVAILABLE : OK;
	for (size_t i = 1; i <= p->pages && e == OK; i++)
		e = page_read(fd, page, p->page_size, (off_t)((i - 1) * p->page_size))
			    ? page_search(p, page, p->page_owner[i])
			    : ERR_IO;
	free(page);
	return e;
}

/* ---- on the writer's thread ---- */

static enum err scan_job(struct sq_db *d, void *arg)
{
	struct page_scan *p = arg;
	TRY(sq_wal_empty(d));
	TRY(pages_map(p, &d->writer));
	return pages_search(p, d->scan_fd);
}

enum err db_scan_tables(struct db *db, struct arena *a, struct db_needle *needles, size_t n, struct db_hit **ret,
			size_t *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	if (db->engine != DB_SQLITE)
		return ERR_NOT_IMPLEMENTED;
	struct page_scan *p = calloc(1, sizeof *p);
	if (p == NULL)
		return ERR_UNAVAILABLE;
	p->needles = needles;
	p->n = n;
	enum err e = needles_index(p);
	if (e == OK)
		e = sq_maintain((struct sq_db *)db, scan_job, p);
	if (e == OK && p->found > 0) {
		*ret = arena_memdup(a, p->hits, p->found * sizeof *p->hits);
		*ret_n = p->found;
	}
	free(p->hits);
	free(p->page_owner);
	free(p->next);
	free(p);
	return e;
}

/* ---- a file that stands still ---- */

struct frozen {
	db_frozen_fn fn;
	void *arg;
};

static enum err frozen_job(struct sq_db *d, void *arg)
{
	struct frozen *f = arg;
	TRY(sq_wal_empty(d));
	uint64_t page = (uint64_t)pragma(&d->writer, "PRAGMA page_size");
	return f->fn(f->arg, d->scan_fd, (uint64_t)pragma(&d->writer, "PRAGMA page_count") * page, (size_t)page);
}

enum err db_frozen(struct db *db, db_frozen_fn fn, void *arg)
{
	if (db->engine != DB_SQLITE)
		return ERR_NOT_IMPLEMENTED;
	return sq_maintain((struct sq_db *)db, frozen_job, &(struct frozen){fn, arg});
}
