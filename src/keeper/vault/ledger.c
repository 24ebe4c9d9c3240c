/* SPDX-License-Identifier: Apache-2.0
 * The erasure ledger: one line of JSON for each entry,
 *
 *   {"seq":N,"prev":"<64 hex>","entry":<the caller's object>,"hash":"<64 hex>"}
 *
 * N counts from 1; hash is the SHA-256 of the line up to the comma before "hash"; prev is the hash of the line before,
 * zeros for the first.  So a line cannot be changed, removed or moved without every later line telling.  The whole
 * chain is checked at open; a last line without its newline is a write that a crash cut short, was never acknowledged,
 * and goes. */
#include <inttypes.h>
#include <jansson.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "keeper/vault/appendfile.h"
#include "keeper/vault/vault.h"

#define ENTRY_MAX (256 * KIB) /* a plan with its counts for every table is about 10 KiB */

static const char suffix[] = ",\"hash\":\"";
enum { HEX = 2 * SHA256_BYTES, SUFFIX = sizeof suffix - 1 + HEX + 2 /* "} */, PREFIX_MAX = 160 };

struct ledger {
	pthread_mutex_t lock;
	int dir;
	struct appendfile file;
	uint64_t size; /* entries */
	uint8_t last[SHA256_BYTES];
};

static size_t write_prefix(char out[PREFIX_MAX], uint64_t sequence, const uint8_t prev[SHA256_BYTES])
{
	char hex[HEX + 1];
	hex_encode(prev, SHA256_BYTES, hex);
	return (size_t)snprintf(out, PREFIX_MAX, "{\"seq\":%" PRIu64 ",\"prev\":\"%s\",\"entry\":", sequence, hex);
}

/* Checks one line (without newline) against its place in the chain.  hash: the line's own, which is the next line's
 * prev. */
static bool read_line(const char *line, size_t n, uint64_t sequence, const uint8_t prev[SHA256_BYTES],
		      const char **ret_entry, size_t *ret_n, uint8_t hash[SHA256_BYTES])
{
	char want[PREFIX_MAX], hex[HEX + 1];
	size_t prefix = write_prefix(want, sequence, prev);
	if (n < prefix + SUFFIX + 2 || memcmp(line, want, prefix) != 0)
		return false;
	const char *tail = line + n - SUFFIX;
	sha256(line, n - SUFFIX, hash);
	hex_encode(hash, SHA256_BYTES, hex);
	if (memcmp(tail, suffix, sizeof suffix - 1) != 0 || memcmp(tail + sizeof suffix - 1, hex, HEX) != 0 ||
	    memcmp(line + n - 2, "\"}", 2) != 0)
		return false;
	*ret_entry = line + prefix;
	*ret_n = n - SUFFIX - prefix;
	return true;
}

/* ---- reading ---- */

struct walk {
	FILE *in;
	char *line;
	size_t cap;
	uint64_t sequence, offset; /* of the last good line; where the next begins */
	uint8_t hash[SHA256_BYTES];
	const char *entry;
	size_t entry_n;
};

enum found { WALK_LINE, WALK_END, WALK_TORN, WALK_DAMAGED, WALK_IO };

