/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/auditLog: where the log is, how far it has come, who has witnessed it. */
#include <string.h>

#include "api/api.h"
#include "audit/log/log.h"
#include "audit/log/witness.h"
#include "directory/tenant_settings.h"

enum err audit_log_summary(struct call *c);

struct state {
	struct audit_head_info head;
	int64_t retention_days, published;
};

static enum err load(struct scope *s, struct db_tx *tx, void *arg)
{
	struct state *x = arg;
	x->head = (struct audit_head_info){.generation = 1};
	enum err e = audit_head_tx(tx, &x->head);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	TRY(tenant_setting_int(tx, "auditRetentionDays", &x->retention_days));
	return tenant_setting_int(tx, "auditLogPublished", &x->published);
}

static const struct audit_cosignature *last_of(const struct audit_cosignature *c, size_t n, const char *witness)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(c[i].witness, witness) == 0)
			return &c[i];
	return NULL;
}

/* Those that are asked, whether they have answered or not. */
static enum err write_witnesses(struct call *c, struct json_writer *w)
{
	const struct policy *p = c->server->policy;
	struct audit_cosignature *seen;
	size_t n;
	TRY(audit_cosignatures_last(&c->s, &seen, &n));
	jw_key(w, "witnesses");
	jw_array(w);
	for (unsigned i = 0; p != NULL && i < p->n; i++) {
		if (p->item[i].kind != POLICY_WITNESS)
			continue;
		const struct audit_cosignature *last = last_of(seen, n, p->item[i].name);
		jw_object(w);
		jw_kstring(w, "name", p->item[i].name);
		jw_kint(w, "cosignedSize", last != NULL ? (int64_t)last->size : 0);
		jw_key(w, "cosignedDateTime");
		if (last != NULL)
			jw_time(w, last->at);
		else
			jw_null(w);
		jw_end_object(w);
	}
	jw_end_array(w);
	return OK;
}

enum err audit_log_summary(struct call *c)
{
	struct state x;
	struct server *srv = c->server;
	TRY(db_read(&c->s, load, &x));
	const char *origin = audit_origin_of(c->s.arena, srv->host, c->s.tenant, x.head.generation);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#deviceManagement/auditLog/$entity", call_base_url(c)));
	jw_kstring(&w, "origin", origin);
	jw_kstring(&w, "verifierKey", keeper_vkey(srv->keeper, c->s.arena, origin));
	jw_kstring(&w, "url", arena_printf(c->s.arena, "%s/log/%s/", srv->url, audit_log_name(c->s.arena, c->s.tenant, x.head.generation)));
	jw_kint(&w, "size", (int64_t)x.head.size);
	jw_kint(&w, "signedSize", (int64_t)x.head.signed_size);
	jw_kint(&w, "generation", x.head.generation);
	jw_kint(&w, "retentionDays", x.retention_days);
	jw_kbool(&w, "published", x.published != 0);
	TRY(write_witnesses(c, &w));
	jw_end_object(&w);
	return OK;
}
