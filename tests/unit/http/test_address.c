/* SPDX-License-Identifier: Apache-2.0
 * Addresses, networks, and whom X-Forwarded-For makes the client: never an address that an outsider could have written.
 */
#include "client.h"

static struct address addr(const char *text)
{
	struct address a;
	assert_true(address_parse(text, strlen(text), &a));
	return a;
}

static void texts(void **state)
{
	static const char *const cases[][2] = {
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:8080", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:DB8::1", "2001:db8::1"},
		{"[2001:db8::1]:443", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
	};
	char out[ADDRESS_TEXT];
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct address a = addr(cases[i][0]);
		assert_string_equal(address_format(&a, out), cases[i][1]);
	}
	static const char *const wrong[] = {"", "unknown", "192.0.2", "192.0.2.256", "[]", "[2001:db8::1",
		":80", "1.2.3.4.5", "_hidden"};
	struct address a;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (address_parse(wrong[i], strlen(wrong[i]), &a))
			fail_msg("accepted: %s", wrong[i]);
}

static void networks(void **state)
{
	static const struct {
		const char *network, *address;
		bool inside;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"fd00::/8", "fdff::1", true},
		{"fd00::/8", "fe80::1", false},
		{"::/0", "192.0.2.1", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct network n;
		struct address a = addr(cases[i].address);
		assert_true(network_parse(cases[i].network, &n));
		if (network_has(&n, &a) != cases[i].inside)
			fail_msg("%s in %s", cases[i].address, cases[i].network);
	}
	static const char *const wrong[] = {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "fd00::/129", "localhost",
		"10.0.0.0/8x", ""};
	struct network n;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (network_parse(wrong[i], &n))
			fail_msg("accepted: %s", wrong[i]);
}

static void clients(void **state)
{
	static const struct {
		const char *peer, *forwarded[3], *want;
	} cases[] = {
		{"203.0.113.9", {"198.51.100.1"}, "203.0.113.9"},                          /* no proxy: not believed */
		{"10.0.0.1", {NULL}, "10.0.0.1"},
		{"10.0.0.1", {"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1", {"198.51.100.1, 203.0.113.5"}, "203.0.113.5"},        /* the left one anyone can write */
		{"10.0.0.1", {"198.51.100.1,10.0.0.2 , 10.0.0.3"}, "198.51.100.1"},        /* a chain of proxies */
		{"10.0.0.1", {"198.51.100.1", "203.0.113.5, 10.0.0.2"}, "203.0.113.5"},    /* two header lines */
		{"10.0.0.1", {"198.51.100.1, unknown"}, "10.0.0.1"},
		{"10.0.0.1", {"198.51.100.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1", {""}, "10.0.0.1"},
		{"10.0.0.1", {","}, "10.0.0.1"},
		{"10.0.0.1", {"[2001:db8::7]:9"}, "2001:db8::7"},
		{"10.0.0.1", {"10.0.0.9"}, "10.0.0.9"},                                  /* all trusted: farthest */
	};
	struct network trusted;
	assert_true(network_parse("10.0.0.0/24", &trusted));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char out[ADDRESS_TEXT];
		size_t n = 0;
		while (n < 3 && cases[i].forwarded[n] != NULL)
			n++;
		struct address a = address_client(addr(cases[i].peer), &trusted, 1, cases[i].forwarded, n);
		if (strcmp(address_format(&a, out), cases[i].want) != 0)
			fail_msg("case %zu: %s instead of %s", i, out, cases[i].want);
	}
}

static void expect_ip(struct site *site, const char *header, const char *want)
{
	char text[512];
	int fd = dial(site);
	snprintf(text, sizeof text, "GET /ip HTTP/1.1\r\nHost: h\r\n%s\r\n", header);
	put(fd, text);
	expect_body(fd, 200, want);
	close(fd);
}

static void proxies_through_the_server(void **state)
{
	static const char *const proxies[] = {"192.0.2.1", "127.0.0.0/8", NULL};
	struct site site = {0};
	site_open_with(&site, (struct http_options){.proxies = proxies}, SITE_TUNING, 2, 10);
	expect_ip(&site, "", "127.0.0.1");
	expect_ip(&site, "x-forwarded-for: 203.0.113.5\r\n", "203.0.113.5");
	expect_ip(&site, "X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.6, 192.0.2.1\r\n", "203.0.113.6");
	site_close(&site);
	site_open(&site);
	expect_ip(&site, "X-Forwarded-For: 203.0.113.5\r\n", "127.0.0.1");
	site_close(&site);
}

/* "::" serves both families, and an IPv4 client looks like one. */
static void dual_stack(void **state)
{
	struct site site = {0};
	struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	bool have_v6 = fd >= 0 && bind(fd, (struct sockaddr *)&to, sizeof to) == 0;
	if (fd >= 0)
		close(fd);
	if (!have_v6) {
		skip();
		return;
	}
	site_open_with(&site, (struct http_options){.address = "::"}, SITE_TUNING, 1, 10);
	expect_ip(&site, "", "127.0.0.1");
	to.sin6_port = htons(http_port(site.server));
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	put(fd, "GET /ip HTTP/1.1\r\nHost: [::1]:1\r\n\r\n");
	expect_body(fd, 200, "::1");
	close(fd);
	site_close(&site);
}

static void wrong_options_are_refused(void **state)
{
	static const char *const proxies[] = {"127.0.0.1", "10.0.0.0/99", NULL};
	struct site site = {.workers = http_workers_new(1)};
	struct http_options o = {.address = "127.0.0.1", .proxies = proxies,
		.handler = site_handler(&site)};
	char *detail = NULL;
	assert_int_equal(http_listen(&o, site.workers, &site.server, &detail), ERR_CONFIG);
	assert_non_null(strstr(detail, "10.0.0.0/99"));
	free(detail);
	o.proxies = NULL;
	o.address = "localhost";
	assert_int_equal(http_listen(&o, site.workers, &site.server, &detail), ERR_CONFIG);
	free(detail);
	o.address = "127.0.0.1";
	assert_int_equal(http_listen(&o, site.workers, &site.server, &detail), OK);
	struct http_server *second = NULL;
	o.port = http_port(site.server);
	assert_int_not_equal(o.port, 0);
	assert_int_equal(http_listen(&o, site.workers, &second, &detail), ERR_BUSY);
	free(detail);
	site_close(&site);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(networks),
		cmocka_unit_test(clients),
		cmocka_unit_test(proxies_through_the_server),
		cmocka_unit_test(dual_stack),
		cmocka_unit_test(wrong_options_are_refused),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
