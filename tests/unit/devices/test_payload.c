/* SPDX-License-Identifier: Apache-2.0
 * Properties of items: what is accepted, what is refused and why, secrets, placeholders, and the paths that the agent
 * may touch as root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "codec/json.h"
#include "crypto/x509.h"
#include "devices/payload.h"
#include "keeper/keeper.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct scope S;
static struct keeper *K;
static char dir[64];

static int up(void **state)
{
	char path[96], *detail = NULL;
	strcpy(dir, "/tmp/reeve-payload-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/keeper", dir);
	assert_int_equal(keeper_create(path, "Test CA", clock_now(), &detail), OK);
	assert_int_equal(keeper_open(path, &K, &detail), OK);
	S.arena = arena_new(16 * MIB);
	return 0;
}

static int down(void **state)
{
	char command[96];
	keeper_close(K);
	arena_free(S.arena);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static struct scope *again(void)
{
	struct arena *a = S.arena;
	scope_system(&S, a, NULL, K);
	return &S;
}

/* The stored text of a new item, or NULL where it is refused. */
static const char *stored(enum payload_type t, const char *json)
{
	struct scope *s = again();
	auto_json *body = NULL;
	auto_json *own = NULL;
	const char *text = NULL;
	assert_int_equal(json_read(s, json, strlen(json), &body), OK);
	enum err e = payload_read(s, t, body, &own);
	if (e == OK)
		e = payload_merge(s, t, NULL, own, &text);
	assert_true(e == OK || e == ERR_BAD_REQUEST);
	assert_true(e == OK || s->detail != NULL);
	return e == OK ? text : NULL;
}

