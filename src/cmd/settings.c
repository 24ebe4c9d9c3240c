/* SPDX-License-Identifier: Apache-2.0
 * reeve.conf: read strictly, written once by init. */
#include "cmd/settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"

enum setting_type { SET_TEXT, SET_INT };

static const struct setting {
	const char *name, *fallback, *help;
	enum setting_type type;
	long least, most;
	size_t offset;
} SETTINGS[] = {
#define SETTING(name_, type_, fallback_, least_, most_, help_)                                                     \
	{.name = #name_, .fallback = fallback_, .help = help_, .type = SET_##type_, .least = least_, .most = most_, \
	 .offset = offsetof(struct settings, name_)},
#include "cmd/settings.def"
#undef SETTING
};

enum { SETTING_COUNT = sizeof SETTINGS / sizeof SETTINGS[0] };

char *data_path(struct arena *a, const char *dir, const char *name)
{
	return arena_printf(a, "%s/%s", dir, name);
}

enum err file_read(struct arena *a, const char *path, size_t max_bytes, char **ret, char **detail)
{
	FILE *f = fopen(path, "re");
	if (f == NULL) {
		*detail = arena_printf(a, "%s: %s", path, strerror(errno));
		return errno == ENOENT ? ERR_NOT_FOUND : ERR_CONFIG;
	}
	char *p = malloc(max_bytes + 1);
	check(p != NULL);
	size_t n = fread(p, 1, max_bytes + 1, f);
	bool bad = ferror(f) != 0;
	fclose(f);
	if (!bad && n <= max_bytes)
		*ret = arena_strndup(a, p, n);
	free(p);
	if (bad || n > max_bytes) {
		*detail = arena_printf(a, "%s: %s", path, bad ? "cannot be read" : "is too large");
		return ERR_CONFIG;
	}
	return OK;
}

enum err file_write(const char *path, const char *text, unsigned mode, struct arena *a, char **detail)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	size_t n = strlen(text);
	bool ok = fd >= 0 && write(fd, text, n) == (ssize_t)n && fsync(fd) == 0;
	if (!ok)
		*detail = arena_printf(a, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok ? OK : ERR_IO;
}

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	size_t n = strlen(s);
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	return s;
}

static const struct setting *find(const char *name)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
		if (strcmp(SETTINGS[i].name, name) == 0)
			return &SETTINGS[i];
	return NULL;
}

static bool assign(struct settings *s, const struct setting *row, const char *value)
{
	char *at = (char *)s + row->offset, *end;
	if (row->type == SET_TEXT) {
		*(const char **)at = value;
		return true;
	}
	errno = 0;
	long v = strtol(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || v < row->least || v > row->most)
		return false;
	*(long *)at = v;
	return true;
}

static enum err assign_line(struct arena *a, struct settings *s, char *line, const char *path, int number, char **detail)
{
	char *equals = strchr(line, '=');
	if (equals == NULL) {
		*detail = arena_printf(a, "%s:%d: expected 'name = value'", path, number);
		return ERR_CONFIG;
	}
	*equals = '\0';
	char *name = trim(line), *value = trim(equals + 1);
	const struct setting *row = find(name);
	if (row == NULL) {
		*detail = arena_printf(a, "%s:%d: unknown setting '%s'", path, number, name);
		return ERR_CONFIG;
	}
	if (!assign(s, row, value)) {
		*detail = arena_printf(a, "%s:%d: %s must be a number from %ld to %ld", path, number, name, row->least, row->most);
		return ERR_CONFIG;
	}
	return OK;
}

enum err settings_parse(struct arena *a, char *text, const char *path, struct settings *ret, char **detail)
{
	for (size_t i = 0; i < SETTING_COUNT; i++)
		check(assign(ret, &SETTINGS[i], SETTINGS[i].fallback));
	int number = 0;
	for (char *line = text, *next; line != NULL; line = next) {
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		number++;
		line = trim(line);
		if (*line != '\0' && *line != '#')
			TRY(assign_line(a, ret, line, path, number, detail));
	}
	return OK;
}

enum err settings_load(struct arena *a, const char *dir, struct settings *ret, char **detail)
{
	char *text, *path = data_path(a, dir, "reeve.conf");
	enum err err = file_read(a, path, 64 * KIB, &text, detail);
	if (err == ERR_NOT_FOUND)
		*detail = arena_printf(a, "%s is no data directory of reeve (it has no reeve.conf); make one with 'reeve init'", dir);
	if (err != OK)
		return err == ERR_NOT_FOUND ? ERR_CONFIG : err;
	return settings_parse(a, text, path, ret, detail);
}

enum err settings_write(struct arena *a, const char *dir, const struct settings *s, char **detail)
{
	auto_buf b;
	buf_init(&b, 64 * KIB);
	buf_adds(&b, "# Settings of this Reeve data directory.  A line that starts with # is the default.\n");
	for (size_t i = 0; i < SETTING_COUNT; i++) {
		const struct setting *row = &SETTINGS[i];
		const char *value = row->type == SET_TEXT ? *(const char *const *)((const char *)s + row->offset) : NULL;
		bool given = value != NULL && *value != '\0';
		buf_printf(&b, "\n# %s\n%s%s = %s\n", row->help, given ? "" : "#", row->name, given ? value : row->fallback);
	}
	return file_write(data_path(a, dir, "reeve.conf"), b.data, 0600, a, detail);
}

bool listen_split(struct arena *a, const char *text, char **ret_host, unsigned *ret_port)
{
	const char *colon = strrchr(text, ':');
	char *end;
	if (colon == NULL || colon == text)
		return false;
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || end == colon + 1 || port > 65535)
		return false;
	size_t n = (size_t)(colon - text);
	if (text[0] == '[' && text[n - 1] == ']')
		*ret_host = arena_strndup(a, text + 1, n - 2);
	else
		*ret_host = arena_strndup(a, text, n);
	*ret_port = (unsigned)port;
	return true;
}

bool url_split(struct arena *a, const char *url, char **ret_host, unsigned *ret_port)
{
	static const char scheme[] = "https://";
	if (strncmp(url, scheme, sizeof scheme - 1) != 0)
		return false;
	char *rest = arena_strdup(a, url + sizeof scheme - 1);
	size_t n = strlen(rest);
	if (n > 0 && rest[n - 1] == '/')
		rest[--n] = '\0';
	if (n == 0 || strpbrk(rest, "/?# @") != NULL)
		return false;
	if (listen_split(a, rest, ret_host, ret_port))
		return *ret_port != 0;
	*ret_host = rest;
	*ret_port = 443;
	return strchr(rest, ':') == NULL;
}
