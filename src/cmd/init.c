/* SPDX-License-Identifier: Apache-2.0
 *
 * reeve init: makes a data directory.  All or nothing: what it made is removed again where a later step fails (but for a PostgreSQL
 * database, which it names).
 *
 *   DIR/reeve.conf        settings                      DIR/keeper/     keys, heads, ledger (keeper.h)
 *   DIR/reeve.db          embedded database             DIR/secrets/    database connection strings (0600)
 *   DIR/tls/              ca.pem, server.pem, server.key  DIR/credentials/ client ids and secrets of operator and administrator (0600)
 *   DIR/exports/          finished exports, encrypted   DIR/reeve.sock  local socket while the server runs
 */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/settings.h"
#include "cmd/tls.h"
#include "codec/json.h"
#include "db/db.h"
#include "directory/installation.h"
#include "keeper/keeper.h"

int cmd_init(int argc, char **argv);

static const char HELP[] =
	"usage: reeve init --data DIR --url https://HOST:PORT [options]\n\n"
	"Makes a data directory: keys, certificate authority, server certificate, database, first tenant and first administrator.\n\n"
	"  --data DIR          the directory to make (must not exist or be empty)\n"
	"  --url URL           where people and programs reach the server\n"
	"  --device-url URL    where devices reach it (default: the same host, next port)\n"
	"  --database URL      sqlite:PATH (default: DIR/reeve.db) or postgresql://… of a role that may create roles\n"
	"  --organisation NAME display name of the first tenant (default: \"My organisation\")\n"
	"  --json              print the result as JSON (with an administrator's token: keep it safe)\n";

struct init_options {
	const char *data, *url, *device_url, *database, *organisation;
	bool json;
};

struct init_state {
	const struct init_options *o;
	struct arena *arena;
	struct scope s;
	struct settings settings;
	struct installation inst;
	char *host, *detail;
	unsigned port;
	bool made_dir;
};

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return ftw->level > 0 ? remove(path) : 0;
}

