/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person may always know without asking for the data itself (GDPR Art. 13 to 15): which kinds of data are held about them, what for, on which
 * basis, where from, for how long, who gets it, and how many entries there are now.  From the data map and the person's own rows; counts leave out
 * what is withheld quietly (privacy/disclosure/disclosure.h).
 */
#ifndef REEVE_PRIVACY_HELD_DATA_H
#define REEVE_PRIVACY_HELD_DATA_H

#include "base/buf.h"
#include "base/err.h"
#include "base/scope.h"
#include "codec/json.h"
#include "privacy/processing/processing.h"

struct held_section {
	const struct map_path *path; /* section "": rows of others in which the person stands */
	int64_t rows;
};

struct held_data {
	struct processing about; /* the organisation's side */
	struct id user;
	const char *upn, *display_name;
	struct held_section *sections;
	size_t n;
};

/* user: of a person who is there, or soft-deleted (export_resolve).  ERR_NOT_FOUND. */
MUST_CHECK enum err held_data_load(struct scope *s, const char *host, struct id user, struct held_data *ret);
void held_data_json(const struct held_data *h, struct json_writer *w); /* members of the open object */
void held_data_html(const struct held_data *h, struct buf *out);

#endif
