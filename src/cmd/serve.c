/* SPDX-License-Identifier: Apache-2.0
 *
 * reeve serve: opens the keeper and the database, compares the data map with the live schema, listens, runs the jobs, and waits for
 * signals.  SIGTERM and SIGINT drain: no new connection, requests under way finish, the log is signed, exit 0.  SIGHUP reads the
 * server certificate again.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "api/metrics.h"
#include "api/sign_in/issuer.h"
#include "api/cors.h"
#include "api/throttle.h"
#include "audit/audit_retention.h"
#include "audit/log/log.h"
#include "backup/backup.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "cmd/cmd.h"
#include "cmd/replay.h"
#include "cmd/settings.h"
#include "cmd/tls.h"
#include "db/db.h"
#include "directory/access/role.h"
#include "directory/approval/policy.h"
#include "directory/tenant_settings.h"
#include "duty/clock_guard.h"
#include "http/http.h"
#include "http/reach.h"
#include "jobs/jobs.h"
#include "jobs/mail.h"
#include "keeper/process.h"
#include "map/datamap.h"
#include "tlog/policy.h"

int cmd_serve(int argc, char **argv);

static const char HELP[] =
	"usage: reeve serve --data DIR\n\n"
	"Serves a data directory made by 'reeve init'.  SIGTERM stops it cleanly, SIGHUP reads its certificate again.\n";

struct serve {
	const char *dir;
	struct arena *arena;
	struct settings settings;
	struct server srv;
	struct metrics metrics;
	struct backups backups;
	struct policy policy;
	struct http_workers *workers;
	struct http_server *api, *device, *local;
	struct jobs *jobs;
	char *detail;
};

/* A detail of a lower layer (malloc'd) into ours.  By its address: the call that sets it stands among the arguments. */
static enum err taken(struct serve *v, enum err err, char **detail)
{
	if (err != OK && *detail != NULL)
		v->detail = arena_strdup(v->arena, *detail);
	free(*detail);
	*detail = NULL;
	return err;
}

static enum err open_clock(struct serve *v)
{
	char *detail = NULL;
	return taken(v, clock_guard_open(v->dir, &v->srv.clock, &detail), &detail);
}

static enum err open_keeper(struct serve *v)
{
	char *detail = NULL;
	const struct keeper_options o = {.copy = v->settings.keeper_copy, .backups = *v->settings.backup_dir != '\0',
					 .backup_days = (int)v->settings.backup_days};
	enum err err = keeper_start(data_path(v->arena, v->dir, "keeper"), &o, &v->srv.keeper, &detail);
	const char *cut = err == OK ? keeper_cut(v->srv.keeper) : NULL;
	if (cut != NULL)
		log_event(LOG_WARN, "keeper_cut", "%s", cut); /* what a crash had left unfinished */
	return taken(v, err, &detail);
}

/* The second place may be away: that is loud, and deletions wait. */
static enum err open_backups(struct serve *v)
{
	struct scope s;
	scope_system(&s, v->arena, NULL, v->srv.keeper);
	if (keeper_copy_state(v->srv.keeper, &s) != OK)
		log_event(LOG_ERROR, "keeper_copy_away", "detail=\"%s\"", s.detail);
	s.detail = NULL;
	enum err err = backups_init(&s, &v->backups, v->settings.backup_dir, v->dir, v->settings.backup_hours * HOUR_US);
	if (err != OK)
		v->detail = arena_printf(v->arena, "%s/reeve.conf: %s", v->dir, scope_detail(&s, err));
	v->srv.backups = &v->backups;
	return err;
}

/* "file:NAME" in reeve.conf: the connection string stands in a file of its own that only the owner reads. */
static enum err database_url(struct serve *v, const char *setting, char **ret)
{
	if (strncmp(setting, "file:", 5) != 0) {
		*ret = arena_strdup(v->arena, setting);
		return OK;
	}
	return file_read(v->arena, data_path(v->arena, v->dir, setting + 5), 64 * KIB, ret, &v->detail);
}

