/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a broken invariant ends the program: the call is made in a child process that must die of SIGABRT.
 */
#ifndef REEVE_TESTS_ABORTS_H
#define REEVE_TESTS_ABORTS_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool aborts(void (*fn)(void *), void *arg)
{
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY); /* the message is expected, not news */
		dup2(null, STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		fn(arg);
		_exit(0);
	}
	int status = 0;
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
