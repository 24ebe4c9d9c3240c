/* SPDX-License-Identifier: Apache-2.0
 *
 * A resource is a table of properties (src/resource/defs/<resource>.def): public name, type, column, versions, what one
 * may do with it.  JSON output, input checks, $select, $filter and $orderby to SQL, paging and the audit event's old
 * and new values are read from that table; no handler and no core function spells a property by hand.
 *
 * SQL made here selects from the resource's table as `t`; a computed property is an SQL expression over `t` and what
 * `join` adds.  Every statement is bound to the tenant: "t.tenant_id = ?1" is written here and nowhere else.  Names in
 * SQL come from the tables only; whatever came from outside is a bound parameter.
 */
#ifndef REEVE_RESOURCE_RESOURCE_H
#define REEVE_RESOURCE_RESOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "codec/odata.h"
#include "db/db.h"

enum api_version { API_V1 = 1, API_BETA = 2 };

enum property_type {
	PROP_ID,     /* UUID text */
	PROP_TEXT,
	PROP_BOOL,
	PROP_INT,    /* 64-bit */
	PROP_TIME,   /* RFC 3339; NULL is written as null */
	PROP_TIME_0, /* NULL is written as 0001-01-01T00:00:00Z (Graph's non-null dates) */
	PROP_ENUM,   /* text, one of `values` ("a|b|c"), compared without regard to case on input, written as listed */
	PROP_JSON,   /* a JSON value stored as text, written as it is; input: array or object, checked by the core */
	PROP_CONST,  /* written as the JSON literal in `sql`, for what Graph's clients expect and Reeve does not model;
			with P_CREATE or P_PATCH a request may carry that very value */
	PROP_BINARY, /* a BLOB, written in base64; never in a request */
	PROP_KEY,    /* the key columns joined by "_": the id of rows whose key is no single id; no sql */
};

enum property_flag {
	P_CREATE = 1,        /* may be given at creation */
	P_PATCH = 2,         /* may be changed */
	P_REQUIRED = 4,      /* must be given at creation, not null, not empty */
	P_FILTER = 8,
	P_SORT = 16,
	P_SELECT_ONLY = 32,  /* returned only where $select names it */
	P_WRITE_ONLY = 64,   /* accepted, never returned, no column (passwordProfile) */
	P_V1 = 128,          /* only in v1.0 */
	P_BETA = 256,        /* only in beta */
	P_NOCASE = 512,      /* compared in lower case (UPN, mail) */
	P_HIDDEN = 1024,     /* never written, not selectable: for filters, order and records */
	P_MORE = 2048,       /* written by the `more` hook: selectable; filterable and sortable where it has sql */
	P_NOT_NULL = 4096,   /* never NULL in a visible row: an index then serves its order */
	P_DEFAULT = 8192,    /* NULL is written as 0, false, "" or [], and compared so */
	P_MULTILINE = 16384, /* text may hold line breaks and tabs */
};

/* "a/b" names a member of a nested object: properties with the same first part stand together in the table.
 * "@odata.type" (a column) is written whatever $select says. */
struct property {
	const char *name, *sql; /* sql: a column of t ("display_name") or an expression containing a parenthesis;
				   PROP_CONST: the literal */
	enum property_type type;
	unsigned flags;
	unsigned max_bytes;     /* of text; 0: LIMIT_TEXT_BYTES */
	const char *values;     /* PROP_ENUM: its members; PROP_TEXT: spellings that $filter takes in any case, beside other texts */
	const char *edm;        /* its type in $metadata, where it does not follow: "Edm.Guid", "Collection(auditResource)", "managementAgentType" */
	const char *eq;         /* condition for `eq` and `in` where an index serves it better; "?" stands for the value
				   (P_NOCASE: lower case) */
};

/* Whose a row is, and so who sees it of those whose roles hold for the members of scope groups only (struct actor, `only`).  People count as
 * members as the groups stand now, deleted ones too. */
enum resource_whose {
	WHOSE_UNSAID,  /* forgotten: nobody with scope groups sees it, and a test fails */
	WHOSE_NOBODYS, /* the organisation's own: seen by all who may read it */
	WHOSE_PERSONS, /* `owner` is the person's id */
	WHOSE_DEVICES, /* `owner` is a device's id: the row is its person's */
	WHOSE_ASKERS,  /* a file that holds what its asker could see (requested_by, scope_groups): theirs, while they can see just that */
	WHOSE_TENANTS, /* of the tenant as a whole, or of many people at once: seen by nobody with scope groups */
};

