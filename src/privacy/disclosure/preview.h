/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person will get, before they get it: the sections of a case with counts, and their records with the verdict on each value and who gave
 * it.  Read through held_rows.h and disclosure.h, as the bundle is.
 */
#ifndef REEVE_PRIVACY_PREVIEW_H
#define REEVE_PRIVACY_PREVIEW_H

#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "privacy/disclosure/disclosure.h"
#include "privacy/disclosure/held_rows.h"

enum { PREVIEW_PAGE_DEFAULT = 50, PREVIEW_PAGE_MAX = 100 };

/* One section of the answer. */
struct preview_section {
	const struct map_path *path;
	struct disclosed what;     /* WITHHOLD: not given as a whole */
	bool not_portable;         /* of a portability case: what others did, or did to the person, is not taken along */
	int64_t records, withheld_records, quiet_records; /* records: that are given */
	int64_t given, redacted, withheld;                /* values of those records that are not NULL; of events their parts */
};

/* Every section of the map, in its order.  ERR_NOT_FOUND; ERR_CONFLICT while it is not known whom the case is about.  Sets the scope's subject. */
MUST_CHECK enum err preview_summary(struct scope *s, struct id request, struct preview_section **ret, size_t *ret_n);

struct preview_page {
	struct preview_section section;   /* without counts */
	const struct held_column *column; /* none of events */
	size_t columns;
	struct held_row *row;
	size_t rows;
	const char *next; /* a token; NULL: this was the last */
};

/* One page of a section, also of what is withheld.  token: NULL, or preview_page.next.  ERR_BAD_REQUEST for a token of another section.  The caller
 * releases what it got, whatever was returned. */
MUST_CHECK enum err preview_records(struct scope *s, struct id request, const char *section, const char *token, unsigned top, struct preview_page *ret);
void preview_release(struct preview_page *p);

/* Records that the scope's actor saw it: one event per reader, person and UTC day. */
MUST_CHECK enum err preview_record(struct scope *s, struct id request);

/* ---- tokens: the key of the last row of a page, bound to the section ---- */

const char *preview_token_write(struct arena *a, const struct map_path *path, const struct db_value *key);
/* false: it is none of this section. */
bool preview_token_read(struct arena *a, const struct map_path *path, const char *token, struct db_value *ret_key);

#endif
