/* SPDX-License-Identifier: Apache-2.0
 *
 * Two readers of every page (sqlite_walk.h): one that looks for byte strings and says in which table each stands, alive or in dead space, so that
 * what may stay (an audit event within its retention) can be told from what may not; and one that zeroes dead space in place.
 *
 * Both run on the caller's thread while the file stands still.  Whatever SQLite reads meanwhile, it never reads a dead byte, and no page of the
 * file is otherwise written: a crash in the middle leaves some bytes zero that meant nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/sqlite_page.h"
#include "db/sqlite_walk.h"

enum { BUCKETS = 1 << 14, TAIL = 4 };

struct search {
	struct db_needle *needles;
	size_t n, longest;
	struct db_hit *hits; /* room for `room` */
	size_t room, found;
	int32_t bucket[BUCKETS]; /* by the last four bytes: identifiers made at one time begin alike */
	int32_t *next;
	unsigned char *window; /* the end of the page before and a page */
	bool dead;
};

static uint32_t tail_hash(const unsigned char *end)
{
	uint32_t v;
	memcpy(&v, end - TAIL, TAIL);
	return (v * UINT32_C(2654435761)) >> (32 - 14);
}

static enum err needles_index(struct search *p)
{
	p->next = calloc(p->n + 1, sizeof *p->next);
	if (p->next == NULL)
		return ERR_UNAVAILABLE;
	memset(p->bucket, -1, sizeof p->bucket);
	for (size_t i = 0; i < p->n; i++) {
		check(p->needles[i].n >= TAIL);
		p->needles[i].hits = 0;
		if (p->needles[i].n > p->longest)
			p->longest = p->needles[i].n;
		uint32_t h = tail_hash((const unsigned char *)p->needles[i].p + p->needles[i].n);
		p->next[i] = p->bucket[h];
		p->bucket[h] = (int32_t)i;
	}
	p->window = malloc(p->longest + SQ_PAGE_MAX);
	return p->window == NULL ? ERR_UNAVAILABLE : OK;
}

/* ---- looking ---- */

static enum err hit(struct search *p, size_t needle, const char *table, bool dead)
{
	p->needles[needle].hits++;
	p->dead |= dead;
	for (size_t i = 0; i < p->found; i++)
		if (p->hits[i].needle == needle && p->hits[i].dead == dead && strcmp(p->hits[i].table, table) == 0) {
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
	*h = (struct db_hit){.needle = needle, .dead = dead, .hits = 1};
	memcpy(h->table, table, strlen(table) + 1);
	return OK;
}

/* A copy of which any byte is dead is none that a row holds. */
static bool all_live(const struct sq_seen *seen, size_t at, size_t n)
{
	return memchr(seen->live + at, 0, n) == NULL;
}

/* The window holds `before_n` bytes of the piece before, then the page from its `begin`; what ends among the first was seen there. */
static enum err window_search(struct search *p, const struct sq_seen *seen, const unsigned char *w, size_t len)
{
	for (size_t end = seen->before_n + 1 > TAIL ? seen->before_n + 1 : TAIL; end <= len; end++)
		for (int32_t k = p->bucket[tail_hash(w + end)]; k >= 0; k = p->next[k]) {
			const struct db_needle *needle = &p->needles[k];
			if (needle->n > end || memcmp(w + end - needle->n, needle->p, needle->n) != 0)
				continue;
			size_t here = end - seen->before_n < needle->n ? end - seen->before_n : needle->n;
			TRY(hit(p, (size_t)k, seen->table, !all_live(seen, seen->begin + end - seen->before_n - here, here)));
		}
	return OK;
}

struct looking {
	struct search *search;
	struct sq_db *d;
	size_t page;
};

static enum err look(void *arg, const struct sq_seen *seen)
{
	const struct looking *l = arg;
	size_t len = l->page - seen->begin;
	if (seen->before_n == 0)
		return window_search(l->search, seen, seen->bytes + seen->begin, len);
	memcpy(l->search->window, seen->before, seen->before_n);
	memcpy(l->search->window + seen->before_n, seen->bytes + seen->begin, len);
	return window_search(l->search, seen, l->search->window, seen->before_n + len);
}

static enum err look_everywhere(void *arg, int fd, uint64_t bytes, size_t page_bytes)
{
	struct looking *l = arg;
	l->page = page_bytes;
	return sq_walk(&l->d->still, fd, bytes, page_bytes, l->search->longest - 1, look, l);
}

enum err sq_scan_tables(struct db *db, struct arena *a, struct db_needle *needles, size_t n, struct db_hit **ret, size_t *ret_n)
{
	struct search *p = calloc(1, sizeof *p);
	if (p == NULL)
		return ERR_UNAVAILABLE;
	p->needles = needles;
	p->n = n;
	p->longest = 1;
	struct looking l = {.search = p, .d = (struct sq_db *)db};
	enum err e = needles_index(p);
	if (e == OK)
		e = db_frozen(db, look_everywhere, &l);
	if (e == OK && p->dead)
		atomic_store(&l.d->unblanked, true);
	if (e == OK && p->found > 0) {
		*ret = arena_memdup(a, p->hits, p->found * sizeof *p->hits);
		*ret_n = p->found;
	}
	free(p->hits);
	free(p->next);
	free(p->window);
	free(p);
	return e;
}

/* ---- blanking ---- */

struct blanking {
	struct sq_db *d;
	int fd;
	size_t page;
};

static enum err zero(int fd, size_t n, off_t at)
{
	static const unsigned char zeros[SQ_PAGE_MAX];
	for (size_t done = 0; done < n;) {
		ssize_t w = pwrite(fd, zeros, n - done, at + (off_t)done);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return errno == ENOSPC || errno == EDQUOT ? ERR_STORAGE_FULL : ERR_IO;
		done += (size_t)w;
	}
	return OK;
}

/* Only runs of dead bytes that are not zero yet are written, and nothing between them. */
static enum err blank(void *arg, const struct sq_seen *seen)
{
	const struct blanking *b = arg;
	off_t base = (off_t)((uint64_t)(seen->number - 1) * b->page);
	if (seen->foreign)
		return OK;
	for (size_t i = 0; i < b->page; i++) {
		size_t end = i;
		bool used = false;
		for (; end < b->page && seen->live[end] == 0; end++)
			used |= seen->bytes[end] != 0;
		if (used)
			TRY(zero(b->fd, end - i, base + (off_t)i));
		i = end;
	}
	return OK;
}

static enum err blank_everywhere(void *arg, int fd, uint64_t bytes, size_t page_bytes)
{
	struct blanking *b = arg;
	b->fd = fd;
	b->page = page_bytes;
	TRY(sq_walk(&b->d->still, fd, bytes, page_bytes, 1, blank, b));
	if (fdatasync(fd) != 0)
		return ERR_IO; /* nobody was told that they are gone */
	atomic_store(&b->d->unblanked, bytes / page_bytes >= SQ_BLANKED_PAGES);
	return OK;
}

enum err sq_scrub(struct db *db, const char *const *tables, size_t n)
{
	struct sq_db *d = (struct sq_db *)db;
	if (atomic_load(&d->unblanked)) /* what writers had read meanwhile is in the WAL again: hence emptied once more */
		TRY(db_frozen(db, blank_everywhere, &(struct blanking){.d = d}));
	TRY(sq_turn_take(d));
	enum err e = sq_wal_empty(d, NULL);
	sq_turn_give(d);
	return e;
}
