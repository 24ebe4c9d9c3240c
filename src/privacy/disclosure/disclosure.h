/* SPDX-License-Identifier: Apache-2.0
 *
 * What a person gets to see of a value: the data map's rule, then what an officer decided for this request.  Export, preview and printable
 * page ask here, value by value; nobody else knows a rule.
 *
 * Order: WITHHOLD_SECURITY and INTERNAL are never given.  Then the most specific decision of the request: record and property, record,
 * section and property, section.  Then the map.  What is withheld because of a hold or an inquiry is given only where a decision names the very
 * record (of events) or property (of columns).
 *
 * Sections, records and values are asked in this order, and each that is not given ends it: a section that is withheld has no records.  Where
 * something below was decided otherwise, the place above is not withheld as a whole, and each value is told by itself.
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
	const char *reason, *ground; /* a code of reasons.def; ground: an officer's, or NULL.  NULL where it is given as the map says */
	bool by_officer;
	bool quiet; /* withheld, and not even listed or counted, so that nobody is tipped off: DISCLOSURE_QUIET_TEXT speaks for it */
};

/* Stands in every answer, whether something was withheld so or not. */
#define DISCLOSURE_QUIET_TEXT                                                                                               \
	"Records of legal holds and inquiries, where there are any, and of decisions about them, are not part of an answer and are not " \
	"counted in it: an inquiry would be endangered."

/* What decides, loaded once per export. */
struct disclosure;
/* person: whose data it is.  request: the case, nil for none (then only the map decides); decisions that were made when the case was about
 * somebody else do not count.  full: the map's OTHERS, PHONE and LOCATION are given as they are (a copy for the organisation itself; WITHHOLD_*
 * stay).  In the arena of tx's scope. */
MUST_CHECK enum err disclosure_load(struct db_tx *tx, struct id person, struct id request, bool full, struct disclosure **ret);

/* What the rules need to know of the row. */
struct disclosed_row {
	const struct map_path *path;
	const char *record;      /* its key (record_key) */
	bool personal_device;    /* the row is of a personal device, or of one with a work profile */
	bool company_device;     /* the row is of a company device */
};
/* Of the section as a whole, of the whole record: GIVE or WITHHOLD; then of each value that is there (what is NULL is not redacted).  id: the value where the
 * column is an ID, else NULL: the person's own is theirs to see. */
struct disclosed disclosure_of_section(const struct disclosure *d, const char *section);
struct disclosed disclosure_of_record(const struct disclosure *d, const struct disclosed_row *row);
struct disclosed disclosure_of_value(const struct disclosure *d, const struct disclosed_row *row, const struct map_column *c, const struct id *id);
/* The text in place of a redacted value, in the arena: "[redacted: another person]", "***-***-1234", "[redacted: <reason's text>]". */
const char *disclosure_text(struct arena *a, const struct map_column *c, const struct disclosed *d, const char *value);
/* What the map says of a column, for lists of what is left out of every answer; without an officer. */
struct disclosed disclosure_of_map(const struct map_column *c);

/* A condition to add to a query for rows of t ("" or " AND …"): without rows that would tip the person off. */
const char *disclosure_told_where(struct arena *a, const struct map_table *t);
/* The same for counts: of events every kind that may be quiet is left out, open case or not, because a count that changes with a case would
 * tell of it. */
const char *disclosure_counted_where(struct arena *a, const struct map_table *t);

/* ---- events ---- */

/* Told of each part that is not given as it is: one of event_part(), or resources/modifiedProperties for a change that is absent.  What is quiet is
 * not told. */
typedef void (*disclosure_report_fn)(void *arg, const char *property, const struct disclosed *what);

/* One audit event as its subject may see it (bytes as stored): who else acted, and what the person did to somebody else, is redacted, but for the
 * system and the person's own devices; a change tells no more than the record that it changed.  The event object, which the caller releases.  NULL:
 * the event is withheld as a whole (*ret says why, and report was not called), or it is no event (then *ret says GIVE).  report may be NULL. */
json_t *disclosure_of_event(const struct disclosure *d, const struct disclosed_row *row, const char *bytes, size_t n,
			    disclosure_report_fn report, void *arg, struct disclosed *ret);
/* The parts of an event that can be redacted, which a decision names as its property: "actor/ipAddress" …; NULL past the last. */
const char *event_part(size_t i);

/* ---- places ---- */

/* The opaque key of a record: 16 bytes of SHA-256 over tenant, table and key values (record_key_columns), in hexadecimal.  The same in every
 * export of the row. */
enum { RECORD_KEY_TEXT = 33 };
char *record_key(struct arena *a, struct id tenant, const struct map_table *t, const struct db_value *key, size_t n);
/* The columns that name a row beside its tenant, "device_id, name" (record_keys.def); each table with a section has them. */
const char *record_key_columns(const struct map_table *t);
/* The public name of a column, in the arena: user_id is userId. */
char *property_name(struct arena *a, const char *column);
/* The path that an export's section is made of; NULL: there is none. */
const struct map_path *section_path(const char *section);

/* ---- an officer's decisions ---- */

enum { DISCLOSURE_GROUND_MAX = 1024, DISCLOSURE_DECISIONS_MAX = 5000 }; /* of a case: one export holds them all */

struct disclosure_decision {
	const char *section, *record, *property; /* record, property: NULL or "" for all */
	const char *disclosure, *reason, *ground;  /* full, redacted, withheld */
};
/* Sets (or replaces) the decision on a place; an event each, none where it says what stands already.  ERR_BAD_REQUEST for an unknown section,
 * record, property or reason, a reason that does not fit, no ground, or a value that may never be given; ERR_NOT_FOUND; ERR_CONFLICT once the case
 * is decided, or while it is not known whom it is about. */
MUST_CHECK enum err disclosure_decide(struct scope *s, struct id request, const struct disclosure_decision *d, struct id *ret);
MUST_CHECK enum err disclosure_withdraw(struct scope *s, struct id request, struct id decision);
/* ERR_NOT_FOUND where there is no such case (or the case has no such decision).  ret: whom it is about, nil where that is not known; may be NULL.
 * Both set the scope's subject. */
MUST_CHECK enum err disclosure_case_subject(struct scope *s, struct id request, struct id *ret);
MUST_CHECK enum err disclosure_check(struct scope *s, struct id request, struct id decision);

#endif
