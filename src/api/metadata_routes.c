/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets, navigation and operations of $metadata, out of the route table: the paths are put into a tree, and each of its nodes becomes what its
 * place and methods say.  What a node answers with is said by metadata.def, by the resource whose path it is, or by Intune's table; else a path
 * with keys is a collection, one with paths below it an object, and one with neither a function.
 */
#include <string.h>

#include "api/api.h"
#include "api/graph/intune.h"
#include "api/metadata.h"
#include "api/relations.h"

enum answer { ANSWER_NONE, ANSWER_COLLECTION, ANSWER_SINGLE };

static const struct {
	const char *path, *type;
	enum answer kind;
} ANSWERS[] = {
#define ENTITY(type_, base_, members_)
#define BASE(type_, base_)
#define COMPLEX(type_, members_)
#define ANSWERS(path_, kind_, type_) {path_, type_, ANSWER_##kind_},
#include "api/metadata.def"
#undef ENTITY
#undef BASE
#undef COMPLEX
#undef ANSWERS
};

struct node {
	const char *name, *path; /* path: literal segments from the version on */
	const char *parameter;   /* of name({parameter}) */
	bool get, post, keyed;
	struct node *children, *below_key, *next;
};

/* ---- the tree ---- */

static struct node *child(struct metadata *m, struct node **list, const char *above, const char *name)
{
	for (; *list != NULL; list = &(*list)->next)
		if (strcmp((*list)->name, name) == 0)
			return *list;
	*list = arena_alloc(m->arena, sizeof **list);
	(*list)->name = name;
	(*list)->path = *above == '\0' ? name : arena_printf(m->arena, "%s/%s", above, name);
	return *list;
}

/* False for what is no node: a cast, $ref. */
static bool is_node(const char *segment)
{
	return *segment != '$' && strncmp(segment, "graph.", 6) != 0;
}

static void insert(struct metadata *m, struct node **roots, const struct route *r)
{
	char *rest = arena_strdup(m->arena, r->path + strlen("/{v}")), *segment;
	struct node **list = roots, *at = NULL;
	bool key = false;
	while ((segment = strsep(&rest, "/")) != NULL) {
		char *open = strchr(segment, '(');
		if (*segment == '\0')
			continue;
		if (*segment == '{') {
			if (at == NULL)
				return;
			at->keyed = key = true;
			list = &at->below_key;
			continue;
		}
		if (!is_node(segment))
			return;
		if (open != NULL)
			*open = '\0';
		at = child(m, list, at == NULL ? "" : at->path, segment);
		if (open != NULL)
			at->parameter = arena_strndup(m->arena, open + 2, strcspn(open + 2, "}"));
		list = &at->children;
		key = false;
	}
	if (at == NULL || key)
		return;
	at->get |= strcmp(r->method, "GET") == 0;
	at->post |= strcmp(r->method, "POST") == 0;
}

/* ---- what a node answers with ---- */

/* "users/{user}/managedDevices" is "users/managedDevices". */
static bool same_path(const char *with_keys, const char *path)
{
	while (*with_keys != '\0') {
		size_t n = strcspn(with_keys, "/");
		if (*with_keys != '{') {
			if (strncmp(with_keys, path, n) != 0 || (path[n] != '/' && path[n] != '\0'))
				return false;
			path += n + (path[n] == '/');
		}
		with_keys += n + (with_keys[n] == '/');
	}
	return *path == '\0';
}

static enum answer in_tables(const struct node *n, const char **ret_type)
{
	size_t count;
	for (size_t i = 0; i < sizeof ANSWERS / sizeof ANSWERS[0]; i++)
		if (strcmp(ANSWERS[i].path, n->path) == 0) {
			*ret_type = ANSWERS[i].type;
			return ANSWERS[i].kind;
		}
	const struct resource *const *all = resource_all(&count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i]->context, n->path) == 0) {
			*ret_type = all[i]->name;
			return ANSWER_COLLECTION;
		}
	const struct intune_row *rows = intune_rows(&count);
	for (size_t i = 0; i < count; i++)
		if (same_path(rows[i].path, n->path)) {
			*ret_type = rows[i].shape == INTUNE_REPORT ? "managedAppStatusRaw" : rows[i].type;
			return rows[i].shape == INTUNE_COLLECTION ? ANSWER_COLLECTION : ANSWER_SINGLE;
		}
	return ANSWER_NONE;
}

