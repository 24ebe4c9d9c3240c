/* SPDX-License-Identifier: Apache-2.0
 *
 * The organisation's mail server, over SMTP (RFC 5321, 8314) with libcurl: one message for one recipient in one connection, which takes at most
 * MAIL_TIMEOUT_MS.  TLS is required, but on loopback and where smtp_plaintext says otherwise.
 */
#ifndef REEVE_JOBS_MAIL_H
#define REEVE_JOBS_MAIL_H

#include "api/api.h"
#include "privacy/request/letter.h"

enum { MAIL_TIMEOUT_MS = 20000 }; /* less than a job's lease */

struct mail_options {
	const char *url, *user, *password, *ca_file; /* "" for none; url: smtp://HOST:PORT, smtps://HOST:PORT */
	bool plaintext;
	const char *from;
};

/* In the arena of what lives as long as the server, as must the options.  ERR_CONFIG with *detail (in the arena). */
MUST_CHECK enum err mail_new(struct arena *a, const struct server *srv, const struct mail_options *o, struct mailer **ret, char **detail);

#endif
