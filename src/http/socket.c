/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets.  The local one is made with mode 0600 before it has a name, so that there is no moment in which
 * another user could connect; a name left behind by a process that died is taken over, one that answers is not.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/server.h"

enum { BACKLOG = 1024 };

static enum err fail_errno(char **detail, int fd, const char *what, const char *where)
{
	int e = errno;
	if (fd >= 0)
		close(fd);
	return server_fail(detail, e == EADDRINUSE ? ERR_BUSY : ERR_CONFIG, "%s %s: %s", what, where, strerror(e));
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage ss = {0};
	socklen_t n = sizeof ss;
	check(getsockname(fd, (struct sockaddr *)&ss, &n) == 0);
	if (ss.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
	return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

enum err socket_listen_tcp(const char *address, uint16_t port, int *ret_fd, uint16_t *ret_port, char **detail)
{
	struct addrinfo *ai = NULL;
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
		.ai_socktype = SOCK_STREAM};
	char service[8];
	const int on = 1, off = 0;
	snprintf(service, sizeof service, "%u", (unsigned)port);
	if (getaddrinfo(address, service, &hints, &ai) != 0)
		return server_fail(detail, ERR_CONFIG, "%s is no IP address: say where to listen (settings listen and device_listen, ADDRESS:PORT)", address);
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
	if (ok && ai->ai_family == AF_INET6) /* "::" serves IPv4 too */
		ok = setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
	ok = ok && bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0;
	freeaddrinfo(ai);
	if (!ok)
		return fail_errno(detail, fd, "cannot listen on", address);
	*ret_fd = fd;
	*ret_port = bound_port(fd);
	return OK;
}

/* True where nobody listens there (any more). */
static bool remove_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	if (lstat(sun->sun_path, &st) != 0)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool dead = fd >= 0 && connect(fd, (const struct sockaddr *)sun, sizeof *sun) != 0 && errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return dead && unlink(sun->sun_path) == 0;
}

enum err socket_listen_local(const char *path, int *ret_fd, char **detail)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof sun.sun_path)
		return server_fail(detail, ERR_CONFIG, "the path of the local socket is longer than %zu bytes: %s",
			sizeof sun.sun_path - 1, path);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (!remove_stale(&sun))
		return server_fail(detail, ERR_BUSY, "%s is in use", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* On Linux the name takes the mode of the unbound socket. */
	if (fd < 0 || fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&sun, sizeof sun) != 0)
		return fail_errno(detail, fd, "cannot make the local socket", path);
	if (chmod(path, 0600) != 0 || listen(fd, BACKLOG) != 0)
		return fail_errno(detail, fd, "cannot listen on", path);
	*ret_fd = fd;
	return OK;
}
