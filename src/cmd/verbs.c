/* SPDX-License-Identifier: Apache-2.0
 * One engine for all verbs: fill the path and body, ask, follow the pages, show. */
#include "cmd/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "codec/odata.h"

struct verb {
	const char *command, *name;
	int args;
	const char *method, *path, *body, *columns, *help;
};

static const struct verb VERBS[] = {
#define VERB(command_, name_, args_, method_, path_, body_, columns_, help_) \
	{command_, name_, args_, method_, path_, body_, columns_, help_},
#include "cmd/verbs.def"
#undef VERB
};

enum { VERB_COUNT = sizeof VERBS / sizeof VERBS[0] };

static void usage(FILE *out, const char *command, const char *more)
{
	fprintf(out, "usage: reeve %s VERB [arguments] [options]\n\n", command);
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(VERBS[i].command, command) == 0)
			fprintf(out, "  %-13s %s\n", VERBS[i].name, VERBS[i].help);
	fputs(more, out);
	fputs(CLIENT_OPTIONS_HELP "  --query QUERY       OData options of a list, e.g. '$filter=…&$top=5'\n"
				  "  --file FILE         the request's body as JSON (-: standard input); what it leaves out comes from the arguments\n",
	      out);
}

static const struct verb *find(const char *command, const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(VERBS[i].command, command) == 0 && strcmp(VERBS[i].name, name) == 0)
			return &VERBS[i];
	return NULL;
}

/* ---- filling in ---- */

static char *json_escape(struct arena *a, const char *s)
{
	json_t *j = json_string(s);
	char *dumped = j != NULL ? json_dumps(j, JSON_ENCODE_ANY) : NULL;
	char *out = dumped != NULL ? arena_strndup(a, dumped + 1, strlen(dumped) - 2) : NULL;
	free(dumped);
	json_decref(j);
	return out;
}

/* {n} and {n:local}; NULL where an argument is not UTF-8. */
static char *fill(struct arena *a, const char *template, char **args, bool in_path)
{
	auto_buf b;
	buf_init(&b, MIB);
	for (const char *p = template; *p != '\0'; p++) {
		if (p[0] != '{' || p[1] < '1' || p[1] > '9') {
			buf_addc(&b, *p);
			continue;
		}
		const char *value = args[p[1] - '1'];
		bool local = strncmp(p + 2, ":local}", 7) == 0;
		if (local)
			value = arena_strndup(a, value, strcspn(value, "@"));
		const char *text = in_path ? url_encode(a, value) : json_escape(a, value);
		if (text == NULL)
			return NULL;
		buf_adds(&b, text);
		p += local ? 8 : 2;
	}
	return arena_strndup(a, b.data != NULL ? b.data : "", b.len);
}

static json_t *value_of(const char *text)
{
	json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);
	if (j != NULL && !json_is_string(j))
		return j;
	json_decref(j);
	return json_string(text);
}

/* Adds name=value arguments to the body. */
static int add_members(struct client *c, json_t *body, int n, char **pairs)
{
	for (int i = 0; i < n; i++) {
		char *equals = strchr(pairs[i], '=');
		if (equals == NULL || equals == pairs[i])
			return cmd_fail(c->command, ERR_USAGE, "'%s' is not name=value", pairs[i]);
		*equals = '\0';
		if (json_object_set_new(body, pairs[i], value_of(equals + 1)) != 0)
			return cmd_fail(c->command, ERR_USAGE, "'%s' is not UTF-8", pairs[i]);
	}
	return 0;
}

static int read_body_file(struct client *c, const char *file, json_t **ret)
{
	json_error_t e;
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	if (f == NULL)
		return cmd_fail(c->command, ERR_NOT_FOUND, "%s: %s", file, strerror(errno));
	*ret = json_loadf(f, JSON_REJECT_DUPLICATES, &e);
	if (f != stdin)
		fclose(f);
	if (*ret == NULL || !json_is_object(*ret))
		return cmd_fail(c->command, ERR_BAD_REQUEST, "%s: line %d: %s", file, e.line, *ret == NULL ? e.text : "not an object");
	return 0;
}

/* What the file leaves out the arguments say. */
static int make_body(struct client *c, const struct verb *v, const char *file, char **args, int extra, char **pairs, char **ret)
{
	json_t *body = NULL;
	int code = 0;
	*ret = NULL;
	if (v->body == NULL && (extra > 0 || file != NULL))
		return cmd_fail(c->command, ERR_USAGE, "'%s' takes no '%s'", v->name, extra > 0 ? pairs[0] : "--file");
	if (v->body == NULL)
		return 0;
	const char *text = fill(c->arena, v->body, args, false);
	json_t *said = text != NULL ? json_loads(text, 0, NULL) : NULL;
	if (said == NULL)
		code = cmd_fail(c->command, ERR_USAGE, "an argument is not UTF-8");
	else if (file == NULL)
		body = json_incref(said);
	else if ((code = read_body_file(c, file, &body)) == 0)
		json_object_update_missing(body, said);
	json_decref(said);
	if (code == 0)
		code = add_members(c, body, extra, pairs);
	if (code == 0) {
		char *dumped = json_dumps(body, JSON_COMPACT);
		*ret = arena_strdup(c->arena, dumped);
		free(dumped);
	}
	json_decref(body);
	return code;
}

