/* SPDX-License-Identifier: Apache-2.0
 * The last signed head of every log (I3).  What holds the promise: a new head is computed here from the last one and
 * the new leaves, it is on disk before anyone sees it, and where the disk refuses, memory still says what the disk
 * says. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/newfile.h"
#include "keeper/vault/appendfile.h"
#include "keeper/vault/headfile.h"
#include "keeper/vault/vault.h"

#define HEADS_FILE "heads"
#define COMPACT_BYTES (4 * MIB) /* below this a file is never rewritten */
enum { COMPACT_RATIO = 4 };
#define BATCH_MAX (256 * MIB) /* far more than all heads of 100,000 logs */

struct slot {
	struct head *head;   /* NULL: never signed */
	struct head *staged; /* of the batch under way */
	struct slot *next_staged;
	uint64_t hash;
	char origin[];
};

struct heads {
	pthread_mutex_t lock;
	int dir;
	struct appendfile file;
	struct slot **table; /* open addressing */
	size_t cap, used;
	struct slot *staged; /* list: what the batch under way changes */
	size_t live;         /* bytes of the records of all heads */
	uint64_t compact_at; /* file length from which it is rewritten */
};

/* ---- the table ---- */

static uint64_t hash_text(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a: origins are our own, nobody chooses them to collide */
	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h;
}

static struct slot **place(struct slot **table, size_t cap, uint64_t hash, const char *origin)
{
	size_t i = (size_t)hash & (cap - 1);
	while (table[i] != NULL && (table[i]->hash != hash || strcmp(table[i]->origin, origin) != 0))
		i = (i + 1) & (cap - 1);
	return &table[i];
}

static void grow_table(struct heads *h)
{
	size_t cap = h->cap ? 2 * h->cap : 64;
	struct slot **table = calloc(cap, sizeof *table);
	check(table != NULL);
	for (size_t i = 0; i < h->cap; i++)
		if (h->table[i] != NULL)
			*place(table, cap, h->table[i]->hash, h->table[i]->origin) = h->table[i];
	free(h->table);
	h->table = table;
	h->cap = cap;
}

static struct slot *find_or_add(struct heads *h, const char *origin)
{
	if (h->used * 2 >= h->cap)
		grow_table(h);
	uint64_t hash = hash_text(origin);
	struct slot **at = place(h->table, h->cap, hash, origin);
	if (*at != NULL)
		return *at;
	size_t n = strlen(origin) + 1;
	struct slot *slot = calloc(1, sizeof *slot + n);
	check(slot != NULL);
	slot->hash = hash;
	memcpy(slot->origin, origin, n);
	h->used++;
	return *at = slot;
}

static void replace(struct heads *h, struct slot *slot, struct head *head)
{
	if (slot->head != NULL)
		h->live -= head_record_bytes(slot->origin, slot->head);
	free(slot->head);
	slot->head = head;
	h->live += head_record_bytes(slot->origin, head);
}

/* ---- the file ---- */

static void set_threshold(struct heads *h)
{
	uint64_t by_ratio = (uint64_t)h->live * COMPACT_RATIO;
	h->compact_at = by_ratio > COMPACT_BYTES ? by_ratio : COMPACT_BYTES;
}

static enum err write_live(struct heads *h, struct newfile *to)
{
	auto_buf batch;
	buf_init(&batch, BATCH_MAX);
	headfile_begin(&batch);
	for (size_t i = 0; i < h->cap; i++)
		if (h->table[i] != NULL && h->table[i]->head != NULL)
			headfile_record(&batch, h->table[i]->origin, h->table[i]->head);
	headfile_end(&batch);
	return batch.failed ? ERR_LIMIT : newfile_write(to, batch.data, batch.len);
}

/* Whether the name still leads to the file that we write to. */
static bool still_ours(const struct heads *h)
{
	struct stat name, ours;
	return fstatat(h->dir, HEADS_FILE, &name, AT_SYMLINK_NOFOLLOW) == 0 && fstat(h->file.fd, &ours) == 0 &&
	       name.st_ino == ours.st_ino && name.st_dev == ours.st_dev;
}

