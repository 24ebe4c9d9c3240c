/* SPDX-License-Identifier: Apache-2.0
 * The reports' columns, and finding them by name. */
#include "devices/reports/table.h"

#include <strings.h>

#include "devices/reports/words.def"

#define COLUMN(name_, type_, sql_, flags_, ...) {.name = name_, .sql = sql_, .type = REPORT_##type_, .flags = flags_, __VA_ARGS__},

static const struct report_column devices[] = {
#include "devices/reports/devices.def"
};
static const struct report_column devices_inventory[] = {
#include "devices/reports/devices_inventory.def"
};
static const struct report_column compliance[] = {
#define BY_USER 0
#include "devices/reports/compliance.def"
#undef BY_USER
};
static const struct report_column non_compliance[] = {
#define BY_USER R_FILTER
#include "devices/reports/compliance.def"
#undef BY_USER
};
static const struct report_column without_policy[] = {
#include "devices/reports/without_policy.def"
};
static const struct report_column apps_of_device[] = {
#define HAS_ID
#define BY_DEVICE R_FILTER
#define BY_KEY 0
#define BY_ANY 0
#include "devices/reports/apps.def"
};
static const struct report_column devices_of_app[] = {
#undef BY_DEVICE
#undef BY_KEY
#define BY_DEVICE 0
#define BY_KEY R_FILTER
#include "devices/reports/apps.def"
};
static const struct report_column apps_raw[] = {
#undef HAS_ID
#undef BY_KEY
#undef BY_ANY
#define BY_KEY 0
#define BY_ANY R_FILTER
#include "devices/reports/apps.def"
};
static const struct report_column certificates[] = {
#include "devices/reports/certificates.def"
};
static const struct report_column chromeos[] = {
#include "devices/reports/chromeos.def"
};
static const struct report_column enrollment_failures[] = {
#include "devices/reports/enrollment_failures.def"
};
static const struct report_column enrollment_activity[] = {
#include "devices/reports/enrollment_activity.def"
};

#define REPORT(name_, columns_, from_, where_, owner_, required_, ...) \
	{.name = name_, .from = from_, .where = where_, .whose = WHOSE_##owner_, .owner = OWNER_##owner_, .key = {__VA_ARGS__}, \
	 .required = required_, .columns = columns_, .n = sizeof(columns_) / sizeof((columns_)[0])},
#define OWNER_PERSONS "t.user_id"
#define OWNER_DEVICES "t.device_id"

static const struct report reports[] = {
#include "devices/reports/reports.def"
};

const struct report *report_all(size_t *ret_n)
{
	*ret_n = sizeof reports / sizeof reports[0];
	return reports;
}

const struct report *report_find(const char *name)
{
	for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++)
		if (strcasecmp(reports[i].name, name) == 0)
			return &reports[i];
	return NULL;
}

const struct report_column *report_column(const struct report *r, const char *name, bool alias)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcasecmp(r->columns[i].name, name) == 0)
			return &r->columns[i];
	for (size_t i = 0; alias && i < r->n; i++)
		if (r->columns[i].alias != NULL && strcasecmp(r->columns[i].alias, name) == 0)
			return &r->columns[i];
	return NULL;
}
