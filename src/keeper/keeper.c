/* SPDX-License-Identifier: Apache-2.0
 * The functions of keeper.h: each puts its arguments into a question, asks, and takes the results from the answer (answer.c has the other
 * half).  So it makes no difference whether the vault is in this process or in another. */
#include "keeper/keeper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/seal.h"
#include "keeper/inner.h"
#include "keeper/vault/vault.h"
#include "keeper/verified.h"
#include "tlog/note.h"

/* ---- asking ---- */

struct asked {
	struct wire question, answer;
};

static void asked_release(struct asked *x)
{
	wire_release(&x->question);
	wire_release(&x->answer);
}
#define auto_asked __attribute__((cleanup(asked_release))) struct asked

static void begin(struct asked *x, enum keeper_call call, int64_t now)
{
	wire_init(&x->question);
	wire_init(&x->answer);
	wire_put_int(&x->question, call);
	wire_put_int(&x->question, now);
}

/* s NULL: of calls that fail for no outside reason, whose detail nobody reads. */
static enum err ask(struct keeper *k, struct scope *s, struct asked *x)
{
	if (x->question.b.failed)
		return s != NULL ? scope_fail(s, ERR_LIMIT, "this is more than the keeper takes at once") : ERR_LIMIT;
	if (k->vault != NULL)
		vault_answer(k->vault, &x->question, &x->answer);
	else
		lines_ask(k->lines, &x->question, &x->answer);
	enum err e = (enum err)wire_take_int(&x->answer);
	size_t n;
	struct arena *a = s != NULL ? s->arena : arena_new(64 * 1024);
	const char *detail = wire_take_bytes(&x->answer, a, &n);
	if (e != OK && s != NULL)
		e = scope_fail(s, e, "%s", detail != NULL ? detail : err_text(e));
	if (s == NULL)
		arena_free(a);
	return e;
}

/* ---- opening ---- */

static void take_facts(struct keeper *k)
{
	const char *cut = vault_cut(k->vault);
	vault_facts(k->vault, &k->facts);
	k->cut = cut != NULL ? strdup(cut) : NULL;
}

static enum err opened(enum err e, struct vault *v, struct keeper **ret)
{
	if (e != OK)
		return e;
	struct keeper *k = calloc(1, sizeof *k);
	check(k != NULL);
	k->vault = v;
	take_facts(k);
	*ret = k;
	return OK;
}

enum err keeper_open_with(const char *dir, const struct keeper_options *o, struct keeper **ret, char **detail)
{
	struct vault *v = NULL;
	enum err e = vault_open_for(getpid(), dir, o, &v, detail);
	return opened(e, v, ret);
}

enum err keeper_open(const char *dir, struct keeper **ret, char **detail)
{
	return keeper_open_with(dir, &(struct keeper_options){0}, ret, detail);
}

enum err keeper_open_sealed(const char *dir, struct keeper **ret, char **detail)
{
	struct vault *v = NULL;
	enum err e = vault_open_sealed(dir, &v, detail);
	return opened(e, v, ret);
}

void keeper_close(struct keeper *k)
{
	if (k == NULL)
		return;
	vault_close(k->vault);
	lines_close(k->lines);
	verified_free(k->verified);
	free(k->cut);
	free(k);
}

const char *keeper_cut(const struct keeper *k)
{
	return k->cut;
}

void keeper_place(struct keeper *k, uint8_t ret[SHA256_BYTES])
{
	memcpy(ret, k->facts.place, SHA256_BYTES);
}

void keeper_public_key(struct keeper *k, uint8_t ret[ED25519_KEY_BYTES])
{
	memcpy(ret, k->facts.public_key, ED25519_KEY_BYTES);
}

char *keeper_vkey(struct keeper *k, struct arena *a, const char *name)
{
	return note_vkey(a, name, k->facts.public_key);
}

/* ---- heads ---- */

