/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole log in memory, for tests.  The commitment of entry i is SHA-256 of i in decimal; every file is made from these and signed with a
 * fixed key.  One file can be replaced by other bytes, or be missing.
 */
#ifndef REEVE_TEST_TLOG_MEMLOG_H
#define REEVE_TEST_TLOG_MEMLOG_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/scope.h"
#include "tlog/logcheck.h"

#define MEMLOG_ORIGIN "example.com/log/1"

struct memlog {
	uint64_t size, count[TILE_LEVELS];
	uint8_t (*commitment)[SHA256_BYTES];
	uint8_t (*hash[TILE_LEVELS])[SHA256_BYTES]; /* hash[l][i]: the root of the i-th perfect subtree of 256^l leaves */
	struct note_signer signer;
	char *checkpoint;
	/* What read() does differently */
	const char *path;      /* for this file … */
	const void *bytes;     /* … it gives these; NULL: there is none */
	size_t len;
	bool no_partial;       /* partial tiles are gone, the full ones of a larger log are there */
	uint64_t reads, first, end;
};

/* RFC 6962, section 2.1, word for word. */
static inline void naive_root(const uint8_t (*leaf)[SHA256_BYTES], uint64_t n, uint8_t out[SHA256_BYTES])
{
	uint8_t left[SHA256_BYTES], right[SHA256_BYTES];
	uint64_t k = 1;
	if (n == 0) {
		sha256("", 0, out);
		return;
	}
	if (n == 1) {
		memcpy(out, leaf[0], SHA256_BYTES);
		return;
	}
	while (k * 2 < n)
		k *= 2;
	naive_root(leaf, k, left);
	naive_root(leaf + k, n - k, right);
	sha256_parts((struct digest_part[]){{"\1", 1}, {left, SHA256_BYTES}, {right, SHA256_BYTES}}, 3, out);
}

static inline void memlog_sign(struct memlog *m, struct arena *a)
{
	uint8_t root[SHA256_BYTES];
	naive_root((const void *)m->hash[0], m->size, root);
	m->checkpoint = note_checkpoint(a, &m->signer, MEMLOG_ORIGIN, m->size, root);
}

/* hash[0] from the commitments, and the rows above. */
static inline void memlog_build(struct memlog *m)
{
	for (uint64_t i = 0; i < m->size; i++) {
		uint8_t entry[1 + ENTRY_BYTES] = {0, ENTRY_VERSION};
		memcpy(entry + 2, m->commitment[i], SHA256_BYTES);
		sha256(entry, sizeof entry, m->hash[0][i]);
	}
	m->count[0] = m->size;
	for (unsigned l = 1; l < TILE_LEVELS; l++) {
		m->count[l] = m->count[l - 1] / TILE_WIDTH;
		for (uint64_t i = 0; i < m->count[l]; i++)
			naive_root((const void *)(m->hash[l - 1] + i * TILE_WIDTH), TILE_WIDTH, m->hash[l][i]);
	}
}

static inline void memlog_init(struct memlog *m, struct arena *a, uint64_t size)
{
	memset(m, 0, sizeof *m);
	m->size = size;
	m->end = UINT64_MAX;
	m->commitment = calloc(size + 1, SHA256_BYTES);
	for (unsigned l = 0; l < TILE_LEVELS; l++)
		m->hash[l] = calloc((size >> (8 * l)) + 1, SHA256_BYTES);
	for (uint64_t i = 0; i < size; i++) {
		char text[24];
		sha256(text, (size_t)snprintf(text, sizeof text, "%" PRIu64, i), m->commitment[i]);
	}
	memlog_build(m);
	for (unsigned i = 0; i < ED25519_KEY_BYTES; i++)
		m->signer.seed[i] = (uint8_t)i;
	ed25519_public(m->signer.seed, m->signer.public_key);
	memlog_sign(m, a);
}

static inline void memlog_free(struct memlog *m)
{
	free(m->commitment);
	for (unsigned l = 0; l < TILE_LEVELS; l++)
		free(m->hash[l]);
}

static inline struct note_key memlog_key(const struct memlog *m)
{
	struct note_key k = {.name = MEMLOG_ORIGIN, .type = NOTE_ED25519};
	note_key_id(k.name, k.type, m->signer.public_key, k.id);
	memcpy(k.public_key, m->signer.public_key, sizeof k.public_key);
	return k;
}

/* The file of a tile that is part of the log; false: there is none. */
static inline bool memlog_tile(const struct memlog *m, const struct tile *t, struct buf *out)
{
	uint64_t at = t->index * TILE_WIDTH, rest = t->index <= m->count[t->level] / TILE_WIDTH ? m->count[t->level] - at : 0;
	unsigned have = rest < TILE_WIDTH ? (unsigned)rest : TILE_WIDTH;
	if (have < t->width || (t->width < TILE_WIDTH && m->no_partial))
		return false;
	if (t->level == 0 && t->width == TILE_WIDTH && (t->index < m->first || t->index >= m->end))
		return false;
	for (unsigned i = 0; i < t->width; i++) {
		if (t->entries)
			buf_add(out, "\0\x21\x01", 3);
		buf_add(out, t->entries ? m->commitment[at + i] : m->hash[t->level][at + i], SHA256_BYTES);
	}
	return true;
}

static inline enum err memlog_read(void *arg, struct scope *s, const char *path, struct buf *ret)
{
	struct memlog *m = arg;
	struct tile t;
	m->reads++;
	if (m->path != NULL && strcmp(path, m->path) == 0) {
		buf_add(ret, m->bytes, m->len);
		return m->bytes != NULL ? OK : scope_fail(s, ERR_NOT_FOUND, "there is no such file");
	}
	if (strcmp(path, "checkpoint") == 0) {
		buf_adds(ret, m->checkpoint);
		return OK;
	}
	check(tile_parse(path, &t));
	return memlog_tile(m, &t, ret) ? OK : scope_fail(s, ERR_NOT_FOUND, "there is no such file");
}

/* For tile_tree_*(). */
static inline enum err memlog_hashes(void *arg, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	struct memlog *m = arg;
	check(!t->entries && t->width == tile_width(m->size, t->level, t->index) && t->width > 0);
	m->reads++;
	*ret = (const void *)(m->hash[t->level] + t->index * TILE_WIDTH);
	return OK;
}

#endif
