/* SPDX-License-Identifier: Apache-2.0
 *
 * The data map as a document: for people (text, HTML), for spreadsheets (CSV), for programs (JSON), and as a dataset of fides.  Nothing in them
 * but what the map says; docs/operating/data-map.md tells what each column means.
 */
#ifndef REEVE_PRIVACY_MAP_DOCUMENT_H
#define REEVE_PRIVACY_MAP_DOCUMENT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "codec/json.h"
#include "map/datamap.h"

enum { MAP_VERSION_TEXT = 65 };
/* SHA-256 of map_version_text(), in hexadecimal: the version that bundles and certificates name. */
const char *map_version(struct arena *a, char ret[MAP_VERSION_TEXT]);

/* Whether any column of the table is a person's. */
bool map_is_personal(const struct map_table *t);

void map_document_text(struct arena *a, struct buf *out);
void map_document_csv(struct arena *a, struct buf *out);  /* a row for each column */
void map_document_html(struct arena *a, struct buf *out);
void map_document_json(struct arena *a, struct json_writer *w); /* members of the open object */
/* A dataset in YAML, as fideslang's Dataset model takes it (3.1): collections are tables, references are the map's paths, the identity is the mail
 * address.  Tables that nobody is reached in are marked skip_processing. */
void map_document_fides(struct arena *a, struct buf *out);

/* Pieces that other documents are made of: */
/* Adds each distinct category of the table's personal columns to a list of `room` texts that has n; returns the new n. */
size_t map_categories(const struct map_table *t, const char **list, size_t n, size_t room);
/* As people read it, in the arena: "user.contact.phone_number" is "contact phone number". */
const char *map_category_words(struct arena *a, const char *category);
/* The list as one text with ", " between, in the arena. */
const char *map_join(struct arena *a, const char *const *list, size_t n);
/* Distinct ways in which the table's personal columns come to be here: "provided, observed". */
const char *map_origins(struct arena *a, const struct map_table *t);
void map_stores_html(struct buf *out);
void map_stores_json(struct json_writer *w); /* an array */

#endif