static enum err open_database(struct serve *v)
{
	char *url, *owner = NULL, *detail = NULL, *ignored;
	if (*v->settings.database == '\0') {
		v->detail = arena_printf(v->arena, "%s/reeve.conf: 'database' is not set", v->dir);
		return ERR_CONFIG;
	}
	TRY(database_url(v, v->settings.database, &url));
	if (file_read(v->arena, data_path(v->arena, v->dir, "secrets/database-owner"), 64 * KIB, &owner, &ignored) != OK)
		owner = NULL; /* SQLite has none; a careful operator keeps PostgreSQL's elsewhere */
	struct db_options options = {.url = url, .owner_url = owner, .data_dir = v->settings.postgres_data_dir};
	return taken(v, db_open(&options, &v->srv.db, &detail), &detail);
}

/* I5, and whether the database went back behind what was signed (which is recorded: its partitions come first). */
static enum err check_database(struct serve *v)
{
	struct scope s;
	scope_system(&s, v->arena, v->srv.db, v->srv.keeper);
	enum err err = map_check(&s);
	if (err == OK)
		err = audit_partitions(&s);
	if (err == OK)
		err = audit_check_heads(&s, v->srv.host);
	if (err != OK)
		v->detail = s.detail != NULL ? s.detail : arena_strdup(v->arena, err_text(err));
	return err;
}

/* A tenant's settings and the life of backup keys, together, must keep the promise; each tenant has the roles of this version. */
static enum err check_promise(struct serve *v)
{
	struct scope s;
	scope_system(&s, v->arena, v->srv.db, v->srv.keeper);
	enum err err = tenant_settings_check(&s);
	if (err == OK)
		err = role_refresh(&s);
	if (err != OK)
		v->detail = arena_strdup(v->arena, scope_detail(&s, err));
	return err;
}

/* What administrators should still do. */
static void warn(struct serve *v)
{
	struct scope s;
	uint64_t n;
	scope_system(&s, v->arena, v->srv.db, v->srv.keeper);
	if (approval_count_open_wipes(&s, &n) == OK && n > 0)
		log_event(LOG_WARN, "wipes_without_approval",
			  "tenants=%" PRIu64 " detail=\"one person alone can wipe devices there: reeve approval require deviceWipe\"", n);
}

/* Who was erased since this database was copied is erased again, before anybody is answered. */
static enum err follow_ledger(struct serve *v)
{
	struct scope s;
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	scope_system(&s, arena, v->srv.db, v->srv.keeper);
	enum err err = replay_before_serving(&s, v->dir, v->srv.host);
	if (err != OK)
		v->detail = arena_strdup(v->arena, scope_detail(&s, err));
	arena_free(arena);
	return err;
}

struct pair {
	char *cert, *key;
};

static enum err read_pair(struct serve *v, const char *cert, const char *key, struct pair *ret)
{
	TRY(file_read(v->arena, cert, MIB, &ret->cert, &v->detail));
	TRY(file_read(v->arena, key, MIB, &ret->key, &v->detail));
	if (!x509_key_matches(ret->cert, ret->key)) {
		v->detail = arena_printf(v->arena, "%s does not belong to %s", key, cert);
		return ERR_CONFIG;
	}
	return OK;
}

/* Enrolled devices trust our own authority and no other, so the organisation's certificate is the API's only. */
static enum err read_certificates(struct serve *v, struct pair *api, struct pair *device)
{
	const char *cert = v->settings.certificate_file, *key = v->settings.key_file;
	TRY(read_pair(v, data_path(v->arena, v->dir, "tls/server.pem"), data_path(v->arena, v->dir, "tls/server.key"), device));
	if (*cert != '\0' && *key != '\0')
		return read_pair(v, cert, key, api);
	*api = *device;
	return OK;
}

