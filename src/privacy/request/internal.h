/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of request. */
#ifndef REEVE_PRIVACY_REQUEST_INTERNAL_H
#define REEVE_PRIVACY_REQUEST_INTERNAL_H

#include "audit/audit.h"
#include "privacy/request/letter.h"
#include "privacy/request/request.h"

/* How a type is carried out (types.def). */
enum request_way { BY_EXPORT, BY_ERASURE, BY_RESTRICTION, BY_HAND };

struct request_type {
	const char *name;
	enum request_way way;
	const char *variant; /* of the export; NULL */
};
const struct request_type *request_type_find(const char *name); /* NULL: unknown */

struct request {
	struct id request, user, operation, duty;
	const struct request_type *type;
	const char *regime, *decision; /* in the arena; decision may be NULL */
	enum request_state state;
	int64_t received_at, due_at, first_due_at, extended_at, closed_at, delivered_at, acknowledge_by, acknowledged_at;
	int alarm;
};
MUST_CHECK enum err request_load(struct db_tx *tx, struct id request, struct request *ret);

/* The one way from state to state: compare-and-set on the state that was loaded, and the event.  Sets when the next alarm is due, and on closing
 * what closing does. */
MUST_CHECK enum err request_move(struct db_tx *tx, const struct request *r, enum request_state to, enum activity activity,
				 const struct audit_change *changes);
MUST_CHECK enum err request_record(struct db_tx *tx, const struct request *r, enum activity activity, const struct audit_change *changes);
/* ERR_CONFLICT with a detail that names the state. */
enum err request_wrong_state(struct scope *s, const struct request *r, const char *what);

/* decided -> delivered; n 0: it was no file. */
MUST_CHECK enum err request_hand_over(struct db_tx *tx, const struct request *r, const void *sha256, size_t n);

/* A letter about the case (letter.h). */
MUST_CHECK enum err request_tell(struct db_tx *tx, const struct request *r, enum letter letter, const char *extra);

/* When the next alarm after `raised` is due; 0: none is. */
int64_t request_alarm_at(int64_t received_at, int64_t due_at, int raised);
int64_t request_percent(int64_t received_at, int64_t due_at, int64_t at);

/* ERR_BAD_REQUEST unless the text is within `most` bytes and not empty; NULL passes unless required. */
MUST_CHECK enum err request_text_check(struct scope *s, const char *name, const char *text, size_t most, bool required);
const char *request_time_text(struct scope *s, int64_t us); /* for events; NULL for 0 */

#endif
