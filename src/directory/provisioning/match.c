/* SPDX-License-Identifier: Apache-2.0
 *
 * Filters on documents (RFC 7644, section 3.4.2.2).  An attribute with several values matches where one of them does; `ne` where none is equal.
 * Texts are compared as the attribute says, in ASCII letters without case; dates as moments.
 */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "directory/provisioning/document.h"

static enum err refuse(struct scope *s, enum err wrong, const char *why)
{
	return scope_fail(s, wrong, "the filter asks for what cannot be: %s", why);
}

/* ---- whether it fits ---- */

static enum err check_value(struct scope *s, const struct scim_attribute *a, const struct scim_filter *f, enum err wrong)
{
	int64_t us;
	bool equal = f->op == SCIM_EQ || f->op == SCIM_NE;
	if (f->value.type == SCIM_NULL)
		return equal ? OK : refuse(s, wrong, "null is compared with eq and ne");
	if (a->type == SCIM_BOOLEAN && (!equal || (f->value.type != SCIM_BOOL && f->value.type != SCIM_TEXT)))
		return refuse(s, wrong, "true and false are compared with eq and ne");
	if (a->type == SCIM_BOOLEAN)
		return OK;
	if (f->value.type != SCIM_TEXT)
		return refuse(s, wrong, "a text is expected");
	if (a->type == SCIM_DATETIME && (f->op == SCIM_CO || f->op == SCIM_SW || f->op == SCIM_EW || !time_parse(f->value.text, &us)))
		return refuse(s, wrong, "a date and time is expected, and eq, ne, gt, ge, lt or le");
	return OK;
}

/* emails eq "x" means emails.value. */
static const struct scim_attribute *compared(const struct scim_attribute *a)
{
	return a->type == SCIM_COMPLEX ? scim_sub(a, "value") : a;
}

static enum err check_compare(struct scope *s, const struct scim_attribute *a, const struct scim_filter *f, enum err wrong)
{
	if (f->op == SCIM_PR)
		return OK;
	a = compared(a);
	return a == NULL ? refuse(s, wrong, "the attribute is compared by one of its sub-attributes") : check_value(s, a, f, wrong);
}

enum err scim_element_check(struct scope *s, const struct scim_attribute *a, const struct scim_filter *f, enum err wrong)
{
	if (f->op == SCIM_AND || f->op == SCIM_OR)
		TRY(scim_element_check(s, a, f->right, wrong));
	if (f->op == SCIM_AND || f->op == SCIM_OR || f->op == SCIM_NOT)
		return scim_element_check(s, a, f->left, wrong);
	const struct scim_attribute *sub = f->path.schema != NULL || f->path.sub != NULL ? NULL : scim_sub(a, f->path.attr);
	return sub == NULL ? refuse(s, wrong, "there is no such sub-attribute") : check_compare(s, sub, f, wrong);
}

static bool is_known(enum scim_resource r, bool any, const struct scim_path *path, struct scim_place *ret)
{
	bool known = scim_resolve(r, path, ret) && !ret->whole;
	for (size_t i = 0; !known && any && i < SCIM_RESOURCES; i++)
		known = scim_resolve((enum scim_resource)i, path, ret) && !ret->whole;
	return known;
}

enum err scim_filter_check(struct scope *s, enum scim_resource r, bool any, const struct scim_filter *f)
{
	struct scim_place p;
	if (f->op == SCIM_AND || f->op == SCIM_OR)
		TRY(scim_filter_check(s, r, any, f->right));
	if (f->op == SCIM_AND || f->op == SCIM_OR || f->op == SCIM_NOT)
		return scim_filter_check(s, r, any, f->left);
	if (!is_known(r, any, &f->path, &p))
		return refuse(s, ERR_BAD_FILTER, "there is no such attribute");
	if (f->op == SCIM_HAS)
		return p.attr->type == SCIM_COMPLEX ? scim_element_check(s, p.attr, f->left, ERR_BAD_FILTER) :
						      refuse(s, ERR_BAD_FILTER, "the attribute has no sub-attributes");
	return check_compare(s, p.sub != NULL ? p.sub : p.attr, f, ERR_BAD_FILTER);
}

/* ---- one value ---- */

static int order_of(const struct scim_attribute *a, const char *have, const char *want)
{
	int64_t x = 0, y = 0;
	if (a->type == SCIM_DATETIME && time_parse(have, &x) && time_parse(want, &y))
		return x < y ? -1 : x > y;
	return (a->flags & SCIM_EXACT) ? strcmp(have, want) : strcasecmp(have, want);
}

static bool contains(const char *have, const char *want, bool exact)
{
	if (exact)
		return strstr(have, want) != NULL;
	return strcasestr(have, want) != NULL;
}