enum err keeper_sign_heads(struct keeper *k, struct scope *s, struct keeper_growth *logs, size_t count)
{
	auto_asked x;
	begin(&x, CALL_sign_heads, s->now);
	wire_put_int(&x.question, (int64_t)count);
	for (size_t i = 0; i < count; i++) {
		wire_put_text(&x.question, logs[i].origin);
		wire_put_int(&x.question, (int64_t)logs[i].old_size);
		wire_put_bytes(&x.question, logs[i].n > 0 ? (const void *)logs[i].leaf_hashes : "", logs[i].n * SHA256_BYTES);
		wire_put_bytes(&x.question, logs[i].root, SHA256_BYTES);
	}
	enum err e = ask(k, s, &x);
	for (size_t i = 0; i < count; i++) {
		logs[i].err = e != OK ? e : (enum err)wire_take_int(&x.answer);
		logs[i].checkpoint = e != OK ? NULL : wire_take_text(&x.answer, s->arena);
	}
	const char *conflict = e == OK ? wire_take_text(&x.answer, s->arena) : NULL;
	if (conflict != NULL)
		(void)!scope_fail(s, ERR_CONFLICT, "%s", conflict);
	return e;
}

enum err keeper_sign_head(struct keeper *k, struct scope *s, const char *origin, uint64_t old_size,
			  const uint8_t (*leaf_hashes)[SHA256_BYTES], size_t n, char **ret_checkpoint)
{
	struct keeper_growth g = {.origin = origin, .old_size = old_size, .leaf_hashes = leaf_hashes, .n = n};
	TRY(keeper_sign_heads(k, s, &g, 1));
	*ret_checkpoint = g.checkpoint;
	return g.err;
}

enum err keeper_head(struct keeper *k, struct scope *s, const char *origin, uint64_t *ret_size, uint8_t ret_root[SHA256_BYTES])
{
	auto_asked x;
	begin(&x, CALL_head, s->now);
	wire_put_text(&x.question, origin);
	TRY(ask(k, s, &x));
	wire_take(&x.answer, ret_size, sizeof *ret_size);
	wire_take(&x.answer, ret_root, SHA256_BYTES);
	return OK;
}

void keeper_heads_each(struct keeper *k, keeper_heads_fn fn, void *arg)
{
	auto_asked x;
	const char *origin;
	struct arena *a = arena_new(WIRE_MAX);
	begin(&x, CALL_heads, 0);
	check(ask(k, NULL, &x) == OK);
	while ((origin = wire_take_text(&x.answer, a)) != NULL) {
		uint64_t size;
		uint8_t root[SHA256_BYTES];
		wire_take(&x.answer, &size, sizeof size);
		wire_take(&x.answer, root, sizeof root);
		fn(arg, origin, size, root);
	}
	arena_free(a);
}

/* ---- signatures and references ---- */

void keeper_sign(struct keeper *k, const void *msg, size_t n, uint8_t ret_signature[ED25519_SIGNATURE_BYTES])
{
	auto_asked x;
	begin(&x, CALL_sign, 0);
	wire_put_bytes(&x.question, msg != NULL ? msg : "", n);
	check(ask(k, NULL, &x) == OK);
	wire_take(&x.answer, ret_signature, ED25519_SIGNATURE_BYTES);
}

char *keeper_token_issue(struct keeper *k, struct arena *a, const char *issuer, const struct token_claims *c)
{
	auto_asked x;
	begin(&x, CALL_token_issue, 0);
	wire_put_text(&x.question, issuer);
	wire_put(&x.question, c, sizeof *c);
	check(ask(k, NULL, &x) == OK);
	return wire_take_text(&x.answer, a);
}

char *keeper_id_token_issue(struct keeper *k, struct arena *a, const char *issuer, const struct id_token *t)
{
	auto_asked x;
	begin(&x, CALL_id_token_issue, 0);
	wire_put_text(&x.question, issuer);
	wire_put_text(&x.question, t->audience);
	wire_put_text(&x.question, t->name);
	wire_put_text(&x.question, t->upn);
	wire_put(&x.question, t->claims, sizeof *t->claims);
	check(ask(k, NULL, &x) == OK);
	return wire_take_text(&x.answer, a);
}

enum err keeper_token_verify(struct keeper *k, struct scope *s, const char *token, struct token_claims *ret)
{
	auto_asked x;
	begin(&x, CALL_token_verify, s->now);
	if (k->verified != NULL && token != NULL && verified_find(k->verified, token, s->now, ret))
		return OK;
	wire_put_text(&x.question, token);
	TRY(ask(k, s, &x));
	wire_take(&x.answer, ret, sizeof *ret);
	if (k->verified != NULL)
		verified_add(k->verified, token, ret);
	return OK;
}

