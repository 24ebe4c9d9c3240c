/* SPDX-License-Identifier: Apache-2.0
 * Subcommands that are their verbs and nothing more, one raw request, and the route table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/verbs.h"

int cmd_tenant(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_group(int argc, char **argv);
int cmd_hold(int argc, char **argv);
int cmd_provider(int argc, char **argv);
int cmd_scim(int argc, char **argv);
int cmd_approval(int argc, char **argv);
int cmd_device(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_api(int argc, char **argv);
int cmd_routes(int argc, char **argv);

int cmd_tenant(int argc, char **argv) { return verbs_run(argc, argv, true, ""); }
int cmd_user(int argc, char **argv) { return verbs_run(argc, argv, false, ""); }
int cmd_group(int argc, char **argv) { return verbs_run(argc, argv, false, ""); }
int cmd_hold(int argc, char **argv) { return verbs_run(argc, argv, false, ""); }
int cmd_provider(int argc, char **argv) { return verbs_run(argc, argv, false, ""); }
int cmd_approval(int argc, char **argv) { return verbs_run(argc, argv, false, ""); }
int cmd_scim(int argc, char **argv) { return verbs_run(argc, argv, false, ""); }
int cmd_device(int argc, char **argv) { return verbs_run(argc, argv, false, ""); }
int cmd_config(int argc, char **argv) { return verbs_run(argc, argv, false, ""); }

static const char API_HELP[] = "usage: reeve api METHOD PATH [BODY] [--operator] [options]\n\n"
			       "One request, e.g. reeve api GET '/v1.0/users?$top=5' --data DIR.  Prints the body as it came.\n" CLIENT_OPTIONS_HELP
			       "  --operator          sign in as the installation's operator\n";

int cmd_api(int argc, char **argv)
{
	struct client c;
	struct client_answer a = {0};
	bool as_operator = false;
	if (cmd_wants_help(argc, argv, API_HELP))
		return 0;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--operator") == 0) {
			as_operator = true;
			memmove(&argv[i], &argv[i + 1], (size_t)(argc-- - i - 1) * sizeof *argv);
		}
	int code = client_open(&c, "api", as_operator, &argc, argv);
	if (code != 0)
		return code;
	c.json = true;
	for (char *p = argc >= 3 ? strchr(argv[2], ' ') : NULL; p != NULL; p = strchr(p, ' '))
		*p = '+'; /* $filter as people type it */
	if (argc < 3 || argc > 4)
		code = cmd_fail("api", ERR_USAGE, "METHOD and PATH are needed; see 'reeve api --help'");
	else if ((code = client_call(&c, argv[1], argv[2], argc == 4 ? argv[3] : NULL, &a)) == 0)
		verbs_show(&c, &a, NULL);
	json_decref(a.json);
	client_close(&c);
	return code;
}

static const char *const ACCESS[] = {"public", "bearer", "device", "log", "scim", "oauth"};
static const char *const LISTENER[] = {"api", "device", "both"};

int cmd_routes(int argc, char **argv)
{
	size_t n;
	const struct route *table = route_table(&n);
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
	if (cmd_wants_help(argc, argv, "usage: reeve routes [--json]\n\n"
				       "Prints the route table: every endpoint, its permission, whether it is public.\n"))
		return 0;
	if (argc > 1 && !json)
		return cmd_fail("routes", ERR_USAGE, "unknown argument '%s'", argv[1]);
	for (size_t i = 0; i < n; i++) {
		const struct route *r = &table[i];
		if (json)
			printf("%s{\"method\":\"%s\",\"path\":\"%s\",\"permission\":%s%s%s,\"public\":%s,\"access\":\"%s\",\"listener\":\"%s\","
			       "\"activity\":\"%s\"}", i == 0 ? "[" : ",\n ", r->method, r->path, *r->permission ? "\"" : "",
			       *r->permission ? r->permission : "null", *r->permission ? "\"" : "",
			       route_is_public(r) ? "true" : "false", ACCESS[r->access], LISTENER[r->listener],
			       activity_info(r->activity)->name);
		else
			printf("%-7s %-70s %-7s %s\n", r->method, r->path, ACCESS[r->access], r->permission);
	}
	if (json)
		printf("]\n");
	return 0;
}
