/* SPDX-License-Identifier: Apache-2.0
 *
 * What is shown is what the log holds: lists and filters read the columns of audit_events and not its bytes, and show each row.  So a row
 * that stands in no log, and a column that says other than the bytes that were committed, are found here.
 */
#include <ctype.h>
#include <string.h>

#include "audit/audit_internal.h"
#include "audit/log/log.h"
#include "base/clock.h"
#include "codec/json.h"
#include "db/db.h"

enum kind { TEXT, LOWER, ID, TIME };

/* Where each column's value stands in the bytes. */
static const struct column {
	const char *name, *parent, *member;
	enum kind kind;
} COLUMNS[] = {
	{"at", "event", "activityDateTime", TIME},
	{"expires_at", NULL, "expiresDateTime", TIME},
	{"category", "event", "category", TEXT},
	{"activity_type", "event", "activityType", TEXT},
	{"operation", "event", "activityOperationType", TEXT},
	{"result", "event", "activityResult", TEXT},
	{"component", "event", "componentName", TEXT},
	{"actor_type", "actor", "auditActorType", TEXT},
	{"actor_upn", "actor", "userPrincipalName", LOWER},
	{"actor_name", "actor", "applicationDisplayName", TEXT},
	{"actor_ip", "actor", "ipAddress", TEXT},
	{"subject_id", NULL, "subjectId", ID},
	{"resource_type", "resource", "auditResourceType", TEXT},
	{"resource_id", "resource", "resourceId", ID},
	{"resource_name", "resource", "displayName", TEXT},
};

enum { COLUMN_COUNT = sizeof COLUMNS / sizeof COLUMNS[0], AT_COLUMNS = 3, PAGE = 200 };

DB_TENANT(audit_rows_page,
	  "SELECT e.event_id, e.bytes, EXISTS (SELECT 1 FROM audit_leaves l WHERE l.tenant_id = ?1 AND l.event_id = e.event_id) OR "
	  "EXISTS (SELECT 1 FROM audit_pending p WHERE p.tenant_id = ?1 AND p.event_id = e.event_id), e.at, e.expires_at, e.category, "
	  "e.activity_type, e.operation, e.result, e.component, e.actor_type, e.actor_upn, e.actor_name, e.actor_ip, e.subject_id, "
	  "e.resource_type, e.resource_id, e.resource_name FROM audit_events e WHERE e.tenant_id = ?1 AND e.event_id > ?2 "
	  "ORDER BY e.event_id LIMIT ?3");

struct page {
	struct id after;
	size_t n;
};

static const json_t *parent_of(const json_t *all, const char *name)
{
	const json_t *event = json_object_get(all, AUDIT_EVENT_MEMBER);
	if (name == NULL)
		return all;
	if (strcmp(name, "event") == 0)
		return event;
	if (strcmp(name, "actor") == 0)
		return json_object_get(event, "actor");
	return json_array_get(json_object_get(event, "resources"), 0);
}

static bool says(const struct db_rows *r, int at, const struct column *c, const char *text)
{
	struct id id = {0};
	int64_t time = 0;
	switch (c->kind) {
	case ID:
		return (text == NULL || id_parse(text, &id)) && id_equal(db_id(r, at), id);
	case TIME:
		return time_parse(text, &time) && db_int(r, at) == time;
	case TEXT:
	case LOWER:
		break;
	}
	const char *column = db_text(r, at);
	if (column == NULL || text == NULL)
		return column == text;
	return c->kind == LOWER ? strcasecmp(column, text) == 0 : strcmp(column, text) == 0;
}

static enum err check_columns(struct scope *s, const struct db_rows *r, const char *event)
{
	size_t n;
	auto_json *all = NULL;
	const void *bytes = db_blob(r, 1, &n);
	enum err e = json_read(s, bytes, n, &all);
	if (e != OK)
		return scope_fail(s, ERR_CONFLICT, "the event %s is no JSON", event);
	for (int i = 0; i < COLUMN_COUNT; i++) {
		const json_t *v = json_object_get(parent_of(all, COLUMNS[i].parent), COLUMNS[i].member);
		if (!says(r, AT_COLUMNS + i, &COLUMNS[i], json_string_value(v)))
			return scope_fail(s, ERR_CONFLICT, "the event %s is shown with another %s than it has", event, COLUMNS[i].name);
	}
	return OK;
}

static enum err check_page(struct scope *s, struct db_tx *tx, void *arg)
{
	struct page *p = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_rows_page, DB_ARGS(db_v_id(&p->after), db_v_int(PAGE)), &r));
	for (p->n = 0; db_next(r); p->n++) {
		char text[ID_TEXT];
		p->after = db_id(r, 0);
		id_format(p->after, text);
		if (!db_bool(r, 2))
			return scope_fail(s, ERR_CONFLICT, "the event %s stands in no log: it was not recorded by the server", text);
		struct arena_mark mark = arena_mark(s->arena);
		TRY(check_columns(s, r, text));
		arena_rewind(s->arena, mark);
	}
	return db_rows_err(r);
}

enum err audit_check_rows(struct scope *s)
{
	struct page p = {.n = PAGE};
	while (p.n == PAGE)
		TRY(db_read(s, check_page, &p));
	return OK;
}
