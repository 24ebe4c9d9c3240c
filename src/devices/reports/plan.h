/* SPDX-License-Identifier: Apache-2.0
 *
 * One export of a report, checked: which columns in which order, which rows, and the statement that reads a page of them.  Made when it is
 * asked for (so that a mistake is answered) and again by the job that makes the file.
 */
#ifndef REEVE_DEVICES_REPORTS_PLAN_H
#define REEVE_DEVICES_REPORTS_PLAN_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/scope.h"
#include "db/db.h"
#include "devices/reports/table.h"

enum report_format { REPORT_CSV, REPORT_JSON };

enum {
	REPORT_OUT_MAX = 128,  /* columns of a file */
	REPORT_WORDS_MAX = 16, /* members of a code */
	REPORT_KEY_MAX = 3,
	REPORT_KEY_BYTES = 4096, /* of one column of a key; names and versions have at most LIMIT_TEXT_BYTES */
	REPORT_PAGE = 1000,
};

struct report_asked {
	const char *filter;        /* as Intune writes them: (OwnerType eq '1') and (…); NULL or blank: all rows */
	const char *const *select; /* NULL-terminated names and aliases in any case; NULL or none: the default columns */
	bool replace;              /* replaceLocalizableValues; false: localizedValuesAsAdditionalColumn */
	enum report_format format;
};

struct report_word {
	const char *ours, *number, *text;
	size_t ours_n, number_n, text_n;
};

struct report_out {
	const struct report_column *column;
	const char *header;
	bool words;
	int at;               /* column of the statement; -1: a constant */
	const char *constant; /* ready for the format */
	const char *prefix;   /* JSON: ,"header": */
	struct report_word word[REPORT_WORDS_MAX];
	size_t word_n;
};

struct report_plan {
	const struct report *report;
	enum report_format format;
	struct report_out out[REPORT_OUT_MAX];
	size_t n;
	const char *sql;              /* one page; parameters: tenant, the last key, the filter's */
	struct report_place {
		struct db_value key[REPORT_KEY_MAX]; /* of the last row that was read */
		char bytes[REPORT_KEY_MAX][REPORT_KEY_BYTES];
		int64_t rows;
	} place[2];                   /* behind the last page, and behind the one at hand */
	size_t key_n;
	int key_at;                   /* its first column in the statement */
	const struct db_value *args;  /* the filter's, and those of what the scope's actor reaches */
	size_t arg_n;
};

/* In the arena; of the rows that the scope's actor reaches.  ERR_BAD_REQUEST: an unknown column, one that cannot be
 * filtered, a value of another kind, a filter that is missing though the report needs it; the detail quotes names, never values. */
MUST_CHECK enum err report_plan_make(struct scope *s, const struct report *r, const struct report_asked *q, struct report_plan **ret);

/* The rows behind the last page, at most REPORT_PAGE, as text to the buffer.  Until report_plan_advance() it gives the same again. */
MUST_CHECK enum err report_plan_page(struct report_plan *p, struct db_tx *tx, struct buf *out);
/* Behind the page at hand.  False: it was the last. */
bool report_plan_advance(struct report_plan *p);
int64_t report_plan_rows(const struct report_plan *p); /* so far */

/* What stands before and behind the rows. */
void report_plan_head(const struct report_plan *p, struct buf *out);
void report_plan_tail(const struct report_plan *p, struct buf *out);

#endif
