/* SPDX-License-Identifier: Apache-2.0
 *
 * OCSF 1.8.0 (schema.ocsf.io): one JSON object per event.  Which class and activity stands in audit_ocsf.def.  What OCSF has no place for is
 * in `unmapped`: the event's place in its log, its expiry, the person whom it is about, old and new values; `raw_data` holds the stored
 * bytes, so that whoever receives it can check them against the log.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/out/format_internal.h"
#include "base/clock.h"
#include "codec/json.h"

enum ocsf_class { OCSF_ACCOUNT, OCSF_SIGN_IN, OCSF_ENTITY, OCSF_GROUP, OCSF_API };

static const struct {
	int uid;
	const char *name, *category;
} CLASSES[] = {
	[OCSF_ACCOUNT] = {3001, "Account Change", "Identity & Access Management"},
	[OCSF_SIGN_IN] = {3002, "Authentication", "Identity & Access Management"},
	[OCSF_ENTITY] = {3004, "Entity Management", "Identity & Access Management"},
	[OCSF_GROUP] = {3006, "Group Management", "Identity & Access Management"},
	[OCSF_API] = {6003, "API Activity", "Application Activity"},
};

/* CLASS_ACTIVITY(class, activity, number, caption) */
#define CLASS_ACTIVITIES                                                                                          \
	CLASS_ACTIVITY(ACCOUNT, CREATE, 1, "Create") CLASS_ACTIVITY(ACCOUNT, ENABLE, 2, "Enable")                 \
	CLASS_ACTIVITY(ACCOUNT, DISABLE, 5, "Disable") CLASS_ACTIVITY(ACCOUNT, DELETE, 6, "Delete")               \
	CLASS_ACTIVITY(ACCOUNT, PASSWORD, 4, "Password Reset") CLASS_ACTIVITY(ACCOUNT, LOCK, 9, "Lock")           \
	CLASS_ACTIVITY(ACCOUNT, MFA_ENABLE, 10, "MFA Factor Enable") CLASS_ACTIVITY(ACCOUNT, UNLOCK, 12, "Unlock") \
	CLASS_ACTIVITY(ACCOUNT, MFA_DISABLE, 11, "MFA Factor Disable")                                            \
	CLASS_ACTIVITY(SIGN_IN, LOGON, 1, "Logon") CLASS_ACTIVITY(SIGN_IN, LOGOFF, 2, "Logoff")                   \
	CLASS_ACTIVITY(ENTITY, CREATE, 1, "Create") CLASS_ACTIVITY(ENTITY, READ, 2, "Read")                       \
	CLASS_ACTIVITY(ENTITY, UPDATE, 3, "Update") CLASS_ACTIVITY(ENTITY, DELETE, 4, "Delete")                   \
	CLASS_ACTIVITY(ENTITY, ENROLL, 6, "Enroll") CLASS_ACTIVITY(ENTITY, UNENROLL, 7, "Unenroll")               \
	CLASS_ACTIVITY(ENTITY, ENABLE, 8, "Enable") CLASS_ACTIVITY(ENTITY, DISABLE, 9, "Disable")                 \
	CLASS_ACTIVITY(ENTITY, OTHER, 99, "Other")                                                                \
	CLASS_ACTIVITY(GROUP, ADD, 3, "Add User") CLASS_ACTIVITY(GROUP, REMOVE, 4, "Remove User")                 \
	CLASS_ACTIVITY(GROUP, DELETE, 5, "Delete") CLASS_ACTIVITY(GROUP, CREATE, 6, "Create")                     \
	CLASS_ACTIVITY(API, CREATE, 1, "Create") CLASS_ACTIVITY(API, READ, 2, "Read")                             \
	CLASS_ACTIVITY(API, UPDATE, 3, "Update") CLASS_ACTIVITY(API, DELETE, 4, "Delete")                         \
	CLASS_ACTIVITY(API, OTHER, 99, "Other")

enum {
#define CLASS_ACTIVITY(class, activity, number, caption) OCSF_##class##_##activity = number,
	CLASS_ACTIVITIES
#undef CLASS_ACTIVITY
};

enum { SEVERITY_INFORMATIONAL = 1, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH };

struct meaning {
	enum ocsf_class class;
	int activity, severity;
};

