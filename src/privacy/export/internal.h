/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the files of export: one bundle (or page) being made, in two steps.  First all of its sections are read in one transaction into
 * a spool (section.c), then they are packed and sealed with no reader open (pack.c, text.c, html.c).
 */
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
#include "crypto/digest.h"
#include "map/datamap.h"
#include "privacy/disclosure/disclosure.h"
#include "privacy/export/export.h"
#include "privacy/export/spool.h"
#include "privacy/disclosure/held_rows.h"

enum {
	SECTIONS_MAX = 64,
	PAGE_ROWS = 500,        /* of one HTML file */
	VALUE_SHOWN = 4096,     /* bytes of a value that HTML shows; data/ has all of it */
	OMISSIONS_BYTES = 4 * 1024 * 1024,
};

/* Why a whole section is not in this file although it is on the map. */
enum left_out { NOT_LEFT_OUT, LEFT_WITHHELD, LEFT_NOT_ASKED, LEFT_NOT_PORTABLE };

struct section {
	const struct map_table *table;
	const struct map_path *path;
	const char *name; /* of its files: the path's section, or longer where another path has that */
	enum left_out left_out;
	struct disclosed why; /* LEFT_WITHHELD */
	const struct held_column *column; /* that may be given; none of audit events */
	size_t n;
	int64_t rows, redacted, withheld; /* redacted values, withheld values and records */
	struct spool_text json, csv;
	struct spool_text *html; /* the rows of each page */
	size_t pages;
};

/* What is not given as it is, counted by place and reason. */
struct omission {
	const struct section *section;
	const char *property; /* NULL: whole records (or the section); public name */
	enum verdict verdict;
	const char *reason, *ground;
	bool by_officer;
	int64_t count;
};

struct recipient {
	const char *name, *kind; /* of an audit sink */
};

struct bundle {
	struct scope *s; /* of the tenant */
	struct id operation, user, request;
	const char *variant, *form, *sections; /* sections: JSON array; NULL: all */
	const char *host;
	/* as read */
	const char *upn, *display_name, *organisation, *checkpoint, *regime; /* the last two may be NULL */
	bool intake; /* the tenant has a public page for requests */
	struct disclosure *disclosure;
	struct recipient *sinks;
	size_t sinks_n;
	struct section section[SECTIONS_MAX];
	size_t n;
	struct spool spool;
	struct spool_text redactions, withheld; /* items of the two lists, without brackets */
	struct arena *kept;                     /* of omissions */
	struct omission *omission;
	size_t omissions, omissions_room;
	int64_t values_redacted, withheld_items;
	uint8_t map[SHA256_BYTES];
};

bool bundle_is(const struct bundle *b, const char *variant);

/* ---- reading (section.c) ---- */

/* Reads everything into the spool, in one transaction, again where the reader was in the way of a scrub. */
MUST_CHECK enum err export_read(struct bundle *b);
void export_release(struct bundle *b);

/* ---- omissions (omission.c) ---- */

/* What is not given as it is: counted, and listed in redactions.json or withheld.json.  record, property: may be NULL. */
void omission_add(struct bundle *b, struct section *sec, const char *record, const char *property, const struct disclosed *what, int64_t count);
/* A column that is left out of every row. */
void omission_of_column(struct bundle *b, struct section *sec, const struct map_column *c, const char *reason);
const char *omission_text(const char *reason); /* for people; also of reasons that no officer can give */
const char *left_out_reason(const struct section *sec); /* NULL: it is in */

/* ---- texts (text.c, html.c) ---- */

struct bundle_file {
	const char *name;
	int64_t rows, bytes; /* rows -1: it has none */
	uint8_t sha256[SHA256_BYTES];
};

MUST_CHECK enum err bundle_manifest(const struct bundle *b, const struct bundle_file *files, size_t n, struct buf *out);
void bundle_signature(const struct bundle *b, const struct buf *manifest, struct buf *out);
void bundle_schema(const struct bundle *b, const struct section *sec, struct buf *out);
void bundle_withheld_head(const struct bundle *b, struct buf *out);

/* The rows of a section as they come: a table where it has few columns, else one table for each record. */
bool html_is_table(const struct section *sec);
void html_row_begin(const struct section *sec, struct buf *out);
void html_value(const struct section *sec, struct buf *out, const char *name, const char *value, const struct disclosed *d); /* value may be NULL */
void html_row_end(const struct section *sec, struct buf *out);

void html_readme(const struct bundle *b, struct buf *out);
void html_section_head(const struct bundle *b, const struct section *sec, size_t page, struct buf *out);
void html_section_foot(const struct bundle *b, const struct section *sec, size_t page, struct buf *out);
/* form page: everything in one file */
void html_page_head(const struct bundle *b, struct buf *out);
void html_page_section(const struct bundle *b, const struct section *sec, struct buf *out);
void html_page_section_end(const struct section *sec, struct buf *out);
void html_page_foot(const struct bundle *b, struct buf *out);
/* "html/devices-2.html", in the arena */
const char *html_name(const struct bundle *b, const struct section *sec, size_t page);

/* ---- its file ---- */

const char *export_sealed_path(struct arena *a, const char *data_dir, struct id operation);
const char *export_type(bool page);
/* Removes files whose operation is gone: its person was erased while it was built, and then the server crashed. */
MUST_CHECK enum err export_sweep(struct scope *s, const char *data_dir);

/* ---- packing (pack.c) ---- */

struct packed {
	int64_t bytes;
	uint8_t sha256[SHA256_BYTES], manifest_sha256[SHA256_BYTES]; /* the latter: of a bundle */
};
/* Makes the file and seals it on its way to the disk: there is no plain file. */
MUST_CHECK enum err bundle_pack(struct bundle *b, const char *sealed, struct packed *ret);

#endif
