/* SPDX-License-Identifier: Apache-2.0
 * An audit event as a row: its columns in CSV and HTML.  What of it is told is decided before (disclosure_of_event). */
#include <string.h>

#include "base/limits.h"
#include "privacy/export_internal.h"

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

static char *changes_text(struct arena *a, const json_t *resource)
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
		buf_printf(&out, "%s%s: %s -> %s", out.len > 0 ? "; " : "", name != NULL ? name : "",
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
		return changes_text(a, resource);
	const char *s = json_string_value(json_object_get(strcmp(name, "ipAddress") == 0 ? actor : event, name));
	return arena_strdup(a, s != NULL ? s : "");
}

bool event_column_shown(size_t column)
{
	static const char *const hidden[] = {"activityType", "category", "id"}; /* names for programs */
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
		if (strcmp(hidden[i], event_columns[column]) == 0)
			return false;
	return true;
}
