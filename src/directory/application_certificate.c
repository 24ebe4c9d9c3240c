/* SPDX-License-Identifier: Apache-2.0
 * Certificates of applications: what is registered of them, and its end. */
#include <string.h>

#include "base/clock.h"
#include "directory/access/rule.h"
#include "directory/application_internal.h"
#include "directory/application_key.h"
#include "resource/tables.h"

DB_TENANT(certificate_insert, "INSERT INTO application_certificates (tenant_id, certificate_id, application_id, certificate, sha1, sha256, subject, "
			      "display_name, created_at, starts_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
DB_TENANT(certificate_list, "SELECT certificate_id, certificate, sha1, sha256, subject, display_name, created_at, starts_at, expires_at "
			    "FROM application_certificates WHERE tenant_id = ?1 AND application_id = ?2 ORDER BY created_at, certificate_id LIMIT ?3");
DB_TENANT(certificate_drop, "DELETE FROM application_certificates WHERE tenant_id = ?1 AND certificate_id = ?2 AND application_id = ?3");
DB_TENANT(certificates_drop, "DELETE FROM application_certificates WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(assertions_drop, "DELETE FROM client_assertions WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(certificate_application, "SELECT display_name FROM applications WHERE tenant_id = ?1 AND application_id = ?2");
DB_TENANT(application_by_external, "SELECT application_id FROM applications WHERE tenant_id = ?1 AND external_issuer = ?2 AND external_client_id = ?3 "
				   "AND enabled = 1");

enum { CERTIFICATES_MAX = 16 }; /* of one application: an assertion that names none is tried with each of them */

static enum err application_named(struct db_tx *tx, struct id application, const char **ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &certificate_application, DB_ARGS(db_v_id(&application)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such application");
	TRY(e);
	*ret = db_text_dup(r, 0, s->arena);
	return OK;
}

static enum err record_certificate(struct db_tx *tx, enum activity activity, const char *name, struct id application, struct id certificate)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	bool added = activity == ACT_APPLICATION_CERTIFICATE_ADD;
	struct audit_change *change = NULL;
	id_format(certificate, text);
	audit_change_add(s->arena, &change, "keyCredentials", "application_certificates", "certificate_id", added ? NULL : text, added ? text : NULL);
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_APPLICATION.entity,
						      .resource = application, .resource_name = name, .changes = change});
}

/* ---- add ---- */

static enum err insert(struct db_tx *tx, const struct application_certificate *c)
{
	enum err e = db_exec(tx, &certificate_insert,
			     DB_ARGS(db_v_id(&c->certificate), db_v_id(&c->application), db_v_blob(c->der, c->der_n), db_v_blob(c->sha1, sizeof c->sha1),
				     db_v_blob(c->sha256, sizeof c->sha256), db_v_text(c->subject), db_v_text(c->display_name), db_v_int(c->created_at),
				     db_v_int(c->starts_at), db_v_int(c->expires_at)),
			     NULL);
	return e;
}

static enum err add_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct application_certificate *c = arg, *known;
	const char *name;
	size_t n;
	TRY(application_named(tx, c->application, &name));
	TRY(access_may_become(tx, ACTOR_APPLICATION, c->application)); /* whose key it is can be the application */
	TRY(application_certificates(tx, c->application, &known, &n));
	for (size_t i = 0; i < n; i++)
		if (memcmp(known[i].sha256, c->sha256, sizeof c->sha256) == 0)
			return scope_fail(s, ERR_EXISTS, "the application has this certificate");
	if (n >= CERTIFICATES_MAX)
		return scope_fail(s, ERR_CONFLICT, "the application has %d certificates; remove one first", (int)CERTIFICATES_MAX);
	c->certificate = scope_id(s);
	TRY(insert(tx, c));
	TRY(application_key_given(tx, c->application, c->expires_at));
	return record_certificate(tx, ACT_APPLICATION_CERTIFICATE_ADD, name, c->application, c->certificate);
}

