/* SPDX-License-Identifier: Apache-2.0
 *
 * Into the outbox: the words of the moment and what the case says, sealed with the address.  The text is made when the letter goes
 * (letter_outbox.c), because only there the server's own address is known.
 */
#include "privacy/request/letter.h"

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "codec/mail.h"
#include "keeper/keeper.h"
#include "privacy/disclosure/reason.h"
#include "privacy/request/regime.h"

DB_TENANT(letter_case,
	  "SELECT q.request_type, q.regime, q.contact, q.user_id, q.received_at, q.due_at, q.reason_code, q.legal_ground, q.outcome, "
	  "q.extension_reason, u.mail, t.display_name FROM data_subject_requests q JOIN tenants t ON t.tenant_id = q.tenant_id "
	  "LEFT JOIN users u ON u.tenant_id = q.tenant_id AND u.user_id = q.user_id WHERE q.tenant_id = ?1 AND q.request_id = ?2");
DB_TENANT(letter_insert,
	  "INSERT INTO letters (tenant_id, letter_id, request_id, user_id, template, state, message, message_sha256, attempts, created_at, "
	  "next_attempt_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?6, ?7, 0, ?8, ?8, ?9)");

static const char *const EXTRAS[] = {
#define LETTER(name, extra, subject, body) extra,
#include "privacy/request/letters.def"
};

static const struct {
	const char *type, *words;
} TYPES[] = {
	{"access", "access to your data"},
	{"portability", "your data to take with you"},
	{"erasure", "deletion of your data"},
	{"rectification", "correction of your data"},
	{"restriction", "restriction of the processing of your data"},
	{"objection", "objection to the processing of your data"},
};

static const struct {
	const char *regime, *text;
} COMPLAINTS[] = {
	{"gdpr", "You may lodge a complaint with a data protection supervisory authority and seek a judicial remedy (GDPR Art. 77 and 79)."},
	{"ukGdpr", "You may complain to the Information Commissioner and seek a judicial remedy (UK GDPR Art. 77 and 79)."},
	{"ccpa", "You may file a complaint with the California Privacy Protection Agency or the Attorney General of California."},
	{"lgpd", "You may petition the Autoridade Nacional de Proteção de Dados (LGPD Art. 18 § 1)."},
	{"pipeda", "You may file a complaint with the Privacy Commissioner of Canada (PIPEDA s. 11)."},
	{"custom", "You may complain to the authority that is responsible for you."},
};

const char *request_type_words(const char *type)
{
	for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
		if (strcmp(TYPES[i].type, type) == 0)
			return TYPES[i].words;
	return type;
}

static const char *complaint(const char *regime)
{
	for (size_t i = 0; i < sizeof COMPLAINTS / sizeof COMPLAINTS[0]; i++)
		if (strcmp(COMPLAINTS[i].regime, regime) == 0)
			return COMPLAINTS[i].text;
	return "";
}

static char *day(struct arena *a, int64_t at)
{
	char text[TIME_TEXT];
	return arena_strndup(a, time_format(at, text), strlen("2026-11-22"));
}

/* ---- the case ---- */

struct letter_case {
	struct id user;
	const char *to; /* NULL: there is no address */
	struct letter_value v[16];
	size_t n;
};

static void value(struct letter_case *c, const char *name, const char *text)
{
	check(c->n < sizeof c->v / sizeof c->v[0]);
	c->v[c->n++] = (struct letter_value){name, text};
}

/* The contact is the only address where there is one: another might be somebody else's to read. */
static const char *address(struct scope *s, const struct db_rows *r)
{
	size_t sealed_n, n;
	const void *sealed = db_blob(r, 2, &sealed_n);
	const char *text = db_text_dup(r, 10, s->arena);
	if (sealed != NULL) {
		const char *p = keeper_unseal(s->keeper, s->arena, sealed, sealed_n, &n);
		text = p == NULL ? NULL : arena_strndup(s->arena, p, n);
	}
	return text != NULL && mail_address_ok(text) ? text : NULL;
}

