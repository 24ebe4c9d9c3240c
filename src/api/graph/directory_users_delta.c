/* SPDX-License-Identifier: Apache-2.0
 *
 * users/delta, in Graph's delta conventions: first every user, page by page, then a deltaLink; asked again, the users that changed since, whole,
 * and those that are gone as {"id", "@removed": {"reason": "changed"}} (soft-deleted, may come back) or "deleted" (for good).
 *
 * A token is "<when it was given, hex>.<place in the log>" and, while the first listing lasts, ".<its own $skiptoken>".  The place is that of the log
 * when the listing began, so that what changed meanwhile comes after it.  Source: Graph's "Use delta query to track changes".
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "base/clock.h"
#include "directory/user_delta.h"
#include "resource/tables.h"

enum err users_delta(struct call *c);

static const char BOUND[] = "users/delta"; /* what a place is bound to beside the tenant */

struct delta {
	struct call *c;
	struct resource_query q;
	int64_t given;            /* of the token, seconds */
	struct audit_place place; /* generation 0: there is no token yet */
	bool listing, latest;
	struct json_writer w;
	const struct id *users;   /* of this page, */
	bool *seen;               /* and which were written */
	size_t n;
};

/* ---- the question ---- */

static enum err read_token(struct delta *d, const char *token)
{
	struct scope *s = &d->c->s;
	char *end, *copy = arena_strdup(s->arena, token), *place = strchr(copy, '.');
	d->given = strtoll(copy, &end, 16);
	if (place == NULL || end != place)
		return scope_fail(s, ERR_BAD_REQUEST, "the token does not belong to this query");
	char *inner = strchr(++place, '.');
	if (inner != NULL)
		*inner++ = '\0';
	if (!audit_place_read(s, place, BOUND, &d->place))
		return scope_fail(s, ERR_BAD_REQUEST, "the token does not belong to this query");
	if (s->now / SECOND_US - d->given > USER_DELTA_DAYS * (DAY_US / SECOND_US))
		return scope_fail(s, ERR_SYNC_STATE, "the token is older than %d days: start again without it", USER_DELTA_DAYS);
	d->listing = inner != NULL;
	d->q.odata.skiptoken = inner;
	return OK;
}

/* Deltas always carry the id. */
static void select_id(struct delta *d)
{
	size_t n = 0;
	for (const char *const *o = d->q.odata.select; o != NULL && *o != NULL; o++, n++)
		if (strcasecmp(*o, "id") == 0)
			return;
	if (d->q.odata.select == NULL)
		return;
	const char **list = arena_alloc(d->c->s.arena, (n + 2) * sizeof *list);
	memcpy(list, d->q.odata.select, n * sizeof *list);
	list[n] = "id";
	d->q.odata.select = list;
}

static enum err read_options(struct delta *d)
{
	struct scope *s = &d->c->s;
	struct odata_query *o = &d->q.odata;
	TRY(call_query(d->c, &RES_USER, &d->q));
	if (o->filter != NULL || o->order != NULL || o->skip >= 0 || o->count || o->search != NULL || o->top == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "delta takes $select, $top (from 1) and its own tokens");
	if (o->expand != NULL)
		return scope_fail(s, ERR_EXPAND, "delta expands no relation");
	if (o->skiptoken != NULL && o->deltatoken != NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "$skiptoken and $deltatoken exclude each other");
	const char *token = o->skiptoken != NULL ? o->skiptoken : o->deltatoken;
	d->latest = o->deltatoken != NULL && strcasecmp(o->deltatoken, "latest") == 0;
	d->listing = token == NULL;
	d->given = s->now / SECOND_US;
	o->skiptoken = o->deltatoken = NULL;
	select_id(d);
	return token == NULL || d->latest ? OK : read_token(d, token);
}

/* ---- the answer ---- */

static void write_link(struct delta *d, const char *inner, bool next)
{
	struct scope *s = &d->c->s;
	const char *token = arena_printf(s->arena, "%" PRIx64 ".%s%s%s", (uint64_t)d->given, audit_place_write(s, &d->place, BOUND),
					 inner == NULL ? "" : ".", inner == NULL ? "" : inner);
	if (next)
		jw_kstring(&d->w, "@odata.nextLink", call_delta_link(d->c, "$skiptoken", token));
	else
		jw_kstring(&d->w, "@odata.deltaLink", call_delta_link(d->c, "$deltatoken", token));
}

static enum err take_end(struct delta *d, struct db_tx *tx)
{
	struct audit_tail tail = {0};
	TRY(audit_tail_end(tx, &tail));
	d->place = (struct audit_place){.generation = tail.generation, .index = tail.size};
	return OK;
}

