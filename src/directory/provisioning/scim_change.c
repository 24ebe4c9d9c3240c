/* SPDX-License-Identifier: Apache-2.0
 *
 * Create, replace, patch, delete.  Whatever the request, a user becomes a document, the document a record with every property set, and
 * record_update() finds what differs: one rule for POST, PUT and PATCH.
 */
#include "directory/provisioning/scim_internal.h"

#include <string.h>

#include "duty/suppression.h"
#include "resource/tables.h"

DB_TENANT(scim_members_beyond, "SELECT 1 FROM group_members WHERE tenant_id = ?1 AND group_id = ?2 ORDER BY user_id LIMIT 1 OFFSET ?3");
DB_TENANT(scim_member_ids, "SELECT user_id FROM group_members WHERE tenant_id = ?1 AND group_id = ?2");

struct change {
	const struct scim_request *q;
	struct buf *out;
	struct scim_answer *ret;
	enum { CREATE, REPLACE, PATCH } how;
};

static const char *text_at(const json_t *doc, const char *key)
{
	return json_string_value(json_object_get(doc, key));
}

/* ---- rules ---- */

/* If-Match names the version that the client has seen. */
static enum err check_version(struct scope *s, const struct scim_request *q, const json_t *doc)
{
	const char *version = text_at(json_object_get(doc, "meta"), "version");
	if (q->if_match == NULL || strcmp(q->if_match, "*") == 0 || strstr(q->if_match, version + strlen("W/")) != NULL)
		return OK;
	return scope_fail(s, ERR_PRECONDITION, "the resource has changed since the version that If-Match names");
}

/* An export of this directory that is read back in by another would bring back who was erased here.  The other directory's own id of a person
 * does not: who is hired again is somebody new. */
static enum err check_suppressed(struct db_tx *tx, const json_t *doc)
{
	struct id id;
	bool yes;
	if (!id_parse(text_at(doc, "externalId"), &id))
		return OK;
	TRY(suppression_check(tx, id.b, sizeof id.b, &yes));
	return !yes ? OK : scope_fail(db_tx_scope(tx), ERR_CONFLICT,
				      "the person with this externalId was erased here and may not come back under it until the last "
				      "backup that has them is gone: send a new person with a new externalId");
}

/* ---- users ---- */

struct lists {
	const json_t *old, *doc;
};

static enum err write_lists(struct db_tx *tx, struct id user, struct audit_change ***tail, bool *changed, void *arg)
{
	const struct lists *l = arg;
	return scim_contacts_write(tx, user, l->old, l->doc, tail, changed);
}

static enum err create_user(struct db_tx *tx, const json_t *doc, struct id *ret)
{
	static const struct id nobody;
	struct record *r;
	struct lists l = {NULL, doc};
	TRY(check_suppressed(tx, doc));
	TRY(scim_user_record(tx, nobody, NULL, doc, &r));
	return user_create_in(tx, r, &(struct user_more){write_lists, &l}, ret);
}

static enum err change_user(struct db_tx *tx, struct id user, const json_t *old, const json_t *doc)
{
	struct record *r;
	struct lists l = {old, doc};
	TRY(scim_user_record(tx, user, old, doc, &r));
	return user_patch_in(tx, user, r, &(struct user_more){write_lists, &l});
}

/* ---- groups ---- */

static void group_record(struct scope *s, const json_t *doc, struct record *r)
{
	const char *external = text_at(doc, "externalId");
	record_set_text(r, "displayName", arena_strdup(s->arena, text_at(doc, "displayName")));
	if (external == NULL)
		record_set_null(r, "externalId");
	else
		record_set_text(r, "externalId", arena_strdup(s->arena, external));
}

static enum err add_members(struct db_tx *tx, struct group_change *c, const struct scim_member_step *step)
{
	struct scope *s = db_tx_scope(tx);
	for (size_t i = 0; i < step->n; i++) {
		enum err err = group_change_add(tx, c, step->users[i]);
		if (err == ERR_NOT_FOUND) {
			s->detail = NULL;
			return scope_fail(s, ERR_BAD_REQUEST, "'members.value' names somebody who is no user here");
		}
		TRY(err);
	}
	return OK;
}

