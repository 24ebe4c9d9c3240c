/* SPDX-License-Identifier: Apache-2.0
 *
 * Maker, model, serial number and chassis from the firmware's tables (SMBIOS), or from the device tree where there are
 * none. Asset tags, UUIDs and the serial numbers of parts are not read.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "collect.h"
#include "fs.h"

const char *dmi_known(const char *value)
{
	static const char *const blanks[] = {"to be filled by o.e.m.",
					     "default string",
					     "none",
					     "not specified",
					     "not applicable",
					     "n/a",
					     "unknown",
					     "oem",
					     "0",
					     "0123456789",
					     "123456789",
					     "system serial number",
					     "system product name",
					     "system manufacturer",
					     "system version",
					     "chassis serial number",
					     "empty",
					     "invalid"};
	if (value == NULL || value[0] == '\0' || strspn(value, "0 .-_x") == strlen(value))
		return NULL;
	for (size_t i = 0; i < sizeof blanks / sizeof *blanks; i++)
		if (strcasecmp(value, blanks[i]) == 0)
			return NULL;
	return value;
}

const char *dmi_chassis(const char *type)
{
	static const char *const kinds[] = {[3] = "desktop",
					    [4] = "desktop",
					    [5] = "desktop",
					    [6] = "desktop",
					    [7] = "desktop",
					    [8] = "laptop",
					    [9] = "laptop",
					    [10] = "laptop",
					    [11] = "mobileOther",
					    [13] = "desktop",
					    [14] = "laptop",
					    [15] = "desktop",
					    [16] = "desktop",
					    [17] = "enterpriseServer",
					    [23] = "enterpriseServer",
					    [24] = "desktop",
					    [25] = "enterpriseServer",
					    [28] = "enterpriseServer",
					    [29] = "enterpriseServer",
					    [30] = "tablet",
					    [31] = "laptop",
					    [32] = "laptop",
					    [35] = "desktop",
					    [36] = "desktop"};
	if (type == NULL)
		return "unknown";
	long n = strtol(type, NULL, 10) & 0x7f; /* the top bit says that the chassis has a lock */
	if (n < 0 || (size_t)n >= sizeof kinds / sizeof *kinds || kinds[n] == NULL)
		return "unknown";
	return kinds[n];
}

static const char *dmi(struct agent *a, const char *name)
{
	return dmi_known(fs_line(a, arena_printf(a->scope->arena, "sys/class/dmi/id/%s", name)));
}

void collect_dmi(struct agent *a, struct facts *f)
{
	f->manufacturer = dmi(a, "sys_vendor");
	f->model = dmi(a, "product_name");
	f->serial = dmi(a, "product_serial");
	f->chassis = dmi_chassis(fs_line(a, "sys/class/dmi/id/chassis_type"));
	if (f->model == NULL)
		f->model = dmi_known(fs_line(a, "sys/firmware/devicetree/base/model"));
	if (f->serial == NULL)
		f->serial = dmi_known(fs_line(a, "sys/firmware/devicetree/base/serial-number"));
}
