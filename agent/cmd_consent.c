/* SPDX-License-Identifier: Apache-2.0
 *
 * `consent`: the organisation asks to record a personal device as its own; the person who has it agrees or refuses, here, without any
 * administrator.  Without --yes or --no, and without a terminal, it only shows what is asked.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "cmd.h"
#include "sync.h"

/* answer NULL: only ask. */
static enum err post(struct agent *a, const struct device *d, const char *answer, json_t **ret)
{
	auto_buf body;
	buf_init(&body, 64);
	buf_printf(&body, "{%s%s}", answer == NULL ? "" : "\"consents\":", answer == NULL ? "" : answer);
	struct endpoint to = channel_endpoint(a, d->url);
	return channel_post(a, &to, "/linux/ownership", &body, ret);
}

/* "true", "false"; NULL: the person says nothing. */
static const char *person_says(const struct options *o)
{
	char line[16] = "";
	if (o->yes || o->no)
		return o->yes ? "true" : "false";
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return NULL;
	printf("\nDo you agree? Type yes or no: ");
	fflush(stdout);
	if (fgets(line, sizeof line, stdin) == NULL)
		return NULL;
	return strcmp(line, "yes\n") == 0 ? "true" : strcmp(line, "no\n") == 0 ? "false" : NULL;
}

static enum err consent(struct agent *a, const struct options *o, const char **ret_said)
{
	struct device d = {0};
	auto_json *asked = NULL, *done = NULL;
	if (o->yes && o->no)
		return scope_fail(a->scope, ERR_USAGE, "--yes or --no");
	TRY(state_open(a));
	TRY(device_load(a, &d));
	TRY(state_credentials(a));
	TRY(post(a, &d, NULL, &asked));
	const char *question = json_string_value(json_object_get(asked, "question"));
	if (question == NULL)
		return scope_fail(a->scope, ERR_CONFLICT, "nobody asks for this device's ownership to change");
	print_lines("", question);
	*ret_said = person_says(o);
	return *ret_said == NULL ? OK : post(a, &d, *ret_said, &done);
}

int cmd_consent(struct agent *a, const struct options *o)
{
	const char *said = NULL;
	enum err e = consent(a, o, &said);
	state_close(a);
	if (e != OK)
		return complain(a, e);
	puts(said == NULL                ? "nothing was answered: the request stays open"
	     : strcmp(said, "true") == 0 ? "agreed: this is now a company device"
					 : "refused: the device stays yours");
	return 0;
}