static const char *const *split_list(struct arena *a, const char *text)
{
	const char **list = arena_alloc(a, (strlen(text) / 2 + 2) * sizeof *list);
	size_t n = 0;
	for (char *p = strtok(arena_strdup(a, text), ", "); p != NULL; p = strtok(NULL, ", "))
		list[n++] = p;
	return list;
}

static enum err listen_one(struct serve *v, const char *listen, const char *url, struct http_options *o, struct http_server **ret)
{
	char *host, *detail = NULL;
	unsigned port;
	bool good = *listen != '\0' ? listen_split(v->arena, listen, &host, &port) : url_split(v->arena, url, &host, &port);
	if (!good) {
		v->detail = arena_printf(v->arena, "'%s' is no address to listen on", *listen != '\0' ? listen : url);
		return ERR_CONFIG;
	}
	o->address = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
	o->port = (uint16_t)port;
	o->io_threads = (int)v->settings.io_threads;
	o->proxies = split_list(v->arena, v->settings.proxies);
	return taken(v, http_listen(o, v->workers, ret, &detail), &detail);
}

static enum err listen_all(struct serve *v)
{
	struct pair for_api, for_device;
	char *detail = NULL;
	TRY(read_certificates(v, &for_api, &for_device));
	v->workers = http_workers_new((int)v->settings.workers);
	struct http_options api = {.cert_pem = for_api.cert, .key_pem = for_api.key, .handler = api_handler(&v->srv)};
	TRY(listen_one(v, v->settings.listen, v->settings.url, &api, &v->api));
	struct http_options device = {.cert_pem = for_device.cert, .key_pem = for_device.key, .handler = device_handler(&v->srv),
				      .client_ca_pem = keeper_ca_pem(v->srv.keeper, v->arena)};
	TRY(listen_one(v, v->settings.device_listen, v->settings.device_url, &device, &v->device));
	struct http_options local = {.socket_path = data_path(v->arena, v->dir, "reeve.sock"), .io_threads = 1,
				     .handler = api_handler(&v->srv)};
	unlink(local.socket_path); /* of a process that was killed; the keeper's lock says that none is alive */
	TRY(taken(v, http_listen(&local, v->workers, &v->local, &detail), &detail));
	struct http_server *all[] = {v->api, v->device, v->local};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		atomic_store(&v->srv.listener[i], all[i]);
	return OK;
}

static void reload_certificate(struct serve *v)
{
	struct pair for_api, for_device;
	char *detail = NULL;
	v->detail = NULL;
	struct arena_mark mark = arena_mark(v->arena); /* what is read here is copied by the listeners */
	enum err err = read_certificates(v, &for_api, &for_device);
	if (err == OK)
		err = taken(v, http_reload_certificate(v->device, for_device.cert, for_device.key, &detail), &detail);
	if (err == OK)
		err = taken(v, http_reload_certificate(v->api, for_api.cert, for_api.key, &detail), &detail);
	if (err == OK)
		log_event(LOG_INFO, "certificate_reloaded", "file=\"%s\"", v->settings.certificate_file);
	else
		log_event(LOG_ERROR, "certificate_kept", "detail=\"%s\"", v->detail != NULL ? v->detail : err_text(err));
	v->detail = NULL;
	arena_rewind(v->arena, mark);
}

/* Our own certificate is renewed in time, and ca.pem follows the keeper (a new authority).  An hour late is early enough. */
static bool refresh_tls(struct serve *v)
{
	struct arena *arena = arena_new(LIMIT_ARENA_BYTES);
	struct scope s;
	char *detail = NULL;
	bool made = false;
	scope_system(&s, arena, v->srv.db, v->srv.keeper);
	enum err err = tls_refresh(&s, v->dir, v->srv.host, v->srv.device_url, &made, &detail);
	if (err != OK)
		log_event(LOG_ERROR, "certificate_not_renewed", "detail=\"%s\"", detail != NULL ? detail : err_text(err));
	arena_free(arena);
	return made;
}

