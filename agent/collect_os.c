/* SPDX-License-Identifier: Apache-2.0
 *
 * The operating system's name, version and kernel, and the host name.  In a tree the kernel's release and architecture
 * are read from proc/sys/kernel: those of the machine that holds the tree are not the device's.
 */
#include <ctype.h>
#include <string.h>
#include <sys/utsname.h>

#include "collect.h"
#include "fs.h"

/* Undoes shell quoting as os-release(5) allows it: single, double or none, backslash before a special character. */
static char *unquote(struct arena *arena, const char *p, size_t n)
{
	while (n > 0 && isspace((unsigned char)p[n - 1]))
		n--;
	char quote = 0;
	if (n >= 2 && (p[0] == '"' || p[0] == '\'') && p[n - 1] == p[0]) {
		quote = p[0];
		p++;
		n -= 2;
	}
	char *out = arena_alloc(arena, n + 1);
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\\' && quote != '\'' && i + 1 < n)
			i++;
		out[len++] = p[i];
	}
	out[len] = '\0';
	return len > 0 ? out : NULL;
}

char *osrelease_value(struct arena *arena, const char *text, const char *key)
{
	size_t n = strlen(key);
	char *found = NULL;
	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		if (len > n && strncmp(line, key, n) == 0 && line[n] == '=')
			found = unquote(arena, line + n + 1, len - n - 1); /* as in a shell, the last one counts */
		line += len + (line[len] == '\n');
	}
	return found;
}

static void read_release(struct agent *a, struct facts *f)
{
	struct arena *arena = a->scope->arena;
	char *text = fs_text(a, "etc/os-release", 65536);
	if (text == NULL)
		text = fs_text(a, "usr/lib/os-release", 65536);
	if (text == NULL)
		return;
	f->os_name = osrelease_value(arena, text, "NAME");
	f->os_version = osrelease_value(arena, text, "VERSION_ID");
	const char *codename = osrelease_value(arena, text, "VERSION_CODENAME");
	if (f->os_version == NULL) /* rolling distributions and Debian testing have none */
		f->os_version = codename;
	const char *id = osrelease_value(arena, text, "ID");
	f->os_build = osrelease_value(arena, text, "BUILD_ID");
	if (f->os_build == NULL && id != NULL && strcmp(id, "debian") == 0)
		f->os_build = fs_line(a, "etc/debian_version"); /* 12.5, where VERSION_ID is 12 */
	if (f->os_build == NULL)
		f->os_build = codename;
}

void collect_os(struct agent *a, struct facts *f)
{
	struct utsname u;
	bool real = !a->tree && uname(&u) == 0;
	read_release(a, f);
	f->device_name = real ? arena_strdup(a->scope->arena, u.nodename) : fs_line(a, "etc/hostname");
	f->kernel = real ? arena_strdup(a->scope->arena, u.release) : fs_line(a, "proc/sys/kernel/osrelease");
	f->architecture = real ? arena_strdup(a->scope->arena, u.machine) : fs_line(a, "proc/sys/kernel/arch");
}
