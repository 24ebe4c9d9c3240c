/* SPDX-License-Identifier: Apache-2.0
 *
 * Running a program of the real system (see exec.h).
 */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { ENV_MAX = 16, TAIL = 512 };

struct tail {
	char text[TAIL];
	size_t n;
};

static void tail_add(struct tail *t, const char *p, size_t n)
{
	if (n >= TAIL) {
		p += n - TAIL;
		n = TAIL;
	}
	if (t->n + n > TAIL) {
		size_t drop = t->n + n - TAIL;
		memmove(t->text, t->text + drop, t->n - drop);
		t->n -= drop;
	}
	memcpy(t->text + t->n, p, n);
	t->n += n;
}

/* The last line that says something, fit for a message. */
static char *tail_line(struct agent *a, const struct tail *t)
{
	size_t end = t->n;
	while (end > 0 && (unsigned char)t->text[end - 1] <= ' ')
		end--;
	size_t start = end;
	while (start > 0 && t->text[start - 1] != '\n')
		start--;
	char *line = arena_strndup(a->scope->arena, t->text + start, end - start);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return line[0] != '\0' ? line : arena_strdup(a->scope->arena, "it said nothing");
}

static int start(const char *const *argv, const char *const *env, int out, pid_t *pid)
{
	const char *all[ENV_MAX + 3] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"};
	for (int n = 2; env != NULL && *env != NULL && n < ENV_MAX + 2; env++)
		all[n++] = *env;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, dflt;
	sigemptyset(&none); /* the daemon blocks its signals; its children must not inherit that */
	sigemptyset(&dflt);
	sigaddset(&dflt, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, out, 2);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &dflt);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	int e = posix_spawn(pid, argv[0], &files, &attr, (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)all);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return e;
}

/* Until the program has closed its output or the time is over.  False: over. */
static bool listen_to(int fd, struct tail *t, int64_t deadline)
{
	char chunk[4096];
	while (true) {
		int64_t left = (deadline - clock_monotonic()) / 1000;
		if (left <= 0)
			return false;
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, left > 1000 ? 1000 : (int)left) <= 0)
			continue;
		ssize_t n = read(fd, chunk, sizeof chunk);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return true;
		if (n > 0)
			tail_add(t, chunk, (size_t)n);
	}
}

enum err exec_run(struct agent *a, const char *const *argv, const char *const *env, int seconds)
{
	int out[2];
	pid_t pid;
	struct tail t = {.n = 0};
	if (pipe2(out, O_CLOEXEC) != 0)
		return scope_fail(a->scope, ERR_INTERNAL, "cannot run %s: %s", argv[0], strerror(errno));
	int e = start(argv, env, out[1], &pid);
	close(out[1]);
	if (e != 0) {
		close(out[0]);
		return scope_fail(a->scope, ERR_INTERNAL, "cannot run %s: %s", argv[0], strerror(e));
	}
	bool ended = listen_to(out[0], &t, clock_monotonic() + seconds * SECOND_US);
	if (!ended)
		kill(-pid, SIGKILL);
	close(out[0]);
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!ended)
		return scope_fail(a->scope, ERR_INTERNAL, "%s did not end within %d seconds", argv[0], seconds);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return OK;
	return scope_fail(a->scope, ERR_INTERNAL, "%s failed (%s %d): %s", argv[0],
			  WIFEXITED(status) ? "exit" : "signal",
			  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), tail_line(a, &t));
}
