/* SPDX-License-Identifier: Apache-2.0
 * reeve keeper: what `reeve serve` starts beside itself (keeper/process.h). */
#include <stdio.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "keeper/process.h"

int cmd_keeper(int argc, char **argv);

static const char HELP[] = "usage: reeve keeper\n\n"
			   "The process that holds the keys of a data directory: signs, counts, seals and opens for the server, and hands none\n"
			   "of them out.  `reeve serve` starts it and ends it; there is nothing to call it with by hand.\n";

int cmd_keeper(int argc, char **argv)
{
	struct stat st;
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	if (argc > 1 || fstat(KEEPER_FD, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		fprintf(stderr, "reeve keeper: it is started by `reeve serve`, and by nobody else\n");
		return err_exit_code(ERR_USAGE);
	}
	keeper_process();
}
