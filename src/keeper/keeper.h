/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper: what must never roll back lives here, apart from the database and its backups, behind this interface
 * only.  It hands no key out.  Its files are in DIR/keeper (0700; files 0600):
 *
 *   signing.key     Ed25519 seed: checkpoints and certificates
 *   token.key       HMAC key of bearer tokens
 *   suppression.key HMAC key of suppression entries and of salted subject references
 *   ca.key, ca.pem  the local certificate authority (ca-next.* while it is being rolled over)
 *   export.key      AES key of finished exports
 *   heads           last signed head of every log: append-only records with a checksum, on disk before a signature
 *                   is handed out
 *   ledger          erasures: append-only, hash-chained JSON lines, fsynced before the first row goes
 *   backup-keys/    keys of the days that copies of the store are sealed with, until they are destroyed
 *   lock            held by the one process that serves
 *
 * A torn last record of heads or ledger (crash in the write) is cut off at open; damage anywhere else refuses to open.
 * Thread-safe.  The caller's scope supplies arena, time and error detail.
 */
#ifndef REEVE_KEEPER_KEEPER_H
#define REEVE_KEEPER_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "crypto/digest.h"
#include "crypto/exchange.h"
#include "crypto/sign.h"
#include "crypto/x509.h"

struct keeper;

/* dir: the keeper's own directory (DIR/keeper).  *detail (malloc'd, the caller frees; NULL is allowed) says why in one
 * line. */

/* Makes the keys and the CA in dir (which must not exist or be empty: ERR_EXISTS).  ca_name: common name of the CA, 1
 * to 64 bytes. */
MUST_CHECK enum err keeper_create(const char *dir, const char *ca_name, int64_t now_us, char **detail);
/* Takes the lock; ERR_BUSY where another process serves, ERR_CONFIG where a file is missing, damaged or readable by
 * others. */
MUST_CHECK enum err keeper_open(const char *dir, struct keeper **ret, char **detail);
/* The same with what the settings say.  With a second place (a directory of its own, 0700; an empty one is filled) the ledger, the keys of the
 * days and every key that a new machine would need are on disk in both before anything counts as written; heads are not
 * (docs/operating/backup.md says why).  A place that is away is no error here: keeper_copy_state() says so, appends to the ledger
 * fail with ERR_UNAVAILABLE and new keys are not made until it is back.  Both ledgers are compared: the shorter is caught up; ERR_CONFIG where
 * they are not of one history, or where the place belongs to another keeper. */
struct keeper_options {
	const char *copy; /* NULL or "": none */
	bool backups;     /* copies of the store are made (keeper_day_key_make()) */
	int backup_days;
};
MUST_CHECK enum err keeper_open_with(const char *dir, const struct keeper_options *o, struct keeper **ret, char **detail);
/* On a new machine: makes dir (which holds no keeper: ERR_EXISTS) from the second place of the old one, without heads.  ERR_NOT_FOUND: that place
 * holds no keeper. */
MUST_CHECK enum err keeper_take(const char *place, const char *dir, char **detail);
/* Without the lock, beside a running server or in the second place: good for keeper_copy_key(), keeper_public_key() and keeper_close(), and for
 * nothing else. */
MUST_CHECK enum err keeper_open_sealed(const char *dir, struct keeper **ret, char **detail);
void keeper_close(struct keeper *k); /* NULL is allowed */
/* "heads=<bytes> ledger=<bytes>" where keeper_open() cut off what a crash had left unfinished (for the log); NULL
 * otherwise. */
const char *keeper_cut(const struct keeper *k);

/* What tells this keeper's directory from every copy of it: the machine, the file system, the directory's inode and its
 * birth.  The same at every start in the same place. */
void keeper_place(struct keeper *k, uint8_t ret[SHA256_BYTES]);

/* ---- heads of the audit logs (I3) ---- */

/* Signs the head of a log that grew.  The keeper holds the compact range (the perfect subtree roots) of each log's last
 * signed head and extends it itself by the new leaf hashes, so that what it signs is consistent with what it signed
 * before by construction. old_size must be the size it signed last (ERR_CONFLICT otherwise, with the detail naming
 * both).  The new head is on disk before the note is returned.  origin: the log's name (C2SP tlog-checkpoint).  The
 * note (text, blank line, signature) is in the arena. leaf_hashes: SHA-256(0x00 || entry), RFC 6962. */
MUST_CHECK enum err keeper_sign_head(struct keeper *k, struct scope *s, const char *origin, uint64_t old_size,
				     const uint8_t (*leaf_hashes)[SHA256_BYTES], size_t n, char **ret_checkpoint);
/* Several logs in one write to disk (one tick).  An error: nothing was signed and nothing changed, each err says so.
 * OK: look at each err (a conflict of one log does not hinder the others).  n = 0 signs the head as it is; a log that
 * never grew has size 0. */
