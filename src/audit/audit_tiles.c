/* SPDX-License-Identifier: Apache-2.0
 * Rows of audit_tiles. */
#include "audit/audit_tiles.h"

#include <string.h>

DB_TENANT(audit_tile_get, "SELECT content FROM audit_tiles WHERE tenant_id = ?1 AND level = ?2 AND tile = ?3");
DB_TENANT(audit_tile_put,
	  "INSERT INTO audit_tiles (tenant_id, level, tile, content) VALUES (?1, ?2, ?3, ?4) "
	  "ON CONFLICT (tenant_id, level, tile) DO UPDATE SET content = excluded.content");

/* The first `width` values; the row may have more: it grew since. */
static enum err load(struct db_tx *tx, unsigned level, uint64_t index, unsigned width, uint8_t (*out)[SHA256_BYTES])
{
	size_t len;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &audit_tile_get, DB_ARGS(db_v_int(level), db_v_int((int64_t)index)), &r));
	const void *p = db_blob(r, 0, &len);
	if (len < width * SHA256_BYTES)
		return ERR_NOT_FOUND;
	memcpy(out, p, width * SHA256_BYTES);
	return OK;
}

static enum err append_level(struct db_tx *tx, unsigned level, uint64_t at, const uint8_t (*values)[SHA256_BYTES], size_t n)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t(*row)[SHA256_BYTES] = arena_alloc(s->arena, TILE_BYTES);
	uint8_t root[SHA256_BYTES];
	while (n > 0) {
		uint64_t index = at / TILE_WIDTH;
		unsigned have = at % TILE_WIDTH, take = TILE_WIDTH - have < n ? TILE_WIDTH - have : (unsigned)n;
		enum err e = have == 0 ? OK : load(tx, level, index, have, row);
		if (e == ERR_NOT_FOUND)
			return scope_fail(s, ERR_CONFLICT, "the log's tile %u/%llu is missing or too short", level, (unsigned long long)index);
		if (e != OK)
			return e;
		memcpy(row + have, values, take * SHA256_BYTES);
		TRY(db_exec(tx, &audit_tile_put,
			    DB_ARGS(db_v_int(level), db_v_int((int64_t)index), db_v_blob(row, (have + take) * SHA256_BYTES)), NULL));
		if (have + take == TILE_WIDTH) {
			if (level == 0)
				entry_hashes((const void *)row, TILE_WIDTH, row);
			merkle_perfect_root((const void *)row, TILE_WIDTH, root);
			TRY(append_level(tx, level + 1, index, (const void *)&root, 1));
		}
		at += take;
		values += take;
		n -= take;
	}
	return OK;
}

enum err audit_tiles_append(struct db_tx *tx, uint64_t at, const uint8_t (*commitments)[SHA256_BYTES], size_t n)
{
	struct arena_mark mark = arena_mark(db_tx_scope(tx)->arena);
	enum err e = append_level(tx, 0, at, commitments, n);
	if (e == OK)
		arena_rewind(db_tx_scope(tx)->arena, mark);
	return e;
}

enum err audit_tiles_read(struct db_tx *tx, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	uint8_t(*row)[SHA256_BYTES] = arena_alloc(db_tx_scope(tx)->arena, t->width * SHA256_BYTES);
	TRY(load(tx, t->level, t->index, t->width, row));
	if (t->level == 0 && !t->entries)
		entry_hashes((const void *)row, t->width, row);
	*ret = (const void *)row;
	return OK;
}

static enum err read_for_tree(void *arg, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	return audit_tiles_read(arg, t, ret);
}

struct tile_tree audit_tiles_tree(struct db_tx *tx, uint64_t size)
{
	return (struct tile_tree){.size = size, .read = read_for_tree, .arg = tx};
}
