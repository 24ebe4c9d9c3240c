/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTPS client (see channel.h).
 */
#include "channel.h"

#include <ctype.h>
#include <curl/curl.h>
#include <signal.h>
#include <string.h>

#include "state.h"

enum { CONNECT_SECONDS = 15, CALL_SECONDS = 120, TEXT_MAX = 500 };

enum err channel_url(struct agent *a, const char *given, const char **ret)
{
	char *copy = arena_strdup(a->scope->arena, given);
	size_t n = strlen(copy);
	while (n > 0 && copy[n - 1] == '/')
		copy[--n] = '\0';
	const char *host = n > 8 && strncmp(copy, "https://", 8) == 0 ? copy + 8 : NULL;
	if (host == NULL || n > 300)
		return scope_fail(a->scope, ERR_USAGE, "--url must be https://HOST[:PORT]");
	for (; *host != '\0'; host++)
		if (!isalnum((unsigned char)*host) && strchr(".-_:[]", *host) == NULL)
			return scope_fail(a->scope, ERR_USAGE,
					  "--url must be https://HOST[:PORT], with nothing after it");
	*ret = copy;
	return OK;
}

struct endpoint channel_endpoint(struct agent *a, const char *url)
{
	return (struct endpoint){.url = url,
				 .ca_file = state_file(a, "ca.pem"),
				 .cert_file = state_file(a, "cert.pem"),
				 .key_file = state_file(a, "key.pem")};
}

char *channel_clean(struct agent *a, const char *text)
{
	const char *hit = a->secret != NULL && a->secret[0] != '\0' ? strstr(text, a->secret) : NULL;
	char *copy = hit == NULL ? arena_strndup(a->scope->arena, text, strnlen(text, TEXT_MAX))
				 : arena_strdup(a->scope->arena, "(a message that repeats the token)");
	for (char *p = copy; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	return copy;
}

static size_t take(char *p, size_t size, size_t n, void *arg)
{
	struct buf *out = arg;
	(void)size; /* always 1 */
	buf_add(out, p, n);
	return out->failed ? 0 : n;
}

/* The daemon blocks SIGTERM; one that waits must not wait for a slow server. */
static int stop_early(void *arg, curl_off_t a1, curl_off_t a2, curl_off_t a3, curl_off_t a4)
{
	const struct agent *a = arg;
	sigset_t waiting;
	(void)a1, (void)a2, (void)a3, (void)a4;
	return a->daemon && sigpending(&waiting) == 0 &&
	       (sigismember(&waiting, SIGTERM) == 1 || sigismember(&waiting, SIGINT) == 1);
}

static void set_options(CURL *c, struct agent *a, const struct endpoint *to, const struct buf *body, struct buf *answer,
			char *why)
{
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(c, CURLOPT_CAINFO, to->ca_file);
	curl_easy_setopt(c, CURLOPT_CAPATH, NULL); /* not the system's CAs: only ours */
	if (to->cert_file != NULL) {
		curl_easy_setopt(c, CURLOPT_SSLCERT, to->cert_file);
		curl_easy_setopt(c, CURLOPT_SSLKEY, to->key_file);
	}
	curl_easy_setopt(c, CURLOPT_POST, 1L);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, body->data);
	curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)CALL_SECONDS);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "reeve-agent/" REEVE_VERSION);
	curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)CHANNEL_ANSWER_MAX);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, answer);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, stop_early);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, a);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
}

static enum err transfer_error(struct agent *a, CURLcode code, const char *url, const char *why)
{
	if (why[0] == '\0')
		why = curl_easy_strerror(code);
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return scope_fail(a->scope, ERR_NO_SERVER, "%s is not the server that the CA file names: %s", url,
				  channel_clean(a, why));
	case CURLE_WRITE_ERROR:
	case CURLE_FILESIZE_EXCEEDED:
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the server's answer is larger than %u MiB",
				  CHANNEL_ANSWER_MAX >> 20);
	case CURLE_SSL_CACERT_BADFILE:
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the CA file cannot be used: %s", channel_clean(a, why));
	case CURLE_SSL_CERTPROBLEM:
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the device's certificate cannot be used: %s",
				  channel_clean(a, why));
	case CURLE_ABORTED_BY_CALLBACK:
		return scope_fail(a->scope, ERR_UNAVAILABLE, "stopped while the server was being asked");
	default:
		return scope_fail(a->scope, ERR_NO_SERVER, "%s cannot be reached: %s", url, channel_clean(a, why));
	}
}

static enum err status_error(long status)
{
	static const struct {
		long status;
		enum err e;
	} map[] = {{400, ERR_BAD_REQUEST},  {401, ERR_UNAUTHENTICATED}, {403, ERR_FORBIDDEN},
		   {404, ERR_NOT_FOUND},    {409, ERR_CONFLICT},        {410, ERR_GONE},
		   {412, ERR_PRECONDITION}, {413, ERR_TOO_LARGE},       {429, ERR_TOO_MANY}};
	for (size_t i = 0; i < sizeof map / sizeof *map; i++)
		if (map[i].status == status)
			return map[i].e;
	return status >= 500 ? ERR_UNAVAILABLE : ERR_BAD_REQUEST;
}

/* The server's own words where it has any: {"error":{"message"}}. */
static enum err refused(struct agent *a, long status, const struct buf *answer)
{
	auto_json *o = NULL;
	const char *message = NULL;
	enum err e = status_error(status);
	if (answer->len > 0 && json_read(a->scope, answer->data, answer->len, &o) == OK)
		message = json_string_value(json_object_get(json_object_get(o, "error"), "message"));
	agent_forgive(a);
	if (message == NULL)
		return scope_fail(a->scope, e, "the server answered %ld", status);
	return scope_fail(a->scope, e, "the server answered %ld: %s", status, channel_clean(a, message));
}

static enum err perform(struct agent *a, CURL *c, const struct endpoint *to, struct buf *answer, const char *why,
			long *ret_status)
{
	curl_off_t wait = 0;
	CURLcode code = curl_easy_perform(c);
	if (code != CURLE_OK)
		return transfer_error(a, code, to->url, why);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, ret_status);
	curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &wait);
	a->retry_after = wait > 86400 ? 86400 : (long)wait;
	return *ret_status >= 200 && *ret_status < 300 ? OK : refused(a, *ret_status, answer);
}

enum err channel_post(struct agent *a, const struct endpoint *to, const char *path, const struct buf *body,
		      json_t **ret)
{
	char why[CURL_ERROR_SIZE] = "";
	long status = 0;
	auto_buf answer;
	buf_init(&answer, CHANNEL_ANSWER_MAX);
	a->retry_after = 0;
	if (body->failed)
		return scope_fail(a->scope, ERR_LIMIT, "what this device has to say is larger than %u MiB",
				  CHANNEL_BODY_MAX >> 20);
	CURL *c = curl_easy_init();
	check(c != NULL);
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	headers = curl_slist_append(headers, "Expect:"); /* no pause before a large inventory */
	set_options(c, a, to, body, &answer, why);
	curl_easy_setopt(c, CURLOPT_URL, arena_printf(a->scope->arena, "%s%s", to->url, path));
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	enum err e = perform(a, c, to, &answer, why, &status);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
	TRY(e);
	if (answer.len > 0 && json_read(a->scope, answer.data, answer.len, ret) == OK)
		return OK;
	agent_forgive(a);
	return scope_fail(a->scope, ERR_BAD_REQUEST, "the server's answer to %s is not what this agent understands",
			  path);
}
