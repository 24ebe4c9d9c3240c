/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of the API for subcommands.  Two ways in:
 *   --data DIR            by the local socket DIR/reeve.sock, signing in with DIR/credentials/administrator.json (or operator.json)
 *   --url U --ca F --token T   over TLS; also from REEVE_URL, REEVE_CA, REEVE_TOKEN
 * Where 'reeve login' signed a person in (login_file.h), both act as that person unless a token or credentials are given.
 * --credentials FILE signs in with another client id and secret ({"tenant","clientId","clientSecret"}).
 */
#ifndef REEVE_CMD_CLIENT_H
#define REEVE_CMD_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define CLIENT_OPTIONS_HELP                                                                                        \
	"\nWhere the server is:\n"                                                                                 \
	"  --data DIR          a data directory on this machine (by its local socket)\n"                         \
	"  --url URL --ca FILE --token TOKEN   over TLS; also REEVE_URL, REEVE_CA, REEVE_TOKEN\n"                \
	"  --credentials FILE  sign in with this client id and secret instead of DIR's administrator\n"          \
	"  (after 'reeve login' you act as yourself, and need no token)\n"                                       \
	"  --justification TEXT  why, where a second person has to approve it\n"                               \
	"  --json              print the server's answer as JSON\n"

struct client {
	const char *command;   /* for messages */
	struct arena *arena;
	const char *data, *url, *ca, *token, *credentials;
	const char *justification; /* sent with changes: approval by a second person */
	bool json, operator_;  /* operator_: sign in as the installation's operator */
	void *curl;
};

/* Takes the options above out of argv; *argc and argv then hold the rest.  Returns 0 or an exit code (message printed). */
int client_open(struct client *c, const char *command, bool as_operator, int *argc, char **argv);
/* The same for what needs no token: one that is given is used. */
int client_open_public(struct client *c, const char *command, const char *url, int *argc, char **argv);
/* The same options, and no token: for who signs in.  data and url may both be NULL. */
int client_open_bare(struct client *c, const char *command, int *argc, char **argv);
void client_close(struct client *c);

struct client_answer {
	long status;
	char *body; /* in the client's arena; terminated */
	size_t n;
	char *location, *approval; /* the headers Location and x-msft-approval-code, or NULL */
	json_t *json;   /* NULL where the body is none; the caller's to json_decref */
};

/* One request; path starts with '/' or is an absolute nextLink of the server.  body: JSON text or NULL.  Returns 0 on a 2xx status; otherwise
 * prints the server's message and returns the exit code for it. */
int client_call(struct client *c, const char *method, const char *path, const char *body, struct client_answer *ret);
/* POST of a form without a token; any status is an answer, and nothing is printed of it.  Returns 0, or an exit code where there was none. */
int client_form(struct client *c, const char *path, const char *form, struct client_answer *ret);
/* A file of the server's as it is, into `out` (cleared before), over the same connection; nothing is printed.  ERR_NO_SERVER, or ERR_LIMIT where
 * it does not fit, with *ret_detail in the arena; else OK, and *ret_status is what the server answered. */
enum err client_fetch(struct client *c, const char *path, struct buf *out, long *ret_status, const char **ret_detail);
/* The body into a file (0600), which appears whole or not at all, with a bar on a terminal. */
int client_download(struct client *c, const char *path, const char *file);

#endif
