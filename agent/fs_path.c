/* SPDX-License-Identifier: Apache-2.0
 *
 * Which paths the organisation may name.  Pure functions: they look at text, never at a file system.
 *
 * Promise: no path that they let through has a ".." or control character in it, lies in a home directory (except data
 * paths of an app), touches the agent itself, or is so broad that taking it back would take what is not the
 * organisation's.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fs.h"

/* Settings, certificates and the files of an app may be below these and nowhere else. */
static const char *const file_roots[] = {"etc", "opt", "srv", "usr", "var/lib", "var/opt", NULL};

/* An absolute data path must be strictly below one of these.  What is directly in them belongs to one package each. */
static const char *const data_roots[] = {"etc",     "opt",     "srv",     "usr/local/share", "var/cache",
					 "var/lib", "var/log", "var/opt", "var/spool",       NULL};

/* Shared by the whole system: they may hold data of the app, they may not be its data. */
static const char *const shared_dirs[] = {"etc/apt",
					  "etc/cron.d",
					  "etc/default",
					  "etc/init.d",
					  "etc/pam.d",
					  "etc/ssh",
					  "etc/ssl",
					  "etc/systemd",
					  "etc/NetworkManager",
					  "var/lib/apt",
					  "var/lib/dpkg",
					  "var/lib/docker",
					  "var/lib/systemd",
					  "var/log/journal",
					  "var/spool/cron",
					  "var/spool/mail",
					  "var/lib/postgresql",
					  "var/lib/mysql",
					  NULL};

/* In a home directory: places that hold many programs' data, or only a person's. */
static const char *const home_shared[] = {".config",
					  ".local",
					  ".local/share",
					  ".local/state",
					  ".local/bin",
					  ".cache",
					  ".var",
					  ".var/app",
					  ".ssh",
					  ".gnupg",
					  ".mozilla",
					  ".thunderbird",
					  "Documents",
					  "Desktop",
					  "Downloads",
					  "Pictures",
					  "Music",
					  "Videos",
					  "Public",
					  "Templates",
					  ".bash_history",
					  ".bashrc",
					  ".profile",
					  ".config/google-chrome",
					  ".config/chromium",
					  ".local/share/keyrings",
					  ".password-store",
					  NULL};

static bool in_list(const char *const *list, const char *rel)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, rel) == 0)
			return true;
	return false;
}

bool path_is_below(const char *rel, const char *dir)
{
	size_t n = strlen(dir);
	return strncmp(rel, dir, n) == 0 && (rel[n] == '\0' || rel[n] == '/');
}

const char *path_leaf(const char *rel)
{
	const char *slash = strrchr(rel, '/');
	return slash != NULL ? slash + 1 : rel;
}

/* One component after the other; the text ends at NUL. */
static const char *fault(const char *rel)
{
	if (*rel == '\0')
		return "is empty";
	if (strlen(rel) >= PATH_MAX - 256)
		return "is too long";
	for (const char *p = rel; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return "has a control character";
	for (const char *at = rel;; at++) {
		const char *end = strchrnul(at, '/');
		size_t n = (size_t)(end - at);
		if (n == 0)
			return "has an empty component";
		if (n > NAME_MAX)
			return "has a component that is too long";
		if ((n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.'))
			return "has a . or .. component";
		if (*end == '\0')
			return NULL;
		at = end;
	}
}

/* A message repeats a path only where it cannot upset a terminal or a log. */
static const char *shown(struct scope *s, const char *given)
{
	char *copy = arena_strndup(s->arena, given, strnlen(given, 200));
	for (char *p = copy; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return copy;
}

enum err path_check(struct scope *s, const char *given, const char **ret_rel)
{
	if (given == NULL || given[0] != '/')
		return scope_fail(s, ERR_BAD_REQUEST, "the path %s is not absolute",
				  given != NULL ? shown(s, given) : "(none)");
	const char *why = fault(given + 1);
	if (why != NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "the path %s %s", shown(s, given), why);
	*ret_rel = arena_strdup(s->arena, given + 1);
	return OK;
}

/* The agent's own files: an organisation that could write them could switch wipe on, or forge what was provisioned. */
static bool is_own(const char *rel, const char *state_rel)
{
	return path_is_below(rel, AGENT_CONFIG_REL) || path_is_below(rel, "usr/lib/reeve-agent") ||
	       path_is_below(rel, AGENT_STATE_REL) || path_is_below(rel, "usr/bin/reeve-agent") ||
	       path_is_below(rel, "usr/sbin/reeve-agent") || strstr(rel, "reeve-agent.service") != NULL ||
	       (state_rel != NULL && path_is_below(rel, state_rel));
}

enum err path_allow_file(struct scope *s, const char *rel, const char *state_rel)
{
	if (is_own(rel, state_rel))
		return scope_fail(s, ERR_FORBIDDEN, "the path /%s is the agent's own", rel);
	for (int i = 0; file_roots[i] != NULL; i++)
		if (path_is_below(rel, file_roots[i]) && strcmp(rel, file_roots[i]) != 0)
			return OK;
	return scope_fail(s, ERR_FORBIDDEN, "the path /%s is not where an organisation may put files", rel);
}

static enum err allow_home_data(struct scope *s, const char *rel)
{
	if (in_list(home_shared, rel))
		return scope_fail(s, ERR_FORBIDDEN, "the data path ~/%s is not one app's own", rel);
	static const char *const never[] = {".ssh", ".gnupg", ".password-store", ".local/share/keyrings", NULL};
	for (int i = 0; never[i] != NULL; i++)
		if (path_is_below(rel, never[i]))
			return scope_fail(s, ERR_FORBIDDEN, "the data path ~/%s is the person's own", rel);
	return OK;
}

enum err path_allow_data(struct scope *s, const char *given, const char *state_rel, const char **ret_rel,
			 bool *ret_home)
{
	*ret_home = given != NULL && given[0] == '~';
	TRY(path_check(s, *ret_home ? given + 1 : given, ret_rel));
	const char *rel = *ret_rel;
	if (*ret_home)
		return allow_home_data(s, rel);
	if (is_own(rel, state_rel) || in_list(shared_dirs, rel) || in_list(data_roots, rel))
		return scope_fail(s, ERR_FORBIDDEN, "the data path /%s is not one app's own", rel);
	for (int i = 0; data_roots[i] != NULL; i++)
		if (path_is_below(rel, data_roots[i]))
			return OK;
	return scope_fail(s, ERR_FORBIDDEN, "the data path /%s is not where an app's data may be", rel);
}
