/* SPDX-License-Identifier: Apache-2.0
 * Which formats there are, and NDJSON, which is the stored bytes: they hold no line break, for JSON escapes them. */
#include "audit/out/format.h"

#include <string.h>
#include <strings.h>

#include "audit/audit_internal.h"
#include "audit/out/format_internal.h"
#include "codec/json.h"

static const struct {
	const char *name, *content_type;
} FORMATS[] = {
	[AUDIT_CSV] = {"csv", "text/csv; charset=utf-8; header=present"}, /* RFC 4180, RFC 7111 */
	[AUDIT_NDJSON] = {"ndjson", "application/x-ndjson"},
	[AUDIT_OCSF] = {"ocsf", "application/x-ndjson"},
};

const char *audit_format_name(enum audit_format f)
{
	return FORMATS[f].name;
}

bool audit_format_parse(const char *name, enum audit_format *ret)
{
	for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++)
		if (strcasecmp(name, FORMATS[i].name) == 0) {
			*ret = (enum audit_format)i;
			return true;
		}
	return false;
}

const char *audit_format_content_type(enum audit_format f)
{
	return FORMATS[f].content_type;
}

const char *stored_text(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

const char *stored_who(const struct stored_event *e)
{
	static const char *const members[] = {"userPrincipalName", "servicePrincipalName", "applicationDisplayName", "auditActorType"};
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		const char *who = stored_text(e->actor, members[i]);
		if (who != NULL && *who != '\0')
			return who;
	}
	return "Unknown";
}

void audit_format_head(enum audit_format f, struct buf *out)
{
	if (f == AUDIT_CSV)
		csv_head(out);
}

static enum err parsed_event(struct scope *s, enum audit_format f, uint64_t index, const char *bytes, size_t n, struct buf *out)
{
	auto_json *j = NULL;
	TRY(json_read(s, bytes, n, &j));
	const json_t *event = json_object_get(j, AUDIT_EVENT_MEMBER);
	struct stored_event e = {.index = index, .bytes = bytes, .n = n, .whole = j, .event = event,
				 .actor = json_object_get(event, "actor"), .resources = json_object_get(event, "resources")};
	if (f == AUDIT_CSV)
		csv_event(&e, out);
	else
		ocsf_event(&e, out);
	return OK;
}

enum err audit_format_event(struct scope *s, enum audit_format f, uint64_t index, const char *bytes, size_t n, struct buf *out)
{
	if (f == AUDIT_NDJSON) {
		buf_add(out, bytes, n);
		buf_addc(out, '\n');
	} else {
		enum err e = parsed_event(s, f, index, bytes, n, out);
		if (e != OK) { /* what is stored is not what was written */
			s->detail = NULL;
			return scope_fail(s, e == ERR_BAD_REQUEST ? ERR_CONFLICT : e, "event %llu of the audit log cannot be read", (unsigned long long)index);
		}
	}
	return out->failed ? ERR_LIMIT : OK;
}
