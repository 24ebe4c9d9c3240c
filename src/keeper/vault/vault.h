/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper's own side: its files and keys, and the calls that it answers (keeper.h says what each does).  Only keeper/calls.c and
 * keeper/process.c come here.
 */
#ifndef REEVE_KEEPER_VAULT_H
#define REEVE_KEEPER_VAULT_H

#include <pthread.h>

#include "crypto/seal.h"
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
struct vault {
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

/* ---- vault.c ---- */

/* As keeper_open_with(), keeper_open_sealed().  owner: the process that serves, whose number stands in the lock. */
MUST_CHECK enum err vault_open_for(pid_t owner, const char *dir, const struct keeper_options *o, struct vault **ret, char **detail);
MUST_CHECK enum err vault_open_sealed(const char *dir, struct vault **ret, char **detail);
void vault_close(struct vault *k);
const char *vault_cut(const struct vault *k);
void vault_place(struct vault *k, uint8_t ret[SHA256_BYTES]);
MUST_CHECK enum err vault_sign_heads(struct vault *k, struct scope *s, struct keeper_growth *logs, size_t count);
MUST_CHECK enum err vault_head(struct vault *k, struct scope *s, const char *origin, uint64_t *ret_size, uint8_t ret_root[SHA256_BYTES]);
void vault_heads_each(struct vault *k, keeper_heads_fn fn, void *arg);
void vault_sign(struct vault *k, const void *msg, size_t n, uint8_t ret_signature[ED25519_SIGNATURE_BYTES]);
void vault_public_key(struct vault *k, uint8_t ret[ED25519_KEY_BYTES]);
void vault_reference(struct vault *k, const char *label, const void *p, size_t n, uint8_t out[SHA256_BYTES]);

/* ---- token.c ---- */

char *vault_token_issue(struct vault *k, struct arena *a, const char *issuer, const struct token_claims *c);
char *vault_id_token_issue(struct vault *k, struct arena *a, const char *issuer, const struct id_token *t);
MUST_CHECK enum err vault_token_verify(struct vault *k, struct scope *s, const char *token, struct token_claims *ret);

/* ---- sealing.c ---- */

/* Of the one file that belongs to the object. */
void vault_object_key(struct vault *k, struct id object, uint8_t ret[SEAL_KEY_BYTES]);
void *vault_seal(struct vault *k, struct arena *a, const void *p, size_t n, size_t *ret_n);
void *vault_unseal(struct vault *k, struct arena *a, const void *p, size_t n, size_t *ret_n);

/* ---- needles.c ---- */

MUST_CHECK enum err vault_needles_put(struct vault *k, struct scope *s, struct id duty, const void *p, size_t n);
MUST_CHECK enum err vault_needles_get(struct vault *k, struct scope *s, struct id duty, void **ret, size_t *ret_n);
MUST_CHECK enum err vault_needles_drop(struct vault *k, struct scope *s, struct id duty);

/* ---- files.c ---- */

/* *detail = malloc'd text; returns e. */
enum err vault_fail(char **detail, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Opens a regular file that only its owner may use; ERR_CONFIG with a detail that names it otherwise. */
MUST_CHECK enum err vault_file_open(int dir, const char *name, bool append, int *ret_fd, uint64_t *ret_size,
				     char **detail);
/* The whole of it, malloc'd and NUL-terminated. */
MUST_CHECK enum err vault_file_read(int dir, const char *name, size_t max, char **ret, size_t *ret_n, char **detail);
MUST_CHECK enum err vault_key_write(int dir, const char *name, const uint8_t key[KEEPER_KEY_BYTES]);
MUST_CHECK enum err vault_key_read(int dir, const char *name, uint8_t key[KEEPER_KEY_BYTES], char **detail);
/* The same of 1 to KEEPER_BYTES_MAX bytes. */
MUST_CHECK enum err vault_bytes_write(int dir, const char *name, const uint8_t *key, size_t key_n);
MUST_CHECK enum err vault_bytes_read(int dir, const char *name, uint8_t *key, size_t key_n, char **detail);
/* Overwrites a file and removes it, or leaves it empty; OK where there is none.  On a file system that writes elsewhere (copy on write, flash)
 * old blocks may keep what was in it. */
MUST_CHECK enum err vault_file_destroy(int dir, const char *name, bool leave_name);
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

MUST_CHECK enum err vault_ledger_append(struct vault *k, struct scope *s, const char *json, size_t n, uint64_t *ret_sequence,
					uint8_t ret_hash[SHA256_BYTES]);
MUST_CHECK enum err vault_ledger_read(struct vault *k, struct scope *s, uint64_t from, keeper_ledger_fn fn, void *arg);
uint64_t vault_ledger_size(struct vault *k);
void vault_ledger_head(struct vault *k, uint64_t *ret_sequence, uint8_t ret_hash[SHA256_BYTES]);
MUST_CHECK enum err vault_ledger_hash(struct vault *k, struct scope *s, uint64_t sequence, uint8_t ret_hash[SHA256_BYTES]);

/* ---- daykeys.c ---- */

#define DAYKEYS_DIR "backup-keys"
/* READ: nothing is changed; MAKE: the directory is made where it is missing. */
enum daykeys_use { DAYKEYS_READ, DAYKEYS_KEEP, DAYKEYS_MAKE };
MUST_CHECK enum err daykeys_open(struct vault *k, enum daykeys_use use, char **detail);
void daykeys_close(struct daykeys *d);
/* The keys in a second place (its own directory) against ours: what is missing on either side is copied, what was destroyed here is destroyed
 * there. */
MUST_CHECK enum err daykeys_even(struct vault *k, int copy, char **detail);

int vault_backup_days(struct vault *k);
int64_t vault_copies_gone_at(struct vault *k, int64_t at);
bool vault_copies_gone(struct vault *k, int64_t at);
void vault_day_keys(struct vault *k, struct arena *a, struct keeper_day_key **ret, size_t *ret_n);
MUST_CHECK enum err vault_day_key_make(struct vault *k, struct scope *s, int64_t day, bool *ret_made);
MUST_CHECK enum err vault_day_key_destroy(struct vault *k, struct scope *s, int64_t day);
MUST_CHECK enum err vault_half_now(struct vault *k, int64_t now, struct keeper_seal_half *ret, char **detail);
MUST_CHECK enum err vault_copy_key(struct vault *k, struct scope *s, int64_t day, const uint8_t theirs[X25519_BYTES], const void *header,
				   size_t n, uint8_t ret[SHA256_BYTES]);

/* ---- copy.c: the second place.  The caller holds k->both. ---- */

/* ERR_CONFIG: it cannot be used, ever; a place that is away is OK. */
MUST_CHECK enum err copy_open(struct vault *k, const char *path, char **detail);
void copy_close(struct copy *c);
/* Whether it can be written now; brings it up to date where it was away.  OK where there is none. */
MUST_CHECK enum err copy_ready(struct vault *k, char **detail);
/* After a failed write: it counts as away, and is compared before it is used again. */
void copy_lost(struct vault *k);
/* Valid after copy_ready(); NULL and -1 where there is no second place. */
struct ledger *copy_ledger(const struct vault *k);
int copy_directory(const struct vault *k);
/* The keys that change with the authority. */
MUST_CHECK enum err copy_authority(struct vault *k);

MUST_CHECK enum err vault_copy_state(struct vault *k, struct scope *s); /* takes the lock itself */

/* ---- ca.c ---- */

char *vault_ca_pem(struct vault *k, struct arena *a);
MUST_CHECK enum err vault_issue_server(struct vault *k, struct scope *s, const struct x509_name *name, int days, struct x509_pair *ret);
MUST_CHECK enum err vault_issue_device(struct vault *k, struct scope *s, const char *csr_pem, struct id tenant, struct id device, int days,
				       char **ret_cert_pem, uint8_t ret_fingerprint[32], int64_t *ret_not_after_us);
MUST_CHECK enum err vault_ca_roll(struct vault *k, struct scope *s, const char *ca_name);

MUST_CHECK enum err ca_create(int dir, const char *ca_name, int64_t now_us, char **detail);
MUST_CHECK enum err ca_open(struct ca *ca, int dir, char **detail);
void ca_close(struct ca *ca);

#endif
