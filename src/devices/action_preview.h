/* SPDX-License-Identifier: Apache-2.0
 *
 * What an action would do to one device, before anybody asks for it: whether it is done at all, what it takes from the device and what it leaves
 * (effects.def), what has to be done by hand afterwards (residues), which parameters mean something, and until when its data is held here.
 */
#ifndef REEVE_DEVICES_ACTION_PREVIEW_H
#define REEVE_DEVICES_ACTION_PREVIEW_H

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"

/* Writes the members of an object that is open.  action: retire, wipe, delete; ERR_BAD_REQUEST for another, ERR_NOT_FOUND. */
MUST_CHECK enum err action_preview_write(struct scope *s, struct id device, const char *action, struct json_writer *w);

#endif
