/* SPDX-License-Identifier: Apache-2.0
 *
 * What is held about a person, row by row of one path of the data map, each value as it is held and as the person gets to see it.  Bundle,
 * preview and printable page read here, so that a preview shows what the bundle will hold.
 *
 *     auto_held struct held_rows *h = NULL;
 *     TRY(held_open(tx, d, person, &(struct held_query){.path = path}, &h));
 *     while (held_next(h, &row)) { …; held_row_done(&row); }
 *     TRY(held_err(h));
 *
 * Columns that are never given (disclosure_of_map: WITHHOLD_SECURITY, INTERNAL) are not even read.  Rows are streamed; what a row points to is in
 * the arena of tx's scope, which the caller may rewind between two rows.
 */
#ifndef REEVE_PRIVACY_HELD_ROWS_H
#define REEVE_PRIVACY_HELD_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "db/db.h"
#include "map/datamap.h"
#include "privacy/disclosure/disclosure.h"

enum { HELD_COLUMNS_MAX = 128, HELD_KEY_MAX = 8 };

struct held_column {
	const struct map_column *column;
	const char *name; /* as people see it: userId */
};

struct held_value {
	const char *text;  /* as it is held; NULL: there is none */
	bool literal;      /* JSON writes `text` without quotes: numbers, booleans, JSON.  What stands in its place is always text */
	struct disclosed what;
	const char *shown; /* as the person sees it: text itself, what stands in its place, or NULL */
};

/* Something that is not given as it is, for redactions.json and withheld.json. */
struct held_hidden {
	const char *property; /* a column's name as people see it, or a part of an event */
	struct disclosed what;
	size_t count;         /* how often: an event may have many changes */
};

struct held_row {
	const char *record;    /* its opaque key */
	struct disclosed what; /* of the whole record: where it is WITHHOLD, none of it is given; where it is quiet, it is not counted either */
	struct held_value value[HELD_COLUMNS_MAX]; /* in the order of held_columns(); not of events */
	json_t *event, *held;  /* of an audit event: as the person sees it (NULL where it is withheld), and as it is held */
	struct held_hidden *hidden; /* without what is quiet */
	size_t hidden_n, hidden_room;
	struct db_value key[HELD_KEY_MAX]; /* for held_query.after */
};

struct held_query {
	const struct map_path *path;
	bool portability;             /* without what was derived (GDPR Art. 20) */
	const struct db_value *after; /* the key of the row before the page; NULL: from the first */
	bool keys_only;               /* no values and no events: which records there are */
	unsigned limit;               /* rows of a page, in the order of their keys; 0: all, events by time (one such reader at a time) */
};

struct held_rows;
MUST_CHECK enum err held_open(struct db_tx *tx, const struct disclosure *d, struct id person, const struct held_query *q, struct held_rows **ret);
bool held_next(struct held_rows *h, struct held_row *ret);
enum err held_err(const struct held_rows *h);
void held_row_done(struct held_row *row); /* releases its events */
void held_close(struct held_rows **h);
#define auto_held __attribute__((cleanup(held_close)))

/* The columns of a section in their order, without an open reader too.  Of audit events there are none: their parts are the event's own. */
const struct held_column *held_columns(struct arena *a, const struct map_path *path, bool portability, size_t *ret_n);
bool held_is_event(const struct map_path *path);
size_t held_key_count(const struct map_path *path);

#endif
