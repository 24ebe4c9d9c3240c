/* SPDX-License-Identifier: Apache-2.0
 * The map's tables, made from datamap.def, and I5: every live column is on the map. */
#include "map/datamap.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "db/db.h"

static const struct map_table TABLES[] = {
#define MAP_TABLE(t, domain_, link_, erase_, retention_, basis_, recipients_, purpose_)                                        \
	{.name = #t, .purpose = purpose_, .recipients = recipients_, .domain = MAP_DOMAIN_##domain_, .link = MAP_LINK_##link_, \
	 .erase = MAP_TABLE_##erase_, .retention = MAP_RETAIN_##retention_, .basis = MAP_BASIS_##basis_},
#define MAP_PATH(t, c, through_, role_, section_)
#define MAP_COLUMN(t, c, type_, kind_, category_, origin_, disclosure_, audit_, erase_)
#include "map/datamap.def"
#undef MAP_TABLE
#undef MAP_PATH
#undef MAP_COLUMN
};

static const struct map_path PATHS[] = {
#define MAP_TABLE(t, domain_, link_, erase_, retention_, basis_, recipients_, purpose_)
#define MAP_PATH(t, c, through_, role_, section_) \
	{.table = #t, .column = #c, .section = section_, .through = MAP_THROUGH_##through_, .role = MAP_ROLE_##role_},
#define MAP_COLUMN(t, c, type_, kind_, category_, origin_, disclosure_, audit_, erase_)
#include "map/datamap.def"
#undef MAP_TABLE
#undef MAP_PATH
#undef MAP_COLUMN
};

static const struct map_column COLUMNS[] = {
#define MAP_TABLE(t, domain_, link_, erase_, retention_, basis_, recipients_, purpose_)
#define MAP_PATH(t, c, through_, role_, section_)
#define MAP_COLUMN(t, c, type_, kind_, category_, origin_, disclosure_, audit_, erase_)                                \
	{.table = #t, .name = #c, .category = category_, .type = MAP_TYPE_##type_, .kind = MAP_KIND_##kind_,           \
	 .origin = MAP_ORIGIN_##origin_, .disclosure = MAP_DISCLOSE_##disclosure_, .audit = MAP_AUDIT_##audit_, .erase = MAP_ERASE_##erase_},
#include "map/datamap.def"
#undef MAP_TABLE
#undef MAP_PATH
#undef MAP_COLUMN
};

static const struct map_store STORES[] = {
#define MAP_STORE(store, place_, holds_, categories_, protection_, erase_, until_)                                            \
	{.name = #store, .place = place_, .holds = holds_, .categories = categories_, .protection = protection_, .erase = erase_, \
	 .until = until_},
#include "map/stores.def"
#undef MAP_STORE
};

enum {
	TABLE_COUNT = sizeof TABLES / sizeof TABLES[0],
	PATH_COUNT = sizeof PATHS / sizeof PATHS[0],
	COLUMN_COUNT = sizeof COLUMNS / sizeof COLUMNS[0]
};

const struct map_table *map_tables(size_t *ret_n)
{
	*ret_n = TABLE_COUNT;
	return TABLES;
}

const struct map_path *map_paths(size_t *ret_n)
{
	*ret_n = PATH_COUNT;
	return PATHS;
}

const struct map_path *map_table_paths(const struct map_table *t, size_t *ret_n)
{
	size_t first = 0, n = 0;
	while (first < PATH_COUNT && strcmp(PATHS[first].table, t->name) != 0)
		first++;
	while (first + n < PATH_COUNT && strcmp(PATHS[first + n].table, t->name) == 0)
		n++;
	*ret_n = n;
	return n == 0 ? NULL : &PATHS[first];
}

const struct map_column *map_columns(size_t *ret_n)
{
	*ret_n = COLUMN_COUNT;
	return COLUMNS;
}

const struct map_store *map_stores(size_t *ret_n)
{
	*ret_n = sizeof STORES / sizeof STORES[0];
	return STORES;
}

const struct map_table *map_table(const char *table)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		if (strcmp(TABLES[i].name, table) == 0)
			return &TABLES[i];
	return NULL;
}

const struct map_column *map_column(const char *table, const char *column)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (strcmp(COLUMNS[i].name, column) == 0 && strcmp(COLUMNS[i].table, table) == 0)
			return &COLUMNS[i];
	return NULL;
}

const struct map_column *map_table_columns(const struct map_table *t, size_t *ret_n)
{
	size_t first = 0, n = 0;
	while (strcmp(COLUMNS[first].table, t->name) != 0)
		first++; /* every table has one: tenant_id, if no other */
	while (first + n < COLUMN_COUNT && strcmp(COLUMNS[first + n].table, t->name) == 0)
		n++;
	*ret_n = n;
	return &COLUMNS[first];
}

const char *map_version_text(struct arena *a)
{
	auto_buf b;
	buf_init(&b, MIB);
	for (size_t i = 0; i < TABLE_COUNT; i++)
		buf_printf(&b, "%s %d %d %d %d %d|%s|%s\n", TABLES[i].name, TABLES[i].domain, TABLES[i].link, TABLES[i].erase,
			   TABLES[i].retention, TABLES[i].basis, TABLES[i].recipients, TABLES[i].purpose);
	for (size_t i = 0; i < PATH_COUNT; i++)
		buf_printf(&b, "%s.%s > %d %d %s\n", PATHS[i].table, PATHS[i].column, PATHS[i].through, PATHS[i].role, PATHS[i].section);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		buf_printf(&b, "%s.%s %d %d %s %d %d %d %d\n", COLUMNS[i].table, COLUMNS[i].name, COLUMNS[i].type, COLUMNS[i].kind,
			   COLUMNS[i].category, COLUMNS[i].origin, COLUMNS[i].disclosure, COLUMNS[i].audit, COLUMNS[i].erase);
	for (size_t i = 0; i < sizeof STORES / sizeof STORES[0]; i++)
		buf_printf(&b, "%s|%s|%s|%s|%s|%s|%s\n", STORES[i].name, STORES[i].place, STORES[i].holds, STORES[i].categories,
			   STORES[i].protection, STORES[i].erase, STORES[i].until);
	return arena_strndup(a, b.data, b.len);
}

static bool is_live(const struct db_column *live, size_t n, const struct map_column *c)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(live[i].column, c->name) == 0 && strcmp(live[i].table, c->table) == 0)
			return true;
	return false;
}

enum err map_check(struct scope *s)
{
	struct db_column *live = NULL;
	size_t n = 0;
	TRY(db_live_columns(s, &live, &n));
	for (size_t i = 0; i < n; i++)
		if (map_column(live[i].table, live[i].column) == NULL)
			return scope_fail(s, ERR_SCHEMA, "column %s.%s is not on the data map (src/map/datamap.def)", live[i].table,
					  live[i].column);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (!is_live(live, n, &COLUMNS[i]))
			return scope_fail(s, ERR_SCHEMA, "the data map names %s.%s, which the database does not have",
					  COLUMNS[i].table, COLUMNS[i].name);
	return OK;
}
