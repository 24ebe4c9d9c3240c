/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing an event.  The stored bytes are one JSON object whose last member, "event", is exactly what Graph's v1.0 auditEvent looks
 * like, so that reading a page copies bytes and builds nothing; what Graph has no place for (schema, tenant, expiry, subject, reason of
 * a failure) stands before it.
 */
#include "audit/audit.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit_internal.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "map/datamap.h"

DB_TENANT(audit_retention_setting, "SELECT value FROM tenant_settings WHERE tenant_id = ?1 AND name = 'auditRetentionDays'");
DB_TENANT(audit_event_insert,
	  "INSERT INTO audit_events (tenant_id, event_id, at, expires_at, category, activity_type, operation, result, component, actor_type, "
	  "actor_id, actor_upn, actor_name, actor_ip, subject_id, resource_type, resource_id, resource_name, correlation_id, salt, bytes) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)");
DB_TENANT(audit_pending_insert, "INSERT INTO audit_pending (tenant_id, event_id, commitment) VALUES (?1, ?2, ?3)");

enum { RETENTION_DAYS_MIN = 365, RETENTION_DAYS_MAX = 730 };

static const struct activity_info ACTIVITIES[] = {
	{"NONE", "Other", "", "Get", "", ""},
#define ACTIVITY(name, category, type, operation, component, display) {#name, category, type, operation, component, display},
#include "audit/activities.def"
#undef ACTIVITY
};

const struct activity_info *activity_info(enum activity a)
{
	check((unsigned)a < ACT_COUNT);
	return &ACTIVITIES[a];
}

struct audit_change **audit_change_add(struct arena *a, struct audit_change **tail, const char *name, const char *table, const char *column,
				       const char *old_value, const char *new_value)
{
	struct audit_change *c = arena_alloc(a, sizeof *c);
	*c = (struct audit_change){.name = arena_strdup(a, name), .table = table, .column = column,
				   .old_value = arena_strdup(a, old_value), .new_value = arena_strdup(a, new_value)};
	*tail = c;
	return &c->next;
}

static const char *actor_type_name(enum actor_type t)
{
	switch (t) {
	case ACTOR_SYSTEM: return "System";
	case ACTOR_APPLICATION: return "Application";
	case ACTOR_USER: return "IW";
	case ACTOR_DEVICE: return "Device";
	case ACTOR_OPERATOR: return "Partner";
	case ACTOR_ANONYMOUS: break;
	}
	return "Unknown";
}

static void write_permissions(struct json_writer *w, const char *list)
{
	jw_key(w, "userPermissions");
	jw_array(w);
	for (const char *p = list; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, " ");
		if (n > 0)
			jw_stringn(w, p, n);
		p += n + (p[n] == ' ');
	}
	jw_end_array(w);
}

/* A person is named by the UPN alone, as in Graph. */
static const char *actor_name(const struct actor *a)
{
	return a->type == ACTOR_USER ? NULL : a->name;
}

static void write_actor(struct json_writer *w, const struct actor *a)
{
	bool person = a->type == ACTOR_USER;
	bool program = a->type == ACTOR_APPLICATION || a->type == ACTOR_OPERATOR;
	static const struct id nil;
	jw_key(w, "actor");
	jw_object(w);
	jw_kstring(w, "auditActorType", actor_type_name(a->type));
	write_permissions(w, a->permissions);
	jw_kid(w, "applicationId", program ? a->id : nil);
	jw_kstring(w, "applicationDisplayName", actor_name(a));
	jw_kstring(w, "userPrincipalName", a->upn);
	jw_kstring(w, "servicePrincipalName", program ? a->name : NULL);
	jw_kstring(w, "ipAddress", a->ip);
	jw_kid(w, "userId", person ? a->id : nil);
	jw_end_object(w);
}

static void write_change(struct json_writer *w, const struct audit_change *c)
{
	enum map_audit may = MAP_AUDIT_VALUE;
	if (c->table != NULL) {
		const struct map_column *m = map_column(c->table, c->column);
		may = m == NULL ? MAP_AUDIT_CHANGED : m->audit; /* what the map does not know is not carried */
	}
	if (may == MAP_AUDIT_NEVER)
		return;
	bool hide = may == MAP_AUDIT_CHANGED;
	jw_object(w);
	jw_kstring(w, "displayName", c->name);
	jw_kstring(w, "oldValue", hide && c->old_value != NULL ? "[changed]" : c->old_value);
	jw_kstring(w, "newValue", hide && c->new_value != NULL ? "[changed]" : c->new_value);
	jw_end_object(w);
}

static void write_resources(struct json_writer *w, const struct audit_event *e)
{
	jw_key(w, "resources");
	jw_array(w);
	jw_object(w);
	jw_kstring(w, "displayName", e->resource_name);
	jw_kstring(w, "auditResourceType", e->resource_type);
	jw_kid(w, "resourceId", e->resource);
	jw_key(w, "modifiedProperties");
	jw_array(w);
	for (const struct audit_change *c = e->changes; c != NULL; c = c->next)
		write_change(w, c);
	jw_end_array(w);
	jw_end_object(w);
	jw_end_array(w);
}

