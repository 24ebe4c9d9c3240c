/* SPDX-License-Identifier: Apache-2.0
 *
 * Questions about one property of a table.  Tables are short (at most RECORD_PROPS_MAX rows), so a look-up walks them.
 */
#include <string.h>
#include <strings.h>

#include "resource/internal.h"

bool property_in(const struct property *p, enum api_version v)
{
	return !((p->flags & P_V1) && v != API_V1) && !((p->flags & P_BETA) && v != API_BETA);
}

const struct property *resource_property(const struct resource *r, const char *name, enum api_version v)
{
	for (size_t i = 0; i < r->prop_count; i++)
		if (strcmp(r->props[i].name, name) == 0 && property_in(&r->props[i], v))
			return &r->props[i];
	return NULL;
}

const struct property *property_find(const struct resource *r, const char *name, enum api_version v)
{
	for (size_t i = 0; i < r->prop_count; i++) {
		const struct property *p = &r->props[i];
		if (!(p->flags & P_WRITE_ONLY) && property_in(p, v) && strcasecmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

bool property_is_column(const struct property *p)
{
	return p->sql != NULL && p->type != PROP_CONST && strchr(p->sql, '(') == NULL;
}

const struct property *property_by_column(const struct resource *r, const char *column, size_t n)
{
	for (size_t i = 0; i < r->prop_count; i++) {
		const struct property *p = &r->props[i];
		if (property_is_column(p) && strlen(p->sql) == n && memcmp(p->sql, column, n) == 0)
			return p;
	}
	return NULL;
}

size_t property_keys(const struct resource *r, const struct property *ret[KEY_COLUMNS_MAX])
{
	size_t count = 0;
	for (const char *at = r->key;;) {
		size_t n = strcspn(at, ",");
		check(count < KEY_COLUMNS_MAX);
		ret[count] = property_by_column(r, at, n);
		check(ret[count] != NULL); /* a key column that is no property: a mistake in the table */
		count++;
		if (at[n] == '\0')
			return count;
		at += n + 1;
	}
}

const char *property_enum_member(struct arena *a, const struct property *p, const char *text)
{
	size_t len = strlen(text);
	for (const char *at = p->values;;) {
		size_t n = strcspn(at, "|");
		if (n == len && strncasecmp(at, text, n) == 0)
			return arena_strndup(a, at, n);
		if (at[n] == '\0')
			return NULL;
		at += n + 1;
	}
}

enum db_type property_db_type(const struct property *p)
{
	switch (p->type) {
	case PROP_ID:
	case PROP_BINARY: return DB_BLOB;
	case PROP_BOOL:
	case PROP_INT:
	case PROP_TIME:
	case PROP_TIME_0: return DB_INT;
	case PROP_TEXT:
	case PROP_ENUM:
	case PROP_JSON: return DB_TEXT;
	case PROP_CONST:
	case PROP_KEY: break;
	}
	return DB_NULL;
}

bool property_selected_by(const struct property *p, const char *option)
{
	size_t n = strlen(option);
	return strncasecmp(p->name, option, n) == 0 && (p->name[n] == '\0' || p->name[n] == '/');
}

bool resource_selected(const struct resource_query *q, const char *name)
{
	const struct property *p = resource_property(q->res, name, q->version);
	if (p == NULL || (p->flags & (P_HIDDEN | P_WRITE_ONLY)))
		return false;
	if (q->odata.select == NULL)
		return !(p->flags & P_SELECT_ONLY);
	for (const char *const *o = q->odata.select; *o != NULL; o++)
		if (property_selected_by(p, *o))
			return true;
	return false;
}

const char *resource_enum(const char *type)
{
	static const struct {
		const char *type, *members;
	} enums[] = {
#define ENUM(type_, members_) {type_, members_},
#include "resource/enums.def"
#undef ENUM
	};
	for (size_t i = 0; i < sizeof enums / sizeof enums[0]; i++)
		if (strcmp(enums[i].type, type) == 0)
			return enums[i].members;
	return NULL;
}
