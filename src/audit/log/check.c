/* SPDX-License-Identifier: Apache-2.0
 * The server's own check of a log, from its database: every event opens its commitment, and the tree is the one that was signed. */
#include <string.h>

#include "audit/audit_retention.h"
#include "audit/commitment.h"
#include "audit/log/log.h"
#include "audit/log/tiles.h"
#include "db/db.h"
#include "keeper/keeper.h"

/* Subqueries, for as long as PostgreSQL has no statistics it would walk all events of the tenant for each leaf of a join. */
DB_TENANT(audit_leaves_open,
	  "SELECT l.leaf_index, (SELECT e.bytes FROM audit_events e WHERE e.tenant_id = ?1 AND e.event_id = l.event_id), (SELECT e.salt "
	  "FROM audit_events e WHERE e.tenant_id = ?1 AND e.event_id = l.event_id) FROM audit_leaves l WHERE l.tenant_id = ?1 "
	  "AND l.leaf_index >= ?2 AND l.leaf_index < ?3 ORDER BY l.leaf_index");

struct check_state {
	struct merkle_range range;
	uint64_t size, events;
	uint64_t stop; /* the last signed size; the root is compared exactly there */
	uint8_t root_at_stop[SHA256_BYTES];
};

static enum err open_commitment(struct scope *s, const struct db_rows *r, const uint8_t commitment[SHA256_BYTES])
{
	size_t bytes_n, salt_n;
	unsigned long long at = (unsigned long long)db_int(r, 0);
	const void *bytes = db_blob(r, 1, &bytes_n), *salt = db_blob(r, 2, &salt_n);
	if (bytes == NULL || salt == NULL || salt_n != AUDIT_SALT_BYTES)
		return scope_fail(s, ERR_CONFLICT, "the event at index %llu is missing inside its retention", at);
	if (!audit_opens(bytes, bytes_n, salt, commitment))
		return scope_fail(s, ERR_CONFLICT, "the event at index %llu was changed: it does not open its commitment", at);
	return OK;
}

static enum err check_events(struct db_tx *tx, struct check_state *c, const struct tile *t, const uint8_t (*commitments)[SHA256_BYTES])
{
	auto_rows struct db_rows *r = NULL;
	bool explained[TILE_WIDTH]; /* it has content, or retention removed it */
	uint64_t first = t->index * TILE_WIDTH;
	TRY(audit_removed(tx, first, t->width, explained));
	TRY(db_query(tx, &audit_leaves_open, DB_ARGS(db_v_int((int64_t)first), db_v_int((int64_t)(first + t->width))), &r));
	while (db_next(r)) {
		TRY(open_commitment(db_tx_scope(tx), r, commitments[(uint64_t)db_int(r, 0) - first]));
		explained[(uint64_t)db_int(r, 0) - first] = true;
		c->events++;
	}
	TRY(db_rows_err(r));
	for (unsigned i = 0; i < t->width; i++)
		if (!explained[i])
			return scope_fail(db_tx_scope(tx), ERR_CONFLICT, "the event at index %llu is missing inside its retention",
					  (unsigned long long)(first + i));
	return OK;
}

static enum err check_tile(struct scope *s, struct db_tx *tx, void *arg)
{
	struct check_state *c = arg;
	const uint8_t(*commitments)[SHA256_BYTES];
	uint8_t hashes[TILE_WIDTH][SHA256_BYTES];
	struct tile t = {.entries = true, .index = c->range.size / TILE_WIDTH};
	t.width = tile_width(c->size, 0, t.index);
	enum err e = audit_tiles_read(tx, &t, &commitments);
	if (e != OK)
		return scope_fail(s, e == ERR_NOT_FOUND ? ERR_CONFLICT : e, "the log has a gap at index %llu",
				  (unsigned long long)(t.index * TILE_WIDTH));
	TRY(check_events(tx, c, &t, commitments));
	entry_hashes(commitments, t.width, hashes);
	for (unsigned i = 0; i < t.width; i++) {
		merkle_append(&c->range, hashes[i]);
		if (c->range.size == c->stop)
			merkle_root(&c->range, c->root_at_stop);
	}
	return OK;
}

enum err audit_verify_all(struct scope *s, const char *host, uint64_t *ret_events, uint64_t *ret_leaves)
{
	struct audit_head_info head;
	uint8_t signed_root[SHA256_BYTES];
	enum err err = audit_head(s, &head);
	if (err != OK && err != ERR_NOT_FOUND)
		return err;
	struct check_state c = {.size = head.size};
	err = keeper_head(s->keeper, s, audit_origin_of(s->arena, host, s->tenant, head.generation), &c.stop, signed_root);
	bool has_head = err == OK;
	if (err != OK && err != ERR_NOT_FOUND)
		return err;
	s->detail = NULL;
	while (c.range.size < c.size) {
		struct arena_mark mark = arena_mark(s->arena);
		TRY(db_read(s, check_tile, &c));
		arena_rewind(s->arena, mark);
	}
	if (has_head && c.size < c.stop)
		return scope_fail(s, ERR_CONFLICT, "the log ends at index %llu, but a head of size %llu was signed", (unsigned long long)c.size,
				  (unsigned long long)c.stop);
	if (has_head && c.stop > 0 && !bytes_equal(c.root_at_stop, signed_root, SHA256_BYTES))
		return scope_fail(s, ERR_CONFLICT, "the log's root at size %llu is not the signed one", (unsigned long long)c.stop);
	TRY(audit_check_rows(s));
	*ret_events = c.events;
	*ret_leaves = c.range.size;
	return OK;
}
