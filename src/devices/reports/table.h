/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports that are exported as files (deviceManagement/reports/exportJobs): each is a table of columns (devices/reports/<subject>.def), listed in
 * reports.def.  Names, headers and which columns may be filtered are Intune's ("Reports and properties available using Graph APIs"); values are
 * what Reeve holds, and what Intune writes for a device without it where Reeve holds nothing.
 *
 * A report's SQL selects from its first table as `t`; a person whom it joins is `u`, a device `d`.
 */
#ifndef REEVE_DEVICES_REPORTS_TABLE_H
#define REEVE_DEVICES_REPORTS_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "resource/resource.h"

enum report_type {
	REPORT_TEXT,
	REPORT_ID,
	REPORT_TIME, /* CSV: 2026-11-22 08:15:30.0000000, as Intune; JSON: RFC 3339 */
	REPORT_INT,
	REPORT_BOOL, /* CSV: True, False */
	REPORT_CODE, /* a word of ours that is a number and a word of Intune's: `words` */
	REPORT_HEX,  /* bytes */
	REPORT_APP,  /* of `name 0x1f version`: an opaque key of the software */
};

enum report_flag {
	R_FILTER = 1, /* may stand in the filter */
	R_ASKED = 2,  /* only where `select` names it */
	R_LOC = 4,    /* a code with a text: <name>_loc beside it, or instead of it */
	R_WORDS = 8,  /* a code that is written as its text */
};

#define REPORT_NEVER "9999-12-31T23:59:59Z"

struct report_column {
	const char *name;
	const char *sql;    /* over t, u, d; NULL: always `constant` */
	const char *header; /* as received; NULL: the name */
	const char *alias;  /* that `select` takes too; NULL */
	const char *constant; /* NULL: empty, 0, false, 0001-01-01 or the nil id, by type */
	const char *words;  /* REPORT_CODE: "ours=number=text|…"; the first is what stands for others */
	enum report_type type;
	unsigned flags;
};

struct report {
	const char *name;
	const char *from;     /* "managed_devices t LEFT JOIN …" */
	const char *where;    /* of its rows; tenant and place are added */
	enum resource_whose whose;
	const char *owner;    /* as in struct resource */
	const char *key[3];   /* columns in the order of an index that is unique in them; NULL-terminated */
	const char *required; /* the filter must compare this column with eq; NULL */
	const struct report_column *columns;
	size_t n;
};

/* In any case.  NULL: no such report, no such column (by name, or by alias where aliases are taken). */
const struct report *report_find(const char *name);
const struct report_column *report_column(const struct report *r, const char *name, bool alias);
const struct report *report_all(size_t *ret_n);

#endif
