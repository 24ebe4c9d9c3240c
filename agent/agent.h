/* SPDX-License-Identifier: Apache-2.0
 *
 * What one run of the agent carries: the device's file system (the real one, or a directory tree given with --root),
 * the state directory, and the scope with its memory and the detail of an error.  Every file of agent/ includes this
 * and its own header.
 *
 * Promise: nothing below root_fd is reached through a symbolic link, and nothing outside it is ever written.
 */
#ifndef REEVE_AGENT_H
#define REEVE_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scope.h"

#define AGENT_STATE_REL "var/lib/reeve-agent"
#define AGENT_CONFIG_REL "etc/reeve-agent.conf"

enum { AGENT_PATH = 4096 };

struct agent {
	struct scope *scope;
	const char *root;        /* "/" or the tree's absolute path without a slash at its end */
	int root_fd;             /* O_PATH */
	bool tree;               /* --root: nothing outside the tree is touched, no program of the system is run */
	const char *state_path;  /* absolute */
	const char *state_rel;   /* relative to the root; NULL where the state directory is outside it */
	int state_fd;            /* -1 until state_open() */
	const char *config_path; /* --config, or NULL: etc/reeve-agent.conf below the root */
	const char *device_name; /* --device-name, or what enrolment was given; NULL: the host name */
	const char *secret;      /* the enrolment token, which no message may repeat; NULL after enrolment */
	long retry_after;        /* seconds that the server asked for in its last error; 0: none */
	bool daemon;             /* signals are blocked and end a transfer early */
};

/* A failed item must not hide the detail of a later failure. */
static inline void agent_forgive(struct agent *a)
{
	a->scope->detail = NULL;
}

void fd_release(int *fd); /* closes where it is open; keeps errno */
#define auto_fd __attribute__((cleanup(fd_release))) int

#endif
