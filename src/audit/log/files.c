/* SPDX-License-Identifier: Apache-2.0
 * From rows to the log's files. */
#include "audit/log/files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit_internal.h"
#include "audit/log/log.h"
#include "audit/log/tiles.h"
#include "codec/base64.h"
#include "db/db.h"
#include "keeper/keeper.h"

DB_TENANT(audit_file_lines,
	  "SELECT line, checkpoint FROM audit_cosignatures WHERE tenant_id = ?1 AND generation = ?2 AND size = ?3 ORDER BY witness");
DB_TENANT(audit_file_witnessed_size,
	  "SELECT size, checkpoint FROM audit_cosignatures WHERE tenant_id = ?1 AND generation = ?2 AND witnessed = 1 ORDER BY size DESC LIMIT 1");
DB_TENANT(audit_file_contents,
	  "SELECT l.leaf_index, e.salt, e.bytes FROM audit_leaves l JOIN audit_events e ON e.tenant_id = l.tenant_id AND e.event_id = l.event_id "
	  "WHERE l.tenant_id = ?1 AND l.leaf_index >= ?2 AND l.leaf_index < ?3 ORDER BY l.leaf_index");

enum { CONTENTS_PAGE = 32 }; /* rows in memory at once: an event has up to AUDIT_EVENT_BYTES_MAX */

bool audit_log_name_parse(const char *text, struct id *ret_tenant, unsigned *ret_generation)
{
	char tenant[ID_TEXT], again[ID_TEXT + 16];
	size_t n = strcspn(text, ".");
	unsigned generation = 1;
	if (n != ID_TEXT - 1)
		return false;
	memcpy(tenant, text, n);
	tenant[n] = '\0';
	if (!id_parse(tenant, ret_tenant) || (text[n] == '.' && sscanf(text + n + 1, "%10u", &generation) != 1))
		return false;
	snprintf(again, sizeof again, generation > 1 ? "%s.%u" : "%s", id_format(*ret_tenant, tenant), generation);
	*ret_generation = generation;
	return strcmp(again, text) == 0;
}

struct file {
	unsigned generation;
	struct audit_head_info head;
	const struct tile *tile;
	uint64_t bundle;
	struct buf *out;
	size_t before; /* what out held: the closure may run again */
};

static void start_over(struct file *f)
{
	f->out->len = f->before;
	f->out->failed = false;
}

static enum err finished(struct scope *s, const struct file *f)
{
	return f->out->failed ? scope_fail(s, ERR_LIMIT, "this file of the log is too large to be made") : OK;
}

/* The log's last head, where the generation asked for is the current one. */
static enum err open_log(struct db_tx *tx, struct file *f)
{
	struct scope *s = db_tx_scope(tx);
	enum err e = audit_head_tx(tx, &f->head);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (e == OK && f->generation < f->head.generation)
		return scope_fail(s, ERR_NOT_FOUND, "this log has ended (a restored database was found); it goes on as /log/%s/",
				  audit_log_name(s->arena, s->tenant, f->head.generation));
	if (e != OK || f->generation != f->head.generation || f->head.checkpoint == NULL)
		return scope_fail(s, ERR_NOT_FOUND, "there is no such log");
	return OK;
}

/* The note and the lines that stand under exactly it. */
static enum err put_note(struct db_tx *tx, struct file *f, uint64_t size, const char *note)
{
	auto_rows struct db_rows *r = NULL;
	buf_adds(f->out, note);
	TRY(db_query(tx, &audit_file_lines, DB_ARGS(db_v_int(f->generation), db_v_int((int64_t)size)), &r));
	while (db_next(r)) {
		if (strcmp(db_text(r, 1), note) != 0)
			continue;
		buf_adds(f->out, db_text(r, 0));
		buf_addc(f->out, '\n');
	}
	return db_rows_err(r);
}

static enum err put_checkpoint(struct scope *s, struct db_tx *tx, void *arg)
{
	struct file *f = arg;
	start_over(f);
	TRY(open_log(tx, f));
	TRY(put_note(tx, f, f->head.signed_size, f->head.checkpoint));
	return finished(s, f);
}