static void clean_up(struct init_state *st)
{
	nftw(st->o->data, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (st->made_dir)
		rmdir(st->o->data);
}

static enum err make_dir(struct init_state *st, const char *path)
{
	if (mkdir(path, 0700) == 0)
		return OK;
	st->detail = arena_printf(st->arena, "%s: %s", path, strerror(errno));
	return ERR_IO;
}

static int count_entries(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
	return ftw->level > 0;
}

static enum err make_directories(struct init_state *st)
{
	static const char *const below[] = {"tls", "secrets", "credentials", "exports"};
	st->made_dir = mkdir(st->o->data, 0700) == 0;
	if (!st->made_dir && (errno != EEXIST || chmod(st->o->data, 0700) != 0)) {
		st->detail = arena_printf(st->arena, "%s: %s", st->o->data, strerror(errno));
		return ERR_IO;
	}
	for (size_t i = 0; i < sizeof below / sizeof below[0]; i++)
		TRY(make_dir(st, data_path(st->arena, st->o->data, below[i])));
	return OK;
}

static enum err make_keeper(struct init_state *st)
{
	char *detail = NULL;
	const char *dir = data_path(st->arena, st->o->data, "keeper");
	enum err err = keeper_create(dir, arena_printf(st->arena, "Reeve CA %s", st->host), st->s.now, &detail);
	if (err == OK)
		err = keeper_open(dir, &st->s.keeper, &detail);
	if (err != OK)
		st->detail = arena_strdup(st->arena, detail);
	free(detail);
	return err;
}

static enum err make_certificate(struct init_state *st)
{
	bool made;
	return tls_refresh(&st->s, st->o->data, st->host, st->settings.device_url, &made, &st->detail);
}

/* The database, its roles and its schema; connection strings that hold a password stay out of reeve.conf. */
static enum err make_database(struct init_state *st)
{
	char *app = NULL, *owner = NULL, *detail = NULL;
	const char *url = st->o->database;
	char *full = realpath(st->o->data, NULL);
	if (url == NULL)
		url = arena_printf(st->arena, "sqlite:%s/reeve.db", full != NULL ? full : st->o->data);
	free(full);
	enum err err = db_init(url, &app, &owner, &detail);
	if (err == OK && strncmp(url, "sqlite:", 7) != 0) {
		err = file_write(data_path(st->arena, st->o->data, "secrets/database"), app, 0600, st->arena, &st->detail);
		if (err == OK)
			err = file_write(data_path(st->arena, st->o->data, "secrets/database-owner"), owner, 0600, st->arena, &st->detail);
		st->settings.database = "file:secrets/database";
	} else if (err == OK) {
		st->settings.database = url;
	} else {
		st->detail = arena_strdup(st->arena, detail);
	}
	if (err == OK)
		err = db_open(&(struct db_options){.url = app, .owner_url = owner, .readers = 1}, &st->s.db, &detail);
	if (err != OK && st->detail == NULL)
		st->detail = arena_strdup(st->arena, detail);
	free(app);
	free(owner);
	free(detail);
	return err;
}

static enum err write_credentials(struct init_state *st, const char *file, struct id tenant, const struct application_secret *secret)
{
	char t[ID_TEXT], app[ID_TEXT];
	char *text = arena_printf(st->arena, "{\"tenant\":\"%s\",\"clientId\":\"%s\",\"clientSecret\":\"%s\"}\n", id_format(tenant, t),
				  id_format(secret->application, app), secret->text);
	return file_write(data_path(st->arena, st->o->data, file), text, 0600, st->arena, &st->detail);
}

static enum err make_installation(struct init_state *st)
{
	static const struct id nil;
	TRY(installation_init(&st->s, st->o->organisation, &st->inst));
	TRY(write_credentials(st, "credentials/operator.json", nil, &st->inst.operator_secret));
	TRY(write_credentials(st, "credentials/administrator.json", st->inst.tenant, &st->inst.administrator_secret));
	return settings_write(st->arena, st->o->data, &st->settings, &st->detail);
}

static void print_result(struct init_state *st)
{
	char tenant[ID_TEXT], *full = realpath(data_path(st->arena, st->o->data, "tls/ca.pem"), NULL);
	auto_buf b;
	struct json_writer w;
	buf_init(&b, 64 * KIB);
	jw_init(&w, &b);
	jw_object(&w);
	jw_kid(&w, "tenant", st->inst.tenant);
	jw_kstring(&w, "url", st->settings.url);
	jw_kstring(&w, "deviceUrl", st->settings.device_url);
	jw_kstring(&w, "caFile", full);
	jw_kstring(&w, "token", keeper_token_issue(st->s.keeper, st->arena, st->settings.url, &st->inst.administrator_claims));
	jw_kstring(&w, "operatorToken", keeper_token_issue(st->s.keeper, st->arena, st->settings.url, &st->inst.operator_claims));
	jw_end_object(&w);
	if (st->o->json)
		printf("%s\n", b.data);
	else
		printf("Made %s.\n  tenant   %s (%s)\n  API      %s\n  devices  %s\n  CA       %s\n"
		       "Start it: reeve serve --data %s\n"
		       "Then, for a person to sign in at %s/signin:\n"
		       "  reeve account create YOU@YOUR-DOMAIN --role Administrator --data %s\n", st->o->data,
		       id_format(st->inst.tenant, tenant), st->o->organisation, st->settings.url, st->settings.device_url, full,
		       st->o->data, st->settings.url, st->o->data);
	free(full);
}

static enum err run(struct init_state *st)
{
	TRY(make_directories(st));
	TRY(make_keeper(st));
	TRY(make_certificate(st));
	TRY(make_database(st));
	TRY(make_installation(st));
	print_result(st);
	return OK;
}

/* The device listener's default: the same host, the next port. */
static bool derive_urls(struct init_state *st)
{
	unsigned port;
	char *host;
	if (!url_split(st->arena, st->o->url, &st->host, &st->port))
		return false;
	size_t n = strlen(st->o->url);
	st->settings.url = arena_strndup(st->arena, st->o->url, st->o->url[n - 1] == '/' ? n - 1 : n);
	bool v6 = strchr(st->host, ':') != NULL;
	st->settings.device_url = st->o->device_url != NULL
					  ? st->o->device_url
					  : arena_printf(st->arena, v6 ? "https://[%s]:%u" : "https://%s:%u", st->host, st->port + 1);
	return url_split(st->arena, st->settings.device_url, &host, &port) && port <= 65535;
}

static bool parse(int argc, char **argv, struct init_options *o)
{
	static const struct option options[] = {
		{"data", required_argument, NULL, 'd'},     {"url", required_argument, NULL, 'u'},
		{"device-url", required_argument, NULL, 'v'}, {"database", required_argument, NULL, 'b'},
		{"organisation", required_argument, NULL, 'o'}, {"json", no_argument, NULL, 'j'}, {0},
	};
	int c;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'd': o->data = optarg; break;
		case 'u': o->url = optarg; break;
		case 'v': o->device_url = optarg; break;
		case 'b': o->database = optarg; break;
		case 'o': o->organisation = optarg; break;
		case 'j': o->json = true; break;
		default: return false;
		}
	return optind == argc && o->data != NULL && o->url != NULL && *o->data != '\0';
}

int cmd_init(int argc, char **argv)
{
	struct init_options o = {.organisation = "My organisation"};
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	if (!parse(argc, argv, &o))
		return cmd_fail("init", ERR_USAGE, "--data DIR and --url https://HOST:PORT are needed; see 'reeve init --help'");
	struct init_state st = {.o = &o, .arena = arena_new(LIMIT_ARENA_BYTES)};
	scope_system(&st.s, st.arena, NULL, NULL);
	int code = 0;
	if (nftw(o.data, count_entries, 4, FTW_PHYS) == 1) {
		code = cmd_fail("init", ERR_EXISTS, "%s is not empty", o.data);
	} else if (!derive_urls(&st)) {
		code = cmd_fail("init", ERR_USAGE, "the URLs must look like https://HOST:PORT");
	} else {
		umask(077);
		enum err err = run(&st);
		if (err != OK) {
			code = cmd_fail("init", err, "%s", st.detail != NULL ? st.detail : scope_detail(&st.s, err));
			db_close(st.s.db);
			st.s.db = NULL;
			clean_up(&st);
		}
	}
	db_close(st.s.db);
	keeper_close(st.s.keeper);
	arena_free(st.arena);
	return code;
}
