/* SPDX-License-Identifier: Apache-2.0
 * The table of subcommands and nothing else. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"

#define COMMAND(name, function, summary) int function(int argc, char **argv);
#include "cmd/commands.def"
#undef COMMAND

static const struct command COMMANDS[] = {
#define COMMAND(name_, function, summary_) {.name = name_, .summary = summary_, .run = function},
#include "cmd/commands.def"
#undef COMMAND
};

static int usage(FILE *out, int code)
{
	fprintf(out, "usage: reeve COMMAND [--help] [options]\n\n");
	for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++)
		fprintf(out, "  %-8s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
	fprintf(out, "\nreeve %s\n", REEVE_VERSION);
	return code;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return usage(stderr, err_exit_code(ERR_USAGE));
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0)
		return usage(stdout, 0);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		printf("reeve %s\n", REEVE_VERSION);
		return 0;
	}
	for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++)
		if (strcmp(argv[1], COMMANDS[i].name) == 0)
			return COMMANDS[i].run(argc - 1, argv + 1);
	fprintf(stderr, "reeve: there is no command '%s'; see 'reeve --help'\n", argv[1]);
	return err_exit_code(ERR_USAGE);
}
