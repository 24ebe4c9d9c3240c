/* SPDX-License-Identifier: Apache-2.0
 *
 * An archive of a log: what the served log has, as files of a zip (docs/formats/audit-archive.md).  All levels above the leaves are in it
 * whole, so that its root can be computed; of the leaves and events those bundles that the period touches.
 *
 * A bundle is read in one transaction and held in memory (256 events); nothing else grows with the log but the manifest's list, by a line
 * of about 150 bytes a bundle.
 */
#include "audit/out/archive.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "audit/audit_internal.h"
#include "audit/log/tiles.h"
#include "audit/out/period.h"
#include "base/limits.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/zip.h"
#include "keeper/keeper.h"
#include "tlog/note.h"

DB_TENANT(archive_head,
	  "SELECT h.size + (SELECT count(*) FROM audit_pending p WHERE p.tenant_id = ?1), h.signed_size, h.checkpoint "
	  "FROM audit_heads h WHERE h.tenant_id = ?1");
DB_TENANT(archive_witnessed,
	  "SELECT c.size, c.checkpoint, c.line FROM audit_cosignatures c JOIN audit_heads h ON h.tenant_id = c.tenant_id AND "
	  "h.generation = c.generation WHERE c.tenant_id = ?1 AND c.witnessed = 1 AND c.size <= h.signed_size ORDER BY c.size DESC, c.witness");
DB_TENANT(archive_events,
	  "SELECT l.leaf_index, e.salt, e.bytes FROM audit_leaves l JOIN audit_events e ON e.tenant_id = l.tenant_id AND e.event_id = l.event_id "
	  "WHERE l.tenant_id = ?1 AND l.leaf_index >= ?2 AND l.leaf_index < ?3 AND e.at >= ?4 AND e.at < ?5 ORDER BY l.leaf_index");

enum {
	WAIT_MS = 3000, /* for the head over what is committed: it is signed within a second */
	WAIT_STEP_MS = 50,
	BUNDLE_EVENTS_MAX = TILE_WIDTH * (AUDIT_EVENT_BYTES_MAX + 256),
	MANIFEST_MAX = 256 * MIB,
};

struct archive {
	struct scope *s;
	struct audit_archive *io;
	struct zip_writer *zip;
	const char *host, *vkey, *witnessed; /* witnessed: NULL where there is none */
	const char *origin, *root; /* as they stand in the checkpoint; root in base64 */
	struct buf events, files; /* of the bundle at hand; of the manifest: its list */
	uint64_t covered;       /* what is committed when it begins */
};

static enum err add_file(struct archive *a, const char *name, const void *p, size_t n)
{
	enum err e = zip_add(a->zip, name, p, n, a->s->now);
	return e == OK ? OK : scope_fail(a->s, e, "an archive of the audit log cannot be written");
}

/* A file that the manifest names with its sum. */
static enum err add_listed(struct archive *a, const char *name, const void *p, size_t n)
{
	uint8_t sum[SHA256_BYTES];
	struct json_writer w;
	sha256(p, n, sum);
	if (a->files.len > 0)
		buf_addc(&a->files, ',');
	jw_init(&w, &a->files);
	jw_object(&w);
	jw_kstring(&w, "name", name);
	jw_kint(&w, "bytes", (int64_t)n);
	jw_key(&w, "sha256");
	jw_hex(&w, sum, sizeof sum);
	jw_end_object(&w);
	return add_file(a, name, p, n);
}

/* ---- the head ---- */

static enum err witnessed_tx(struct db_tx *tx, struct archive *a)
{
	auto_rows struct db_rows *r = NULL;
	auto_buf note;
	int64_t size = -1;
	buf_init(&note, NOTE_BYTES_MAX);
	TRY(db_query(tx, &archive_witnessed, DB_NOARGS, &r));
	while (db_next(r)) {
		if (size >= 0 && db_int(r, 0) != size)
			break;
		if (size < 0)
			buf_adds(&note, db_text(r, 1));
		size = db_int(r, 0);
		buf_printf(&note, "%s\n", db_text(r, 2));
	}
	a->witnessed = size >= 0 && !note.failed ? arena_strndup(a->s->arena, note.data, note.len) : NULL;
	return db_rows_err(r);
}

static enum err head_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct archive *a = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &archive_head, DB_NOARGS, &r));
	if (a->covered == 0)
		a->covered = (uint64_t)db_int(r, 0);
	a->io->size = (uint64_t)db_int(r, 1);
	a->io->checkpoint = db_text_dup(r, 2, s->arena);
	return witnessed_tx(tx, a);
}

/* A line of our own checkpoint: origin, size, root. */
static char *note_line(struct arena *arena, const char *note, int line)
{
	for (; line > 0 && *note != '\0'; line--)
		note += strcspn(note, "\n") + 1;
	return arena_strndup(arena, note, strcspn(note, "\n"));
}

