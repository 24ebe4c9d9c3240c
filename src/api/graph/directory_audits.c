/* SPDX-License-Identifier: Apache-2.0
 * auditLogs/directoryAudits: the changes of the directory, which stand in the same log as all others. */
#include "api/api.h"
#include "audit/audit_read.h"
#include "resource/tables.h"

enum err directory_audits_list(struct call *c);
enum err directory_audits_get(struct call *c);

static enum err write_members(struct scope *s, struct json_writer *w, const struct resource_query *q, const char *p, size_t n)
{
	return audit_write_directory(s, w, p, n, q->odata.select);
}

static enum err query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_DIRECTORY_AUDIT, q));
	q->content = write_members;
	return audit_record_read(&c->s);
}

enum err directory_audits_list(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_list(c, &q);
}

enum err directory_audits_get(struct call *c)
{
	struct resource_query q;
	struct id event;
	TRY(call_param_id(c, "event", "directory audit", &event));
	TRY(query(c, &q));
	return call_get(c, &q, event);
}