static void accepted_and_refused(void **state)
{
	static const struct {
		enum payload_type type;
		const char *json;
		bool accepted;
	} rows[] = {
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\",\"content\":\"hi\\n\"}", true},
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\",\"content\":\"\"}", true},
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\",\"content\":\"x\",\"mode\":\"0600\"}", true},
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\"}", false},
		{PAYLOAD_settings, "{\"content\":\"x\"}", false},
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\",\"content\":7}", false},
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\",\"content\":null}", false},
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\",\"content\":\"a\\u0007b\"}", false},
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\",\"content\":\"x\",\"mode\":\"4755\"}", false},
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\",\"content\":\"x\",\"mode\":\"644\"}", false},
		{PAYLOAD_settings, "{\"path\":\"/etc/motd\",\"content\":\"x\",\"mode\":\"0888\"}", false},
		{PAYLOAD_settings, "{\"path\":\"/etc/shadow\",\"content\":\"x\"}", false},
		{PAYLOAD_wifi, "{\"ssid\":\"Office\",\"security\":\"wpaPersonal\",\"passphrase\":\"correct horse\"}",
		 true},
		{PAYLOAD_wifi, "{\"ssid\":\"Guest\",\"security\":\"open\",\"hidden\":true}", true},
		{PAYLOAD_wifi, "{\"ssid\":\"Office\",\"security\":\"wpaPersonal\"}", false},
		{PAYLOAD_wifi, "{\"ssid\":\"Office\",\"security\":\"wpaPersonal\",\"passphrase\":\"short\"}", false},
		{PAYLOAD_wifi, "{\"ssid\":\"Office\",\"security\":\"open\",\"passphrase\":\"correct horse\"}", false},
		{PAYLOAD_wifi, "{\"ssid\":\"Office\",\"security\":\"wep\"}", false},
		{PAYLOAD_wifi, "{\"ssid\":\"123456789012345678901234567890123\",\"security\":\"open\"}", false},
		{PAYLOAD_wifi, "{\"ssid\":\"\",\"security\":\"open\"}", false},
		{PAYLOAD_wifi, "{\"ssid\":\"a\\nb\",\"security\":\"open\"}", false},
		{PAYLOAD_wifi, "{\"ssid\":\"Guest\",\"security\":\"open\",\"hidden\":\"yes\"}", false},
		{PAYLOAD_email,
		 "{\"accountName\":\"Work\",\"incomingServer\":\"imap.example.org\",\"outgoingServer\":\"smtp.example."
		 "org\"}",
		 true},
		{PAYLOAD_email, "{\"accountName\":\"Work\",\"incomingServer\":\"imap.example.org\"}", false},
		{PAYLOAD_email, "{\"accountName\":\"Work\",\"incomingServer\":\"im ap\",\"outgoingServer\":\"s\"}",
		 false},
		{PAYLOAD_email, "{\"accountName\":\"Work\",\"incomingServer\":\"-a.b\",\"outgoingServer\":\"s\"}",
		 false},
		{PAYLOAD_email, "{\"accountName\":\"Work\",\"incomingServer\":\"a..b\",\"outgoingServer\":\"s\"}",
		 false},
		{PAYLOAD_email,
		 "{\"accountName\":\"Work\",\"incomingServer\":\"a\",\"outgoingServer\":\"s\",\"incomingPort\":0}",
		 false},
		{PAYLOAD_email,
		 "{\"accountName\":\"Work\",\"incomingServer\":\"a\",\"outgoingServer\":\"s\",\"outgoingPort\":65536}",
		 false},
		{PAYLOAD_email,
		 "{\"accountName\":\"Work\",\"incomingServer\":\"a\",\"outgoingServer\":\"s\",\"incomingProtocol\":"
		 "\"pop3\"}",
		 false},
		{PAYLOAD_email, "{\"accountName\":\"Wo\\nrk\",\"incomingServer\":\"a\",\"outgoingServer\":\"s\"}",
		 false},
		{PAYLOAD_caCertificate,
		 "{\"certificate\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n\"}", false},
		{PAYLOAD_caCertificate, "{\"certificate\":\"hello\"}", false},
		{PAYLOAD_app,
		 "{\"package\":\"acme-tool\",\"version\":\"1:2.0~rc1-3\",\"dataPaths\":[\"/var/lib/acme\",\"~/.config/"
		 "acme\"]}",
		 true},
		{PAYLOAD_app,
		 "{\"package\":\"acme\",\"version\":null,\"files\":[{\"path\":\"/opt/acme/"
		 "run\",\"content\":\"#!\",\"mode\":\"0755\"}]}",
		 true},
		{PAYLOAD_app, "{\"package\":\"Acme\"}", false},
		{PAYLOAD_app, "{\"package\":\"a\"}", false},
		{PAYLOAD_app, "{\"package\":\"acme --purge\"}", false},
		{PAYLOAD_app, "{\"package\":\"-acme\"}", false},
		{PAYLOAD_app, "{\"package\":\"acme\",\"version\":\"v1\"}", false},
		{PAYLOAD_app, "{\"package\":\"acme\",\"version\":\"1;reboot\"}", false},
		{PAYLOAD_app, "{\"package\":\"acme\",\"dataPaths\":\"/var/lib/acme\"}", false},
		{PAYLOAD_app, "{\"package\":\"acme\",\"dataPaths\":[\"/var/lib\"]}", false},
		{PAYLOAD_app, "{\"package\":\"acme\",\"files\":[{\"path\":\"/home/ada/x\",\"content\":\"\"}]}", false},
		{PAYLOAD_app,
		 "{\"package\":\"acme\",\"files\":[{\"path\":\"/opt/x\",\"content\":\"\",\"owner\":\"root\"}]}", false},
		{PAYLOAD_app,
		 "{\"package\":\"acme\",\"files\":[{\"path\":\"/opt/x\",\"content\":\"\",\"mode\":\"4755\"}]}", false},
		{PAYLOAD_app, "{\"package\":\"acme\",\"files\":[7]}", false},
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		if ((stored(rows[i].type, rows[i].json) != NULL) != rows[i].accepted)
			fail_msg("%s: %s", rows[i].json, rows[i].accepted ? "refused" : "accepted");
}

