/* SPDX-License-Identifier: Apache-2.0
 * Rows of audit_tiles. */
#include "audit/log/tiles.h"

#include <string.h>

DB_TENANT(audit_tile_get, "SELECT content FROM audit_tiles WHERE tenant_id = ?1 AND level = ?2 AND tile = ?3");
DB_GLOBAL(audit_tile_get_of, "SELECT content FROM audit_tiles WHERE tenant_id = ?1 AND level = ?2 AND tile = ?3");
DB_GLOBAL(audit_tile_put,
	  "INSERT INTO audit_tiles (tenant_id, level, tile, content) VALUES (?1, ?2, ?3, ?4) "
	  "ON CONFLICT (tenant_id, level, tile) DO UPDATE SET content = excluded.content");
DB_GLOBAL(audit_tile_last, "SELECT tile, length(content) FROM audit_tiles WHERE tenant_id = ?1 AND level = 0 ORDER BY tile DESC LIMIT 1");
DB_GLOBAL(audit_tiles_length, "SELECT level, sum(length(content)) FROM audit_tiles WHERE tenant_id = ?1 AND level >= 1 GROUP BY level");
DB_GLOBAL(audit_tile_replace, "INSERT INTO audit_tiles (tenant_id, level, tile, content) VALUES (?1, ?2, ?3, ?4) "
			      "ON CONFLICT (tenant_id, level, tile) DO UPDATE SET content = excluded.content "
			      "WHERE length(audit_tiles.content) <= length(excluded.content)");

/* The first `width` values of a row of one value column; the row may have more: it grew since. */
static enum err take(struct db_rows *r, unsigned width, uint8_t (*out)[SHA256_BYTES])
{
	size_t len;
	const void *p = db_blob(r, 0, &len);
	if (len < width * SHA256_BYTES)
		return ERR_NOT_FOUND;
	memcpy(out, p, width * SHA256_BYTES);
	return OK;
}

static enum err load(struct db_tx *tx, const struct id *tenant, const struct tile *t, uint8_t (*out)[SHA256_BYTES])
{
	auto_rows struct db_rows *r = NULL;
	struct db_value level = db_v_int(t->level), index = db_v_int((int64_t)t->index);
	if (tenant == NULL)
		TRY(db_query_one(tx, &audit_tile_get, DB_ARGS(level, index), &r));
	else
		TRY(db_query_one(tx, &audit_tile_get_of, DB_ARGS(db_v_id(tenant), level, index), &r));
	return take(r, t->width, out);
}

static enum err read_row(struct db_tx *tx, const struct id *tenant, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	uint8_t(*row)[SHA256_BYTES] = arena_alloc(db_tx_scope(tx)->arena, t->width * SHA256_BYTES);
	TRY(load(tx, tenant, t, row));
	if (t->level == 0 && !t->entries)
		entry_hashes((const void *)row, t->width, row);
	*ret = (const void *)row;
	return OK;
}

enum err audit_tiles_read(struct db_tx *tx, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	return read_row(tx, NULL, t, ret);
}

enum err audit_tiles_read_of(const struct audit_tiles *log, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	return read_row(log->tx, &log->tenant, t, ret);
}

static enum err read_for_tree(void *arg, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	return audit_tiles_read(arg, t, ret);
}

struct tile_tree audit_tiles_tree(struct db_tx *tx, uint64_t size)
{
	return (struct tile_tree){.size = size, .read = read_for_tree, .arg = tx};
}

static enum err read_for_tree_of(void *arg, const struct tile *t, const uint8_t (**ret)[SHA256_BYTES])
{
	return audit_tiles_read_of(arg, t, ret);
}

struct tile_tree audit_tiles_tree_of(const struct audit_tiles *log, uint64_t size)
{
	return (struct tile_tree){.size = size, .read = read_for_tree_of, .arg = (void *)log};
}

/* ---- appending ---- */

static enum err put(const struct audit_tiles *log, struct db_stmt *stmt, unsigned level, uint64_t index, const void *row, unsigned width)
{
	return db_exec(log->tx, stmt,
		       DB_ARGS(db_v_id(&log->tenant), db_v_int(level), db_v_int((int64_t)index), db_v_blob(row, width * SHA256_BYTES)), NULL);
}

/* The root of a full row: its value in the level above. */
static void root_of(unsigned level, uint8_t (*row)[SHA256_BYTES], uint8_t out[SHA256_BYTES])
{
	if (level == 0)
		entry_hashes((const void *)row, TILE_WIDTH, row);
	merkle_perfect_root((const void *)row, TILE_WIDTH, out);
}

static enum err append_level(const struct audit_tiles *log, unsigned level, uint64_t at, const uint8_t (*values)[SHA256_BYTES], size_t n)
{
	struct scope *s = db_tx_scope(log->tx);
	uint8_t(*row)[SHA256_BYTES] = arena_alloc(s->arena, TILE_BYTES);
	uint8_t root[SHA256_BYTES];
	while (n > 0) {
		struct tile t = {.level = level, .index = at / TILE_WIDTH, .width = at % TILE_WIDTH};
		unsigned added = TILE_WIDTH - t.width < n ? TILE_WIDTH - t.width : (unsigned)n;
		enum err e = t.width == 0 ? OK : load(log->tx, &log->tenant, &t, row);
		if (e == ERR_NOT_FOUND)
			return scope_fail(s, ERR_CONFLICT, "the log's tile %u/%llu is missing or too short", level, (unsigned long long)t.index);
		if (e != OK)
			return e;
		memcpy(row + t.width, values, added * SHA256_BYTES);
		TRY(put(log, &audit_tile_put, level, t.index, row, t.width + added));
		if (t.width + added == TILE_WIDTH) {
			root_of(level, row, root);
			TRY(append_level(log, level + 1, t.index, (const void *)&root, 1));
		}
		at += added;
		values += added;
		n -= added;
	}
	return OK;
}

