/* SPDX-License-Identifier: Apache-2.0
 * Whatever stands in the files of a machine, the agent's collectors find texts without line breaks, numbers in their bounds, and a list of
 * packages that is JSON. */
#include "agent_place.h"
#include "fuzz.h"

#include "collect.h"

static void line(const char *t, const char *whole)
{
	check(t == NULL || (strchr(t, '\n') == NULL && strlen(t) <= strlen(whole)));
}

static void texts(struct arena *a, const char *text)
{
	static const char *const keys[] = {"NAME", "VERSION_ID", "VERSION_CODENAME", "ID", "BUILD_ID", ""};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const char *v = osrelease_value(a, text, keys[i]);
		line(v, text);
		check(v == NULL || *v != '\0');
	}
	line(cpuinfo_model(a, text), text);
	check(cpuinfo_count(text) >= 0 && (size_t)cpuinfo_count(text) <= strlen(text));
	int64_t bytes = meminfo_bytes(text, "MemTotal");
	check(bytes >= 0 && bytes % 1024 == 0);
	const char *known = dmi_known(text);
	check(known == NULL || *known != '\0');
	dmi_chassis(text);
	interface_counts(text, text);
	interface_counts("eth0", text);
}

static void packages(struct agent *a, const uint8_t *bytes, size_t n)
{
	static bool made;
	auto_buf out;
	auto_json *j = NULL;
	struct json_writer w;
	char *version;
	check(made || fs_mkdirs(a->root_fd, "var/lib/dpkg", 0755) == 0);
	made = true;
	auto_fd fd = openat(a->root_fd, "var/lib/dpkg/status", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	check(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	buf_init(&out, LIMIT_RESPONSE_BYTES);
	jw_init(&w, &out);
	jw_object(&w);
	collect_packages(a, &w);
	jw_end_object(&w);
	check(!out.failed && json_read(a->scope, out.data, out.len, &j) == OK);
	const json_t *list = json_object_get(j, "packages"), *one;
	size_t i;
	check(json_is_array(list) && json_array_size(list) <= LIMIT_APPS_PER_DEVICE);
	json_array_foreach (list, i, one) {
		check(json_is_string(json_object_get(one, "name")) && json_is_string(json_object_get(one, "version")));
		line(json_string_value(json_object_get(one, "name")), out.data);
	}
	bool there = package_installed(a, "dpkg", &version);
	check(!there || json_array_size(list) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 64 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	texts(s->arena, arena_strndup(s->arena, (const char *)bytes, n));
	packages(fuzz_agent(s), bytes, n);
	return 0;
}
