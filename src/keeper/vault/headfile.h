/* SPDX-License-Identifier: Apache-2.0
 * The bytes of the file of heads: batches, each one write(2).
 *
 *   batch  = header || n bytes of records || SHA-256 of all before
 *   header = "RVH1" || u32 n || 8 bytes: the start of SHA-256 of the 8 before
 *   record = u16 length || origin || u64 size || u8 count || count subtree roots of 32 bytes
 *
 * Numbers are big-endian.  The length has a check of its own, so that a damaged one is not taken for a batch that was
 * cut short. */
#ifndef REEVE_KEEPER_HEADFILE_H
#define REEVE_KEEPER_HEADFILE_H

#include "base/buf.h"
#include "tlog/merkle.h"

/* One log's head in memory; allocated whole, replaced whole. */
struct head {
	uint64_t size;
	unsigned count;
	uint8_t root[][SHA256_BYTES];
};

struct head *head_new(const struct merkle_range *r);
void head_range(const struct head *h, struct merkle_range *ret); /* NULL: the empty log */
size_t head_record_bytes(const char *origin, const struct head *h);

void headfile_begin(struct buf *batch);
void headfile_record(struct buf *batch, const char *origin, const struct head *h);
void headfile_end(struct buf *batch);

enum headfile_found { HEADFILE_BATCH, HEADFILE_END, HEADFILE_TORN, HEADFILE_DAMAGED };
/* What stands at `at` in the whole file; for a batch: its records. */
enum headfile_found headfile_next(const uint8_t *file, size_t n, size_t at, const uint8_t **ret_records, size_t *ret_n,
				  size_t *ret_next);
/* The first record of *p, which moves on.  origin: NOTE_NAME_MAX + 1 bytes.  False: not a record. */
bool headfile_read_record(const uint8_t **p, size_t *n, char *origin, struct merkle_range *ret);

#endif
