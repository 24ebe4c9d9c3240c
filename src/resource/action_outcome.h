/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of a device action, as an expression over device_actions t: one word for each thing that a person can do something about.
 *
 *   waiting          asked for, the device has not heard of it       refused     the device says that it never can
 *   neverSeen        the same, and the device is silent              failed      it could not
 *   acceptedNotSeen  delivered, and the device not seen since        done        it says so
 *   underWay         delivered, and it was seen since                returned    it said so, and came back with its old credential
 *   notNow           it says: later                                  canceled, superseded, expired
 */
#ifndef REEVE_RESOURCE_ACTION_OUTCOME_H
#define REEVE_RESOURCE_ACTION_OUTCOME_H

#define ACTION_OUTCOME \
	"(COALESCE(t.outcome, CASE t.state WHEN 'pending' THEN 'waiting' WHEN 'notSupported' THEN 'refused' WHEN 'issued' THEN " \
	"(CASE WHEN t.updated_at < (SELECT o.last_sync_at FROM managed_devices o WHERE o.tenant_id = t.tenant_id AND o.device_id = t.device_id) " \
	"THEN 'underWay' ELSE 'acceptedNotSeen' END) ELSE t.state END))"
#define ACTION_OUTCOMES \
	"waiting|neverSeen|acceptedNotSeen|underWay|notNow|refused|failed|done|returned|canceled|superseded|expired"

#endif
