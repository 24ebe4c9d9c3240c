/* SPDX-License-Identifier: Apache-2.0
 * Lists, verdicts, and connecting to what was judged. */
#include "http/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"

struct entry {
	char *name; /* NULL: a network */
	struct network net;
};

struct reach {
	struct entry *v;
	size_t n;
};

/* ---- the list ---- */

static bool is_name(const char *s)
{
	bool letter = false;
	for (; *s != '\0'; s++) {
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", *s) != NULL)
			letter = true;
		else if (strchr("0123456789-_.", *s) == NULL)
			return false;
	}
	return letter;
}

static bool add(struct reach *r, const char *text)
{
	struct entry e = {0};
	if (!network_parse(text, &e.net)) {
		if (!is_name(text))
			return false;
		e.name = strdup(text);
		check(e.name != NULL);
	}
	r->v = reallocarray(r->v, r->n + 1, sizeof *r->v);
	check(r->v != NULL);
	r->v[r->n++] = e;
	return true;
}

struct reach *reach_new(const char *setting, char **ret_bad)
{
	struct reach *r = calloc(1, sizeof *r);
	char *copy = strdup(setting), *save = NULL;
	check(r != NULL && copy != NULL);
	*ret_bad = NULL;
	for (char *p = strtok_r(copy, ", \t", &save); p != NULL && *ret_bad == NULL; p = strtok_r(NULL, ", \t", &save))
		if (!add(r, p))
			*ret_bad = strdup(p);
	free(copy);
	if (*ret_bad == NULL)
		return r;
	reach_free(r);
	return NULL;
}

void reach_free(struct reach *r)
{
	for (size_t i = 0; r != NULL && i < r->n; i++)
		free(r->v[i].name);
	if (r != NULL)
		free(r->v);
	free(r);
}

/* ---- verdicts ---- */

static bool is_special(const struct address *a)
{
	/* RFC 6890 and RFC 4291: this host, loopback, link-local, multicast, reserved; both families */
	static const char *const special[] = {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
					      "::/128", "::1/128", "fe80::/10", "ff00::/8"};
	for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
		struct network n;
		check(network_parse(special[i], &n));
		if (network_has(&n, a))
			return true;
	}
	return false;
}

static bool is_own(const struct address *a)
{
	struct ifaddrs *all;
	bool own = false;
	if (getifaddrs(&all) != 0)
		return true; /* what cannot be told apart is not reached */
	for (const struct ifaddrs *i = all; i != NULL && !own; i = i->ifa_next) {
		struct address mine;
		own = i->ifa_addr != NULL && address_of(i->ifa_addr, &mine) && address_equal(&mine, a);
	}
	freeifaddrs(all);
	return own;
}

static bool name_listed(const struct reach *r, const char *host)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].name != NULL && strcasecmp(r->v[i].name, host) == 0)
			return true;
	return false;
}

static bool address_listed(const struct reach *r, const struct address *a)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].name == NULL && network_has(&r->v[i].net, a))
			return true;
	return false;
}

bool reach_allows(const struct reach *r, const char *host, const struct address *a)
{
	if (r->n > 0)
		return name_listed(r, host) || address_listed(r, a);
	return !is_special(a) && !is_own(a);
}

static bool is_localhost(const char *host)
{
	static const char name[] = "localhost";
	size_t n = strlen(host), m = sizeof name - 1;
	if (n > 0 && host[n - 1] == '.')
		n--;
	return n >= m && strncasecmp(host + n - m, name, m) == 0 && (n == m || host[n - m - 1] == '.');
}

bool reach_may_allow(const struct reach *r, const char *host)
{
	struct address a;
	if (address_parse(host, strlen(host), &a))
		return reach_allows(r, host, &a);
	if (is_localhost(host))
		return r->n > 0; /* listed by name, or by an address that is seen when it is resolved */
	return true;
}

/* ---- connecting ---- */

/* 1: connected, 0: not, -1: woken. */
static int wait_connected(int fd, int64_t deadline, int wake_fd)
{
	for (;;) {
		struct pollfd p[] = {{.fd = fd, .events = POLLOUT}, {.fd = wake_fd, .events = POLLIN}};
		int64_t left = (deadline - clock_monotonic()) / 1000;
		int n = left <= 0 ? 0 : poll(p, 2, (int)left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0 && p[1].revents != 0)
			return -1;
		int error = ETIMEDOUT;
		socklen_t len = sizeof error;
		if (n > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
			error = errno;
		errno = error;
		return error == 0;
	}
}

static int try_one(const struct addrinfo *ai, int64_t deadline, int wake_fd, int *ret_fd)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
	if (fd < 0)
		return 0;
	int done = connect(fd, ai->ai_addr, ai->ai_addrlen) == 0;
	if (!done && errno == EINPROGRESS)
		done = wait_connected(fd, deadline, wake_fd);
	if (done != 1) {
		int error = errno;
		close(fd);
		errno = error;
		return done;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	*ret_fd = fd;
	return 1;
}

enum err reach_connect(struct scope *s, const struct reach *r, const char *host, unsigned port, int timeout_ms, int wake_fd, int *ret_fd)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list;
	char service[8];
	int64_t deadline = clock_monotonic() + timeout_ms * INT64_C(1000);
	snprintf(service, sizeof service, "%u", port);
	int code = getaddrinfo(host, service, &hints, &list);
	if (code != 0)
		return scope_fail(s, ERR_NO_SERVER, "the host's name is not resolved: %s", gai_strerror(code));
	int done = 0, refused = 0, tried = 0, error = 0;
	for (const struct addrinfo *ai = list; ai != NULL && done == 0; ai = ai->ai_next) {
		struct address a;
		if (!address_of(ai->ai_addr, &a) || !reach_allows(r, host, &a)) {
			refused++;
			continue;
		}
		tried++;
		done = try_one(ai, deadline, wake_fd, ret_fd);
		error = errno;
	}
	freeaddrinfo(list);
	if (done == 1)
		return OK;
	if (tried == 0 && refused > 0)
		return scope_fail(s, ERR_FORBIDDEN, "the address is not one that may be reached (setting sink_targets)");
	return scope_fail(s, ERR_NO_SERVER, "no connection: %s", done < 0 ? "the server stops" : strerror(error));
}
