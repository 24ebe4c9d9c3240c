/* SPDX-License-Identifier: Apache-2.0
 * What the vault answers to each call: arguments out of the question, results into the answer (keeper.c has the other half). */
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"
#include "keeper/inner.h"
#include "keeper/vault/vault.h"
#include "tlog/note.h"

enum { ARENA_MAX = 256 * 1024 * 1024, LEDGER_PIECE = 16 * 1024 * 1024, DAYS = 2932897 /* to the end of 9999 */ };

/* A text that must be there. */
static const char *take_text(struct wire *q, struct arena *a)
{
	const char *text = wire_take_text(q, a);
	q->bad = q->bad || text == NULL;
	return text != NULL ? text : "";
}

/* ---- logs ---- */

static enum err answer_sign_heads(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	size_t count = (size_t)wire_take_int(q), root_n, leaves_n;
	if (count > q->b.len / SHA256_BYTES) /* each has a root */
		return ERR_INTERNAL;
	struct keeper_growth *logs = arena_alloc(s->arena, (count + 1) * sizeof *logs);
	for (size_t i = 0; i < count; i++) {
		logs[i].origin = wire_take_text(q, s->arena); /* none is refused as a bad one */
		logs[i].old_size = (uint64_t)wire_take_int(q);
		logs[i].leaf_hashes = wire_take_bytes(q, s->arena, &leaves_n);
		logs[i].n = leaves_n / SHA256_BYTES;
		logs[i].root = wire_take_bytes(q, s->arena, &root_n);
		if (q->bad || (logs[i].root != NULL && root_n != SHA256_BYTES))
			return ERR_INTERNAL;
	}
	TRY(vault_sign_heads(v, s, logs, count));
	for (size_t i = 0; i < count; i++) {
		wire_put_int(a, logs[i].err);
		wire_put_text(a, logs[i].checkpoint);
	}
	wire_put_text(a, s->detail); /* of one that conflicts */
	return OK;
}

static enum err answer_head(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	uint64_t size = 0;
	uint8_t root[SHA256_BYTES];
	TRY(vault_head(v, s, take_text(q, s->arena), &size, root));
	wire_put(a, &size, sizeof size);
	wire_put(a, root, sizeof root);
	return OK;
}

static void put_head(void *arg, const char *origin, uint64_t size, const uint8_t root[SHA256_BYTES])
{
	wire_put_text(arg, origin);
	wire_put(arg, &size, sizeof size);
	wire_put(arg, root, SHA256_BYTES);
}

static enum err answer_heads(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	vault_heads_each(v, put_head, a);
	wire_put_text(a, NULL);
	return OK;
}

/* ---- signatures and references ---- */

/* Documents only: a log's checkpoint is signed by sign_heads alone, which counts (I3). */
static enum err answer_sign(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	size_t n;
	struct checkpoint head;
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	const char *message = wire_take_bytes(q, s->arena, &n);
	if (message == NULL || checkpoint_parse(s, message, &head) == OK)
		return ERR_INTERNAL;
	s->detail = NULL;
	vault_sign(v, message, n, signature);
	wire_put(a, signature, sizeof signature);
	return OK;
}

static enum err answer_token_issue(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct token_claims claims;
	const char *issuer = wire_take_text(q, s->arena);
	wire_take(q, &claims, sizeof claims);
	if (q->bad || issuer == NULL)
		return ERR_INTERNAL;
	wire_put_text(a, vault_token_issue(v, s->arena, issuer, &claims));
	return OK;
}

static enum err answer_id_token_issue(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct token_claims claims;
	struct id_token t = {.claims = &claims};
	const char *issuer = wire_take_text(q, s->arena);
	t.audience = wire_take_text(q, s->arena);
	t.name = wire_take_text(q, s->arena);
	t.upn = wire_take_text(q, s->arena);
	wire_take(q, &claims, sizeof claims);
	if (q->bad || issuer == NULL)
		return ERR_INTERNAL;
	wire_put_text(a, vault_id_token_issue(v, s->arena, issuer, &t));
	return OK;
}

static enum err answer_token_verify(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct token_claims claims = {0};
	TRY(vault_token_verify(v, s, take_text(q, s->arena), &claims));
	wire_put(a, &claims, sizeof claims);
	return OK;
}

static enum err answer_reference(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	size_t n;
	uint8_t out[SHA256_BYTES];
	const char *label = wire_take_text(q, s->arena);
	const void *p = wire_take_bytes(q, s->arena, &n);
	if (q->bad || label == NULL)
		return ERR_INTERNAL;
	vault_reference(v, label, p, n, out);
	wire_put(a, out, sizeof out);
	return OK;
}

