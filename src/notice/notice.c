/* SPDX-License-Identifier: Apache-2.0
 * Into the outbox, in the transaction of what is told about: one sealed message for each recipient. */
#include "notice/notice.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/buf.h"
#include "base/clock.h"
#include "codec/json.h"
#include "codec/mail.h"
#include "keeper/keeper.h"
#include "notice/outbox.h"

/* A tenant has few of both: their rows are read by the key's first column. */
DB_TENANT(notice_recipients, "SELECT recipient_id, kind, display_name, receives_erasures, receives_alarms FROM recipients "
			     "WHERE tenant_id = ?1 AND enabled = 1 ORDER BY recipient_id");
DB_TENANT(notice_sinks, "SELECT sink_id, 'auditSink', display_name FROM audit_sinks WHERE tenant_id = ?1 AND enabled = 1 ORDER BY sink_id");
DB_TENANT(notice_organisation, "SELECT display_name FROM tenants WHERE tenant_id = ?1");
DB_TENANT(notice_user, "SELECT upn, mail FROM users WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(notice_trigger, "SELECT trigger_name FROM duties WHERE tenant_id = ?1 AND duty_id = ?2");
DB_TENANT(notice_told, "SELECT 1 FROM notices WHERE tenant_id = ?1 AND about_id = ?2 AND kind = 'erasure' LIMIT 1");
DB_TENANT(notice_insert,
	  "INSERT INTO notices (tenant_id, notice_id, kind, recipient_id, recipient_kind, recipient_name, what, about_id, user_id, event_id, message, "
	  "state, attempts, created_at, next_attempt_at, expires_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'waiting', 0, ?12, ?13, ?14)");
DB_TENANT(notices_of_duty,
	  "SELECT n.recipient_id, n.recipient_name, n.recipient_kind, n.state, n.ended_at FROM notices n "
	  "WHERE n.tenant_id = ?1 AND n.about_id = ?2 AND n.kind = 'erasure' ORDER BY n.notice_id");

enum { TOLD_MAX = 64 };
#define LOG_TAKES_US (2 * SECOND_US) /* until a sink that is well has an event: looking sooner finds nothing */

struct told {
	struct id recipient;
	const char *kind, *name;
};

/* What a notice is; everything but the recipient. */
struct thing {
	const char *kind, *what;
	struct id about, person, event;
	json_t *message; /* NULL: none is sent */
};

/* ---- the row ---- */

static enum err insert(struct db_tx *tx, const struct thing *t, const struct told *to)
{
	struct scope *s = db_tx_scope(tx);
	struct id id = scope_id(s);
	size_t n;
	bool by_log = strcmp(to->kind, NOTICE_BY_LOG) == 0;
	struct db_value sealed = db_v_null();
	if (t->message != NULL) {
		char *text = json_dumps(t->message, JSON_COMPACT);
		check(text != NULL);
		const void *p = keeper_seal(s->keeper, s->arena, text, strlen(text), &n);
		sealed = db_v_blob(p, n);
		wipe(text, strlen(text));
		free(text);
	}
	return db_exec(tx, &notice_insert,
		       DB_ARGS(db_v_id(&id), db_v_text(t->kind), id_is_nil(to->recipient) ? db_v_null() : db_v_id(&to->recipient),
			       db_v_text(to->kind), db_v_text(to->name), db_v_text(t->what), id_is_nil(t->about) ? db_v_null() : db_v_id(&t->about),
			       id_is_nil(t->person) ? db_v_null() : db_v_id(&t->person), id_is_nil(t->event) ? db_v_null() : db_v_id(&t->event),
			       sealed, db_v_int(s->now), db_v_int(s->now + (by_log ? LOG_TAKES_US : 0)), db_v_int(s->now + NOTICE_KEPT_US)),
		       NULL);
}

/* What is the same in every message.  organisation: the tenant's name; the installation has none. */
static enum err message_new(struct db_tx *tx, const char *text, json_t **ret)
{
	struct scope *s = db_tx_scope(tx);
	char at[TIME_TEXT];
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &notice_organisation, DB_NOARGS, &r));
	bool named = db_next(r) && !id_is_nil(s->tenant);
	TRY(db_rows_err(r));
	*ret = json_pack("{s:s, s:s*, s:s}", "at", time_format(s->now, at), "organisation", named ? db_text(r, 0) : NULL, "text", text);
	check(*ret != NULL);
	return OK;
}

static void message_id(json_t *m, const char *name, struct id id)
{
	char text[ID_TEXT];
	if (!id_is_nil(id))
		json_object_set_new(m, name, json_string(id_format(id, text)));
}

static enum err recipients(struct db_tx *tx, struct db_stmt *stmt, int column, struct told *list, size_t *n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, stmt, DB_NOARGS, &r));
	while (*n < TOLD_MAX && db_next(r))
		if (column == 0 || db_bool(r, column))
			list[(*n)++] = (struct told){db_id(r, 0), db_text_dup(r, 1, a), db_text_dup(r, 2, a)};
	return db_rows_err(r);
}

/* ---- alarms ---- */

