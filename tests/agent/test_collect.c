/* SPDX-License-Identifier: Apache-2.0
 * The collectors' parsers: os-release, SMBIOS, cpuinfo, meminfo, interfaces, packages, the owner's configuration. */
#include "place.h"

#include "collect.h"
#include "config.h"

static void os_release_is_read_as_a_shell_would(void **state)
{
	struct arena *a = ((struct place *)*state)->scope.arena;
	const char *text =
		"# NAME=no\nNAME=\"Debian \\\"GNU\\\"/Linux\"\nVERSION_ID='12'\nID=debian \nEMPTY=\nQUOTES=\"\"\n"
		"XNAME=other\nBROKEN=\"half\nTWICE=1\nTWICE=2\nLAST=end";
	assert_string_equal(osrelease_value(a, text, "NAME"), "Debian \"GNU\"/Linux");
	assert_string_equal(osrelease_value(a, text, "VERSION_ID"), "12");
	assert_string_equal(osrelease_value(a, text, "ID"), "debian");
	assert_null(osrelease_value(a, text, "EMPTY"));
	assert_null(osrelease_value(a, text, "QUOTES"));
	assert_null(osrelease_value(a, text, "NAM"));
	assert_string_equal(osrelease_value(a, text, "BROKEN"), "\"half");
	assert_string_equal(osrelease_value(a, text, "TWICE"), "2");
	assert_string_equal(osrelease_value(a, text, "LAST"), "end");
	assert_null(osrelease_value(a, "", "NAME"));
}

static void firmware_that_knows_nothing_says_nothing(void **state)
{
	(void)state;
	static const char *const blank[] = {"",  "To Be Filled By O.E.M.", "Default string", "NONE", "00000000",
					    "0", "System Serial Number",   "Not Specified",  "xxxx", "..."};
	for (size_t i = 0; i < sizeof blank / sizeof *blank; i++)
		assert_null(dmi_known(blank[i]));
	assert_null(dmi_known(NULL));
	assert_string_equal(dmi_known("PF3X0001"), "PF3X0001");
	assert_string_equal(dmi_known("0x1"), "0x1");
}

static void chassis_types(void **state)
{
	(void)state;
	assert_string_equal(dmi_chassis("3"), "desktop");
	assert_string_equal(dmi_chassis("10"), "laptop");
	assert_string_equal(dmi_chassis("138"), "laptop"); /* with a lock */
	assert_string_equal(dmi_chassis("30"), "tablet");
	assert_string_equal(dmi_chassis("23"), "enterpriseServer");
	static const char *const unknown[] = {"0", "1", "2", "12", "37", "127", "-5", "x", "", "99999999999999999999",
					      NULL};
	for (const char *const *u = unknown; *u != NULL; u++)
		assert_string_equal(dmi_chassis(*u), "unknown");
	assert_string_equal(dmi_chassis(NULL), "unknown");
}

static void memory(void **state)
{
	(void)state;
	const char *text = "MemFree:  5 kB\nMemTotal:       16303428 kB\nMemTotalX: 1 kB\n";
	assert_int_equal(meminfo_bytes(text, "MemTotal"), INT64_C(16303428) * 1024);
	assert_int_equal(meminfo_bytes(text, "MemFree"), 5 * 1024);
	assert_int_equal(meminfo_bytes(text, "Mem"), 0);
	assert_int_equal(meminfo_bytes("MemTotal: 5\n", "MemTotal"), 0);
	assert_int_equal(meminfo_bytes("MemTotal: -5 kB\n", "MemTotal"), 0);
	assert_int_equal(meminfo_bytes("MemTotal: 99999999999999999999 kB\n", "MemTotal"), 0);
	assert_int_equal(meminfo_bytes("MemTotal:", "MemTotal"), 0);
	assert_int_equal(meminfo_bytes("", "MemTotal"), 0);
}