static enum err remove_members(struct db_tx *tx, struct group_change *c, const struct scim_member_step *step)
{
	for (size_t i = 0; i < step->n; i++)
		TRY(group_change_remove(tx, c, step->users[i]));
	return OK;
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

/* All but those who are members again at once: who stays was never away. */
static enum err clear_members(struct db_tx *tx, struct group_change *c, const struct scim_member_step *next)
{
	struct scope *s = db_tx_scope(tx);
	struct scim_member_step gone = {.what = SCIM_MEMBERS_REMOVE};
	bool stays = next != NULL && next->what == SCIM_MEMBERS_ADD && next->n > 0;
	size_t room = 0;
	auto_rows struct db_rows *r = NULL;
	if (stays)
		qsort(next->users, next->n, sizeof *next->users, compare_ids);
	TRY(db_query(tx, &scim_member_ids, DB_ARGS(db_v_id(&c->group)), &r));
	while (db_next(r)) {
		struct id id = db_id(r, 0);
		if (stays && bsearch(&id, next->users, next->n, sizeof id, compare_ids) != NULL)
			continue;
		if (gone.n == room) {
			room = room == 0 ? 64 : 2 * room;
			struct id *more = arena_try(s->arena, room * sizeof *more);
			if (more == NULL)
				return scope_fail(s, ERR_LIMIT, "the group has more members than one request can remove");
			if (gone.n > 0)
				memcpy(more, gone.users, gone.n * sizeof *more);
			gone.users = more;
		}
		gone.users[gone.n++] = id;
	}
	TRY(db_rows_err(r));
	return remove_members(tx, c, &gone);
}

static enum err member_steps(struct db_tx *tx, struct group_change *c, const struct scim_member_step *steps)
{
	for (const struct scim_member_step *step = steps; step != NULL; step = step->next)
		switch (step->what) {
		case SCIM_MEMBERS_ADD: TRY(add_members(tx, c, step)); break;
		case SCIM_MEMBERS_REMOVE: TRY(remove_members(tx, c, step)); break;
		case SCIM_MEMBERS_CLEAR: TRY(clear_members(tx, c, step->next)); break;
		}
	return OK;
}

static enum err create_group(struct db_tx *tx, const json_t *doc, const struct scim_member_step *steps, struct id *ret)
{
	struct scope *s = db_tx_scope(tx);
	struct group_change c;
	struct record *r = record_new(s->arena, &RES_GROUP);
	group_record(s, doc, r);
	TRY(group_create_in(tx, r, &c));
	TRY(member_steps(tx, &c, steps));
	*ret = c.group;
	return group_change_end(tx, &c, true);
}

static enum err change_group(struct db_tx *tx, struct id group, const json_t *doc, const struct scim_member_step *steps)
{
	struct scope *s = db_tx_scope(tx);
	struct group_change c;
	struct record *r = record_new(s->arena, &RES_GROUP);
	group_record(s, doc, r);
	TRY(group_change_begin(tx, group, &c));
	TRY(group_change_row(tx, &c, r));
	TRY(member_steps(tx, &c, steps));
	return group_change_end(tx, &c, false);
}

/* ---- one change ---- */

/* What was sent, as the document that is to be: PUT leaves whether the account is active as it is where it says nothing of it. */
static enum err wanted(struct scope *s, const struct change *c, json_t *old, json_t **ret, struct scim_member_step **steps)
{
	const struct scim_request *q = c->q;
	*steps = NULL;
	if (c->how == PATCH) {
		auto_json *doc = json_deep_copy(old);
		TRY(scim_patch_apply(s, q->resource, q->body, doc, steps));
		*ret = json_incref(doc);
		return OK;
	}
	json_t *body;
	TRY(scim_document(s, q->resource, q->body, &body));
	auto_json *doc = body;
	if (q->resource == SCIM_GROUP) {
		TRY(scim_members_of(s, json_object_get(doc, "members"), steps));
		json_object_del(doc, "members");
	}
	if (c->how == REPLACE && q->resource == SCIM_GROUP) {
		struct scim_member_step *clear = arena_alloc(s->arena, sizeof *clear);
		*clear = (struct scim_member_step){.what = SCIM_MEMBERS_CLEAR, .next = *steps};
		*steps = clear;
	}
	if (c->how == REPLACE && json_object_get(doc, "active") == NULL && json_object_get(old, "active") != NULL)
		json_object_set(doc, "active", json_object_get(old, "active"));
	*ret = json_incref(doc);
	return OK;
}

static enum err apply(struct db_tx *tx, struct change *c, json_t *old)
{
	struct scope *s = db_tx_scope(tx);
	enum scim_resource r = c->q->resource;
	struct scim_member_step *steps;
	json_t *made;
	TRY(wanted(s, c, old, &made, &steps));
	auto_json *doc = made;
	TRY(scim_document_check(s, r, doc));
	if (c->how == CREATE)
		return r == SCIM_USER ? create_user(tx, doc, &c->ret->object) : create_group(tx, doc, steps, &c->ret->object);
	return r == SCIM_USER ? change_user(tx, c->ret->object, old, doc) : change_group(tx, c->ret->object, doc, steps);
}

/* A body that names another id than its path's is a mistake. */
static enum err check_id(struct scope *s, const struct change *c)
{
	struct id id;
	const char *text = c->how == REPLACE ? text_at(c->q->body, "id") : NULL;
	if (text == NULL || (id_parse(text, &id) && id_equal(id, c->ret->object)))
		return OK;
	return scope_fail(s, ERR_MUTABILITY, "'id' cannot be changed");
}

/* One member more in a group of a hundred thousand is not told by listing all of them (RFC 7644, section 3.5.2, allows 204). */
static enum err is_bare(struct db_tx *tx, const struct change *c, bool *ret)
{
	*ret = false;
	if (c->how != PATCH || c->q->resource != SCIM_GROUP || c->q->projection.how != SCIM_WHOLE)
		return OK;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &scim_members_beyond, DB_ARGS(db_v_id(&c->ret->object), db_v_int(SCIM_RESULTS_MAX)), &r));
	*ret = db_next(r);
	return db_rows_err(r);
}

