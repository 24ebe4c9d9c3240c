/* SPDX-License-Identifier: Apache-2.0
 * Writing and reading the batches of the file of heads.  A torn batch can only be the last one, for each is on disk
 * before the next is begun: a bad batch with anything after it is damage. */
#include "keeper/vault/headfile.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "tlog/note.h"

static const char magic[4] = "RVH1";
enum { HEADER = 16, HEADER_CHECK = 8, CHECKSUM = SHA256_BYTES };

struct head *head_new(const struct merkle_range *r)
{
	struct head *h = malloc(sizeof *h + (size_t)r->count * SHA256_BYTES);
	check(h != NULL);
	h->size = r->size;
	h->count = r->count;
	memcpy(h->root, r->root, (size_t)r->count * SHA256_BYTES);
	return h;
}

void head_range(const struct head *h, struct merkle_range *ret)
{
	ret->size = h != NULL ? h->size : 0;
	ret->count = h != NULL ? h->count : 0;
	if (h != NULL)
		memcpy(ret->root, h->root, (size_t)h->count * SHA256_BYTES);
}

size_t head_record_bytes(const char *origin, const struct head *h)
{
	return 2 + strlen(origin) + 8 + 1 + (size_t)h->count * SHA256_BYTES;
}

static void put(uint8_t *out, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		out[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;
	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static void header(uint8_t out[HEADER], uint32_t n)
{
	uint8_t hash[SHA256_BYTES];
	memcpy(out, magic, sizeof magic);
	put(out + 4, n, 4);
	sha256(out, 8, hash);
	memcpy(out + 8, hash, HEADER_CHECK);
}

void headfile_begin(struct buf *batch)
{
	static const uint8_t room[HEADER];
	buf_add(batch, room, sizeof room);
}

void headfile_record(struct buf *batch, const char *origin, const struct head *h)
{
	uint8_t number[9];
	put(number, strlen(origin), 2);
	buf_add(batch, number, 2);
	buf_adds(batch, origin);
	put(number, h->size, 8);
	number[8] = (uint8_t)h->count;
	buf_add(batch, number, 9);
	buf_add(batch, h->root, (size_t)h->count * SHA256_BYTES);
}

void headfile_end(struct buf *batch)
{
	uint8_t hash[SHA256_BYTES];
	if (batch->failed)
		return;
	header((uint8_t *)batch->data, (uint32_t)(batch->len - HEADER));
	sha256(batch->data, batch->len, hash);
	buf_add(batch, hash, sizeof hash);
}

/* A file system may have grown the file and lost the data: the tail is a hole. */
static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

enum headfile_found headfile_next(const uint8_t *file, size_t n, size_t at, const uint8_t **ret_records, size_t *ret_n,
				  size_t *ret_next)
{
	size_t rest = n - at;
	uint8_t want[HEADER], hash[SHA256_BYTES];
	if (rest == 0)
		return HEADFILE_END;
	if (rest < HEADER)
		return HEADFILE_TORN;
	size_t length = (size_t)get(file + at + 4, 4), all = HEADER + length + CHECKSUM;
	header(want, (uint32_t)length);
	if (memcmp(file + at, want, HEADER) != 0)
		return all_zero(file + at, rest) ? HEADFILE_TORN : HEADFILE_DAMAGED;
	if (rest < all)
		return HEADFILE_TORN;
	sha256(file + at, HEADER + length, hash);
	if (memcmp(hash, file + at + HEADER + length, CHECKSUM) != 0)
		return rest == all ? HEADFILE_TORN : HEADFILE_DAMAGED;
	*ret_records = file + at + HEADER;
	*ret_n = length;
	*ret_next = at + all;
	return HEADFILE_BATCH;
}

bool headfile_read_record(const uint8_t **p, size_t *n, char *origin, struct merkle_range *ret)
{
	size_t name = *n >= 2 ? (size_t)get(*p, 2) : 0;
	if (name == 0 || name > NOTE_NAME_MAX || *n < 2 + name + 9)
		return false;
	memcpy(origin, *p + 2, name);
	origin[name] = '\0';
	const uint8_t *at = *p + 2 + name;
	ret->size = get(at, 8);
	ret->count = at[8];
	size_t all = 2 + name + 9 + (size_t)ret->count * SHA256_BYTES;
	if (!note_name_valid(origin) || ret->count != (unsigned)__builtin_popcountll(ret->size) || *n < all)
		return false;
	memcpy(ret->root, at + 9, (size_t)ret->count * SHA256_BYTES);
	*p += all;
	*n -= all;
	return true;
}