static enum err note_seen(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	struct delta *d = arg;
	for (size_t i = 0; i < d->n; i++)
		d->seen[i] = d->seen[i] || id_equal(d->users[i], key);
	return OK;
}

/* Rows of r among the page's users, into w; they are noted as seen. */
static enum err write_users(struct delta *d, struct db_tx *tx, const struct resource *r, const char *const *select, struct json_writer *w)
{
	struct scope *s = db_tx_scope(tx);
	struct db_value *args = arena_alloc(s->arena, (d->n + 1) * sizeof *args);
	struct resource_query q = d->q;
	char *next;
	const char *list = "";
	if (d->n == 0)
		return OK;
	for (size_t i = 0; i < d->n; i++) {
		args[i] = db_v_id(&d->users[i]);
		list = arena_printf(s->arena, "%s%s?%zu", list, i == 0 ? "" : ",", i + 2);
	}
	q.res = r;
	q.odata.select = select;
	q.odata.top = (int64_t)d->n;
	q.extra_where = arena_printf(s->arena, "t.user_id IN (%s)", list);
	q.args = args;
	q.arg_count = d->n;
	q.more = note_seen;
	q.more_arg = d;
	return resource_page(tx, &q, w, &next);
}

static void write_removed(struct delta *d, const bool *here, const bool *restorable)
{
	for (size_t i = 0; i < d->n; i++) {
		if (here[i])
			continue;
		jw_object(&d->w);
		jw_kid(&d->w, "id", d->users[i]);
		jw_key(&d->w, "@removed");
		jw_object(&d->w);
		jw_kstring(&d->w, "reason", restorable[i] ? "changed" : "deleted");
		jw_end_object(&d->w);
		jw_end_object(&d->w);
	}
}

static enum err write_changes(struct delta *d, struct db_tx *tx, struct user_delta *changes)
{
	static const char *const only_id[] = {"id", NULL};
	struct arena *a = d->c->s.arena;
	auto_buf unused;
	struct json_writer aside;
	buf_init(&unused, 256 * 1024);
	jw_init(&aside, &unused);
	changes->tail.from = d->place.index;
	changes->tail.generation = d->place.generation;
	TRY(user_delta(tx, changes));
	d->users = changes->users;
	d->n = changes->n;
	bool *here = d->seen = arena_alloc(a, d->n + 1);
	TRY(write_users(d, tx, &RES_USER, d->q.odata.select, &d->w));
	bool *restorable = d->seen = arena_alloc(a, d->n + 1);
	jw_array(&aside);
	TRY(write_users(d, tx, &RES_DELETED_USER, only_id, &aside));
	write_removed(d, here, restorable);
	return OK;
}

static enum err write_value(struct delta *d, struct db_tx *tx, char **ret_inner, bool *ret_more)
{
	struct user_delta changes = {.tail.most = RES_USER.page_default};
	*ret_inner = NULL;
	*ret_more = false;
	if (d->latest)
		return take_end(d, tx);
	if (d->listing) {
		if (d->place.generation == 0)
			TRY(take_end(d, tx));
		TRY(resource_page(tx, &d->q, &d->w, ret_inner));
		*ret_more = *ret_inner != NULL;
		return OK;
	}
	if (d->q.odata.top > 0)
		changes.tail.most = d->q.odata.top < (int64_t)RES_USER.page_max ? (unsigned)d->q.odata.top : RES_USER.page_max;
	TRY(write_changes(d, tx, &changes));
	d->place = (struct audit_place){.generation = changes.tail.generation, .index = changes.tail.next};
	d->given = d->c->s.now / SECOND_US;
	*ret_more = changes.tail.next < changes.tail.size;
	return OK;
}

static enum err write_page(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct delta *asked = arg;
	struct delta *d = arena_memdup(s->arena, asked, sizeof *asked); /* the closure may run again */
	char *inner;
	bool more;
	d->w = call_json(d->c);
	jw_object(&d->w);
	jw_kstring(&d->w, "@odata.context", arena_printf(s->arena, "%s/$metadata#%s", d->q.base_url, RES_USER.context));
	jw_key(&d->w, "value");
	jw_array(&d->w);
	TRY(write_value(d, tx, &inner, &more));
	jw_end_array(&d->w);
	write_link(d, inner, more);
	jw_end_object(&d->w);
	return d->c->out->body.failed ? scope_fail(s, ERR_LIMIT, "the answer is too large: ask for fewer with $top") : OK;
}

enum err users_delta(struct call *c)
{
	struct delta *d = arena_alloc(c->s.arena, sizeof *d);
	d->c = c;
	enum err err = read_options(d);
	if (err == OK)
		err = db_read(&c->s, write_page, d);
	if (err == ERR_SYNC_STATE)
		http_response_header(c->out, "Location", call_delta_link(c, NULL, NULL));
	return err;
}
