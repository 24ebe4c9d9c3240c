/* SPDX-License-Identifier: Apache-2.0
 *
 * Carries notices away (notice/outbox.h): webhooks over HTTPS with libcurl and the guards of outbound.h, mails by the mail server of the settings.
 */
#ifndef REEVE_JOBS_NOTICES_H
#define REEVE_JOBS_NOTICES_H

#include "api/api.h"
#include "notice/outbox.h"

enum { NOTICE_TIMEOUT_MS = 10000 }; /* less than a job's lease */

/* From the server's address, its mail server and what it may reach. */
struct notice_carrier notice_carrier(struct server *srv);

#endif
