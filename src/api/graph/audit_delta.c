/* SPDX-License-Identifier: Apache-2.0
 *
 * auditEvents/delta: the log to be followed, in Graph's delta conventions: pages with @odata.nextLink, then @odata.deltaLink, to be asked again
 * later.  A token is a place in the log (audit_tail.h), bound to tenant and filter.
 * Source: Graph's "Use delta query to track changes".
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "audit/audit_read.h"
#include "audit/audit_tail.h"
#include "resource/tables.h"

enum err audit_events_delta(struct call *c);

enum { PAGE_BYTES = 8 * 1024 * 1024 }; /* a page ends where it has so much, however few events those are */

struct delta {
	struct call *c;
	struct odata_query o;
	struct audit_tail tail;
	struct audit_place place; /* of the token; zeros: none */
	bool latest;
	struct json_writer w;
};

/* ---- the question ---- */

static enum err check_select(struct delta *d)
{
	for (const char *const *name = d->o.select; name != NULL && *name != NULL; name++) {
		bool known = false;
		for (size_t i = 0; i < RES_AUDIT_EVENT.prop_count && !known; i++)
			known = !(RES_AUDIT_EVENT.props[i].flags & P_HIDDEN) && strcasecmp(RES_AUDIT_EVENT.props[i].name, *name) == 0;
		if (!known)
			return scope_fail(&d->c->s, ERR_BAD_REQUEST, "$select names '%.64s', which auditEvent does not have", *name);
	}
	return OK;
}

/* $top, or Prefer: odata.maxpagesize=N */
static unsigned page_size(struct delta *d)
{
	static const char option[] = "odata.maxpagesize=";
	const char *prefer = http_header(d->c->in, "Prefer");
	const char *at = prefer == NULL ? NULL : strcasestr(prefer, option);
	int64_t size = d->o.top;
	if (size < 0 && at != NULL && atoi(at + sizeof option - 1) > 0) {
		size = atoi(at + sizeof option - 1);
		http_response_header(d->c->out, "Preference-Applied", arena_printf(d->c->s.arena, "%s%" PRId64, option, size));
	}
	return size > 0 && size < (int64_t)RES_AUDIT_EVENT.page_max ? (unsigned)size : RES_AUDIT_EVENT.page_max;
}

static enum err read_options(struct delta *d)
{
	struct scope *s = &d->c->s;
	struct odata_query *o = &d->o;
	struct resource_condition where;
	TRY(odata_parse(s, d->c->in->query, o));
	if (o->order != NULL || o->skip >= 0 || o->count || o->search != NULL || o->expand != NULL || o->top == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "delta takes $filter, $select, $top (from 1) and its own tokens: its order is that of the log");
	if (o->skiptoken != NULL && o->deltatoken != NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "$skiptoken and $deltatoken exclude each other");
	TRY(check_select(d));
	const char *token = o->skiptoken != NULL ? o->skiptoken : o->deltatoken;
	d->latest = token != NULL && token == o->deltatoken && strcasecmp(token, "latest") == 0;
	if (token != NULL && !d->latest && !audit_place_read(s, token, o->filter_text, &d->place))
		return scope_fail(s, ERR_BAD_REQUEST, "the token does not belong to this query");
	d->tail.most = page_size(d);
	if (o->filter_text == NULL && s->actor.only == NULL)
		return OK;
	TRY(resource_filter_reached(s, &RES_AUDIT_EVENT, d->c->version, o->filter_text, AUDIT_TAIL_FIRST, &where));
	d->tail.where = where.sql;
	d->tail.args = where.args;
	d->tail.arg_count = where.arg_count;
	return OK;
}

/* ---- the answer ---- */

static enum err write_one(struct db_tx *tx, struct audit_tail *t, const char *bytes, size_t n, void *arg)
{
	struct delta *d = arg;
	jw_object(&d->w);
	TRY(audit_write_event(&d->c->s, &d->w, bytes, n, d->c->version == API_BETA, d->o.select));
	jw_end_object(&d->w);
	t->full = d->c->out->body.len >= PAGE_BYTES;
	return OK;
}

static enum err write_page(struct scope *s, struct db_tx *tx, void *arg)
{
	struct delta *d = arg;
	d->w = call_json(d->c); /* the closure may run again */
	d->tail.from = d->place.index;
	d->tail.generation = d->place.generation;
	d->tail.full = false;
	jw_object(&d->w);
	jw_kstring(&d->w, "@odata.context", arena_printf(s->arena, "%s/$metadata#%s", call_base_url(d->c), RES_AUDIT_EVENT.context));
	jw_key(&d->w, "value");
	jw_array(&d->w);
	if (d->latest)
		TRY(audit_tail_end(tx, &d->tail));
	else
		TRY(audit_tail(tx, &d->tail, write_one, d));
	jw_end_array(&d->w);
	struct audit_place next = {.generation = d->tail.generation, .index = d->tail.next};
	const char *token = audit_place_write(s, &next, d->o.filter_text);
	if (d->tail.next < d->tail.size)
		jw_kstring(&d->w, "@odata.nextLink", call_delta_link(d->c, "$skiptoken", token));
	else
		jw_kstring(&d->w, "@odata.deltaLink", call_delta_link(d->c, "$deltatoken", token));
	jw_end_object(&d->w);
	return d->c->out->body.failed ? scope_fail(s, ERR_LIMIT, "the answer is too large") : OK;
}

enum err audit_events_delta(struct call *c)
{
	struct delta *d = arena_alloc(c->s.arena, sizeof *d);
	d->c = c;
	TRY(read_options(d));
	TRY(audit_record_read(&c->s));
	enum err err = db_read(&c->s, write_page, d);
	if (err == ERR_SYNC_STATE)
		http_response_header(c->out, "Location", call_delta_link(d->c, NULL, NULL));
	return err;
}
