/* SPDX-License-Identifier: Apache-2.0
 * The header has a fixed length and big-endian numbers.  The key of a copy is made from all of its bytes (keeper_half_key), so that none can
 * be changed.  Each frame is
 *
 *   u32: length of what is sealed, highest bit set on the last || that many bytes and SEAL_OVERHEAD more
 *
 * and all but the last hold SEAL_FRAME bytes.  Behind the last stands "reeveEND" and the SHA-256 of everything before, for those who check a
 * transfer without a key. */
#include "backup/format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "crypto/newfile.h"
#include "crypto/seal.h"

static const char magic[16] = "reeve-backup/1\n"; /* with its terminator */
static const char end_magic[8] = {'r', 'e', 'e', 'v', 'e', 'E', 'N', 'D'};
enum { PUBLIC_AT = BACKUP_HEADER_BYTES - X25519_BYTES, TRAILER = sizeof end_magic + SHA256_BYTES, LENGTH = 4 };
#define LAST UINT32_C(0x80000000)

/* ---- the header ---- */

static uint8_t *put(uint8_t *p, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
	return p + bytes;
}

static uint8_t *put_bytes(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

static uint64_t take(const uint8_t **p, int bytes)
{
	uint64_t v = 0;
	for (int i = 0; i < bytes; i++)
		v = v << 8 | *(*p)++;
	return v;
}

static void take_bytes(const uint8_t **p, void *to, size_t n)
{
	memcpy(to, *p, n);
	*p += n;
}

static void write_header(const struct backup_header *h, const uint8_t public_half[X25519_BYTES], uint8_t out[BACKUP_HEADER_BYTES])
{
	uint8_t *p = put_bytes(out, magic, sizeof magic);
	p = put(p, (uint64_t)h->kind, 4);
	p = put(p, h->schema, 4);
	p = put_bytes(p, h->installation, sizeof h->installation);
	p = put(p, (uint64_t)h->created, 8);
	p = put(p, (uint64_t)h->day, 8);
	p = put(p, h->days, 4);
	p = put(p, SEAL_FRAME, 4);
	p = put(p, h->ledger, 8);
	p = put_bytes(p, h->ledger_hash, sizeof h->ledger_hash);
	p = put(p, h->bytes, 8);
	memset(p, 0, (size_t)(out + PUBLIC_AT - p)); /* for later versions; not looked at, but bound like the rest */
	memcpy(out + PUBLIC_AT, public_half, X25519_BYTES);
}

/* Within the years that dates can name. */
static bool plausible(const struct backup_header *h)
{
	const int64_t year_9999 = INT64_C(253402300799) * SECOND_US;
	return (h->kind == BACKUP_SQLITE || h->kind == BACKUP_STREAM) && h->created >= 0 && h->created <= year_9999 && h->day >= 0 &&
	       h->day <= year_9999 / DAY_US && h->days >= 1 && h->days <= 366 && (h->bytes == BACKUP_BYTES_UNKNOWN) == (h->kind == BACKUP_STREAM);
}

static bool parse_header(const uint8_t bytes[BACKUP_HEADER_BYTES], struct backup_header *h)
{
	const uint8_t *p = bytes + sizeof magic;
	if (memcmp(bytes, magic, sizeof magic) != 0)
		return false;
	h->kind = (enum backup_kind)take(&p, 4);
	h->schema = (uint32_t)take(&p, 4);
	take_bytes(&p, h->installation, sizeof h->installation);
	h->created = (int64_t)take(&p, 8);
	h->day = (int64_t)take(&p, 8);
	h->days = (uint32_t)take(&p, 4);
	uint64_t frame = take(&p, 4);
	h->ledger = take(&p, 8);
	take_bytes(&p, h->ledger_hash, sizeof h->ledger_hash);
	h->bytes = take(&p, 8);
	return frame == SEAL_FRAME && plausible(h);
}

/* Up to n bytes, fewer only at the end; negative: it cannot be read. */
static ssize_t read_full(int fd, void *p, size_t n)
{
	size_t have = 0;
	while (have < n) {
		ssize_t got = read(fd, (uint8_t *)p + have, n - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		have += (size_t)got;
	}
	return (ssize_t)have;
}

static enum err load_header(struct scope *s, int fd, uint8_t bytes[BACKUP_HEADER_BYTES], struct backup_header *ret)
{
	ssize_t n = read_full(fd, bytes, BACKUP_HEADER_BYTES);
	if (n < 0)
		return scope_fail(s, ERR_IO, "the copy cannot be read: %s", strerror(errno));
	if (n != BACKUP_HEADER_BYTES || !parse_header(bytes, ret))
		return scope_fail(s, ERR_BAD_REQUEST, "this is no sealed copy of Reeve (its header is missing, damaged, or of a later version)");
	return OK;
}

enum err backup_read_header(struct scope *s, int fd, struct backup_header *ret)
{
	uint8_t bytes[BACKUP_HEADER_BYTES];
	return load_header(s, fd, bytes, ret);
}

/* ---- reading ---- */

struct backup_reader {
	int fd;
	struct backup_header header;
	uint8_t key[SEAL_KEY_BYTES];
	struct sha256_stream *digest;
	uint64_t number, given; /* frames, bytes */
	bool ended, whole, bad; /* the last frame was given; the trailer fits; something did not */
	uint8_t plain[SEAL_FRAME];
	uint8_t sealed[LENGTH + SEAL_FRAME + SEAL_OVERHEAD];
};

enum err backup_open(struct scope *s, int fd, struct backup_reader **ret)
{
	uint8_t bytes[BACKUP_HEADER_BYTES], key[SEAL_KEY_BYTES], ours[ED25519_KEY_BYTES];
	struct backup_header h;
	TRY(load_header(s, fd, bytes, &h));
	keeper_public_key(s->keeper, ours);
	if (memcmp(ours, h.installation, sizeof ours) != 0)
		return scope_fail(s, ERR_FORBIDDEN, "the copy belongs to another installation: its keeper's keys are needed to open it");
	TRY(keeper_copy_key(s->keeper, s, h.day, bytes + PUBLIC_AT, bytes, sizeof bytes, key));
	struct backup_reader *r = calloc(1, sizeof *r);
	check(r != NULL);
	r->fd = fd;
	r->header = h;
	memcpy(r->key, key, sizeof key);
	wipe(key, sizeof key);
	r->digest = sha256_new();
	sha256_update(r->digest, bytes, sizeof bytes);
	*ret = r;
	return OK;
}

const struct backup_header *backup_header(const struct backup_reader *r)
{
	return &r->header;
}

static enum err damaged(struct scope *s, const struct backup_reader *r, const char *how)
{
	return scope_fail(s, ERR_BAD_REQUEST, "the copy is damaged: %s (behind byte %" PRIu64 " of its content)", how, r->given);
}

static enum err take_piece(struct scope *s, struct backup_reader *r, void *p, size_t n)
{
	ssize_t got = read_full(r->fd, p, n);
	if (got < 0)
		return scope_fail(s, ERR_IO, "the copy cannot be read: %s", strerror(errno));
	return (size_t)got == n ? OK : damaged(s, r, "it ends too early");
}

static enum err check_end(struct scope *s, struct backup_reader *r)
{
	uint8_t trailer[TRAILER], digest[SHA256_BYTES], more;
	TRY(take_piece(s, r, trailer, sizeof trailer));
	sha256_final(r->digest, digest);
	r->digest = NULL;
	if (memcmp(trailer, end_magic, sizeof end_magic) != 0 || memcmp(trailer + sizeof end_magic, digest, sizeof digest) != 0)
		return damaged(s, r, "its digest does not fit");
	if (read_full(r->fd, &more, 1) != 0)
		return damaged(s, r, "there is more behind its end");
	if (r->header.bytes != BACKUP_BYTES_UNKNOWN && r->given != r->header.bytes)
		return damaged(s, r, "its content is not as long as its header says");
	r->whole = true;
	return OK;
}

static enum err read_piece(struct scope *s, struct backup_reader *r, size_t *ret_n)
{
	if (r->ended)
		return r->whole ? OK : check_end(s, r);
	TRY(take_piece(s, r, r->sealed, LENGTH));
	const uint8_t *p = r->sealed;
	uint32_t length = (uint32_t)take(&p, LENGTH), n = length & ~LAST;
	bool last = (length & LAST) != 0;
	if (n > SEAL_FRAME || (!last && n != SEAL_FRAME))
		return damaged(s, r, "a frame has an impossible length");
	TRY(take_piece(s, r, r->sealed + LENGTH, n + SEAL_OVERHEAD));
	if (!unseal_frame(r->key, r->number, last, r->sealed + LENGTH, n + SEAL_OVERHEAD, r->plain))
		return damaged(s, r, "a frame was changed, or stands in another's place");
	sha256_update(r->digest, r->sealed, LENGTH + n + SEAL_OVERHEAD);
	r->number++;
	r->given += n;
	r->ended = last;
	*ret_n = n;
	return last && n == 0 ? check_end(s, r) : OK;
}

enum err backup_read(struct scope *s, struct backup_reader *r, const void **ret, size_t *ret_n)
{
	*ret = r->plain;
	*ret_n = 0;
	if (r->bad)
		return damaged(s, r, "reading it has failed before");
	enum err e = read_piece(s, r, ret_n);
	r->bad = e != OK;
	return e;
}

void backup_close(struct backup_reader *r)
{
	uint8_t digest[SHA256_BYTES];
	if (r == NULL)
		return;
	if (r->digest != NULL)
		sha256_final(r->digest, digest);
	wipe(r, sizeof *r);
	free(r);
}

/* ---- writing ---- */

struct backup_writer {
	int fd;
	uint64_t expected, taken, number;
	uint8_t key[SEAL_KEY_BYTES];
	struct sha256_stream *digest;
	size_t n; /* bytes in plain: sealed when more follow, because a frame says whether it is the last */
	uint8_t plain[SEAL_FRAME];
	uint8_t sealed[LENGTH + SEAL_FRAME + SEAL_OVERHEAD];
};

static enum err emit(struct backup_writer *w, const void *p, size_t n)
{
	sha256_update(w->digest, p, n);
	return write_all(w->fd, p, n);
}

enum err backup_begin(struct scope *s, const struct keeper_seal_half *half, struct backup_header *h, int fd, struct backup_writer **ret)
{
	uint8_t bytes[BACKUP_HEADER_BYTES], mine[X25519_BYTES], public_half[X25519_BYTES], key[SEAL_KEY_BYTES];
	h->day = half->day;
	h->days = half->days;
	memcpy(h->installation, half->installation, sizeof h->installation);
	random_bytes(mine, sizeof mine);
	x25519_public(mine, public_half);
	write_header(h, public_half, bytes);
	bool good = keeper_half_key(half, mine, bytes, sizeof bytes, key);
	wipe(mine, sizeof mine);
	if (!good)
		return scope_fail(s, ERR_CONFIG, "the key of the day is damaged");
	struct backup_writer *w = calloc(1, sizeof *w);
	check(w != NULL);
	w->fd = fd;
	w->expected = h->bytes;
	memcpy(w->key, key, sizeof key);
	wipe(key, sizeof key);
	w->digest = sha256_new();
	enum err e = emit(w, bytes, sizeof bytes);
	if (e != OK) {
		backup_abandon(w);
		return scope_fail(s, e, "the copy cannot be written");
	}
	*ret = w;
	return OK;
}

static enum err put_frame(struct backup_writer *w, bool last)
{
	put(w->sealed, (uint32_t)w->n | (last ? LAST : 0), LENGTH);
	seal_frame(w->key, w->number++, last, w->plain, w->n, w->sealed + LENGTH);
	size_t n = LENGTH + w->n + SEAL_OVERHEAD;
	w->n = 0;
	return emit(w, w->sealed, n);
}

enum err backup_write(struct backup_writer *w, const void *p, size_t n)
{
	const uint8_t *from = p;
	w->taken += n;
	while (n > 0) {
		if (w->n == SEAL_FRAME)
			TRY(put_frame(w, false));
		size_t part = SEAL_FRAME - w->n < n ? SEAL_FRAME - w->n : n;
		memcpy(w->plain + w->n, from, part);
		w->n += part;
		from += part;
		n -= part;
	}
	return OK;
}

void backup_abandon(struct backup_writer *w)
{
	uint8_t digest[SHA256_BYTES];
	if (w == NULL)
		return;
	if (w->digest != NULL)
		sha256_final(w->digest, digest);
	wipe(w, sizeof *w);
	free(w);
}

static enum err finish(struct backup_writer *w)
{
	uint8_t digest[SHA256_BYTES];
	if (w->expected != BACKUP_BYTES_UNKNOWN && w->taken != w->expected)
		return ERR_STATE;
	TRY(put_frame(w, true));
	sha256_final(w->digest, digest);
	w->digest = NULL;
	TRY(write_all(w->fd, end_magic, sizeof end_magic));
	return write_all(w->fd, digest, sizeof digest);
}

enum err backup_end(struct backup_writer *w)
{
	enum err e = finish(w);
	backup_abandon(w);
	return e;
}
