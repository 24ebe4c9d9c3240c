/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks for byte strings in files: what proves that deleted bytes are gone.  One pass for any number of needles: a bit
 * for the hash of each needle's first bytes, and only where that bit is set are the needles of the bucket compared.
 * Memory does not grow with the file.
 *
 * A needle that the engine cut in two (a row longer than a page continues on another) is not found as a whole; the
 * caller looks for short identifiers, and for several of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "db/db_internal.h"

enum { BUCKETS = 1 << 14, CHUNK = 1 << 18 };

struct db_scanner {
	struct db_needle *needles;
	size_t n, prefix, longest;
	int32_t bucket[BUCKETS]; /* first needle, -1: none */
	int32_t *next;
	unsigned char *window; /* `longest - 1` bytes kept from the chunk before, then a chunk */
};

static uint32_t prefix_hash(const unsigned char *p, size_t prefix)
{
	uint32_t v = 0;
	for (size_t i = 0; i < prefix; i++)
		v = v << 8 | p[i];
	return (v * UINT32_C(2654435761)) >> (32 - 14);
}

static void needles_index(struct db_scanner *s)
{
	s->prefix = 4;
	for (size_t i = 0; i < s->n; i++) {
		if (s->needles[i].n < s->prefix)
			s->prefix = s->needles[i].n;
		if (s->needles[i].n > s->longest)
			s->longest = s->needles[i].n;
	}
	memset(s->bucket, -1, sizeof s->bucket);
	for (size_t i = 0; i < s->n; i++) {
		uint32_t h = prefix_hash(s->needles[i].p, s->prefix);
		s->next[i] = s->bucket[h];
		s->bucket[h] = (int32_t)i;
	}
}

struct db_scanner *db_scanner_new(struct db_needle *needles, size_t n)
{
	struct db_scanner *s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	s->needles = needles;
	s->n = n;
	s->next = calloc(n + 1, sizeof *s->next);
	if (s->next != NULL)
		needles_index(s);
	s->window = s->next == NULL ? NULL : malloc(s->longest + CHUNK);
	if (s->window == NULL) {
		db_scanner_free(s);
		return NULL;
	}
	return s;
}

void db_scanner_free(struct db_scanner *s)
{
	if (s == NULL)
		return;
	free(s->next);
	free(s->window);
	free(s);
}

/* The kept bytes were searched with the window before: only a hit that ends past them is new. */
static void window_scan(struct db_scanner *s, size_t kept, size_t len)
{
	for (size_t i = 0; i + s->prefix <= len; i++) {
		int32_t k = s->bucket[prefix_hash(s->window + i, s->prefix)];
		for (; k >= 0; k = s->next[k]) {
			struct db_needle *needle = &s->needles[k];
			if (i + needle->n > kept && needle->n <= len - i &&
			    memcmp(s->window + i, needle->p, needle->n) == 0)
				needle->hits++;
		}
	}
}

enum err db_scanner_file(struct db_scanner *s, int fd)
{
	if (s->n == 0)
		return OK;
	size_t kept = 0;
	for (off_t at = 0;;) {
		ssize_t got = pread(fd, s->window + kept, CHUNK, at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ERR_IO;
		if (got == 0)
			return OK;
		at += got;
		size_t len = kept + (size_t)got;
		window_scan(s, kept, len);
		kept = len < s->longest - 1 ? len : s->longest - 1;
		memmove(s->window, s->window + len - kept, kept);
	}
}

enum err db_scan_file(int fd, struct db_needle *needles, size_t n)
{
	struct db_scanner *s = db_scanner_new(needles, n);
	if (s == NULL)
		return ERR_UNAVAILABLE;
	for (size_t i = 0; i < n; i++)
		needles[i].hits = 0;
	enum err e = db_scanner_file(s, fd);
	db_scanner_free(s);
	return e;
}
