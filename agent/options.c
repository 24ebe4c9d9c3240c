/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the command line (see options.h).
 */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs.h"

static const struct row {
	const char *name, *value, *help; /* value NULL: a switch */
	unsigned set;
	size_t at;
} table[] = {
	{"--url", "URL", "the server's device address (https://HOST[:PORT])", TAKES_ENROL,
	 offsetof(struct options, url)},
	{"--ca", "FILE", "the CA certificate that the organisation gave out", TAKES_ENROL,
	 offsetof(struct options, ca)},
	{"--token", "T", "the enrolment token (others on this machine may see it; better:)", TAKES_ENROL,
	 offsetof(struct options, token)},
	{"--token-file", "FILE", "a file with the enrolment token; - is standard input", TAKES_ENROL,
	 offsetof(struct options, token_file)},
	{"--accept-terms", NULL, "accept the organisation's terms without being asked", TAKES_ENROL,
	 offsetof(struct options, accept_terms)},
	{"--inventory-only", NULL, "never provision anything and refuse wipe", TAKES_ENROL,
	 offsetof(struct options, inventory_only)},
	{"--device-name", "NAME", "instead of the host name", TAKES_ENROL, offsetof(struct options, device_name)},
	{"--yes", NULL, "agree without being asked", TAKES_ANSWER, offsetof(struct options, yes)},
	{"--no", NULL, "refuse without being asked", TAKES_ANSWER, offsetof(struct options, no)},
	{"--json", NULL, "print JSON", TAKES_JSON, offsetof(struct options, json)},
	{"--root", "DIR", "a directory tree that stands for the device's file system", TAKES_PLACE,
	 offsetof(struct options, root)},
	{"--state", "DIR", "the state directory (ROOT/var/lib/reeve-agent)", TAKES_PLACE,
	 offsetof(struct options, state)},
	{"--config", "FILE", "the configuration (ROOT/etc/reeve-agent.conf)", TAKES_PLACE,
	 offsetof(struct options, config)},
};

enum { ROWS = sizeof table / sizeof *table };

void options_help(unsigned takes)
{
	for (int i = 0; i < ROWS; i++)
		if (table[i].set & takes)
			printf("    %-16s %-5s %s\n", table[i].name, table[i].value != NULL ? table[i].value : "",
			       table[i].help);
}

static const struct row *find(const char *arg, size_t n, unsigned takes)
{
	for (int i = 0; i < ROWS; i++)
		if ((table[i].set & takes) && strlen(table[i].name) == n && strncmp(table[i].name, arg, n) == 0)
			return &table[i];
	return NULL;
}

/* A message names the option and never what was given with it: that may be the token. */
enum err options_read(struct scope *s, int argc, char **argv, unsigned takes, struct options *ret)
{
	*ret = (struct options){0};
	for (int i = 1; i < argc; i++) {
		size_t n = strcspn(argv[i], "=");
		const struct row *row = find(argv[i], n, takes);
		if (row == NULL)
			return scope_fail(s, ERR_USAGE, "%s does not take %.*s; see reeve-agent help", argv[0],
					  argv[i][0] == '-' ? (int)(n < 40 ? n : 40) : 17,
					  argv[i][0] == '-' ? argv[i] : "further arguments");
		char *at = (char *)ret + row->at;
		if (row->value == NULL && argv[i][n] == '=')
			return scope_fail(s, ERR_USAGE, "%s takes no value", row->name);
		if (row->value == NULL) {
			*(bool *)at = true;
			continue;
		}
		const char *value = argv[i][n] == '=' ? argv[i] + n + 1 : i + 1 < argc ? argv[++i] : NULL;
		if (value == NULL || *value == '\0')
			return scope_fail(s, ERR_USAGE, "%s needs a value", row->name);
		*(const char **)(void *)at = value;
	}
	return OK;
}

/* The canonical form of a directory that may not exist yet. */
static const char *canonical(struct agent *a, const char *given)
{
	char *copy = arena_strdup(a->scope->arena, given);
	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	char *full = realpath(copy, NULL);
	if (full == NULL) {
		char *slash = strrchr(copy, '/');
		const char *leaf = slash != NULL ? slash + 1 : copy;
		if (*leaf == '\0' || strcmp(leaf, ".") == 0 || strcmp(leaf, "..") == 0)
			return NULL;
		const char *dir = slash == NULL   ? "."
				  : slash == copy ? "/"
						  : arena_strndup(a->scope->arena, copy, (size_t)(slash - copy));
		char *up = realpath(dir, NULL);
		const char *path =
			up != NULL ? arena_printf(a->scope->arena, "%s/%s", strcmp(up, "/") == 0 ? "" : up, leaf)
				   : NULL;
		free(up);
		return path;
	}
	const char *path = arena_strdup(a->scope->arena, full);
	free(full);
	return path;
}

static enum err place_state(struct agent *a, const struct options *o)
{
	const char *base = a->tree ? a->root : "";
	if (o->state == NULL) {
		a->state_path = arena_printf(a->scope->arena, "%s/" AGENT_STATE_REL, base);
		a->state_rel = AGENT_STATE_REL;
		return OK;
	}
	a->state_path = canonical(a, o->state);
	if (a->state_path == NULL)
		return scope_fail(a->scope, ERR_USAGE, "--state: the directory that is to hold it does not exist");
	if (strcmp(a->state_path, "/") == 0 || strcmp(a->state_path, a->root) == 0)
		return scope_fail(a->scope, ERR_USAGE, "--state cannot be the root itself");
	size_t n = strlen(base);
	if (strncmp(a->state_path, base, n) == 0 && a->state_path[n] == '/')
		a->state_rel = a->state_path + n + 1;
	return OK;
}

enum err agent_place(struct agent *a, const struct options *o)
{
	char *root = realpath(o->root != NULL ? o->root : "/", NULL);
	if (root == NULL)
		return scope_fail(a->scope, ERR_USAGE, "--root: %s", strerror(errno));
	a->root = arena_strdup(a->scope->arena, root);
	free(root);
	a->tree = strcmp(a->root, "/") != 0;
	a->root_fd = open(a->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (a->root_fd < 0)
		return scope_fail(a->scope, ERR_USAGE, "--root: %s", strerror(errno));
	a->config_path = o->config;
	a->device_name = o->device_name;
	return place_state(a, o);
}
