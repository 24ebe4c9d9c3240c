/* SPDX-License-Identifier: Apache-2.0
 *
 * PATCH (RFC 7644, section 3.5.2), as Entra ID and Okta write it, too: operations in any letter case, without a path, with dotted names and
 * URNs for keys, with a filter that names an element which is to be made.  Operations are applied in order to a document that the caller
 * throws away where one fails.
 *
 * The dangerous one: "Remove" of "members" with a list takes away those that are listed, and nobody else.
 */
#include <string.h>
#include <strings.h>

#include "codec/json.h"
#include "directory/provisioning/document.h"

#define PATCH_URN "urn:ietf:params:scim:api:messages:2.0:PatchOp"

enum { OPERATIONS_MAX = 1000, MEMBERS_MAX = 20000 /* of one request; it has a body limit besides */ };

enum kind { ADD, REPLACE, REMOVE };

struct patch {
	struct scope *s;
	enum scim_resource r;
	json_t *doc;
	struct scim_member_step **tail;
};

struct operation {
	enum kind kind;
	struct scim_place place;
	struct scim_filter *filter;
	const json_t *value; /* NULL: none was given */
};

static bool removes(const struct operation *o)
{
	return o->kind == REMOVE || (o->kind == REPLACE && (o->value == NULL || json_is_null(o->value)));
}

/* ---- members of a group ---- */

static enum err member_id(struct scope *s, const json_t *v, struct id *ret)
{
	const json_t *type = json_object_get(v, "type");
	const char *text = json_string_value(json_is_object(v) ? json_object_get(v, "value") : v);
	if (text == NULL)
		text = scim_referred(json_string_value(json_object_get(v, "$ref")));
	if (json_is_string(type) && strcasecmp(json_string_value(type), "User") != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "'members' may name users only");
	if (text == NULL || !id_parse(text, ret))
		return scope_fail(s, ERR_BAD_REQUEST, "'members.value' must be the id of a user");
	return OK;
}

enum err scim_members_of(struct scope *s, const json_t *list, struct scim_member_step **ret)
{
	size_t n = json_is_array(list) ? json_array_size(list) : list == NULL || json_is_null(list) ? 0 : 1;
	struct scim_member_step *step = arena_alloc(s->arena, sizeof *step);
	if (n > MEMBERS_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "'members' names more than %d users", MEMBERS_MAX);
	*step = (struct scim_member_step){.what = SCIM_MEMBERS_ADD};
	step->users = n == 0 ? NULL : arena_alloc(s->arena, n * sizeof *step->users);
	for (size_t i = 0; i < n; i++)
		TRY(member_id(s, json_is_array(list) ? json_array_get(list, i) : list, &step->users[step->n++]));
	*ret = step;
	return OK;
}

static void push(struct patch *p, struct scim_member_step *step)
{
	*p->tail = step;
	p->tail = &step->next;
}

static void push_clear(struct patch *p)
{
	struct scim_member_step *step = arena_alloc(p->s->arena, sizeof *step);
	step->what = SCIM_MEMBERS_CLEAR;
	push(p, step);
}

/* value eq "…", or several of them with or. */
static enum err filtered_members(struct patch *p, const struct scim_filter *f)
{
	if (f->op == SCIM_OR) {
		TRY(filtered_members(p, f->left));
		return filtered_members(p, f->right);
	}
	struct scim_member_step *step = arena_alloc(p->s->arena, sizeof *step);
	if (f->op != SCIM_EQ || f->path.sub != NULL || strcasecmp(f->path.attr, "value") != 0 || f->value.type != SCIM_TEXT)
		return scope_fail(p->s, ERR_BAD_PATH, "members are named by value eq, and or between several");
	*step = (struct scim_member_step){.what = SCIM_MEMBERS_REMOVE, .users = arena_alloc(p->s->arena, sizeof *step->users)};
	step->n = id_parse(f->value.text, step->users); /* who can be no user is no member */
	push(p, step);
	return OK;
}

/* Those of a list to be removed that can be no user's id are no members. */
static enum err listed_members(struct patch *p, const json_t *list)
{
	struct scim_member_step *step;
	TRY(scim_members_of(p->s, list, &step));
	step->what = SCIM_MEMBERS_REMOVE;
	push(p, step);
	return OK;
}

