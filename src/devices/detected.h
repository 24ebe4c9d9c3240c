/* SPDX-License-Identifier: Apache-2.0
 *
 * Which packages the organisation's devices report, all devices together.  A package is a name and a version; its id names both, so that it is the
 * same in every answer and nothing is stored for it.
 */
#ifndef REEVE_DEVICES_DETECTED_H
#define REEVE_DEVICES_DETECTED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"
#include "resource/resource.h"

struct detected_package {
	const char *name, *version;
};

char *detected_id(struct arena *a, const struct detected_package *p);
/* false: no id of a package. */
bool detected_parse(struct arena *a, const char *id, struct detected_package *ret);

struct detected_page {
	const struct resource_condition *condition; /* over t, a row of detected_apps, with parameters from ?4 on
						       (resource_filter_reached); NULL: all */
	struct detected_package after;              /* in: the last of the page before (name NULL: none); out: the last of this one */
	int64_t most;
	bool more;                                  /* out */
};
/* detectedApp objects into an open array, by name and version, each with the number of visible devices that have it, among those
 * that the scope's actor reaches.  It costs a step in the
 * index for each package, not for each device that has it, and a look at each of these devices to count it. */
MUST_CHECK enum err detected_write_page(struct db_tx *tx, struct detected_page *page, struct json_writer *w);
/* Its members into an open object.  ERR_NOT_FOUND where no visible device has it. */
MUST_CHECK enum err detected_write(struct db_tx *tx, const struct detected_package *p, struct json_writer *w);

#endif
