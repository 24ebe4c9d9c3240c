/* SPDX-License-Identifier: Apache-2.0
 *
 * /downloads/{link}: one file, for whoever holds its link and for as long as that is good.  No token: the link is the authority, so the answer
 * is kept by nobody on the way, and pages it may be opened from are not told where it came from.
 */
#include <string.h>

#include "api/api.h"
#include "api/link.h"
#include "crypto/seal.h"
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

/* A file that was changed on disk breaks the connection: what arrived is then shorter than Content-Length said. */
static bool next_piece(void *arg, const void **ret, size_t *ret_n) { return unseal_read(arg, ret, ret_n) == OK; }

static void end_of_stream(void *arg) { unseal_close(arg); }

enum err downloads_get(struct call *c)
{
	struct link l;
	struct export_file file = {0};
	TRY(link_open(c, call_param(c, "link"), &l));
	if ((size_t)l.kind >= sizeof kinds / sizeof kinds[0] || kinds[l.kind].open == NULL)
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such download");
	TRY(admit(c, &l));
	TRY(kinds[l.kind].open(c, l.object, &file));
	c->out->content_type = file.type;
	c->out->stream = next_piece;
	c->out->stream_end = end_of_stream;
	c->out->stream_arg = file.stream;
	c->out->stream_length = file.bytes;
	http_response_header(c->out, "Content-Disposition", arena_printf(c->s.arena, "attachment; filename=\"%s\"", file.name));
	http_response_header(c->out, "Cache-Control", "no-store");
	http_response_header(c->out, "Referrer-Policy", "no-referrer");
	http_response_header(c->out, "X-Content-Type-Options", "nosniff");
	return OK;
}
