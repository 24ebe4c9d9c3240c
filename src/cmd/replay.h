/* SPDX-License-Identifier: Apache-2.0
 * The replay of the erasure ledger at the start of a server (privacy/restore/restore.h). */
#ifndef REEVE_CMD_REPLAY_H
#define REEVE_CMD_REPLAY_H

#include "base/err.h"
#include "base/scope.h"

/* Where several servers share the database one does it at a time and the others wait for their turn: each has a ledger of its own.  s: a system
 * scope.  Errors as of restore_replay(). */
MUST_CHECK enum err replay_before_serving(struct scope *s, const char *data_dir, const char *host);

#endif
