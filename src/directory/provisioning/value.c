/* SPDX-License-Identifier: Apache-2.0
 *
 * Values as clients write them, in one form.  Entra ID writes booleans as texts, wraps a single value in a list of objects and names a manager
 * by a text; Okta sends read-only attributes along.  None of it is refused, and none of it reaches the rest of the program.
 */
#include <string.h>
#include <strings.h>

#include "directory/provisioning/document.h"

static enum err refuse(struct scope *s, const struct scim_attribute *a, const char *why)
{
	return scope_fail(s, ERR_BAD_REQUEST, "'%s' %s", a->path, why);
}

json_t *scim_part(json_t *doc, enum scim_schema schema, bool make)
{
	if (!scim_is_extension(schema))
		return doc;
	json_t *part = json_object_get(doc, scim_schema_urn(schema));
	if (part != NULL || !make)
		return part;
	part = json_object();
	json_object_set_new(doc, scim_schema_urn(schema), part);
	return part;
}

void scim_part_tidy(json_t *doc, enum scim_schema schema)
{
	json_t *part = scim_part(doc, schema, false);
	if (scim_is_extension(schema) && json_object_size(part) == 0)
		json_object_del(doc, scim_schema_urn(schema));
}

/* ---- one value ---- */

/* C0, DEL and C1; an address has lines. */
static bool has_control(const struct scim_attribute *a, const char *text)
{
	bool lines = strncmp(a->path, "addresses.", strlen("addresses.")) == 0;
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (lines && (*p == '\n' || *p == '\r' || *p == '\t'))
			continue;
		if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return true;
	}
	return false;
}

static enum err text_of(struct scope *s, const struct scim_attribute *a, const json_t *in, json_t **ret)
{
	if (!json_is_string(in))
		return refuse(s, a, "must be a text");
	if (json_string_length(in) != strlen(json_string_value(in)) || has_control(a, json_string_value(in)))
		return refuse(s, a, "holds control characters");
	if (a->most > 0 && json_string_length(in) > a->most)
		return scope_fail(s, ERR_BAD_REQUEST, "'%s' is longer than %zu bytes", a->path, a->most);
	*ret = json_string_length(in) == 0 ? NULL : json_string(json_string_value(in));
	return OK;
}

static enum err bool_of(struct scope *s, const struct scim_attribute *a, const json_t *in, json_t **ret)
{
	const char *text = json_string_value(in);
	bool yes = json_is_true(in) || (text != NULL && strcasecmp(text, "true") == 0);
	if (!yes && !json_is_false(in) && (text == NULL || strcasecmp(text, "false") != 0))
		return refuse(s, a, "must be true or false");
	*ret = json_boolean(yes);
	return OK;
}

/* The members of an object that the attribute has and a client may set. */
static enum err members_of(struct scope *s, const struct scim_attribute *a, const json_t *in, json_t *out)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)in, key, v) {
		const struct scim_attribute *sub = scim_sub(a, key);
		json_t *value;
		if (sub == NULL || (sub->flags & SCIM_READ_ONLY))
			continue;
		TRY(scim_value_of(s, sub, v, &value));
		if (value != NULL)
			json_object_set_new(out, sub->name, value);
	}
	return OK;
}

const char *scim_referred(const char *ref)
{
	const char *slash = ref == NULL ? NULL : strrchr(ref, '/');
	return slash == NULL ? ref : slash + 1;
}

/* {"$ref": "…/Users/7"} names what {"value": "7"} does; the address is ours to say. */
static void take_reference(json_t *out)
{
	const char *id = scim_referred(json_string_value(json_object_get(out, "$ref")));
	if (id != NULL && *id != '\0' && json_object_get(out, "value") == NULL)
		json_object_set_new(out, "value", json_string(id));
	json_object_del(out, "$ref");
}

/* {"type": "work"}, {"value": null, …}: of nothing. */
bool scim_says_nothing(const struct scim_attribute *a, const json_t *element)
{
	static const char *const about[] = {"type", "primary", "display"};
	const struct scim_attribute *value = scim_sub(a, "value");
	size_t n = json_object_size(element);
	if (value != NULL && (value->flags & SCIM_REQUIRED))
		return json_object_get(element, "value") == NULL;
	for (size_t i = 0; i < sizeof about / sizeof about[0]; i++)
		n -= (a->flags & SCIM_MULTI) && json_object_get(element, about[i]) != NULL;
	return n == 0;
}

enum err scim_values_check(struct scope *s, const struct scim_attribute *a, const json_t *list)
{
	if (json_array_size(list) > SCIM_VALUES_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "'%s' has more than %d values", a->path, SCIM_VALUES_MAX);
	return OK;
}