/* Rewrites the file with the live heads only.  Where that fails before the rename, the long file stays in use and the
 * next try is when it has doubled; after the rename a file that might vanish in a crash must not take another head. */
static void compact(struct heads *h)
{
	struct newfile f;
	h->compact_at = 2 * h->file.length;
	if (newfile_begin(&f, h->dir, HEADS_FILE) != OK)
		return;
	if (write_live(h, &f) != OK) {
		newfile_abandon(&f);
		return;
	}
	if (newfile_commit(&f) != OK) {
		h->file.broken |= !still_ours(h);
		return;
	}
	appendfile_close(&h->file);
	if (appendfile_open(&h->file, h->dir, HEADS_FILE, NULL) != OK)
		h->file.broken = true;
	set_threshold(h);
}

/* A later record of a log must be of a larger size. */
static bool take_records(struct heads *h, const uint8_t *p, size_t n)
{
	char origin[NOTE_NAME_MAX + 1];
	struct merkle_range range;
	while (n > 0) {
		if (!headfile_read_record(&p, &n, origin, &range))
			return false;
		struct slot *slot = find_or_add(h, origin);
		if (slot->head != NULL && range.size <= slot->head->size)
			return false;
		replace(h, slot, head_new(&range));
	}
	return true;
}

static enum err load(struct heads *h, const uint8_t *file, size_t n, uint64_t *ret_cut, char **detail)
{
	const uint8_t *records;
	size_t records_n, at = 0, next = 0;
	for (;; at = next) {
		switch (headfile_next(file, n, at, &records, &records_n, &next)) {
		case HEADFILE_END:
			return OK;
		case HEADFILE_TORN:
			*ret_cut = n - at;
			if (appendfile_cut(&h->file, at) != OK)
				return vault_fail(detail, ERR_IO,
						   "the torn end of the keeper's file heads cannot be cut off");
			return OK;
		case HEADFILE_BATCH:
			if (take_records(h, records, records_n))
				continue;
			break;
		case HEADFILE_DAMAGED:
			break;
		}
		return vault_fail(
			detail, ERR_CONFIG,
			"the keeper's file heads is damaged at byte %zu: put back its newest copy, never an older one",
			at);
	}
}

enum err heads_open(int dir, struct heads **ret, uint64_t *ret_cut, char **detail)
{
	char *bytes;
	size_t n;
	*ret_cut = 0;
	TRY(vault_file_read(dir, HEADS_FILE, SIZE_MAX / 2, &bytes, &n, detail));
	struct heads *h = calloc(1, sizeof *h);
	check(h != NULL && pthread_mutex_init(&h->lock, NULL) == 0);
	h->dir = dir;
	h->file.fd = -1;
	grow_table(h);
	enum err e = appendfile_open(&h->file, dir, HEADS_FILE, detail);
	if (e == OK)
		e = load(h, (const uint8_t *)bytes, n, ret_cut, detail);
	free(bytes);
	if (e != OK) {
		heads_close(h);
		return e;
	}
	set_threshold(h);
	if (h->file.length > h->compact_at)
		compact(h);
	*ret = h;
	return OK;
}

void heads_close(struct heads *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->cap; i++) {
		if (h->table[i] != NULL)
			free(h->table[i]->head);
		free(h->table[i]);
	}
	free(h->table);
	appendfile_close(&h->file);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

/* ---- growing ---- */

