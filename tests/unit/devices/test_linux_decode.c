/* SPDX-License-Identifier: Apache-2.0
 * Messages of the agent: a good one becomes its struct, every hostile one is refused with a reason that quotes nothing
 * of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "channels/linux/decode.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define ID "01890a5d-ac96-774b-bcce-b302099a8057"

static struct scope S;
static json_t *doc;

static int up(void **state)
{
	S.arena = arena_new(LIMIT_ARENA_BYTES);
	return 0;
}

static int down(void **state)
{
	json_decref(doc);
	arena_free(S.arena);
	return 0;
}

static struct scope *again(void)
{
	struct arena *a = S.arena;
	json_decref(doc);
	doc = NULL;
	arena_reset(a);
	scope_system(&S, a, NULL, NULL);
	return &S;
}

static enum err checkin(const char *text, struct linux_checkin *ret)
{
	again();
	return linux_decode_checkin(&S, text, strlen(text), &doc, ret);
}

static void a_whole_check_in(void **state)
{
	struct linux_checkin c;
	enum err e = checkin(
		"{\"inventory\":{\"deviceName\":\"ada\",\"manufacturer\":\"LENOVO\",\"model\":null,\"serialNumber\":"
		"\"PF1\",\"chassisType\":\"laptop\","
		"\"osName\":\"Debian "
		"GNU/Linux\",\"osVersion\":\"12\",\"osBuild\":\"12.5\",\"kernel\":\"6.1\",\"architecture\":\"x86_64\","
		"\"processor\":\"i7\",\"processorCount\":8,\"physicalMemoryBytes\":16000000000,\"totalStorageBytes\":"
		"512,\"freeStorageBytes\":0,"
		"\"encrypted\":true,\"disks\":[{\"name\":\"vda\",\"model\":\"QEMU\",\"sizeBytes\":512}],"
		"\"networkInterfaces\":[{\"name\":\"eth0\",\"mac\":\"00:11:22:33:44:55\",\"kind\":\"ethernet\","
		"\"addresses\":[\"10.0.0.1\",\"fe80::1\"]},"
		"{\"name\":\"wlan0\",\"kind\":\"wifi\"}],\"packages\":[{\"name\":\"bash\",\"version\":\"5.2\"}]},"
		"\"items\":[{\"id\":\"" ID "\",\"version\":3,\"state\":\"installed\",\"identifier\":\"etc/motd\"},"
		"{\"id\":\"" ID "\",\"state\":\"removed\"}]}",
		&c);
	assert_string_equal(e == OK ? "" : scope_detail(&S, e), "");
	assert_true(c.has_inventory);
	assert_string_equal(c.inventory.device_name, "ada");
	assert_null(c.inventory.model);
	assert_int_equal(c.inventory.physical_memory, 16000000000);
	assert_int_equal(c.inventory.free_storage, 0);
	assert_int_equal(c.inventory.encrypted, 1);
	assert_true(c.inventory.has_disks && c.inventory.has_packages);
	assert_int_equal(c.inventory.disks[0].size_bytes, 512);
	assert_int_equal(c.inventory.interface_n, 2);
	assert_true(c.inventory.interfaces[0].has_addresses);
	assert_string_equal(c.inventory.interfaces[0].addresses[1], "fe80::1");
	assert_false(c.inventory.interfaces[1].has_addresses);
	assert_string_equal(c.inventory.packages[0].version, "5.2");
	assert_int_equal(c.item_n, 2);
	assert_int_equal(c.items[0].version, 3);
	assert_int_equal(c.items[1].state, ITEM_removed);
}

static void what_is_not_said_is_unknown(void **state)
{
	struct linux_checkin c;
	assert_int_equal(checkin("{\"inventory\":{\"deviceName\":\"a\"}}", &c), OK);
	assert_null(c.inventory.serial_number);
	assert_int_equal(c.inventory.free_storage, -1);
	assert_int_equal(c.inventory.encrypted, -1);
	assert_false(c.inventory.has_disks || c.inventory.has_packages);
	assert_int_equal(checkin("{\"inventory\":{\"deviceName\":\"a\",\"packages\":[]}}", &c), OK);
	assert_true(c.inventory.has_packages);
	assert_int_equal(checkin("{}", &c), OK);
	assert_false(c.has_inventory);
	assert_int_equal(c.item_n, 0);
}

static void hostile_check_ins(void **state)
{
	static const char *const rows[] = {
		"",
		"[]",
		"null",
		"{",
		"{\"inventory\":{}}",
		"{\"inventory\":[]}",
		"{\"inventory\":{\"deviceName\":\"\"}}",
		"{\"inventory\":{\"deviceName\":7}}",
		"{\"inventory\":{\"deviceName\":\"a\\u0000b\"}}",
		"{\"inventory\":{\"deviceName\":\"a\\nb\"}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"deviceName\":\"b\"}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"imei\":\"1\"}}",
		"{\"location\":1}",
		"{\"inventory\":{\"deviceName\":\"a\",\"processorCount\":-1}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"processorCount\":1.5}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"processorCount\":99999999999999999999}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"encrypted\":\"yes\"}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"disks\":{}}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"disks\":[1]}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"disks\":[{\"model\":\"x\"}]}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"networkInterfaces\":[{\"name\":\"eth0\",\"kind\":\"bluetooth\"}"
		"]}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"networkInterfaces\":[{\"name\":\"eth0\",\"addresses\":[7]}]}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"networkInterfaces\":[{\"name\":\"eth0\",\"ssid\":\"home\"}]}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"packages\":[{\"name\":\"bash\"}]}}",
		"{\"inventory\":{\"deviceName\":\"a\",\"packages\":[{\"name\":\"bash\",\"version\":\"1\",\"files\":[]}]"
		"}}",
		"{\"items\":[{\"id\":\"x\",\"version\":1,\"state\":\"installed\"}]}",
		"{\"items\":[{\"id\":\"" ID "\",\"state\":\"installed\"}]}",
		"{\"items\":[{\"id\":\"" ID "\",\"version\":1,\"state\":\"pending\"}]}",
		"{\"items\":[{\"version\":1,\"state\":\"installed\"}]}",
		"{\"items\":\"none\"}",
		"{\"items\":[[]]}",
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct linux_checkin c;
		enum err e = checkin(rows[i], &c);
		if (e == OK)
			fail_msg("accepted: %s", rows[i]);
		assert_true(err_http_status(e) < 500);
		assert_non_null(S.detail);
	}
}

static void a_refusal_quotes_nothing(void **state)
{
	struct linux_checkin c;
	assert_int_equal(checkin("{\"inventory\":{\"deviceName\":\"ada-private\\u0007\"}}", &c), ERR_BAD_REQUEST);
	assert_null(strstr(S.detail, "ada-private"));
	assert_non_null(strstr(S.detail, "deviceName"));
	assert_int_equal(checkin("{\"secret-member\":1}", &c), ERR_BAD_REQUEST);
	assert_null(strstr(S.detail, "secret-member"));
}

/* `count` times `one`, as a member of an inventory. */
static char *many(const char *member, const char *one, size_t count)
{
	struct buf b;
	size_t n;
	buf_init(&b, 64 * MIB);
	buf_printf(&b, "{\"inventory\":{\"deviceName\":\"a\",\"%s\":[", member);
	for (size_t i = 0; i < count; i++)
		buf_printf(&b, "%s%s", i > 0 ? "," : "", one);
	buf_adds(&b, "]}}");
	return buf_steal(&b, &n);
}

