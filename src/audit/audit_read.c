/* SPDX-License-Identifier: Apache-2.0
 * From stored bytes to Graph's shape. */
#include "audit/audit_read.h"

#include <string.h>
#include <strings.h>

#include "audit/audit_internal.h"

const char *audit_event_member(const char *bytes, size_t n, size_t *ret_n)
{
	static const char mark[] = ",\"" AUDIT_EVENT_MEMBER "\":";
	const char *at = memmem(bytes, n, mark, sizeof mark - 1);
	check(at != NULL && n > 0 && bytes[n - 1] == '}');
	at += sizeof mark - 1;
	*ret_n = (size_t)(bytes + n - 1 - at);
	return at;
}

bool audit_selected(const char *const *select, const char *name)
{
	if (select == NULL)
		return true;
	for (; *select != NULL; select++)
		if (strcasecmp(*select, name) == 0)
			return true;
	return false;
}

/* auditActorType and auditResourceType are called type; what Reeve has no notion of is empty. */
static void make_beta(json_t *event)
{
	json_t *actor = json_object_get(event, "actor"), *type = json_object_get(actor, "auditActorType");
	if (type != NULL) {
		json_object_set(actor, "type", type);
		json_object_del(actor, "auditActorType");
	}
	json_object_set_new(actor, "remoteTenantId", json_null());
	json_object_set_new(actor, "remoteUserId", json_null());
	json_object_set_new(actor, "userRoleScopeTags", json_array());
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
		make_beta(j);
	const char *key;
	json_t *value;
	json_object_foreach(j, key, value) {
		if (!audit_selected(select, key))
			continue;
		jw_key(w, key);
		jw_json(w, value);
	}
	return OK;
}

enum err audit_write_event(struct scope *s, struct json_writer *w, const char *bytes, size_t n, bool beta, const char *const *select)
{
	size_t member_n;
	const char *member = audit_event_member(bytes, n, &member_n);
	if (beta || select != NULL)
		return write_parsed(s, w, member, member_n, beta, select);
	jw_members(w, member, member_n);
	return OK;
}