/* ---- showing ---- */

static void show_value(const json_t *v)
{
	if (json_is_string(v)) {
		for (const char *p = json_string_value(v); *p != '\0'; p++)
			putchar((unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p); /* no escape sequences on a terminal */
		return;
	}
	char *text = v == NULL ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
	fputs(text != NULL ? text : "-", stdout);
	free(text);
}

/* actor and resources of an event in a few words */
static void show_column(const json_t *row, const char *name)
{
	const json_t *v = json_object_get(row, name);
	if (strcmp(name, "actor") == 0) {
		const json_t *who = json_object_get(v, "userPrincipalName");
		v = json_is_string(who) ? who : json_object_get(v, "applicationDisplayName");
	} else if (strcmp(name, "resources") == 0) {
		const json_t *first = json_array_get(v, 0), *called = json_object_get(first, "displayName");
		v = json_is_string(called) ? called : json_object_get(first, "resourceId");
	}
	show_value(v);
}

static void show_list(const json_t *list, const char *columns)
{
	size_t i;
	json_t *row;
	json_array_foreach((json_t *)list, i, row) {
		char names[256], *save = NULL;
		if (!json_is_object(row)) {
			show_value(row);
			putchar('\n');
			continue;
		}
		snprintf(names, sizeof names, "%s", columns);
		for (char *n = strtok_r(names, ",", &save), *first = n; n != NULL; n = strtok_r(NULL, ",", &save)) {
			if (n != first)
				putchar('\t');
			show_column(row, n);
		}
		putchar('\n');
	}
}

void verbs_show(const struct client *c, const struct client_answer *a, const char *columns)
{
	const json_t *list = json_object_get(a->json, "value");
	if (c->json || a->json == NULL) {
		if (a->n > 0)
			printf("%s%s", a->body, a->body[a->n - 1] == '\n' ? "" : "\n");
		else if (!c->json)
			printf("accepted (%ld)\n", a->status);
		return;
	}
	if (json_is_array(list)) {
		show_list(list, columns != NULL ? columns : "id");
		return;
	}
	const char *key;
	json_t *value;
	json_object_foreach(a->json, key, value) {
		if (strncmp(key, "@odata.context", 14) == 0 || json_is_null(value))
			continue;
		printf("%-28s ", key);
		show_value(value);
		putchar('\n');
	}
}

/* ---- asking ---- */

static int ask(struct client *c, const struct verb *v, const char *path, const char *body, bool one_page)
{
	struct client_answer a;
	while (path != NULL) {
		int code = client_call(c, v->method, path, body, &a);
		if (code != 0) {
			json_decref(a.json);
			return code;
		}
		verbs_show(c, &a, v->columns);
		const char *next = json_string_value(json_object_get(a.json, "@odata.nextLink"));
		path = next != NULL && !one_page ? arena_strdup(c->arena, next) : NULL;
		json_decref(a.json);
	}
	return 0;
}

static int run_verb(struct client *c, const struct verb *v, int argc, char **argv)
{
	const char *file = option_take(&argc, argv, "--file"), *query = option_take(&argc, argv, "--query");
	char *body;
	int n = argc - 2;
	if (n < v->args || (argc > 2 && strncmp(argv[argc - 1], "--", 2) == 0))
		return cmd_fail(c->command, ERR_USAGE, "usage: reeve %s %s %s", v->command, v->name, v->help);
	for (int i = 0; i < v->args; i++)
		if (*argv[2 + i] == '\0')
			return cmd_fail(c->command, ERR_USAGE, "argument %d is empty", i + 1);
	int code = make_body(c, v, file, argv + 2, n - v->args, argv + 2 + v->args, &body);
	if (code != 0)
		return code;
	char *path = fill(c->arena, v->path, argv + 2, true);
	if (query != NULL)
		path = arena_printf(c->arena, "%.*s?%s", (int)strcspn(path, "?"), path, query);
	bool one_page = strchr(path, '?') != NULL || c->json;
	for (char *p = strchr(path, ' '); p != NULL; p = strchr(p, ' '))
		*p = '+'; /* $filter as people type it */
	return ask(c, v, path, body, one_page);
}

int verbs_run(int argc, char **argv, bool as_operator, const char *more_help)
{
	struct client c;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			usage(stdout, argv[0], more_help);
			return 0;
		}
	if (argc < 2) {
		usage(stderr, argv[0], more_help);
		return err_exit_code(ERR_USAGE);
	}
	int code = client_open(&c, argv[0], as_operator, &argc, argv);
	if (code != 0)
		return code;
	const struct verb *v = argc >= 2 ? find(argv[0], argv[1]) : NULL;
	if (v == NULL)
		code = cmd_fail(argv[0], ERR_USAGE, "there is no '%s %s'; see 'reeve %s --help'", argv[0], argc >= 2 ? argv[1] : "", argv[0]);
	else
		code = run_verb(&c, v, argc, argv);
	client_close(&c);
	return code;
}
