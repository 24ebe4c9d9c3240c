/* SPDX-License-Identifier: Apache-2.0
 * What the handlers of Intune's surface share: whose device, whose person, and the rows of api/intune.def. */
#ifndef REEVE_API_GRAPH_INTUNE_H
#define REEVE_API_GRAPH_INTUNE_H

#include "api/api.h"

enum intune_shape { INTUNE_COLLECTION, INTUNE_OBJECT, INTUNE_REPORT };

struct intune_row {
	const char *path, *type, *content, *why;
	enum intune_shape shape;
};
const struct intune_row *intune_rows(size_t *ret_n);

/* The {user} of the path; who looks at a person is recorded. */
MUST_CHECK enum err intune_user(struct call *c, struct id *ret);
/* The {device} of the path, visible and, under a user, that person's. */
MUST_CHECK enum err intune_device(struct call *c, struct id *ret);
/* The members of the OBJECT of this type, of this device, into an open object. */
void intune_write_object(struct json_writer *w, const char *type, struct id device);

#endif
