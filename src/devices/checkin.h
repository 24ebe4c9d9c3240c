/* SPDX-License-Identifier: Apache-2.0
 *
 * A check-in: what a device says of itself and of what it provisioned, and what it is told.
 *
 * Telemetry (last sync, free space, addresses, packages, versions) is stored without an event.  A changed identity
 * (name, serial number, manufacturer, model, MAC addresses) is one event with old and new values; a changed set of
 * provisioned items is one event an item. What the tenant did not turn on is refused: the server holds no data that it
 * did not ask for.
 */
#ifndef REEVE_DEVICES_CHECKIN_H
#define REEVE_DEVICES_CHECKIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "devices/action.h"
#include "devices/payload.h"

struct inventory_disk {
	const char *name, *model;
	int64_t size_bytes; /* -1: unknown */
};
struct inventory_interface {
	const char *name, *mac, *kind; /* kind: "ethernet", "wifi" or NULL */
	const char *const *addresses;
	size_t address_n;
	bool has_addresses;
};
struct inventory_package {
	const char *name, *version;
};

/* The whole inventory: a NULL text and a -1 are unknown now, whatever was known before. */
struct inventory {
	const char *device_name, *manufacturer, *model, *serial_number, *chassis_type, *os_name, *os_version, *os_build,
		*kernel, *architecture, *processor;
	int64_t processor_count, physical_memory, total_storage, free_storage;
	int encrypted; /* 0, 1; -1: unknown */
	const struct inventory_disk *disks;
	const struct inventory_interface *interfaces;
	struct inventory_package *packages; /* sorted in place */
	size_t disk_n, interface_n, package_n;
	bool has_disks, has_packages; /* the key was there, even if empty */
};

enum item_state { ITEM_installed, ITEM_failed, ITEM_removed };
struct item_report {
	struct id item;
	int64_t version;
	enum item_state state;
	const char *identifier, *error;
};

struct checkin {
	struct id device;
	const uint8_t *fingerprint;        /* of the certificate that it came with */
	const struct inventory *inventory; /* NULL: none this time */
	const struct item_report *items;
	size_t item_n;
};

struct collect {
	bool packages, addresses, disks; /* packages: never of a personal device */
};

struct desired_item {
	struct id item;
	int64_t version;
	enum payload_type type;
	const char *name, *payload; /* payload: as stored; write it with payload_deliver() */
};

struct checkin_answer {
	struct id device;
	int64_t sync_seconds, renew_before;
	struct collect collect;
	struct payload_person person;
	const struct desired_item *items; /* the whole desired state */
	size_t item_n;
	const struct device_action *actions; /* what to do, oldest first */
	size_t action_n;
};

/* s: of the device.  Large lists go in several transactions; the last one is the check-in itself.  ERR_BAD_REQUEST with
 * a detail for what was not asked for. */
MUST_CHECK enum err device_checkin(struct scope *s, const struct checkin *c, struct checkin_answer *ret);

/* What the tenant asks of this device. */
MUST_CHECK enum err device_collects(struct db_tx *tx, bool company, struct collect *ret);

#endif