static const struct meaning MEANINGS[ACT_COUNT] = {
#define OCSF(activity, class, what, severity) [ACT_##activity] = {OCSF_##class, OCSF_##class##_##what, SEVERITY_##severity},
#include "audit/out/ocsf.def"
#undef OCSF
};

enum {
	ROWS = 0
#define OCSF(activity, class, what, severity) +1
#include "audit/out/ocsf.def"
#undef OCSF
};
_Static_assert(ROWS == ACT_COUNT - 1, "an activity has no row in audit_ocsf.def, or two");

static const char *activity_caption(const struct meaning *m)
{
#define CLASS_ACTIVITY(class_, activity_, number, caption)            \
	if (m->class == OCSF_##class_ && m->activity == (number)) \
		return caption;
	CLASS_ACTIVITIES
#undef CLASS_ACTIVITY
	return "Other";
}

/* ---- which ---- */

static bool same(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

/* A request that was refused at the door is aimed at a route, not at a thing. */
static struct meaning refused_route(const char *operation)
{
	struct meaning m = {.class = OCSF_API, .activity = OCSF_API_OTHER, .severity = SEVERITY_LOW};
	if (same(operation, "Create"))
		m.activity = OCSF_API_CREATE;
	else if (same(operation, "Get"))
		m.activity = OCSF_API_READ;
	else if (same(operation, "Patch"))
		m.activity = OCSF_API_UPDATE;
	else if (same(operation, "Delete"))
		m.activity = OCSF_API_DELETE;
	return m;
}

/* An activity of an earlier version that is no longer in the table is what its operation says of an entity. */
static struct meaning meaning_of(const struct stored_event *e, const json_t *resource)
{
	const char *type = stored_text(e->event, "activityType"), *operation = stored_text(e->event, "activityOperationType");
	struct meaning m = {.class = OCSF_ENTITY, .activity = OCSF_ENTITY_OTHER, .severity = SEVERITY_INFORMATIONAL};
	for (int a = ACT_NONE + 1; a < ACT_COUNT; a++)
		if (same(type, activity_info((enum activity)a)->type)) {
			m = MEANINGS[a];
			break;
		}
	if (same(stored_text(resource, "auditResourceType"), "Route") && m.class != OCSF_API) {
		int severity = m.severity;
		m = refused_route(operation);
		m.severity = severity > m.severity ? severity : m.severity;
	}
	if (same(stored_text(e->event, "activityResult"), "Failure") && m.severity < SEVERITY_LOW)
		m.severity = SEVERITY_LOW;
	return m;
}

/* ---- what every class has ---- */

static void optional(struct json_writer *w, const char *name, const char *text)
{
	if (text != NULL && *text != '\0')
		jw_kstring(w, name, text);
}

static void write_metadata(struct json_writer *w, const struct stored_event *e)
{
	jw_key(w, "metadata");
	jw_object(w);
	jw_kstring(w, "version", "1.8.0");
	jw_key(w, "product");
	jw_object(w);
	jw_kstring(w, "name", "Reeve");
	jw_kstring(w, "vendor_name", "Reeve");
	jw_kstring(w, "version", REEVE_VERSION);
	jw_end_object(w);
	optional(w, "uid", stored_text(e->event, "id"));
	jw_kstring(w, "log_name", "audit");
	optional(w, "log_provider", stored_text(e->event, "componentName"));
	optional(w, "event_code", stored_text(e->event, "activityType"));
	optional(w, "correlation_uid", stored_text(e->event, "correlationId"));
	optional(w, "tenant_uid", stored_text(e->whole, "tenantId"));
	optional(w, "original_time", stored_text(e->event, "activityDateTime"));
	jw_end_object(w);
}

static void write_class(struct json_writer *w, const struct meaning *m)
{
	static const char *const severities[] = {"Unknown", "Informational", "Low", "Medium", "High"};
	int uid = CLASSES[m->class].uid;
	jw_kint(w, "category_uid", uid / 1000);
	jw_kstring(w, "category_name", CLASSES[m->class].category);
	jw_kint(w, "class_uid", uid);
	jw_kstring(w, "class_name", CLASSES[m->class].name);
	jw_kint(w, "type_uid", (int64_t)uid * 100 + m->activity);
	jw_kint(w, "activity_id", m->activity);
	jw_kint(w, "severity_id", m->severity);
	jw_kstring(w, "severity", severities[m->severity]);
}

static void write_result(struct json_writer *w, const struct stored_event *e)
{
	const char *result = stored_text(e->event, "activityResult");
	bool success = same(result, "Success"), failure = same(result, "Failure");
	jw_kint(w, "status_id", success ? 1 : failure ? 2 : 0);
	jw_kstring(w, "status", success || failure ? result : "Unknown");
	optional(w, "status_detail", stored_text(e->whole, "failure"));
}

static void write_time(struct json_writer *w, const struct stored_event *e)
{
	int64_t us = 0;
	const char *text = stored_text(e->event, "activityDateTime");
	if (text != NULL)
		time_parse(text, &us);
	jw_kint(w, "time", us / 1000);
}

enum { USER_PERSON = 1, USER_SYSTEM = 3, USER_SERVICE = 4 };

static void write_user(struct json_writer *w, const char *key, const char *uid, const char *name, int type_id)
{
	jw_key(w, key);
	jw_object(w);
	optional(w, "uid", uid);
	optional(w, "name", name);
	if (uid == NULL && name == NULL)
		jw_kstring(w, "name", "unknown");
	jw_kint(w, "type_id", type_id);
	jw_kstring(w, "type", type_id == USER_PERSON ? "User" : type_id == USER_SYSTEM ? "System" : "Service");
	jw_end_object(w);
}

static void write_actor(struct json_writer *w, const struct stored_event *e)
{
	const char *user = stored_text(e->actor, "userId"), *upn = stored_text(e->actor, "userPrincipalName");
	const char *app = stored_text(e->actor, "applicationId"), *kind = stored_text(e->actor, "auditActorType");
	jw_key(w, "actor");
	jw_object(w);
	if (user != NULL || upn != NULL)
		write_user(w, "user", user, upn, USER_PERSON);
	else if (app != NULL)
		write_user(w, "user", app, stored_who(e), USER_SERVICE);
	else if (same(kind, "System"))
		write_user(w, "user", NULL, "system", USER_SYSTEM);
	optional(w, "app_name", stored_text(e->actor, "applicationDisplayName"));
	optional(w, "app_uid", app);
	jw_kstring(w, "invoked_by", kind == NULL ? "Unknown" : kind);
	jw_end_object(w);
}

/* The client's address; "local" is the local socket, and what the server does by itself has none. */
static void write_endpoint(struct json_writer *w, const struct stored_event *e, bool required)
{
	unsigned char unused[sizeof(struct in6_addr)];
	const char *ip = stored_text(e->actor, "ipAddress");
	if (ip == NULL && !required)
		return;
	jw_key(w, "src_endpoint");
	jw_object(w);
	if (ip == NULL)
		jw_kstring(w, "svc_name", "reeve");
	else if (inet_pton(AF_INET, ip, unused) == 1 || inet_pton(AF_INET6, ip, unused) == 1)
		jw_kstring(w, "ip", ip);
	else
		jw_kstring(w, "name", ip);
	jw_end_object(w);
}

/* ---- what one class has ---- */

static void write_named(struct json_writer *w, const json_t *resource, const char *otherwise)
{
	const char *id = stored_text(resource, "resourceId"), *name = stored_text(resource, "displayName");
	optional(w, "uid", id);
	optional(w, "name", name);
	if (id == NULL && (name == NULL || *name == '\0'))
		jw_kstring(w, "name", otherwise);
}

static void write_entity(struct json_writer *w, const struct stored_event *e, const json_t *resource)
{
	static const struct {
		const char *resource, *caption;
		int id;
	} types[] = {
		{"ManagedDevice", "Device", 1}, {"User", "User", 2}, {"Group", "Group", 3}, {"Tenant", "Organization", 4},
		{"DeviceConfiguration", "Policy", 5}, {"TermsAndConditions", "Policy", 5}, {"RoleDefinition", "Policy", 5},
	};
	const char *type = stored_text(resource, "auditResourceType");
	const char *fallback = type != NULL ? type : stored_text(e->event, "componentName");
	const char *caption = fallback;
	int id = 99;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (same(type, types[i].resource)) {
			id = types[i].id;
			caption = types[i].caption;
		}
	jw_key(w, "entity");
	jw_object(w);
	write_named(w, resource, fallback);
	jw_kint(w, "type_id", id);
	optional(w, "type", caption);
	jw_end_object(w);
	optional(w, "comment", stored_text(e->event, "displayName"));
}

static void write_group(struct json_writer *w, const struct stored_event *e, const json_t *resource)
{
	const char *subject = stored_text(e->whole, "subjectId");
	jw_key(w, "group");
	jw_object(w);
	write_named(w, resource, "unknown");
	jw_end_object(w);
	if (subject != NULL)
		write_user(w, "user", subject, NULL, USER_PERSON);
}

static void write_sign_in(struct json_writer *w, const json_t *resource)
{
	write_user(w, "user", stored_text(resource, "resourceId"), stored_text(resource, "displayName"), USER_SERVICE);
	jw_kint(w, "auth_protocol_id", 6); /* OAuth 2.0, client credentials */
	jw_kstring(w, "auth_protocol", "OAUTH 2.0");
	jw_key(w, "service");
	jw_object(w);
	jw_kstring(w, "name", "reeve");
	jw_end_object(w);
}

static void write_api(struct json_writer *w, const struct stored_event *e, const json_t *resource)
{
	const char *operation = stored_text(e->event, "activityType"), *request = stored_text(e->event, "correlationId");
	const char *type = stored_text(resource, "auditResourceType");
	jw_key(w, "api");
	jw_object(w);
	jw_kstring(w, "operation", operation != NULL ? operation : "unknown");
	if (request != NULL) {
		jw_key(w, "request");
		jw_object(w);
		jw_kstring(w, "uid", request);
		jw_end_object(w);
	}
	jw_end_object(w);
	if (resource == NULL)
		return;
	jw_key(w, "resources");
	jw_array(w);
	jw_object(w);
	write_named(w, resource, type != NULL ? type : "unknown");
	optional(w, "type", type);
	jw_end_object(w);
	jw_end_array(w);
}

static void write_object(struct json_writer *w, const struct meaning *m, const struct stored_event *e, const json_t *resource)
{
	switch (m->class) {
	case OCSF_ACCOUNT:
		write_user(w, "user", stored_text(resource, "resourceId"), stored_text(resource, "displayName"), USER_PERSON);
		break;
	case OCSF_SIGN_IN: write_sign_in(w, resource); break;
	case OCSF_ENTITY: write_entity(w, e, resource); break;
	case OCSF_GROUP: write_group(w, e, resource); break;
	case OCSF_API: write_api(w, e, resource); break;
	}
}

static void write_unmapped(struct json_writer *w, const struct stored_event *e)
{
	const char *tenant = stored_text(e->whole, "tenantId");
	jw_key(w, "unmapped");
	jw_object(w);
	jw_kstring(w, "log", tenant != NULL ? tenant : "00000000-0000-0000-0000-000000000000");
	jw_kint(w, "index", (int64_t)e->index);
	optional(w, "expiresDateTime", stored_text(e->whole, "expiresDateTime"));
	optional(w, "subjectId", stored_text(e->whole, "subjectId"));
	optional(w, "category", stored_text(e->event, "category"));
	jw_key(w, "userPermissions");
	jw_json(w, json_object_get(e->actor, "userPermissions"));
	jw_key(w, "resources");
	jw_json(w, e->resources);
	jw_end_object(w);
}

void ocsf_event(const struct stored_event *e, struct buf *out)
{
	struct json_writer w;
	const json_t *resource = json_array_get(e->resources, 0);
	struct meaning m = meaning_of(e, resource);
	const char *display = stored_text(e->event, "displayName");
	jw_init(&w, out);
	jw_object(&w);
	write_class(&w, &m);
	jw_kstring(&w, "activity_name", m.activity == 99 && display != NULL ? display : activity_caption(&m));
	write_time(&w, e);
	write_result(&w, e);
	optional(&w, "message", display);
	write_metadata(&w, e);
	write_actor(&w, e);
	write_endpoint(&w, e, m.class == OCSF_API);
	write_object(&w, &m, e, resource);
	write_unmapped(&w, e);
	jw_key(&w, "raw_data");
	jw_stringn(&w, e->bytes, e->n);
	jw_end_object(&w);
	buf_addc(out, '\n');
}