static bool walk_begin(struct walk *w, int dir)
{
	*w = (struct walk){0};
	int fd = openat(dir, LEDGER_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	w->in = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (w->in == NULL && fd >= 0)
		close(fd);
	return w->in != NULL;
}

static void walk_end(struct walk *w)
{
	free(w->line);
	if (w->in != NULL)
		fclose(w->in);
}

static enum found walk_next(struct walk *w)
{
	uint8_t hash[SHA256_BYTES];
	ssize_t n = getline(&w->line, &w->cap, w->in);
	if (n < 0)
		return ferror(w->in) ? WALK_IO : WALK_END;
	if (w->line[n - 1] != '\n')
		return WALK_TORN;
	if (!read_line(w->line, (size_t)n - 1, w->sequence + 1, w->hash, &w->entry, &w->entry_n, hash))
		return WALK_DAMAGED;
	memcpy(w->hash, hash, sizeof hash);
	w->sequence++;
	w->offset += (uint64_t)n;
	return WALK_LINE;
}

static enum err load(struct ledger *l, uint64_t *ret_cut, char **detail)
{
	struct walk w;
	enum found found = WALK_LINE;
	if (!walk_begin(&w, l->dir))
		return vault_fail(detail, ERR_IO, "the erasure ledger cannot be read");
	while (found == WALK_LINE)
		found = walk_next(&w);
	l->size = w.sequence;
	memcpy(l->last, w.hash, sizeof l->last);
	enum err e = OK;
	if (found == WALK_IO)
		e = vault_fail(detail, ERR_IO, "the erasure ledger cannot be read");
	if (found == WALK_DAMAGED)
		e = vault_fail(detail, ERR_CONFIG,
				"the erasure ledger is damaged in line %" PRIu64
				": put back its newest copy, never an older one",
				w.sequence + 1);
	if (found == WALK_TORN) {
		*ret_cut = l->file.length - w.offset;
		if (appendfile_cut(&l->file, w.offset) != OK)
			e = vault_fail(detail, ERR_IO, "the torn end of the erasure ledger cannot be cut off");
	}
	walk_end(&w);
	return e;
}

enum err ledger_open(int dir, struct ledger **ret, uint64_t *ret_cut, char **detail)
{
	struct ledger *l = calloc(1, sizeof *l);
	check(l != NULL && pthread_mutex_init(&l->lock, NULL) == 0);
	l->dir = dir;
	l->file.fd = -1;
	*ret_cut = 0;
	enum err e = appendfile_open(&l->file, dir, LEDGER_FILE, detail);
	if (e == OK)
		e = load(l, ret_cut, detail);
	if (e != OK) {
		ledger_close(l);
		return e;
	}
	*ret = l;
	return OK;
}

void ledger_close(struct ledger *l)
{
	if (l == NULL)
		return;
	appendfile_close(&l->file);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

uint64_t ledger_length(const struct ledger *l)
{
	return l->file.length;
}

enum err vault_ledger_read(struct vault *k, struct scope *s, uint64_t from, keeper_ledger_fn fn, void *arg)
{
	/* The file only grows, so that what is there now can be read without the lock: fn may take its time, or append.
	 */
	uint64_t size = vault_ledger_size(k);
	struct walk w;
	if (!walk_begin(&w, k->dir))
		return scope_fail(s, ERR_IO, "the erasure ledger cannot be read");
	bool more = true;
	enum found found = WALK_LINE;
	while (more && w.sequence < size && (found = walk_next(&w)) == WALK_LINE)
		if (w.sequence >= from)
			more = fn(arg, w.sequence, w.entry, w.entry_n);
	walk_end(&w);
	return found == WALK_LINE
		       ? OK
		       : scope_fail(s, ERR_IO, "the erasure ledger is damaged in line %" PRIu64, w.sequence + 1);
}

uint64_t vault_ledger_size(struct vault *k)
{
	struct ledger *l = k->ledger;
	check(pthread_mutex_lock(&l->lock) == 0);
	uint64_t size = l->size;
	pthread_mutex_unlock(&l->lock);
	return size;
}

void vault_ledger_head(struct vault *k, uint64_t *ret_sequence, uint8_t ret_hash[SHA256_BYTES])
{
	check(pthread_mutex_lock(&k->ledger->lock) == 0);
	*ret_sequence = k->ledger->size;
	memcpy(ret_hash, k->ledger->last, SHA256_BYTES);
	pthread_mutex_unlock(&k->ledger->lock);
}

/* Walks to an entry, which w then stands behind.  False: it is not there, or cannot be read. */
static bool walk_to(struct walk *w, int dir, uint64_t sequence)
{
	if (!walk_begin(w, dir))
		return false;
	while (w->sequence < sequence && walk_next(w) == WALK_LINE)
		;
	return w->sequence == sequence;
}

enum err vault_ledger_hash(struct vault *k, struct scope *s, uint64_t sequence, uint8_t ret_hash[SHA256_BYTES])
{
	struct walk w = {0};
	bool found = sequence <= vault_ledger_size(k) && walk_to(&w, k->dir, sequence);
	if (!found && sequence > vault_ledger_size(k))
		return scope_fail(s, ERR_NOT_FOUND, "the erasure ledger has no entry %" PRIu64, sequence);
	memcpy(ret_hash, w.hash, SHA256_BYTES);
	walk_end(&w);
	return found ? OK : scope_fail(s, ERR_IO, "the erasure ledger cannot be read");
}

/* A line that is being written is not there yet. */
enum err keeper_ledger_peek(const char *path, uint64_t *ret_sequence, uint8_t ret_hash[SHA256_BYTES], char **detail)
{
	struct walk w;
	enum found found = WALK_LINE;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || !walk_begin(&w, dir)) {
		if (dir >= 0)
			close(dir);
		return vault_fail(detail, ERR_IO, "the erasure ledger in %s cannot be read", path);
	}
	while (found == WALK_LINE)
		found = walk_next(&w);
	*ret_sequence = w.sequence;
	memcpy(ret_hash, w.hash, SHA256_BYTES);
	walk_end(&w);
	close(dir);
	return found == WALK_END || found == WALK_TORN ? OK : vault_fail(detail, ERR_IO, "the erasure ledger in %s is damaged", path);
}

/* ---- two of them ---- */

#define TAIL_BYTES (1 * MIB)

static enum err append_lines(struct ledger *to, struct buf *lines, const struct walk *w)
{
	if (lines->failed)
		return ERR_INTERNAL;
	if (lines->len == 0)
		return OK;
	TRY(appendfile_append(&to->file, lines->data, lines->len));
	check(pthread_mutex_lock(&to->lock) == 0);
	to->size = w->sequence;
	memcpy(to->last, w->hash, SHA256_BYTES);
	pthread_mutex_unlock(&to->lock);
	buf_clear(lines);
	return OK;
}

/* What stands behind w, as whole lines. */
static enum err append_tail(struct walk *w, struct ledger *to)
{
	auto_buf lines;
	buf_init(&lines, TAIL_BYTES + PREFIX_MAX + ENTRY_MAX + SUFFIX + 1);
	enum found found;
	while ((found = walk_next(w)) == WALK_LINE) {
		buf_adds(&lines, w->line);
		if (lines.len >= TAIL_BYTES || lines.failed)
			TRY(append_lines(to, &lines, w));
	}
	return found == WALK_END ? append_lines(to, &lines, w) : ERR_IO;
}

enum err ledger_even(struct ledger *a, struct ledger *b, char **detail)
{
	struct ledger *longer = a->size >= b->size ? a : b, *shorter = longer == a ? b : a;
	struct walk w;
	if (!walk_to(&w, longer->dir, shorter->size)) {
		walk_end(&w);
		return vault_fail(detail, ERR_UNAVAILABLE, "the erasure ledgers of both places cannot be compared");
	}
	enum err e = OK;
	if (memcmp(w.hash, shorter->last, SHA256_BYTES) != 0)
		e = vault_fail(detail, ERR_CONFIG,
				"the erasure ledgers of both places are of two histories: they differ in or before entry %" PRIu64
				"; keep the one that belongs to the database, and empty the second place",
				shorter->size);
	else if (append_tail(&w, shorter) != OK)
		e = vault_fail(detail, ERR_UNAVAILABLE, "the shorter erasure ledger of both places cannot be caught up");
	walk_end(&w);
	return e;
}

/* ---- appending ---- */

static bool is_one_line_object(const char *json, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)json[i] < 0x20)
			return false;
	if (n < 2 || json[0] != '{' || json[n - 1] != '}')
		return false;
	json_t *v = json_loadb(json, n, JSON_REJECT_DUPLICATES, NULL);
	json_decref(v);
	return v != NULL;
}

