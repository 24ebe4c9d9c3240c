/* SPDX-License-Identifier: Apache-2.0
 *
 * A tenant's settings: names, types, defaults and ranges are rows of tenant_settings.def, values are rows of the tenant (a row for each
 * from the tenant's birth, so that a default that changes later changes no tenant).
 */
#ifndef REEVE_DIRECTORY_TENANT_SETTINGS_H
#define REEVE_DIRECTORY_TENANT_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"

struct setting_info {
	const char *name, *text;
	bool is_bool;
	int64_t preset, lowest, highest;
};
const struct setting_info *setting_table(size_t *ret_n);
const struct setting_info *setting_info(const char *name); /* NULL: there is none */

/* The value in force for the transaction's tenant; BOOL as 0 and 1.  An unknown name is a programming error. */
MUST_CHECK enum err tenant_setting_int(struct db_tx *tx, const char *name, int64_t *ret);

/* Checks one JSON value against its row.  ERR_BAD_REQUEST with a detail: unknown name, wrong type, out of range. */
MUST_CHECK enum err setting_parse(struct scope *s, const char *name, const json_t *value, int64_t *ret);

/* Changes what the object names, all or nothing, with one event that has old and new values; nothing differs: no event. */
MUST_CHECK enum err tenant_settings_patch(struct scope *s, const json_t *values);
/* All settings as members of an open JSON object. */
MUST_CHECK enum err tenant_settings_write(struct scope *s, struct json_writer *w);

/* Rows with the defaults, at the tenant's birth. */
MUST_CHECK enum err tenant_settings_seed(struct db_tx *tx);

/* At the start, in the system's scope: ERR_CONFIG where a tenant's settings and the life of backup keys, together, cannot keep the promise to
 * delete (the detail names the tenant and the setting). */
MUST_CHECK enum err tenant_settings_check(struct scope *s);

#endif