static enum err put_witnessed(struct scope *s, struct db_tx *tx, void *arg)
{
	struct file *f = arg;
	auto_rows struct db_rows *r = NULL;
	start_over(f);
	TRY(open_log(tx, f));
	enum err e = db_query_one(tx, &audit_file_witnessed_size, DB_ARGS(db_v_int(f->generation)), &r);
	if (e != OK)
		return e == ERR_NOT_FOUND ? scope_fail(s, e, "no checkpoint of this log has been cosigned") : e;
	TRY(put_note(tx, f, (uint64_t)db_int(r, 0), db_text_dup(r, 1, s->arena)));
	return finished(s, f);
}

static enum err find_log(struct scope *s, struct db_tx *tx, void *arg)
{
	return open_log(tx, arg);
}

static enum err put_tile(struct scope *s, struct db_tx *tx, void *arg)
{
	struct file *f = arg;
	const uint8_t(*values)[SHA256_BYTES];
	start_over(f);
	TRY(open_log(tx, f));
	if (f->tile->width > tile_width(f->head.signed_size, f->tile->level, f->tile->index))
		return scope_fail(s, ERR_NOT_FOUND, "the log has no such tile");
	enum err e = audit_tiles_read(tx, f->tile, &values);
	if (e != OK) /* below the signed size every tile is there: this one was lost */
		return scope_fail(s, e == ERR_NOT_FOUND ? ERR_INTERNAL : e, "a tile of level %u is missing or too short", f->tile->level);
	if (f->tile->entries)
		bundle_write(f->out, values, f->tile->width);
	else
		buf_add(f->out, values, f->tile->width * sizeof *values);
	return finished(s, f);
}

static enum err put_page(struct db_tx *tx, struct file *f, uint64_t from, uint64_t end)
{
	size_t n;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_file_contents, DB_ARGS(db_v_int((int64_t)from), db_v_int((int64_t)end)), &r));
	while (db_next(r)) {
		const void *salt = db_blob(r, 1, &n);
		buf_printf(f->out, "{\"index\":%" PRId64 ",\"salt\":\"", db_int(r, 0));
		base64_add(f->out, salt, n);
		const void *bytes = db_blob(r, 2, &n);
		buf_adds(f->out, "\",\"event\":");
		buf_add(f->out, bytes, n);
		buf_adds(f->out, "}\n");
	}
	return db_rows_err(r);
}

static enum err put_events(struct scope *s, struct db_tx *tx, void *arg)
{
	struct file *f = arg;
	start_over(f);
	TRY(open_log(tx, f));
	uint64_t from = f->bundle * TILE_WIDTH, end = from + tile_width(f->head.signed_size, 0, f->bundle);
	if (from == end)
		return scope_fail(s, ERR_NOT_FOUND, "the log has no such bundle");
	for (uint64_t at = from; at < end && !f->out->failed; at += CONTENTS_PAGE)
		TRY(put_page(tx, f, at, at + CONTENTS_PAGE < end ? at + CONTENTS_PAGE : end));
	return finished(s, f);
}

static struct file file_of(unsigned generation, struct buf *out)
{
	return (struct file){.generation = generation, .out = out, .before = out->len};
}

enum err audit_file_checkpoint(struct scope *s, unsigned generation, struct buf *out)
{
	struct file f = file_of(generation, out);
	return db_read(s, put_checkpoint, &f);
}

enum err audit_file_witnessed(struct scope *s, unsigned generation, struct buf *out)
{
	struct file f = file_of(generation, out);
	return db_read(s, put_witnessed, &f);
}

enum err audit_file_key(struct scope *s, const char *host, unsigned generation, struct buf *out)
{
	struct file f = file_of(generation, out);
	TRY(db_read(s, find_log, &f));
	buf_printf(out, "%s\n", keeper_vkey(s->keeper, s->arena, audit_origin_of(s->arena, host, s->tenant, generation)));
	return OK;
}

enum err audit_file_tile(struct scope *s, unsigned generation, const struct tile *t, struct buf *out)
{
	struct file f = file_of(generation, out);
	f.tile = t;
	return db_read(s, put_tile, &f);
}

enum err audit_file_events(struct scope *s, unsigned generation, uint64_t bundle, struct buf *out)
{
	struct file f = file_of(generation, out);
	f.bundle = bundle;
	return db_read(s, put_events, &f);
}