enum err audit_tiles_append(const struct audit_tiles *log, uint64_t at, const uint8_t (*commitments)[SHA256_BYTES], size_t n)
{
	struct arena *a = db_tx_scope(log->tx)->arena;
	struct arena_mark mark = arena_mark(a);
	enum err e = append_level(log, 0, at, commitments, n);
	if (e == OK)
		arena_rewind(a, mark);
	return e;
}

/* ---- what is there ---- */

enum err audit_tiles_count(const struct audit_tiles *log, uint64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	*ret = 0;
	TRY(db_query(log->tx, &audit_tile_last, DB_ARGS(db_v_id(&log->tenant)), &r));
	if (db_next(r))
		*ret = (uint64_t)db_int(r, 0) * TILE_WIDTH + (uint64_t)db_int(r, 1) / SHA256_BYTES;
	return db_rows_err(r);
}

enum err audit_tiles_complete(const struct audit_tiles *log, uint64_t size, bool *ret)
{
	uint64_t have[TILE_LEVELS] = {0};
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(log->tx, &audit_tiles_length, DB_ARGS(db_v_id(&log->tenant)), &r));
	while (db_next(r))
		if (db_int(r, 0) < TILE_LEVELS)
			have[db_int(r, 0)] = (uint64_t)db_int(r, 1);
	*ret = true;
	for (unsigned level = 1; level < tile_levels(size); level++)
		*ret &= have[level] >= (size >> (8 * level)) * SHA256_BYTES;
	return db_rows_err(r);
}

/* ---- rebuilding ---- */

enum { ROOTS_AT_ONCE = 16 }; /* 2,048 to 8,192 hashes: a few milliseconds in one snapshot */

struct rebuild {
	struct id tenant;
	unsigned level; /* of what is made */
	struct tile t;
	unsigned done;
	bool all, same;
	uint8_t row[TILE_WIDTH][SHA256_BYTES];
};

/* The next few values of a row, each from a full row of the level below. */
static enum err make_roots(struct scope *s, struct db_tx *tx, void *arg)
{
	struct rebuild *b = arg;
	struct audit_tiles log = {tx, b->tenant};
	unsigned end = b->done + ROOTS_AT_ONCE < b->t.width ? b->done + ROOTS_AT_ONCE : b->t.width;
	uint8_t(*row)[SHA256_BYTES] = arena_alloc(s->arena, TILE_BYTES);
	for (unsigned i = b->done; i < end; i++) {
		struct tile below = {.level = b->level - 1, .index = b->t.index * TILE_WIDTH + i, .width = TILE_WIDTH};
		enum err e = load(log.tx, &log.tenant, &below, row);
		if (e != OK)
			return scope_fail(s, e == ERR_NOT_FOUND ? ERR_CONFLICT : e, "the log's tile %u/%llu is missing or too short", below.level,
					  (unsigned long long)below.index);
		root_of(below.level, row, b->row[i]);
	}
	b->done = end;
	return OK;
}

/* Whether the row needs making (all: it is compared when it was made). */
static enum err look(struct scope *s, struct db_tx *tx, void *arg)
{
	struct rebuild *b = arg;
	uint8_t(*row)[SHA256_BYTES] = arena_alloc(s->arena, TILE_BYTES);
	enum err e = load(tx, &b->tenant, &b->t, row);
	b->same = e == OK && (!b->all || (b->done == b->t.width && memcmp(row, b->row, b->t.width * SHA256_BYTES) == 0));
	return e == ERR_NOT_FOUND ? OK : e;
}

/* Another server may have made the row longer meanwhile: then it is good. */
static enum err replace(struct scope *s, struct db_tx *tx, void *arg)
{
	struct rebuild *b = arg;
	return put(&(struct audit_tiles){tx, b->tenant}, &audit_tile_replace, b->level, b->t.index, b->row, b->t.width);
}

static enum err rebuild_row(struct scope *s, struct rebuild *b)
{
	b->done = 0;
	TRY(db_read(s, look, b));
	if (b->same && !b->all)
		return OK;
	while (b->done < b->t.width)
		TRY(db_read(s, make_roots, b));
	TRY(db_read(s, look, b));
	return b->same ? OK : db_write_low(s, replace, b);
}

enum err audit_tiles_rebuild(struct scope *s, struct id tenant, uint64_t size, bool all)
{
	struct arena_mark outer = arena_mark(s->arena);
	struct rebuild *b = arena_alloc(s->arena, sizeof *b);
	b->tenant = tenant;
	b->all = all;
	for (unsigned level = 1; level < tile_levels(size); level++) {
		for (uint64_t index = 0; tile_width(size, level, index) > 0; index++) {
			struct arena_mark mark = arena_mark(s->arena);
			b->level = level;
			b->t = (struct tile){.level = level, .index = index, .width = tile_width(size, level, index)};
			TRY(rebuild_row(s, b));
			arena_rewind(s->arena, mark);
		}
	}
	arena_rewind(s->arena, outer);
	return OK;
}
