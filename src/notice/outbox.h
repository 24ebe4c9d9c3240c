/* SPDX-License-Identifier: Apache-2.0
 *
 * Out of the outbox: one notice at a time, at least once.  What is sent twice after a crash has the same id.
 *
 *   webhook    one CloudEvent (structured, JSON), signed with the recipient's secret
 *   mail       a message in plain text
 *   auditSink  nothing is sent here: it is delivered when the sink has confirmed the event that tells it
 */
#ifndef REEVE_NOTICE_OUTBOX_H
#define REEVE_NOTICE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/scope.h"

#define NOTICE_BY_LOG "auditSink"
#define NOTICE_KEPT_US (3 * 365 * DAY_US) /* its row, as evidence */
#define NOTICE_ERASURE_DEADLINE_US (30 * DAY_US) /* from the request: one month (GDPR Art. 12(3)) */
enum { NOTICE_ATTEMPTS = 30 }; /* in about five days */

/* How long to wait after so many attempts (1: the first); -1: no more. */
int64_t notice_pause_us(int attempts);

struct notice_webhook {
	const char *url, *ca_pem; /* ca_pem: NULL for the system's authorities */
	const void *secret;       /* opened; wiped after the call */
	size_t secret_n;
};

/* What carries a notice away.  post and mail block for seconds; OK: it was taken; ERR_BUSY: the server stops, as if it had not been tried; any
 * other error with a detail of our own words, without address or text. */
struct notice_carrier {
	const char *source; /* of CloudEvents: the server's address */
	const char *from;   /* of mails; NULL: there is no mail server */
	enum err (*post)(const struct notice_carrier *c, struct scope *s, const struct notice_webhook *to, const char *body, size_t n);
	enum err (*mail)(const struct notice_carrier *c, struct scope *s, const char *to, const char *message, size_t n);
	void *arg;
};
/* Sends one waiting notice of any tenant, in the system's scope.  What fails is tried again after growing pauses, NOTICE_ATTEMPTS times; then it
 * has failed, with an event, an alarm where it was an erasure's, and a line in the log. */
MUST_CHECK enum err notice_send_next(struct scope *s, const struct notice_carrier *c, bool *ret_more);
/* Notices that wait although they were tried, and those that failed in the last 30 days (metrics). */
MUST_CHECK enum err notice_counts(struct scope *s, uint64_t *ret_waiting, uint64_t *ret_failed);

#endif
