/* SPDX-License-Identifier: Apache-2.0
 * What a tenant's target may be: never this machine, unless the operator says so.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "client.h"
#include "http/reach.h"

static bool allows(const char *setting, const char *host, const char *address)
{
	char *bad;
	struct address a;
	struct reach *r = reach_new(setting, &bad);
	assert_non_null(r);
	assert_true(address_parse(address, strlen(address), &a));
	bool yes = reach_allows(r, host, &a);
	reach_free(r);
	return yes;
}

static bool may(const char *setting, const char *host)
{
	char *bad;
	struct reach *r = reach_new(setting, &bad);
	assert_non_null(r);
	bool yes = reach_may_allow(r, host);
	reach_free(r);
	return yes;
}

static void unlisted_machines_of_ones_own_are_refused(void **state)
{
	static const char *const refused[] = {"127.0.0.1", "127.8.9.10", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::1", "::",
					      "::ffff:127.0.0.1", "fe80::1", "febf::1", "ff02::1"};
	static const char *const allowed[] = {"192.0.2.1", "10.1.2.3", "172.16.0.1", "2001:db8::1", "fd00::1", "128.0.0.1", "169.253.0.1", "fec0::1"};
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		if (allows("", "siem.example.org", refused[i]) || may("", refused[i]))
			fail_msg("allowed: %s", refused[i]);
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		if (!allows("", "siem.example.org", allowed[i]) || !may("", allowed[i]))
			fail_msg("refused: %s", allowed[i]);
}

static void a_list_is_all_that_is_reached(void **state)
{
	static const char list[] = "10.0.0.0/8, siem.example.org,127.0.0.1 , [::1]";
	assert_true(allows(list, "x", "10.9.9.9"));
	assert_false(allows(list, "x", "11.0.0.1"));
	assert_true(allows(list, "127.0.0.1", "127.0.0.1"));
	assert_false(allows(list, "127.0.0.2", "127.0.0.2"));
	assert_true(allows(list, "SIEM.example.org", "169.254.1.1")); /* a listed name, wherever it leads */
	assert_false(allows(list, "xsiem.example.org", "169.254.1.1"));
	assert_true(allows(list, "x", "::1"));
}

static void names_are_judged_when_they_are_resolved(void **state)
{
	assert_true(may("", "siem.example.org"));
	assert_true(may("10.0.0.0/8", "siem.example.org"));
	assert_false(may("", "localhost"));
	assert_false(may("", "a.LocalHost."));
	assert_true(may("", "notlocalhost"));
	assert_true(may("127.0.0.1", "localhost"));
	assert_false(may("10.0.0.0/8", "192.0.2.1"));
}

static void what_cannot_be_read_is_named(void **state)
{
	static const char *const wrong[] = {"10.0.0.0/33", "a/b", "1.2.3", "https://x", "x, y z!", "10.0.0.0/8;x"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char *bad = NULL;
		struct reach *r = reach_new(wrong[i], &bad);
		if (r != NULL || bad == NULL)
			fail_msg("accepted: %s", wrong[i]);
		free(bad);
	}
}

/* A listener that nobody accepts from: the kernel does. */
static unsigned listener(int *ret_fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;
	*ret_fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(*ret_fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(*ret_fd, 4), 0);
	assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&a, &n), 0);
	return ntohs(a.sin_port);
}

static enum err try(const char *setting, const char *host, unsigned port)
{
	struct scope s;
	char *bad;
	int fd;
	struct arena *arena = arena_new(64 * KIB);
	struct reach *r = reach_new(setting, &bad);
	scope_system(&s, arena, NULL, NULL);
	enum err e = reach_connect(&s, r, host, port, 2000, -1, &fd);
	if (e == OK)
		close(fd);
	else
		assert_null(strstr(scope_detail(&s, e), host));
	reach_free(r);
	arena_free(arena);
	return e;
}

static void the_address_is_judged_at_the_connect(void **state)
{
	int fd;
	unsigned port = listener(&fd);
	assert_int_equal(try("", "localhost", port), ERR_FORBIDDEN);
	assert_int_equal(try("", "0x7f000001", port), ERR_FORBIDDEN); /* forms that only the resolver knows */
	assert_int_equal(try("", "127.1", port), ERR_FORBIDDEN);
	assert_int_equal(try("127.0.0.1", "localhost", port), OK);
	assert_int_equal(try("localhost", "localhost", port), OK);
	close(fd);
	assert_int_equal(try("127.0.0.1", "127.0.0.1", port), ERR_NO_SERVER);
	assert_int_equal(try("127.0.0.1", "does-not-exist.invalid", port), ERR_NO_SERVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unlisted_machines_of_ones_own_are_refused), cmocka_unit_test(a_list_is_all_that_is_reached),
		cmocka_unit_test(names_are_judged_when_they_are_resolved),   cmocka_unit_test(what_cannot_be_read_is_named),
		cmocka_unit_test(the_address_is_judged_at_the_connect),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("reach", tests, NULL, NULL);
}