/* Waits until the signed head covers everything that is committed now. */
static enum err find_head(struct archive *a)
{
	struct scope *s = a->s;
	enum err e = OK;
	for (int waited = 0; waited <= WAIT_MS; waited += WAIT_STEP_MS) {
		struct arena_mark mark = arena_mark(s->arena);
		e = db_read(s, head_tx, a);
		if (e != OK || (a->io->checkpoint != NULL && a->io->size >= a->covered))
			break;
		if (waited < WAIT_MS)
			arena_rewind(s->arena, mark);
		nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_MS * 1000000L}, NULL);
	}
	if (e == ERR_NOT_FOUND || (e == OK && a->io->checkpoint == NULL))
		return scope_fail(s, ERR_NOT_FOUND, "no checkpoint of the audit log has been signed yet");
	TRY(e);
	if (a->io->size < a->covered)
		return scope_fail(s, ERR_UNAVAILABLE, "the newest events are not under a signed checkpoint yet");
	a->origin = note_line(s->arena, a->io->checkpoint, 0);
	a->root = note_line(s->arena, a->io->checkpoint, 2);
	a->vkey = keeper_vkey(s->keeper, s->arena, a->origin);
	return OK;
}

/* The bundles that the period touches. */
static enum err find_bundles(struct archive *a)
{
	struct audit_period p = {.from = a->io->from, .until = a->io->until, .size = a->io->size};
	TRY(audit_period_find(a->s, &p));
	a->io->first = p.first / TILE_WIDTH * TILE_WIDTH;
	a->io->end = p.end == 0 ? 0 : ((p.end - 1) / TILE_WIDTH + 1) * TILE_WIDTH;
	if (a->io->end > a->io->size)
		a->io->end = a->io->size;
	return OK;
}

/* ---- tiles, bundles, events ---- */

struct one {
	struct archive *a;
	struct tile tile;
	const uint8_t (*hashes)[SHA256_BYTES];
	uint64_t events;
};

static enum err tile_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct one *o = arg;
	enum err e = audit_tiles_read(tx, &o->tile, &o->hashes);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_CONFLICT, "the log's tile %u/%llu is missing or too short", o->tile.level,
				  (unsigned long long)o->tile.index);
	return e;
}

static void event_line(struct buf *out, const struct db_rows *r)
{
	size_t n;
	buf_printf(out, "{\"index\":%lld,\"salt\":\"", (long long)db_int(r, 0));
	const void *p = db_blob(r, 1, &n);
	base64_add(out, p, n);
	buf_adds(out, "\",\"event\":");
	p = db_blob(r, 2, &n);
	buf_add(out, p, n);
	buf_adds(out, "}\n");
}

static enum err bundle_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct one *o = arg;
	int64_t first = (int64_t)(o->tile.index * TILE_WIDTH);
	auto_rows struct db_rows *r = NULL;
	buf_clear(&o->a->events); /* the closure may run again */
	o->events = 0;
	TRY(tile_tx(s, tx, o));
	TRY(db_query(tx, &archive_events,
		     DB_ARGS(db_v_int(first), db_v_int(first + o->tile.width), db_v_int(o->a->io->from), db_v_int(o->a->io->until)), &r));
	for (; db_next(r); o->events++)
		event_line(&o->a->events, r);
	return db_rows_err(r);
}

static enum err add_tile(struct archive *a, unsigned level, uint64_t index)
{
	char name[TILE_PATH_MAX];
	struct arena_mark mark = arena_mark(a->s->arena);
	struct one o = {.a = a, .tile = {.level = level, .index = index, .width = tile_width(a->io->size, level, index)}};
	TRY(db_read(a->s, tile_tx, &o));
	tile_path(&o.tile, name);
	TRY(add_file(a, name, o.hashes, o.tile.width * SHA256_BYTES));
	arena_rewind(a->s->arena, mark);
	return OK;
}

/* "events/x001/067": the path of the tile's number, without its width. */
static void events_path(uint64_t index, char out[TILE_PATH_MAX])
{
	char tile[TILE_PATH_MAX];
	tile_path(&(struct tile){.index = index, .width = TILE_WIDTH}, tile);
	snprintf(out, TILE_PATH_MAX, "events/%s", tile + strlen("tile/0/"));
}

static enum err add_leaves(struct archive *a, struct one *o)
{
	char name[TILE_PATH_MAX];
	uint8_t hashes[TILE_WIDTH][SHA256_BYTES];
	auto_buf bundle;
	buf_init(&bundle, BUNDLE_BYTES);
	bundle_write(&bundle, o->hashes, o->tile.width);
	tile_path(&o->tile, name);
	TRY(add_file(a, name, bundle.data, bundle.len));
	entry_hashes(o->hashes, o->tile.width, hashes);
	o->tile.entries = false;
	tile_path(&o->tile, name);
	return add_file(a, name, hashes, o->tile.width * SHA256_BYTES);
}

