/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "crypto/digest.h"

#define NONE UINT64_MAX

void wire_init(struct wire *w)
{
	buf_init(&w->b, WIRE_MAX);
	w->at = 0;
	w->bad = false;
}

static void blank(struct wire *w)
{
	if (w->b.data != NULL)
		wipe(w->b.data, w->b.len);
}

void wire_release(struct wire *w)
{
	blank(w);
	buf_release(&w->b);
}

void wire_clear(struct wire *w)
{
	blank(w);
	buf_clear(&w->b);
	w->at = 0;
	w->bad = false;
}

/* ---- putting ---- */

void wire_put(struct wire *w, const void *p, size_t n)
{
	buf_add(&w->b, p, n);
}

void wire_put_bytes(struct wire *w, const void *p, size_t n)
{
	uint64_t length = p != NULL ? n : NONE;
	wire_put(w, &length, sizeof length);
	if (p != NULL)
		wire_put(w, p, n);
}

void wire_put_text(struct wire *w, const char *s)
{
	wire_put_bytes(w, s, s != NULL ? strlen(s) : 0);
}

void wire_put_int(struct wire *w, int64_t v)
{
	wire_put(w, &v, sizeof v);
}

/* ---- taking ---- */

static const char *take(struct wire *w, size_t n)
{
	if (w->bad || n > w->b.len - w->at) {
		w->bad = true;
		return NULL;
	}
	const char *p = w->b.data + w->at;
	w->at += n;
	return p;
}

void wire_take(struct wire *w, void *ret, size_t n)
{
	const char *p = n > 0 ? take(w, n) : NULL;
	if (p != NULL)
		memcpy(ret, p, n);
	else
		memset(ret, 0, n);
}

void *wire_take_bytes(struct wire *w, struct arena *a, size_t *ret_n)
{
	uint64_t n = NONE;
	*ret_n = 0;
	wire_take(w, &n, sizeof n);
	const char *p = w->bad || n == NONE ? NULL : take(w, n);
	if (p == NULL)
		return NULL;
	*ret_n = n;
	return arena_strndup(a, p, n);
}

char *wire_take_text(struct wire *w, struct arena *a)
{
	size_t n;
	return wire_take_bytes(w, a, &n);
}

int64_t wire_take_int(struct wire *w)
{
	int64_t v = 0;
	wire_take(w, &v, sizeof v);
	return v;
}

/* ---- sending ---- */

static bool send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

static bool receive_all(int fd, char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, p, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		p += got;
		n -= (size_t)got;
	}
	return true;
}

/* Length and message in one call where they fit, so that the other side wakes once. */
bool wire_send(int fd, const struct wire *w)
{
	uint64_t n = w->b.len;
	struct iovec parts[] = {{&n, sizeof n}, {w->b.data, w->b.len}};
	struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};
	check(!w->b.failed);
	ssize_t sent;
	do
		sent = sendmsg(fd, &m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < (ssize_t)sizeof n)
		return false; /* a new message is never cut within its first bytes */
	size_t done = (size_t)sent - sizeof n;
	return send_all(fd, w->b.data + done, w->b.len - done);
}

bool wire_receive(int fd, struct wire *w)
{
	uint64_t n;
	char piece[16 * 1024];
	wire_clear(w);
	if (!receive_all(fd, (char *)&n, sizeof n) || n > WIRE_MAX)
		return false;
	while (n > 0) {
		size_t part = n < sizeof piece ? (size_t)n : sizeof piece;
		if (!receive_all(fd, piece, part))
			return false;
		wire_put(w, piece, part);
		n -= part;
	}
	wipe(piece, sizeof piece);
	return !w->b.failed;
}
