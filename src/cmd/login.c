/* SPDX-License-Identifier: Apache-2.0
 *
 * reeve login, reeve logout: a person on the command line, by a code that they enter in a browser (RFC 8628).  What they may do is what their roles
 * allow, and the audit log names them.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/login_file.h"
#include "cmd/settings.h"

int cmd_login(int argc, char **argv);
int cmd_logout(int argc, char **argv);

static const char HELP[] =
	"usage: reeve login [--url URL [--ca FILE]] --tenant TENANT\n"
	"       reeve login --data DIR [--tenant TENANT]\n\n"
	"Signs you in by your browser: shows an address and a code, and waits until you have entered it there.  From then on the subcommands act as you,\n"
	"with what your roles allow, until 'reeve logout' or until the session ends (page of your account).  What is kept is in DIR/credentials/login.json\n"
	"or ~/.config/reeve/login.json, readable by you alone.\n";
static const char OUT_HELP[] = "usage: reeve logout [--url URL | --data DIR]\n\nEnds the session that 'reeve login' began, and forgets it.\n";

/* DIR's own tenant, where none is named. */
static const char *own_tenant(struct client *c)
{
	char *text, *detail;
	if (c->data == NULL || file_read(c->arena, data_path(c->arena, c->data, "credentials/administrator.json"), 64 * KIB, &text, &detail) != OK)
		return NULL;
	json_t *j = json_loads(text, 0, NULL);
	const char *tenant = arena_strdup(c->arena, json_string_value(json_object_get(j, "tenant")));
	json_decref(j);
	return tenant;
}

struct waiting {
	const char *tenant, *device_code;
	int64_t interval, ends_at; /* seconds; of the monotonic clock */
};

static int begin(struct client *c, const char *tenant, struct waiting *w)
{
	struct client_answer a = {0};
	int code = client_form(c, arena_printf(c->arena, "/%s/oauth2/v2.0/devicecode", tenant), "client_id=" LOGIN_CLIENT "&scope=offline_access", &a);
	const char *device = json_string_value(json_object_get(a.json, "device_code")), *user = json_string_value(json_object_get(a.json, "user_code"));
	const char *uri = json_string_value(json_object_get(a.json, "verification_uri"));
	const char *why = json_string_value(json_object_get(a.json, "error_description"));
	if (code == 0 && (a.status != 200 || device == NULL || user == NULL || uri == NULL))
		code = cmd_fail(c->command, ERR_UNAUTHENTICATED, "%s (%ld)", why != NULL ? why : "the server gave no code", a.status);
	if (code == 0) {
		*w = (struct waiting){.tenant = tenant, .device_code = arena_strdup(c->arena, device),
				      .interval = json_integer_value(json_object_get(a.json, "interval")),
				      .ends_at = clock_monotonic() / SECOND_US + json_integer_value(json_object_get(a.json, "expires_in"))};
		fprintf(stderr, "Open  %s\nEnter %s\n", uri, user);
	}
	json_decref(a.json);
	return code;
}

static int sleep_for(int64_t seconds)
{
	struct timespec t = {.tv_sec = seconds > 0 ? seconds : 5};
	return nanosleep(&t, NULL);
}

/* *ret: what the server answered at last, the caller's; NULL: not yet. */
static int poll(struct client *c, struct waiting *w, json_t **ret)
{
	struct client_answer a = {0};
	int code = client_form(c, arena_printf(c->arena, "/%s/oauth2/v2.0/token", w->tenant),
			       arena_printf(c->arena, "grant_type=urn:ietf:params:oauth:grant-type:device_code&client_id=" LOGIN_CLIENT "&device_code=%s",
					    w->device_code), &a);
	const char *error = json_string_value(json_object_get(a.json, "error"));
	if (code == 0 && a.status == 200) {
		*ret = a.json;
		return 0;
	}
	bool slow = error != NULL && strcmp(error, "slow_down") == 0, pending = error != NULL && strcmp(error, "authorization_pending") == 0;
	if (slow)
		w->interval += 5;
	else if (code == 0 && !pending)
		code = cmd_fail(c->command, ERR_UNAUTHENTICATED, "%s", error != NULL && strcmp(error, "access_denied") == 0 ? "it was denied"
									: error != NULL && strcmp(error, "expired_token") == 0 ? "the code has expired"
									: "the server refused");
	json_decref(a.json);
	return code;
}

static int wait_for(struct client *c, struct waiting *w, json_t **ret)
{
	int code = 0;
	while (code == 0 && *ret == NULL) {
		if (clock_monotonic() / SECOND_US > w->ends_at)
			return cmd_fail(c->command, ERR_UNAUTHENTICATED, "the code has expired");
		if (sleep_for(w->interval) != 0)
			return cmd_fail(c->command, ERR_UNAUTHENTICATED, "interrupted");
		code = poll(c, w, ret);
	}
	return code;
}

static int login(struct client *c, const char *tenant)
{
	struct waiting w;
	struct login_file f;
	json_t *answer = NULL;
	int code = begin(c, tenant, &w);
	if (code == 0)
		code = wait_for(c, &w, &answer);
	if (code == 0) {
		code = login_open(c, &f);
		if (code == 0)
			code = login_keep(c, &f, tenant, answer);
		login_close(&f);
	}
	if (code == 0)
		fprintf(stderr, "You are signed in.\n");
	json_decref(answer);
	return code;
}

int cmd_login(int argc, char **argv)
{
	struct client c;
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	const char *tenant = option_take(&argc, argv, "--tenant");
	int code = client_open_bare(&c, "login", &argc, argv);
	if (code != 0)
		return code;
	if (tenant == NULL)
		tenant = own_tenant(&c);
	if (argc > 1)
		code = cmd_fail("login", ERR_USAGE, "unknown argument '%s'", argv[1]);
	else if (c.data == NULL && c.url == NULL)
		code = cmd_fail("login", ERR_USAGE, "say where the server is: --url URL or --data DIR");
	else if (tenant == NULL)
		code = cmd_fail("login", ERR_USAGE, "say in which tenant: --tenant ID");
	else
		code = login(&c, tenant);
	client_close(&c);
	return code;
}

/* What cannot be told to the server is forgotten all the same. */
static int logout(struct client *c, struct login_file *f)
{
	struct client_answer a = {0};
	const json_t *entry = login_entry(c, f);
	if (entry == NULL)
		return cmd_fail(c->command, ERR_NOT_FOUND, "nobody is logged in there");
	const char *tenant = json_string_value(json_object_get(entry, "tenant")), *refresh = json_string_value(json_object_get(entry, "refreshToken"));
	int told = tenant == NULL || refresh == NULL
			   ? 0
			   : client_form(c, arena_printf(c->arena, "/%s/oauth2/v2.0/revoke", tenant),
					 arena_printf(c->arena, "client_id=" LOGIN_CLIENT "&token=%s", refresh), &a);
	json_decref(a.json);
	int code = login_forget(c, f);
	return code != 0 ? code : told;
}

int cmd_logout(int argc, char **argv)
{
	struct client c;
	struct login_file f = {.lock = -1};
	if (cmd_wants_help(argc, argv, OUT_HELP))
		return 0;
	int code = client_open_bare(&c, "logout", &argc, argv);
	if (code != 0)
		return code;
	if (argc > 1)
		code = cmd_fail("logout", ERR_USAGE, "unknown argument '%s'", argv[1]);
	else if ((code = login_open(&c, &f)) == 0)
		code = logout(&c, &f);
	login_close(&f);
	client_close(&c);
	return code;
}
