/* SPDX-License-Identifier: Apache-2.0
 * Inside keeper/ only: the keeper's parts and what they share. */
#ifndef REEVE_KEEPER_INNER_H
#define REEVE_KEEPER_INNER_H

#include <pthread.h>

#include "keeper/keeper.h"
#include "tlog/note.h"

enum { KEEPER_KEY_BYTES = 32, KEEPER_BYTES_MAX = 96 /* of one key file */, CA_DAYS = 3650 };

struct heads;
struct ledger;
struct daykeys;
struct copy;

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
	bool backups;
	int backup_days;
	struct daykeys *days;
	/* Held over everything that must be on disk in both places: appends to the ledger, keys that come and go.  Taken before the parts' own
	 * locks. */
	pthread_mutex_t both;
	struct copy *copy; /* NULL: there is no second place */
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
/* The same of 1 to KEEPER_BYTES_MAX bytes. */
MUST_CHECK enum err keeper_bytes_write(int dir, const char *name, const uint8_t *key, size_t key_n);
MUST_CHECK enum err keeper_bytes_read(int dir, const char *name, uint8_t *key, size_t key_n, char **detail);
/* Overwrites a file and removes it, or leaves it empty; OK where there is none.  On a file system that writes elsewhere (copy on write, flash)
 * old blocks may keep what was in it. */
MUST_CHECK enum err keeper_file_destroy(int dir, const char *name, bool leave_name);
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

#define LEDGER_FILE "ledger"
MUST_CHECK enum err ledger_open(int dir, struct ledger **ret, uint64_t *ret_cut, char **detail);
void ledger_close(struct ledger *l);
uint64_t ledger_length(const struct ledger *l); /* bytes */
/* Brings the shorter of two to the length of the other; ERR_CONFIG where neither begins with the other. */
MUST_CHECK enum err ledger_even(struct ledger *a, struct ledger *b, char **detail);

/* ---- daykeys.c ---- */

#define DAYKEYS_DIR "backup-keys"
/* READ: nothing is changed; MAKE: the directory is made where it is missing. */
enum daykeys_use { DAYKEYS_READ, DAYKEYS_KEEP, DAYKEYS_MAKE };
MUST_CHECK enum err daykeys_open(struct keeper *k, enum daykeys_use use, char **detail);
void daykeys_close(struct daykeys *d);
/* The keys in a second place (its own directory) against ours: what is missing on either side is copied, what was destroyed here is destroyed
 * there. */
MUST_CHECK enum err daykeys_even(struct keeper *k, int copy, char **detail);

/* ---- copy.c: the second place.  The caller holds k->both. ---- */

/* ERR_CONFIG: it cannot be used, ever; a place that is away is OK. */
MUST_CHECK enum err copy_open(struct keeper *k, const char *path, char **detail);
void copy_close(struct copy *c);
/* Whether it can be written now; brings it up to date where it was away.  OK where there is none. */
MUST_CHECK enum err copy_ready(struct keeper *k, char **detail);
/* After a failed write: it counts as away, and is compared before it is used again. */
void copy_lost(struct keeper *k);
/* Valid after copy_ready(); NULL and -1 where there is no second place. */
struct ledger *copy_ledger(const struct keeper *k);
int copy_directory(const struct keeper *k);
/* The keys that change with the authority. */
MUST_CHECK enum err copy_authority(struct keeper *k);

/* ---- ca.c ---- */

MUST_CHECK enum err ca_create(int dir, const char *ca_name, int64_t now_us, char **detail);
MUST_CHECK enum err ca_open(struct ca *ca, int dir, char **detail);
void ca_close(struct ca *ca);

#endif
