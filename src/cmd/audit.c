/* SPDX-License-Identifier: Apache-2.0
 * reeve audit: its verbs. */
#include <stddef.h>
#include <string.h>

#include "cmd/audit.h"
#include "cmd/verbs.h"

int cmd_audit(int argc, char **argv);

static const char MORE[] = "";

int cmd_audit(int argc, char **argv)
{
	return verbs_run(argc, argv, false, MORE);
}