/* A batch may hold two growths of one log: the second starts from what the first staged. */
static enum err stage(struct heads *h, struct scope *s, const struct keeper_growth *g, struct head_state *ret)
{
	if (!note_name_valid(g->origin))
		return scope_fail(s, ERR_BAD_REQUEST,
				  "a log's origin must be 1 to %d printable characters without space and +",
				  NOTE_NAME_MAX);
	struct slot *slot = find_or_add(h, g->origin);
	struct merkle_range range;
	head_range(slot->staged != NULL ? slot->staged : slot->head, &range);
	if (range.size != g->old_size)
		return scope_fail(s, ERR_CONFLICT, "the log %s was last signed at size %" PRIu64 ", not %" PRIu64,
				  g->origin, range.size, g->old_size);
	if (g->n > INT64_MAX - range.size)
		return scope_fail(s, ERR_BAD_REQUEST, "no log is that long");
	for (size_t i = 0; i < g->n; i++)
		merkle_append(&range, g->leaf_hashes[i]);
	ret->size = range.size;
	merkle_root(&range, ret->root);
	if (g->root != NULL && !bytes_equal(g->root, ret->root, SHA256_BYTES))
		return scope_fail(s, ERR_CONFLICT, "the log %s is not the one that was signed: its root at size %" PRIu64 " differs",
				  g->origin, range.size);
	if (g->n == 0)
		return OK;
	if (slot->staged == NULL) {
		slot->next_staged = h->staged;
		h->staged = slot;
	}
	free(slot->staged);
	slot->staged = head_new(&range);
	return OK;
}

/* Ends the batch under way: what it staged becomes the head, or goes. */
static void settle(struct heads *h, bool accept)
{
	for (struct slot *slot = h->staged; slot != NULL; slot = slot->next_staged) {
		if (accept)
			replace(h, slot, slot->staged);
		else
			free(slot->staged);
		slot->staged = NULL;
	}
	h->staged = NULL;
}

static enum err write_batch(struct heads *h, struct scope *s)
{
	if (h->staged == NULL)
		return OK; /* nothing grew */
	auto_buf batch;
	buf_init(&batch, BATCH_MAX);
	headfile_begin(&batch);
	for (const struct slot *slot = h->staged; slot != NULL; slot = slot->next_staged)
		headfile_record(&batch, slot->origin, slot->staged);
	headfile_end(&batch);
	if (batch.failed)
		return scope_fail(s, ERR_LIMIT, "too many logs for one write of heads");
	enum err e = appendfile_append(&h->file, batch.data, batch.len);
	if (e == ERR_STORAGE_FULL)
		return scope_fail(s, e, "no space is left for the keeper's heads");
	if (e != OK)
		return scope_fail(s, e, "the keeper's heads could not be written: nothing is signed until their file can be written anew");
	return OK;
}

enum err heads_grow(struct heads *h, struct scope *s, struct keeper_growth *logs, struct head_state *ret, size_t count)
{
	check(pthread_mutex_lock(&h->lock) == 0);
	if (h->file.broken) /* what the file holds is not known, what memory holds was on disk: a new file says it again */
		compact(h);
	for (size_t i = 0; i < count; i++)
		logs[i].err = stage(h, s, &logs[i], &ret[i]);
	enum err e = write_batch(h, s);
	settle(h, e == OK);
	for (size_t i = 0; e != OK && i < count; i++)
		if (logs[i].err == OK)
			logs[i].err = e;
	if (e == OK && h->file.length > h->compact_at)
		compact(h);
	pthread_mutex_unlock(&h->lock);
	return e;
}

bool heads_get(struct heads *h, const char *origin, struct head_state *ret)
{
	struct merkle_range range;
	check(pthread_mutex_lock(&h->lock) == 0);
	struct slot *slot = *place(h->table, h->cap, hash_text(origin), origin);
	bool found = slot != NULL && slot->head != NULL;
	if (found)
		head_range(slot->head, &range);
	pthread_mutex_unlock(&h->lock);
	if (!found)
		return false;
	ret->size = range.size;
	merkle_root(&range, ret->root);
	return true;
}

void heads_each(struct heads *h, keeper_heads_fn fn, void *arg)
{
	struct merkle_range range;
	uint8_t root[SHA256_BYTES];
	check(pthread_mutex_lock(&h->lock) == 0);
	for (size_t i = 0; i < h->cap; i++) {
		if (h->table[i] == NULL || h->table[i]->head == NULL)
			continue;
		head_range(h->table[i]->head, &range);
		merkle_root(&range, root);
		fn(arg, h->table[i]->origin, range.size, root);
	}
	pthread_mutex_unlock(&h->lock);
}