static void lists_are_bounded(void **state)
{
	static const struct {
		const char *member, *one;
		size_t most;
	} rows[] = {
		{"packages", "{\"name\":\"p\",\"version\":\"1\"}", LIMIT_APPS_PER_DEVICE},
		{"networkInterfaces", "{\"name\":\"e\"}", LIMIT_INTERFACES_PER_DEVICE},
		{"disks", "{\"name\":\"d\"}", LIMIT_INTERFACES_PER_DEVICE},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct linux_checkin c;
		char *most = many(rows[i].member, rows[i].one, rows[i].most),
		     *more = many(rows[i].member, rows[i].one, rows[i].most + 1);
		assert_int_equal(checkin(most, &c), OK);
		assert_int_equal(checkin(more, &c), ERR_BAD_REQUEST);
		free(most);
		free(more);
	}
}

static void reports(void **state)
{
	static const struct {
		const char *json;
		bool accepted;
	} rows[] = {
		{"{}", true},
		{"{\"results\":[{\"id\":\"" ID "\",\"state\":\"done\"}]}", true},
		{"{\"results\":[{\"id\":\"" ID "\",\"state\":\"failed\",\"error\":\"disk\\nfull\"}],\"items\":[]}",
		 true},
		{"{\"results\":[{\"id\":\"" ID "\",\"state\":\"notSupported\"}]}", true},
		{"{\"results\":[{\"id\":\"" ID "\",\"state\":\"pending\"}]}", false},
		{"{\"results\":[{\"id\":\"" ID "\",\"state\":\"canceled\"}]}", false},
		{"{\"results\":[{\"id\":\"" ID "\",\"state\":\"active\"}]}", false},
		{"{\"results\":[{\"id\":\"" ID "\"}]}", false},
		{"{\"results\":[{\"state\":\"done\"}]}", false},
		{"{\"results\":{}}", false},
		{"{\"more\":true}", false},
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct linux_report r;
		again();
		if ((linux_decode_report(&S, rows[i].json, strlen(rows[i].json), &doc, &r) == OK) != rows[i].accepted)
			fail_msg("%s", rows[i].json);
	}
}