static enum err append_line(struct ledger *l, const struct buf *line, const uint8_t hash[SHA256_BYTES])
{
	TRY(appendfile_append(&l->file, line->data, line->len));
	l->size++;
	memcpy(l->last, hash, SHA256_BYTES);
	return OK;
}

/* Takes the newest line back, which nobody was told of. */
static void take_back(struct ledger *l, size_t n, const uint8_t prev[SHA256_BYTES])
{
	if (appendfile_cut(&l->file, l->file.length - n) != OK)
		return; /* broken: nothing more is written until it is opened again */
	l->size--;
	memcpy(l->last, prev, SHA256_BYTES);
}

static enum err append_locked(struct ledger *l, struct ledger *second, const char *json, size_t n, uint8_t hash[SHA256_BYTES])
{
	char prefix[PREFIX_MAX], hex[HEX + 1];
	uint8_t prev[SHA256_BYTES];
	auto_buf line;
	buf_init(&line, PREFIX_MAX + ENTRY_MAX + SUFFIX + 1);
	buf_add(&line, prefix, write_prefix(prefix, l->size + 1, l->last));
	buf_add(&line, json, n);
	if (line.failed)
		return ERR_INTERNAL;
	sha256(line.data, line.len, hash);
	hex_encode(hash, SHA256_BYTES, hex);
	buf_printf(&line, "%s%s\"}\n", suffix, hex);
	if (line.failed)
		return ERR_INTERNAL;
	memcpy(prev, l->last, sizeof prev);
	TRY(append_line(l, &line, hash));
	if (second == NULL || append_line(second, &line, hash) == OK)
		return OK;
	take_back(l, line.len, prev);
	return ERR_UNAVAILABLE;
}