static enum err answer(struct db_tx *tx, struct change *c)
{
	struct scope *s = db_tx_scope(tx);
	struct json_writer w;
	json_t *loaded;
	TRY(scim_load(tx, c->q->resource, c->ret->object, c->q->base, &loaded));
	auto_json *doc = loaded;
	c->ret->etag = arena_strdup(s->arena, text_at(json_object_get(doc, "meta"), "version"));
	c->ret->location = arena_strdup(s->arena, text_at(json_object_get(doc, "meta"), "location"));
	buf_clear(c->out);
	TRY(is_bare(tx, c, &c->ret->bare));
	if (c->ret->bare)
		return OK;
	jw_init(&w, c->out);
	TRY(scim_write(tx, c->q->resource, c->ret->object, c->q->base, &c->q->projection, doc, &w));
	return c->out->failed ? scope_fail(s, ERR_LIMIT, "the answer is too large: leave members out with excludedAttributes") : OK;
}

static enum err change_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct change *c = arg;
	json_t *loaded = NULL;
	if (c->how != CREATE)
		TRY(scim_load(tx, c->q->resource, c->ret->object, c->q->base, &loaded));
	auto_json *old = loaded;
	if (c->how != CREATE) {
		TRY(check_version(s, c->q, old));
		TRY(check_id(s, c));
	}
	TRY(apply(tx, c, old));
	return answer(tx, c);
}

static enum err run(struct scope *s, struct change *c)
{
	*c->ret = (struct scim_answer){0};
	if (c->how != CREATE && !id_parse(c->q->id, &c->ret->object))
		return scope_fail(s, ERR_NOT_FOUND, c->q->resource == SCIM_USER ? "there is no such user" : "there is no such group");
	s->subject = c->ret->object;
	return db_write(s, change_tx, c);
}

enum err scim_create(struct scope *s, const struct scim_request *q, struct buf *out, struct scim_answer *ret)
{
	return run(s, &(struct change){q, out, ret, CREATE});
}

enum err scim_replace(struct scope *s, const struct scim_request *q, struct buf *out, struct scim_answer *ret)
{
	return run(s, &(struct change){q, out, ret, REPLACE});
}

enum err scim_patch(struct scope *s, const struct scim_request *q, struct buf *out, struct scim_answer *ret)
{
	return run(s, &(struct change){q, out, ret, PATCH});
}

/* ---- delete ---- */

struct deletion {
	const struct scim_request *q;
	struct id object;
};

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct deletion *d = arg;
	struct id duty;
	json_t *loaded;
	TRY(scim_load(tx, d->q->resource, d->object, d->q->base, &loaded));
	auto_json *doc = loaded;
	TRY(check_version(s, d->q, doc));
	return d->q->resource == SCIM_USER ? user_erase(tx, d->object, &duty) : group_delete_in(tx, d->object);
}

enum err scim_delete(struct scope *s, const struct scim_request *q)
{
	struct deletion d = {.q = q};
	if (!id_parse(q->id, &d.object))
		return scope_fail(s, ERR_NOT_FOUND, q->resource == SCIM_USER ? "there is no such user" : "there is no such group");
	s->subject = d.object;
	return db_write(s, delete_tx, &d);
}
