/* SPDX-License-Identifier: Apache-2.0
 * The TLS files of a data directory: DIR/tls/ca.pem (all trusted authorities), server.pem and server.key (ours, for the hosts of both
 * URLs; the organisation's own may replace them on the API's listener, never on that of the devices, which trust our authority alone). */
#ifndef REEVE_CMD_TLS_H
#define REEVE_CMD_TLS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/scope.h"

/* Writes what is missing or old: ca.pem where the keeper trusts another set by now; the server's certificate where there is none or it ends
 * within 30 days.  Each file is replaced whole.  *ret_new: the server's certificate is new.  *detail in the arena. */
MUST_CHECK enum err tls_refresh(struct scope *s, const char *dir, const char *host, const char *device_url, bool *ret_new,
				char **detail);

#endif
