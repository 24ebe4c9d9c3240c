/* SPDX-License-Identifier: Apache-2.0
 * Settings of the data directory and the paths in it. */
#ifndef REEVE_CMD_SETTINGS_H
#define REEVE_CMD_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"

struct settings {
#define SETTING_TYPE_TEXT const char *
#define SETTING_TYPE_INT long
#define SETTING(name, type, fallback, least, most, help) SETTING_TYPE_##type name;
#include "cmd/settings.def"
#undef SETTING
};

/* Paths in a data directory, in the arena. */
char *data_path(struct arena *a, const char *dir, const char *name);

/* Reads DIR/reeve.conf.  *detail (in the arena) names file, line and reason. */
MUST_CHECK enum err settings_load(struct arena *a, const char *dir, struct settings *ret, char **detail);
/* The same of a text, which it changes and *ret points into; path is for *detail. */
MUST_CHECK enum err settings_parse(struct arena *a, char *text, const char *path, struct settings *ret, char **detail);
/* Writes DIR/reeve.conf (0600) with the given text settings and every other one as a comment with its default and help. */
MUST_CHECK enum err settings_write(struct arena *a, const char *dir, const struct settings *s, char **detail);

/* Small files of the data directory. */
MUST_CHECK enum err file_read(struct arena *a, const char *path, size_t max_bytes, char **ret, char **detail);
MUST_CHECK enum err file_write(const char *path, const char *text, unsigned mode, struct arena *a, char **detail); /* fsynced, must not exist */

/* "https://host:port" -> host, port.  False where it is no https URL with host and port (port defaults to 443). */
bool url_split(struct arena *a, const char *url, char **ret_host, unsigned *ret_port);
/* "address:port", "[v6]:port" */
bool listen_split(struct arena *a, const char *text, char **ret_host, unsigned *ret_port);

#endif