void keeper_reference(struct keeper *k, const char *label, const void *p, size_t n, uint8_t out[SHA256_BYTES])
{
	auto_asked x;
	begin(&x, CALL_reference, 0);
	wire_put_text(&x.question, label);
	wire_put_bytes(&x.question, p != NULL ? p : "", n);
	check(ask(k, NULL, &x) == OK);
	wire_take(&x.answer, out, SHA256_BYTES);
}

/* ---- the certificate authority ---- */

char *keeper_ca_pem(struct keeper *k, struct arena *a)
{
	auto_asked x;
	begin(&x, CALL_ca_pem, 0);
	check(ask(k, NULL, &x) == OK);
	return wire_take_text(&x.answer, a);
}

static void put_texts(struct wire *w, const char *const *list)
{
	int64_t n = 0;
	while (list != NULL && list[n] != NULL)
		n++;
	wire_put_int(w, n);
	for (int64_t i = 0; i < n; i++)
		wire_put_text(w, list[i]);
}

enum err keeper_issue_server(struct keeper *k, struct scope *s, const struct x509_name *name, int days, struct x509_pair *ret)
{
	auto_asked x;
	begin(&x, CALL_issue_server, s->now);
	wire_put_text(&x.question, name->common_name);
	put_texts(&x.question, name->dns);
	put_texts(&x.question, name->ip);
	wire_put_int(&x.question, days);
	TRY(ask(k, s, &x));
	ret->key_pem = wire_take_text(&x.answer, s->arena);
	ret->cert_pem = wire_take_text(&x.answer, s->arena);
	return OK;
}

enum err keeper_issue_device(struct keeper *k, struct scope *s, const char *csr_pem, struct id tenant, struct id device, int days,
			     char **ret_cert_pem, uint8_t ret_fingerprint[32], int64_t *ret_not_after_us)
{
	auto_asked x;
	begin(&x, CALL_issue_device, s->now);
	wire_put_text(&x.question, csr_pem);
	wire_put(&x.question, &tenant, sizeof tenant);
	wire_put(&x.question, &device, sizeof device);
	wire_put_int(&x.question, days);
	TRY(ask(k, s, &x));
	*ret_cert_pem = wire_take_text(&x.answer, s->arena);
	wire_take(&x.answer, ret_fingerprint, SHA256_BYTES);
	*ret_not_after_us = wire_take_int(&x.answer);
	return OK;
}

enum err keeper_ca_roll(struct keeper *k, struct scope *s, const char *ca_name)
{
	auto_asked x;
	begin(&x, CALL_ca_roll, s->now);
	wire_put_text(&x.question, ca_name);
	return ask(k, s, &x);
}

/* ---- sealing ---- */

static void object_key(struct keeper *k, struct id object, uint8_t ret[SEAL_KEY_BYTES])
{
	auto_asked x;
	begin(&x, CALL_object_key, 0);
	wire_put(&x.question, &object, sizeof object);
	check(ask(k, NULL, &x) == OK);
	wire_take(&x.answer, ret, SEAL_KEY_BYTES);
}

enum err keeper_seal_file(struct keeper *k, struct id object, const char *from, const char *to)
{
	uint8_t key[SEAL_KEY_BYTES];
	object_key(k, object, key);
	enum err e = seal_file(key, from, to);
	wipe(key, sizeof key);
	return e;
}

enum err keeper_seal_open(struct keeper *k, struct id object, const char *to, struct seal_stream **ret)
{
	uint8_t key[SEAL_KEY_BYTES];
	object_key(k, object, key);
	enum err e = seal_open(key, to, ret);
	wipe(key, sizeof key);
	return e;
}

enum err keeper_unseal_open(struct keeper *k, struct id object, const char *path, struct unseal_stream **ret)
{
	uint8_t key[SEAL_KEY_BYTES];
	object_key(k, object, key);
	enum err e = unseal_open(key, path, ret);
	wipe(key, sizeof key);
	return e;
}