/* ---- the certificate authority ---- */

static enum err answer_ca_pem(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	wire_put_text(a, vault_ca_pem(v, s->arena));
	return OK;
}

static const char *const *take_texts(struct wire *q, struct arena *a)
{
	int64_t n = wire_take_int(q);
	q->bad = q->bad || n < 0 || (size_t)n > q->b.len / sizeof(uint64_t); /* each has a length */
	if (q->bad)
		return NULL;
	const char **list = arena_alloc(a, ((size_t)n + 1) * sizeof *list);
	for (int64_t i = 0; i < n; i++)
		list[i] = wire_take_text(q, a);
	return list;
}

static enum err answer_issue_server(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct x509_pair pair;
	struct x509_name name = {.common_name = take_text(q, s->arena)};
	name.dns = take_texts(q, s->arena);
	name.ip = take_texts(q, s->arena);
	TRY(vault_issue_server(v, s, &name, (int)wire_take_int(q), &pair));
	wire_put_text(a, pair.key_pem);
	wire_put_text(a, pair.cert_pem);
	return OK;
}

static enum err answer_issue_device(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct id tenant, device;
	char *pem = NULL;
	uint8_t fingerprint[SHA256_BYTES];
	int64_t not_after = 0;
	const char *request = take_text(q, s->arena);
	wire_take(q, &tenant, sizeof tenant);
	wire_take(q, &device, sizeof device);
	TRY(vault_issue_device(v, s, request, tenant, device, (int)wire_take_int(q), &pem, fingerprint, &not_after));
	wire_put_text(a, pem);
	wire_put(a, fingerprint, sizeof fingerprint);
	wire_put_int(a, not_after);
	return OK;
}

static enum err answer_ca_roll(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	const char *name = take_text(q, s->arena);
	return q->bad ? ERR_INTERNAL : vault_ca_roll(v, s, name);
}

/* ---- sealing ---- */

static enum err answer_object_key(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct id object;
	uint8_t key[SEAL_KEY_BYTES];
	wire_take(q, &object, sizeof object);
	vault_object_key(v, object, key);
	wire_put(a, key, sizeof key);
	wipe(key, sizeof key);
	return OK;
}

static enum err answer_seal(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	size_t n, sealed_n = 0;
	void *p = wire_take_bytes(q, s->arena, &n);
	void *sealed = vault_seal(v, s->arena, p, n, &sealed_n);
	wire_put_bytes(a, sealed, sealed_n);
	if (p != NULL)
		wipe(p, n);
	return OK;
}

static enum err answer_unseal(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	size_t n, plain_n = 0;
	const void *p = wire_take_bytes(q, s->arena, &n);
	void *plain = vault_unseal(v, s->arena, p, n, &plain_n);
	wire_put_bytes(a, plain, plain_n);
	if (plain != NULL)
		wipe(plain, plain_n);
	return OK;
}

/* ---- the ledger ---- */

static enum err answer_ledger_append(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	size_t n;
	uint64_t sequence = 0;
	uint8_t hash[SHA256_BYTES];
	const char *json = wire_take_bytes(q, s->arena, &n);
	TRY(vault_ledger_append(v, s, json, n, &sequence, hash));
	wire_put(a, &sequence, sizeof sequence);
	wire_put(a, hash, sizeof hash);
	return OK;
}

/* A piece at a time: what is behind it is asked for again. */
static bool put_entry(void *arg, uint64_t sequence, const char *json, size_t n)
{
	struct wire *a = arg;
	wire_put(a, &sequence, sizeof sequence);
	wire_put_bytes(a, json, n);
	return a->b.len < LEDGER_PIECE;
}

static enum err answer_ledger_read(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	uint64_t from, end = 0;
	wire_take(q, &from, sizeof from);
	TRY(vault_ledger_read(v, s, from, put_entry, a));
	wire_put(a, &end, sizeof end);
	return OK;
}

static enum err answer_ledger_size(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	uint64_t size = vault_ledger_size(v);
	wire_put(a, &size, sizeof size);
	return OK;
}

static enum err answer_ledger_head(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	uint64_t sequence;
	uint8_t hash[SHA256_BYTES];
	vault_ledger_head(v, &sequence, hash);
	wire_put(a, &sequence, sizeof sequence);
	wire_put(a, hash, sizeof hash);
	return OK;
}

static enum err answer_ledger_hash(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	uint64_t sequence;
	uint8_t hash[SHA256_BYTES];
	wire_take(q, &sequence, sizeof sequence);
	TRY(vault_ledger_hash(v, s, sequence, hash));
	wire_put(a, hash, sizeof hash);
	return OK;
}

/* ---- needles ---- */

