/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person gets to see of a value: the data map's rule, then what an officer decided for this request.  Export, preview and printable
 * page ask here, value by value; nobody else knows a rule.
 *
 * Order: WITHHOLD_SECURITY and INTERNAL are never given.  Then the most specific decision of the request: record and property, record,
 * section and property, section.  Then the map.
 */
#ifndef REEVE_PRIVACY_DISCLOSURE_H
#define REEVE_PRIVACY_DISCLOSURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "map/datamap.h"

enum verdict { GIVE, REDACT, WITHHOLD };
/* REDACT: a text stands in the value's place; WITHHOLD: the value (or the record) is absent.  Both are listed with their reason. */

struct disclosed {
	enum verdict verdict;
	const char *reason, *ground; /* of reasons.def; ground: an officer's, or NULL.  NULL where it is given */
	bool by_officer;
};

/* What decides, loaded once per export. */
struct disclosure;
/* request: the case, nil for none (then only the map decides).  full: the map's OTHERS, PHONE and LOCATION are given as they are (a copy for the
 * organisation itself; WITHHOLD_* stay).  In the arena of tx's scope. */
MUST_CHECK enum err disclosure_load(struct db_tx *tx, struct id request, bool full, struct disclosure **ret);

/* What the rules need to know of the row. */
struct disclosed_row {
	const struct map_path *path;
	const char *record;      /* its key (record_key) */
	bool personal_device;    /* the row is of a personal device, or of one with a work profile */
	bool company_device;     /* the row is of a company device */
};
/* Of the whole record; then of each value. */
struct disclosed disclosure_of_section(const struct disclosure *d, const char *section);
struct disclosed disclosure_of_record(const struct disclosure *d, const struct disclosed_row *row);
struct disclosed disclosure_of_value(const struct disclosure *d, const struct disclosed_row *row, const struct map_column *c);
/* The text in place of a redacted value, in the arena: "[redacted: another person]", "***-***-1234", "[redacted: <reason's text>]". */
const char *disclosure_text(struct arena *a, const struct map_column *c, const struct disclosed *d, const char *value);

/* The opaque key of a record: 16 bytes of SHA-256 over tenant, table and key values, in hexadecimal.  The same in every export of the row. */
enum { RECORD_KEY_TEXT = 33 };
char *record_key(struct arena *a, struct id tenant, const struct map_table *t, const struct db_value *key, size_t n);

/* ---- an officer's decisions ---- */

struct disclosure_decision {
	const char *section, *record, *property; /* record, property: NULL or "" for all */
	const char *disclosure, *reason, *ground;  /* full, redacted, withheld */
};
/* Sets (or replaces) the decision on a place; an event each.  ERR_BAD_REQUEST for an unknown section, property, reason, or a value that may never
 * be given; ERR_CONFLICT once the case is decided. */
MUST_CHECK enum err disclosure_decide(struct scope *s, struct id request, const struct disclosure_decision *d, struct id *ret);
MUST_CHECK enum err disclosure_withdraw(struct scope *s, struct id request, struct id decision);

#endif
