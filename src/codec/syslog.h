/* SPDX-License-Identifier: Apache-2.0
 *
 * One syslog message (RFC 5424) in the frame of syslog over TLS: its length in bytes, a space, the message (octet counting, RFC 5425,
 * section 4.3).  Pure.
 *
 * The message carries no byte order mark, which makes it MSG-ANY of RFC 5424, section 6.4: the mark would only announce UTF-8, which JSON
 * is anyway (RFC 8259, section 8.1), and receivers keep it as part of the text, where it breaks their JSON parsers (and the promise that
 * what is sent is what the log holds).
 */
#ifndef REEVE_CODEC_SYSLOG_H
#define REEVE_CODEC_SYSLOG_H

#include <stdint.h>

#include "base/buf.h"

enum syslog_severity { SYSLOG_WARNING = 4, SYSLOG_NOTICE = 5 };

/* Reeve has no number of its own at IANA: this is the one for examples (RFC 5612). */
#define SYSLOG_ENTERPRISE "32473"

struct syslog_param {
	const char *name, *value; /* name: of the program's own; value: UTF-8, escaped here */
};

struct syslog_message {
	enum syslog_severity severity; /* the facility is 13, log audit */
	int64_t at;                    /* microseconds */
	const char *host, *app, *id;   /* HOSTNAME, APP-NAME, MSGID: what is not printable ASCII becomes '-', what is too long is cut */
	const struct syslog_param *params; /* of the one structured data element, reeve@32473 */
	size_t param_count;
	const void *text;
	size_t n;
};

/* Appends the frame. */
void syslog_frame(struct buf *out, const struct syslog_message *m);

#endif
