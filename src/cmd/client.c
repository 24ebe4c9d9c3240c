/* SPDX-License-Identifier: Apache-2.0
 * HTTP by libcurl: over TLS, or over the data directory's local socket. */
#include "cmd/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/login_file.h"
#include "cmd/progress.h"
#include "cmd/settings.h"
#include "codec/base64.h"
#include "crypto/newfile.h"

static const char *take_option(int *argc, char **argv, const char *name, bool *ret_bad)
{
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], name) != 0)
			continue;
		if (i + 1 == *argc) {
			*ret_bad = true;
			return NULL;
		}
		const char *value = argv[i + 1];
		memmove(&argv[i], &argv[i + 2], (size_t)(*argc - i - 2) * sizeof *argv);
		*argc -= 2;
		return value;
	}
	return NULL;
}

static const char *or_env(const char *value, const char *name)
{
	return value != NULL ? value : getenv(name);
}

static size_t to_buf(char *p, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;
	buf_add(b, p, size * n);
	return b->failed ? 0 : size * n;
}

/* Keeps what is told in headers, in the client's arena. */
struct told {
	struct client *c;
	struct client_answer *answer;
};

static size_t to_told(char *p, size_t size, size_t n, void *arg)
{
	struct told *t = arg;
	const struct {
		const char *name;
		char **value;
	} kept[] = {{"location:", &t->answer->location}, {"x-msft-approval-code:", &t->answer->approval}};
	size_t len = size * n;
	for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
		size_t name_n = strlen(kept[i].name);
		if (len <= name_n || strncasecmp(p, kept[i].name, name_n) != 0)
			continue;
		const char *value = p + name_n + strspn(p + name_n, " ");
		*kept[i].value = arena_strndup(t->c->arena, value, strcspn(value, "\r\n"));
	}
	return len;
}

/* Where and how; the same for every request of this client. */
static void set_target(struct client *c, const char *path)
{
	CURL *h = c->curl;
	bool local = c->url == NULL;
	bool absolute = strncmp(path, "https://", 8) == 0;
	const char *base = local ? "http://localhost" : c->url;
	if (absolute && local) { /* a nextLink: its path, by our own socket */
		const char *slash = strchr(path + 8, '/');
		path = slash != NULL ? slash : "/";
		absolute = false;
	}
	curl_easy_reset(h);
	curl_easy_setopt(h, CURLOPT_URL, absolute ? path : arena_printf(c->arena, "%s%s", base, path));
	if (local)
		curl_easy_setopt(h, CURLOPT_UNIX_SOCKET_PATH, data_path(c->arena, c->data, "reeve.sock"));
	if (c->ca != NULL)
		curl_easy_setopt(h, CURLOPT_CAINFO, c->ca);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, local ? "http" : "https");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(h, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
}

static int unreachable(struct client *c, CURLcode code)
{
	const char *where = c->url != NULL ? c->url : data_path(c->arena, c->data, "reeve.sock");
	if (c->url == NULL && access(where, F_OK) != 0)
		return cmd_fail(c->command, ERR_NO_SERVER, "no server runs on %s (start it: reeve serve --data %s)", c->data, c->data);
	return cmd_fail(c->command, ERR_NO_SERVER, "%s: %s%s", where, curl_easy_strerror(code),
			code == CURLE_PEER_FAILED_VERIFICATION ? " (--ca FILE says which authority is believed: tls/ca.pem of the server)" : "");
}

static int exit_code_of(long status)
{
	for (int e = 1; e < ERR_COUNT; e++)
		if (err_http_status((enum err)e) == status)
			return err_exit_code((enum err)e);
	return err_exit_code(ERR_INTERNAL);
}

