/* SPDX-License-Identifier: Apache-2.0
 *
 * From the spool to the sealed file: entries are hashed as they are deflated, and what comes out is hashed and sealed as it is written.  There
 * is no plain file, and one fsync.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "codec/zip.h"
#include "crypto/seal.h"
#include "keeper/keeper.h"
#include "privacy/export/internal.h"

enum { DEFLATE_LEVEL = 4, MANIFEST_BYTES = 32 * 1024 * 1024, PAGE_BYTES = 8 * 1024 * 1024 };

struct packing {
	struct bundle *b;
	struct seal_stream *sealed;
	struct sha256_stream *whole;
	int64_t bytes;
	struct zip_writer *zip; /* NULL: one plain page */
	struct bundle_file *file;
	size_t n, room;
	struct sha256_stream *entry;
};

static enum err out(void *arg, const void *p, size_t n)
{
	struct packing *k = arg;
	sha256_update(k->whole, p, n);
	k->bytes += (int64_t)n;
	return seal_write(k->sealed, p, n);
}

/* ---- entries ---- */

static enum err begin(struct packing *k, const char *name, int64_t rows)
{
	if (k->n == k->room) {
		k->room = k->room == 0 ? 128 : 2 * k->room;
		k->file = realloc(k->file, k->room * sizeof *k->file);
		check(k->file != NULL);
	}
	k->file[k->n++] = (struct bundle_file){.name = name, .rows = rows};
	k->entry = sha256_new();
	return zip_begin(k->zip, name, k->b->s->now);
}

static enum err put(void *arg, const void *p, size_t n)
{
	struct packing *k = arg;
	if (k->zip == NULL)
		return out(k, p, n);
	sha256_update(k->entry, p, n);
	k->file[k->n - 1].bytes += (int64_t)n;
	return zip_put(k->zip, p, n);
}

static enum err put_buf(struct packing *k, struct buf *b)
{
	if (b->failed)
		return ERR_LIMIT;
	enum err e = b->len == 0 ? OK : put(k, b->data, b->len);
	buf_clear(b);
	return e;
}

static void end(struct packing *k)
{
	sha256_final(k->entry, k->file[k->n - 1].sha256);
	k->entry = NULL;
}

static enum err add_buf(struct packing *k, const char *name, struct buf *b)
{
	TRY(begin(k, name, -1));
	TRY(put_buf(k, b));
	end(k);
	return OK;
}

static enum err add_text(struct packing *k, const char *name, int64_t rows, const struct spool_text *t)
{
	TRY(begin(k, name, rows));
	TRY(spool_each(t, put, k));
	end(k);
	return OK;
}

/* ---- the bundle ---- */

static enum err add_pages(struct packing *k, const struct section *sec, struct buf *b)
{
	for (size_t i = 0; i == 0 || i < sec->pages; i++) {
		TRY(begin(k, html_name(k->b, sec, i), -1));
		html_section_head(k->b, sec, i, b);
		TRY(put_buf(k, b));
		if (i < sec->pages)
			TRY(spool_each(&sec->html[i], put, k));
		html_section_foot(k->b, sec, i, b);
		TRY(put_buf(k, b));
		end(k);
	}
	return OK;
}

static enum err add_section(struct packing *k, const struct section *sec, struct buf *b)
{
	struct arena *a = k->b->s->arena;
	TRY(add_text(k, arena_printf(a, "data/%s.json", sec->name), sec->rows, &sec->json));
	TRY(add_text(k, arena_printf(a, "data/%s.csv", sec->name), sec->rows, &sec->csv));
	bundle_schema(k->b, sec, b);
	TRY(add_buf(k, arena_printf(a, "schema/%s.schema.json", sec->name), b));
	return add_pages(k, sec, b);
}

static enum err add_list(struct packing *k, const char *name, struct buf *head, const struct spool_text *items, const char *tail)
{
	TRY(begin(k, name, -1));
	TRY(put_buf(k, head));
	TRY(spool_each(items, put, k));
	TRY(put(k, tail, strlen(tail)));
	end(k);
	return OK;
}

static enum err add_manifest(struct packing *k, struct packed *ret)
{
	int64_t now = k->b->s->now;
	auto_buf manifest, signature;
	buf_init(&manifest, MANIFEST_BYTES);
	buf_init(&signature, 4 * KIB);
	TRY(bundle_manifest(k->b, k->file, k->n, &manifest));
	bundle_signature(k->b, &manifest, &signature);
	sha256(manifest.data, manifest.len, ret->manifest_sha256);
	TRY(zip_add(k->zip, "manifest.json", manifest.data, manifest.len, now));
	return zip_add(k->zip, "manifest.sig", signature.data, signature.len, now);
}

static enum err add_all(struct packing *k, struct packed *ret)
{
	auto_buf b;
	buf_init(&b, PAGE_BYTES);
	html_readme(k->b, &b);
	TRY(add_buf(k, "README.html", &b));
	for (size_t i = 0; i < k->b->n; i++)
		if (k->b->section[i].left_out == NOT_LEFT_OUT)
			TRY(add_section(k, &k->b->section[i], &b));
	buf_addc(&b, '[');
	TRY(add_list(k, "redactions.json", &b, &k->b->redactions, "\n]\n"));
	bundle_withheld_head(k->b, &b);
	TRY(add_list(k, "withheld.json", &b, &k->b->withheld, "\n]}\n"));
	return add_manifest(k, ret);
}

static enum err make_zip(struct packing *k, struct packed *ret)
{
	uint8_t unused[SHA256_BYTES];
	TRY(zip_open_out(out, k, DEFLATE_LEVEL, &k->zip));
	enum err e = add_all(k, ret);
	if (k->entry != NULL)
		sha256_final(k->entry, unused);
	free(k->file);
	if (e == OK)
		return zip_finish(k->zip);
	zip_abort(k->zip);
	return e;
}

/* ---- the printable page ---- */

static enum err make_page(struct packing *k)
{
	auto_buf b;
	buf_init(&b, PAGE_BYTES);
	html_page_head(k->b, &b);
	for (size_t i = 0; i < k->b->n; i++) {
		const struct section *sec = &k->b->section[i];
		if (sec->left_out != NOT_LEFT_OUT)
			continue;
		html_page_section(k->b, sec, &b);
		TRY(put_buf(k, &b));
		for (size_t p = 0; p < sec->pages; p++)
			TRY(spool_each(&sec->html[p], put, k));
		html_page_section_end(sec, &b);
	}
	html_page_foot(k->b, &b);
	return put_buf(k, &b);
}

enum err bundle_pack(struct bundle *b, const char *sealed, struct packed *ret)
{
	struct packing k = {.b = b};
	TRY(keeper_seal_open(b->s->keeper, b->operation, sealed, &k.sealed));
	k.whole = sha256_new();
	enum err e = strcmp(b->form, "page") == 0 ? make_page(&k) : make_zip(&k, ret);
	sha256_final(k.whole, ret->sha256);
	ret->bytes = k.bytes;
	if (e == OK)
		return seal_commit(k.sealed);
	seal_abandon(k.sealed);
	return scope_fail(b->s, e, "the file of an export could not be written");
}
