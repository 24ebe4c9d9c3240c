/* SPDX-License-Identifier: Apache-2.0
 * Out of the outbox: one letter at a time, at least once.  A letter that is sent twice after a crash has the same Message-ID. */
#include <jansson.h>
#include <string.h>

#include "audit/audit.h"
#include "codec/json.h"
#include "codec/mail.h"
#include "crypto/digest.h"
#include "keeper/keeper.h"
#include "privacy/request/letter.h"
#include "privacy/request/code.h"

enum { VALUES_MAX = 16, MESSAGE_MAX = 256 * 1024 };
#define PAUSE_MAX_US (6 * HOUR_US)
#define NO_SERVER "there is no mail server (setting smtp_url)"

#define COLUMNS "tenant_id, letter_id, request_id, user_id, template, message, attempts"
DB_GLOBAL(letter_due,
	  "SELECT " COLUMNS " FROM letters WHERE state = 'waiting' AND next_attempt_at <= ?1 ORDER BY next_attempt_at LIMIT 1");
/* Those that waited long enough to be of no use any more, a code sooner. */
DB_GLOBAL(letter_late,
	  "SELECT " COLUMNS " FROM letters WHERE state = 'waiting' AND created_at <= ?1 AND (created_at <= ?2 OR template = 'code') "
	  "ORDER BY created_at LIMIT 1");
DB_GLOBAL(letters_cannot_go, "SELECT 1 FROM letters WHERE state = 'waiting' AND next_attempt_at <= ?1 AND last_error IS NULL LIMIT 1");
DB_GLOBAL(letters_say_why, "UPDATE letters SET last_error = ?2 WHERE state = 'waiting' AND next_attempt_at <= ?1 AND last_error IS NULL");
DB_GLOBAL(letters_tried, "SELECT count(*) FROM letters WHERE state = 'waiting' AND last_error IS NOT NULL");
DB_GLOBAL(letters_lost, "SELECT count(*) FROM letters WHERE state = 'failed' AND template <> 'code'");
DB_TENANT(letter_sent,
	  "UPDATE letters SET state = 'sent', message = NULL, message_sha256 = ?3, attempts = attempts + 1, last_error = NULL, "
	  "next_attempt_at = NULL, sent_at = ?4, expires_at = ?5 WHERE tenant_id = ?1 AND letter_id = ?2 AND state = 'waiting'");
DB_TENANT(letter_acknowledges,
	  "UPDATE data_subject_requests SET acknowledged_at = ?3 WHERE tenant_id = ?1 AND request_id = ?2 AND acknowledged_at IS NULL");
DB_TENANT(letter_failed,
	  "UPDATE letters SET state = 'failed', message = NULL, attempts = ?3, last_error = ?4, next_attempt_at = NULL, expires_at = ?5 "
	  "WHERE tenant_id = ?1 AND letter_id = ?2 AND state = 'waiting'");
DB_TENANT(letter_later,
	  "UPDATE letters SET attempts = ?3, last_error = ?4, next_attempt_at = ?5 WHERE tenant_id = ?1 AND letter_id = ?2 AND state = 'waiting'");

struct letter_row {
	bool found;
	struct id tenant, letter, request, user;
	const char *template;
	const void *sealed;
	size_t sealed_n;
	int attempts;
	const char *error;
	uint8_t digest[SHA256_BYTES];
};

int64_t letter_pause_us(int attempts)
{
	check(attempts >= 1);
	if (attempts >= LETTER_ATTEMPTS)
		return -1;
	int64_t pause = attempts > 9 ? PAUSE_MAX_US : MINUTE_US << (attempts - 1);
	return pause < PAUSE_MAX_US ? pause : PAUSE_MAX_US;
}

/* ---- which ---- */

