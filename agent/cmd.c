/* SPDX-License-Identifier: Apache-2.0
 *
 * How every subcommand says no: one line, cleaned for the terminal, and the exit code of sysexits(3).
 */
#include "cmd.h"

#include <stdio.h>

#include "channel.h"

int complain(struct agent *a, enum err e)
{
	fprintf(stderr, "reeve-agent: %s\n", channel_clean(a, scope_detail(a->scope, e)));
	return err_exit_code(e);
}
