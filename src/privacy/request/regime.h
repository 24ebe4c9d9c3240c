/* SPDX-License-Identifier: Apache-2.0
 *
 * The clocks of data-subject requests (regimes.def), as moments: pure arithmetic but for the tenant's own spans.
 *
 * A span of days or months begins on the day after the event, and its last day is counted whole (Regulation 1182/71, Art. 3(1) and (2)): a due
 * date is the last second of its day, in UTC.  That a period may end later where its last day is a holiday or a Sunday (Art. 3(4)) is not used:
 * holidays differ by place, and the earlier day is right in all of them.
 */
#ifndef REEVE_PRIVACY_REGIME_H
#define REEVE_PRIVACY_REGIME_H

#include <stdint.h>

#include "base/err.h"
#include "db/db.h"

enum span_unit { SPAN_NONE, SPAN_DAYS, SPAN_WORKDAYS, SPAN_MONTHS };

struct span {
	enum span_unit unit;
	int n;
	const char *setting; /* days that a tenant setting gives; NULL once they are known */
};

struct regime {
	const char *name, *law;
	struct span acknowledge, due, extension;
};

const struct regime *regime_find(const char *name); /* NULL: unknown */
/* The regime with the transaction's tenant's own spans filled in (0 days: none).  ERR_BAD_REQUEST for an unknown one. */
MUST_CHECK enum err regime_load(struct db_tx *tx, const char *name, struct regime *ret);

/* Moments of a request that was received then; 0: the regime has no such clock. */
int64_t regime_acknowledge_by(const struct regime *r, int64_t received_at);
int64_t regime_due(const struct regime *r, int64_t received_at);
/* With the extension.  "That period may be extended by two further months" (GDPR Art. 12(3)) makes one period of three months from the receipt:
 * received on 31 January, due on 28 February, extended to 30 April.  Days count on from first_due. */
int64_t regime_extended(const struct regime *r, int64_t received_at, int64_t first_due);

#endif
