/* SPDX-License-Identifier: Apache-2.0
 *
 * Letters of a case: made from a template (letters.def, or the tenant's own words), put into the outbox in the transaction of the change
 * that they tell about, sent by a job over SMTP, and emptied once they went.  Without a mail server (setting smtp_url) a letter waits, and the
 * case says so.
 */
#ifndef REEVE_PRIVACY_LETTER_H
#define REEVE_PRIVACY_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

/* LETTER(name, subject, body): letters.def */
enum letter {
#define LETTER(name, subject, body) LETTER_##name,
#include "privacy/letters.def"
#undef LETTER
	LETTER_COUNT
};

/* Puts a letter about the case into the outbox, to its contact, or to the person's mail address where there is none; neither: OK, no letter, and
 * *ret_queued (may be NULL) is false.  extra: the text of {reason}, {code} or {outcome}; NULL. */
MUST_CHECK enum err letter_queue(struct db_tx *tx, struct id request, enum letter letter, const char *extra, bool *ret_queued);

struct mailer; /* made by serve from the settings; NULL: there is no mail server */
/* Sends one waiting letter of any tenant; a failure is retried with growing pauses for three days and then told by an event.  System scope. */
MUST_CHECK enum err letter_send_next(struct scope *s, const struct mailer *m, bool *ret_more);

/* The tenant's own words: NULL for the built-in ones.  ERR_BAD_REQUEST for an unknown {placeholder}. */
MUST_CHECK enum err letter_template_set(struct scope *s, enum letter letter, const char *subject, const char *body);
MUST_CHECK enum err letter_template_get(struct db_tx *tx, enum letter letter, const char **ret_subject, const char **ret_body);

#endif
