/* SPDX-License-Identifier: Apache-2.0
 *
 * reeve-agent: the table of subcommands and nothing else.
 */
#include <curl/curl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "cmd.h"

/* A package list is tens of megabytes at the worst; the arena only ever grows to what is used. */
#define AGENT_ARENA_BYTES (512u * MIB)

static const struct command {
	const char *name, *help;
	unsigned takes;
	int (*run)(struct agent *a, const struct options *o);
} commands[] = {
	{"enroll", "enrol this device with an organisation", TAKES_PLACE | TAKES_ENROL, cmd_enroll},
	{"run", "stay and synchronise (what the systemd unit runs)", TAKES_PLACE, cmd_run},
	{"sync", "synchronise once", TAKES_PLACE | TAKES_JSON, cmd_sync},
	{"status", "is this device enrolled, where, and what is provisioned", TAKES_PLACE | TAKES_JSON, cmd_status},
	{"inventory", "print what would be sent about this machine; sends nothing", TAKES_PLACE, cmd_inventory},
	{"leave", "leave the organisation with a personal device", TAKES_PLACE, cmd_leave},
	{"consent", "answer a request to record this device as the organisation's", TAKES_PLACE | TAKES_ANSWER, cmd_consent},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static int help(void)
{
	printf("reeve-agent %s: the device's part of Reeve\n\n", REEVE_VERSION);
	for (int i = 0; i < COMMANDS; i++) {
		printf("reeve-agent %s\n    %s\n", commands[i].name, commands[i].help);
		options_help(commands[i].takes & (TAKES_ENROL | TAKES_JSON | TAKES_ANSWER));
	}
	printf("every subcommand\n");
	options_help(TAKES_PLACE);
	return 0;
}

static int run_command(const struct command *c, int argc, char **argv)
{
	struct scope scope;
	struct options o;
	struct agent a = {.scope = &scope, .root_fd = -1, .state_fd = -1};
	struct arena *arena = arena_new(AGENT_ARENA_BYTES);
	scope_system(&scope, arena, NULL, NULL);
	enum err e = options_read(&scope, argc, argv, c->takes, &o);
	a.secret = e == OK ? o.token : NULL;
	if (e == OK)
		e = agent_place(&a, &o);
	int code = e == OK ? c->run(&a, &o) : complain(&a, e);
	fd_release(&a.state_fd);
	fd_release(&a.root_fd);
	arena_free(arena);
	return code;
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	umask(022); /* package scripts expect it; our own files get their modes one by one */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0) {
		help();
		return argc < 2 ? err_exit_code(ERR_USAGE) : 0;
	}
	if (strcmp(argv[1], "version") == 0 || strcmp(argv[1], "--version") == 0) {
		printf("reeve-agent %s\n", REEVE_VERSION);
		return 0;
	}
	for (int i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		curl_global_init(CURL_GLOBAL_DEFAULT);
		int code = run_command(&commands[i], argc - 1, argv + 1);
		curl_global_cleanup();
		return code;
	}
	fprintf(stderr, "reeve-agent: no such subcommand; see reeve-agent help\n");
	return err_exit_code(ERR_USAGE);
}
