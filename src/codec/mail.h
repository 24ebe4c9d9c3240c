/* SPDX-License-Identifier: Apache-2.0
 *
 * One mail message as bytes (RFC 5322): plain text in UTF-8, quoted-printable (RFC 2045), header texts as encoded words where they need it
 * (RFC 2047).  Pure.  Whatever stands in a name, a subject or a text, it makes no header line and ends none.
 */
#ifndef REEVE_CODEC_MAIL_H
#define REEVE_CODEC_MAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { MAIL_ADDRESS_MAX = 254 };

/* local@domain: an ASCII dot-atom of at most 64 bytes and a host name (RFC 5321 section 4.1.2 without quoted strings, address literals and
 * SMTPUTF8). */
bool mail_address_ok(const char *text);

struct mail {
	const char *from, *from_name; /* from_name may be NULL */
	const char *to;
	const char *subject, *text;   /* UTF-8; text: lines end in LF */
	const char *message_id;       /* without angle brackets: letters, digits, . - and one @ */
	int64_t at;                   /* Date */
};
/* Appends the message with CRLF.  from and to are addresses (mail_address_ok), or it is a programming error. */
void mail_write(const struct mail *m, struct buf *out);

#endif