/* What to do where a second person has to approve it. */
static void advise(const struct client *c, const struct client_answer *a)
{
	const char *how = c->operator_ ? "tenant" : "approval", *tenant = c->operator_ ? "TENANT-ID " : "";
	if (a->approval == NULL)
		fprintf(stderr, "Say why: run it once more with --justification 'TEXT'.\n");
	else
		fprintf(stderr, "Somebody else runs:  reeve %s approve %s%s\nThen you run:        reeve %s complete %s%s\n", how, tenant, a->approval, how,
			tenant, a->approval);
}

static int report(struct client *c, const struct client_answer *a)
{
	const json_t *error = json_object_get(a->json, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *message = json_string_value(json_object_get(error, "message"));
	if (message == NULL)
		message = json_string_value(json_object_get(a->json, "error_description"));
	fprintf(stderr, "reeve %s: %s (%ld)\n", c->command, message != NULL ? message : "the server refused", a->status);
	if (code != NULL && strcmp(code, "ApprovalRequired") == 0)
		advise(c, a);
	return exit_code_of(a->status);
}

static struct curl_slist *headers(struct client *c, bool json_body)
{
	struct curl_slist *h = curl_slist_append(NULL, "Accept: application/json");
	if (json_body)
		h = curl_slist_append(h, "Content-Type: application/json");
	h = curl_slist_append(h, "Expect:");
	if (c->token != NULL)
		h = curl_slist_append(h, arena_printf(c->arena, "Authorization: Bearer %s", c->token));
	return h;
}

static int send_request(struct client *c, const char *method, const char *path, const char *body, bool json_body, struct client_answer *ret)
{
	CURL *h = c->curl;
	auto_buf out;
	struct told told = {c, ret};
	buf_init(&out, 64 * MIB);
	*ret = (struct client_answer){0};
	set_target(c, path);
	struct curl_slist *list = headers(c, json_body && body != NULL);
	if (c->justification != NULL && strcmp(method, "GET") != 0)
		list = curl_slist_append(list, arena_printf(c->arena, "x-msft-approval-justification: %s",
							    base64_encode(c->arena, c->justification, strlen(c->justification))));
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, method);
	if (body != NULL)
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, body);
	else if (strcmp(method, "POST") == 0)
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, "");
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, to_buf);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, &out);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, to_told);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, &told);
	curl_easy_setopt(h, CURLOPT_TIMEOUT, 120L);
	CURLcode code = curl_easy_perform(h);
	curl_slist_free_all(list);
	if (code != CURLE_OK)
		return unreachable(c, code);
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &ret->status);
	ret->body = arena_strndup(c->arena, out.len > 0 ? out.data : "", out.len);
	ret->n = out.len;
	ret->json = json_loadb(ret->body, ret->n, JSON_REJECT_DUPLICATES, NULL);
	return 0;
}

static int perform(struct client *c, const char *method, const char *path, const char *body, bool json_body, struct client_answer *ret)
{
	int code = send_request(c, method, path, body, json_body, ret);
	return code != 0 ? code : ret->status / 100 == 2 ? 0 : report(c, ret);
}

int client_form(struct client *c, const char *path, const char *form, struct client_answer *ret)
{
	const char *token = c->token;
	c->token = NULL;
	int code = send_request(c, "POST", path, form, false, ret);
	c->token = token;
	return code;
}

int client_call(struct client *c, const char *method, const char *path, const char *body, struct client_answer *ret)
{
	return perform(c, method, path, body, true, ret);
}

/* Client credentials from a file, by the token endpoint: as init and 'tenant add-operator' write them, or a tenant with its administrator as
 * 'tenant create' prints it. */
