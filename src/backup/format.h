/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a sealed copy (docs/formats/backup.md): a header that anybody may read, the content in sealed frames, and a digest over all
 * of it.  Of an SQLite store the content is the database file; everything else (PostgreSQL's base backups and write-ahead log) is a stream
 * whose meaning the format does not know.
 *
 * A copy opens with the keeper's keys and the key of the day that its header names, and with nothing once that key is destroyed.  The header
 * is bound to the content: a header that was changed makes every frame refuse.  Cut, reordered, repeated or longer content is refused; a
 * piece is good when it is given out, the whole only when the end is reached.
 *
 * Errors: ERR_BAD_REQUEST, it is no copy, or damaged; ERR_GONE, the key of its day is destroyed; ERR_FORBIDDEN, it is another
 * installation's; ERR_IO.
 */
#ifndef REEVE_BACKUP_FORMAT_H
#define REEVE_BACKUP_FORMAT_H

#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "crypto/digest.h"
#include "keeper/keeper.h"

#define BACKUP_SUFFIX ".reeve"
#define BACKUP_BYTES_UNKNOWN UINT64_MAX

enum backup_kind { BACKUP_SQLITE = 1, BACKUP_STREAM = 2 };
enum { BACKUP_HEADER_BYTES = 208 };

struct backup_header {
	enum backup_kind kind;
	uint32_t schema;                         /* newest migration in it; 0: not known (a stream) */
	uint8_t installation[ED25519_KEY_BYTES]; /* the keeper's public signing key */
	int64_t created;                         /* microseconds UTC: the content is of this moment or later */
	int64_t day;                             /* whose key it takes to open it: days since 1970 */
	uint32_t days;                           /* how long that key lives behind its day, at most */
	uint64_t ledger;                         /* the newest entry of the erasure ledger when it was begun (0: none), and its hash */
	uint8_t ledger_hash[SHA256_BYTES];
	uint64_t bytes; /* of the content; BACKUP_BYTES_UNKNOWN of a stream */
};

/* ---- reading ---- */

/* Reads the header alone, from where fd stands; opens nothing, so that whoever wrote it is believed. */
MUST_CHECK enum err backup_read_header(struct scope *s, int fd, struct backup_header *ret);

/* From where fd stands (a file or a pipe; not closed).  s->keeper: opened by keeper_open_with() or keeper_open_sealed(). */
struct backup_reader;
MUST_CHECK enum err backup_open(struct scope *s, int fd, struct backup_reader **ret);
const struct backup_header *backup_header(const struct backup_reader *r);
/* The next piece, good until the next call; 0 bytes: the end, and everything was there. */
MUST_CHECK enum err backup_read(struct scope *s, struct backup_reader *r, const void **ret, size_t *ret_n);
void backup_close(struct backup_reader *r); /* NULL is allowed */

/* ---- writing ---- */

/* To fd (not closed), sealed by the half of a key that only seals.  h: kind, schema, created, ledger and bytes are the caller's, the rest is
 * filled in.  ERR_IO, ERR_STORAGE_FULL. */
struct backup_writer;
MUST_CHECK enum err backup_begin(struct scope *s, const struct keeper_seal_half *half, struct backup_header *h, int fd, struct backup_writer **ret);
MUST_CHECK enum err backup_write(struct backup_writer *w, const void *p, size_t n);
/* The end.  ERR_STATE where the content is not as long as its header says.  Ends w, also where it fails. */
MUST_CHECK enum err backup_end(struct backup_writer *w);
void backup_abandon(struct backup_writer *w); /* ends w; what was written cannot be opened to its end; NULL is allowed */

#endif
