/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates as they are kept and given out: the signed bytes, and beside them the event of the audit log that holds their hash with the
 * proof of its place, so that both outlive the event's own retention.
 */
#include "privacy/certificate/certificate.h"

#include <string.h>

#include "audit/audit.h"
#include "audit/log/proof.h"
#include "base/clock.h"
#include "base/log.h"

DB_TENANT(certificate_select, "SELECT kind, body, signature, log_event, log_proof FROM certificates WHERE tenant_id = ?1 AND certificate_id = ?2");
DB_GLOBAL(certificates_unproved,
	  "SELECT tenant_id, certificate_id FROM certificates WHERE log_proof IS NULL AND issued_at > ?1 ORDER BY issued_at DESC LIMIT ?2");
DB_TENANT(certificate_event,
	  "SELECT event_id, bytes FROM audit_events WHERE tenant_id = ?1 AND resource_id = ?2 AND activity_type = ?3 ORDER BY at, event_id LIMIT 1");
DB_TENANT(certificate_set_place, "UPDATE certificates SET log_event = ?3, log_proof = ?4 WHERE tenant_id = ?1 AND certificate_id = ?2");

enum { PROVE_AT_ONCE = 50 };
#define PROVE_WITHIN_US (7 * DAY_US) /* what has no proof by then (its log began anew meanwhile) gets none */

void certificate_salt(struct keeper *k, struct id duty, uint8_t ret[CERTIFICATE_SALT_BYTES])
{
	keeper_reference(k, "certificate-salt", duty.b, sizeof duty.b, ret);
}

/* ---- giving out ---- */

static void write_base64(struct json_writer *w, const char *name, const struct db_rows *r, int col)
{
	size_t n;
	const void *p = db_blob(r, col, &n);
	jw_key(w, name);
	if (p == NULL)
		jw_null(w);
	else
		jw_base64(w, p, n);
}

enum err certificate_write(struct db_tx *tx, struct json_writer *w, struct id certificate)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t key[ED25519_KEY_BYTES];
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &certificate_select, DB_ARGS(db_v_id(&certificate)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no certificate has this id");
	TRY(e);
	const char *body = db_text(r, 1);
	keeper_public_key(s->keeper, key);
	jw_kstring(w, "kind", db_text(r, 0));
	jw_key(w, "certificate");
	jw_raw(w, body, strlen(body));
	jw_key(w, "body");
	jw_base64(w, body, strlen(body));
	write_base64(w, "signature", r, 2);
	jw_key(w, "publicKey");
	jw_base64(w, key, sizeof key);
	write_base64(w, "logEvent", r, 3);
	jw_kstring(w, "logProof", db_text(r, 4));
	return OK;
}

/* ---- its place in the log ---- */

struct unproved {
	struct id tenant[PROVE_AT_ONCE], certificate[PROVE_AT_ONCE];
	size_t n;
};

static enum err page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct unproved *u = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &certificates_unproved, DB_ARGS(db_v_int(s->now - PROVE_WITHIN_US), db_v_int(PROVE_AT_ONCE)), &r));
	for (u->n = 0; u->n < PROVE_AT_ONCE && db_next(r); u->n++) {
		u->tenant[u->n] = db_id(r, 0);
		u->certificate[u->n] = db_id(r, 1);
	}
	return db_rows_err(r);
}

struct place {
	struct id certificate, event;
	struct db_value bytes;
	char *proof;
};

static enum err event_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct place *p = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &certificate_event, DB_ARGS(db_v_id(&p->certificate), db_v_text(activity_info(ACT_DUTY_CERTIFICATE)->type)), &r));
	p->event = db_id(r, 0);
	p->bytes = db_value_dup(r, 1, s->arena);
	return OK;
}

static enum err place_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct place *p = arg;
	return db_exec(tx, &certificate_set_place, DB_ARGS(db_v_id(&p->certificate), p->bytes, db_v_text(p->proof)), NULL);
}

/* The proof of a certificate is no change of it: who may read the certificate may read its event, too.  Hence no event. */
static enum err prove(struct scope *system, struct id tenant, struct id certificate)
{
	struct scope s;
	struct place p = {.certificate = certificate};
	scope_tenant(&s, system->arena, system->db, system->keeper, tenant);
	TRY(db_read(&s, event_tx, &p));
	TRY(audit_proof(&s, p.event, &p.proof));
	return db_write_low(&s, place_tx, &p);
}

enum err certificate_prove_due(struct scope *s, bool *ret_more)
{
	struct unproved *u = arena_alloc(s->arena, sizeof *u);
	size_t done = 0;
	*ret_more = false;
	TRY(db_read(s, page_tx, u));
	for (size_t i = 0; i < u->n; i++) {
		char text[ID_TEXT];
		enum err e = prove(s, u->tenant[i], u->certificate[i]);
		done += e == OK;
		if (e != OK && e != ERR_UNAVAILABLE) /* that is only: within a second */
			log_event(LOG_WARN, "certificate_proof", "certificate=%s error=%s", id_format(u->certificate[i], text), err_name(e));
	}
	*ret_more = u->n == PROVE_AT_ONCE && done > 0;
	return OK;
}