static bool names_members(const json_t *v)
{
	return v != NULL && !json_is_null(v) && !(json_is_object(v) && json_object_size(v) == 0);
}

static enum err patch_members(struct patch *p, const struct operation *o)
{
	struct scim_member_step *step;
	if (o->place.sub != NULL)
		return scope_fail(p->s, ERR_MUTABILITY, "a member is added and removed, not changed");
	if (o->filter != NULL)
		return o->kind == REMOVE ? filtered_members(p, o->filter) :
					   scope_fail(p->s, ERR_MUTABILITY, "a member is added and removed, not changed");
	if (o->kind == REMOVE && names_members(o->value))
		return listed_members(p, o->value);
	if (o->kind != ADD)
		push_clear(p);
	if (o->kind == REMOVE)
		return OK;
	TRY(scim_members_of(p->s, o->value, &step));
	push(p, step);
	return OK;
}

/* ---- attributes with several values ---- */

static void only_primary(json_t *list, const json_t *element)
{
	size_t i;
	json_t *e;
	if (!json_is_true(json_object_get(element, "primary")))
		return;
	json_array_foreach(list, i, e)
		if (e != element)
			json_object_del(e, "primary");
}

/* The same value of the same type is there once. */
static bool is_same(const json_t *a, const json_t *b)
{
	const json_t *x = json_object_get(a, "value"), *y = json_object_get(b, "value");
	if (x == NULL || y == NULL)
		return json_equal((json_t *)a, (json_t *)b);
	const json_t *t = json_object_get(a, "type"), *u = json_object_get(b, "type");
	return json_equal((json_t *)x, (json_t *)y) && (t == NULL || u == NULL || json_equal((json_t *)t, (json_t *)u));
}

static void append(json_t *list, json_t *element)
{
	size_t i;
	json_t *e;
	json_array_foreach(list, i, e)
		if (is_same(e, element)) {
			json_object_update(e, element);
			only_primary(list, e);
			return;
		}
	json_array_append(list, element);
	only_primary(list, element);
}

static bool is_listed(const json_t *list, const json_t *element)
{
	size_t i;
	json_t *e;
	json_array_foreach(list, i, e)
		if (is_same(e, element))
			return true;
	return false;
}

static void take_away(json_t *list, const json_t *which)
{
	for (size_t i = json_array_size(list); i > 0; i--)
		if (is_listed(which, json_array_get(list, i - 1)))
			json_array_remove(list, i - 1);
}

/* type eq "work" and primary eq true: an element that is not there can be made of it. */
static bool can_make(const struct scim_filter *f)
{
	if (f->op == SCIM_AND)
		return can_make(f->left) && can_make(f->right);
	return f->op == SCIM_EQ && (f->value.type == SCIM_BOOL || f->value.type == SCIM_TEXT);
}

static enum err make_of(struct patch *p, const struct scim_attribute *a, const struct scim_filter *f, json_t *element)
{
	if (f->op == SCIM_AND) {
		TRY(make_of(p, a, f->left, element));
		return make_of(p, a, f->right, element);
	}
	const struct scim_attribute *sub = scim_sub(a, f->path.attr);
	auto_json *given = f->value.type == SCIM_BOOL ? json_boolean(f->value.yes) : json_string(f->value.text);
	json_t *v;
	TRY(scim_value_of(p->s, sub, given, &v));
	if (v != NULL)
		json_object_set_new(element, sub->name, v);
	return OK;
}

static bool needs_value(const struct scim_attribute *a)
{
	const struct scim_attribute *value = scim_sub(a, "value");
	return value != NULL && (value->flags & SCIM_REQUIRED);
}