struct resource {
	const char *name;       /* "managedDevice" */
	const char *entity;     /* of audit events: "ManagedDevice" */
	const char *odata_type; /* "#microsoft.graph.managedDevice"; NULL: not written.  A column odata_type wins where
				   the table has one */
	const char *context;    /* "deviceManagement/managedDevices": @odata.context is <base>/$metadata#<context> */
	const char *table;
	const char *key;        /* the key column (16-byte id), or several, comma-separated: then rows are listed, not
				   got by id.  Each is the sql of a property */
	const char *join;       /* LEFT JOIN … u ON …, for properties "(u.…)"; never multiplies rows; NULL */
	const char *content;    /* a BLOB column (of a hidden property) that the query's content hook writes; NULL */
	const char *where;      /* always true of visible rows, over t; "1=1" for all */
	enum resource_whose whose;
	const char *owner;      /* SQL over t, without the join */
	const char *order;      /* default order: a property name */
	bool order_descending;
	bool always_count;      /* Intune's lists carry @odata.count unasked */
	bool global;            /* the key is the tenant: a scope without a tenant sees all rows, any other its own */
	unsigned page_default, page_max; /* 0: LIMIT_PAGE_DEFAULT, LIMIT_PAGE_MAX */
	const struct property *props;
	size_t prop_count;
};

/* By its exact name; NULL where the version has none. */
const struct property *resource_property(const struct resource *r, const char *name, enum api_version v);
/* Whether $select (or the default set) asks for a property; for `more` hooks. */
struct resource_query;
bool resource_selected(const struct resource_query *q, const char *name);
/* "member=number|…" of an enumeration of Graph (enums.def); NULL where it has no row. */
const char *resource_enum(const char *type);
/* All resources, for `reeve routes`, $metadata and tests (each property's SQL must prepare). */
const struct resource *const *resource_all(size_t *ret_n);

/* ---- records: the values of one resource, by property ---- */

enum { RECORD_PROPS_MAX = 96 };

struct record {
	const struct resource *res;
	struct db_value v[RECORD_PROPS_MAX]; /* memory in the scope's arena */
	bool set[RECORD_PROPS_MAX];
};

struct record *record_new(struct arena *a, const struct resource *r);

enum record_mode { RECORD_CREATE, RECORD_PATCH };
/* Checks a request's body against the table.  ERR_BAD_REQUEST with a detail naming the property: unknown, wrong type,
 * not allowed in this mode, too long, missing though required, control characters, an enum's unknown member.
 * "@odata.*" annotations other than @odata.bind are accepted and ignored (the caller reads @odata.type itself).
 * Properties of `extra` (NULL-terminated names, may be NULL) are left to the caller. */
MUST_CHECK enum err record_parse(struct scope *s, const struct resource *r, const json_t *body, enum record_mode mode,
				 enum api_version v, const char *const *extra, struct record **ret);

/* By property name; a programming error where the resource has no such property. */
bool record_has(const struct record *r, const char *name);            /* set and not null */
const char *record_text(struct arena *a, const struct record *r, const char *name); /* TEXT, ENUM, JSON; NULL */
int64_t record_int(const struct record *r, const char *name);         /* INT, BOOL, TIME; 0 */
struct id record_id(const struct record *r, const char *name);        /* nil */
void record_set_text(struct record *r, const char *name, const char *text); /* not copied */
void record_set_int(struct record *r, const char *name, int64_t v);
void record_set_id(struct record *r, struct arena *a, const char *name, struct id id);
void record_set_null(struct record *r, const char *name);

/* Columns that are no property (upn_key, version …) are given as name/value pairs beside the record. */
struct extra_column {
	const char *column;
	struct db_value value;
};

/* INSERT of all set properties that are columns, the key and the extras. */
MUST_CHECK enum err record_insert(struct db_tx *tx, const struct record *r, struct id key,
				  const struct extra_column *extra, size_t n);
/* The row by key, all column and computed properties; respects `where` unless any_row.  ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err record_load(struct db_tx *tx, const struct resource *r, struct id key, bool any_row,
				struct record **ret);
/* UPDATE of the set properties that differ from `old` (loaded in the same transaction) and the extras; the differences
 * are appended to *changes as audit changes.  *ret_changed false: nothing differed, nothing was written. */
MUST_CHECK enum err record_update(struct db_tx *tx, const struct record *old, const struct record *change,
				  struct id key, const struct extra_column *extra, size_t n,
				  struct audit_change ***changes_tail, bool *ret_changed);
/* Every set property as an audit change without an old value (creation), or without a new one (deletion). */
void record_changes_all(struct arena *a, const struct record *r, bool created, struct audit_change ***changes_tail);

/* ---- reading ---- */

