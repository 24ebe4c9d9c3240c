/* SPDX-License-Identifier: Apache-2.0
 * Where a hash stands in the tiles, and what the tiles say. */
#include "tlog/tile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

unsigned tile_width(uint64_t size, unsigned level, uint64_t index)
{
	uint64_t hashes = level < TILE_LEVELS ? size >> (8 * level) : 0;
	uint64_t before = index * TILE_WIDTH;
	if (index > UINT64_MAX / TILE_WIDTH || hashes <= before)
		return 0;
	return hashes - before < TILE_WIDTH ? (unsigned)(hashes - before) : TILE_WIDTH;
}

unsigned tile_levels(uint64_t size)
{
	unsigned n = 0;
	while (n < TILE_LEVELS && size >> (8 * n) > 0)
		n++;
	return n;
}

void entry_make(const uint8_t commitment[SHA256_BYTES], uint8_t out[ENTRY_BYTES])
{
	out[0] = ENTRY_VERSION;
	memcpy(out + 1, commitment, SHA256_BYTES);
}

void entry_hashes(const uint8_t (*commitments)[SHA256_BYTES], unsigned n, uint8_t (*out)[SHA256_BYTES])
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t entry[ENTRY_BYTES];
		entry_make(commitments[i], entry);
		merkle_leaf_hash(entry, sizeof entry, out[i]);
	}
}

void bundle_write(struct buf *out, const uint8_t (*commitments)[SHA256_BYTES], unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t framed[2 + ENTRY_BYTES] = {0, ENTRY_BYTES};
		entry_make(commitments[i], framed + 2);
		buf_add(out, framed, sizeof framed);
	}
}

bool bundle_read(const void *bytes, size_t len, unsigned n, uint8_t (*out)[SHA256_BYTES])
{
	static const uint8_t head[] = {0, ENTRY_BYTES, ENTRY_VERSION};
	const uint8_t *p = bytes;
	if (n > TILE_WIDTH || len != (size_t)n * (2 + ENTRY_BYTES))
		return false;
	for (unsigned i = 0; i < n; i++, p += 2 + ENTRY_BYTES) {
		if (memcmp(p, head, sizeof head) != 0)
			return false;
		memcpy(out[i], p + sizeof head, SHA256_BYTES);
	}
	return true;
}

/* ---- paths ---- */

void tile_path(const struct tile *t, char out[TILE_PATH_MAX])
{
	char row[16] = "entries", groups[48], partial[8] = "";
	size_t at = sizeof groups - 4;
	uint64_t rest = t->index / 1000;
	if (!t->entries)
		snprintf(row, sizeof row, "%u", t->level);
	snprintf(groups + at, 4, "%03u", (unsigned)(t->index % 1000));
	for (; rest > 0; rest /= 1000) {
		char group[6];
		snprintf(group, sizeof group, "x%03u/", (unsigned)(rest % 1000));
		at -= 5;
		memcpy(groups + at, group, 5);
	}
	if (t->width < TILE_WIDTH)
		snprintf(partial, sizeof partial, ".p/%u", t->width);
	snprintf(out, TILE_PATH_MAX, "tile/%s/%s%s", row, groups + at, partial);
}

/* Up to `max` digits; the value's form is compared as a whole later. */
static bool take_digits(const char **p, unsigned max, uint64_t *ret)
{
	unsigned n = 0;
	for (*ret = 0; **p >= '0' && **p <= '9'; ++*p)
		if (++n > max)
			return false;
		else
			*ret = *ret * 10 + (uint64_t)(**p - '0');
	return n > 0;
}

static bool take_index(const char **p, uint64_t *ret)
{
	uint64_t group;
	bool more;
	*ret = 0;
	do {
		more = **p == 'x';
		*p += more;
		if (!take_digits(p, 3, &group) || *ret > (UINT64_MAX - group) / 1000)
			return false;
		*ret = *ret * 1000 + group;
		if (more && *(*p)++ != '/')
			return false;
	} while (more);
	return true;
}

bool tile_parse(const char *path, struct tile *ret)
{
	struct tile t = {.width = TILE_WIDTH};
	const char *p = path;
	char again[TILE_PATH_MAX];
	uint64_t level = 0, width = TILE_WIDTH;
	if (strncmp(p, "tile/", 5) != 0)
		return false;
	p += 5;
	t.entries = strncmp(p, "entries", 7) == 0;
	if (t.entries)
		p += 7;
	else if (!take_digits(&p, 2, &level) || level >= TILE_LEVELS)
		return false;
	if (*p++ != '/' || !take_index(&p, &t.index))
		return false;
	if (*p == '.' && (strncmp(p, ".p/", 3) != 0 || (p += 3, !take_digits(&p, 3, &width)) || width == 0 || width >= TILE_WIDTH))
		return false;
	t.level = (unsigned)level;
	t.width = (unsigned)width;
	tile_path(&t, again);
	if (strcmp(again, path) != 0)
		return false;
	*ret = t;
	return true;
}
