/* SPDX-License-Identifier: Apache-2.0
 *
 * CSV out (RFC 4180): CRLF, fields quoted where needed, cells that a spreadsheet would run as a formula (= + - @ TAB CR
 * first) neutralised by a leading apostrophe.  To undo: a value that begins with one or more apostrophes and then one of those loses
 * its first apostrophe.
 */
#ifndef REEVE_CODEC_CSV_H
#define REEVE_CODEC_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct csv_writer {
	struct buf *out;
	bool first;
};

void csv_init(struct csv_writer *w, struct buf *out);
void csv_field(struct csv_writer *w, const char *s, size_t n); /* s NULL: an empty field */
void csv_end_row(struct csv_writer *w);

#endif