enum err notice_alarm(struct db_tx *tx, const char *what, struct id about, const char *text)
{
	struct told list[TOLD_MAX];
	size_t n = 0;
	TRY(recipients(tx, &notice_recipients, 4, list, &n));
	if (n == 0)
		return OK;
	auto_json *message = NULL;
	TRY(message_new(tx, text, &message));
	json_object_set_new(message, "alarm", json_string(what));
	message_id(message, "aboutId", about);
	for (size_t i = 0; i < n; i++)
		TRY(insert(tx, &(struct thing){.kind = "alarm", .what = what, .about = about, .message = message}, &list[i]));
	return OK;
}

/* ---- erasures ---- */

struct person {
	const char *upn, *mail;
};

static enum err person_load(struct db_tx *tx, struct id user, struct person *ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &notice_user, DB_ARGS(db_v_id(&user)), &r));
	*ret = (struct person){db_text_dup(r, 0, a), db_text_dup(r, 1, a)};
	return OK;
}

static enum err was_told(struct db_tx *tx, struct id duty, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &notice_told, DB_ARGS(db_v_id(&duty)), &r));
	*ret = db_next(r);
	return db_rows_err(r);
}

/* The event by which the audit sinks are told; it says who else is. */
static enum err record_told(struct db_tx *tx, struct thing *t, const struct told *list, size_t n)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	for (size_t i = 0; i < n; i++)
		tail = audit_change_add(s->arena, tail, "recipient", NULL, NULL, NULL, arena_printf(s->arena, "%s (%s)", list[i].name, list[i].kind));
	return audit_record_as(tx, &(struct audit_event){.activity = ACT_NOTICE_ERASURE, .resource_type = "ErasureDuty", .resource = t->about,
							 .subject = t->person, .changes = changes}, &t->event);
}

static enum err erasure_message(struct db_tx *tx, const struct thing *t, int64_t requested_at, json_t **ret)
{
	char deadline[TIME_TEXT];
	struct person p;
	TRY(person_load(tx, t->person, &p));
	TRY(message_new(tx, "The organisation erases this person's data. Whoever received it erases it, too (GDPR Art. 17 and 19).", ret));
	message_id(*ret, "dutyId", t->about);
	message_id(*ret, "userId", t->person);
	json_object_set_new(*ret, "userPrincipalName", json_string(p.upn));
	json_object_set_new(*ret, "deadlineDateTime", json_string(time_format(requested_at + NOTICE_ERASURE_DEADLINE_US, deadline)));
	return OK;
}

static enum err trigger(struct db_tx *tx, struct id duty, const char **ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &notice_trigger, DB_ARGS(db_v_id(&duty)), &r));
	*ret = db_text_dup(r, 0, db_tx_scope(tx)->arena);
	return OK;
}

enum err notice_erasure(struct db_tx *tx, struct id duty, struct id person, int64_t requested_at)
{
	struct told list[TOLD_MAX];
	size_t n = 0;
	bool told;
	struct thing t = {.kind = "erasure", .about = duty, .person = person};
	TRY(was_told(tx, duty, &told));
	TRY(recipients(tx, &notice_recipients, 3, list, &n));
	TRY(recipients(tx, &notice_sinks, 0, list, &n));
	if (told || n == 0)
		return OK;
	auto_json *message = NULL;
	TRY(trigger(tx, duty, &t.what));
	TRY(erasure_message(tx, &t, requested_at, &message));
	TRY(record_told(tx, &t, list, n));
	struct thing by_log = t;
	t.message = message;
	t.event = (struct id){{0}};
	for (size_t i = 0; i < n; i++)
		TRY(insert(tx, strcmp(list[i].kind, NOTICE_BY_LOG) == 0 ? &by_log : &t, &list[i]));
	return OK;
}

/* ---- a person ---- */

enum err notice_person(struct db_tx *tx, struct id user, const char *subject, const char *text)
{
	struct person p;
	enum err e = person_load(tx, user, &p);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	const char *to = p.mail != NULL && mail_address_ok(p.mail) ? p.mail : p.upn;
	if (!mail_address_ok(to))
		return OK;
	auto_json *message = NULL;
	TRY(message_new(tx, text, &message));
	json_object_set_new(message, "to", json_string(to));
	json_object_set_new(message, "subject", json_string(subject));
	return insert(tx, &(struct thing){.kind = "person", .what = "letter", .person = user, .message = message}, &(struct told){.kind = "mail"});
}

/* ---- the certificate ---- */

enum err notice_of_duty(struct db_tx *tx, struct id duty, struct notice_state **ret, size_t *ret_n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	struct notice_state *list = arena_alloc(a, TOLD_MAX * sizeof *list);
	size_t n = 0;
	TRY(db_query(tx, &notices_of_duty, DB_ARGS(db_v_id(&duty)), &r));
	for (; n < TOLD_MAX && db_next(r); n++)
		list[n] = (struct notice_state){.recipient = db_id(r, 0), .name = db_text_dup(r, 1, a), .kind = db_text_dup(r, 2, a),
						.state = db_text_dup(r, 3, a), .delivered_at = strcmp(db_text(r, 3), "delivered") == 0 ? db_int(r, 4) : 0};
	*ret = list;
	*ret_n = n;
	return db_rows_err(r);
}
