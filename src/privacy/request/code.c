/* SPDX-License-Identifier: Apache-2.0
 * One-time codes, and the pass that follows a right one. */
#include "privacy/request/code.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "audit/audit.h"
#include "codec/base64.h"
#include "db/db.h"
#include "keeper/keeper.h"
#include "privacy/request/letter.h"
#include "privacy/request/request.h"

#define PASS_US (30 * MINUTE_US)

DB_GLOBAL(code_tenant, "SELECT tenant_id FROM data_subject_requests WHERE request_id = ?1 AND state <> 'closed'");
DB_TENANT(code_case,
	  "SELECT q.state, q.channel, q.contact, q.user_id, u.mail, u.upn, q.acknowledged_at FROM data_subject_requests q LEFT JOIN users u ON "
	  "u.tenant_id = q.tenant_id AND u.user_id = q.user_id WHERE q.tenant_id = ?1 AND q.request_id = ?2 AND q.state <> 'closed'");
DB_TENANT(codes_sent, "SELECT count(*) FROM letters WHERE tenant_id = ?1 AND request_id = ?2 AND template = 'code' AND created_at > ?3");
DB_TENANT(code_put,
	  "INSERT INTO request_codes (tenant_id, request_id, code_hash, attempts, created_at, expires_at) VALUES (?1, ?2, ?3, 0, ?4, ?5) "
	  "ON CONFLICT (tenant_id, request_id) DO UPDATE SET code_hash = excluded.code_hash, attempts = 0, created_at = excluded.created_at, "
	  "expires_at = excluded.expires_at");
DB_TENANT(code_row, "SELECT code_hash, attempts, expires_at FROM request_codes WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(code_attempt, "UPDATE request_codes SET attempts = attempts + 1 WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(code_drop, "DELETE FROM request_codes WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(contact_verified,
	  "UPDATE data_subject_requests SET contact_verified_at = ?3 WHERE tenant_id = ?1 AND request_id = ?2 AND contact IS NOT NULL");
DB_TENANT(case_receipt, "SELECT 1 FROM letters WHERE tenant_id = ?1 AND request_id = ?2 AND template = 'receipt' AND state <> 'failed' LIMIT 1");

/* ---- the case ---- */

struct tenant_of {
	struct id request, *ret;
	bool known;
};

static enum err tenant_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenant_of *t = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &code_tenant, DB_ARGS(db_v_id(&t->request)), &r));
	t->known = db_next(r);
	if (t->known)
		*t->ret = db_id(r, 0);
	return db_rows_err(r);
}

enum err request_tenant(struct scope *s, struct id request, bool *ret_known, struct id *ret_tenant)
{
	struct tenant_of t = {.request = request, .ret = ret_tenant};
	TRY(db_read(s, tenant_tx, &t));
	*ret_known = t.known;
	return OK;
}

struct code_case {
	bool known, received, acknowledged, ours; /* ours: the organisation knew the address before */
	struct id user;
};

static enum err load_case(struct db_tx *tx, struct id request, struct code_case *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	size_t sealed_n, n = 0;
	*ret = (struct code_case){0};
	enum err e = db_query_one(tx, &code_case, DB_ARGS(db_v_id(&request)), &r);
	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	const void *sealed = db_blob(r, 2, &sealed_n);
	const char *contact = sealed == NULL ? NULL : keeper_unseal(s->keeper, s->arena, sealed, sealed_n, &n);
	contact = contact == NULL ? NULL : arena_strndup(s->arena, contact, n);
	const char *mail = db_text(r, 4), *upn = db_text(r, 5);
	bool on_record = contact == NULL || (mail != NULL && strcasecmp(mail, contact) == 0) || (upn != NULL && strcasecmp(upn, contact) == 0);
	*ret = (struct code_case){.known = true, .received = strcmp(db_text(r, 0), "received") == 0, .user = db_id(r, 3),
				  .acknowledged = !db_is_null(r, 6),
				  .ours = strcmp(db_text(r, 1), "portal") != 0 || on_record};
	return OK;
}

static enum err record(struct db_tx *tx, struct id request, struct id user, const char *what, const char *failure)
{
	struct audit_change *changes = NULL;
	audit_change_add(db_tx_scope(tx)->arena, &changes, "code", NULL, NULL, NULL, what);
	return audit_record(tx, &(struct audit_event){.activity = ACT_DSR_CODE, .resource_type = "DataSubjectRequest", .resource = request,
						      .subject = user, .changes = changes, .failure = failure});
}

/* ---- sending ---- */

static void code_reference(struct scope *s, struct id request, const char *code, uint8_t out[SHA256_BYTES])
{
	uint8_t text[sizeof s->tenant.b + sizeof request.b + REQUEST_CODE_DIGITS];
	memcpy(text, s->tenant.b, sizeof s->tenant.b);
	memcpy(text + sizeof s->tenant.b, request.b, sizeof request.b);
	memcpy(text + sizeof s->tenant.b + sizeof request.b, code, REQUEST_CODE_DIGITS);
	keeper_reference(s->keeper, "request-code", text, sizeof text, out);
	wipe(text, sizeof text);
}

/* Each code equally likely: what would favour the small ones is thrown again. */
static void new_code(char code[REQUEST_CODE_DIGITS + 1])
{
	const uint32_t codes = 100000000, fair = UINT32_MAX / codes * codes;
	uint32_t n;
	do
		random_bytes(&n, sizeof n);
	while (n >= fair);
	for (int i = REQUEST_CODE_DIGITS - 1; i >= 0; i--, n /= 10)
		code[i] = (char)('0' + n % 10);
	code[REQUEST_CODE_DIGITS] = '\0';
}

struct code {
	struct id request;
	const char *text;
	bool right, verifies;
};