static void file_paths(void **state)
{
	static const char *const good[] = {"/etc/motd",         "/etc/acme/acme.conf",
					   "/usr/local/etc/x",  "/opt/acme/bin/run",
					   "/etc/groups.d/x/y", "/homes/x",
					   "/etc/..motd",       "/etc/NetworkManager/conf.d/10.conf"};
	static const char *const bad[] = {"",
					  "/",
					  "etc/motd",
					  "~/.bashrc",
					  "/etc/",
					  "/etc//motd",
					  "/etc/./motd",
					  "/etc/../home/ada/x",
					  "/..",
					  "/etc/motd/..",
					  "/home",
					  "/home/ada/.bashrc",
					  "/root/x",
					  "/proc/sys/x",
					  "/sys/x",
					  "/dev/sda",
					  "/boot/grub/grub.cfg",
					  "/run/x",
					  "/etc/passwd",
					  "/etc/passwd-",
					  "/etc/shadow",
					  "/etc/shadow-",
					  "/etc/gshadow",
					  "/etc/sudoers",
					  "/etc/sudoers.d/x",
					  "/etc/ssh/sshd_config",
					  "/etc/pam.d/x",
					  "/etc/ld.so.preload",
					  "/etc/reeve-agent.conf",
					  "/var/lib/reeve-agent/key.pem",
					  "/etc",
					  "/usr/bin",
					  "/etc/mo\ntd",
					  "/etc/mo\x7ftd"};
	for (size_t i = 0; i < COUNT(good); i++)
		if (payload_file_path_problem(good[i]) != NULL)
			fail_msg("%s %s", good[i], payload_file_path_problem(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		if (payload_file_path_problem(bad[i]) == NULL)
			fail_msg("%s was accepted", bad[i]);
}

static void data_paths(void **state)
{
	static const char *const good[] = {"/var/lib/acme",  "/opt/acme", "/etc/acme",           "/srv/acme/data",
					   "~/.config/acme", "~/.acme",   "~/.local/share/acme", "~/.var/app/org.acme"};
	static const char *const bad[] = {"/",
					  "/opt",
					  "/acme",
					  "/var/lib",
					  "/var",
					  "/usr/lib",
					  "/var/lib/dpkg",
					  "/home/ada",
					  "/home/ada/.config/acme",
					  "~",
					  "~/",
					  "~/Documents",
					  "~/Documents/acme",
					  "~/.config",
					  "~/.local/share",
					  "~/.ssh",
					  "~/.ssh/acme",
					  "~/.gnupg",
					  "~/.mozilla",
					  "~/..",
					  "~/.config/../Documents",
					  "~ada/.config/x",
					  "/var/lib/acme/..",
					  "/var/log",
					  "/etc/systemd/system",
					  "~/.bashrc",
					  "~/.local/share/keyrings"};
	for (size_t i = 0; i < COUNT(good); i++)
		if (payload_data_path_problem(good[i]) != NULL)
			fail_msg("%s %s", good[i], payload_data_path_problem(good[i]));
	for (size_t i = 0; i < COUNT(bad); i++)
		if (payload_data_path_problem(bad[i]) == NULL)
			fail_msg("%s was accepted", bad[i]);
}

static char *escaped(const char *pem)
{
	char *out = arena_alloc(S.arena, 2 * strlen(pem) + 1), *p = out;
	for (; *pem != '\0'; pem++)
		if (*pem == '\n')
			*p++ = '\\', *p++ = 'n';
		else
			*p++ = *pem;
	return out;
}

static void a_certificate_is_read_before_it_is_trusted(void **state)
{
	struct x509_pair ca;
	struct scope *s = again();
	assert_int_equal(x509_make_ca(s->arena, "Example Root", clock_now(), 100, &ca), OK);
	const char *pem = escaped(ca.cert_pem), *key = escaped(ca.key_pem);
	assert_non_null(stored(PAYLOAD_caCertificate, arena_printf(s->arena, "{\"certificate\":\"%s\"}", pem)));
	assert_null(stored(PAYLOAD_caCertificate, arena_printf(s->arena, "{\"certificate\":\"%s%s\"}", pem, pem)));
	assert_null(stored(PAYLOAD_caCertificate, arena_printf(s->arena, "{\"certificate\":\"%s%s\"}", pem, key)));
	assert_null(stored(PAYLOAD_caCertificate, arena_printf(s->arena, "{\"certificate\":\"%s\"}", key)));
	assert_null(stored(PAYLOAD_caCertificate, arena_printf(s->arena, "{\"certificate\":\"text\\n%s\"}", pem)));
}

static const char *written(bool for_device, enum payload_type t, const char *text, const struct payload_person *p)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, MIB);
	jw_init(&w, &out);
	if (for_device) {
		assert_int_equal(payload_deliver(&S, t, text, p, &w), OK);
	} else {
		jw_object(&w);
		assert_int_equal(payload_write(&S, t, text, &w), OK);
		jw_end_object(&w);
	}
	assert_false(out.failed);
	return arena_strndup(S.arena, out.data, out.len);
}

