/* SPDX-License-Identifier: Apache-2.0
 * reeve request: its verbs, and `request list`, which shows what is overdue first and says so in its first line. */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/verbs.h"

int cmd_request(int argc, char **argv);

#define REQUESTS "/v1.0/deviceManagement/dataSubjectRequests"
#define OPEN_ONES REQUESTS "?$filter=state+ne+'closed'&$orderby=dueDateTime"

static const char MORE_HELP[] = "  list          [--all]: open requests, overdue ones first; --all: closed ones too\n";

static const char *text(const json_t *row, const char *name)
{
	const char *s = json_string_value(json_object_get(row, name));
	return s != NULL ? s : "-";
}

static bool overdue(const json_t *row) { return json_is_true(json_object_get(row, "isOverdue")); }

/* The clock stands still once the answer is given. */
static bool answered(const json_t *row)
{
	return strcmp(text(row, "state"), "delivered") == 0 || strcmp(text(row, "state"), "closed") == 0;
}

static void show(const json_t *row)
{
	const char *mark = overdue(row) ? "OVERDUE" : json_is_true(json_object_get(row, "isAcknowledgementOverdue")) ? "no receipt" : "";
	printf("%-10s  %.10s  %4lld%%  %-13s  %-10s  %s  %s\n", mark, text(row, "dueDateTime"),
	       (long long)json_integer_value(json_object_get(row, "percentElapsed")), text(row, "type"), text(row, "state"), text(row, "id"),
	       text(row, "userPrincipalName"));
}

static void show_all(const json_t *list)
{
	size_t i, late = 0, open = 0;
	json_t *row;
	json_array_foreach((json_t *)list, i, row) {
		late += overdue(row);
		open += !answered(row);
	}
	if (late > 0)
		printf("%zu of %zu open requests %s OVERDUE\n", late, open, late == 1 ? "is" : "are");
	else
		printf("%zu open request%s, none overdue\n", open, open == 1 ? "" : "s");
	json_array_foreach((json_t *)list, i, row)
		if (overdue(row))
			show(row);
	json_array_foreach((json_t *)list, i, row)
		if (!overdue(row))
			show(row);
}

static int collect(struct client *c, const char *path, json_t *into)
{
	struct client_answer a;
	while (path != NULL) {
		int code = client_call(c, "GET", path, NULL, &a);
		if (code != 0) {
			json_decref(a.json);
			return code;
		}
		json_array_extend(into, json_object_get(a.json, "value"));
		const char *next = json_string_value(json_object_get(a.json, "@odata.nextLink"));
		path = next != NULL ? arena_strdup(c->arena, next) : NULL;
		json_decref(a.json);
	}
	return 0;
}

static int list(int argc, char **argv, bool all)
{
	struct client c;
	int code = client_open(&c, "request list", false, &argc, argv);
	if (code != 0)
		return code;
	json_t *rows = json_array();
	if (argc != 2)
		code = cmd_fail("request list", ERR_USAGE, "usage: reeve request list [--all]");
	else
		code = collect(&c, all ? REQUESTS : OPEN_ONES, rows);
	if (code == 0 && c.json) {
		json_dumpf(rows, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (code == 0) {
		show_all(rows);
	}
	json_decref(rows);
	client_close(&c);
	return code;
}

int cmd_request(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "list") != 0 || cmd_wants_help(argc, argv, ""))
		return verbs_run(argc, argv, false, MORE_HELP);
	bool all = option_take_flag(&argc, argv, "--all");
	return list(argc, argv, all);
}