static enum answer answer_of(struct metadata *m, const struct node *n, const char **ret_type)
{
	enum answer kind = in_tables(n, ret_type);
	size_t length = strlen(n->name);
	if (kind != ANSWER_NONE || n->parameter != NULL)
		return kind;
	*ret_type = n->keyed && n->name[length - 1] == 's' ? arena_strndup(m->arena, n->name, length - 1) : n->name;
	return n->keyed ? ANSWER_COLLECTION : n->children != NULL ? ANSWER_SINGLE : ANSWER_NONE;
}

/* ---- members ---- */

static const char *collection_of(struct metadata *m, const char *type)
{
	return arena_printf(m->arena, "Collection(graph.%s)", type);
}

static void add_operation(struct metadata *m, struct md_operation o)
{
	struct md_operation *p = arena_alloc(m->arena, sizeof *p);
	for (const struct md_operation *have = m->operations; have != NULL; have = have->next)
		if (strcmp(have->name, o.name) == 0 && strcmp(have->binding, o.binding) == 0)
			return;
	*p = o;
	*m->operations_tail = p;
	m->operations_tail = &p->next;
}

/* "content" is a file; "delta" is the collection again; what a function says otherwise stands in no table. */
static const char *returned(struct metadata *m, const struct node *n, enum answer kind, const char *type, const char *binding)
{
	if (strcmp(n->name, "delta") == 0)
		return binding;
	if (kind == ANSWER_COLLECTION)
		return collection_of(m, type);
	if (kind == ANSWER_SINGLE)
		return md_name(m, type);
	return strcmp(n->name, "content") == 0 ? "Edm.Stream" : "graph.Json";
}

static void add_nodes(struct metadata *m, const struct node *list, const char *owner, bool of_collection);

static void add_node(struct metadata *m, const struct node *n, const char *owner, bool of_collection)
{
	const char *type = NULL, *binding = of_collection ? collection_of(m, owner) : md_name(m, owner);
	enum answer kind = answer_of(m, n, &type);
	bool action = n->post && !n->get && !n->keyed && n->children == NULL;
	if (action || of_collection || kind == ANSWER_NONE) {
		add_operation(m, (struct md_operation){.name = n->name, .binding = binding, .action = action, .parameter = n->parameter,
						       .returns = action ? NULL : returned(m, n, kind, type, binding)});
		if (kind == ANSWER_NONE)
			return;
	} else {
		const char *full = kind == ANSWER_COLLECTION ? collection_of(m, type) : md_name(m, type);
		md_add(m, md_entity(m, owner), (struct md_member){.name = n->name, .type = full, .navigation = true, .contained = true});
	}
	if (md_find(m, type) == NULL)
		md_entity(m, type)->open = true;
	add_nodes(m, n->children, type, kind == ANSWER_COLLECTION);
	add_nodes(m, n->below_key, type, false);
}

static void add_nodes(struct metadata *m, const struct node *list, const char *owner, bool of_collection)
{
	for (; list != NULL; list = list->next)
		add_node(m, list, owner, of_collection);
}

static void add_root(struct metadata *m, const struct node *n)
{
	struct md_set *s = arena_alloc(m->arena, sizeof *s);
	const char *type;
	enum answer kind = answer_of(m, n, &type);
	if (kind == ANSWER_NONE)
		type = n->name;
	if (md_find(m, type) == NULL)
		md_entity(m, type)->open = true;
	*s = (struct md_set){.name = n->name, .type = type, .singleton = kind != ANSWER_COLLECTION};
	*m->sets_tail = s;
	m->sets_tail = &s->next;
	add_nodes(m, n->children, type, kind == ANSWER_COLLECTION);
	add_nodes(m, n->below_key, type, false);
}

static void add_relations(struct metadata *m)
{
	size_t n;
	const struct api_relation *all = api_relations(&n);
	for (size_t i = 0; i < n; i++) {
		const struct resource_relation *r = &all[i].relation;
		const char *type = r->target == NULL ? md_name(m, r->name) : collection_of(m, r->target->name);
		md_add(m, md_entity(m, all[i].owner->name), (struct md_member){.name = r->name, .type = type, .navigation = true});
	}
}

void md_routes(struct metadata *m)
{
	size_t n;
	struct node *roots = NULL;
	const struct route *table = route_table(&n);
	for (size_t i = 0; i < n; i++)
		if (strncmp(table[i].path, "/{v}/", 5) == 0)
			insert(m, &roots, &table[i]);
	for (const struct node *root = roots; root != NULL; root = root->next)
		add_root(m, root);
	add_relations(m);
}