/* One element: a sub-attribute of it, or what the value's object says. */
static enum err change_element(struct patch *p, const struct operation *o, json_t *list, json_t *element)
{
	json_t *v;
	if (o->place.sub != NULL) {
		TRY(scim_value_of(p->s, o->place.sub, o->value, &v));
		if (v == NULL)
			json_object_del(element, o->place.sub->name);
		else
			json_object_set_new(element, o->place.sub->name, v);
	} else {
		auto_json *merged = json_copy(element); /* what it does not say stays */
		if (json_is_object(o->value))
			json_object_update(merged, (json_t *)o->value);
		else if (o->value != NULL)
			json_object_set(merged, "value", (json_t *)o->value);
		TRY(scim_element_of(p->s, o->place.attr, merged, &v));
		if (v == NULL && needs_value(o->place.attr))
			return scope_fail(p->s, ERR_BAD_REQUEST, "'%s' needs a value", o->place.attr->path);
		json_object_clear(element);
		json_object_update(element, v); /* NULL: nothing is left of it */
		json_decref(v);
	}
	only_primary(list, element);
	return OK;
}

static enum err new_element(struct patch *p, const struct operation *o, json_t *list)
{
	if (o->filter != NULL && !can_make(o->filter))
		return scope_fail(p->s, ERR_NO_TARGET, "no value of '%s' fits the filter", o->place.attr->path);
	auto_json *element = json_object();
	if (o->filter != NULL)
		TRY(make_of(p, o->place.attr, o->filter, element));
	TRY(change_element(p, o, list, element));
	json_array_append(list, element);
	only_primary(list, element);
	return OK;
}

static bool fits(const struct operation *o, const json_t *element)
{
	return o->filter == NULL || scim_element_matches(o->place.attr, o->filter, element);
}

static enum err change_elements(struct patch *p, const struct operation *o, json_t *list)
{
	bool any = false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!fits(o, json_array_get(list, i)))
			continue;
		any = true;
		TRY(change_element(p, o, list, json_array_get(list, i)));
	}
	return any ? OK : new_element(p, o, list);
}

static void remove_elements(const struct operation *o, json_t *list)
{
	bool whole = o->place.sub == NULL || (strcmp(o->place.sub->name, "value") == 0 && needs_value(o->place.attr));
	for (size_t i = json_array_size(list); i > 0; i--) {
		json_t *element = json_array_get(list, i - 1);
		if (!fits(o, element))
			continue;
		if (!whole)
			json_object_del(element, o->place.sub->name);
		if (whole || json_object_size(element) == 0)
			json_array_remove(list, i - 1);
	}
}

static enum err add_list(struct patch *p, const struct operation *o, json_t *list)
{
	json_t *given;
	size_t i;
	json_t *e;
	TRY(scim_value_of(p->s, o->place.attr, o->value, &given));
	if (o->kind == REPLACE)
		json_array_clear(list);
	json_array_foreach(given, i, e)
		append(list, e);
	json_decref(given);
	return OK;
}

static enum err remove_list(struct patch *p, const struct operation *o, json_t *list)
{
	json_t *given;
	TRY(scim_value_of(p->s, o->place.attr, o->value, &given));
	if (given == NULL)
		json_array_clear(list);
	else
		take_away(list, given);
	json_decref(given);
	return OK;
}

static enum err patch_list(struct patch *p, const struct operation *o, json_t *part)
{
	const struct scim_attribute *a = o->place.attr;
	enum err err = OK;
	json_t *list = json_object_get(part, a->name);
	if (o->filter != NULL)
		TRY(scim_element_check(p->s, a, o->filter, ERR_BAD_PATH));
	if (list == NULL)
		json_object_set_new(part, a->name, list = json_array());
	if (o->filter == NULL && o->place.sub == NULL)
		err = o->kind == REMOVE ? remove_list(p, o, list) : add_list(p, o, list);
	else if (removes(o))
		remove_elements(o, list);
	else
		err = change_elements(p, o, list);
	for (size_t i = json_array_size(list); i > 0; i--)
		if (scim_says_nothing(a, json_array_get(list, i - 1)))
			json_array_remove(list, i - 1);
	if (err == OK)
		err = scim_values_check(p->s, a, list);
	if (json_array_size(list) == 0)
		json_object_del(part, a->name);
	return err;
}

/* ---- attributes with one value ---- */

