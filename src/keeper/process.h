/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper as a process of its own (process.c), for a server.  Everything of keeper.h works on it as on one that was opened here, but that
 * a keeper's process that is gone ends the server, too (exit code 74): what it has done is not known.
 */
#ifndef REEVE_KEEPER_PROCESS_H
#define REEVE_KEEPER_PROCESS_H

#include "keeper/keeper.h"

/* As keeper_open_with().  Before any thread is started.  keeper_close() ends the process and waits for it. */
MUST_CHECK enum err keeper_start(const char *dir, const struct keeper_options *o, struct keeper **ret, char **detail);

enum { KEEPER_FD = 3 }; /* the first of the sockets that it is started with */
/* What `reeve keeper` runs: nobody calls it by hand.  Ends the process. */
_Noreturn void keeper_process(void);

#endif
