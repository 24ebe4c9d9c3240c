/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of export: one bundle being built. */
#ifndef REEVE_PRIVACY_EXPORT_INTERNAL_H
#define REEVE_PRIVACY_EXPORT_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/csv.h"
#include "codec/json.h"
#include "codec/zip.h"
#include "crypto/digest.h"
#include "map/datamap.h"

#define REDACTED "[redacted: another person]"

enum { SECTIONS_MAX = 32 };

struct bundle_file {
	const char *name;
	int64_t rows, bytes; /* rows -1: it has none */
	uint8_t sha256[SHA256_BYTES];
};

struct section {
	const struct map_table *table;
	const struct map_path *path;
	int64_t rows, redacted; /* values that belong to others */
	struct bundle_file json, csv;
	struct buf html; /* the first rows, for README.html */
};

struct bundle {
	struct scope *s; /* of the tenant */
	struct id operation, user;
	const char *host, *dir;					    /* dir: DIR/exports */
	const char *upn, *display_name, *organisation, *checkpoint; /* checkpoint may be NULL */
	struct zip_writer *zip;
	struct section sections[SECTIONS_MAX];
	size_t n;
	uint8_t map[SHA256_BYTES];
};

/* Writes data/<section>.json and .csv into the zip, page by page through files without a name. */
MUST_CHECK enum err section_write(struct bundle *b, const struct map_path *p, struct section *ret);

/* README.html and manifest.json, when all sections are written. */
MUST_CHECK enum err bundle_manifest(const struct bundle *b, struct buf *out);
void bundle_readme(const struct bundle *b, struct buf *out);
void html_text(struct buf *out, const char *s, size_t n); /* escaped */

/* One audit event as its subject may see it: bytes as stored in, the event object without what belongs to others out
 * (the caller releases it; NULL: no event).  *redacted grows by what was taken out. */
json_t *redact_event(const char *bytes, size_t n, struct id user, int64_t *redacted);
/* The columns of an event in CSV and HTML. */
extern const char *const event_columns[];
char *event_column(struct arena *a, const json_t *event, size_t column); /* "" where there is none */

/* Why a column is not in the bundle; NULL: it is. */
const char *omission(const struct map_column *c);

#endif
