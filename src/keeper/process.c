/* SPDX-License-Identifier: Apache-2.0
 *
 * The keeper as a process of its own: the same binary, started by the server before it opens anything, with a few lines (socket pairs) between
 * them.  The vault's files and keys are in that process alone; it opens no network connection, runs no other program, and nobody but
 * root can look into its memory.  Each line has a thread that answers one question after another.  It lives as long as a line does: a
 * server that is gone takes it along, and it finishes what it is at before.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "keeper/inner.h"
#include "keeper/process.h"
#include "keeper/vault/vault.h"
#include "keeper/verified.h"

enum { LINES = 12, FIRST_FD = KEEPER_FD, EXIT_IO = 74, DETAIL_MAX = 64 * 1024 };

extern char **environ;

/* ---- the server's side ---- */

struct lines {
	pthread_mutex_t lock;
	pthread_cond_t free;
	int fd[LINES], idle[LINES];
	size_t idle_n;
	pid_t pid;
};

static int take_line(struct lines *l)
{
	check(pthread_mutex_lock(&l->lock) == 0);
	while (l->idle_n == 0)
		check(pthread_cond_wait(&l->free, &l->lock) == 0);
	int fd = l->idle[--l->idle_n];
	pthread_mutex_unlock(&l->lock);
	return fd;
}

static void give_line(struct lines *l, int fd)
{
	check(pthread_mutex_lock(&l->lock) == 0);
	l->idle[l->idle_n++] = fd;
	pthread_cond_signal(&l->free);
	pthread_mutex_unlock(&l->lock);
}

void lines_ask(struct lines *l, const struct wire *question, struct wire *answer)
{
	int fd = take_line(l);
	if (!wire_send(fd, question) || !wire_receive(fd, answer)) {
		log_event(LOG_ERROR, "keeper", "state=gone");
		_exit(EXIT_IO);
	}
	give_line(l, fd);
}