static void *bytes_of(struct keeper *k, enum keeper_call call, struct arena *a, const void *p, size_t n, size_t *ret_n)
{
	auto_asked x;
	begin(&x, call, 0);
	wire_put_bytes(&x.question, p != NULL ? p : "", n);
	*ret_n = 0;
	return ask(k, NULL, &x) == OK ? wire_take_bytes(&x.answer, a, ret_n) : NULL;
}

void *keeper_seal(struct keeper *k, struct arena *a, const void *p, size_t n, size_t *ret_n)
{
	void *sealed = bytes_of(k, CALL_seal, a, p, n, ret_n);
	check(sealed != NULL);
	return sealed;
}

void *keeper_unseal(struct keeper *k, struct arena *a, const void *p, size_t n, size_t *ret_n)
{
	return bytes_of(k, CALL_unseal, a, p, n, ret_n);
}

/* ---- the ledger ---- */

enum err keeper_ledger_append(struct keeper *k, struct scope *s, const char *json, size_t n, uint64_t *ret_sequence,
			      uint8_t ret_hash[SHA256_BYTES])
{
	auto_asked x;
	uint64_t sequence;
	uint8_t hash[SHA256_BYTES];
	begin(&x, CALL_ledger_append, s->now);
	wire_put_bytes(&x.question, json, n);
	TRY(ask(k, s, &x));
	wire_take(&x.answer, &sequence, sizeof sequence);
	wire_take(&x.answer, hash, sizeof hash);
	if (ret_sequence != NULL)
		*ret_sequence = sequence;
	if (ret_hash != NULL)
		memcpy(ret_hash, hash, SHA256_BYTES);
	return OK;
}

/* One piece of it, up to the entry `last`.  *from: where to go on, 0 where fn has enough. */
static enum err read_piece(struct keeper *k, struct scope *s, uint64_t *from, uint64_t last, keeper_ledger_fn fn, void *arg)
{
	auto_asked x;
	uint64_t sequence = 0, asked = *from;
	begin(&x, CALL_ledger_read, s->now);
	wire_put(&x.question, from, sizeof *from);
	TRY(ask(k, s, &x));
	struct arena *a = arena_new(WIRE_MAX);
	bool more = true;
	for (;;) {
		size_t n;
		wire_take(&x.answer, &sequence, sizeof sequence);
		if (sequence == 0 || sequence > last)
			break;
		const char *json = wire_take_bytes(&x.answer, a, &n);
		*from = sequence + 1;
		if (!(more = fn(arg, sequence, json, n)))
			break;
	}
	arena_free(a);
	if (!more || *from == asked)
		*from = 0; /* enough, or nothing came */
	return OK;
}

enum err keeper_ledger_read(struct keeper *k, struct scope *s, uint64_t from, keeper_ledger_fn fn, void *arg)
{
	uint64_t last = keeper_ledger_size(k); /* fn may append */
	if (from == 0)
		from = 1;
	while (from != 0 && from <= last)
		TRY(read_piece(k, s, &from, last, fn, arg));
	return OK;
}

uint64_t keeper_ledger_size(struct keeper *k)
{
	auto_asked x;
	uint64_t size;
	begin(&x, CALL_ledger_size, 0);
	check(ask(k, NULL, &x) == OK);
	wire_take(&x.answer, &size, sizeof size);
	return size;
}

void keeper_ledger_head(struct keeper *k, uint64_t *ret_sequence, uint8_t ret_hash[SHA256_BYTES])
{
	auto_asked x;
	begin(&x, CALL_ledger_head, 0);
	check(ask(k, NULL, &x) == OK);
	wire_take(&x.answer, ret_sequence, sizeof *ret_sequence);
	wire_take(&x.answer, ret_hash, SHA256_BYTES);
}

enum err keeper_ledger_hash(struct keeper *k, struct scope *s, uint64_t sequence, uint8_t ret_hash[SHA256_BYTES])
{
	auto_asked x;
	begin(&x, CALL_ledger_hash, s->now);
	wire_put(&x.question, &sequence, sizeof sequence);
	TRY(ask(k, s, &x));
	wire_take(&x.answer, ret_hash, SHA256_BYTES);
	return OK;
}

/* ---- needles ---- */

