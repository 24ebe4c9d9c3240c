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

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

enum letter {
#define LETTER(name, extra, subject, body) LETTER_##name,
#include "privacy/request/letters.def"
	LETTER_COUNT
};

#define LETTER_WAITS_US (30 * DAY_US) /* at most, where there is no mail server; then it has failed */
#define LETTER_KEPT_US (30 * DAY_US)  /* its row, after it was sent or has failed */
enum {
	LETTER_SUBJECT_MAX = 256,
	LETTER_BODY_MAX = 16 * 1024,
	LETTER_ATTEMPTS = 20, /* in about three days */
};

const char *letter_name(enum letter l);
bool letter_parse(const char *name, enum letter *ret);

/* Puts a letter about the case into the outbox, to its contact, or to the person's mail address where it has none.  Neither, or a contact that is
 * no mail address: OK, no letter, and *ret_queued (may be NULL) is false.  extra: the text of {reason}, {code} or {outcome} (letters.def); NULL:
 * the case's own reason or outcome. */
MUST_CHECK enum err letter_queue(struct db_tx *tx, struct id request, enum letter letter, const char *extra, bool *ret_queued);

/* ---- the outbox; s is the system's scope ---- */

/* What carries a letter away; made by serve from the settings.  send: blocks for seconds; OK: the mail server took it; ERR_BUSY: the server stops,
 * as if it had not been tried; any other error with a detail of our own words, without address or text. */
struct mailer {
	const char *base_url; /* "https://host:port", for {link} */
	const char *from;     /* address */
	enum err (*send)(const struct mailer *m, struct scope *s, const char *to, const char *message, size_t n);
	void *arg;
};
/* Sends one waiting letter of any tenant.  What fails is tried again after growing pauses, LETTER_ATTEMPTS times; then, and where it is of no use
 * any more (a code that ran out, a month without a mail server), it is failed, with an event.  m NULL: there is no mail server, and each waiting
 * letter says so. */
MUST_CHECK enum err letter_send_next(struct scope *s, const struct mailer *m, bool *ret_more);
/* How long to wait after so many attempts (1: the first); -1: no more. */
int64_t letter_pause_us(int attempts);
/* Letters that wait although they were tried, and those of the last 30 days that failed, but for codes (metrics). */
MUST_CHECK enum err letter_counts(struct scope *s, uint64_t *ret_waiting, uint64_t *ret_failed);

/* ---- templates ---- */

/* What was asked for, as it stands in a sentence: "access to your data". */
const char *request_type_words(const char *type);

/* Every '{' begins a placeholder of letters.def; NULL, or what is wrong, in the arena. */
char *letter_template_problem(struct arena *a, const char *text);
struct letter_value {
	const char *name, *value; /* value NULL: "" */
};
/* One pass: a value that looks like a placeholder stays as it is. */
void letter_expand(const char *text, const struct letter_value *v, size_t n, struct buf *out);

/* The tenant's own words; both NULL for the built-in ones.  ERR_BAD_REQUEST with a detail. */
MUST_CHECK enum err letter_template_set(struct scope *s, enum letter letter, const char *subject, const char *body);
struct letter_template {
	const char *subject, *body; /* in the arena, or constants */
	bool own;
	int64_t modified_at; /* 0: built in */
};
MUST_CHECK enum err letter_template_get(struct db_tx *tx, enum letter letter, struct letter_template *ret);

#endif
