/* SPDX-License-Identifier: Apache-2.0
 * The server's own endpoints: is it alive, is it ready, what does it count. */
#include <stdatomic.h>

#include "api/api.h"
#include "api/metrics.h"

enum err system_healthz(struct call *c);
enum err system_readyz(struct call *c);
enum err system_metrics(struct call *c);

static enum err state(struct call *c, const char *word)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "status", word);
	jw_kstring(&w, "version", REEVE_VERSION);
	jw_end_object(&w);
	return OK;
}

enum err system_healthz(struct call *c)
{
	return state(c, "ok");
}

static enum err nothing(struct scope *s, struct db_tx *tx, void *arg)
{
	return OK;
}

/* Ready: not draining, and the database answers. */
enum err system_readyz(struct call *c)
{
	if (atomic_load(&c->server->draining))
		return scope_fail(&c->s, ERR_UNAVAILABLE, "the server is stopping");
	TRY(db_read(&c->s, nothing, NULL));
	return state(c, "ready");
}

/* The operator's: numbers over all tenants, so in the system's scope. */
enum err system_metrics(struct call *c)
{
	struct scope s;
	scope_system(&s, c->s.arena, c->s.db, c->s.keeper);
	c->out->content_type = "text/plain; version=0.0.4; charset=utf-8";
	buf_clear(&c->out->body);
	return metrics_write(c->server, &s, &c->out->body);
}
