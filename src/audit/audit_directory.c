/* SPDX-License-Identifier: Apache-2.0
 *
 * directoryAudit out of an event's stored bytes.  As in Entra's log the values of a modified property are JSON in a string ("[\"Bern\"]"), and
 * who acted is either a user or an app.  Source: Graph's directoryAudit, auditActivityInitiator, targetResource, modifiedProperty.
 */
#include <string.h>
#include <strings.h>

#include "audit/audit_read.h"
#include "base/limits.h"

struct words {
	const char *type, *name, *category, *operation;
};

static const struct words WORDS[] = {
#define DIRECTORY_ACTIVITY(type, name, category, operation) {type, name, category, operation},
#include "audit/directory_activities.def"
#undef DIRECTORY_ACTIVITY
};

struct directory {
	struct scope *s;
	struct json_writer *w;
	const char *const *select;
	const json_t *stored, *event, *resource;
	const struct words *words;
};

static const char *text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static const struct words *words_of(const json_t *event)
{
	const char *type = text(event, "activityType");
	for (size_t i = 0; type != NULL && i < sizeof WORDS / sizeof WORDS[0]; i++)
		if (strcmp(WORDS[i].type, type) == 0)
			return &WORDS[i];
	return NULL;
}

static bool wants(struct directory *d, const char *name)
{
	bool want = audit_selected(d->select, name);
	if (want)
		jw_key(d->w, name);
	return want;
}

static void member(struct directory *d, const char *name, const char *value)
{
	if (wants(d, name))
		jw_string(d->w, value);
}

static void write_user(struct json_writer *w, const json_t *actor)
{
	jw_key(w, "user");
	jw_object(w);
	jw_kstring(w, "id", text(actor, "userId"));
	jw_kstring(w, "displayName", NULL);
	jw_kstring(w, "userPrincipalName", text(actor, "userPrincipalName"));
	jw_kstring(w, "ipAddress", text(actor, "ipAddress"));
	jw_end_object(w);
	jw_kstring(w, "app", NULL);
}

static void write_app(struct json_writer *w, const json_t *actor)
{
	jw_kstring(w, "user", NULL);
	jw_key(w, "app");
	jw_object(w);
	jw_kstring(w, "appId", text(actor, "applicationId"));
	jw_kstring(w, "displayName", text(actor, "applicationDisplayName"));
	jw_kstring(w, "servicePrincipalId", text(actor, "applicationId"));
	jw_kstring(w, "servicePrincipalName", text(actor, "servicePrincipalName"));
	jw_end_object(w);
}

static void write_initiator(struct directory *d)
{
	const json_t *actor = json_object_get(d->event, "actor");
	const char *type = text(actor, "auditActorType");
	jw_object(d->w);
	if (type != NULL && strcmp(type, "IW") == 0)
		write_user(d->w, actor);
	else
		write_app(d->w, actor);
	jw_end_object(d->w);
}

/* null, or a JSON array of the one value, as text. */
static void write_encoded(struct json_writer *w, const char *name, const char *value)
{
	auto_buf out;
	struct json_writer inner;
	buf_init(&out, 4 * MIB); /* of 512 KiB, where each byte may become six */
	if (value == NULL) {
		jw_kstring(w, name, NULL);
		return;
	}
	jw_init(&inner, &out);
	jw_array(&inner);
	jw_string(&inner, value);
	jw_end_array(&inner);
	jw_key(w, name);
	jw_stringn(w, out.data, out.len);
}

static void write_changes(struct json_writer *w, const json_t *list)
{
	size_t i;
	const json_t *change;
	jw_key(w, "modifiedProperties");
	jw_array(w);
	json_array_foreach((json_t *)list, i, change) {
		jw_object(w);
		jw_kstring(w, "displayName", text(change, "displayName"));
		write_encoded(w, "oldValue", text(change, "oldValue"));
		write_encoded(w, "newValue", text(change, "newValue"));
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_target(struct json_writer *w, const char *id, const char *name, const char *type, const json_t *changes)
{
	jw_object(w);
	jw_kstring(w, "id", id);
	jw_kstring(w, "displayName", name);
	jw_kstring(w, "type", type);
	jw_kstring(w, "userPrincipalName", NULL);
	jw_kstring(w, "groupType", NULL);
	write_changes(w, changes);
	jw_end_object(w);
}

/* The object, and the person where that is another: who was added to the group. */
static void write_targets(struct directory *d)
{
	const char *id = text(d->resource, "resourceId"), *person = text(d->stored, "subjectId");
	jw_array(d->w);
	write_target(d->w, id, text(d->resource, "displayName"), text(d->resource, "auditResourceType"),
		     json_object_get(d->resource, "modifiedProperties"));
	if (person != NULL && (id == NULL || strcmp(id, person) != 0))
		write_target(d->w, person, NULL, "User", NULL);
	jw_end_array(d->w);
}

/* Where an app comes from has no other place in this shape. */
static void write_details(struct directory *d)
{
	const char *ip = text(json_object_get(d->event, "actor"), "ipAddress");
	jw_array(d->w);
	if (ip != NULL) {
		jw_object(d->w);
		jw_kstring(d->w, "key", "ipAddress");
		jw_kstring(d->w, "value", ip);
		jw_end_object(d->w);
	}
	jw_end_array(d->w);
}

static void write_all(struct directory *d)
{
	const char *result = text(d->event, "activityResult"), *failure = text(d->stored, "failure");
	member(d, "id", text(d->event, "id"));
	member(d, "category", d->words != NULL ? d->words->category : NULL);
	member(d, "correlationId", text(d->event, "correlationId"));
	member(d, "result", result != NULL && strcmp(result, "Success") == 0 ? "success" : "failure");
	member(d, "resultReason", failure != NULL ? failure : "");
	member(d, "activityDisplayName", d->words != NULL ? d->words->name : NULL);
	member(d, "activityDateTime", text(d->event, "activityDateTime"));
	member(d, "loggedByService", "Core Directory");
	member(d, "operationType", d->words != NULL ? d->words->operation : NULL);
	if (wants(d, "initiatedBy"))
		write_initiator(d);
	if (wants(d, "targetResources"))
		write_targets(d);
	if (wants(d, "additionalDetails"))
		write_details(d);
}

enum err audit_write_directory(struct scope *s, struct json_writer *w, const char *bytes, size_t n, const char *const *select)
{
	auto_json *j = NULL;
	TRY(json_read(s, bytes, n, &j));
	struct directory d = {.s = s, .w = w, .select = select, .stored = j, .event = json_object_get(j, "event")};
	d.resource = json_array_get(json_object_get(d.event, "resources"), 0);
	d.words = words_of(d.event);
	write_all(&d);
	return OK;
}
