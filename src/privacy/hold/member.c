/* SPDX-License-Identifier: Apache-2.0
 * Members of holds: people, record sets of people, devices. */
#include <string.h>

#include "duty/duty.h"
#include "privacy/export/export.h"
#include "privacy/hold/internal.h"
#include "resource/tables.h"

DB_TENANT(hold_user, "SELECT user_id FROM users WHERE tenant_id = ?1 AND user_id = ?2");
DB_TENANT(hold_device, "SELECT user_id FROM managed_devices WHERE tenant_id = ?1 AND device_id = ?2");
DB_TENANT(hold_member_list, "SELECT member_id, hold_id, user_id, device_id FROM legal_hold_members WHERE tenant_id = ?1 ORDER BY member_id");
DB_TENANT(hold_member_list_of,
	  "SELECT member_id, hold_id, user_id, device_id FROM legal_hold_members WHERE tenant_id = ?1 AND hold_id = ?2 ORDER BY member_id");
DB_TENANT(hold_member_insert,
	  "INSERT INTO legal_hold_members (tenant_id, member_id, hold_id, user_id, device_id, sections, added_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
DB_TENANT(hold_member_drop, "DELETE FROM legal_hold_members WHERE tenant_id = ?1 AND hold_id = ?2 AND member_id = ?3");

static bool is_nil(struct id id) { return id_is_nil(id); }

/* ---- reading ---- */

enum err hold_members(struct db_tx *tx, struct id hold, struct hold_member **ret, size_t *ret_n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	size_t n = 0, room = 0;
	struct hold_member *list = NULL;
	if (is_nil(hold))
		TRY(db_query(tx, &hold_member_list, DB_NOARGS, &r));
	else
		TRY(db_query(tx, &hold_member_list_of, DB_ARGS(db_v_id(&hold)), &r));
	while (db_next(r)) {
		if (n == room) {
			room = room == 0 ? 64 : 2 * room;
			struct hold_member *more = arena_alloc(a, room * sizeof *more);
			if (n > 0)
				memcpy(more, list, n * sizeof *more);
			list = more;
		}
		list[n++] = (struct hold_member){db_id(r, 0), db_id(r, 1), db_id(r, 2), db_id(r, 3)};
	}
	*ret = list;
	*ret_n = n;
	return db_rows_err(r);
}

/* ---- adding ---- */

struct adding {
	struct id hold, user, member;
	const struct legal_hold_thing *t;
	const char *sections;
};

static bool is_section(const char *name)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	for (size_t i = 0; i < n; i++)
		if (*name != '\0' && strcmp(p[i].section, name) == 0)
			return true;
	return false;
}

static enum err read_sections(struct scope *s, const struct legal_hold_thing *t, const char **ret)
{
	size_t i;
	json_t *v;
	*ret = NULL;
	if (t->sections == NULL || json_is_null(t->sections))
		return OK;
	if (t->user == NULL || !json_is_array(t->sections) || json_array_size(t->sections) == 0 || json_array_size(t->sections) > 100)
		return scope_fail(s, ERR_BAD_REQUEST, "'sections' is a list of sections of what is held of a person");
	json_array_foreach((json_t *)(uintptr_t)t->sections, i, v)
		if (!json_is_string(v) || !is_section(json_string_value(v)))
			return scope_fail(s, ERR_BAD_REQUEST, "'sections' names a section that the data map does not have, at place %zu", i);
	auto_buf text;
	buf_init(&text, 16 * 1024);
	struct json_writer w;
	jw_init(&w, &text);
	jw_json(&w, t->sections);
	*ret = arena_strndup(s->arena, text.data, text.len);
	return OK;
}

/* A person by id: also one who is out of sight already, as long as a row is left. */
static enum err resolve(struct scope *s, const struct legal_hold_thing *t, struct id *ret)
{
	*ret = (struct id){{0}};
	if (t->user == NULL || id_parse(t->user, ret))
		return OK;
	return export_resolve(s, t->user, ret);
}

static enum err find(struct db_tx *tx, struct adding *a)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	bool device = a->t->user == NULL;
	const struct id *key = device ? &a->t->device : &a->user;
	TRY(db_query(tx, device ? &hold_device : &hold_user, DB_ARGS(db_v_id(key)), &r));
	if (!db_next(r)) {
		TRY(db_rows_err(r));
		return scope_fail(s, ERR_NOT_FOUND, "nothing is left of this %s: there is nothing to hold", device ? "device" : "person");
	}
	a->user = db_id(r, 0);
	return OK;
}