/* The witnesses of the logs.  A file that is named must be there; DIR/witness.policy need not. */
static enum err read_policy(struct serve *v)
{
	struct scope s = {.arena = v->arena};
	bool named = *v->settings.witness_policy != '\0';
	char *text, *path = named ? arena_strdup(v->arena, v->settings.witness_policy) : data_path(v->arena, v->dir, "witness.policy");
	enum err err = file_read(v->arena, path, POLICY_BYTES_MAX, &text, &v->detail);
	if (err == ERR_NOT_FOUND && !named) {
		v->detail = NULL;
		return OK;
	}
	if (err != OK)
		return ERR_CONFIG;
	err = policy_parse(&s, text, strlen(text), &v->policy);
	if (err != OK) {
		v->detail = arena_printf(v->arena, "%s: %s", path, scope_detail(&s, err));
		return ERR_CONFIG;
	}
	v->srv.policy = &v->policy;
	return OK;
}

static enum err set_log_level(struct serve *v)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	for (int i = 0; i < 4; i++)
		if (strcmp(names[i], v->settings.log_level) == 0) {
			log_set_level((enum log_level)i);
			return OK;
		}
	v->detail = arena_printf(v->arena, "%s/reeve.conf: 'log_level' is debug, info, warn or error", v->dir);
	return ERR_CONFIG;
}

static enum err set_cors(struct serve *v)
{
	if (cors_parse(v->arena, v->settings.cors_origins, &v->srv.cors))
		return OK;
	v->detail = arena_printf(v->arena, "%s/reeve.conf: 'cors_origins' are origins such as https://console.example.org, without a path or a wildcard",
				 v->dir);
	return ERR_CONFIG;
}

static enum err set_throttle(struct serve *v)
{
	if (throttle_new(v->settings.throttle, &v->srv.throttle))
		return OK;
	v->detail = arena_printf(v->arena, "%s/reeve.conf: 'throttle' is graph, off, or a factor from 0.001 to 100000", v->dir);
	return ERR_CONFIG;
}

static enum err set_sinks(struct serve *v)
{
	char *bad;
	v->srv.sink_dir = *v->settings.sink_dir != '\0' ? v->settings.sink_dir : data_path(v->arena, v->dir, "sinks");
	v->srv.reach = reach_new(v->settings.sink_targets, &bad);
	if (v->srv.reach != NULL)
		return OK;
	v->detail = arena_printf(v->arena, "%s/reeve.conf: 'sink_targets': '%s' is no name, address or network", v->dir, bad);
	free(bad);
	return ERR_CONFIG;
}

/* The first line of a file that nobody else can read. */
static enum err read_password(struct serve *v, const char *path, char **ret)
{
	struct stat st;
	if (stat(path, &st) == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		v->detail = arena_printf(v->arena, "%s: others may read it; chmod 600", path);
		return ERR_CONFIG;
	}
	TRY(file_read(v->arena, path, 4 * KIB, ret, &v->detail));
	(*ret)[strcspn(*ret, "\r\n")] = '\0';
	return OK;
}

static enum err set_mail(struct serve *v)
{
	const struct settings *t = &v->settings;
	struct mailer *mailer;
	char *password = arena_strdup(v->arena, "");
	if (*t->smtp_url == '\0')
		return OK;
	if (*t->smtp_password_file != '\0' && read_password(v, t->smtp_password_file, &password) != OK)
		return ERR_CONFIG;
	const struct mail_options o = {.url = t->smtp_url, .user = t->smtp_user, .password = password, .ca_file = t->smtp_ca_file,
				       .plaintext = t->smtp_plaintext != 0, .from = t->smtp_from};
	enum err err = mail_new(v->arena, &v->srv, &o, &mailer, &v->detail);
	if (err != OK)
		v->detail = arena_printf(v->arena, "%s/reeve.conf: %s", v->dir, v->detail);
	else
		v->srv.mailer = mailer;
	return err;
}

