/* SPDX-License-Identifier: Apache-2.0
 * Frames of syslog over TLS, and the targets that things are sent to.
 */
#include <stdlib.h>

#include "codec/syslog.h"
#include "codec/target.h"
#include "fixture.h"

/* The frame's own count, and the message behind it. */
static const char *message_of(const struct buf *b, size_t *ret_n)
{
	char *end;
	size_t n = strtoul(b->data, &end, 10);
	assert_int_equal(*end, ' ');
	assert_int_equal(n, b->len - (size_t)(end + 1 - b->data));
	*ret_n = n;
	return end + 1;
}

static void a_frame_is_its_length_and_the_message(void **state)
{
	static const char text[] = "{\"a\":\"\xc3\xa4\n\"}";
	const struct syslog_param params[] = {{"index", "7"}, {"origin", "a\"b\\c]d"}};
	struct syslog_message m = {.severity = SYSLOG_NOTICE, .at = INT64_C(1795335330123456), .host = "reeve.example.org", .app = "reeve",
				   .id = "create User", .params = params, .param_count = 2, .text = text, .n = sizeof text - 1};
	auto_buf b;
	size_t n;
	buf_init(&b, MIB);
	syslog_frame(&b, &m);
	const char *got = message_of(&b, &n);
	assert_string_equal(got, "<109>1 2026-11-22T08:15:30.123456Z reeve.example.org reeve - create-User "
				 "[reeve@32473 index=\"7\" origin=\"a\\\"b\\\\c\\]d\"] {\"a\":\"\xc3\xa4\n\"}");
}

static void header_fields_are_printable_and_cut(void **state)
{
	char longer[64];
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	struct syslog_message m = {.severity = SYSLOG_WARNING, .host = "", .app = "a\xc3\xa4\tb", .id = longer, .text = "", .n = 0};
	auto_buf b;
	size_t n;
	buf_init(&b, MIB);
	syslog_frame(&b, &m);
	assert_string_equal(message_of(&b, &n), "<108>1 1970-01-01T00:00:00Z - a---b - xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx [reeve@32473] ");
	syslog_frame(&b, &m); /* the next one follows without anything between */
	assert_non_null(strstr(b.data, "[reeve@32473] 85 <108>1 "));
}

struct target_case {
	const char *text, *host; /* NULL: refused */
	unsigned port;
};

static void check_targets(const struct target_case *c, size_t n, bool (*parse)(struct arena *a, const char *text, struct target *ret))
{
	for (size_t i = 0; i < n; i++) {
		struct target t = {0};
		bool good = parse(again()->arena, c[i].text, &t);
		if (good != (c[i].host != NULL))
			fail_msg("%s: %s", c[i].text, good ? "accepted" : "refused");
		if (good && (strcmp(t.host, c[i].host) != 0 || t.port != c[i].port))
			fail_msg("%s: %s %u", c[i].text, t.host, t.port);
	}
}

static bool with_6514(struct arena *a, const char *text, struct target *ret)
{
	return target_host_port(a, text, 6514, ret);
}

static void host_and_port(void **state)
{
	static const struct target_case cases[] = {
		{"siem.example.org:10514", "siem.example.org", 10514}, {"siem", "siem", 6514}, {"192.0.2.1:1", "192.0.2.1", 1},
		{"[2001:db8::1]:6514", "2001:db8::1", 6514}, {"[::ffff:192.0.2.1]", "::ffff:192.0.2.1", 6514}, {"a.b.", "a.b.", 6514},
		{"", NULL, 0}, {":6514", NULL, 0}, {"a:", NULL, 0}, {"a:0", NULL, 0}, {"a:65536", NULL, 0}, {"a:065", NULL, 0}, {"a:-1", NULL, 0},
		{"a b", NULL, 0}, {"a..b", NULL, 0}, {".a", NULL, 0}, {"-a", NULL, 0}, {"a/b", NULL, 0}, {"u@a", NULL, 0}, {"2001:db8::1", NULL, 0},
		{"[fe80::1%eth0]:1", NULL, 0}, {"[::1", NULL, 0}, {"[]", NULL, 0}, {"[::1]x", NULL, 0}, {"a:1 ", NULL, 0}, {"a\n", NULL, 0},
		{"a:6514/x", NULL, 0}, {"h\xc3\xa4", NULL, 0},
	};
	check_targets(cases, COUNT(cases), with_6514);
}

static void https_urls(void **state)
{
	static const struct target_case cases[] = {
		{"https://hook.example.org/a/b?c=d", "hook.example.org", 443}, {"HTTPS://h:8443", "h", 8443}, {"https://[::1]:1/", "::1", 1},
		{"https://h?x=http://other", "h", 443}, {"http://h/", NULL, 0}, {"https:/h", NULL, 0}, {"https://", NULL, 0}, {"https:///x", NULL, 0},
		{"https://u:p@h/", NULL, 0}, {"https://u@h/", NULL, 0}, {"https://h/#f", NULL, 0}, {"https://h/ x", NULL, 0},
		{"https://a\\@b/", NULL, 0}, {"https://h%2e/", NULL, 0}, {"file:///etc/passwd", NULL, 0}, {" https://h", NULL, 0},
		{"https://h/\r\nX: y", NULL, 0}, {"https://h:x/", NULL, 0}, {"https://h/\xc3\xa4", NULL, 0},
	};
	check_targets(cases, COUNT(cases), target_https);
}

static void file_names(void **state)
{
	static const char *const good[] = {"audit", "a", "Audit-2026.log_1"}, *const bad[] = {"", ".", "..", ".a", "a/b", "a b", "a\n", "\xc3\xa4", "a*"};
	char longer[TARGET_FILE_BYTES_MAX + 2];
	for (size_t i = 0; i < COUNT(good); i++)
		assert_true(target_file_name(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		if (target_file_name(bad[i]))
			fail_msg("accepted: %s", bad[i]);
	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_false(target_file_name(longer));
	assert_true(target_file_name(longer + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_its_length_and_the_message), cmocka_unit_test(header_fields_are_printable_and_cut),
		cmocka_unit_test(host_and_port), cmocka_unit_test(https_urls), cmocka_unit_test(file_names),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("syslog", tests, scope_setup, scope_teardown);
}
