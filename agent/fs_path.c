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

#include "base/limits.h"
#include "fs.h"

/* Settings, certificates, the files of an app and its data are below these and nowhere else. */
static const char *const roots[] = {"etc", "opt", "srv", "usr", "var", NULL};

/* At or below these nothing is written or removed: accounts, how people sign in, how the machine starts, the package
 * manager's records, people's mail and jobs, and the agent itself, which the organisation could otherwise use to switch
 * wipe on or to forge what was provisioned.  A trailing '*' means every name that begins so. */
static const char *const forbidden[] = {
	"etc/passwd*",     "etc/shadow*",       "etc/group",     "etc/group-",           "etc/gshadow*",
	"etc/subuid*",     "etc/subgid*",       "etc/sudoers*",  "etc/pam.d",            "etc/security",
	"etc/ssh",         "etc/fstab",         "etc/crypttab",  "etc/ld.so*",           "etc/reeve-agent*",
	"var/home",        "var/lib/dpkg",      "var/lib/apt",   "var/lib/reeve-agent",  "var/lib/reeve-reinstall",
	"var/mail",        "var/spool/mail",    "var/spool/cron", "usr/bin/reeve-agent", "usr/sbin/reeve-agent",
	"usr/lib/reeve-agent", "usr/local/bin/reeve-agent", NULL};

/* Directories that belong to many.  What is below them may be an app's data, they themselves never are. */
static const char *const shared[] = {
	"etc", "opt", "srv", "usr", "var", "usr/bin", "usr/sbin", "usr/lib", "usr/lib32", "usr/lib64", "usr/libexec",
	"usr/share", "usr/include", "usr/src", "usr/games", "usr/local", "usr/local/bin", "usr/local/sbin",
	"usr/local/lib", "usr/local/share", "usr/local/etc", "usr/share/applications", "usr/share/doc", "usr/share/man",
	"usr/share/icons", "usr/share/fonts", "usr/share/ca-certificates", "usr/local/share/ca-certificates",
	"usr/lib/systemd", "usr/lib/systemd/system", "etc/systemd", "etc/systemd/system", "etc/default", "etc/init.d",
	"etc/cron.d", "etc/cron.daily", "etc/apt", "etc/ssl", "etc/ssl/certs", "etc/network", "etc/NetworkManager",
	"etc/NetworkManager/system-connections", "etc/xdg", "etc/reeve", "etc/reeve/email", "etc/profile.d", "var/lib",
	"var/log", "var/log/journal", "var/cache", "var/spool", "var/tmp", "var/opt", "var/local", "var/backups",
	"var/www", "var/run", "var/lock", "var/lib/systemd", "var/lib/NetworkManager", "var/lib/AccountsService",
	"var/lib/docker", "var/lib/postgresql", "var/lib/mysql", NULL};

/* The same in a home directory. */
static const char *const home_shared[] = {".config", ".cache", ".local", ".local/share", ".local/state", ".local/bin",
					  ".local/lib", ".var", ".var/app", NULL};
static const char *const home_forbidden[] = {
	".ssh", ".gnupg", ".mozilla", ".thunderbird", ".password-store", ".local/share/keyrings", ".pki", ".bash*",
	".zsh*", ".profile", ".config/google-chrome", ".config/chromium", NULL};

static bool in_list(const char *const *list, const char *rel)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, rel) == 0)
			return true;
	return false;
}

/* At or below an entry of the list. */
static bool under_list(const char *const *list, const char *rel)
{
	for (; *list != NULL; list++) {
		size_t n = strlen(*list);
		if ((*list)[n - 1] == '*' ? strncmp(rel, *list, n - 1) == 0 : path_is_below(rel, *list))
			return true;
	}
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
	if (strlen(rel) >= LIMIT_TEXT_BYTES) /* the server is told where an item is */
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

enum err path_allow_file(struct scope *s, const char *rel, const char *state_rel)
{
	if (under_list(forbidden, rel) || strstr(rel, "reeve-agent.service") != NULL ||
	    (state_rel != NULL && path_is_below(rel, state_rel)))
		return scope_fail(s, ERR_FORBIDDEN, "the path /%s is not the organisation's to change", rel);
	if (in_list(shared, rel))
		return scope_fail(s, ERR_FORBIDDEN, "the path /%s is a directory of the system", rel);
	for (int i = 0; roots[i] != NULL; i++)
		if (path_is_below(rel, roots[i]))
			return OK;
	return scope_fail(s, ERR_FORBIDDEN, "the path /%s is not where an organisation may put files", rel);
}

enum err path_allow_data(struct scope *s, const char *given, const char *state_rel, const char **ret_rel,
			 bool *ret_home)
{
	*ret_home = given != NULL && given[0] == '~';
	TRY(path_check(s, *ret_home ? given + 1 : given, ret_rel));
	const char *rel = *ret_rel;
	if (!*ret_home)
		return path_allow_file(s, rel, state_rel);
	if (rel[0] != '.' || in_list(home_shared, rel))
		return scope_fail(s, ERR_FORBIDDEN, "the data path ~/%s is not one app's own", rel);
	if (under_list(home_forbidden, rel))
		return scope_fail(s, ERR_FORBIDDEN, "the data path ~/%s is the person's own", rel);
	return OK;
}