static enum err patch_one(struct patch *p, const struct operation *o, json_t *part)
{
	json_t *v;
	const struct scim_attribute *a = o->place.attr;
	if (removes(o) && ((a->flags & SCIM_REQUIRED) || a->type == SCIM_BOOLEAN)) /* an account is active or not: "removed" must enable nobody */
		return scope_fail(p->s, ERR_MUTABILITY, "'%s' always has a value", a->path);
	TRY(scim_value_of(p->s, a, removes(o) ? NULL : o->value, &v));
	if (v == NULL)
		json_object_del(part, a->name);
	else if (a->type == SCIM_COMPLEX && json_is_object(json_object_get(part, a->name))) {
		json_object_update(json_object_get(part, a->name), v);
		json_decref(v);
	} else
		json_object_set_new(part, a->name, v);
	return OK;
}

static enum err patch_sub(struct patch *p, const struct operation *o, json_t *part)
{
	json_t *v, *object = json_object_get(part, o->place.attr->name);
	const struct scim_attribute *sub = o->place.sub;
	TRY(scim_value_of(p->s, sub, removes(o) ? NULL : o->value, &v));
	if (sub->type == SCIM_REFERENCE) { /* an address says the same as the id in it */
		json_t *id = v == NULL ? NULL : json_string(scim_referred(json_string_value(v)));
		json_decref(v);
		v = id;
		sub = scim_sub(o->place.attr, "value");
	}
	if (object == NULL)
		json_object_set_new(part, o->place.attr->name, object = json_object());
	if (v != NULL)
		json_object_set_new(object, sub->name, v);
	else
		json_object_del(object, sub->name);
	if (json_object_size(object) == 0 || (needs_value(o->place.attr) && json_object_get(object, "value") == NULL))
		json_object_del(part, o->place.attr->name);
	return OK;
}

static enum err patch_place(struct patch *p, const struct operation *o)
{
	const struct scim_attribute *a = o->place.attr, *sub = o->place.sub;
	json_t *part = scim_part(p->doc, o->place.schema, true);
	enum err err;
	if (p->r == SCIM_GROUP && strcmp(a->name, "members") == 0)
		return patch_members(p, o);
	if ((a->flags & SCIM_READ_ONLY) || (sub != NULL && (sub->flags & SCIM_READ_ONLY)))
		return scope_fail(p->s, ERR_MUTABILITY, "'%s' is read-only", sub != NULL ? sub->path : a->path);
	if (o->filter != NULL && !(a->flags & SCIM_MULTI))
		return scope_fail(p->s, ERR_BAD_PATH, "'%s' has one value: it takes no filter", a->path);
	if (a->flags & SCIM_MULTI)
		err = patch_list(p, o, part);
	else
		err = sub != NULL ? patch_sub(p, o, part) : patch_one(p, o, part);
	scim_part_tidy(p->doc, o->place.schema);
	return err;
}

/* ---- operations ---- */

static enum err patch_object(struct patch *p, enum kind kind, enum scim_schema schema, const json_t *value);

/* id may be sent along as it is. */
static enum err same_id(struct patch *p, const json_t *value)
{
	const char *have = json_string_value(json_object_get(p->doc, "id")), *want = json_string_value(value);
	return want != NULL && have != NULL && strcasecmp(have, want) == 0 ? OK : scope_fail(p->s, ERR_MUTABILITY, "'id' cannot be changed");
}

/* A key of a value without a path: what a path could be.  Read-only attributes come along with whole objects and say nothing. */
static enum err patch_key(struct patch *p, enum kind kind, enum scim_schema schema, const char *key, const json_t *value)
{
	struct scim_target t;
	struct operation o = {.kind = kind, .value = value};
	enum scim_schema named;
	if (scim_schema_named(key, &named))
		return patch_object(p, kind, named, value);
	struct scope quiet = *p->s;
	if (scim_target_parse(&quiet, key, &t) != OK)
		return OK; /* a name of nobody's */
	if (t.path.schema == NULL && scim_is_extension(schema))
		t.path.schema = scim_schema_urn(schema);
	if (!scim_resolve(p->r, &t.path, &o.place) || o.place.whole)
		return OK;
	if (strcmp(o.place.attr->path, "id") == 0)
		return same_id(p, value);
	if ((o.place.attr->flags & SCIM_READ_ONLY) || (o.place.sub != NULL && (o.place.sub->flags & SCIM_READ_ONLY)))
		return OK;
	o.filter = t.filter;
	return patch_place(p, &o);
}

