/* SPDX-License-Identifier: Apache-2.0 */
#include "http/outbound.h"

#include <sys/socket.h>

#include "http/address.h"

/* The address is judged here, where it is connected to. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *ai)
{
	struct outbound *o = arg;
	struct address a;
	if (!address_of(&ai->addr, &a) || !reach_allows(o->reach, o->host, &a)) {
		o->refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(ai->family, ai->socktype | SOCK_CLOEXEC, ai->protocol);
}

static size_t ignore(char *p, size_t size, size_t n, void *arg)
{
	struct outbound *o = arg;
	o->answered += size * n;
	return o->answered > OUTBOUND_ANSWER_MAX ? 0 : size * n;
}

void outbound_guard(CURL *h, struct outbound *o, const char *url)
{
	curl_easy_setopt(h, CURLOPT_URL, url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PROXY, ""); /* none, whatever the environment says: it would go round the check of addresses */
	curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "reeve/" REEVE_VERSION);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, o);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, ignore);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, o);
}

bool outbound_answered(const struct outbound *o, CURLcode code)
{
	return code == CURLE_OK || (code == CURLE_WRITE_ERROR && o->answered > OUTBOUND_ANSWER_MAX);
}
