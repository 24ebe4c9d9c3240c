/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading the configuration: "key = value" lines, "#" comments; what is not known stops the agent rather than being
 * guessed.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"

static char *trim(char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	size_t n = strlen(p);
	while (n > 0 && isspace((unsigned char)p[n - 1]))
		p[--n] = '\0';
	return p;
}

static bool set(struct config *c, const char *key, const char *value)
{
	static const char *const methods[] = {[WIPE_OFF] = "off", [WIPE_REINSTALL] = "reinstall", [WIPE_LUKS] = "luks"};
	if (strcmp(key, "wipeCommand") == 0) {
		c->wipe_command = value;
		return value[0] == '/';
	}
	for (int m = WIPE_OFF; strcmp(key, "wipe") == 0 && m <= WIPE_LUKS; m++)
		if (strcmp(value, methods[m]) == 0) {
			c->wipe = (enum wipe_method)m;
			return true;
		}
	return false;
}

enum err config_parse(struct scope *s, const char *text, struct config *ret)
{
	*ret = (struct config){0};
	char *copy = arena_strdup(s->arena, text), *line;
	for (int n = 1; (line = strsep(&copy, "\n")) != NULL; n++) {
		line = trim(line);
		if (*line == '\0' || *line == '#')
			continue;
		char *value = strchr(line, '=');
		if (value == NULL)
			return scope_fail(s, ERR_CONFIG, "line %d of the configuration is not key = value", n);
		*value++ = '\0';
		if (!set(ret, trim(line), trim(value)))
			return scope_fail(s, ERR_CONFIG,
					  "line %d of the configuration: %.64s cannot be that, or is not known", n,
					  trim(line));
	}
	return OK;
}

/* Whoever may write it could have the machine wiped. */
static enum err trusted(struct agent *a, int fd, const char *name)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return scope_fail(a->scope, ERR_CONFIG, "%s is not a regular file", name);
	if ((st.st_mode & 022) != 0 || (st.st_uid != 0 && st.st_uid != geteuid()))
		return scope_fail(a->scope, ERR_CONFIG, "%s may be written by others than its owner", name);
	return OK;
}

enum err config_load(struct agent *a, struct config *ret)
{
	const char *name = a->config_path != NULL ? a->config_path : "/" AGENT_CONFIG_REL;
	auto_fd fd = a->config_path != NULL ? open(a->config_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
					    : fs_open(a->root_fd, AGENT_CONFIG_REL, O_RDONLY | O_NONBLOCK);
	*ret = (struct config){0};
	if (fd < 0 && errno == ENOENT && a->config_path == NULL)
		return OK;
	if (fd < 0)
		return scope_fail(a->scope, ERR_CONFIG, "cannot read %s: %s", name, strerror(errno));
	TRY(trusted(a, fd, name));
	auto_buf text;
	buf_init(&text, 65536);
	if (fs_read_fd(fd, &text) != 0)
		return scope_fail(a->scope, ERR_CONFIG, "cannot read %s: %s", name, strerror(errno));
	return config_parse(a->scope, text.len > 0 ? text.data : "", ret);
}
