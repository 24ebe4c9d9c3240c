/* SPDX-License-Identifier: Apache-2.0
 * reeve account: its verbs, and the two that ask for a password, which is read from the terminal or from standard input and never from the command
 * line. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/verbs.h"
#include "codec/odata.h"
#include "crypto/digest.h"
#include "crypto/password.h"

int cmd_account(int argc, char **argv);

static const char MORE_HELP[] =
	"  create        UPN [--role NAME] [--name \"DISPLAY NAME\"] [--must-change]: a local account, of a new person where there is none of this name\n"
	"  password      UPN [--must-change]: a new password; ends all sessions and unlocks\n"
	"                Both ask for the password on the terminal, or read one line from standard input.\n";

/* ---- the password ---- */

/* One line without its end; false: none, or too long. */
static bool read_line(char *out, size_t room)
{
	size_t n = 0;
	char c;
	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n') { /* not by stdio, whose buffer would keep it */
		if (n + 1 >= room)
			return false;
		out[n++] = c;
	}
	if (n > 0 && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
	return n > 0;
}

static bool ask(const char *prompt, char *out, size_t room)
{
	struct termios was, quiet;
	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &was) != 0)
		return read_line(out, room);
	fprintf(stderr, "%s: ", prompt);
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	bool good = read_line(out, room);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	return good;
}

static int read_password(const char *command, char out[PASSWORD_BYTES_MAX + 2])
{
	char again[PASSWORD_BYTES_MAX + 2];
	if (!ask("Password", out, PASSWORD_BYTES_MAX + 2))
		return cmd_fail(command, ERR_USAGE, "no password was given, or it is too long");
	if (!isatty(STDIN_FILENO))
		return 0;
	bool same = ask("The same once more", again, sizeof again) && strcmp(out, again) == 0;
	wipe(again, sizeof again);
	return same ? 0 : cmd_fail(command, ERR_USAGE, "the two are not the same");
}

/* ---- what is asked of the server ---- */

struct wish {
	const char *upn, *role, *name;
	bool must_change;
};

static int put_password(struct client *c, const char *user, const struct wish *w)
{
	struct client_answer a = {0};
	char password[PASSWORD_BYTES_MAX + 2];
	int code = read_password(c->command, password);
	if (code != 0)
		return code;
	json_t *body = json_pack("{s:s, s:b}", "password", password, "mustChangePassword", (int)w->must_change);
	wipe(password, sizeof password);
	if (body == NULL)
		return cmd_fail(c->command, ERR_USAGE, "the password is no text in UTF-8");
	char *text = json_dumps(body, JSON_COMPACT);
	code = client_call(c, "PUT", arena_printf(c->arena, "/v1.0/users/%s/localAccount", user), text, &a);
	wipe(text, strlen(text));
	free(text);
	json_decref(body);
	json_decref(a.json);
	return code;
}

/* The first of a list whose member has this value; *ret NULL: none. */
static int find(struct client *c, const char *path, const char *member, const char *value, const char **ret)
{
	struct client_answer a = {0};
	json_t *row;
	size_t i;
	*ret = NULL;
	int code = client_call(c, "GET", path, NULL, &a);
	json_array_foreach(json_object_get(a.json, "value"), i, row) {
		const char *text = json_string_value(json_object_get(row, member)), *id = json_string_value(json_object_get(row, "id"));
		if (*ret == NULL && text != NULL && id != NULL && strcasecmp(text, value) == 0)
			*ret = arena_strdup(c->arena, id);
	}
	json_decref(a.json);
	return code;
}

static int post(struct client *c, const char *path, json_t *body, const char **ret_id)
{
	struct client_answer a = {0};
	if (body == NULL)
		return cmd_fail(c->command, ERR_USAGE, "an argument is no text in UTF-8");
	char *text = json_dumps(body, JSON_COMPACT);
	int code = client_call(c, "POST", path, text, &a);
	const char *id = json_string_value(json_object_get(a.json, "id"));
	if (ret_id != NULL)
		*ret_id = id != NULL ? arena_strdup(c->arena, id) : NULL;
	free(text);
	json_decref(body);
	json_decref(a.json);
	return code;
}

static const char *local_part(struct client *c, const char *upn)
{
	return arena_strndup(c->arena, upn, strcspn(upn, "@"));
}

static const char *filtered(struct client *c, const char *list, const char *property, const char *value)
{
	return arena_printf(c->arena, "%s?$filter=%s", list, url_encode(c->arena, arena_printf(c->arena, "%s eq '%s'", property, value)));
}