struct keeper_growth {
	const char *origin;
	uint64_t old_size;
	const uint8_t (*leaf_hashes)[SHA256_BYTES];
	size_t n;
	const uint8_t *root; /* that the caller's own tree has at the new size; ERR_CONFLICT where the keeper comes to
				another.  NULL: not compared */
	char *checkpoint; /* out; NULL where err != OK */
	enum err err;     /* out */
};
MUST_CHECK enum err keeper_sign_heads(struct keeper *k, struct scope *s, struct keeper_growth *logs, size_t count);
/* Size and root of the last signed head; ERR_NOT_FOUND where the log was never signed (size 0). */
MUST_CHECK enum err keeper_head(struct keeper *k, struct scope *s, const char *origin, uint64_t *ret_size,
				uint8_t ret_root[SHA256_BYTES]);
/* Every log that was ever signed, with its last signed head, in no order.  fn must not call the keeper. */
typedef void (*keeper_heads_fn)(void *arg, const char *origin, uint64_t size, const uint8_t root[SHA256_BYTES]);
void keeper_heads_each(struct keeper *k, keeper_heads_fn fn, void *arg);
/* The verifier key line of the logs' signatures: "<name>+<8 hex>+<base64>" (C2SP signed-note). */
char *keeper_vkey(struct keeper *k, struct arena *a, const char *name);

/* ---- certificates of erasure ---- */

void keeper_sign(struct keeper *k, const void *msg, size_t n, uint8_t ret_signature[ED25519_SIGNATURE_BYTES]);
void keeper_public_key(struct keeper *k, uint8_t ret[ED25519_KEY_BYTES]);

/* ---- bearer tokens: JWT (RFC 7519), HS256, verified only by this server ---- */

struct token_claims {
	struct id tenant;      /* tid */
	struct id application; /* appid */
	struct id user;        /* oid: the person for whom it acts; nil: it acts for itself */
	struct id credential;  /* jti: the secret or certificate that it came from, or the person's session: when that goes, so does the token */
	int64_t issued_us, expires_us;
};
char *keeper_token_issue(struct keeper *k, struct arena *a, const char *issuer, const struct token_claims *c);
/* Whether the text has the header of our tokens: then nobody else is asked about it. */
bool keeper_token_looks(const char *text);
/* What a program is told of the person whom it acts for (OpenID Connect Core, section 2), as it wants one.  Its header is another, so that it
 * never is an access token. */
struct id_token {
	const char *audience, *name, *upn; /* audience: the client as it calls itself */
	const struct token_claims *claims;
};
char *keeper_id_token_issue(struct keeper *k, struct arena *a, const char *issuer, const struct id_token *t);
/* ERR_UNAUTHENTICATED with a detail that says malformed, too long, wrong signature, expired or not yet valid, and never
 * echoes the token.  The key is this installation's alone, which stands for a check of issuer and audience. */
MUST_CHECK enum err keeper_token_verify(struct keeper *k, struct scope *s, const char *token, struct token_claims *ret);

/* ---- suppression and salted references ---- */

/* HMAC-SHA256 under the suppression key: label separates uses. */
void keeper_reference(struct keeper *k, const char *label, const void *p, size_t n, uint8_t out[SHA256_BYTES]);

/* ---- the certificate authority ---- */

/* All CAs that are trusted now, newest first.  (One that expires stays until the next roll-over; x509_check_client
 * refuses it.) */
char *keeper_ca_pem(struct keeper *k, struct arena *a);
/* Both: ERR_BAD_REQUEST, or ERR_CONFIG where the CA has expired; no certificate outlives the CA. */
MUST_CHECK enum err keeper_issue_server(struct keeper *k, struct scope *s, const struct x509_name *name, int days,
					struct x509_pair *ret);
MUST_CHECK enum err keeper_issue_device(struct keeper *k, struct scope *s, const char *csr_pem, struct id tenant,
					struct id device, int days, char **ret_cert_pem, uint8_t ret_fingerprint[32],
					int64_t *ret_not_after_us);
/* Makes a new CA that signs from now on; the old one stays trusted until it expires.  ERR_LIMIT: 16 are trusted
 * already. */
MUST_CHECK enum err keeper_ca_roll(struct keeper *k, struct scope *s, const char *ca_name);

/* ---- exports at rest ---- */

MUST_CHECK enum err keeper_seal_file(struct keeper *k, struct id object, const char *from, const char *to);
struct seal_stream;
MUST_CHECK enum err keeper_seal_open(struct keeper *k, struct id object, const char *to, struct seal_stream **ret);
struct unseal_stream;
MUST_CHECK enum err keeper_unseal_open(struct keeper *k, struct id object, const char *path,
				       struct unseal_stream **ret);
/* A secret of the database at rest (Wi-Fi passphrases, mail passwords): sealed blob in the arena. */
void *keeper_seal(struct keeper *k, struct arena *a, const void *p, size_t n, size_t *ret_n);
void *keeper_unseal(struct keeper *k, struct arena *a, const void *p, size_t n, size_t *ret_n); /* NULL: not ours */

/* ---- the erasure ledger ---- */

/* Appends one entry (canonical JSON object, one line, at most 256 KiB) and fsyncs.  The keeper adds the sequence number
 * (from 1) and the previous hash; the last two may be NULL. */
