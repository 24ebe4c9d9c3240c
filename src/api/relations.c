/* SPDX-License-Identifier: Apache-2.0
 * $expand against the table of relations. */
#include "api/relations.h"

#include <strings.h>

#include "api/graph/intune.h"
#include "devices/managed_device.h"
#include "devices/standing.h"
#include "directory/access/access.h"
#include "resource/tables.h"

static enum err write_object(struct json_writer *w, const char *type, struct id device)
{
	jw_object(w);
	intune_write_object(w, type, device);
	jw_end_object(w);
	return OK;
}

static enum err relation_device_category(struct db_tx *tx, struct json_writer *w, struct id device)
{
	return write_object(w, "deviceCategory", device);
}

static enum err relation_windows_protection(struct db_tx *tx, struct json_writer *w, struct id device)
{
	return write_object(w, "windowsProtectionState", device);
}

static enum err relation_install_summary(struct db_tx *tx, struct json_writer *w, struct id app)
{
	return standing_write_app(tx, app, w);
}

static const struct api_relation RELATIONS[] = {
#define RELATION(owner_, name_, target_, via_, parent_, type_, permission_, page_, more_) \
	{&RES_##owner_, permission_, {.name = name_, .target = &RES_##target_, .via = via_, .parent = parent_, .odata_type = type_, \
				      .page = page_, .more = more_}},
#define VALUE(owner_, name_, permission_, page_, write_) {&RES_##owner_, permission_, {.name = name_, .page = page_, .write = write_}},
#include "api/relations.def"
#undef RELATION
#undef VALUE
};

const struct api_relation *api_relations(size_t *ret_n)
{
	*ret_n = sizeof RELATIONS / sizeof RELATIONS[0];
	return RELATIONS;
}

static const struct api_relation *find(const struct resource *owner, const char *name)
{
	for (size_t i = 0; i < sizeof RELATIONS / sizeof RELATIONS[0]; i++)
		if (RELATIONS[i].owner == owner && strcasecmp(RELATIONS[i].relation.name, name) == 0)
			return &RELATIONS[i];
	return NULL;
}

static bool is_named_twice(const struct resource_query *q, const struct resource_relation *relation)
{
	for (size_t i = 0; i < q->expansion_count; i++)
		if (q->expansions[i].relation == relation)
			return true;
	return false;
}

enum err relations_resolve(struct scope *s, struct resource_query *q)
{
	for (const struct odata_expand *e = q->odata.expand; e != NULL; e = e->next) {
		const struct api_relation *found = find(q->res, e->name);
		if (found == NULL)
			return scope_fail(s, ERR_EXPAND, "the relation '%.64s' of %s cannot be expanded", e->name, q->res->name);
		const struct scope_groups *only = NULL;
		if (!actor_allows(&s->actor, found->permission, s->arena, &only))
			return scope_fail(s, ERR_FORBIDDEN, "expanding '%s' needs the permission %s", found->relation.name, found->permission);
		if (is_named_twice(q, &found->relation))
			return scope_fail(s, ERR_BAD_REQUEST, "$expand names '%s' twice", found->relation.name);
		q->expansions[q->expansion_count++] = (struct resource_expansion){.relation = &found->relation, .select = e->select, .only = only};
	}
	return OK;
}
