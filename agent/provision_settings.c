/* SPDX-License-Identifier: Apache-2.0
 *
 * Kind "settings": one text file at a path that the organisation chooses.  Where the device had a file there, it is
 * replaced and comes back with its bytes, mode, owner and time.
 */
#include <string.h>

#include "provision.h"

static enum err plan(struct agent *a, const struct desired *d, struct plan *ret)
{
	const char *path, *content;
	unsigned mode;
	TRY(payload_path(a, d->payload, &path));
	TRY(payload_text(a, d->payload, "content", true, &content));
	TRY(payload_mode(a, d->payload, &mode));
	plan_one_file(a, ret, path, content, strlen(content), mode);
	return OK;
}

const struct kind kind_settings = {.name = "settings", .plan = plan};
