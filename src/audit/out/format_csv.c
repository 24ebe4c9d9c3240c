/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV: one row for each modified property, so that a filter on a property's name finds its change; an event that modified nothing has one
 * row.  What is the event's stands in each of its rows.  docs/formats/audit-files.md has the columns and how to undo the apostrophe.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit_internal.h"
#include "audit/out/format_internal.h"
#include "codec/csv.h"

static const char *const COLUMNS[] = {
	"Index", "ID", "Date", "Category", "Component", "Activity type", "Operation", "Activity", "Result", "Failure reason",
	"Initiated by (actor)", "Actor type", "Actor ID", "Application", "Application ID", "IP address", "Permissions", "Correlation ID",
	"Subject ID", "Target(s)", "Target", "Target type", "Target ID", "Property", "Old value", "New value", "Expires",
};

void csv_head(struct buf *out)
{
	struct csv_writer w;
	csv_init(&w, out);
	for (size_t i = 0; i < sizeof COLUMNS / sizeof COLUMNS[0]; i++)
		csv_field(&w, COLUMNS[i], strlen(COLUMNS[i]));
	csv_end_row(&w);
}

static void text_field(struct csv_writer *w, const char *text)
{
	csv_field(w, text, text == NULL ? 0 : strlen(text));
}

static void fields(struct csv_writer *w, const json_t *object, const char *const *names)
{
	for (; *names != NULL; names++)
		text_field(w, stored_text(object, *names));
}

static void permissions(struct csv_writer *w, const json_t *actor)
{
	size_t i;
	json_t *one;
	auto_buf list;
	buf_init(&list, AUDIT_EVENT_BYTES_MAX);
	json_array_foreach(json_object_get(actor, "userPermissions"), i, one) {
		if (i > 0)
			buf_addc(&list, ' ');
		buf_adds(&list, json_string_value(one) == NULL ? "" : json_string_value(one));
	}
	csv_field(w, list.data, list.len);
}

/* "Anna's laptop (ManagedDevice 0193…); …": all of an event's targets in one field. */
static void targets(struct csv_writer *w, const json_t *resources)
{
	size_t i;
	json_t *r;
	auto_buf list;
	buf_init(&list, AUDIT_EVENT_BYTES_MAX);
	json_array_foreach(resources, i, r) {
		const char *name = stored_text(r, "displayName"), *type = stored_text(r, "auditResourceType"), *id = stored_text(r, "resourceId");
		buf_printf(&list, "%s%s%s(%s%s%s)", i > 0 ? "; " : "", name == NULL ? "" : name, name == NULL ? "" : " ", type == NULL ? "" : type,
			   id == NULL ? "" : " ", id == NULL ? "" : id);
	}
	csv_field(w, list.data, list.len);
}

static void row(const struct stored_event *e, const json_t *resource, const json_t *change, struct buf *out)
{
	static const char *const first[] = {"id", "activityDateTime", "category", "componentName", "activityType", "activityOperationType",
					    "displayName", "activityResult", NULL};
	static const char *const program[] = {"applicationDisplayName", "applicationId", "ipAddress", NULL};
	static const char *const target[] = {"displayName", "auditResourceType", "resourceId", NULL};
	static const char *const values[] = {"displayName", "oldValue", "newValue", NULL};
	char index[24];
	struct csv_writer w;
	snprintf(index, sizeof index, "%" PRIu64, e->index);
	csv_init(&w, out);
	text_field(&w, index);
	fields(&w, e->event, first);
	text_field(&w, stored_text(e->whole, "failure"));
	text_field(&w, stored_who(e));
	text_field(&w, stored_text(e->actor, "auditActorType"));
	text_field(&w, stored_text(e->actor, "userId"));
	fields(&w, e->actor, program);
	permissions(&w, e->actor);
	text_field(&w, stored_text(e->event, "correlationId"));
	text_field(&w, stored_text(e->whole, "subjectId"));
	targets(&w, e->resources);
	fields(&w, resource, target);
	fields(&w, change, values);
	text_field(&w, stored_text(e->whole, "expiresDateTime"));
	csv_end_row(&w);
}

void csv_event(const struct stored_event *e, struct buf *out)
{
	size_t i, k;
	json_t *resource, *change;
	json_array_foreach(e->resources, i, resource) {
		const json_t *changes = json_object_get(resource, "modifiedProperties");
		json_array_foreach(changes, k, change)
			row(e, resource, change, out);
		if (json_array_size(changes) == 0)
			row(e, resource, NULL, out);
	}
	if (json_array_size(e->resources) == 0)
		row(e, NULL, NULL, out);
}