/* Once its plan is frozen a deletion runs to its end: a hold that kept half of it would lie. */
static enum err not_going(struct db_tx *tx, struct id subject)
{
	struct duty d;
	enum err e = is_nil(subject) ? ERR_NOT_FOUND : duty_of_subject(tx, subject, &d);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	return d.plan == NULL ? OK : scope_fail(db_tx_scope(tx), ERR_CONFLICT, "it is being deleted already: nothing of it can be held any more");
}

static enum err check_room(struct db_tx *tx, const struct adding *a)
{
	struct hold_member *m;
	size_t n;
	TRY(hold_members(tx, a->hold, &m, &n));
	if (n >= LEGAL_HOLD_MEMBERS_MAX)
		return scope_fail(db_tx_scope(tx), ERR_CONFLICT, "a legal hold has at most %d members", LEGAL_HOLD_MEMBERS_MAX);
	for (size_t i = 0; i < n; i++)
		if (id_equal(m[i].user, a->user) && id_equal(m[i].device, a->t->device))
			return scope_fail(db_tx_scope(tx), ERR_CONFLICT, "it is a member of this legal hold already");
	return OK;
}

static enum err insert(struct db_tx *tx, struct adding *a)
{
	struct scope *s = db_tx_scope(tx);
	a->member = scope_id(s);
	return db_exec(tx, &hold_member_insert,
		       DB_ARGS(db_v_id(&a->member), db_v_id(&a->hold), is_nil(a->user) ? db_v_null() : db_v_id(&a->user),
			       is_nil(a->t->device) ? db_v_null() : db_v_id(&a->t->device), db_v_text(a->sections), db_v_int(s->now)),
		       NULL);
}

static enum err add_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct adding *a = arg;
	struct record *hold;
	char text[ID_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(hold_open(tx, a->hold, &hold));
	TRY(find(tx, a));
	TRY(not_going(tx, a->user)); /* a device's person, too */
	TRY(not_going(tx, a->t->device));
	TRY(check_room(tx, a));
	TRY(insert(tx, a));
	if (!is_nil(a->t->device))
		tail = audit_change_add(s->arena, tail, "deviceId", NULL, NULL, NULL, id_format(a->t->device, text));
	if (a->sections != NULL)
		tail = audit_change_add(s->arena, tail, "sections", NULL, NULL, NULL, a->sections);
	audit_change_add(s->arena, tail, "memberId", NULL, NULL, NULL, id_format(a->member, text));
	return hold_record(tx, ACT_LEGAL_HOLD_ADD, a->hold, record_text(s->arena, hold, "displayName"), a->user, changes);
}

enum err legal_hold_add(struct scope *s, struct id hold, const struct legal_hold_thing *t, struct id *ret)
{
	struct adding a = {.hold = hold, .t = t};
	TRY(read_sections(s, t, &a.sections));
	TRY(resolve(s, t, &a.user));
	TRY(db_write(s, add_tx, &a));
	*ret = a.member;
	return OK;
}

/* ---- removing ---- */

struct removing {
	struct id hold, member;
};

static enum err remove_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct removing *a = arg;
	struct record *hold;
	struct hold_member *m;
	size_t n, i = 0;
	char text[ID_TEXT];
	struct audit_change *changes = NULL;
	TRY(hold_open(tx, a->hold, &hold));
	TRY(hold_members(tx, a->hold, &m, &n));
	while (i < n && !id_equal(m[i].member, a->member))
		i++;
	if (i == n)
		return scope_fail(s, ERR_NOT_FOUND, "the legal hold has no such member");
	TRY(db_exec(tx, &hold_member_drop, DB_ARGS(db_v_id(&a->hold), db_v_id(&a->member)), NULL));
	audit_change_add(s->arena, &changes, "memberId", NULL, NULL, id_format(a->member, text), NULL);
	return hold_record(tx, ACT_LEGAL_HOLD_REMOVE, a->hold, record_text(s->arena, hold, "displayName"), m[i].user, changes);
}

enum err legal_hold_remove(struct scope *s, struct id hold, struct id member)
{
	return db_write(s, remove_tx, &(struct removing){hold, member});
}