static int sign_in(struct client *c, const char *file)
{
	char *text, *detail;
	struct client_answer a;
	enum err err = file_read(c->arena, file, 64 * KIB, &text, &detail);
	if (err != OK)
		return cmd_fail(c->command, err, "%s", detail);
	json_t *j = json_loads(text, 0, NULL);
	const json_t *administrator = json_object_get(j, "administrator"), *who = administrator != NULL ? administrator : j;
	const char *tenant = json_string_value(json_object_get(j, administrator != NULL ? "id" : "tenant"));
	const char *id = json_string_value(json_object_get(who, "clientId"));
	const char *secret = json_string_value(json_object_get(who, "clientSecret"));
	int code = 0;
	if (tenant == NULL || id == NULL || secret == NULL)
		code = cmd_fail(c->command, ERR_CONFIG, "%s holds no tenant, clientId and clientSecret", file);
	else
		code = perform(c, "POST", arena_printf(c->arena, "/%s/oauth2/v2.0/token", tenant),
			       arena_printf(c->arena, "grant_type=client_credentials&client_id=%s&client_secret=%s", id, secret), false, &a);
	if (code == 0)
		c->token = arena_strdup(c->arena, json_string_value(json_object_get(a.json, "access_token")));
	if (code == 0)
		json_decref(a.json);
	json_decref(j);
	return code;
}

static void from_environment(struct client *c)
{
	if (c->data == NULL)
		c->url = or_env(c->url, "REEVE_URL");
	if (c->url == NULL)
		return;
	c->ca = or_env(c->ca, "REEVE_CA");
	size_t n = strlen(c->url);
	if (n > 0 && c->url[n - 1] == '/')
		c->url = arena_strndup(c->arena, c->url, n - 1);
}

/* A person who is logged in there comes before the credentials of the data directory, and after whatever else was given. */
static int find_login(struct client *c)
{
	bool used;
	if (c->token != NULL || c->credentials != NULL || c->operator_)
		return 0;
	return login_use(c, &used);
}

static int check_target(struct client *c)
{
	from_environment(c);
	if (c->data != NULL && c->url != NULL)
		return cmd_fail(c->command, ERR_USAGE, "--data and --url exclude each other");
	if (c->url != NULL)
		c->token = or_env(c->token, "REEVE_TOKEN");
	int code = find_login(c);
	if (code == 0 && c->data == NULL && c->url == NULL)
		return cmd_fail(c->command, ERR_USAGE, "say where the server is: --data DIR, or --url URL --ca FILE --token TOKEN");
	return code;
}

int client_open(struct client *c, const char *command, bool as_operator, int *argc, char **argv)
{
	bool bad = false;
	*c = (struct client){.command = command, .arena = arena_new(512 * MIB), .operator_ = as_operator};
	c->data = take_option(argc, argv, "--data", &bad);
	c->url = take_option(argc, argv, "--url", &bad);
	c->ca = take_option(argc, argv, "--ca", &bad);
	c->token = take_option(argc, argv, "--token", &bad);
	c->credentials = take_option(argc, argv, "--credentials", &bad);
	c->justification = take_option(argc, argv, "--justification", &bad);
	c->json = option_take_flag(argc, argv, "--json");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	c->curl = curl_easy_init();
	int code = bad ? cmd_fail(command, ERR_USAGE, "an option lacks its value") : check_target(c);
	if (code == 0 && c->credentials == NULL && c->data != NULL && c->token == NULL)
		c->credentials = data_path(c->arena, c->data, as_operator ? "credentials/operator.json" : "credentials/administrator.json");
	if (code == 0 && c->credentials != NULL)
		code = sign_in(c, c->credentials);
	if (code == 0 && c->token == NULL)
		code = cmd_fail(command, ERR_USAGE, "an access token is needed: --token, REEVE_TOKEN, --credentials or 'reeve login'");
	if (code != 0)
		client_close(c);
	return code;
}

void client_close(struct client *c)
{
	if (c->curl != NULL)
		curl_easy_cleanup(c->curl);
	arena_free(c->arena);
	*c = (struct client){0};
}

