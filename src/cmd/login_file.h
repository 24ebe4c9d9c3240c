/* SPDX-License-Identifier: Apache-2.0
 *
 * What `reeve login` keeps: for each server the refresh token of a session, an access token and until when it is good; one JSON object, which only
 * its owner reads (0600): DIR/credentials/login.json with --data, else $XDG_CONFIG_HOME/reeve/login.json (~/.config).  Refresh tokens are good once, so a
 * lock is held from reading one to writing the next.
 */
#ifndef REEVE_CMD_LOGIN_FILE_H
#define REEVE_CMD_LOGIN_FILE_H

#include "cmd/client.h"

#define LOGIN_CLIENT "reeve" /* directory/sign_in/public_client.def */

struct login_file {
	const char *path;
	json_t *all;  /* server -> login; "current" names the last one */
	int lock;
};
/* Opens it for this client's data directory or the user, and locks it.  Returns 0 or an exit code (message printed). */
int login_open(struct client *c, struct login_file *f);
void login_close(struct login_file *f);

/* The entry of the client's server; with neither --data nor --url that of the last login, whose URL and CA the client then has.  NULL: there is none. */
json_t *login_entry(struct client *c, struct login_file *f);
/* What the token endpoint answered, into the file: access_token, expires_in, refresh_token. */
int login_keep(struct client *c, struct login_file *f, const char *tenant, const json_t *answer);
int login_forget(struct client *c, struct login_file *f);

/* For client_open(): the client gets the person's token, renewed where it ends soon.  *ret_used false: nobody is logged in there. */
int login_use(struct client *c, bool *ret_used);

#endif
