/* SPDX-License-Identifier: Apache-2.0
 *
 * Before anything is sent about the machine, the person is told whose management this is, what is collected and what
 * never is, and accepts the organisation's terms.  All of it is the server's text, cleaned for the terminal.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "channel.h"
#include "cmd.h"

void print_lines(const char *indent, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t n = strcspn(text, "\n");
		fputs(indent, stdout);
		for (size_t i = 0; i < n; i++)
			putchar((unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i]);
		putchar('\n');
		text += n + (text[n] == '\n');
	}
}

static void print_list(const char *title, const json_t *list)
{
	if (json_array_size(list) == 0)
		return;
	printf("\n%s\n", title);
	for (size_t i = 0; i < json_array_size(list); i++)
		print_lines("  - ", json_string_value(json_array_get(list, i)));
}

static void show(const json_t *o)
{
	print_lines("Organisation: ", json_string_value(json_object_get(o, "organisation")));
	print_lines("This device will be managed as: ", json_string_value(json_object_get(o, "ownership")));
	print_list("What is collected:", json_object_get(o, "collects"));
	print_list("What is never collected:", json_object_get(o, "never"));
	const json_t *terms = json_object_get(o, "terms");
	for (size_t i = 0; i < json_array_size(terms); i++) {
		const json_t *t = json_array_get(terms, i);
		putchar('\n');
		print_lines("", json_string_value(json_object_get(t, "title")));
		print_lines("  ", json_string_value(json_object_get(t, "bodyText")));
		print_lines("", json_string_value(json_object_get(t, "acceptanceStatement")));
	}
	fflush(stdout);
}

static enum err ask_person(struct agent *a)
{
	char line[16] = "";
	printf("\nEnrol this device and accept what is said above? Type yes: ");
	fflush(stdout);
	if (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "yes\n") == 0)
		return OK;
	return scope_fail(a->scope, ERR_FORBIDDEN, "not accepted; nothing was enrolled");
}

enum err terms_ask(struct agent *a, const char *url, const char *ca_file, const char *token, bool accept,
		   json_t **ret_terms)
{
	auto_buf body;
	auto_json *answer = NULL;
	struct json_writer w;
	buf_init(&body, CHANNEL_BODY_MAX);
	jw_init(&w, &body);
	jw_object(&w);
	jw_kstring(&w, "token", token);
	jw_end_object(&w);
	struct endpoint to = {.url = url, .ca_file = ca_file};
	TRY(channel_post(a, &to, "/linux/terms", &body, &answer));
	json_t *terms = json_object_get(answer, "terms");
	if (!json_is_array(terms))
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the server's answer has no list of terms");
	show(answer);
	bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	if (!accept && terminal)
		TRY(ask_person(a));
	else if (!accept && json_array_size(terms) > 0)
		return scope_fail(a->scope, ERR_USAGE,
				  "the organisation's terms must be accepted: on a terminal, or with --accept-terms");
	*ret_terms = json_incref(terms);
	return OK;
}
