/* SPDX-License-Identifier: Apache-2.0
 * Proofs of one event. */
#include "audit/log/proof.h"

#include <string.h>

#include "audit/log/log.h"
#include "audit/log/tiles.h"
#include "base/buf.h"
#include "db/db.h"
#include "tlog/proof.h"

DB_TENANT(audit_proof_event,
	  "SELECT l.leaf_index, e.salt FROM audit_events e LEFT JOIN audit_leaves l ON l.tenant_id = e.tenant_id AND l.event_id = e.event_id "
	  "WHERE e.tenant_id = ?1 AND e.event_id = ?2");
/* The newest checkpoint that covers the event and that enough witnesses cosigned, or any did; its lines. */
DB_TENANT(audit_proof_cosigned,
	  "SELECT size, checkpoint, line FROM audit_cosignatures WHERE tenant_id = ?1 AND generation = ?2 AND size = (SELECT size "
	  "FROM audit_cosignatures WHERE tenant_id = ?1 AND generation = ?2 AND size > ?3 ORDER BY witnessed DESC, size DESC LIMIT 1) ORDER BY witness");

struct proof {
	struct id event;
	struct tlog_proof p;
	struct audit_head_info head;
	uint64_t size; /* of the checkpoint */
	char *text;
};

static enum err load_event(struct scope *s, struct db_tx *tx, struct proof *f)
{
	size_t n;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &audit_proof_event, DB_ARGS(db_v_id(&f->event)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no audit event with this id");
	if (e != OK)
		return e;
	if (db_is_null(r, 0))
		return scope_fail(s, ERR_UNAVAILABLE, "the event is not in the log yet: it is within a second");
	const void *salt = db_blob(r, 1, &n);
	f->p.index = (uint64_t)db_int(r, 0);
	f->p.extra = arena_memdup(s->arena, salt, n);
	f->p.extra_n = n;
	return OK;
}

/* The note with the cosignatures behind it, or the newest without. */
static enum err choose_checkpoint(struct scope *s, struct db_tx *tx, struct proof *f)
{
	auto_buf note;
	buf_init(&note, TLOG_PROOF_BYTES_MAX / 2);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_proof_cosigned, DB_ARGS(db_v_int(f->head.generation), db_v_int((int64_t)f->p.index)), &r));
	while (db_next(r)) {
		if (note.len == 0)
			buf_adds(&note, db_text(r, 1));
		f->size = (uint64_t)db_int(r, 0);
		buf_adds(&note, db_text(r, 2));
		buf_adds(&note, "\n");
	}
	TRY(db_rows_err(r));
	if (note.failed)
		return scope_fail(s, ERR_LIMIT, "too many cosignatures for one proof");
	if (note.len == 0 && f->head.signed_size <= f->p.index)
		return scope_fail(s, ERR_UNAVAILABLE, "the event is not under a signed checkpoint yet: it is within a second");
	if (note.len == 0)
		f->size = f->head.signed_size;
	f->p.checkpoint = note.len > 0 ? arena_strndup(s->arena, note.data, note.len) : f->head.checkpoint;
	return OK;
}

/* All in one snapshot. */
static enum err make(struct scope *s, struct db_tx *tx, void *arg)
{
	struct proof *f = arg;
	TRY(load_event(s, tx, f));
	enum err e = audit_head_tx(tx, &f->head);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	TRY(choose_checkpoint(s, tx, f));
	struct tile_tree tree = audit_tiles_tree(tx, f->size);
	e = tile_tree_inclusion(&tree, f->p.index, &f->p.inclusion);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_CONFLICT, "a tile of the log is missing");
	TRY(e);
	f->text = tlog_proof_write(s->arena, &f->p);
	return OK;
}

enum err audit_proof(struct scope *s, struct id event, char **ret)
{
	struct proof f = {.event = event};
	TRY(db_read(s, make, &f));
	*ret = f.text;
	return OK;
}
