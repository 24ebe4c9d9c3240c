/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/login_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/settings.h"
#include "crypto/newfile.h"

static const int64_t soon_s = 60;

static const char *config_dir(struct arena *a)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	if (config != NULL && *config == '/')
		return arena_printf(a, "%s/reeve", config);
	return home != NULL && *home == '/' ? arena_printf(a, "%s/.config/reeve", home) : NULL;
}

/* $XDG_CONFIG_HOME, or ~/.config, and our own directory in it. */
static void make_dirs(struct arena *a, const char *dir)
{
	const char *slash = strrchr(dir, '/');
	mkdir(arena_strndup(a, dir, (size_t)(slash - dir)), 0700);
	mkdir(dir, 0700);
}

static const char *directory(const struct client *c)
{
	return c->data == NULL ? config_dir(c->arena) : data_path(c->arena, c->data, "credentials");
}

static int find_path(struct client *c, struct login_file *f)
{
	const char *dir = directory(c);
	if (dir == NULL)
		return cmd_fail(c->command, ERR_CONFIG, "neither XDG_CONFIG_HOME nor HOME says where the login is kept");
	if (c->data == NULL)
		make_dirs(c->arena, dir);
	f->path = arena_printf(c->arena, "%s/login.json", dir);
	f->lock = open(arena_printf(c->arena, "%s/login.lock", dir), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (f->lock < 0 || flock(f->lock, LOCK_EX) != 0)
		return cmd_fail(c->command, err_from_errno(errno), "%s: %s", dir, strerror(errno));
	return 0;
}

int login_open(struct client *c, struct login_file *f)
{
	char *text, *detail;
	struct stat st;
	*f = (struct login_file){.lock = -1};
	int code = find_path(c, f);
	if (code != 0)
		return code;
	enum err e = file_read(c->arena, f->path, MIB, &text, &detail);
	if (e == ERR_NOT_FOUND) {
		f->all = json_object();
		return 0;
	}
	if (e != OK)
		return cmd_fail(c->command, e, "%s", detail);
	if (stat(f->path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return cmd_fail(c->command, ERR_CONFIG, "%s: others may read it; chmod 600", f->path);
	f->all = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(f->all) ? 0 : cmd_fail(c->command, ERR_CONFIG, "%s is not what 'reeve login' wrote; remove it", f->path);
}

void login_close(struct login_file *f)
{
	json_decref(f->all);
	if (f->lock >= 0)
		close(f->lock);
	*f = (struct login_file){.lock = -1};
}

static const char *server(const struct client *c)
{
	return c->data != NULL ? "local" : c->url;
}

json_t *login_entry(struct client *c, struct login_file *f)
{
	if (server(c) == NULL)
		c->url = arena_strdup(c->arena, json_string_value(json_object_get(f->all, "current")));
	if (server(c) == NULL)
		return NULL;
	json_t *entry = json_object_get(f->all, server(c));
	if (c->ca == NULL && c->data == NULL)
		c->ca = arena_strdup(c->arena, json_string_value(json_object_get(entry, "ca")));
	return json_is_object(entry) ? entry : NULL;
}

static int save(struct client *c, struct login_file *f)
{
	char *text = json_dumps(f->all, JSON_INDENT(2) | JSON_SORT_KEYS);
	if (text == NULL)
		return cmd_fail(c->command, ERR_INTERNAL, "no memory");
	enum err e = newfile_put(AT_FDCWD, f->path, text, strlen(text));
	free(text);
	return e == OK ? 0 : cmd_fail(c->command, e, "%s: %s", f->path, err_text(e));
}

int login_keep(struct client *c, struct login_file *f, const char *tenant, const json_t *answer)
{
	const char *access = json_string_value(json_object_get(answer, "access_token"));
	const char *refresh = json_string_value(json_object_get(answer, "refresh_token"));
	json_int_t ends = clock_now() / SECOND_US + json_integer_value(json_object_get(answer, "expires_in"));
	if (access == NULL || refresh == NULL)
		return cmd_fail(c->command, ERR_INTERNAL, "the server answered with no token");
	json_object_set_new(f->all, server(c),
			    json_pack("{s:s, s:s, s:s, s:I, s:s?}", "tenant", tenant, "accessToken", access, "refreshToken", refresh, "expiresAt", ends,
				      "ca", c->data == NULL ? c->ca : NULL));
	if (c->data == NULL)
		json_object_set_new(f->all, "current", json_string(c->url));
	return save(c, f);
}

int login_forget(struct client *c, struct login_file *f)
{
	const char *current = json_string_value(json_object_get(f->all, "current"));
	if (current != NULL && strcmp(current, server(c)) == 0)
		json_object_del(f->all, "current");
	json_object_del(f->all, server(c));
	return save(c, f);
}

/* ---- for every command ---- */

static int renew(struct client *c, struct login_file *f, const json_t *entry)
{
	struct client_answer a = {0};
	const char *tenant = arena_strdup(c->arena, json_string_value(json_object_get(entry, "tenant")));
	const char *refresh = json_string_value(json_object_get(entry, "refreshToken"));
	if (tenant == NULL || refresh == NULL)
		return cmd_fail(c->command, ERR_CONFIG, "%s is not what 'reeve login' wrote; remove it", f->path);
	int code = client_form(c, arena_printf(c->arena, "/%s/oauth2/v2.0/token", tenant),
			       arena_printf(c->arena, "grant_type=refresh_token&client_id=" LOGIN_CLIENT "&refresh_token=%s", refresh), &a);
	if (code == 0 && a.status == 200)
		code = login_keep(c, f, tenant, a.json);
	else if (code == 0 && a.status < 500)
		code = cmd_fail(c->command, ERR_UNAUTHENTICATED, "the login has ended: 'reeve login' again, or 'reeve logout'");
	else if (code == 0)
		code = cmd_fail(c->command, ERR_UNAVAILABLE, "the login could not be renewed (%ld)", a.status);
	json_decref(a.json);
	return code;
}

static int use(struct client *c, struct login_file *f, bool *ret_used)
{
	const json_t *entry = login_entry(c, f);
	if (entry == NULL)
		return 0;
	if (json_integer_value(json_object_get(entry, "expiresAt")) - soon_s < clock_now() / SECOND_US) {
		int code = renew(c, f, entry);
		if (code != 0)
			return code;
		entry = login_entry(c, f);
	}
	c->token = arena_strdup(c->arena, json_string_value(json_object_get(entry, "accessToken")));
	*ret_used = c->token != NULL;
	return 0;
}

int login_use(struct client *c, bool *ret_used)
{
	struct login_file f;
	const char *dir = directory(c);
	*ret_used = false;
	if (dir == NULL || access(arena_printf(c->arena, "%s/login.json", dir), F_OK) != 0)
		return 0;
	int code = login_open(c, &f);
	if (code == 0)
		code = use(c, &f, ret_used);
	login_close(&f);
	return code;
}