static void a_passphrase_is_for_the_device_only(void **state)
{
	const char *text = stored(
		PAYLOAD_wifi, "{\"ssid\":\"Office\",\"security\":\"wpaPersonal\",\"passphrase\":\"correct horse\"}");
	assert_non_null(text);
	assert_null(strstr(text, "correct horse"));
	const char *people = written(false, PAYLOAD_wifi, text, NULL);
	assert_non_null(strstr(people, "\"passphrase\":null"));
	const char *device = written(true, PAYLOAD_wifi, text, &(struct payload_person){0});
	assert_string_equal(
		device,
		"{\"ssid\":\"Office\",\"security\":\"wpaPersonal\",\"passphrase\":\"correct horse\",\"hidden\":false}");
}

/* What a client reads and sends back unchanged must change nothing. */
static void a_secret_sent_back_as_null_stays(void **state)
{
	const char *text = stored(
			   PAYLOAD_wifi,
			   "{\"ssid\":\"Office\",\"security\":\"wpaPersonal\",\"passphrase\":\"correct horse\"}"),
		   *after, *names;
	auto_json *change = NULL;
	auto_json *own = NULL;
	const char *body = "{\"ssid\":\"Office\",\"passphrase\":null}";
	assert_int_equal(json_read(&S, body, strlen(body), &change), OK);
	assert_int_equal(payload_read(&S, PAYLOAD_wifi, change, &own), OK);
	assert_int_equal(payload_merge(&S, PAYLOAD_wifi, text, own, &after), OK);
	assert_string_equal(after, text);
	assert_int_equal(payload_difference(&S, text, after, &names), OK);
	assert_null(names);
}

static void opening_a_network_drops_its_passphrase(void **state)
{
	const char *text = stored(
			   PAYLOAD_wifi,
			   "{\"ssid\":\"Office\",\"security\":\"wpaPersonal\",\"passphrase\":\"correct horse\"}"),
		   *after, *names;
	auto_json *change = json_pack("{s:s}", "security", "open");
	assert_int_equal(payload_merge(&S, PAYLOAD_wifi, text, change, &after), OK);
	assert_null(strstr(after, "passphrase"));
	assert_int_equal(payload_difference(&S, text, after, &names), OK);
	assert_non_null(strstr(names, "security"));
	assert_non_null(strstr(names, "passphrase"));
	auto_json *back = json_pack("{s:s}", "security", "wpaPersonal");
	assert_int_equal(payload_merge(&S, PAYLOAD_wifi, after, back, &after), ERR_BAD_REQUEST);
}

