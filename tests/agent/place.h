/* SPDX-License-Identifier: Apache-2.0
 * What the agent's unit tests share: a scope with an arena, and an agent whose root is a fresh temporary directory. */
#ifndef REEVE_TESTS_AGENT_PLACE_H
#define REEVE_TESTS_AGENT_PLACE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "fs.h"

struct place {
	struct scope scope;
	struct agent agent;
	char dir[64];
};

static inline int place_setup(void **state)
{
	struct place *p = calloc(1, sizeof *p);
	check(p != NULL);
	scope_system(&p->scope, arena_new(64u << 20), NULL, NULL);
	snprintf(p->dir, sizeof p->dir, "/tmp/reeve-agent-unit-XXXXXX");
	check(mkdtemp(p->dir) != NULL);
	p->agent = (struct agent){
		.scope = &p->scope, .root = p->dir, .tree = true, .state_path = p->dir, .state_rel = "state"};
	p->agent.root_fd = open(p->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	check(fs_mkdirs(p->agent.root_fd, "state/items", 0700) == 0);
	p->agent.state_fd = fs_open(p->agent.root_fd, "state", O_RDONLY | O_DIRECTORY);
	check(p->agent.state_fd >= 0);
	*state = p;
	return 0;
}

static inline int place_teardown(void **state)
{
	struct place *p = *state;
	int fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(fs_remove_children(fd) == 0);
	close(fd);
	close(p->agent.state_fd);
	close(p->agent.root_fd);
	check(rmdir(p->dir) == 0);
	arena_free(p->scope.arena);
	free(p);
	return 0;
}

static inline void put(struct place *p, const char *rel, const char *text)
{
	struct fs_meta meta = {.mode = 0644, .uid = -1, .gid = -1, .xattrs_from = -1};
	const char *slash = strrchr(rel, '/');
	if (slash != NULL)
		check(fs_mkdirs(p->agent.root_fd, arena_strndup(p->scope.arena, rel, (size_t)(slash - rel)), 0755) ==
		      0);
	check(fs_write(p->agent.root_fd, rel, text, strlen(text), &meta, ".tmp") == 0);
}

#endif
