/* SPDX-License-Identifier: Apache-2.0
 *
 * Installed Debian packages: name and version, from dpkg's status file.  Asked for on company-owned devices only; the
 * caller sees to that.  Provisioning asks for one package by name (whether an app was there before the organisation
 * came).
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "collect.h"
#include "fs.h"

struct stanza {
	char *name, *version;
	bool installed;
};

/* Takes one stanza off the text (changes it); false at the end. */
static bool next_stanza(char **text, struct stanza *st)
{
	*st = (struct stanza){0};
	while (**text == '\n')
		(*text)++;
	if (**text == '\0')
		return false;
	while (**text != '\0' && **text != '\n') {
		char *line = *text;
		size_t n = strcspn(line, "\n");
		*text = line + n + (line[n] == '\n');
		line[n] = '\0';
		if (strncmp(line, "Package: ", 9) == 0)
			st->name = line + 9;
		else if (strncmp(line, "Version: ", 9) == 0)
			st->version = line + 9;
		else if (strncmp(line, "Status: ", 8) == 0)
			st->installed = n >= 10 && strcmp(line + n - 10, " installed") == 0;
	}
	return true;
}

void collect_packages(struct agent *a, struct json_writer *w)
{
	struct arena_mark mark = arena_mark(a->scope->arena);
	char *text = fs_text(a, "var/lib/dpkg/status", 48u << 20);
	struct stanza st;
	unsigned n = 0;
	jw_key(w, "packages");
	jw_array(w);
	while (text != NULL && n < LIMIT_APPS_PER_DEVICE && next_stanza(&text, &st)) {
		if (!st.installed || st.name == NULL || st.version == NULL)
			continue;
		jw_object(w);
		jw_kstring(w, "name", st.name);
		jw_kstring(w, "version", st.version);
		jw_end_object(w);
		n++;
	}
	jw_end_array(w);
	arena_rewind(a->scope->arena, mark);
}

bool package_installed(struct agent *a, const char *name, char **ret_version)
{
	struct arena_mark mark = arena_mark(a->scope->arena);
	char version[256] = "", *text = fs_text(a, "var/lib/dpkg/status", 48u << 20);
	struct stanza st;
	bool found = false;
	while (text != NULL && !found && next_stanza(&text, &st)) {
		found = st.installed && st.name != NULL && st.version != NULL && strcmp(st.name, name) == 0;
		if (found)
			snprintf(version, sizeof version, "%s", st.version);
	}
	arena_rewind(a->scope->arena, mark); /* the file is megabytes */
	*ret_version = arena_strdup(a->scope->arena, version);
	return found;
}
