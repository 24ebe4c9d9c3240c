/* SPDX-License-Identifier: Apache-2.0
 * What a notice says: as a CloudEvent for programs, as a mail for people.  Pure. */
#ifndef REEVE_NOTICE_MESSAGE_H
#define REEVE_NOTICE_MESSAGE_H

#include <jansson.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/id.h"

enum { NOTICE_MESSAGE_MAX = 64 * 1024 };

struct notice_head {
	struct id tenant, notice;
	const char *kind; /* "erasure", "alarm", "person" */
	const char *source; /* the server's address */
	int64_t at;
};

/* CloudEvents 1.0, structured: type org.reeve.erasure.v1 or org.reeve.alarm.v1, data: the message as it was sealed. */
void notice_event(const struct notice_head *h, const json_t *message, struct buf *out);
/* from, to: addresses. */
void notice_mail(const struct notice_head *h, const json_t *message, const char *from, const char *to, struct buf *out);

#endif
