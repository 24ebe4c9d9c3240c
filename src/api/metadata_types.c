/* SPDX-License-Identifier: Apache-2.0
 * Types of $metadata, out of the property tables. */
#include <ctype.h>
#include <string.h>

#include "api/metadata.h"
#include "base/err.h"
#include "devices/payload.h"

static const struct {
	const char *type, *base;
} BASES[] = {
#define ENTITY(type_, base_, members_) {type_, base_},
#define BASE(type_, base_) {type_, base_},
#define COMPLEX(type_, members_)
#define ANSWERS(path_, kind_, type_)
#include "api/metadata.def"
#undef ENTITY
#undef BASE
#undef COMPLEX
};

static const struct {
	const char *type, *members;
	enum md_kind kind;
} SHAPES[] = {
#define ENTITY(type_, base_, members_) {type_, members_, MD_ENTITY},
#define BASE(type_, base_)
#define COMPLEX(type_, members_) {type_, members_, MD_COMPLEX},
#include "api/metadata.def"
#undef ENTITY
#undef BASE
#undef COMPLEX
#undef ANSWERS
};

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* ---- types and members ---- */

struct md_type *md_find(const struct metadata *m, const char *name)
{
	for (struct md_type *t = m->types; t != NULL; t = t->next)
		if (strcmp(t->name, name) == 0)
			return t;
	return NULL;
}

static struct md_type *make(struct metadata *m, const char *name, enum md_kind kind)
{
	struct md_type *t = arena_alloc(m->arena, sizeof *t);
	*t = (struct md_type){.name = name, .kind = kind};
	t->tail = &t->members;
	*m->types_tail = t;
	m->types_tail = &t->next;
	return t;
}

struct md_type *md_entity(struct metadata *m, const char *name)
{
	struct md_type *t = md_find(m, name);
	if (t != NULL)
		return t;
	t = make(m, name, MD_ENTITY);
	t->base = strcmp(name, "entity") == 0 ? NULL : "entity";
	for (size_t i = 0; i < COUNT(BASES); i++)
		if (strcmp(BASES[i].type, name) == 0)
			t->base = BASES[i].base;
	return t;
}

bool md_has_member(const struct metadata *m, const struct md_type *t, const char *name)
{
	for (; t != NULL; t = t->base == NULL ? NULL : md_find(m, t->base))
		for (const struct md_member *p = t->members; p != NULL; p = p->next)
			if (strcmp(p->name, name) == 0)
				return true;
	return false;
}

void md_add(struct metadata *m, struct md_type *t, struct md_member member)
{
	if (md_has_member(m, t, member.name))
		return;
	struct md_member *p = arena_alloc(m->arena, sizeof *p);
	*p = member;
	p->next = NULL;
	*t->tail = p;
	t->tail = &p->next;
}

const char *md_name(struct metadata *m, const char *type)
{
	static const char collection[] = "Collection(";
	size_t n = strlen(type), head = sizeof collection - 1;
	if (strncmp(type, collection, head) == 0)
		return arena_printf(m->arena, "%s%s)", collection, md_name(m, arena_strndup(m->arena, type + head, n - head - 1)));
	return strchr(type, '.') != NULL ? type : arena_printf(m->arena, "graph.%s", type);
}

/* ---- shapes that are spelt out ---- */

static void add_shape(struct metadata *m, struct md_type *t, const char *members)
{
	for (const char *at = members; *at != '\0';) {
		size_t n = strcspn(at, "|"), name_n = strcspn(at, ":");
		const char *type = arena_strndup(m->arena, at + name_n + 1, n - name_n - 1);
		md_add(m, t, (struct md_member){.name = arena_strndup(m->arena, at, name_n), .type = md_name(m, type)});
		at += n + (at[n] == '|');
	}
}

static void add_shapes(struct metadata *m)
{
	md_add(m, md_entity(m, "entity"), (struct md_member){.name = "id", .type = "Edm.String", .required = true});
	make(m, "Json", MD_COMPLEX)->open = true;
	for (size_t i = 0; i < COUNT(SHAPES); i++)
		add_shape(m, SHAPES[i].kind == MD_ENTITY ? md_entity(m, SHAPES[i].type) : make(m, SHAPES[i].type, MD_COMPLEX), SHAPES[i].members);
}

/* ---- properties ---- */

static const char *capital(struct metadata *m, const char *owner, const char *name)
{
	char *text = arena_printf(m->arena, "%s%s", owner, name);
	text[strlen(owner)] = (char)toupper((unsigned char)text[strlen(owner)]);
	return text;
}

/* Graph's own name where its property or the table says so; else one of the resource's: "dataPolicyOperationStatus". */
static const char *enum_type(struct metadata *m, const struct resource *r, const struct property *p)
{
	const char *name = p->edm != NULL ? p->edm : resource_enum(p->name) != NULL ? p->name : capital(m, r->name, p->name);
	if (strchr(name, '.') == NULL && md_find(m, name) == NULL)
		make(m, name, MD_ENUM)->values = resource_enum(name) != NULL ? resource_enum(name) : p->values;
	return name;
}