enum err application_add_certificate(struct scope *s, struct id application, const char *display_name, const struct jose_certificate *c,
				     int64_t expires_at, struct application_certificate *ret)
{
	if (c->not_after_us <= s->now)
		return scope_fail(s, ERR_BAD_REQUEST, "the certificate has expired");
	if (expires_at == 0)
		expires_at = c->not_after_us;
	if (expires_at <= s->now || expires_at > c->not_after_us)
		return scope_fail(s, ERR_BAD_REQUEST, "endDateTime must be in the future and not behind the certificate's own end");
	*ret = (struct application_certificate){.application = application, .display_name = display_name, .subject = c->subject,
						.created_at = s->now, .starts_at = c->not_before_us, .expires_at = expires_at,
						.der = c->der, .der_n = c->der_n};
	memcpy(ret->sha1, c->sha1, sizeof ret->sha1);
	memcpy(ret->sha256, c->sha256, sizeof ret->sha256);
	return db_write(s, add_tx, ret);
}

/* ---- remove ---- */

struct removal {
	struct id application, certificate;
};

static enum err remove_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct removal *a = arg;
	const char *name;
	int64_t gone;
	TRY(application_named(tx, a->application, &name));
	TRY(db_exec(tx, &certificate_drop, DB_ARGS(db_v_id(&a->certificate), db_v_id(&a->application)), &gone));
	if (gone == 0)
		return scope_fail(s, ERR_NOT_FOUND, "the application has no such certificate");
	return record_certificate(tx, ACT_APPLICATION_CERTIFICATE_REMOVE, name, a->application, a->certificate);
}

enum err application_remove_certificate(struct scope *s, struct id application, struct id certificate)
{
	return db_write(s, remove_tx, &(struct removal){application, certificate});
}

enum err application_certificates_drop(struct db_tx *tx, struct id application)
{
	TRY(db_exec(tx, &assertions_drop, DB_ARGS(db_v_id(&application)), NULL));
	return db_exec(tx, &certificates_drop, DB_ARGS(db_v_id(&application)), NULL);
}

/* ---- reading ---- */

static bool bytes_of(const struct db_rows *r, int col, void *out, size_t n)
{
	size_t found = 0;
	const void *p = db_blob(r, col, &found);
	if (found == n)
		memcpy(out, p, n);
	return found == n;
}

static void read_row(const struct db_rows *r, struct arena *a, struct application_certificate *ret)
{
	const void *der = db_blob(r, 1, &ret->der_n);
	check(bytes_of(r, 2, ret->sha1, sizeof ret->sha1) && bytes_of(r, 3, ret->sha256, sizeof ret->sha256));
	ret->certificate = db_id(r, 0);
	ret->der = arena_memdup(a, der, ret->der_n);
	ret->subject = db_text_dup(r, 4, a);
	ret->display_name = db_text_dup(r, 5, a);
	ret->created_at = db_int(r, 6);
	ret->starts_at = db_int(r, 7);
	ret->expires_at = db_int(r, 8);
}

enum err application_certificates(struct db_tx *tx, struct id application, struct application_certificate **ret, size_t *ret_n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	*ret = arena_alloc(a, CERTIFICATES_MAX * sizeof **ret);
	*ret_n = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &certificate_list, DB_ARGS(db_v_id(&application), db_v_int(CERTIFICATES_MAX)), &r));
	while (*ret_n < CERTIFICATES_MAX && db_next(r)) {
		read_row(r, a, &(*ret)[*ret_n]);
		(*ret)[(*ret_n)++].application = application;
	}
	return db_rows_err(r);
}

enum err application_external(struct db_tx *tx, const char *issuer, const char *client, struct id *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &application_by_external, DB_ARGS(db_v_text(issuer), db_v_text(client)), &r));
	*ret = db_id(r, 0);
	return OK;
}