static void enrolments(void **state)
{
	static const char good[] = "{\"token\":\"t\",\"csr\":\"-----BEGIN\\nx\",\"acceptedTerms\":[{\"id\":\"" ID
				   "\",\"version\":2}],"
				   "\"device\":{\"deviceName\":\"a\",\"serialNumber\":\"s\"},\"provisioning\":false}";
	static const char *const bad[] = {
		"{\"csr\":\"x\",\"device\":{\"deviceName\":\"a\"}}",
		"{\"token\":\"t\",\"device\":{\"deviceName\":\"a\"}}",
		"{\"token\":\"t\",\"csr\":\"x\"}",
		"{\"token\":\"t\",\"csr\":\"x\",\"device\":{}}",
		"{\"token\":\"t\",\"csr\":\"x\",\"device\":{\"deviceName\":\"a\",\"owner\":\"me\"}}",
		"{\"token\":\"t\",\"csr\":\"x\",\"device\":{\"deviceName\":\"a\"},\"acceptedTerms\":[{\"id\":\"" ID
		"\"}]}",
		"{\"token\":\"t\",\"csr\":\"x\",\"device\":{\"deviceName\":\"a\"},\"tenant\":\"" ID "\"}",
		"{\"token\":\"t\",\"csr\":\"x\",\"device\":{\"deviceName\":\"a\"},\"provisioning\":\"no\"}",
	};
	struct enrolment_request r;
	again();
	assert_int_equal(linux_decode_enroll(&S, good, strlen(good), &doc, &r), OK);
	assert_string_equal(r.device_name, "a");
	assert_false(r.provisioning);
	assert_int_equal(r.accepted_n, 1);
	assert_int_equal(r.accepted[0].version, 2);
	const char *plain = "{\"token\":\"t\",\"csr\":\"x\",\"device\":{\"deviceName\":\"a\"}}";
	again();
	assert_int_equal(linux_decode_enroll(&S, plain, strlen(plain), &doc, &r), OK);
	assert_true(r.provisioning);
	for (size_t i = 0; i < COUNT(bad); i++) {
		again();
		if (linux_decode_enroll(&S, bad[i], strlen(bad[i]), &doc, &r) == OK)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void small_messages(void **state)
{
	const char *text;
	again();
	assert_int_equal(linux_decode_token(&S, "{\"token\":\"abc\"}", 15, &doc, &text), OK);
	assert_string_equal(text, "abc");
	again();
	assert_int_equal(linux_decode_token(&S, "{\"token\":null}", 14, &doc, &text), ERR_BAD_REQUEST);
	again();
	assert_int_equal(linux_decode_renew(&S, "{\"csr\":\"x\"}", 11, &doc, &text), OK);
	again();
	assert_int_equal(linux_decode_renew(&S, "{\"csr\":\"x\",\"days\":9999}", 23, &doc, &text), ERR_BAD_REQUEST);
	again();
	assert_int_equal(linux_decode_empty(&S, "", 0), OK);
	assert_int_equal(linux_decode_empty(&S, "{}", 2), OK);
	assert_int_equal(linux_decode_empty(&S, "{\"force\":true}", 14), ERR_BAD_REQUEST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_check_in),
		cmocka_unit_test(what_is_not_said_is_unknown),
		cmocka_unit_test(hostile_check_ins),
		cmocka_unit_test(a_refusal_quotes_nothing),
		cmocka_unit_test(lists_are_bounded),
		cmocka_unit_test(reports),
		cmocka_unit_test(enrolments),
		cmocka_unit_test(small_messages),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, up, down);
}