struct resource_query;
struct resource_relation {
	const char *name;                /* "memberOf" */
	const struct resource *target;   /* NULL: `write` writes the value */
	const char *via;                 /* JOIN … m ON m.tenant_id = ?1 AND … t.…; "" where the target's row names its owner */
	const char *parent;              /* the key of the row that it belongs to: "m.user_id", "t.device_id" */
	const char *odata_type;          /* of each object, or NULL */
	unsigned page;                   /* rows on a page that is expanded by it, at most */
	/* As in resource_query, for the target's rows. */
	enum err (*more)(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg);
	/* The value of one row. */
	enum err (*write)(struct db_tx *tx, struct json_writer *w, struct id key);
};

struct resource_expansion {
	const struct resource_relation *relation;
	const char *const *select; /* of the target; NULL: its default */
	const struct scope_groups *only; /* of whom the relation's own permission lets the actor see; NULL: of everybody */
};

struct resource_query {
	const struct resource *res;
	enum api_version version;
	struct odata_query odata;
	const char *base_url;   /* "https://host:port/v1.0": of @odata.context and @odata.nextLink */
	const char *path;       /* as requested, without the version: for @odata.nextLink */
	const char *raw_query;  /* as requested: its options are kept in @odata.nextLink */
	const char *extra_where;/* over t, parameters ?2 … (?1 … in a scope without a tenant); NULL */
	const struct db_value *args;
	size_t arg_count;
	/* Writes more members of one object (expanded or derived ones, @odata.type); called inside the object with the
	 * row's key.  NULL. */
	enum err (*more)(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg);
	void *more_arg;
	/* $expand, resolved: each is read with one statement for the whole page. */
	struct resource_expansion expansions[ODATA_EXPAND_MAX];
	size_t expansion_count;
	/* Writes the properties P_MORE of one object out of the resource's content column, read with the row.  NULL. */
	enum err (*content)(struct scope *s, struct json_writer *w, const struct resource_query *q, const char *p, size_t n);
};

/* One page as a Graph collection object ({"@odata.context", "@odata.count"?, "@odata.nextLink"?, "value":[…]}).  Keyset
 * paging: $skiptoken is opaque, holds the last row's order values and key and survives inserts and deletes; it also
 * carries the count, which is taken once, on the first page; $skip works too (bounded to 100,000).  ERR_BAD_REQUEST for
 * unknown or unfilterable properties, values of a wrong type, a foreign $skiptoken. */
MUST_CHECK enum err resource_list(struct db_tx *tx, const struct resource_query *q, struct buf *out);
/* The rows of a page alone, into an open array; *ret_next: the $skiptoken of the next page, NULL where this is the last. */
MUST_CHECK enum err resource_page(struct db_tx *tx, const struct resource_query *q, struct json_writer *w, char **ret_next);
/* The number of rows as plain text (/$count). */
MUST_CHECK enum err resource_count(struct db_tx *tx, const struct resource_query *q, struct buf *out);
/* One entity ({"@odata.context": "…#…/$entity", …}).  ERR_NOT_FOUND with a detail. */
MUST_CHECK enum err resource_get(struct db_tx *tx, const struct resource_query *q, struct id key, struct buf *out);

/* ---- filters that are stored ---- */

struct resource_condition {
	const char *sql; /* in parentheses, over t; parameters from ?first on */
	const struct db_value *args;
	size_t arg_count;
};
/* A filter's text (decoded) as a condition on rows of r, in the arena.  ERR_BAD_REQUEST as for a list. */
MUST_CHECK enum err resource_condition(struct scope *s, const struct resource *r, enum api_version v, const char *filter, unsigned first,
				       struct resource_condition *ret);
/* The same of a parsed filter, for statements that have the resource's join. */
MUST_CHECK enum err resource_condition_joined(struct scope *s, const struct resource *r, enum api_version v, const struct odata_node *filter,
					      unsigned first, struct resource_condition *ret);

/* ---- whose rows ---- */

/* The condition that scope groups put on rows, for statements that are not made here: parameters from ?first on (?1 is the tenant); "1=1" where
 * only is NULL.  each: rows are found by other conditions, and each is judged; else by their people.  Not for WHOSE_ASKERS. */
MUST_CHECK enum err resource_reach_condition(struct scope *s, const struct scope_groups *only, enum resource_whose whose, const char *owner, bool each,
					     unsigned first, struct resource_condition *ret);
/* resource_condition() of a filter (NULL: all rows) and of what the scope's actor reaches of r. */
MUST_CHECK enum err resource_filter_reached(struct scope *s, const struct resource *r, enum api_version v, const char *filter, unsigned first,
					    struct resource_condition *ret);
/* ERR_NOT_FOUND, as where there is none, unless the row is there (visible or not) and the scope's actor reaches it.  Without scope groups it
 * is not looked for: OK. */
MUST_CHECK enum err resource_reachable(struct db_tx *tx, const struct resource *r, struct id key);

#endif
