/* SPDX-License-Identifier: Apache-2.0
 *
 * What the machine is.  Each collector fills its part of struct facts or writes one array; none opens anything in a
 * home directory, and what is optional is collected only when it is asked for.  What is unknown is NULL, 0 or left out:
 * nothing is made up.  docs/operating/agent.md lists all of it; tests/agent/ holds what is never collected.
 */
#ifndef REEVE_AGENT_COLLECT_H
#define REEVE_AGENT_COLLECT_H

#include "agent.h"
#include "codec/json.h"

struct facts {
	const char *device_name, *manufacturer, *model, *serial, *chassis;
	const char *os_name, *os_version, *os_build, *kernel, *architecture;
	const char *processor;
	int processor_count;
	int64_t memory_bytes, storage_bytes, free_bytes; /* free: -1 where unknown */
	bool encrypted;
};

/* What the tenant turned on, as the server said at the last check-in. */
struct collect {
	bool packages, addresses, disks;
};

void collect_facts(struct agent *a, struct facts *f);
/* The object of a check-in.  `packages` is honoured only where `company` is set. */
void collect_inventory(struct agent *a, struct collect ask, bool company, struct json_writer *w, char ret_hash[65]);

/* the collectors */
void collect_os(struct agent *a, struct facts *f);
void collect_dmi(struct agent *a, struct facts *f);
void collect_cpu(struct agent *a, struct facts *f);
void collect_storage(struct agent *a, struct facts *f);
void collect_disks(struct agent *a, struct json_writer *w);
void collect_interfaces(struct agent *a, bool addresses, struct json_writer *w);
void collect_packages(struct agent *a, struct json_writer *w);

/* pure parts */
char *osrelease_value(struct arena *arena, const char *text,
		      const char *key);    /* unquoted; NULL where absent or empty */
const char *dmi_known(const char *value);  /* NULL for what firmware writes where it knows nothing */
const char *dmi_chassis(const char *type); /* SMBIOS number to Graph's chassisType */
int64_t meminfo_bytes(const char *text, const char *key);
char *cpuinfo_model(struct arena *arena, const char *text);
int cpuinfo_count(const char *text);
bool interface_counts(const char *name, const char *mac);

/* collect_packages.c: also what provisioning an app asks */
bool package_installed(struct agent *a, const char *name, char **ret_version);

#endif
