/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit events as their subject may see them.  Whoever else acted stays unnamed, but for the system and the person's
 * own devices; where the person acted on somebody else, that one stays unnamed.
 */
#include <string.h>

#include "audit/audit_read.h"
#include "privacy/export_internal.h"

static void hide(json_t *object, const char *key, int64_t *redacted)
{
	if (!json_is_string(json_object_get(object, key)))
		return;
	json_object_set_new(object, key, json_string(REDACTED));
	(*redacted)++;
}

static bool names(const json_t *v, const char *user)
{
	return json_is_string(v) && strcmp(json_string_value(v), user) == 0;
}

static void redact_actor(json_t *actor, const char *user, bool about_user, int64_t *redacted)
{
	static const char *const personal[] = {"applicationDisplayName", "userPrincipalName", "servicePrincipalName",
					       "ipAddress", "userId"};
	const char *type = json_string_value(json_object_get(actor, "auditActorType"));
	if (names(json_object_get(actor, "userId"), user) || (type != NULL && strcmp(type, "System") == 0))
		return;
	if (about_user && type != NULL && strcmp(type, "Device") == 0)
		return; /* the person's own device */
	for (size_t i = 0; i < sizeof personal / sizeof personal[0]; i++)
		hide(actor, personal[i], redacted);
}

static void redact_resources(json_t *resources, int64_t *redacted)
{
	size_t i, k;
	json_t *r, *change;
	json_array_foreach(resources, i, r)
	{
		hide(r, "displayName", redacted);
		hide(r, "resourceId", redacted);
		json_array_foreach(json_object_get(r, "modifiedProperties"), k, change)
		{
			hide(change, "oldValue", redacted);
			hide(change, "newValue", redacted);
		}
	}
}

json_t *redact_event(const char *bytes, size_t n, struct id user, int64_t *redacted)
{
	char text[ID_TEXT];
	id_format(user, text);
	auto_json *stored = json_loadb(bytes, n, 0, NULL);
	json_t *event = json_object_get(stored, "event");
	if (event == NULL)
		return NULL;
	const json_t *subject = json_object_get(stored, "subjectId");
	bool about_user = names(subject, text);
	redact_actor(json_object_get(event, "actor"), text, about_user, redacted);
	if (json_is_string(subject) && !about_user)
		redact_resources(json_object_get(event, "resources"), redacted);
	json_object_set(event, "expiresDateTime", json_object_get(stored, "expiresDateTime"));
	return json_incref(event);
}

/* ---- as a row ---- */

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
	buf_init(&out, 64 * 1024);
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
