/* SPDX-License-Identifier: Apache-2.0
 *
 * The subcommands.  Each gets the agent with its root in place and returns the exit code (sysexits(3), see errors.def).
 */
#ifndef REEVE_AGENT_CMD_H
#define REEVE_AGENT_CMD_H

#include "agent.h"
#include "codec/json.h"
#include "options.h"

enum { EXIT_CANTCREAT = 73 };

int cmd_enroll(struct agent *a, const struct options *o);
int cmd_run(struct agent *a, const struct options *o);
int cmd_sync(struct agent *a, const struct options *o);
int cmd_leave(struct agent *a, const struct options *o);
int cmd_consent(struct agent *a, const struct options *o);
int cmd_status(struct agent *a, const struct options *o);
int cmd_inventory(struct agent *a, const struct options *o);

/* One line on standard error, and the exit code of e. */
int complain(struct agent *a, enum err e);

/* terms.c: what the person is told before enrolment, and asked.  ERR_FORBIDDEN where they decline, ERR_USAGE where
 * nobody can be asked. */
MUST_CHECK enum err terms_ask(struct agent *a, const char *url, const char *ca_file, const char *token, bool accept,
			      json_t **ret_terms);

/* terms.c: a text of the server line by line, so that it keeps its paragraphs and cannot move the cursor. */
void print_lines(const char *indent, const char *text);

#endif