static enum err read_row(struct scope *s, struct db_tx *tx, struct db_stmt *stmt, const struct db_value *args, size_t args_n, struct letter_row *l)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, args, args_n, &r));
	*l = (struct letter_row){.found = db_next(r)};
	if (l->found) {
		struct db_value sealed = db_value_dup(r, 5, s->arena);
		*l = (struct letter_row){.found = true, .tenant = db_id(r, 0), .letter = db_id(r, 1), .request = db_id(r, 2), .user = db_id(r, 3),
					 .template = db_text_dup(r, 4, s->arena), .sealed = sealed.p, .sealed_n = sealed.n,
					 .attempts = (int)db_int(r, 6)};
	}
	return db_rows_err(r);
}

static enum err late_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return read_row(s, tx, &letter_late, DB_ARGS(db_v_int(s->now - REQUEST_CODE_US), db_v_int(s->now - LETTER_WAITS_US)), arg);
}

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return read_row(s, tx, &letter_due, DB_ARGS(db_v_int(s->now)), arg);
}

/* ---- what became of it ---- */

static enum err record(struct db_tx *tx, const struct letter_row *l, enum activity activity, const char *failure)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	char request[ID_TEXT], digest[2 * SHA256_BYTES + 1];
	tail = audit_change_add(s->arena, tail, "template", NULL, NULL, NULL, l->template);
	tail = audit_change_add(s->arena, tail, "requestId", NULL, NULL, NULL, id_format(l->request, request));
	if (failure == NULL) {
		hex_encode(l->digest, sizeof l->digest, digest);
		audit_change_add(s->arena, tail, "sha256", NULL, NULL, NULL, digest);
	}
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = "Letter", .resource = l->letter, .subject = l->user,
						      .changes = changes, .failure = failure});
}

static enum err sent_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct letter_row *l = arg;
	int64_t n;
	TRY(db_exec(tx, &letter_sent,
		    DB_ARGS(db_v_id(&l->letter), db_v_blob(l->digest, sizeof l->digest), db_v_int(s->now), db_v_int(s->now + LETTER_KEPT_US)), &n));
	if (n == 0)
		return OK;
	if (strcmp(l->template, letter_name(LETTER_receipt)) == 0)
		TRY(db_exec(tx, &letter_acknowledges, DB_ARGS(db_v_id(&l->request), db_v_int(s->now)), NULL));
	return record(tx, l, ACT_LETTER_SENT, NULL);
}

static enum err failed_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct letter_row *l = arg;
	int64_t n;
	TRY(db_exec(tx, &letter_failed, DB_ARGS(db_v_id(&l->letter), db_v_int(l->attempts), db_v_text(l->error), db_v_int(s->now + LETTER_KEPT_US)), &n));
	return n == 0 ? OK : record(tx, l, ACT_LETTER_FAILED, l->error);
}

static enum err later_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct letter_row *l = arg;
	return db_exec(tx, &letter_later,
		       DB_ARGS(db_v_id(&l->letter), db_v_int(l->attempts), db_v_text(l->error), db_v_int(s->now + letter_pause_us(l->attempts))), NULL);
}

static enum err in_tenant(struct scope *s, db_fn fn, struct letter_row *l)
{
	struct scope t;
	scope_tenant(&t, s->arena, s->db, s->keeper, l->tenant);
	t.now = s->now;
	enum err e = db_write(&t, fn, l);
	return e == OK ? OK : scope_fail(s, e, "%s", scope_detail(&t, e));
}

/* ---- the message ---- */

static size_t read_values(const json_t *values, const char *link, struct letter_value v[VALUES_MAX])
{
	size_t n = 0;
	const char *name;
	json_t *text;
	v[n++] = (struct letter_value){"link", link};
	json_object_foreach((json_t *)(uintptr_t)values, name, text)
		if (n < VALUES_MAX)
			v[n++] = (struct letter_value){name, json_string_value(text)};
	return n;
}

