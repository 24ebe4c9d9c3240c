/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts the collectors' results together into the object that a check-in carries.
 */
#include "collect.h"

#include <string.h>

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
}

static void known(struct json_writer *w, const char *key, const char *value)
{
	if (value != NULL)
		jw_kstring(w, key, value);
}

static void known_int(struct json_writer *w, const char *key, int64_t value)
{
	if (value > 0)
		jw_kint(w, key, value);
}

static void write_facts(struct json_writer *w, const struct facts *f)
{
	known(w, "deviceName", f->device_name);
	known(w, "manufacturer", f->manufacturer);
	known(w, "model", f->model);
	known(w, "serialNumber", f->serial);
	known(w, "chassisType", f->chassis);
	known(w, "osName", f->os_name);
	known(w, "osVersion", f->os_version);
	known(w, "osBuild", f->os_build);
	known(w, "kernel", f->kernel);
	known(w, "architecture", f->architecture);
	known(w, "processor", f->processor);
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
	write_facts(&inner, &f);
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