static enum err start(struct serve *v)
{
	unsigned port;
	char *host;
	TRY(settings_load(v->arena, v->dir, &v->settings, &v->detail));
	TRY(set_log_level(v));
	TRY(read_policy(v));
	TRY(set_sinks(v));
	TRY(set_throttle(v));
	TRY(set_cors(v));
	if (!url_split(v->arena, v->settings.url, &host, &port)) {
		v->detail = arena_printf(v->arena, "%s/reeve.conf: 'url' must look like https://HOST:PORT", v->dir);
		return ERR_CONFIG;
	}
	v->metrics.started_us = clock_now();
	v->srv.data_dir = v->dir;
	v->srv.url = v->settings.url;
	v->srv.device_url = v->settings.device_url;
	v->srv.host = host;
	v->srv.metrics = &v->metrics;
	v->srv.storage_ca = v->settings.storage_ca_file;
	v->srv.issuers = issuers_new(v->srv.reach, v->settings.issuer_ca_file);
	TRY(set_mail(v));
	TRY(open_clock(v));
	TRY(open_keeper(v));
	TRY(open_backups(v));
	TRY(open_database(v));
	TRY(check_database(v));
	TRY(check_promise(v));
	TRY(follow_ledger(v));
	refresh_tls(v);
	v->jobs = jobs_start(&v->srv);
	db_on_commit(v->srv.db, jobs_wake, v->jobs);
	return listen_all(v);
}

static void wait_for_signals(struct serve *v, const sigset_t *set)
{
	const struct timespec hour = {.tv_sec = 3600};
	for (;;) {
		int sig = sigtimedwait(set, NULL, &hour);
		if (sig == SIGHUP || (sig < 0 && errno == EAGAIN && refresh_tls(v)))
			reload_certificate(v);
		else if (sig > 0)
			return;
	}
}

static void stop(struct serve *v)
{
	atomic_store(&v->srv.draining, true);
	http_stop(v->local, LIMIT_DRAIN_SECONDS);
	http_stop(v->api, LIMIT_DRAIN_SECONDS);
	http_stop(v->device, LIMIT_DRAIN_SECONDS);
	http_workers_free(v->workers);
	if (v->srv.db != NULL)
		db_on_commit(v->srv.db, NULL, NULL);
	jobs_stop(v->jobs);
	db_close(v->srv.db);
	keeper_close(v->srv.keeper);
	clock_guard_close(v->srv.clock);
	issuers_free(v->srv.issuers);
	reach_free(v->srv.reach);
	throttle_free(v->srv.throttle);
}

static void raise_file_limit(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int serve(const char *dir)
{
	sigset_t set;
	struct serve *v = calloc(1, sizeof *v);
	check(v != NULL);
	v->dir = dir;
	v->arena = arena_new(LIMIT_ARENA_BYTES);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread: they all inherit it */
	raise_file_limit();
	int code = 0;
	enum err err = start(v);
	if (err == OK) {
		warn(v);
		log_event(LOG_INFO, "ready", "url=%s device_url=%s version=%s", v->settings.url, v->settings.device_url, REEVE_VERSION);
		wait_for_signals(v, &set);
		log_event(LOG_INFO, "stopping", "drain_seconds=%u", LIMIT_DRAIN_SECONDS);
	} else {
		code = cmd_fail("serve", err, "%s", v->detail != NULL ? v->detail : err_text(err));
	}
	stop(v);
	arena_free(v->arena);
	free(v);
	return code;
}

int cmd_serve(int argc, char **argv)
{
	static const struct option options[] = {{"data", required_argument, NULL, 'd'}, {0}};
	const char *dir = NULL;
	int c;
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (c == 'd')
			dir = optarg;
		else
			return cmd_fail("serve", ERR_USAGE, "unknown option '%s'; see 'reeve serve --help'", argv[optind - 1]);
	if (dir == NULL || optind != argc)
		return cmd_fail("serve", ERR_USAGE, "--data DIR is needed");
	return serve(dir);
}
