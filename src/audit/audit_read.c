/* SPDX-License-Identifier: Apache-2.0
 * From stored bytes to Graph's shape. */
#include "audit/audit_read.h"

#include <string.h>

#include "audit/audit.h"
#include "audit/audit_internal.h"
#include "base/clock.h"

DB_TENANT(audit_bytes_by_id, "SELECT bytes FROM audit_events WHERE tenant_id = ?1 AND event_id = ?2");
DB_TENANT(audit_read_today,
	  "SELECT 1 FROM audit_events WHERE tenant_id = ?1 AND actor_id = ?2 AND at >= ?3 AND activity_type = ?4 LIMIT 1");

const char *audit_event_member(const char *bytes, size_t n, size_t *ret_n)
{
	static const char mark[] = ",\"" AUDIT_EVENT_MEMBER "\":";
	const char *at = memmem(bytes, n, mark, sizeof mark - 1);
	check(at != NULL && n > 0 && bytes[n - 1] == '}');
	at += sizeof mark - 1;
	*ret_n = (size_t)(bytes + n - 1 - at);
	return at;
}

enum err audit_event_bytes(struct db_tx *tx, struct id event, char **ret, size_t *ret_n)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &audit_bytes_by_id, DB_ARGS(db_v_id(&event)), &r);
	if (err == ERR_NOT_FOUND)
		return scope_fail(s, err, "no audit event has this id");
	if (err != OK)
		return err;
	const void *p = db_blob(r, 0, ret_n);
	*ret = arena_strndup(s->arena, p, *ret_n);
	return OK;
}

static bool selected(const char *const *select, const char *name)
{
	if (select == NULL)
		return true;
	for (; *select != NULL; select++)
		if (strcmp(*select, name) == 0)
			return true;
	return false;
}

/* beta: auditActorType and auditResourceType are called type */
static void rename_types(json_t *event)
{
	json_t *actor = json_object_get(event, "actor"), *type = json_object_get(actor, "auditActorType");
	if (type != NULL) {
		json_object_set(actor, "type", type);
		json_object_del(actor, "auditActorType");
	}
	size_t i;
	json_t *resource;
	json_array_foreach(json_object_get(event, "resources"), i, resource) {
		type = json_object_get(resource, "auditResourceType");
		if (type != NULL) {
			json_object_set(resource, "type", type);
			json_object_del(resource, "auditResourceType");
		}
	}
}

static enum err write_parsed(struct scope *s, struct json_writer *w, const char *event, size_t n, bool beta, const char *const *select)
{
	auto_json *j = NULL;
	TRY(json_read(s, event, n, &j));
	if (beta)
		rename_types(j);
	const char *key;
	json_t *value;
	json_object_foreach(j, key, value) {
		if (!selected(select, key))
			continue;
		jw_key(w, key);
		jw_json(w, value);
	}
	return OK;
}

enum err audit_write_event(struct db_tx *tx, struct json_writer *w, struct id event, bool beta, const char *const *select)
{
	struct scope *s = db_tx_scope(tx);
	struct arena_mark mark = arena_mark(s->arena);
	char *bytes;
	size_t n, member_n;
	TRY(audit_event_bytes(tx, event, &bytes, &n));
	const char *member = audit_event_member(bytes, n, &member_n);
	enum err err = OK;
	if (beta || select != NULL)
		err = write_parsed(s, w, member, member_n, beta, select);
	else
		jw_members(w, member, member_n);
	if (err == OK)
		arena_rewind(s->arena, mark);
	return err;
}

/* Whether this credential's reading was recorded today already. */
static enum err read_today(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t midnight = s->now - s->now % DAY_US;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_read_today,
		     DB_ARGS(db_v_id(&s->actor.id), db_v_int(midnight), db_v_text(activity_info(ACT_AUDIT_READ)->type)), &r));
	*(bool *)arg = db_next(r);
	return db_rows_err(r);
}

static enum err record_read(struct scope *s, struct db_tx *tx, void *arg)
{
	bool already = false;
	TRY(read_today(s, tx, &already)); /* again: another request may have been first */
	if (already)
		return OK;
	return audit_record(tx, &(struct audit_event){.activity = ACT_AUDIT_READ, .resource_type = "AuditLog", .resource = s->actor.id});
}

enum err audit_record_read(struct scope *s)
{
	bool already = false;
	TRY(db_read(s, read_today, &already));
	return already ? OK : db_write(s, record_read, NULL);
}
