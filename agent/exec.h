/* SPDX-License-Identifier: Apache-2.0
 *
 * Running a program of the real system: no shell, a clean environment, a time limit, its last words kept for the
 * message.
 */
#ifndef REEVE_AGENT_EXEC_H
#define REEVE_AGENT_EXEC_H

#include "agent.h"

/* argv[0] is an absolute path; `env` are further NAME=value strings (NULL-terminated) or NULL.  ERR_INTERNAL with the
 * end of what the program said where it does not exit with 0. */
MUST_CHECK enum err exec_run(struct agent *a, const char *const *argv, const char *const *env, int seconds);

/* package.c: apt, for the kind "app" on a real system */
MUST_CHECK enum err package_install(struct agent *a, const char *name, const char *version);
MUST_CHECK enum err package_purge(struct agent *a, const char *name);

#endif
