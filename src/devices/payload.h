/* SPDX-License-Identifier: Apache-2.0
 *
 * The properties that each type of item has of its own (payload.def): checked when they come in, secrets sealed, and
 * written out in two ways: for people (secrets as null) and for a device (secrets opened, the person's own address
 * filled in).
 */
#ifndef REEVE_DEVICES_PAYLOAD_H
#define REEVE_DEVICES_PAYLOAD_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/scope.h"
#include "codec/json.h"

#define ITEM_CONFIGURATION "deviceConfiguration"
#define ITEM_APP "mobileApp"

enum payload_type {
#define PAYLOAD(type, odata_type, item_type, kind) PAYLOAD_##type,
#define PROPERTY(type, name, shape, flags, max, rule, preset)
#include "devices/payload.def"
#undef PAYLOAD
#undef PROPERTY
	PAYLOAD_TYPE_COUNT
};

const char *payload_odata_type(enum payload_type t); /* "#microsoft.graph.linuxWiFiConfiguration" */
const char *payload_item_type(enum payload_type t);  /* ITEM_CONFIGURATION, ITEM_APP */
const char *payload_kind(enum payload_type t);       /* of the Linux channel: "wifi" */
/* With or without '#', for one item type.  False: not one of ours. */
bool payload_type_parse(const char *odata_type, const char *item_type, enum payload_type *ret);
/* Names of the properties that a request may have, NULL-terminated. */
const char *const *payload_names(struct arena *a, enum payload_type t);

/* Takes the type's properties out of body, checks each, and seals secrets.  Others in body are not looked at.  *ret: a
 * new object, the caller's.  ERR_BAD_REQUEST with a detail naming the property, never its value. */
MUST_CHECK enum err payload_read(struct scope *s, enum payload_type t, const json_t *body, json_t **ret);
/* The stored text of old (NULL at creation) with change's members; fills in presets at creation and checks what must be
 * there and what holds between properties.  *ret_text: canonical JSON in the arena. */
MUST_CHECK enum err payload_merge(struct scope *s, enum payload_type t, const char *old, const json_t *change,
				  const char **ret_text);

/* Names of the properties in which two stored texts differ ("content, mode"), in the arena; NULL: none. */
MUST_CHECK enum err payload_difference(struct scope *s, const char *old, const char *now, const char **ret);

/* Members into an open object, for people. */
MUST_CHECK enum err payload_write(struct scope *s, enum payload_type t, const char *stored, struct json_writer *w);

struct payload_person {
	const char *upn, *mail, *display_name; /* NULL where nobody is linked: placeholders become "" */
};
/* A whole object, for the person's device. */
MUST_CHECK enum err payload_deliver(struct scope *s, enum payload_type t, const char *stored,
				    const struct payload_person *p, struct json_writer *w);

/* NULL where the path may be written (deleted, for a data path of an app) by an item, else why not, for people. */
const char *payload_file_path_problem(const char *path);
const char *payload_data_path_problem(const char *path);

#endif