static bool part_of(const struct scim_attribute *a, enum scim_op op, const char *have, const char *want)
{
	size_t n = strlen(have), k = strlen(want);
	bool exact = (a->flags & SCIM_EXACT) != 0;
	if (op == SCIM_CO)
		return contains(have, want, exact);
	if (k > n)
		return false;
	const char *at = op == SCIM_SW ? have : have + n - k;
	return exact ? strncmp(at, want, k) == 0 : strncasecmp(at, want, k) == 0;
}

static bool is_true(const struct scim_value *v)
{
	return v->type == SCIM_BOOL ? v->yes : v->type == SCIM_TEXT && strcasecmp(v->text, "true") == 0;
}

static bool value_matches(const struct scim_attribute *a, enum scim_op op, const struct scim_value *want, const json_t *have)
{
	if (json_is_boolean(have))
		return want->type != SCIM_NULL && json_is_true(have) == is_true(want);
	if (!json_is_string(have) || want->type != SCIM_TEXT)
		return false;
	if (op == SCIM_CO || op == SCIM_SW || op == SCIM_EW)
		return part_of(a, op, json_string_value(have), want->text);
	int order = order_of(a, json_string_value(have), want->text);
	switch (op) {
	case SCIM_GT: return order > 0;
	case SCIM_GE: return order >= 0;
	case SCIM_LT: return order < 0;
	case SCIM_LE: return order <= 0;
	default: return order == 0;
	}
}

/* ---- a value, a list of them, an element of one ---- */

static bool is_present(const json_t *v)
{
	return v != NULL && !json_is_null(v) && !((json_is_array(v) && json_array_size(v) == 0) || (json_is_object(v) && json_object_size(v) == 0));
}

/* Whether any value at the attribute, or (sub) at that sub-attribute of its values, fits: eq for ne. */
static bool any(const struct scim_attribute *a, const struct scim_attribute *sub, const struct scim_filter *f, const json_t *v)
{
	if (json_is_array(v)) {
		size_t i;
		json_t *e;
		json_array_foreach(v, i, e)
			if (any(a, sub, f, e))
				return true;
		return false;
	}
	if (a->type == SCIM_COMPLEX && sub == NULL && f->op != SCIM_PR)
		sub = scim_sub(a, "value");
	if (sub != NULL)
		v = json_object_get(v, sub->name);
	if (f->op == SCIM_PR || f->value.type == SCIM_NULL)
		return is_present(v);
	return value_matches(sub != NULL ? sub : a, f->op == SCIM_NE ? SCIM_EQ : f->op, &f->value, v);
}

static bool compare(const struct scim_attribute *a, const struct scim_attribute *sub, const struct scim_filter *f, const json_t *v)
{
	bool found = v != NULL && any(a, sub, f, v);
	if (f->op != SCIM_PR && f->value.type == SCIM_NULL)
		return f->op == SCIM_EQ ? !found : found;
	return f->op == SCIM_NE ? !found : found;
}

bool scim_element_matches(const struct scim_attribute *a, const struct scim_filter *f, const json_t *element)
{
	switch (f->op) {
	case SCIM_AND: return scim_element_matches(a, f->left, element) && scim_element_matches(a, f->right, element);
	case SCIM_OR: return scim_element_matches(a, f->left, element) || scim_element_matches(a, f->right, element);
	case SCIM_NOT: return !scim_element_matches(a, f->left, element);
	default: break;
	}
	const struct scim_attribute *sub = scim_sub(a, f->path.attr);
	return sub != NULL && compare(sub, NULL, f, json_object_get(element, sub->name));
}

static bool has_element(const struct scim_attribute *a, const struct scim_filter *f, const json_t *v)
{
	if (!json_is_array(v))
		return v != NULL && scim_element_matches(a, f, v);
	size_t i;
	json_t *e;
	json_array_foreach(v, i, e)
		if (scim_element_matches(a, f, e))
			return true;
	return false;
}

bool scim_matches(enum scim_resource r, const struct scim_filter *f, const json_t *doc)
{
	struct scim_place p;
	switch (f->op) {
	case SCIM_AND: return scim_matches(r, f->left, doc) && scim_matches(r, f->right, doc);
	case SCIM_OR: return scim_matches(r, f->left, doc) || scim_matches(r, f->right, doc);
	case SCIM_NOT: return !scim_matches(r, f->left, doc);
	default: break;
	}
	if (!scim_resolve(r, &f->path, &p) || p.whole)
		return false;
	const json_t *v = json_object_get(scim_part((json_t *)doc, p.schema, false), p.attr->name);
	return f->op == SCIM_HAS ? has_element(p.attr, f->left, v) : compare(p.attr, p.sub, f, v);
}
