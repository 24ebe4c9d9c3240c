/* SPDX-License-Identifier: Apache-2.0
 *
 * The data map as a table: look-ups, and the comparison with the live schema.  It stands below audit/ because every event asks it
 * whether a value may be carried; privacy/ interprets it for export and erasure.
 */
#ifndef REEVE_MAP_DATAMAP_H
#define REEVE_MAP_DATAMAP_H

#include <stddef.h>

#include "base/err.h"
#include "base/scope.h"

enum map_link { MAP_LINK_NONE, MAP_LINK_USER, MAP_LINK_DEVICE, MAP_LINK_AUDIT };
enum map_domain { MAP_DOMAIN_DIRECTORY, MAP_DOMAIN_MANAGEMENT, MAP_DOMAIN_LOG, MAP_DOMAIN_EVIDENCE, MAP_DOMAIN_INSTALLATION };
enum map_table_erase { MAP_TABLE_DELETE, MAP_TABLE_UNLINK, MAP_TABLE_KEEP, MAP_TABLE_OWED, MAP_TABLE_RETENTION };
enum map_retention {
	MAP_RETAIN_RELATIONSHIP, MAP_RETAIN_DEVICE, MAP_RETAIN_TENANT, MAP_RETAIN_AUDIT, MAP_RETAIN_CERTIFICATE, MAP_RETAIN_EXPIRY,
	MAP_RETAIN_DAYS_30, MAP_RETAIN_MONTHS_24, MAP_RETAIN_YEARS_3, MAP_RETAIN_SECONDS, MAP_RETAIN_FOR_EVER, MAP_RETAIN_INSTALLATION
};
enum map_type { MAP_TYPE_ID, MAP_TYPE_TIME, MAP_TYPE_BLOB, MAP_TYPE_TEXT, MAP_TYPE_INT, MAP_TYPE_BOOL, MAP_TYPE_JSON, MAP_TYPE_SEALED };
enum map_kind { MAP_KIND_KEY, MAP_KIND_TECHNICAL, MAP_KIND_ORGANISATION, MAP_KIND_PERSONAL, MAP_KIND_SECRET };
enum map_origin { MAP_ORIGIN_PROVIDED, MAP_ORIGIN_OBSERVED, MAP_ORIGIN_DERIVED };
enum map_disclosure {
	MAP_DISCLOSE_FULL, MAP_DISCLOSE_OTHERS, MAP_DISCLOSE_PHONE, MAP_DISCLOSE_LOCATION, MAP_DISCLOSE_WITHHOLD_SECURITY,
	MAP_DISCLOSE_WITHHOLD_INVESTIGATION, MAP_DISCLOSE_INTERNAL
};
enum map_audit { MAP_AUDIT_VALUE, MAP_AUDIT_CHANGED, MAP_AUDIT_NEVER };
enum map_basis { MAP_BASIS_NONE, MAP_BASIS_CONTRACT, MAP_BASIS_OBLIGATION, MAP_BASIS_INTEREST };
enum map_through { MAP_THROUGH_PERSON, MAP_THROUGH_DEVICE };
enum map_role { MAP_ROLE_OWNER, MAP_ROLE_ACTOR, MAP_ROLE_TARGET, MAP_ROLE_MENTIONED };
enum map_erase { MAP_ERASE_ROW, MAP_ERASE_NULL, MAP_ERASE_PSEUDONYM, MAP_ERASE_KEEP };

struct map_table {
	const char *name, *purpose, *recipients; /* recipients: "" for nobody beside those who administer */
	enum map_domain domain;
	enum map_link link;
	enum map_table_erase erase;
	enum map_retention retention;
	enum map_basis basis;
};

/* A way from a row to a person. */
struct map_path {
	const char *table, *column, *section; /* section: of the export; "": none */
	enum map_through through;
	enum map_role role;
};

struct map_column {
	const char *table, *name, *category;
	enum map_type type;
	enum map_kind kind;
	enum map_origin origin;
	enum map_disclosure disclosure;
	enum map_audit audit;
	enum map_erase erase;
};

/* Where else something of a person may be; see stores.def. */
struct map_store {
	const char *name, *place, *holds, *categories, *protection, *erase, *until;
};

const struct map_table *map_tables(size_t *ret_n);   /* in the order of the map */
const struct map_path *map_paths(size_t *ret_n);     /* grouped by table, in its order */
const struct map_path *map_table_paths(const struct map_table *t, size_t *ret_n); /* NULL: none */
const struct map_column *map_columns(size_t *ret_n); /* grouped by table, in its order */
const struct map_store *map_stores(size_t *ret_n);
const struct map_table *map_table(const char *table);                        /* NULL: not mapped */
const struct map_column *map_column(const char *table, const char *column);  /* NULL: not mapped */

/* Names and texts for documents (names.c): "personal", "until the certificate expires" … */
const char *map_kind_name(enum map_kind k);
const char *map_type_name(enum map_type t);
const char *map_origin_name(enum map_origin o);
const char *map_disclosure_name(enum map_disclosure d);
const char *map_audit_name(enum map_audit a);
const char *map_erase_name(enum map_erase e);
const char *map_role_name(enum map_role r);
const char *map_through_name(enum map_through t);
const char *map_domain_name(enum map_domain d);
const char *map_basis_name(enum map_basis b);
const char *map_basis_text(enum map_basis b); /* "" for none */
const char *map_retention_name(enum map_retention r);
const char *map_retention_text(enum map_retention r);
const char *map_table_erase_text(const struct map_table *t); /* what the erasure of a person does to its rows */

/* The table's columns, in its order. */
const struct map_column *map_table_columns(const struct map_table *t, size_t *ret_n);

/* All rows of the map as one text, for callers that hash it (SHA-256) into bundles, certificates and plans. */
const char *map_version_text(struct arena *a);

/* Compares the map with the live schema (I5).  ERR_SCHEMA with a detail that names the first column that the map does not know, or that
 * the map names and the schema does not have. */
MUST_CHECK enum err map_check(struct scope *s);

#endif
