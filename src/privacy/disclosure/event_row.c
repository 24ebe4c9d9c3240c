/* SPDX-License-Identifier: Apache-2.0
 * An audit event as a row: its columns in CSV and HTML.  What of it is told is decided before (disclosure_of_event). */
#include "privacy/disclosure/event_row.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

const char *const event_columns[] = {"activityDateTime",
				     "displayName",
				     "activityType",
				     "activityResult",
				     "category",
				     "actor",
				     "ipAddress",
				     "resource",
				     "changes",
				     "id",
				     NULL};

static const char *first_string(const json_t *object, const char *const *keys)
{
	for (; *keys != NULL; keys++) {
		const char *s = json_string_value(json_object_get(object, *keys));
		if (s != NULL)
			return s;
	}
	return "";
}

static char *changes_text(struct arena *a, const json_t *resource, const char *between)
{
	size_t i;
	json_t *c;
	auto_buf out;
	buf_init(&out, MIB);
	json_array_foreach(json_object_get(resource, "modifiedProperties"), i, c)
	{
		const char *name = json_string_value(json_object_get(c, "displayName"));
		const char *from = json_string_value(json_object_get(c, "oldValue")),
			   *to = json_string_value(json_object_get(c, "newValue"));
		buf_printf(&out, "%s%s: %s -> %s", out.len > 0 ? between : "", name != NULL ? name : "",
			   from != NULL ? from : "(none)", to != NULL ? to : "(none)");
	}
	return out.len > 0 ? arena_strndup(a, out.data, out.len) : arena_strdup(a, "");
}

char *event_column(struct arena *a, const json_t *event, size_t column)
{
	static const char *const who[] = {"userPrincipalName", "applicationDisplayName", "auditActorType", NULL};
	static const char *const what[] = {"displayName", "auditResourceType", NULL};
	const json_t *actor = json_object_get(event, "actor"),
		     *resource = json_array_get(json_object_get(event, "resources"), 0);
	const char *name = event_columns[column];
	if (strcmp(name, "actor") == 0)
		return arena_strdup(a, first_string(actor, who));
	if (strcmp(name, "resource") == 0)
		return arena_strdup(a, first_string(resource, what));
	if (strcmp(name, "changes") == 0)
		return changes_text(a, resource, "; ");
	const char *s = json_string_value(json_object_get(strcmp(name, "ipAddress") == 0 ? actor : event, name));
	return arena_strdup(a, s != NULL ? s : "");
}

/* ---- for people ---- */

const char *const event_shown[] = {"when", "what", "who", "on", "changes", NULL};

static char *who_text(struct arena *a, const json_t *event)
{
	const json_t *actor = json_object_get(event, "actor");
	static const char *const names[] = {"userPrincipalName", "applicationDisplayName", "auditActorType", NULL};
	const char *name = first_string(actor, names), *address = json_string_value(json_object_get(actor, "ipAddress"));
	return address == NULL || *address == '[' ? arena_strdup(a, name) : arena_printf(a, "%s, %s", name, address);
}

static char *what_text(struct arena *a, const json_t *event)
{
	const char *name = json_string_value(json_object_get(event, "displayName"));
	const char *result = json_string_value(json_object_get(event, "activityResult"));
	bool good = result == NULL || strcmp(result, "Success") == 0;
	return arena_printf(a, good ? "%s" : "%s: %s", name == NULL ? "" : name, result);
}

char *event_shown_text(struct arena *a, const json_t *event, size_t column)
{
	const json_t *resource = json_array_get(json_object_get(event, "resources"), 0);
	static const char *const on[] = {"displayName", "auditResourceType", NULL};
	const char *time = json_string_value(json_object_get(event, "activityDateTime"));
	switch (column) {
	case 0: return arena_strdup(a, time == NULL ? "" : time);
	case 1: return what_text(a, event);
	case 2: return who_text(a, event);
	case 3: return arena_strdup(a, first_string(resource, on));
	default: return changes_text(a, resource, "\n");
	}
}