/* In both places, or in neither. */
static enum err append_both(struct vault *k, struct scope *s, const char *json, size_t n, uint8_t hash[SHA256_BYTES], uint64_t *ret_sequence)
{
	char *detail = NULL;
	enum err e = copy_ready(k, &detail);
	if (e != OK) {
		e = scope_fail(s, e, "%s", detail != NULL ? detail : err_text(e));
		free(detail);
		return e;
	}
	check(pthread_mutex_lock(&k->ledger->lock) == 0);
	e = append_locked(k->ledger, copy_ledger(k), json, n, hash);
	*ret_sequence = k->ledger->size;
	pthread_mutex_unlock(&k->ledger->lock);
	if (e == ERR_UNAVAILABLE)
		copy_lost(k);
	return e;
}

enum err vault_ledger_append(struct vault *k, struct scope *s, const char *json, size_t n, uint64_t *ret_sequence,
			      uint8_t ret_hash[SHA256_BYTES])
{
	if (n > ENTRY_MAX)
		return scope_fail(s, ERR_TOO_LARGE, "a ledger entry has at most %u bytes", ENTRY_MAX);
	if (!is_one_line_object(json, n))
		return scope_fail(s, ERR_BAD_REQUEST, "a ledger entry must be one JSON object in one line");
	uint8_t hash[SHA256_BYTES];
	uint64_t sequence;
	check(pthread_mutex_lock(&k->both) == 0);
	enum err e = append_both(k, s, json, n, hash, &sequence);
	pthread_mutex_unlock(&k->both);
	if (e == ERR_STORAGE_FULL)
		return scope_fail(s, e, "no space is left for the erasure ledger");
	if (e == ERR_UNAVAILABLE || e == ERR_CONFIG)
		return scope_fail(s, e, "the erasure ledger could not be written in the second place: nothing is erased until it can");
	if (e != OK)
		return scope_fail(s, e, "the erasure ledger could not be written: the server must be restarted");
	if (ret_sequence != NULL)
		*ret_sequence = sequence;
	if (ret_hash != NULL)
		memcpy(ret_hash, hash, SHA256_BYTES);
	return OK;
}