static enum err add_bundle(struct archive *a, uint64_t index)
{
	char name[TILE_PATH_MAX];
	struct arena_mark mark = arena_mark(a->s->arena);
	struct one o = {.a = a, .tile = {.entries = true, .index = index, .width = tile_width(a->io->size, 0, index)}};
	TRY(db_read(a->s, bundle_tx, &o));
	if (a->events.failed)
		return scope_fail(a->s, ERR_LIMIT, "the events of one bundle are too large");
	TRY(add_leaves(a, &o));
	a->io->events += o.events;
	events_path(index, name);
	if (o.events > 0)
		TRY(add_listed(a, name, a->events.data, a->events.len));
	arena_rewind(a->s->arena, mark);
	return OK;
}

static enum err add_tree(struct archive *a)
{
	uint64_t size = a->io->size, last = size / TILE_WIDTH;
	for (unsigned level = 1; level < tile_levels(size); level++)
		for (uint64_t i = 0; tile_width(size, level, i) > 0; i++)
			TRY(add_tile(a, level, i));
	if (size % TILE_WIDTH != 0 && last * TILE_WIDTH >= a->io->end) /* the right edge, where the period ends before it */
		TRY(add_tile(a, 0, last));
	for (uint64_t i = a->io->first / TILE_WIDTH; i * TILE_WIDTH < a->io->end; i++)
		TRY(add_bundle(a, i));
	return OK;
}

/* ---- the manifest ---- */

static void time_or_null(struct json_writer *w, const char *name, int64_t us, bool given)
{
	if (given)
		jw_ktime(w, name, us);
	else
		jw_kstring(w, name, NULL);
}

static void write_manifest(const struct archive *a, struct buf *out)
{
	struct json_writer w;
	jw_init(&w, out);
	jw_object(&w);
	jw_kstring(&w, "format", "reeve/audit-archive/v1");
	jw_kstring(&w, "origin", a->origin);
	jw_kid(&w, "tenantId", a->s->tenant);
	jw_kstring(&w, "host", a->host);
	jw_kstring(&w, "verifierKey", a->vkey);
	jw_kstring(&w, "software", "reeve " REEVE_VERSION);
	jw_ktime(&w, "createdDateTime", a->s->now);
	time_or_null(&w, "fromDateTime", a->io->from, a->io->from > 0);
	time_or_null(&w, "untilDateTime", a->io->until, a->io->until < INT64_MAX);
	jw_kint(&w, "firstIndex", (int64_t)a->io->first);
	jw_kint(&w, "endIndex", (int64_t)a->io->end);
	jw_kint(&w, "events", (int64_t)a->io->events);
	jw_key(&w, "checkpoint");
	jw_object(&w);
	jw_kint(&w, "size", (int64_t)a->io->size);
	jw_kstring(&w, "rootHash", a->root);
	jw_end_object(&w);
	jw_key(&w, "files");
	jw_array(&w);
	if (a->files.len > 0)
		jw_raw(&w, a->files.data, a->files.len);
	jw_end_array(&w);
	jw_end_object(&w);
}

static enum err add_manifest(struct archive *a)
{
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	auto_buf manifest;
	buf_init(&manifest, MANIFEST_MAX);
	write_manifest(a, &manifest);
	if (manifest.failed || a->files.failed)
		return scope_fail(a->s, ERR_LIMIT, "the log is too long for one archive: ask for a shorter period");
	keeper_sign(a->s->keeper, manifest.data, manifest.len, signature);
	TRY(add_file(a, "manifest.json", manifest.data, manifest.len));
	return add_file(a, "manifest.sig", signature, sizeof signature);
}

static enum err add_all(struct archive *a)
{
	const char *key = arena_printf(a->s->arena, "%s\n", a->vkey);
	TRY(add_listed(a, "checkpoint", a->io->checkpoint, strlen(a->io->checkpoint)));
	TRY(add_listed(a, "key", key, strlen(key)));
	if (a->witnessed != NULL)
		TRY(add_listed(a, "witnessed", a->witnessed, strlen(a->witnessed)));
	TRY(add_tree(a));
	return add_manifest(a);
}

static enum err write_zip(struct archive *a, const char *path)
{
	TRY(find_bundles(a));
	enum err e = zip_open(path, &a->zip);
	if (e != OK)
		return scope_fail(a->s, e, "an archive of the audit log cannot be written");
	e = add_all(a);
	if (e != OK) {
		zip_abort(a->zip);
		return e;
	}
	e = zip_finish(a->zip);
	return e == OK ? OK : scope_fail(a->s, e, "an archive of the audit log cannot be written");
}

enum err audit_archive_write(struct scope *s, const char *host, const char *path, struct audit_archive *io)
{
	struct archive a = {.s = s, .io = io, .host = host};
	check(s->has_tenant && s->keeper != NULL);
	io->events = 0;
	TRY(find_head(&a));
	buf_init(&a.events, BUNDLE_EVENTS_MAX);
	buf_init(&a.files, MANIFEST_MAX);
	enum err e = write_zip(&a, path);
	buf_release(&a.events);
	buf_release(&a.files);
	return e;
}
