/* SPDX-License-Identifier: Apache-2.0
 *
 * The devices of bench/checkins.sh: one thread per enrolled device, each with its own client certificate, checking in over and over for
 * some seconds, on one connection or on a new one each time (as agents do, which check in once in some hours).
 *
 *     checkins PORT CA_FILE SECONDS keep|new STATE_DIR...      prints check-ins per second, and p50 and p99 in milliseconds
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DEVICES_MAX = 256, TIMES_MAX = 200000, ANSWER_MAX = 65536 };

struct device {
	pthread_t thread;
	SSL_CTX *ctx;
	long done, failed;
};

static struct device devices[DEVICES_MAX];
static uint16_t port;
static bool keep;
static int64_t until;
static int32_t times[TIMES_MAX];
static atomic_long taken;
static char request[256];

static int64_t now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static void fail(const char *what)
{
	fprintf(stderr, "checkins: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

static SSL *open_connection(struct device *d)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
		fail("cannot connect");
	SSL *ssl = SSL_new(d->ctx);
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
		fail("no handshake");
	return ssl;
}

static void close_connection(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);
	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

/* Reads to the end of the announced body.  Whether the status is 200. */
static bool read_answer(SSL *ssl)
{
	static _Thread_local char answer[ANSWER_MAX + 1];
	size_t have = 0, all = 0;
	while (all == 0 || have < all) {
		int n = SSL_read(ssl, answer + have, (int)(ANSWER_MAX - have));
		if (n <= 0)
			return false;
		have += (size_t)n;
		answer[have] = '\0';
		const char *end = strstr(answer, "\r\n\r\n"), *length = strcasestr(answer, "content-length:");
		if (all == 0 && end != NULL && length != NULL)
			all = (size_t)(end + 4 - answer) + strtoul(length + 15, NULL, 10);
	}
	return strncmp(answer, "HTTP/1.1 200", 12) == 0;
}

static void *run(void *arg)
{
	struct device *d = arg;
	SSL *ssl = keep ? open_connection(d) : NULL;
	for (int64_t began; (began = now_us()) < until;) {
		if (!keep)
			ssl = open_connection(d);
		if (SSL_write(ssl, request, (int)strlen(request)) <= 0 || !read_answer(ssl)) {
			d->failed++;
			break;
		}
		if (!keep)
			close_connection(ssl);
		d->done++;
		long at = atomic_fetch_add(&taken, 1);
		if (at < TIMES_MAX)
			times[at] = (int32_t)(now_us() - began);
	}
	if (keep)
		close_connection(ssl);
	return NULL;
}

static void load(struct device *d, const char *ca, const char *dir)
{
	char cert[4096], key[4096];
	snprintf(cert, sizeof cert, "%s/cert.pem", dir);
	snprintf(key, sizeof key, "%s/key.pem", dir);
	d->ctx = SSL_CTX_new(TLS_client_method());
	if (d->ctx == NULL || SSL_CTX_load_verify_locations(d->ctx, ca, NULL) != 1 ||
	    SSL_CTX_use_certificate_chain_file(d->ctx, cert) != 1 || SSL_CTX_use_PrivateKey_file(d->ctx, key, SSL_FILETYPE_PEM) != 1)
		fail(dir);
	SSL_CTX_set_verify(d->ctx, SSL_VERIFY_PEER, NULL);
}

static int by_size(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static const char body[] = "{\"items\":[]}";
	int n = argc - 5;
	long done = 0, failed = 0;
	if (n < 1 || n > DEVICES_MAX) {
		fprintf(stderr, "usage: checkins PORT CA_FILE SECONDS keep|new STATE_DIR...\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	port = (uint16_t)atoi(argv[1]);
	keep = strcmp(argv[4], "keep") == 0;
	snprintf(request, sizeof request,
		 "POST /linux/checkin HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 sizeof body - 1, body);
	for (int i = 0; i < n; i++)
		load(&devices[i], argv[2], argv[5 + i]);
	int64_t began = now_us();
	until = began + atoi(argv[3]) * INT64_C(1000000);
	for (int i = 0; i < n; i++)
		if (pthread_create(&devices[i].thread, NULL, run, &devices[i]) != 0)
			fail("no thread");
	for (int i = 0; i < n; i++) {
		pthread_join(devices[i].thread, NULL);
		done += devices[i].done;
		failed += devices[i].failed;
	}
	double seconds = (double)(now_us() - began) / 1e6;
	if (failed > 0 || done == 0) {
		fprintf(stderr, "checkins: %ld answered, %ld failed\n", done, failed);
		return 1;
	}
	long kept = done < TIMES_MAX ? done : TIMES_MAX;
	qsort(times, (size_t)kept, sizeof times[0], by_size);
	printf("%.1f %.2f %.2f %ld\n", (double)done / seconds, times[kept / 2] / 1e3, times[kept - 1 - kept / 100] / 1e3, done);
	return 0;
}
