/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of processing activities (GDPR Art. 30), from the data map and from what the tenant has set up: its name, the receivers of its audit
 * log, its retention.  An activity is a table that holds something of people.  Nothing in it is listed by hand but the measures (measures.def).
 */
#ifndef REEVE_PRIVACY_PROCESSING_H
#define REEVE_PRIVACY_PROCESSING_H

#include "base/buf.h"
#include "base/err.h"
#include "base/scope.h"
#include "codec/json.h"
#include "map/datamap.h"

struct processing_recipient {
	const char *name, *kind;
	bool enabled;
	bool log; /* a sink of the audit log */
};

struct processing {
	struct arena *arena;
	struct id tenant;
	int64_t at;
	const char *organisation, *host;
	int64_t audit_days, export_days, report_hours; /* the tenant's settings */
	struct processing_recipient *recipients; /* sinks of the audit log, and whom the organisation has told of erasures and alarms */
	size_t recipient_n;
};

/* In the scope's arena; host: of the public URL. */
MUST_CHECK enum err processing_load(struct scope *s, const char *host, struct processing *ret);
void processing_json(const struct processing *p, struct json_writer *w); /* members of the open object */
void processing_csv(const struct processing *p, struct buf *out);	 /* a row for each activity */
void processing_html(const struct processing *p, struct buf *out);

/* How long the table's rows are kept, with the tenant's own numbers where it has some. */
const char *processing_limit(const struct processing *p, const struct map_table *t);
/* Who gets what the table holds: the map's recipients, and for the audit log the sinks' names; "" for nobody. */
const char *processing_recipients(const struct processing *p, const struct map_table *t);

#endif
