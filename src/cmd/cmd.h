/* SPDX-License-Identifier: Apache-2.0
 *
 * Subcommands of `reeve`.  Each is one file and one row of commands.def; all but init, serve, routes and those that verify files offline are
 * clients of the API (client.h): none opens the database behind the server's back.
 *
 * Exit codes are those of errors.def (sysexits): 0 done, 64 wrong call, 65 refused data, 66 not found, 69 no server, 70 internal, 74 I/O, 75 try
 * again, 77 not allowed, 78 configuration.  Messages for people go to standard error, one line; results to standard output.
 */
#ifndef REEVE_CMD_CMD_H
#define REEVE_CMD_CMD_H

#include <stdbool.h>

#include "base/err.h"

struct command {
	const char *name, *summary, *help;
	int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
};

/* Prints "reeve <command>: <text>" and returns the exit code of e. */
int cmd_fail(const char *command, enum err e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Each takes an option out of argv wherever it stands behind argv[0]: its value (NULL: not given, or nothing follows it); whether the flag is
 * there. */
const char *option_take(int *argc, char **argv, const char *name);
bool option_take_flag(int *argc, char **argv, const char *name);

/* "--help" anywhere: prints the help and the caller returns 0. */
bool cmd_wants_help(int argc, char **argv, const char *help);

#endif
