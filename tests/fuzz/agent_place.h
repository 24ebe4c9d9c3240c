/* SPDX-License-Identifier: Apache-2.0
 * An agent whose device is an empty directory tree. */
#ifndef REEVE_TESTS_FUZZ_AGENT_PLACE_H
#define REEVE_TESTS_FUZZ_AGENT_PLACE_H

#include <fcntl.h>

#include "place.h"

#include "agent.h"
#include "fs.h"

static inline struct agent *fuzz_agent(struct scope *s)
{
	static struct agent a;
	static char root[512], state[512];
	if (a.root == NULL) {
		fuzz_file(root, "device");
		fuzz_file(state, "device/state");
		check(mkdir(root, 0700) == 0 && mkdir(state, 0700) == 0);
		a = (struct agent){.root = root, .tree = true, .state_path = state, .state_rel = "state"};
		a.root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		a.state_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		check(a.root_fd >= 0 && a.state_fd >= 0);
	}
	a.scope = s;
	return &a;
}

#endif
