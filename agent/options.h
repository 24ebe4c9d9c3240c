/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: one table of options, and which of them a subcommand takes.
 */
#ifndef REEVE_AGENT_OPTIONS_H
#define REEVE_AGENT_OPTIONS_H

#include "agent.h"

enum option_set {
	TAKES_PLACE = 1, /* --root --state --config: every subcommand */
	TAKES_ENROL = 2, /* --url --ca --token --token-file --inventory-only --accept-terms --device-name */
	TAKES_JSON = 4,
	TAKES_ANSWER = 8, /* --yes --no */
};

struct options {
	const char *url, *ca, *token, *token_file, *root, *state, *config, *device_name;
	bool inventory_only, accept_terms, json, yes, no;
};

/* argv[0] is the subcommand. */
MUST_CHECK enum err options_read(struct scope *s, int argc, char **argv, unsigned takes, struct options *ret);
/* The root, the state directory's place; opens nothing but the root. */
MUST_CHECK enum err agent_place(struct agent *a, const struct options *o);
void options_help(unsigned takes);

#endif