/* A person who has a password keeps it: another one is what 'account password' is for. */
static int has_no_account(struct client *c, const char *user, const char *upn)
{
	const char *account;
	int code = find(c, filtered(c, "/v1.0/identity/localAccounts", "id", user), "id", user, &account);
	if (code != 0 || account == NULL)
		return code;
	return cmd_fail(c->command, ERR_CONFLICT, "%s has a local account already; a new password: 'reeve account password', a role: 'reeve role assign'", upn);
}

static int find_or_make(struct client *c, const struct wish *w, const char **ret)
{
	if (strchr(w->upn, '\'') != NULL)
		return cmd_fail(c->command, ERR_USAGE, "a user name with an apostrophe: make the user with 'reeve user create' and use 'account password'");
	int code = find(c, filtered(c, "/v1.0/users", "userPrincipalName", w->upn), "userPrincipalName", w->upn, ret);
	if (code != 0)
		return code;
	if (*ret != NULL)
		return has_no_account(c, *ret, w->upn);
	const char *name = w->name != NULL ? w->name : local_part(c, w->upn);
	return post(c, "/v1.0/users", json_pack("{s:s, s:s, s:s, s:b}", "userPrincipalName", w->upn, "displayName", name, "mailNickname",
						local_part(c, w->upn), "accountEnabled", 1), ret);
}

static int find_role(struct client *c, const char *name, const char **ret)
{
	int code = find(c, "/v1.0/roleManagement/directory/roleDefinitions", "displayName", name, ret);
	if (code == 0 && *ret == NULL)
		code = cmd_fail(c->command, ERR_NOT_FOUND, "there is no role '%s'; see 'reeve role list'", name);
	return code;
}

static int give_role(struct client *c, const char *user, const char *role)
{
	return post(c, "/v1.0/roleManagement/directory/roleAssignments", json_pack("{s:s, s:s, s:s}", "principalId", user, "roleDefinitionId", role,
										    "directoryScopeId", "/"), NULL);
}

/* Role and account are looked at before anybody is made.  A password that is refused leaves a person without an account: the same call again
 * goes on.  The role is given last: without an account there is none. */
static int create(struct client *c, const struct wish *w)
{
	const char *user, *role = NULL;
	if (c->url != NULL)
		return cmd_fail(c->command, ERR_FORBIDDEN, "this is done on the server's machine alone: with --data DIR");
	int code = w->role == NULL ? 0 : find_role(c, w->role, &role);
	if (code == 0)
		code = find_or_make(c, w, &user);
	if (code == 0)
		code = put_password(c, user, w);
	if (code == 0 && role != NULL)
		code = give_role(c, user, role);
	if (code == 0)
		printf("%s can sign in.\n", w->upn);
	return code;
}

static int change(struct client *c, const struct wish *w)
{
	int code = put_password(c, url_encode(c->arena, w->upn), w);
	if (code == 0)
		printf("%s has a new password; their sessions are ended.\n", w->upn);
	return code;
}

static int run(int argc, char **argv, const char *command, bool creates)
{
	struct client c;
	struct wish w = {.role = option_take(&argc, argv, "--role"), .name = option_take(&argc, argv, "--name"),
			 .must_change = option_take_flag(&argc, argv, "--must-change")};
	int code = client_open(&c, command, false, &argc, argv);
	if (code != 0)
		return code;
	w.upn = argc == 3 ? argv[2] : NULL;
	if (argc > 2 && strncmp(argv[argc - 1], "--", 2) == 0)
		code = cmd_fail(command, ERR_USAGE, "unknown option '%s'; see 'reeve account --help'", argv[argc - 1]);
	else if (argc > 3)
		code = cmd_fail(command, ERR_USAGE, "unknown argument '%s'; see 'reeve account --help'", argv[3]);
	else if (w.upn == NULL || (!creates && (w.role != NULL || w.name != NULL)))
		code = cmd_fail(command, ERR_USAGE, "a user name is needed; see 'reeve account --help'");
	else
		code = creates ? create(&c, &w) : change(&c, &w);
	client_close(&c);
	return code;
}

int cmd_account(int argc, char **argv)
{
	bool help = argc < 2 || strcmp(argv[argc - 1], "--help") == 0;
	if (!help && strcmp(argv[1], "create") == 0)
		return run(argc, argv, "account create", true);
	if (!help && strcmp(argv[1], "password") == 0)
		return run(argc, argv, "account password", false);
	return verbs_run(argc, argv, false, MORE_HELP);
}