void lines_close(struct lines *l)
{
	if (l == NULL)
		return;
	for (int i = 0; i < LINES; i++)
		if (l->fd[i] >= 0)
			close(l->fd[i]);
	while (l->pid > 0 && waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
		;
	pthread_cond_destroy(&l->free);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* Its ends are FIRST_FD and the following; everything else that is open here closes itself. */
static bool spawn(struct lines *l, const int theirs[LINES])
{
	char self[] = "/proc/self/exe", name[] = "reeve", command[] = "keeper", *const argv[] = {name, command, NULL};
	posix_spawn_file_actions_t files;
	check(posix_spawn_file_actions_init(&files) == 0);
	for (int i = 0; i < LINES; i++)
		check(posix_spawn_file_actions_adddup2(&files, theirs[i], FIRST_FD + i) == 0);
	int e = posix_spawn(&l->pid, self, &files, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (e != 0)
		l->pid = 0;
	return e == 0;
}

/* A descriptor below FIRST_FD + LINES could be overwritten before it is copied. */
static bool pair_above(int ret[2])
{
	int low[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, low) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		ret[i] = fcntl(low[i], F_DUPFD_CLOEXEC, FIRST_FD + LINES);
		close(low[i]);
	}
	return ret[0] >= 0 && ret[1] >= 0;
}

static enum err begin(struct lines *l)
{
	int theirs[LINES];
	bool good = true;
	for (int i = 0; i < LINES; i++) {
		int pair[2] = {-1, -1};
		good = pair_above(pair) && good;
		l->fd[i] = l->idle[i] = pair[0];
		theirs[i] = pair[1];
	}
	l->idle_n = LINES;
	good = good && spawn(l, theirs);
	for (int i = 0; i < LINES; i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	return good ? OK : ERR_IO;
}

static enum err say(char **detail, enum err e, const char *text)
{
	if (detail != NULL)
		*detail = strdup(text);
	return e;
}

/* The first message says which vault; its answer is an error with its detail, or what never changes. */
static enum err open_there(struct keeper *k, const char *dir, const struct keeper_options *o, char **detail)
{
	auto_wire hello, answer;
	wire_init(&hello);
	wire_init(&answer);
	wire_put_int(&hello, getpid());
	wire_put_text(&hello, dir);
	wire_put_text(&hello, o->copy);
	wire_put_int(&hello, o->backups);
	wire_put_int(&hello, o->backup_days);
	if (!wire_send(k->lines->fd[0], &hello) || !wire_receive(k->lines->fd[0], &answer))
		return say(detail, ERR_IO, "the keeper's process ended at once");
	struct arena *a = arena_new(DETAIL_MAX);
	enum err e = (enum err)wire_take_int(&answer);
	const char *text = wire_take_text(&answer, a);
	if (e != OK)
		e = say(detail, e, text != NULL ? text : err_text(e));
	wire_take(&answer, &k->facts, sizeof k->facts);
	text = wire_take_text(&answer, a);
	k->cut = text != NULL ? strdup(text) : NULL;
	arena_free(a);
	return e;
}

enum err keeper_start(const char *dir, const struct keeper_options *o, struct keeper **ret, char **detail)
{
	struct keeper *k = calloc(1, sizeof *k);
	struct lines *l = calloc(1, sizeof *l);
	check(k != NULL && l != NULL && pthread_mutex_init(&l->lock, NULL) == 0 && pthread_cond_init(&l->free, NULL) == 0);
	k->lines = l;
	k->verified = verified_new();
	if (detail != NULL)
		*detail = NULL;
	enum err e = begin(l);
	if (e != OK)
		say(detail, e, "the keeper's process could not be started");
	else
		e = open_there(k, dir, o, detail);
	if (e == OK)
		*ret = k;
	else
		keeper_close(k);
	return e;
}

/* ---- its own side ---- */

static struct vault *VAULT; /* of this process */

static void *answer_line(void *arg)
{
	int fd = (int)(intptr_t)arg;
	auto_wire question, answer;
	wire_init(&question);
	wire_init(&answer);
	while (wire_receive(fd, &question)) {
		vault_answer(VAULT, &question, &answer);
		if (!wire_send(fd, &answer))
			break;
	}
	return NULL;
}

/* What a process with keys has no business with.  A list of what may not be: the C library's own needs differ from version to version. */
static bool forbid_calls(void)
{
	static const char *const never[] = {
		"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "execve", "execveat", "fork", "vfork", "ptrace",
		"process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "init_module", "finit_module", "delete_module", "kexec_load",
		"kexec_file_load", "bpf", "perf_event_open", "userfaultfd", "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "reboot",
		"swapon", "swapoff", "add_key", "request_key", "keyctl", "io_uring_setup", "io_uring_enter", "io_uring_register", "symlink",
		"symlinkat", "mknod", "mknodat", "chown", "fchown", "lchown", "fchownat", "setuid", "setgid", "setreuid", "setresuid",
	};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool good = filter != NULL;
	for (size_t i = 0; good && i < sizeof never / sizeof never[0]; i++) {
		int number = seccomp_syscall_resolve_name(never[i]);
		good = number == __NR_SCMP_ERROR || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) == 0;
	}
	good = good && seccomp_load(filter) == 0;
	seccomp_release(filter);
	return good;
}

/* The server's signals are not ours: it draws the line by closing it. */
static void keep_apart(void)
{
	const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		signal(ignored[i], SIG_IGN);
	check(prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

static enum err open_vault(struct wire *hello, struct wire *answer)
{
	struct arena *a = arena_new(DETAIL_MAX);
	struct keeper_options o = {0};
	char *detail = NULL;
	pid_t server = (pid_t)wire_take_int(hello);
	const char *dir = wire_take_text(hello, a);
	o.copy = wire_take_text(hello, a);
	o.backups = wire_take_int(hello) != 0;
	o.backup_days = (int)wire_take_int(hello);
	enum err e = hello->bad || dir == NULL ? ERR_INTERNAL : vault_open_for(server, dir, &o, &VAULT, &detail);
	wire_clear(answer);
	wire_put_int(answer, e);
	wire_put_text(answer, detail);
	if (e == OK) {
		struct keeper_facts facts;
		vault_facts(VAULT, &facts);
		wire_put(answer, &facts, sizeof facts);
		wire_put_text(answer, vault_cut(VAULT));
	}
	free(detail);
	arena_free(a);
	return e;
}

static void serve(void)
{
	pthread_t threads[LINES];
	for (int i = 0; i < LINES; i++)
		check(pthread_create(&threads[i], NULL, answer_line, (void *)(intptr_t)(FIRST_FD + i)) == 0);
	for (int i = 0; i < LINES; i++)
		pthread_join(threads[i], NULL);
}

/* No exit handlers: a library's would want what this process may not do. */
_Noreturn void keeper_process(void)
{
	auto_wire hello, answer;
	wire_init(&hello);
	wire_init(&answer);
	keep_apart();
	if (!wire_receive(FIRST_FD, &hello))
		_exit(EXIT_IO);
	enum err e = open_vault(&hello, &answer);
	if (e == OK && !forbid_calls())
		log_event(LOG_WARN, "keeper", "state=unfiltered");
	if (!wire_send(FIRST_FD, &answer) || e != OK)
		_exit(err_exit_code(e));
	serve();
	vault_close(VAULT);
	_exit(0);
}