static enum err patch_object(struct patch *p, enum kind kind, enum scim_schema schema, const json_t *value)
{
	const char *key;
	json_t *v;
	if (!json_is_object(value))
		return scope_fail(p->s, ERR_BAD_REQUEST, "an operation without a path needs an object for its value");
	json_object_foreach((json_t *)value, key, v)
		TRY(patch_key(p, kind, schema, key, v));
	return OK;
}

static enum err patch_whole(struct patch *p, const struct operation *o)
{
	if (!removes(o))
		return patch_object(p, o->kind, o->place.schema, o->value);
	if (!scim_is_extension(o->place.schema))
		return scope_fail(p->s, ERR_MUTABILITY, "a resource cannot be emptied");
	json_object_del(p->doc, scim_schema_urn(o->place.schema));
	return OK;
}

static enum err patch_path(struct patch *p, struct operation *o, const char *path)
{
	struct scim_target t;
	TRY(scim_target_parse(p->s, path, &t));
	o->filter = t.filter;
	if (!scim_resolve(p->r, &t.path, &o->place))
		return scim_is_ignored(p->r, &t.path) ? OK : scope_fail(p->s, ERR_BAD_PATH, "there is no such attribute");
	if (o->place.whole)
		return patch_whole(p, o);
	if (strcmp(o->place.attr->path, "id") == 0 && o->kind != REMOVE)
		return same_id(p, o->value);
	return patch_place(p, o);
}

static enum err kind_of(struct patch *p, const json_t *op, enum kind *ret)
{
	static const char *const names[] = {[ADD] = "add", [REPLACE] = "replace", [REMOVE] = "remove"};
	const char *text = json_string_value(op);
	for (size_t i = 0; text != NULL && i < sizeof names / sizeof names[0]; i++)
		if (strcasecmp(text, names[i]) == 0) {
			*ret = (enum kind)i;
			return OK;
		}
	return scope_fail(p->s, ERR_BAD_SYNTAX, "'op' must be add, replace or remove");
}

/* Members of messages in any case, as attributes. */
static const json_t *get(const json_t *object, const char *name)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)object, key, v)
		if (strcasecmp(key, name) == 0)
			return v;
	return NULL;
}

static enum err patch_operation(struct patch *p, const json_t *op)
{
	struct operation o = {.value = get(op, "value")};
	const json_t *path = get(op, "path");
	TRY(kind_of(p, get(op, "op"), &o.kind));
	if (path != NULL && !json_is_null(path) && !json_is_string(path))
		return scope_fail(p->s, ERR_BAD_PATH, "'path' must be a text");
	if (json_string_length(path) > 0)
		return patch_path(p, &o, json_string_value(path));
	if (o.kind == REMOVE)
		return scope_fail(p->s, ERR_NO_TARGET, "a remove needs a path");
	return patch_object(p, o.kind, scim_core_of(p->r), o.value);
}

static bool is_patch(const json_t *schemas)
{
	size_t i;
	json_t *v;
	json_array_foreach(schemas, i, v)
		if (json_is_string(v) && strcasecmp(json_string_value(v), PATCH_URN) == 0)
			return true;
	return schemas == NULL;
}

enum err scim_patch_apply(struct scope *s, enum scim_resource r, const json_t *body, json_t *doc, struct scim_member_step **ret_steps)
{
	struct patch p = {.s = s, .r = r, .doc = doc, .tail = ret_steps};
	const json_t *list = get(body, "Operations");
	size_t i;
	json_t *op;
	*ret_steps = NULL;
	if (!is_patch(get(body, "schemas")) || !json_is_array(list) || json_array_size(list) == 0)
		return scope_fail(s, ERR_BAD_SYNTAX, "the body must be a PatchOp with Operations");
	if (json_array_size(list) > OPERATIONS_MAX)
		return scope_fail(s, ERR_BAD_SYNTAX, "a request has at most %d operations", OPERATIONS_MAX);
	json_array_foreach(list, i, op)
		TRY(patch_operation(&p, op));
	return OK;
}