MUST_CHECK enum err keeper_ledger_append(struct keeper *k, struct scope *s, const char *json, size_t n,
					 uint64_t *ret_sequence, uint8_t ret_hash[SHA256_BYTES]);
/* Entries (as they were given) from a sequence number on, in order, to the callback (false stops), which may call the
 * keeper. */
typedef bool (*keeper_ledger_fn)(void *arg, uint64_t sequence, const char *json, size_t n);
MUST_CHECK enum err keeper_ledger_read(struct keeper *k, struct scope *s, uint64_t from, keeper_ledger_fn fn,
				       void *arg);
uint64_t keeper_ledger_size(struct keeper *k);
/* The newest entry's sequence (0: none, and zeros) and hash; the hash of an older one (ERR_NOT_FOUND). */
void keeper_ledger_head(struct keeper *k, uint64_t *ret_sequence, uint8_t ret_hash[SHA256_BYTES]);
MUST_CHECK enum err keeper_ledger_hash(struct keeper *k, struct scope *s, uint64_t sequence, uint8_t ret_hash[SHA256_BYTES]);
/* The head of the ledger in a keeper's directory that a server may be using. */
MUST_CHECK enum err keeper_ledger_peek(const char *dir, uint64_t *ret_sequence, uint8_t ret_hash[SHA256_BYTES], char **detail);

/* Needles of a deletion under way, sealed, until its scan: one file per duty (1 MiB), overwritten and destroyed by
 * keeper_needles_drop(), which is OK where there is none. */
MUST_CHECK enum err keeper_needles_put(struct keeper *k, struct scope *s, struct id duty, const void *p, size_t n);
MUST_CHECK enum err keeper_needles_get(struct keeper *k, struct scope *s, struct id duty, void **ret, size_t *ret_n);
MUST_CHECK enum err keeper_needles_drop(struct keeper *k, struct scope *s, struct id duty);

/* ---- what copies of the store are sealed with ----
 *
 * An X25519 pair for each day (UTC).  DIR/keeper/backup-keys/<day>.<days>.key opens, .half only seals.  A key dies, in both places, `days` days
 * after the end of its day; a setting that was lowered since shortens its life, one that was raised does not lengthen it. */

/* How many days a key lives behind the day that it seals (setting backup_days, 1 to 21).  0: backups are off, and no key is left. */
int keeper_backup_days(struct keeper *k);
/* When the last key that could open a copy of the store as it was at `at` will be destroyed; `at` where there is none. */
int64_t keeper_copies_gone_at(struct keeper *k, int64_t at);
/* Whether none of them is left now, in neither place. */
bool keeper_copies_gone(struct keeper *k, int64_t at);

struct keeper_day_key {
	int64_t day;     /* since 1970 */
	int64_t gone_at; /* when it is to be destroyed */
	bool here;       /* false: destroyed here, not yet in the second place, which is away */
};
/* Oldest first, in the arena. */
void keeper_day_keys(struct keeper *k, struct arena *a, struct keeper_day_key **ret, size_t *ret_n);
/* Makes the key of a day in both places; one that is there is left alone (*ret_made false).  ERR_UNAVAILABLE: the second place is away. */
MUST_CHECK enum err keeper_day_key_make(struct keeper *k, struct scope *s, int64_t day, bool *ret_made);
/* Overwrites and removes it in both places.  ERR_UNAVAILABLE: gone here, and not yet in the second place, which is away. */
MUST_CHECK enum err keeper_day_key_destroy(struct keeper *k, struct scope *s, int64_t day);

/* What it takes to seal and not to open: the newest that is of today or before and lives.  ERR_NOT_FOUND: there is none, the server makes
 * them.  dir: a keeper's directory that a server may be using. */
struct keeper_seal_half {
	int64_t day;
	uint32_t days;
	uint8_t installation[ED25519_KEY_BYTES], public_half[X25519_BYTES], secret[SHA256_BYTES];
};
MUST_CHECK enum err keeper_seal_half(const char *dir, int64_t now, struct keeper_seal_half *ret, char **detail);
MUST_CHECK enum err keeper_half_now(struct keeper *k, int64_t now, struct keeper_seal_half *ret, char **detail);

/* The key of one sealed copy, for who seals it (with a private half of this copy alone) and for who opens it (with the public half that the copy
 * carries).  header: every byte that is to be bound to the copy.  False: that public half is none. */
bool keeper_half_key(const struct keeper_seal_half *half, const uint8_t mine[X25519_BYTES], const void *header, size_t n,
		     uint8_t ret[SHA256_BYTES]);
/* ERR_GONE, with a detail that names the day, where its key is destroyed. */
MUST_CHECK enum err keeper_copy_key(struct keeper *k, struct scope *s, int64_t day, const uint8_t theirs[X25519_BYTES], const void *header,
				    size_t n, uint8_t ret[SHA256_BYTES]);

/* Whether the second place can be used now (it is tried): OK, also where none is set; else the error of an append. */
MUST_CHECK enum err keeper_copy_state(struct keeper *k, struct scope *s);

#endif
