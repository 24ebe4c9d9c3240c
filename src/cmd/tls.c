/* SPDX-License-Identifier: Apache-2.0
 * Issuing and renewing the server's own certificate. */
#include "cmd/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "cmd/settings.h"
#include "crypto/x509.h"
#include "keeper/keeper.h"

#define RENEW_BEFORE_US (30 * DAY_US)
enum { SERVER_DAYS = 397, CN_MAX = 64 }; /* what browsers accept at most */

/* Beside and renamed over, so that no reader sees half a file. */
static enum err replace(struct scope *s, const char *path, const char *text, unsigned mode, char **detail)
{
	char *beside = arena_printf(s->arena, "%s.new", path);
	unlink(beside);
	TRY(file_write(beside, text, mode, s->arena, detail));
	if (rename(beside, path) == 0)
		return OK;
	*detail = arena_printf(s->arena, "%s: %s", path, strerror(errno));
	return ERR_IO;
}

static enum err refresh_ca(struct scope *s, const char *dir, char **detail)
{
	char *path = data_path(s->arena, dir, "tls/ca.pem"), *now = NULL, *ignored;
	const char *want = keeper_ca_pem(s->keeper, s->arena);
	if (file_read(s->arena, path, MIB, &now, &ignored) == OK && strcmp(now, want) == 0)
		return OK;
	return replace(s, path, want, 0644, detail);
}

struct hosts {
	const char *dns[4], *ip[5]; /* NULL-terminated */
	size_t dns_n, ip_n;
};

static void add_host(struct hosts *h, const char *host)
{
	unsigned char scratch[16];
	bool numeric = inet_pton(AF_INET, host, scratch) == 1 || inet_pton(AF_INET6, host, scratch) == 1;
	const char **list = numeric ? h->ip : h->dns;
	for (size_t i = 0; list[i] != NULL; i++)
		if (strcmp(list[i], host) == 0)
			return;
	list[numeric ? h->ip_n++ : h->dns_n++] = host;
}

static enum err issue(struct scope *s, const char *host, const char *device_url, struct x509_pair *ret)
{
	struct hosts h = {.dns_n = 0};
	char *device_host;
	unsigned port;
	add_host(&h, "localhost");
	add_host(&h, "127.0.0.1");
	add_host(&h, "::1");
	add_host(&h, host);
	if (url_split(s->arena, device_url, &device_host, &port))
		add_host(&h, device_host);
	const char *name = strlen(host) <= CN_MAX ? host : "Reeve";
	return keeper_issue_server(s->keeper, s, &(struct x509_name){name, h.dns, h.ip}, SERVER_DAYS, ret);
}

static bool good_for_long(struct scope *s, const char *cert)
{
	struct x509_info info;
	struct scope quiet = *s; /* whatever is wrong with it, it is made anew */
	return x509_read(&quiet, cert, &info) == OK && info.not_after_us - s->now > RENEW_BEFORE_US;
}

enum err tls_refresh(struct scope *s, const char *dir, const char *host, const char *device_url, bool *ret_new, char **detail)
{
	char *cert_path = data_path(s->arena, dir, "tls/server.pem"), *key_path = data_path(s->arena, dir, "tls/server.key");
	char *cert, *ignored;
	struct x509_pair pair;
	*ret_new = false;
	TRY(refresh_ca(s, dir, detail));
	if (file_read(s->arena, cert_path, MIB, &cert, &ignored) == OK && good_for_long(s, cert))
		return OK;
	enum err err = issue(s, host, device_url, &pair);
	if (err != OK) {
		*detail = arena_strdup(s->arena, scope_detail(s, err));
		return err;
	}
	TRY(replace(s, key_path, pair.key_pem, 0600, detail));
	TRY(replace(s, cert_path, pair.cert_pem, 0644, detail));
	*ret_new = true;
	return OK;
}
