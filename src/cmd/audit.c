/* SPDX-License-Identifier: Apache-2.0
 * reeve audit: its verbs. */
#include <stddef.h>
#include <string.h>

#include "cmd/audit.h"
#include "cmd/verbs.h"

int cmd_audit(int argc, char **argv);

static const char MORE[] = "  verify        a server's log, a mirror, an archive, or one event with its proof: see 'reeve audit verify --help'\n"
			   "  mirror        DIR: keeps a copy of the log that a third party can hold: see 'reeve audit mirror --help'\n"
			   "  export        a file of the log: see 'reeve audit export --help'\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} VERBS[] = {{"verify", audit_cmd_verify}, {"mirror", audit_cmd_mirror}, {"export", audit_cmd_export}};

int cmd_audit(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof VERBS / sizeof VERBS[0]; i++)
		if (strcmp(argv[1], VERBS[i].name) == 0)
			return VERBS[i].run(argc - 1, argv + 1);
	return verbs_run(argc, argv, false, MORE);
}