enum err keeper_needles_put(struct keeper *k, struct scope *s, struct id duty, const void *p, size_t n)
{
	auto_asked x;
	begin(&x, CALL_needles_put, s->now);
	wire_put(&x.question, &duty, sizeof duty);
	wire_put_bytes(&x.question, p != NULL ? p : "", n);
	return ask(k, s, &x);
}

enum err keeper_needles_get(struct keeper *k, struct scope *s, struct id duty, void **ret, size_t *ret_n)
{
	auto_asked x;
	begin(&x, CALL_needles_get, s->now);
	wire_put(&x.question, &duty, sizeof duty);
	TRY(ask(k, s, &x));
	*ret = wire_take_bytes(&x.answer, s->arena, ret_n);
	return OK;
}

enum err keeper_needles_drop(struct keeper *k, struct scope *s, struct id duty)
{
	auto_asked x;
	begin(&x, CALL_needles_drop, s->now);
	wire_put(&x.question, &duty, sizeof duty);
	return ask(k, s, &x);
}

/* ---- the days' keys ---- */

int keeper_backup_days(struct keeper *k)
{
	auto_asked x;
	begin(&x, CALL_backup_days, 0);
	check(ask(k, NULL, &x) == OK);
	return (int)wire_take_int(&x.answer);
}

int64_t keeper_copies_gone_at(struct keeper *k, int64_t at)
{
	auto_asked x;
	begin(&x, CALL_copies_gone_at, 0);
	wire_put_int(&x.question, at);
	check(ask(k, NULL, &x) == OK);
	return wire_take_int(&x.answer);
}

bool keeper_copies_gone(struct keeper *k, int64_t at)
{
	auto_asked x;
	begin(&x, CALL_copies_gone, 0);
	wire_put_int(&x.question, at);
	check(ask(k, NULL, &x) == OK);
	return wire_take_int(&x.answer) != 0;
}

void keeper_day_keys(struct keeper *k, struct arena *a, struct keeper_day_key **ret, size_t *ret_n)
{
	auto_asked x;
	size_t n;
	begin(&x, CALL_day_keys, 0);
	check(ask(k, NULL, &x) == OK);
	*ret = wire_take_bytes(&x.answer, a, &n);
	*ret_n = n / sizeof **ret;
}

enum err keeper_day_key_make(struct keeper *k, struct scope *s, int64_t day, bool *ret_made)
{
	auto_asked x;
	begin(&x, CALL_day_key_make, s->now);
	wire_put_int(&x.question, day);
	TRY(ask(k, s, &x));
	*ret_made = wire_take_int(&x.answer) != 0;
	return OK;
}

enum err keeper_day_key_destroy(struct keeper *k, struct scope *s, int64_t day)
{
	auto_asked x;
	begin(&x, CALL_day_key_destroy, s->now);
	wire_put_int(&x.question, day);
	return ask(k, s, &x);
}

/* The detail belongs to the caller, as in keeper_seal_half(). */
enum err keeper_half_now(struct keeper *k, int64_t now, struct keeper_seal_half *ret, char **detail)
{
	auto_asked x;
	struct scope s;
	struct arena *a = arena_new(64 * 1024);
	scope_system(&s, a, NULL, NULL);
	begin(&x, CALL_half_now, now);
	wire_put_int(&x.question, now);
	enum err e = ask(k, &s, &x);
	if (e == OK)
		wire_take(&x.answer, ret, sizeof *ret);
	else if (detail != NULL)
		*detail = strdup(scope_detail(&s, e));
	arena_free(a);
	return e;
}

enum err keeper_copy_key(struct keeper *k, struct scope *s, int64_t day, const uint8_t theirs[X25519_BYTES], const void *header, size_t n,
			 uint8_t ret[SHA256_BYTES])
{
	auto_asked x;
	begin(&x, CALL_copy_key, s->now);
	wire_put_int(&x.question, day);
	wire_put(&x.question, theirs, X25519_BYTES);
	wire_put_bytes(&x.question, header, n);
	TRY(ask(k, s, &x));
	wire_take(&x.answer, ret, SHA256_BYTES);
	return OK;
}

enum err keeper_copy_state(struct keeper *k, struct scope *s)
{
	auto_asked x;
	begin(&x, CALL_copy_state, s->now);
	return ask(k, s, &x);
}