static enum err answer_needles_put(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct id duty;
	size_t n;
	wire_take(q, &duty, sizeof duty);
	void *p = wire_take_bytes(q, s->arena, &n);
	enum err e = vault_needles_put(v, s, duty, p, n);
	if (p != NULL)
		wipe(p, n);
	return e;
}

static enum err answer_needles_get(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct id duty;
	void *p = NULL;
	size_t n = 0;
	wire_take(q, &duty, sizeof duty);
	TRY(vault_needles_get(v, s, duty, &p, &n));
	wire_put_bytes(a, p, n);
	wipe(p, n);
	return OK;
}

static enum err answer_needles_drop(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct id duty;
	wire_take(q, &duty, sizeof duty);
	return vault_needles_drop(v, s, duty);
}

/* ---- the days' keys ---- */

static enum err answer_backup_days(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	wire_put_int(a, vault_backup_days(v));
	return OK;
}

static enum err answer_copies_gone_at(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	wire_put_int(a, vault_copies_gone_at(v, wire_take_int(q)));
	return OK;
}

static enum err answer_copies_gone(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	wire_put_int(a, vault_copies_gone(v, wire_take_int(q)));
	return OK;
}

static enum err answer_day_keys(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct keeper_day_key *keys = NULL;
	size_t n = 0;
	vault_day_keys(v, s->arena, &keys, &n);
	wire_put_bytes(a, n > 0 ? (const void *)keys : "", n * sizeof *keys);
	return OK;
}

/* Since 1970, within the years that are written with four digits. */
static int64_t take_day(struct wire *q)
{
	int64_t day = wire_take_int(q);
	q->bad = q->bad || day < 0 || day >= DAYS;
	return day;
}

static enum err answer_day_key_make(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	bool made = false;
	int64_t day = take_day(q);
	if (q->bad)
		return ERR_INTERNAL;
	enum err e = vault_day_key_make(v, s, day, &made);
	wire_put_int(a, made);
	return e;
}

static enum err answer_day_key_destroy(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	int64_t day = take_day(q);
	return q->bad ? ERR_INTERNAL : vault_day_key_destroy(v, s, day);
}

static enum err answer_half_now(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	struct keeper_seal_half half;
	char *detail = NULL;
	enum err e = vault_half_now(v, wire_take_int(q), &half, &detail);
	if (e != OK)
		e = scope_fail(s, e, "%s", detail != NULL ? detail : err_text(e));
	else
		wire_put(a, &half, sizeof half);
	free(detail);
	return e;
}

static enum err answer_copy_key(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	int64_t day = take_day(q);
	uint8_t theirs[X25519_BYTES], key[SHA256_BYTES];
	size_t n;
	wire_take(q, theirs, sizeof theirs);
	const void *header = wire_take_bytes(q, s->arena, &n);
	if (q->bad || header == NULL)
		return ERR_INTERNAL;
	TRY(vault_copy_key(v, s, day, theirs, header, n, key));
	wire_put(a, key, sizeof key);
	wipe(key, sizeof key);
	return OK;
}

static enum err answer_copy_state(struct vault *v, struct scope *s, struct wire *q, struct wire *a)
{
	return vault_copy_state(v, s);
}

/* ---- any of them ---- */

static enum err (*const ANSWERS[])(struct vault *v, struct scope *s, struct wire *q, struct wire *a) = {
#define KEEPER_CALL(name) answer_##name,
#include "keeper/calls.def"
#undef KEEPER_CALL
};

/* The answer begins with the error and its detail, and after an error it is at its end. */
static void put_error(struct wire *a, struct scope *s, enum err e)
{
	wire_clear(a);
	wire_put_int(a, e);
	wire_put_text(a, s->detail);
}

void vault_answer(struct vault *v, struct wire *q, struct wire *a)
{
	struct scope s;
	int64_t call = wire_take_int(q), now = wire_take_int(q);
	struct arena *arena = arena_new(ARENA_MAX);
	scope_system(&s, arena, NULL, NULL);
	s.now = now;
	wire_clear(a);
	wire_put_int(a, OK);
	wire_put_text(a, NULL);
	enum err e = q->bad || call < 0 || call >= CALL_COUNT ? ERR_INTERNAL : ANSWERS[call](v, &s, q, a);
	if (e == OK && (q->bad || a->b.failed))
		e = ERR_LIMIT;
	if (e != OK)
		put_error(a, &s, e);
	arena_free(arena);
}

void vault_facts(struct vault *v, struct keeper_facts *ret)
{
	memset(ret, 0, sizeof *ret);
	vault_place(v, ret->place);
	vault_public_key(v, ret->public_key);
}