int client_open_bare(struct client *c, const char *command, int *argc, char **argv)
{
	bool bad = false;
	*c = (struct client){.command = command, .arena = arena_new(512 * MIB)};
	c->data = take_option(argc, argv, "--data", &bad);
	c->url = take_option(argc, argv, "--url", &bad);
	c->ca = take_option(argc, argv, "--ca", &bad);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	c->curl = curl_easy_init();
	from_environment(c);
	int code = bad ? cmd_fail(command, ERR_USAGE, "an option lacks its value") : 0;
	if (code == 0 && c->data != NULL && c->url != NULL)
		code = cmd_fail(command, ERR_USAGE, "--data and --url exclude each other");
	if (code != 0)
		client_close(c);
	return code;
}

int client_open_public(struct client *c, const char *command, const char *url, int *argc, char **argv)
{
	bool bad = false;
	*c = (struct client){.command = command, .arena = arena_new(512 * MIB), .url = url};
	c->ca = or_env(take_option(argc, argv, "--ca", &bad), "REEVE_CA");
	c->token = take_option(argc, argv, "--token", &bad);
	c->json = option_take_flag(argc, argv, "--json");
	curl_global_init(CURL_GLOBAL_DEFAULT);
	c->curl = curl_easy_init();
	if (!bad)
		return 0;
	client_close(c);
	return cmd_fail(command, ERR_USAGE, "an option lacks its value");
}

enum err client_fetch(struct client *c, const char *path, struct buf *out, long *ret_status, const char **ret_detail)
{
	struct arena_mark mark = arena_mark(c->arena);
	buf_clear(out);
	set_target(c, path);
	struct curl_slist *list = headers(c, false);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(c->curl, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, to_buf);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, out);
	curl_easy_setopt(c->curl, CURLOPT_TIMEOUT, 120L);
	CURLcode code = curl_easy_perform(c->curl);
	curl_slist_free_all(list);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, ret_status);
	arena_rewind(c->arena, mark);
	if (code == CURLE_OK)
		return OK;
	*ret_detail = out->failed ? arena_printf(c->arena, "%s is larger than it can be", path)
				  : arena_printf(c->arena, "%s: %s", c->url != NULL ? c->url : c->data, curl_easy_strerror(code));
	return out->failed ? ERR_LIMIT : ERR_NO_SERVER;
}

static int show_bar(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
	if (now > 0)
		progress_show(arg, now, total);
	return 0;
}

static size_t to_file(char *p, size_t size, size_t n, void *arg)
{
	return newfile_write(arg, p, size * n) == OK ? size * n : 0;
}

static int download_into(struct client *c, const char *path, const char *file, struct newfile *f)
{
	CURL *h = c->curl;
	long status = 0;
	struct progress bar;
	progress_begin(&bar, "fetching", true, c->json);
	set_target(c, path);
	struct curl_slist *list = headers(c, false);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, list);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, to_file);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, f);
	curl_easy_setopt(h, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, show_bar);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, &bar);
	CURLcode code = curl_easy_perform(h);
	curl_slist_free_all(list);
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	progress_end(&bar);
	if (code == CURLE_HTTP_RETURNED_ERROR) {
		fprintf(stderr, "reeve %s: the server refused the download (%ld)\n", c->command, status);
		return exit_code_of(status);
	}
	if (code == CURLE_WRITE_ERROR)
		return cmd_fail(c->command, ERR_IO, "%s: cannot be written", file);
	return code == CURLE_OK ? 0 : unreachable(c, code);
}

int client_download(struct client *c, const char *path, const char *file)
{
	struct newfile f;
	struct stat st;
	if (stat(file, &st) == 0 && !S_ISREG(st.st_mode))
		return cmd_fail(c->command, ERR_USAGE, "%s is there and is no file", file);
	enum err e = newfile_begin(&f, AT_FDCWD, file);
	if (e != OK)
		return cmd_fail(c->command, e, "%s: %s", file, err_text(e));
	int code = download_into(c, path, file, &f);
	if (code != 0) {
		newfile_abandon(&f);
		return code;
	}
	e = newfile_commit(&f);
	return e == OK ? 0 : cmd_fail(c->command, e, "%s: %s", file, err_text(e));
}
