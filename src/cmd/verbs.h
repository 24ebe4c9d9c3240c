/* SPDX-License-Identifier: Apache-2.0
 * Subcommands whose verbs are one request each (verbs.def), and how their answers are shown. */
#ifndef REEVE_CMD_VERBS_H
#define REEVE_CMD_VERBS_H

#include "cmd/client.h"

/* Runs `reeve <argv[0]> <argv[1]> …` from verbs.def; prints usage where it fits none. */
int verbs_run(int argc, char **argv, bool as_operator, const char *more_help);

/* An answer for people: a list as columns, an object as name and value; with c->json the body as it is. */
void verbs_show(const struct client *c, const struct client_answer *a, const char *columns);

#endif
