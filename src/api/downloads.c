/* SPDX-License-Identifier: Apache-2.0
 *
 * /downloads/{link}: one file, for whoever holds its link and for as long as that is good.  No token: the link is the authority, so the answer
 * is kept by nobody on the way, and pages it may be opened from are not told where it came from.
 */
#include <string.h>

#include "api/api.h"
#include "api/link.h"
#include "devices/reports/job.h"
#include "directory/tenant.h"
#include "privacy/export/export.h"

enum err downloads_get(struct call *c);

static enum err open_export(struct call *c, struct id object, struct export_file *ret)
{
	return export_open(&c->s, c->server->data_dir, object, ret);
}

static enum err open_report(struct call *c, struct id object, struct export_file *ret)
{
	ret->type = "application/zip";
	return report_job_open(&c->s, c->server->data_dir, object, &ret->stream, &ret->bytes, &ret->name);
}

static const struct {
	enum err (*open)(struct call *c, struct id object, struct export_file *ret);
} kinds[] = {[LINK_EXPORT] = {open_export}, [LINK_REPORT] = {open_report}};

/* Nobody in particular, of the tenant that the link is of, while that may still be read. */
static enum err admit(struct call *c, const struct link *l)
{
	enum tenant_level level = TENANT_NONE;
	c->s.tenant = l->tenant;
	c->s.has_tenant = true;
	c->s.actor = (struct actor){.type = ACTOR_ANONYMOUS, .name = "Holder of a download link", .ip = c->in->client_ip};
	enum err e = tenant_access(&c->s, &level);
	if (e == ERR_NOT_FOUND || (e == OK && level == TENANT_NONE))
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such download");
	return e;
}

enum err downloads_get(struct call *c)
{
	struct link l;
	struct export_file file = {0};
	TRY(link_open(c, call_param(c, "link"), &l));
	if ((size_t)l.kind >= sizeof kinds / sizeof kinds[0] || kinds[l.kind].open == NULL)
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such download");
	TRY(admit(c, &l));
	TRY(kinds[l.kind].open(c, l.object, &file));
	call_file(c, file.stream, file.bytes, file.type, file.name);
	http_response_header(c->out, "Referrer-Policy", "no-referrer");
	return OK;
}
