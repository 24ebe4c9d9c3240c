/* SPDX-License-Identifier: Apache-2.0
 * Inside keeper/ only: the keeper's parts and what they share. */
#ifndef REEVE_KEEPER_INNER_H
#define REEVE_KEEPER_INNER_H

#include <pthread.h>

#include "keeper/keeper.h"
#include "tlog/note.h"

enum { KEEPER_KEY_BYTES = 32, CA_DAYS = 3650 };

struct heads;
struct ledger;

struct ca {
	pthread_rwlock_t lock;
	struct x509_pair pair; /* malloc'd; cert_pem: every CA that is trusted, newest first, and the newest signs */
};

/* All but ca, heads and ledger (which have their own locks) is written at open and only read after. */
struct keeper {
	int dir, lock;
	char *cut;
	struct note_signer signer;
	uint8_t token_key[KEEPER_KEY_BYTES], suppression_key[KEEPER_KEY_BYTES], export_key[KEEPER_KEY_BYTES];
	struct ca ca;
	struct heads *heads;
	struct ledger *ledger;
};

/* ---- files.c ---- */

/* *detail = malloc'd text; returns e. */
enum err keeper_fail(char **detail, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Opens a regular file that only its owner may use; ERR_CONFIG with a detail that names it otherwise. */
MUST_CHECK enum err keeper_file_open(int dir, const char *name, bool append, int *ret_fd, uint64_t *ret_size,
				     char **detail);
/* The whole of it, malloc'd and NUL-terminated. */
MUST_CHECK enum err keeper_file_read(int dir, const char *name, size_t max, char **ret, size_t *ret_n, char **detail);
MUST_CHECK enum err keeper_key_write(int dir, const char *name, const uint8_t key[KEEPER_KEY_BYTES]);
MUST_CHECK enum err keeper_key_read(int dir, const char *name, uint8_t key[KEEPER_KEY_BYTES], char **detail);
void wipe_free(char *text); /* NULL is allowed */

/* ---- heads.c ---- */

struct head_state {
	uint64_t size;
	uint8_t root[SHA256_BYTES];
};
/* *ret_cut: bytes of a torn record that were cut off. */
MUST_CHECK enum err heads_open(int dir, struct heads **ret, uint64_t *ret_cut, char **detail);
void heads_close(struct heads *h);
/* Extends each log by its leaves and writes all new heads at once; ret[i] and logs[i].err for each.  On an error
 * nothing changed. */
MUST_CHECK enum err heads_grow(struct heads *h, struct scope *s, struct keeper_growth *logs, struct head_state *ret,
			       size_t count);
bool heads_get(struct heads *h, const char *origin, struct head_state *ret);
void heads_each(struct heads *h, keeper_heads_fn fn, void *arg);

/* ---- ledger.c ---- */

MUST_CHECK enum err ledger_open(int dir, struct ledger **ret, uint64_t *ret_cut, char **detail);
void ledger_close(struct ledger *l);

/* ---- ca.c ---- */

MUST_CHECK enum err ca_create(int dir, const char *ca_name, int64_t now_us, char **detail);
MUST_CHECK enum err ca_open(struct ca *ca, int dir, char **detail);
void ca_close(struct ca *ca);

#endif
