/* SPDX-License-Identifier: Apache-2.0
 * What the files of resource/ share; nobody else includes it. */
#ifndef REEVE_RESOURCE_INTERNAL_H
#define REEVE_RESOURCE_INTERNAL_H

#include "resource/resource.h"

enum {
	KEY_COLUMNS_MAX = 4,
	ORDER_MAX = 8,                                  /* properties in one $orderby */
	TERMS_MAX = ORDER_MAX + KEY_COLUMNS_MAX,
	COLUMNS_MAX = RECORD_PROPS_MAX + 2 * TERMS_MAX, /* of one SELECT */
	SKIP_MAX = 100000,                              /* $skip reads what it skips; a $skiptoken does not */
};

/* ---- property.c: the table ---- */

/* As a query option names it: any case.  NULL: unknown in this version, or write-only. */
const struct property *property_find(const struct resource *r, const char *name, enum api_version v);
bool property_in(const struct property *p, enum api_version v);
bool property_is_column(const struct property *p); /* else a constant, an expression or nothing */
/* Properties of the key's columns, in order; returns how many. */
size_t property_keys(const struct resource *r, const struct property *ret[KEY_COLUMNS_MAX]);
const struct property *property_by_column(const struct resource *r, const char *column, size_t n);
/* Whether a name in $select means it, in any case; "target" selects "target/groupId" too. */
bool property_selected_by(const struct property *p, const char *option);
/* The member of an enum as the table spells it; NULL where it is none. */
const char *property_enum_member(struct arena *a, const struct property *p, const char *text);
enum db_type property_db_type(const struct property *p);

/* ---- sql.c: SQL text and its parameters, in the arena ---- */

struct sql {
	struct arena *arena;
	char *text;
	size_t len, cap;
	struct db_value *args;
	size_t arg_count, arg_cap;
	unsigned first; /* number of the first parameter */
	bool joined;    /* something of the resource's join is used */
	bool failed;    /* the arena's limit: checked once, by sql_end() */
};

void sql_begin(struct sql *q, struct arena *a, unsigned first);
void sql_add(struct sql *q, const char *text);
void sql_number(struct sql *q, int64_t v);
void sql_param(struct sql *q, struct db_value v); /* appends "?N" */
void sql_args(struct sql *q, const struct db_value *v, size_t n); /* values whose ?N stand in a given text */
MUST_CHECK enum err sql_end(struct sql *q, struct scope *s);
void sql_property(struct sql *q, const struct property *p); /* the stored value */
/* What is compared and ordered: defaults filled in, case folded. */
void sql_operand(struct sql *q, const struct property *p);
void sql_operand_param(struct sql *q, const struct property *p, struct db_value v);
bool property_is_plain(const struct property *p);    /* operand and stored value are the same */
bool property_is_nullable(const struct property *p); /* of the operand */
/* "FROM …"; the join only where something uses it, for SQLite counts through it even where it changes nothing. */
void sql_from(struct sql *q, const struct resource *r, bool joined);
/* " AND …": what the groups of `only` reach of rows of r; nothing where it is NULL.  one: a row that is known by other conditions; else the
 * statement begins with the people. */
void sql_reach(struct sql *q, const struct scope *s, const struct resource *r, const struct scope_groups *only, bool one);
/* Whether rows are better judged one by one: they are few by other conditions, or the people are many. */
MUST_CHECK enum err reach_is_wide(struct db_tx *tx, const struct resource_query *rq, bool *ret);
/* "WHERE …" of the visible rows that the actor reaches and extra_where; binds its arguments, which must be the first. */
void sql_where(struct sql *q, const struct scope *s, const struct resource_query *rq, bool one);
enum db_reach resource_reach(const struct scope *s, const struct resource *r);

/* ---- filter.c ---- */

/* A condition in parentheses. */
MUST_CHECK enum err filter_sql(struct scope *s, const struct resource *r, enum api_version v,
			       const struct odata_node *n, struct sql *q);

/* ---- order.c, token.c: order and place ---- */

struct term {
	const struct property *p;
	bool descending, nullable;
	int column; /* of the operand in the SELECT */
};

struct order {
	struct term t[TERMS_MAX];
	size_t n;
};

MUST_CHECK enum err order_plan(struct scope *s, const struct resource_query *rq, struct order *ret);
void order_sql(const struct order *o, struct sql *q);
/* The rows after a place, in parentheses. */
void order_after_sql(const struct order *o, const struct db_value place[TERMS_MAX], struct sql *q);

struct place {
	bool given;
	int64_t count; /* -1: not carried */
	struct db_value v[TERMS_MAX];
};
/* What binds a token to its query: tenant, resource, condition, its values and the order. */
uint64_t token_hash(const struct scope *s, const struct resource_query *rq, const struct order *o,
		    const struct sql *where);
MUST_CHECK enum err token_read(struct scope *s, const char *token, uint64_t hash, const struct order *o,
			       struct place *ret);
MUST_CHECK enum err token_write(struct scope *s, uint64_t hash, const struct order *o, const struct place *p,
				char **ret);

/* ---- write.c: a row as JSON ---- */

/* A row is written as pieces: text that is the same in every row (names, constants), then a value. */
struct piece {
	const char *text;
	size_t n;
	const struct property *p; /* NULL: text only */
	int column;
};

struct row_plan {
	const struct property *select[COLUMNS_MAX]; /* what stands in the SELECT, by column; */
	bool operand[COLUMNS_MAX];                  /* as compared, not as stored */
	int columns;
	const struct property *keys[KEY_COLUMNS_MAX];
	int key_columns[KEY_COLUMNS_MAX];
	size_t key_count;
	int content; /* the column of the resource's content, or -1 */
	struct piece pieces[RECORD_PROPS_MAX + 1];
	size_t piece_count;
	bool on[RECORD_PROPS_MAX]; /* which properties are written, by place in the table */
};

/* Checks $select and plans the columns; the order's columns are added to it. */
MUST_CHECK enum err row_plan(struct scope *s, const struct resource_query *rq, struct order *o, struct row_plan *ret);
void row_plan_sql(const struct row_plan *pl, struct sql *q); /* "SELECT …" */
/* The row's members, then those of the `more` hook, into an open object. */
MUST_CHECK enum err row_write(const struct row_plan *pl, struct db_tx *tx, const struct resource_query *rq,
			      const struct db_rows *r, struct json_writer *w);

/* ---- expand.c ---- */

/* The rows that a page holds: where the members of each end, and whose they are. */
struct expand_place {
	struct id key;
	size_t end; /* offset in the output */
};
struct expand {
	const struct resource_query *rq;
	struct expand_place *places;
	size_t n, cap;
};

/* For at most `cap` rows. */
void expand_begin(struct expand *e, struct scope *s, const struct resource_query *rq, size_t cap);
/* Behind a row's last member, inside its object: writes what needs no statement of its own, remembers the rest. */
MUST_CHECK enum err expand_row(struct expand *e, struct db_tx *tx, const struct row_plan *pl, const struct db_rows *r, struct json_writer *w);
/* Behind the last row: reads the relations and puts them where they belong.  ERR_LIMIT where they are too many. */
MUST_CHECK enum err expand_end(struct expand *e, struct db_tx *tx, struct buf *out);

/* ---- list.c ---- */

/* The statement of one page, for tests of the plan that an engine makes of it. */
MUST_CHECK enum err list_sql(struct db_tx *tx, const struct resource_query *rq, struct sql *ret);

#endif