static void processors(void **state)
{
	struct arena *a = ((struct place *)*state)->scope.arena;
	const char *x86 = "processor\t: 0\nmodel name\t: Fast CPU @ 2GHz \nprocessor\t: 1\nmodel name\t: Other\n";
	const char *arm = "processor\t: 0\nBogoMIPS\t: 48\n\nHardware\t: BCM2835\nModel\t\t: Pi\n";
	assert_int_equal(cpuinfo_count(x86), 2);
	assert_string_equal(cpuinfo_model(a, x86), "Fast CPU @ 2GHz");
	assert_int_equal(cpuinfo_count(arm), 1);
	assert_string_equal(cpuinfo_model(a, arm), "BCM2835");
	assert_null(cpuinfo_model(a, "processor : 0\n"));
	assert_null(cpuinfo_model(a, "model name\n"));
	assert_null(cpuinfo_model(a, "model name :\n"));
	assert_int_equal(cpuinfo_count(""), 0);
}

static void interfaces(void **state)
{
	(void)state;
	const char *mac = "02:00:00:00:00:01";
	static const char *const real[] = {"eth0", "enp3s0", "wlan0", "wlp2s0", "lowpan0", "bridge-less", "usb0"};
	static const char *const virtual[] = {"lo",    "docker0", "veth12ab", "br-1234", "virbr0",
					      "vnet3", "ifb0",    "tap0",     "tun0",    "wg0"};
	for (size_t i = 0; i < sizeof real / sizeof *real; i++)
		assert_true(interface_counts(real[i], mac));
	for (size_t i = 0; i < sizeof virtual / sizeof *virtual; i++)
		assert_false(interface_counts(virtual[i], mac));
	assert_false(interface_counts("eth0", "00:00:00:00:00:00"));
	assert_false(interface_counts("eth0", NULL));
	assert_false(interface_counts("eth0",
				      "80:00:02:08:fe:80:00:00:00:00:00:00:e4:1d:2d:03:00:00:00:01")); /* InfiniBand */
}

static void packages(void **state)
{
	struct place *p = *state;
	char *version;
	put(p, "var/lib/dpkg/status",
	    "\n\nPackage: one\nStatus: install ok installed\nVersion: 1.0-1\nDescription: x\n Package: inside\n\n\n"
	    "Package: gone\nStatus: deinstall ok config-files\nVersion: 2\n\n"
	    "Package: half\nStatus: install ok half-installed\nVersion: 2\n\nPackage: noversion\nStatus: install ok "
	    "installed\n\n"
	    "Package: held\nStatus: hold ok installed\nVersion: 3:4~5");
	assert_true(package_installed(&p->agent, "one", &version));
	assert_string_equal(version, "1.0-1");
	assert_true(package_installed(&p->agent, "held", &version));
	assert_string_equal(version, "3:4~5");
	static const char *const absent[] = {"gone", "half", "noversion", "inside", "on", "onee", ""};
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		assert_false(package_installed(&p->agent, absent[i], &version));
}

static void encryption_below_the_root(void **state)
{
	struct place *p = *state;
	struct facts f = {.free_bytes = -1};
	put(p, "sys/block/dm-0/dm/uuid", "LVM-xyz\n");
	collect_storage(&p->agent, &f);
	assert_false(f.encrypted);
	put(p, "sys/block/dm-0/slaves/dm-1/x", "");
	put(p, "sys/class/block/dm-1/dm/uuid", "CRYPT-LUKS2-abc\n");
	collect_storage(&p->agent, &f);
	assert_true(f.encrypted);
}

static void the_owners_configuration(void **state)
{
	struct scope *s = &((struct place *)*state)->scope;
	struct config c;
	assert_int_equal(config_parse(s, "", &c), OK);
	assert_int_equal(c.wipe, WIPE_UNSET);
	assert_int_equal(config_parse(s, " # comment\n\nwipe=luks\n wipeCommand = /a b \n", &c), OK);
	assert_int_equal(c.wipe, WIPE_LUKS);
	assert_string_equal(c.wipe_command, "/a b");
	static const char *const bad[] = {
		"wipe",          "wipe = Luks", "wipe =",    "Wipe = off",          "wipeCommand = x",
		"wipeCommand =", "= off",       "other = 1", "wipe = off # comment"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		s->detail = NULL;
		assert_int_equal(config_parse(s, bad[i], &c), ERR_CONFIG);
		assert_non_null(strstr(s->detail, "line 1"));
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {T(os_release_is_read_as_a_shell_would),
					   T(firmware_that_knows_nothing_says_nothing),
					   T(chassis_types),
					   T(memory),
					   T(processors),
					   T(interfaces),
					   T(packages),
					   T(encryption_below_the_root),
					   T(the_owners_configuration)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
