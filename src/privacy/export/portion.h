/* SPDX-License-Identifier: Apache-2.0
 *
 * What is held about a person in the shape that Microsoft's export script reads at its end (exportDeviceAndAppManagementData): one item
 * {displayName, data[]} for each section of the data map, each value as the person gets to see it.  The script writes a file of each, named by
 * displayName.  It says what is held and not why something is missing: for that there is the bundle (export.h).
 */
#ifndef REEVE_PRIVACY_PORTION_H
#define REEVE_PRIVACY_PORTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"

/* Where a page begins: at a row of a section.  All zero: at the first. */
struct portion_place {
	unsigned section; /* how many sections are before it */
	unsigned part;    /* a section with more than an item holds goes on in further ones: "Applications", "Applications 2" … */
	int64_t rows;     /* of the section in its items before */
};

struct portion_page {
	struct portion_place at; /* in: the first row; out: the first row of the next page */
	unsigned sections;       /* at most so many; 0: all */
	size_t item_bytes;       /* an item that has grown past it ends; the page ends past twice of it.  0: 4 MiB */
	bool more;               /* out: there is a next page */
};

/* Items into an open array, in one snapshot with whatever else tx reads. */
MUST_CHECK enum err portion_write(struct db_tx *tx, struct id person, struct portion_page *page, struct json_writer *w);
/* One event: who took everything that is held about whom. */
MUST_CHECK enum err portion_record(struct scope *s, struct id person);

/* A place as text for a link, and back; false: it is none. */
enum { PORTION_PLACE_TEXT = 48 };
void portion_place_format(const struct portion_place *p, char text[PORTION_PLACE_TEXT]);
bool portion_place_parse(const char *text, struct portion_place *ret);

/* "skip=2,top=10": the arguments of Intune's function, sections both, in any order and case; one that is not there leaves its part of the page. */
bool portion_window_parse(const char *text, struct portion_page *ret);

#endif
