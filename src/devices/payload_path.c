/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an item may write, and what may be deleted with an app.  The agent runs as root: what passes here is written
 * there.  A refused path costs an administrator a message; a wrong one costs a person their files, or the machine.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "devices/payload.h"

/* Nothing is written or deleted at or below these.  A trailing '*' means every name that starts so. */
static const char *const FORBIDDEN[] = {
	"/home", "/root", "/proc", "/sys", "/dev", "/boot", "/run", "/lost+found", "/etc/passwd*", "/etc/shadow*",
	"/etc/group", "/etc/group-", "/etc/gshadow*", "/etc/subuid*", "/etc/subgid*", "/etc/sudoers*", "/etc/pam.d",
	"/etc/security", "/etc/ssh", "/etc/fstab", "/etc/crypttab", "/etc/ld.so*", "/etc/reeve-agent*",
	"/var/lib/reeve-agent", "/var/lib/dpkg", "/var/lib/apt", "/var/home", "/usr/bin/reeve-agent",
	"/usr/local/bin/reeve-agent",
};

/* These belong to many: something below them may go with an app, they themselves never. */
static const char *const SHARED[] = {
	"/etc", "/opt", "/srv", "/usr", "/var", "/mnt", "/media", "/tmp", "/bin", "/sbin", "/lib", "/lib32",
	"/lib64", "/libx32", "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec",
	"/usr/share", "/usr/include", "/usr/src", "/usr/games", "/usr/local", "/usr/local/bin", "/usr/local/sbin",
	"/usr/local/lib", "/usr/local/share", "/usr/local/etc", "/usr/share/applications", "/usr/share/doc",
	"/usr/share/man", "/usr/share/icons", "/usr/share/fonts", "/usr/share/ca-certificates",
	"/usr/local/share/ca-certificates", "/usr/lib/systemd", "/usr/lib/systemd/system", "/etc/systemd",
	"/etc/systemd/system", "/etc/default", "/etc/init.d", "/etc/cron.d", "/etc/cron.daily", "/etc/apt",
	"/etc/ssl", "/etc/ssl/certs", "/etc/network", "/etc/NetworkManager",
	"/etc/NetworkManager/system-connections", "/etc/xdg", "/etc/reeve", "/etc/reeve/email", "/etc/profile.d",
	"/var/lib", "/var/log", "/var/cache", "/var/spool", "/var/tmp", "/var/mail", "/var/opt", "/var/local",
	"/var/backups", "/var/www", "/var/run", "/var/lock", "/var/lib/systemd", "/var/lib/NetworkManager",
	"/var/lib/AccountsService", "/var/spool/cron", "/var/spool/mail",
};

/* Places in a home directory that hold many apps' data: something below may be an app's own. */
static const char *const HOME_SHARED[] = {
	".config", ".cache", ".local", ".local/share", ".local/state", ".local/bin", ".local/lib", ".var",
	".var/app",
};
/* Never an app's. */
static const char *const HOME_FORBIDDEN[] = {
	".ssh", ".gnupg", ".mozilla", ".thunderbird", ".password-store", ".local/share/keyrings", ".bash*",
	".profile", ".zsh*", ".pki",
};

/* Whether path is `entry` or below it. */
static bool at_or_below(const char *path, const char *entry)
{
	size_t n = strlen(entry);
	if (entry[n - 1] == '*')
		return strncmp(path, entry, n - 1) == 0;
	return strncmp(path, entry, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

#define ANY_BELOW(path, list) any_below(path, list, sizeof(list) / sizeof((list)[0]))
static bool any_below(const char *path, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (at_or_below(path, list[i]))
			return true;
	return false;
}

#define ANY_EQUAL(path, list) any_equal(path, list, sizeof(list) / sizeof((list)[0]))
static bool any_equal(const char *path, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(path, list[i]) == 0)
			return true;
	return false;
}

/* Names joined by single slashes, none of them "." or "..", no control characters, no slash at the end. */
static const char *shape_problem(const char *path)
{
	while (*path != '\0') {
		size_t n = strcspn(path, "/");
		if (n == 0)
			return "has an empty component";
		if ((n == 1 && path[0] == '.') || (n == 2 && path[0] == '.' && path[1] == '.'))
			return "has a component . or ..";
		if (n > 255)
			return "has a component of more than 255 bytes";
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)path[i] < ' ' || path[i] == 0x7f)
				return "has a control character";
		path += n;
		if (*path == '/' && *++path == '\0')
			return "ends with a slash";
	}
	return NULL;
}

const char *payload_file_path_problem(const char *path)
{
	if (path[0] != '/' || path[1] == '\0')
		return "is an absolute path of a file";
	const char *shape = shape_problem(path + 1);
	if (shape != NULL)
		return shape;
	if (ANY_BELOW(path, FORBIDDEN))
		return "is in a place where no item may write";
	if (ANY_EQUAL(path, SHARED))
		return "is a directory of the system";
	return NULL;
}

static const char *home_path_problem(const char *path)
{
	if (path[0] != '.')
		return "is, in a home directory, below a hidden directory of the app's own";
	if (ANY_BELOW(path, HOME_FORBIDDEN))
		return "is in a place of the person's own";
	if (ANY_EQUAL(path, HOME_SHARED))
		return "is shared by many apps";
	return NULL;
}

const char *payload_data_path_problem(const char *path)
{
	if (path[0] == '~' && path[1] == '/' && path[2] != '\0') {
		const char *shape = shape_problem(path + 2);
		return shape != NULL ? shape : home_path_problem(path + 2);
	}
	const char *problem = payload_file_path_problem(path);
	if (problem != NULL)
		return problem;
	return strchr(path + 1, '/') == NULL ? "is a directory at the root of the system" : NULL;
}
