/* SPDX-License-Identifier: Apache-2.0
 * SMTP by libcurl.  What a failure says is made of our words, libcurl's and the number of the server's answer: never of its text, which may name
 * the recipient. */
#include "jobs/mail.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "codec/mail.h"
#include "codec/target.h"

enum { PORT_SUBMISSION = 587, PORT_SUBMISSIONS = 465 };

struct mail_server {
	struct mail_options o;
	const char *url; /* with our name for the greeting behind it */
	bool wrapped, loopback;
	const _Atomic bool *stop;
};

/* ---- settings ---- */

static bool is_loopback(const char *host)
{
	struct in_addr four;
	struct in6_addr six;
	if (inet_pton(AF_INET, host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, host, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six);
	return strcasecmp(host, "localhost") == 0;
}

static enum err parse_url(struct arena *a, const struct server *srv, struct mail_server *m, char **detail)
{
	struct target t;
	const char *text = m->o.url;
	m->wrapped = strncmp(text, "smtps://", 8) == 0;
	if ((!m->wrapped && strncmp(text, "smtp://", 7) != 0) ||
	    !target_host_port(a, text + (m->wrapped ? 8 : 7), m->wrapped ? PORT_SUBMISSIONS : PORT_SUBMISSION, &t)) {
		*detail = arena_printf(a, "'smtp_url' must look like smtp://HOST:587 or smtps://HOST:465");
		return ERR_CONFIG;
	}
	m->loopback = is_loopback(t.host);
	m->url = arena_printf(a, strchr(t.host, ':') != NULL ? "%s://[%s]:%u/%s" : "%s://%s:%u/%s", m->wrapped ? "smtps" : "smtp", t.host, t.port,
			      srv->host);
	return OK;
}

/* ---- one message ---- */

struct upload {
	const char *p;
	size_t left;
	const _Atomic bool *stop;
};

static size_t give(char *to, size_t size, size_t count, void *arg)
{
	struct upload *u = arg;
	size_t n = size * count < u->left ? size * count : u->left;
	memcpy(to, u->p, n);
	u->p += n;
	u->left -= n;
	return n;
}

static size_t ignore(char *p, size_t size, size_t n, void *arg) { return size * n; }

static int progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct upload *u = arg;
	return atomic_load(u->stop);
}

static void set_options(CURL *h, const struct mail_server *m, struct upload *u, struct curl_slist *to)
{
	bool must = !m->loopback && !m->o.plaintext;
	curl_easy_setopt(h, CURLOPT_URL, m->url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, m->wrapped ? "smtps" : "smtp");
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(h, CURLOPT_USE_SSL, must || m->wrapped ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_TRY);
	curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (*m->o.ca_file != '\0')
		curl_easy_setopt(h, CURLOPT_CAINFO, m->o.ca_file);
	else if (m->loopback) { /* nobody stands between; a local server's certificate is often made up */
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (*m->o.user != '\0') {
		curl_easy_setopt(h, CURLOPT_USERNAME, m->o.user);
		curl_easy_setopt(h, CURLOPT_PASSWORD, m->o.password);
	}
	curl_easy_setopt(h, CURLOPT_MAIL_FROM, m->o.from);
	curl_easy_setopt(h, CURLOPT_MAIL_RCPT, to);
	curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)u->left);
	curl_easy_setopt(h, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(h, CURLOPT_READDATA, u);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)MAIL_TIMEOUT_MS);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)MAIL_TIMEOUT_MS / 2);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, progress);
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, u);
}

static enum err judge(struct scope *s, CURL *h, CURLcode code)
{
	long answer = 0;
	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &answer);
	switch (code) {
	case CURLE_OK: return OK;
	case CURLE_ABORTED_BY_CALLBACK: return ERR_BUSY;
	case CURLE_LOGIN_DENIED: return scope_fail(s, ERR_NO_SERVER, "the mail server does not accept smtp_user with its password");
	case CURLE_USE_SSL_FAILED: return scope_fail(s, ERR_NO_SERVER, "the mail server offers no TLS (setting smtp_plaintext)");
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_WEIRD_SERVER_REPLY:
		if (answer >= 400)
			return scope_fail(s, ERR_NO_SERVER, "the mail server answered %ld", answer);
		break;
	default: break;
	}
	return scope_fail(s, ERR_NO_SERVER, "the mail server was not reached: %s", curl_easy_strerror(code));
}

/* An address that begins with a dash or holds what libcurl would read as more than an address does not come here (codec/mail.h). */
static enum err send_mail(const struct mailer *mailer, struct scope *s, const char *to, const char *message, size_t n)
{
	const struct mail_server *m = mailer->arg;
	struct upload u = {message, n, m->stop};
	CURL *h = curl_easy_init();
	struct curl_slist *list = curl_slist_append(NULL, to);
	check(h != NULL && list != NULL);
	set_options(h, m, &u, list);
	enum err e = judge(s, h, curl_easy_perform(h));
	curl_slist_free_all(list);
	curl_easy_cleanup(h);
	return e;
}

enum err mail_new(struct arena *a, const struct server *srv, const struct mail_options *o, struct mailer **ret, char **detail)
{
	struct mail_server *m = arena_alloc(a, sizeof *m);
	*m = (struct mail_server){.o = *o, .stop = &srv->draining};
	TRY(parse_url(a, srv, m, detail));
	if (!mail_address_ok(o->from)) {
		*detail = arena_printf(a, "'smtp_from' must be a mail address: letters come from it");
		return ERR_CONFIG;
	}
	struct mailer *mailer = arena_alloc(a, sizeof *mailer);
	*mailer = (struct mailer){.base_url = srv->url, .from = o->from, .send = send_mail, .arg = m};
	*ret = mailer;
	return OK;
}