static const char *constant_type(const char *json)
{
	size_t n = strlen(json);
	if (*json == '[')
		return "Collection(Edm.String)";
	if (strcmp(json, "true") == 0 || strcmp(json, "false") == 0)
		return "Edm.Boolean";
	if (isdigit((unsigned char)*json))
		return "Edm.Int32";
	return n == sizeof "\"0001-01-01T00:00:00Z\"" - 1 && strcmp(json + n - 2, "Z\"") == 0 ? "Edm.DateTimeOffset" : "Edm.String";
}

static const char *type_of(struct metadata *m, const struct resource *r, const struct property *p)
{
	if (p->type == PROP_ENUM)
		return enum_type(m, r, p);
	if (p->edm != NULL)
		return p->edm;
	switch (p->type) {
	case PROP_BOOL: return "Edm.Boolean";
	case PROP_INT: return "Edm.Int64";
	case PROP_TIME:
	case PROP_TIME_0: return "Edm.DateTimeOffset";
	case PROP_JSON: return "Json";
	case PROP_CONST: return constant_type(p->sql);
	case PROP_BINARY: return "Edm.Binary";
	case PROP_ID:
	case PROP_TEXT:
	case PROP_KEY:
	case PROP_ENUM: break;
	}
	return "Edm.String";
}

static void add_property(struct metadata *m, const struct resource *r, struct md_type *t, const struct property *p)
{
	const char *slash = strchr(p->name, '/');
	bool shown = !(p->flags & P_HIDDEN) && !((p->flags & P_V1) && m->version != API_V1) && !((p->flags & P_BETA) && m->version != API_BETA);
	if (!shown || strchr(p->name, '@') != NULL)
		return;
	if (slash == NULL) {
		md_add(m, t, (struct md_member){.name = p->name, .type = md_name(m, type_of(m, r, p)), .required = (p->flags & P_NOT_NULL) != 0});
		return;
	}
	const char *outer = arena_strndup(m->arena, p->name, (size_t)(slash - p->name)), *name = capital(m, r->name, outer);
	struct md_type *inner = md_find(m, name);
	if (inner == NULL)
		inner = make(m, name, MD_COMPLEX);
	md_add(m, t, (struct md_member){.name = outer, .type = md_name(m, name)});
	md_add(m, inner, (struct md_member){.name = slash + 1, .type = md_name(m, type_of(m, r, p))});
}

/* ---- payloads: types that extend the resource of their kind ---- */

#define EDM_TEXT "Edm.String"
#define EDM_INT "Edm.Int32"
#define EDM_BOOL "Edm.Boolean"
#define EDM_TEXTS "Collection(Edm.String)"
#define EDM_FILES "Collection(Json)"

static const struct {
	enum payload_type type;
	const char *name, *edm;
} PAYLOADS[] = {
#define PAYLOAD(type, odata_type, item_type, kind)
#define PROPERTY(type, name, shape, flags, max, rule, preset) {PAYLOAD_##type, name, EDM_##shape},
#include "devices/payload.def"
#undef PAYLOAD
#undef PROPERTY
};

static void add_payloads(struct metadata *m)
{
	for (size_t i = 0; i < COUNT(PAYLOADS); i++) {
		const char *name = strrchr(payload_odata_type(PAYLOADS[i].type), '.') + 1;
		struct md_type *t = md_entity(m, name);
		t->base = payload_item_type(PAYLOADS[i].type); /* "deviceConfiguration", "mobileApp" */
		md_add(m, t, (struct md_member){.name = PAYLOADS[i].name, .type = md_name(m, PAYLOADS[i].edm)});
	}
}

/* ---- all ---- */

void md_types(struct metadata *m)
{
	size_t n;
	const struct resource *const *all = resource_all(&n);
	add_shapes(m);
	for (size_t i = 0; i < n; i++) {
		struct md_type *t = md_entity(m, all[i]->name);
		for (size_t k = 0; k < all[i]->prop_count; k++)
			add_property(m, all[i], t, &all[i]->props[k]);
	}
	add_payloads(m);
}

static void close_name(struct metadata *m, const char *type, bool entity)
{
	const char *at = strstr(type, "graph.");
	if (at == NULL)
		return;
	at += strlen("graph.");
	const char *name = arena_strndup(m->arena, at, strcspn(at, ")"));
	if (md_find(m, name) != NULL)
		return;
	if (resource_enum(name) != NULL)
		make(m, name, MD_ENUM)->values = resource_enum(name);
	else if (entity)
		md_entity(m, name)->open = true;
	else
		make(m, name, MD_COMPLEX)->open = true;
}

void md_close(struct metadata *m)
{
	for (struct md_type *t = m->types; t != NULL; t = t->next) { /* what is made here comes behind and is looked at too */
		if (t->base != NULL)
			close_name(m, md_name(m, t->base), true);
		for (const struct md_member *p = t->members; p != NULL; p = p->next)
			close_name(m, p->type, p->navigation);
	}
	for (const struct md_operation *o = m->operations; o != NULL; o = o->next) {
		close_name(m, o->binding, true);
		if (o->returns != NULL)
			close_name(m, o->returns, true);
	}
	for (const struct md_set *s = m->sets; s != NULL; s = s->next)
		close_name(m, md_name(m, s->type), true);
}
