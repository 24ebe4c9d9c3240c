/* SPDX-License-Identifier: Apache-2.0
 *
 * An audit event as a row, of a bundle's CSV and of pages.  What of it is told was decided before (disclosure_of_event).
 */
#ifndef REEVE_PRIVACY_DISCLOSURE_EVENT_ROW_H
#define REEVE_PRIVACY_DISCLOSURE_EVENT_ROW_H

#include <jansson.h>
#include <stddef.h>

#include "base/arena.h"

/* The names of the columns, NULL at the end, and the text of one, in the arena; "" where there is none. */
extern const char *const event_columns[];
char *event_column(struct arena *a, const json_t *event, size_t column);
/* The fewer columns that a page shows. */
extern const char *const event_shown[];
char *event_shown_text(struct arena *a, const json_t *event, size_t column);

#endif
