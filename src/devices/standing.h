/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands where, for people: the settings of a configuration on a device, and on how many devices and with how many people an app is.  All
 * of it is the devices' own word, read from provisioned_items.
 */
#ifndef REEVE_DEVICES_STANDING_H
#define REEVE_DEVICES_STANDING_H

#include "base/err.h"
#include "base/id.h"
#include "codec/json.h"
#include "db/db.h"
#include "resource/resource.h"

/* The `more` of a resource_query over RES_DEVICE_CONFIGURATION_STATE: settingCount. */
enum err standing_configuration_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id configuration, void *arg);
/* An array of deviceConfigurationSettingState: one for each property of the configuration's type, in the state of the whole, for a device says no
 * more.  Values are not written: a configuration's are its own, and some are secret.  ERR_NOT_FOUND where the configuration is not on the device. */
MUST_CHECK enum err standing_write_settings(struct db_tx *tx, struct id device, struct id configuration, struct json_writer *w);

/* A whole mobileAppInstallSummary: the id, devices and people by state, of those that the scope's actor reaches.  Devices that were deleted are
 * not counted. */
MUST_CHECK enum err standing_write_app(struct db_tx *tx, struct id app, struct json_writer *w);
/* The `more` of a resource_query over RES_USER_APP_INSTALL_STATUS: the counts of one person's devices.  arg: the app's struct id. */
enum err standing_user_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id user, void *arg);

#endif