enum err scim_element_of(struct scope *s, const struct scim_attribute *a, const json_t *in, json_t **ret)
{
	const struct scim_attribute *value = scim_sub(a, "value");
	json_t *out = json_object(), *v;
	enum err err = OK;
	*ret = NULL;
	if (json_is_object(in)) {
		err = members_of(s, a, in, out);
		take_reference(out);
	} else if (value != NULL && json_is_string(in)) {
		err = scim_value_of(s, value, in, &v);
		if (err == OK && v != NULL)
			json_object_set_new(out, "value", v);
	} else if (!json_is_null(in)) {
		err = refuse(s, a, "must be an object");
	}
	if (err == OK && !scim_says_nothing(a, out))
		*ret = json_incref(out);
	json_decref(out);
	return err;
}

static enum err list_of(struct scope *s, const struct scim_attribute *a, const json_t *in, json_t **ret)
{
	json_t *out = json_array();
	enum err err = OK;
	bool many = json_is_array(in);
	size_t n = many ? json_array_size(in) : 1;
	for (size_t i = 0; i < n && err == OK; i++) {
		json_t *element;
		err = scim_element_of(s, a, many ? json_array_get(in, i) : in, &element);
		if (err == OK && element != NULL)
			json_array_append_new(out, element);
		if (err == OK)
			err = scim_values_check(s, a, out);
	}
	*ret = err == OK && json_array_size(out) > 0 ? json_incref(out) : NULL;
	json_decref(out);
	return err;
}

/* [{"value": "x"}], {"value": "x"}: of an attribute that has one plain value. */
static const json_t *unwrap(const json_t *in)
{
	if (json_is_array(in) && json_array_size(in) == 1)
		in = json_array_get(in, 0);
	return json_is_object(in) && json_object_get(in, "value") != NULL ? json_object_get(in, "value") : in;
}

enum err scim_value_of(struct scope *s, const struct scim_attribute *a, const json_t *in, json_t **ret)
{
	*ret = NULL;
	if (in == NULL || json_is_null(in) || (json_is_array(in) && json_array_size(in) == 0))
		return OK;
	if (a->flags & SCIM_MULTI)
		return list_of(s, a, in, ret);
	if (a->type == SCIM_COMPLEX)
		return scim_element_of(s, a, json_is_array(in) ? json_array_get(in, 0) : in, ret);
	in = unwrap(in);
	if (json_is_null(in))
		return OK;
	return a->type == SCIM_BOOLEAN ? bool_of(s, a, in, ret) : text_of(s, a, in, ret);
}

/* ---- a whole body ---- */

static enum err take(struct scope *s, enum scim_resource r, enum scim_schema schema, const char *key, const json_t *v, json_t *doc);

static enum err take_all(struct scope *s, enum scim_resource r, enum scim_schema schema, const json_t *object, json_t *doc)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)object, key, v)
		TRY(take(s, r, schema, key, v, doc));
	return OK;
}

static enum err take(struct scope *s, enum scim_resource r, enum scim_schema schema, const char *key, const json_t *v, json_t *doc)
{
	enum scim_schema named;
	json_t *value;
	if (scim_schema_named(key, &named))
		return json_is_object(v) ? take_all(s, r, named, v, doc) : json_is_null(v) ? OK :
		       scope_fail(s, ERR_BAD_REQUEST, "an extension must be an object");
	const struct scim_attribute *a = scim_top(r, schema, key);
	if (a == NULL || (a->flags & SCIM_READ_ONLY))
		return OK;
	if (r == SCIM_GROUP && strcmp(a->name, "members") == 0) { /* they may be many: the group's steps read them */
		json_object_set(doc, a->name, (json_t *)v);
		return OK;
	}
	TRY(scim_value_of(s, a, v, &value));
	if (value != NULL)
		json_object_set_new(scim_part(doc, schema, true), a->name, value);
	return OK;
}

enum err scim_document(struct scope *s, enum scim_resource r, const json_t *body, json_t **ret)
{
	json_t *doc = json_object();
	enum err err = take_all(s, r, scim_core_of(r), body, doc);
	if (err == OK)
		*ret = json_incref(doc);
	json_decref(doc);
	return err;
}

static enum err check_list(struct scope *s, const struct scim_attribute *a, const json_t *list)
{
	size_t i, primary = 0;
	json_t *v;
	TRY(scim_values_check(s, a, list));
	json_array_foreach(list, i, v)
		primary += json_is_true(json_object_get(v, "primary"));
	return primary > 1 ? refuse(s, a, "has more than one primary value") : OK;
}

enum err scim_document_check(struct scope *s, enum scim_resource r, const json_t *doc)
{
	size_t n;
	const struct scim_attribute *a = scim_attributes(&n);
	for (size_t i = 0; i < n; i++) {
		if (a[i].resource != r || a[i].name != a[i].path || (a[i].flags & (SCIM_COMMON | SCIM_READ_ONLY)))
			continue;
		const json_t *v = json_object_get(scim_part((json_t *)doc, a[i].schema, false), a[i].name);
		if (v == NULL && (a[i].flags & SCIM_REQUIRED))
			return scope_fail(s, r == SCIM_GROUP ? ERR_BAD_SYNTAX : ERR_BAD_REQUEST, "'%s' is required", a[i].path);
		if (r == SCIM_USER && json_is_array(v))
			TRY(check_list(s, &a[i], v));
	}
	return OK;
}