static enum err too_many(struct db_tx *tx, struct id request, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &codes_sent, DB_ARGS(db_v_id(&request), db_v_int(db_tx_scope(tx)->now - HOUR_US)), &r));
	*ret = db_int(r, 0) >= REQUEST_CODES_AN_HOUR;
	return OK;
}

static enum err send_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct code *q = arg;
	struct code_case c;
	char code[REQUEST_CODE_DIGITS + 1];
	uint8_t reference[SHA256_BYTES];
	bool many, queued;
	TRY(load_case(tx, q->request, &c));
	TRY(too_many(tx, q->request, &many));
	if (!c.known || many)
		return OK;
	new_code(code);
	enum err e = letter_queue(tx, q->request, LETTER_code, code, &queued);
	code_reference(s, q->request, code, reference);
	wipe(code, sizeof code);
	if (e != OK || !queued)
		return e;
	TRY(db_exec(tx, &code_put,
		    DB_ARGS(db_v_id(&q->request), db_v_blob(reference, sizeof reference), db_v_int(s->now), db_v_int(s->now + REQUEST_CODE_US)), NULL));
	return record(tx, q->request, c.user, "sent", NULL);
}

enum err request_code_send(struct scope *s, struct id request)
{
	return db_write(s, send_tx, &(struct code){.request = request});
}

/* ---- checking ---- */

/* The digits alone; false where there are not so many, or anything else stands between them. */
static bool read_code(const char *text, char code[REQUEST_CODE_DIGITS + 1])
{
	size_t n = 0;
	for (; *text != '\0'; text++) {
		if (*text == ' ' || *text == '-')
			continue;
		if (*text < '0' || *text > '9' || n == REQUEST_CODE_DIGITS)
			return false;
		code[n++] = *text;
	}
	code[n] = '\0';
	return n == REQUEST_CODE_DIGITS;
}

static enum err matches(struct db_tx *tx, const struct code *q, bool *ret_live, bool *ret_right)
{
	struct scope *s = db_tx_scope(tx);
	char code[REQUEST_CODE_DIGITS + 1] = "";
	uint8_t reference[SHA256_BYTES];
	size_t n = 0;
	auto_rows struct db_rows *r = NULL;
	bool whole = read_code(q->text, code);
	code_reference(s, q->request, code, reference);
	TRY(db_query(tx, &code_row, DB_ARGS(db_v_id(&q->request)), &r));
	bool there = db_next(r);
	const void *stored = there ? db_blob(r, 0, &n) : NULL;
	*ret_live = there && db_int(r, 1) < REQUEST_CODE_ATTEMPTS && db_int(r, 2) > s->now;
	*ret_right = whole && *ret_live && n == sizeof reference && bytes_equal(stored, reference, sizeof reference);
	return db_rows_err(r);
}

/* A stranger's address gets its receipt once it is known to be theirs. */
static enum err acknowledge(struct db_tx *tx, struct id request)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &case_receipt, DB_ARGS(db_v_id(&request)), &r));
	if (db_next(r))
		return OK;
	TRY(db_rows_err(r));
	return letter_queue(tx, request, LETTER_receipt, NULL, NULL);
}

static enum err check_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct code *q = arg;
	struct code_case c;
	bool live;
	q->right = q->verifies = false;
	TRY(load_case(tx, q->request, &c));
	TRY(matches(tx, q, &live, &q->right));
	q->right = q->right && c.known;
	if (!live || !c.known)
		return OK; /* nothing that could be guessed at */
	if (!q->right) {
		TRY(db_exec(tx, &code_attempt, DB_ARGS(db_v_id(&q->request)), NULL));
		return record(tx, q->request, c.user, "entered", "the code is wrong");
	}
	q->verifies = c.received && c.ours;
	TRY(db_exec(tx, &code_drop, DB_ARGS(db_v_id(&q->request)), NULL));
	TRY(db_exec(tx, &contact_verified, DB_ARGS(db_v_id(&q->request), db_v_int(s->now)), NULL));
	if (!c.acknowledged)
		TRY(acknowledge(tx, q->request));
	return record(tx, q->request, c.user, "entered", NULL);
}

enum err request_code_check(struct scope *s, struct id request, const char *text, bool *ret_right)
{
	struct code q = {.request = request, .text = text};
	TRY(db_write(s, check_tx, &q));
	*ret_right = q.right;
	if (!q.verifies)
		return OK;
	enum err e = request_verify(s, request, "contactCode");
	return e == ERR_CONFLICT || e == ERR_STATE ? OK : e; /* an officer was faster */
}

/* ---- the pass ---- */

static void pass_reference(struct scope *s, struct id request, int64_t until, uint8_t out[SHA256_BYTES])
{
	uint8_t text[sizeof request.b + sizeof until];
	memcpy(text, request.b, sizeof request.b);
	memcpy(text + sizeof request.b, &until, sizeof until);
	keeper_reference(s->keeper, "request-pass", text, sizeof text, out);
}

char *request_pass(struct scope *s, struct id request)
{
	uint8_t reference[SHA256_BYTES];
	int64_t until = s->now + PASS_US;
	pass_reference(s, request, until, reference);
	return arena_printf(s->arena, "%" PRId64 ".%s", until, base64url_encode(s->arena, reference, sizeof reference));
}

bool request_pass_holds(struct scope *s, struct id request, const char *pass)
{
	uint8_t reference[SHA256_BYTES];
	void *given;
	size_t n;
	char *end;
	int64_t until = strtoll(pass, &end, 10);
	if (*end != '.' || until <= s->now || until > s->now + PASS_US || !base64url_decode(s->arena, end + 1, strlen(end + 1), &given, &n))
		return false;
	pass_reference(s, request, until, reference);
	return n == sizeof reference && bytes_equal(given, reference, n);
}
