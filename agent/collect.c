/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts the collectors' results together into the object that a check-in carries.
 */
#include "collect.h"

#include <string.h>

#include "channel.h"
#include "crypto/digest.h"

/* Free space changes all the time; only a change of this size makes the inventory worth sending again. */
#define FREE_STEP (INT64_C(1) << 30)

static void (*const collectors[])(struct agent *a, struct facts *f) = {collect_os, collect_dmi, collect_cpu,
								       collect_storage};

void collect_facts(struct agent *a, struct facts *f)
{
	*f = (struct facts){.free_bytes = -1};
	for (size_t i = 0; i < sizeof collectors / sizeof *collectors; i++)
		collectors[i](a, f);
	if (a->device_name != NULL)
		f->device_name = a->device_name;
	if (f->device_name == NULL)
		f->device_name = "(unnamed)"; /* the only thing that the server insists on */
}

/* Firmware says what it likes; the server takes no control characters. */
static void known(struct agent *a, struct json_writer *w, const char *key, const char *value)
{
	if (value != NULL)
		jw_kstring(w, key, channel_clean(a, value));
}

static void known_int(struct json_writer *w, const char *key, int64_t value)
{
	if (value > 0)
		jw_kint(w, key, value);
}

static void write_facts(struct agent *a, struct json_writer *w, const struct facts *f)
{
	known(a, w, "deviceName", f->device_name);
	known(a, w, "manufacturer", f->manufacturer);
	known(a, w, "model", f->model);
	known(a, w, "serialNumber", f->serial);
	known(a, w, "chassisType", f->chassis);
	known(a, w, "osName", f->os_name);
	known(a, w, "osVersion", f->os_version);
	known(a, w, "osBuild", f->os_build);
	known(a, w, "kernel", f->kernel);
	known(a, w, "architecture", f->architecture);
	known(a, w, "processor", f->processor);
	known_int(w, "processorCount", f->processor_count);
	known_int(w, "physicalMemoryBytes", f->memory_bytes);
	known_int(w, "totalStorageBytes", f->storage_bytes);
	jw_kbool(w, "encrypted", f->encrypted);
}

void collect_inventory(struct agent *a, struct collect ask, bool company, struct json_writer *w, char ret_hash[65])
{
	struct facts f;
	collect_facts(a, &f);
	auto_buf body;
	buf_init(&body, 32u << 20);
	struct json_writer inner;
	jw_init(&inner, &body);
	jw_object(&inner);
	write_facts(a, &inner, &f);
	if (ask.disks)
		collect_disks(a, &inner);
	collect_interfaces(a, ask.addresses, &inner);
	if (ask.packages && company)
		collect_packages(a, &inner);
	uint8_t sum[SHA256_BYTES];
	int64_t step = f.free_bytes / FREE_STEP;
	sha256_parts((struct digest_part[]){{body.data, body.len}, {&step, sizeof step}}, 2, sum);
	hex_encode(sum, sizeof sum, ret_hash);
	if (f.free_bytes >= 0)
		jw_kint(&inner, "freeStorageBytes", f.free_bytes);
	jw_end_object(&inner);
	check(!body.failed);
	jw_raw(w, body.data, body.len);
}
