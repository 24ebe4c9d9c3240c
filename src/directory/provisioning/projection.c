/* SPDX-License-Identifier: Apache-2.0
 * attributes and excludedAttributes (RFC 7644, section 3.9).  id, schemas and what the RFC returns always stay; names that nobody knows ask
 * for nothing. */
#include <string.h>
#include <strings.h>

#include "directory/provisioning/document.h"

/* The next name of a comma-separated list, resolved; false at the end.  A filter behind a name is Microsoft's (emails[type eq "work"]): what is
 * asked for is the attribute, and left out is nothing by it. */
static bool next(struct scope *s, enum scim_resource r, const char **at, bool wanted, struct scim_place *ret, bool *known)
{
	*at += strspn(*at, ", \t");
	size_t n = strcspn(*at, ", \t[");
	const char *name = *at, *close = name[n] == '[' ? strchr(name + n, ']') : NULL;
	if (*name == '\0')
		return false;
	struct scope quiet = *s; /* a name that is none is no failure */
	struct scim_path path;
	*known = (close == NULL || wanted) && scim_path_parse(&quiet, name, n, &path) == OK && scim_resolve(r, &path, ret);
	*at = close != NULL ? close + 1 + strcspn(close + 1, ", \t") : name + strcspn(name, ", \t");
	return true;
}

static bool is_always(const struct scim_attribute *a)
{
	return (a->flags & SCIM_COMMON) && strcmp(a->path, "meta") != 0;
}

static bool is_listed(const struct scim_places *l, const struct scim_place *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].schema == p->schema && l->v[i].attr == p->attr && l->v[i].sub == p->sub && l->v[i].whole == p->whole)
			return true;
	return false;
}

static void read_names(struct scope *s, enum scim_resource r, const char *names, bool wanted, struct scim_places *ret)
{
	size_t most;
	struct scim_place p;
	bool known;
	(void)scim_attributes(&most);
	most += SCIM_SCHEMAS; /* so many different ones there are */
	*ret = (struct scim_places){.v = arena_alloc(s->arena, most * sizeof *ret->v)};
	struct arena_mark mark = arena_mark(s->arena);
	for (; next(s, r, &names, wanted, &p, &known); arena_rewind(s->arena, mark))
		if (known && ret->n < most && !is_listed(ret, &p))
			ret->v[ret->n++] = p;
	arena_rewind(s->arena, mark);
}

void scim_projection_of(struct scope *s, const char *attributes, const char *excluded, struct scim_projection *ret)
{
	*ret = (struct scim_projection){.how = attributes != NULL ? SCIM_ONLY : excluded != NULL ? SCIM_WITHOUT : SCIM_WHOLE};
	for (size_t r = 0; ret->how != SCIM_WHOLE && r < SCIM_RESOURCES; r++)
		read_names(s, (enum scim_resource)r, attributes != NULL ? attributes : excluded, attributes != NULL, &ret->places[r]);
}

/* ---- attributes ---- */

static void copy_subs(const struct scim_attribute *sub, const json_t *from, json_t *to)
{
	size_t i;
	json_t *e;
	if (!json_is_array(from)) {
		json_object_set(to, sub->name, json_object_get(from, sub->name));
		return;
	}
	json_array_foreach(from, i, e) {
		if (json_array_size(to) <= i)
			json_array_append_new(to, json_object());
		json_object_set(json_array_get(to, i), sub->name, json_object_get(e, sub->name));
	}
}

static void copy_place(const struct scim_place *p, json_t *from, json_t *to)
{
	json_t *part = scim_part(from, p->schema, false);
	if (p->whole && scim_is_extension(p->schema) && part != NULL)
		json_object_set(to, scim_schema_urn(p->schema), part);
	if (p->whole && !scim_is_extension(p->schema))
		json_object_update_missing(to, from);
	json_t *v = p->whole ? NULL : json_object_get(part, p->attr->name);
	if (v == NULL)
		return;
	json_t *target = scim_part(to, p->schema, true);
	if (p->sub == NULL) {
		json_object_set(target, p->attr->name, v);
		return;
	}
	if (json_object_get(target, p->attr->name) == NULL)
		json_object_set_new(target, p->attr->name, json_is_array(v) ? json_array() : json_object());
	copy_subs(p->sub, v, json_object_get(target, p->attr->name));
}

static void keep(const struct scim_places *l, json_t *doc)
{
	json_t *out = json_object();
	json_object_set(out, "schemas", json_object_get(doc, "schemas"));
	json_object_set(out, "id", json_object_get(doc, "id"));
	for (size_t i = 0; i < l->n; i++)
		copy_place(&l->v[i], doc, out);
	json_object_clear(doc);
	json_object_update(doc, out);
	json_decref(out);
}

/* ---- excludedAttributes ---- */

static void drop_sub(const struct scim_attribute *sub, json_t *v)
{
	size_t i;
	json_t *e;
	if (!json_is_array(v)) {
		json_object_del(v, sub->name);
		return;
	}
	json_array_foreach(v, i, e)
		json_object_del(e, sub->name);
}

static void drop(const struct scim_place *p, json_t *doc)
{
	json_t *part = scim_part(doc, p->schema, false);
	if (p->whole && scim_is_extension(p->schema))
		json_object_del(doc, scim_schema_urn(p->schema));
	if (p->whole || is_always(p->attr))
		return;
	if (p->sub != NULL)
		drop_sub(p->sub, json_object_get(part, p->attr->name));
	else
		json_object_del(part, p->attr->name);
	scim_part_tidy(doc, p->schema);
}

void scim_project(enum scim_resource r, const struct scim_projection *p, json_t *doc)
{
	if (p->how == SCIM_ONLY)
		keep(&p->places[r], doc);
	for (size_t i = 0; p->how == SCIM_WITHOUT && i < p->places[r].n; i++)
		drop(&p->places[r].v[i], doc);
}