/* The member names and their order are the format (docs/formats/audit-event.md). */
static void write_event(struct json_writer *w, const struct scope *s, const struct audit_row *row)
{
	const struct audit_event *e = row->e;
	const struct activity_info *a = activity_info(e->activity);
	jw_object(w);
	jw_kint(w, "schema", 1);
	jw_kid(w, "tenantId", s->tenant);
	jw_ktime(w, "expiresDateTime", row->expires);
	jw_kid(w, "subjectId", e->subject);
	jw_kstring(w, "failure", e->failure);
	jw_key(w, AUDIT_EVENT_MEMBER);
	jw_object(w);
	jw_kid(w, "id", row->event);
	jw_kstring(w, "displayName", a->display);
	jw_kstring(w, "componentName", a->component);
	jw_kstring(w, "activity", NULL);
	jw_ktime(w, "activityDateTime", s->now);
	jw_kstring(w, "activityType", a->type);
	jw_kstring(w, "activityOperationType", a->operation);
	jw_kstring(w, "activityResult", e->failure == NULL ? "Success" : "Failure");
	jw_kid(w, "correlationId", s->correlation);
	jw_kstring(w, "category", a->category);
	write_actor(w, &s->actor);
	write_resources(w, e);
	jw_end_object(w);
	jw_end_object(w);
}

enum err audit_retention_us(struct db_tx *tx, int64_t *ret)
{
	int64_t days = RETENTION_DAYS_MIN;
	auto_rows struct db_rows *r = NULL;
	if (db_tx_scope(tx)->has_tenant) {
		TRY(db_query(tx, &audit_retention_setting, DB_NOARGS, &r));
		if (db_next(r))
			days = atoll(db_text(r, 0));
		TRY(db_rows_err(r));
	}
	if (days < RETENTION_DAYS_MIN)
		days = RETENTION_DAYS_MIN;
	*ret = (days > RETENTION_DAYS_MAX ? RETENTION_DAYS_MAX : days) * DAY_US;
	return OK;
}

static char *lower(struct arena *a, const char *s)
{
	char *p = arena_strdup(a, s);
	for (char *c = p; c != NULL && *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return p;
}

static const struct id *or_null(const struct id *id)
{
	return id_is_nil(*id) ? NULL : id;
}

enum err audit_row_make(struct db_tx *tx, const struct audit_event *e, struct audit_row *ret)
{
	struct scope *s = db_tx_scope(tx);
	int64_t keep;
	TRY(audit_retention_us(tx, &keep));
	*ret = (struct audit_row){.e = e, .event = scope_id(s), .expires = s->now + keep};
	buf_init(&ret->bytes, AUDIT_EVENT_BYTES_MAX);
	struct json_writer w;
	jw_init(&w, &ret->bytes);
	write_event(&w, s, ret);
	return ret->bytes.failed ? scope_fail(s, ERR_LIMIT, "the change is too large to be recorded in the audit log") : OK;
}

enum err audit_row_insert(struct db_tx *tx, const struct audit_row *row, const uint8_t salt[AUDIT_SALT_BYTES])
{
	struct scope *s = db_tx_scope(tx);
	const struct audit_event *e = row->e;
	const struct activity_info *a = activity_info(e->activity);
	return db_exec(tx, &audit_event_insert,
		       DB_ARGS(db_v_id(&row->event), db_v_int(s->now), db_v_int(row->expires), db_v_text(a->category), db_v_text(a->type),
			       db_v_text(a->operation), db_v_text(e->failure == NULL ? "Success" : "Failure"), db_v_text(a->component),
			       db_v_text(actor_type_name(s->actor.type)), db_v_id(or_null(&s->actor.id)),
			       db_v_text(lower(s->arena, s->actor.upn)), db_v_text(actor_name(&s->actor)), db_v_text(s->actor.ip),
			       db_v_id(or_null(&e->subject)), db_v_text(e->resource_type), db_v_id(or_null(&e->resource)),
			       db_v_text(e->resource_name), db_v_id(&s->correlation), db_v_blob(salt, AUDIT_SALT_BYTES),
			       db_v_blob(row->bytes.data, row->bytes.len)),
		       NULL);
}

/* Salt and commitment: what puts the event into the log. */
static enum err commit_row(struct db_tx *tx, const struct audit_row *row)
{
	uint8_t salt[AUDIT_SALT_BYTES], commitment[AUDIT_COMMITMENT_BYTES];
	random_bytes(salt, sizeof salt);
	audit_commitment(row->bytes.data, row->bytes.len, salt, commitment);
	TRY(audit_row_insert(tx, row, salt));
	return db_exec(tx, &audit_pending_insert, DB_ARGS(db_v_id(&row->event), db_v_blob(commitment, sizeof commitment)), NULL);
}

/* What the scope has to take with its change, which is the one that is recorded here. */
static enum err take_claim(struct db_tx *tx, const struct audit_event *e)
{
	struct scope *s = db_tx_scope(tx);
	const struct scope_claim *claim = s->claim;
	if (claim == NULL || e->failure != NULL || !id_equal(claim->tenant, s->tenant))
		return OK;
	s->claim = NULL; /* its own event is no change */
	enum err err = claim->take(tx, claim);
	s->claim = claim;
	return err;
}

enum err audit_record_as(struct db_tx *tx, const struct audit_event *e, struct id *ret_event)
{
	struct audit_row row = {.e = e};
	check(e->activity != ACT_NONE && db_writing(tx));
	TRY(take_claim(tx, e));
	enum err err = audit_row_make(tx, e, &row);
	if (err == OK)
		err = commit_row(tx, &row);
	*ret_event = row.event;
	buf_release(&row.bytes);
	return err;
}

enum err audit_record(struct db_tx *tx, const struct audit_event *e)
{
	struct id event;
	return audit_record_as(tx, e, &event);
}

static enum err record_closure(struct scope *s, struct db_tx *tx, void *arg)
{
	return audit_record(tx, arg);
}

void audit_refused(struct scope *s, const struct audit_event *e)
{
	struct audit_event copy = *e;
	const struct scope_claim *claim = s->claim;
	s->claim = NULL; /* nothing was changed by it */
	enum err err = db_write(s, record_closure, &copy);
	s->claim = claim;
	if (err != OK)
		log_event(LOG_ERROR, "audit_refusal_lost", "activity=%s error=%s", activity_info(e->activity)->name, err_name(err));
}