static void values(struct scope *s, const struct db_rows *r, struct id request, enum letter letter, const char *extra, struct letter_case *c)
{
	char number[ID_TEXT];
	const char *regime = db_text_dup(r, 1, s->arena), *filled = EXTRAS[letter];
	const struct regime *rules = regime_find(regime);
	bool extends = letter == LETTER_extension;
	value(c, extra != NULL ? filled : "", extra);
	value(c, "organisation", db_text_dup(r, 11, s->arena));
	value(c, "number", arena_strdup(s->arena, id_format(request, number)));
	value(c, "type", request_type_words(db_text_dup(r, 0, s->arena)));
	value(c, "received", day(s->arena, db_int(r, 4)));
	value(c, "due", day(s->arena, db_int(r, 5)));
	value(c, "law", rules == NULL ? "" : rules->law);
	value(c, "reason", extends ? db_text_dup(r, 9, s->arena) : reason_text(db_text_dup(r, 6, s->arena)));
	value(c, "ground", db_text_dup(r, 7, s->arena));
	value(c, "outcome", db_text_dup(r, 8, s->arena));
	value(c, "complaint", complaint(regime));
}

static enum err load_case(struct db_tx *tx, struct id request, enum letter letter, const char *extra, struct letter_case *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &letter_case, DB_ARGS(db_v_id(&request)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no data-subject request has this id");
	TRY(e);
	*ret = (struct letter_case){.user = db_id(r, 3), .to = address(s, r)};
	values(s, r, request, letter, extra, ret);
	return OK;
}

/* ---- the outbox ---- */

/* The first value of a name wins: the caller's before the case's. */
static json_t *message(struct scope *s, const struct letter_case *c, const struct letter_template *t)
{
	uint8_t nonce[16];
	char hex[2 * sizeof nonce + 1];
	json_t *m = json_object(), *v = json_object();
	random_bytes(nonce, sizeof nonce);
	hex_encode(nonce, sizeof nonce, hex);
	json_object_set_new(m, "id", json_string(hex));
	json_object_set_new(m, "to", json_string(c->to));
	json_object_set_new(m, "subject", json_string(t->subject));
	json_object_set_new(m, "body", json_string(t->body));
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].value != NULL && json_object_get(v, c->v[i].name) == NULL)
			json_object_set_new(v, c->v[i].name, json_string(c->v[i].value));
	json_object_set_new(m, "values", v);
	return m;
}

static enum err insert(struct db_tx *tx, struct id request, enum letter letter, const struct letter_case *c, json_t *m)
{
	struct scope *s = db_tx_scope(tx);
	struct id id = scope_id(s);
	uint8_t digest[SHA256_BYTES];
	size_t n;
	char *text = json_dumps(m, JSON_COMPACT);
	check(text != NULL);
	sha256(text, strlen(text), digest);
	const void *sealed = keeper_seal(s->keeper, s->arena, text, strlen(text), &n);
	wipe(text, strlen(text));
	free(text);
	return db_exec(tx, &letter_insert,
		       DB_ARGS(db_v_id(&id), db_v_id(&request), id_is_nil(c->user) ? db_v_null() : db_v_id(&c->user), db_v_text(letter_name(letter)),
			       db_v_blob(sealed, n), db_v_blob(digest, sizeof digest), db_v_int(s->now), db_v_int(s->now + LETTER_WAITS_US + LETTER_KEPT_US)),
		       NULL);
}

enum err letter_queue(struct db_tx *tx, struct id request, enum letter letter, const char *extra, bool *ret_queued)
{
	struct letter_case c;
	struct letter_template t;
	TRY(load_case(tx, request, letter, extra, &c));
	if (ret_queued != NULL)
		*ret_queued = c.to != NULL;
	if (c.to == NULL)
		return OK;
	TRY(letter_template_get(tx, letter, &t));
	auto_json *m = message(db_tx_scope(tx), &c, &t);
	return insert(tx, request, letter, &c, m);
}