static void an_email_profile_is_the_persons_own(void **state)
{
	const char *text = stored(PAYLOAD_email, "{\"accountName\":\"Work\",\"incomingServer\":\"imap.example.org\","
						 "\"outgoingServer\":\"smtp.example.org\"}");
	const char *device = written(true, PAYLOAD_email, text,
				     &(struct payload_person){"ada@example.org", NULL, "Ada \"L\""});
	assert_non_null(strstr(device, "\"emailAddress\":\"ada@example.org\"")); /* no mail: the UPN */
	assert_non_null(strstr(device, "\"userName\":\"ada@example.org\""));
	assert_non_null(strstr(device, "\"displayName\":\"Ada \\\"L\\\"\""));
	assert_non_null(strstr(device, "\"incomingPort\":993"));
	device = written(true, PAYLOAD_email, text,
			 &(struct payload_person){"ada@example.org", "a.l@example.org", "Ada"});
	assert_non_null(strstr(device, "\"emailAddress\":\"a.l@example.org\""));
	assert_null(strstr(written(false, PAYLOAD_email, text, NULL), "displayName")); /* the base type's own */
}

static void placeholders_are_three_and_no_more(void **state)
{
	const char *text = stored(
		PAYLOAD_settings,
		"{\"path\":\"/etc/x\",\"content\":\"{{mail}}|{{ mail }}|{{secret}}|{{userPrincipalName}}|{{\"}");
	const char *device = written(true, PAYLOAD_settings, text, &(struct payload_person){"u@x", "m@x", "D"});
	assert_non_null(strstr(device, "\"content\":\"m@x|{{ mail }}|{{secret}}|u@x|{{\""));
	device = written(true, PAYLOAD_settings, text, &(struct payload_person){0});
	assert_non_null(strstr(device, "\"content\":\"|{{ mail }}|{{secret}}||{{\""));
}

static void an_item_has_a_size(void **state)
{
	struct scope *s = again();
	char *big = arena_alloc(s->arena, LIMIT_PAYLOAD_BYTES + 1);
	memset(big, 'x', LIMIT_PAYLOAD_BYTES);
	assert_null(stored(PAYLOAD_settings, arena_printf(s->arena, "{\"path\":\"/etc/x\",\"content\":\"%s\"}", big)));
	big[LIMIT_PAYLOAD_BYTES - 200] = '\0';
	assert_non_null(
		stored(PAYLOAD_settings, arena_printf(s->arena, "{\"path\":\"/etc/x\",\"content\":\"%s\"}", big)));
}

static void types_are_of_their_item(void **state)
{
	enum payload_type t;
	assert_true(payload_type_parse("#microsoft.graph.linuxDebianApp", ITEM_APP, &t) && t == PAYLOAD_app);
	assert_true(payload_type_parse("microsoft.graph.linuxWiFiConfiguration", ITEM_CONFIGURATION, &t) &&
		    t == PAYLOAD_wifi);
	assert_false(payload_type_parse("#microsoft.graph.linuxDebianApp", ITEM_CONFIGURATION, &t));
	assert_false(payload_type_parse("#microsoft.graph.windows10GeneralConfiguration", ITEM_CONFIGURATION, &t));
	assert_false(payload_type_parse("", ITEM_CONFIGURATION, &t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_and_refused),
		cmocka_unit_test(file_paths),
		cmocka_unit_test(data_paths),
		cmocka_unit_test(a_certificate_is_read_before_it_is_trusted),
		cmocka_unit_test(a_passphrase_is_for_the_device_only),
		cmocka_unit_test(a_secret_sent_back_as_null_stays),
		cmocka_unit_test(opening_a_network_drops_its_passphrase),
		cmocka_unit_test(an_email_profile_is_the_persons_own),
		cmocka_unit_test(placeholders_are_three_and_no_more),
		cmocka_unit_test(an_item_has_a_size),
		cmocka_unit_test(types_are_of_their_item),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, up, down);
}