static enum err write_message(struct scope *s, const struct mailer *m, const struct letter_row *l, const json_t *sealed, struct buf *out)
{
	struct letter_value v[VALUES_MAX];
	char request[ID_TEXT];
	const char *link = arena_printf(s->arena, "%s/privacy/requests/%s", m->base_url, id_format(l->request, request));
	size_t n = read_values(json_object_get(sealed, "values"), link, v);
	auto_buf subject, text;
	buf_init(&subject, MESSAGE_MAX);
	buf_init(&text, MESSAGE_MAX);
	letter_expand(json_string_value(json_object_get(sealed, "subject")), v, n, &subject);
	letter_expand(json_string_value(json_object_get(sealed, "body")), v, n, &text);
	buf_addc(&subject, '\0');
	buf_addc(&text, '\0');
	const char *organisation = json_string_value(json_object_get(json_object_get(sealed, "values"), "organisation"));
	mail_write(&(struct mail){.from = m->from, .from_name = organisation, .to = json_string_value(json_object_get(sealed, "to")),
				  .subject = subject.data, .text = text.data, .at = s->now,
				  .message_id = arena_printf(s->arena, "%s%s", json_string_value(json_object_get(sealed, "id")), strchr(m->from, '@'))},
		   out);
	wipe(text.data, text.len);
	return out->failed || subject.failed || text.failed ? scope_fail(s, ERR_LIMIT, "the letter is too long") : OK;
}

static enum err carry(struct scope *s, const struct mailer *m, struct letter_row *l)
{
	size_t n;
	auto_buf out;
	buf_init(&out, MESSAGE_MAX);
	const char *text = keeper_unseal(s->keeper, s->arena, l->sealed, l->sealed_n, &n);
	auto_json *sealed = text == NULL ? NULL : json_loadb(text, n, 0, NULL);
	if (sealed == NULL)
		return scope_fail(s, ERR_CONFIG, "the letter was not sealed by this keeper");
	TRY(write_message(s, m, l, sealed, &out));
	sha256(out.data, out.len, l->digest);
	enum err e = m->send(m, s, json_string_value(json_object_get(sealed, "to")), out.data, out.len);
	wipe(out.data, out.len);
	return e;
}

static enum err send_one(struct scope *s, const struct mailer *m, struct letter_row *l)
{
	enum err e = carry(s, m, l);
	if (e == ERR_BUSY)
		return OK;
	if (e == OK)
		return in_tenant(s, sent_tx, l);
	l->error = arena_strdup(s->arena, scope_detail(s, e));
	s->detail = NULL;
	l->attempts++;
	return in_tenant(s, letter_pause_us(l->attempts) < 0 ? failed_tx : later_tx, l);
}

/* ---- a turn ---- */

static enum err cannot_go_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &letters_cannot_go, DB_ARGS(db_v_int(s->now)), &r));
	*(bool *)arg = db_next(r);
	return db_rows_err(r);
}

static enum err say_why_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec(tx, &letters_say_why, DB_ARGS(db_v_int(s->now), db_v_text(NO_SERVER)), NULL);
}

static enum err say_why(struct scope *s)
{
	bool some;
	TRY(db_read(s, cannot_go_tx, &some));
	return some ? db_write_low(s, say_why_tx, NULL) : OK;
}

enum err letter_send_next(struct scope *s, const struct mailer *m, bool *ret_more)
{
	struct letter_row l;
	TRY(db_read(s, late_tx, &l));
	*ret_more = l.found;
	if (l.found) {
		l.error = m == NULL ? NO_SERVER : "it could not be sent while it was of use";
		return in_tenant(s, failed_tx, &l);
	}
	if (m == NULL)
		return say_why(s);
	TRY(db_read(s, due_tx, &l));
	*ret_more = l.found;
	return l.found ? send_one(s, m, &l) : OK;
}

struct counts {
	uint64_t waiting, failed;
};

static enum err counts_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct counts *c = arg;
	auto_rows struct db_rows *w = NULL, *f = NULL;
	TRY(db_query_one(tx, &letters_tried, DB_NOARGS, &w));
	TRY(db_query_one(tx, &letters_lost, DB_NOARGS, &f));
	*c = (struct counts){(uint64_t)db_int(w, 0), (uint64_t)db_int(f, 0)};
	return OK;
}

enum err letter_counts(struct scope *s, uint64_t *ret_waiting, uint64_t *ret_failed)
{
	struct counts c;
	TRY(db_read(s, counts_tx, &c));
	*ret_waiting = c.waiting;
	*ret_failed = c.failed;
	return OK;
}
