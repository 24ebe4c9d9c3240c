/* SPDX-License-Identifier: Apache-2.0
 *
 * effects.def, looked up.
 */
#include "devices/effects.h"

#include <string.h>

static const struct effect EFFECTS[] = {
#define EFFECT(platform, owner, action, what, outcome, text) {platform, #owner, #action, #what, #outcome, text},
#include "devices/effects.def"
#undef EFFECT
};

const struct effect *effects_all(size_t *ret_n)
{
	*ret_n = sizeof EFFECTS / sizeof EFFECTS[0];
	return EFFECTS;
}

static bool fits(const char *wanted, const char *is) { return wanted == NULL || strcmp(wanted, is) == 0; }

const struct effect *effects_next(size_t *at, const char *platform, const char *owner_type, const char *action)
{
	while (*at < sizeof EFFECTS / sizeof EFFECTS[0]) {
		const struct effect *e = &EFFECTS[(*at)++];
		if (fits(platform, e->platform) && fits(owner_type, e->owner_type) && fits(action, e->action))
			return e;
	}
	return NULL;
}

bool effect_is_residue(const struct effect *e)
{
	if (strcmp(e->outcome, "unusable") == 0)
		return true;
	return strcmp(e->outcome, "kept") == 0 && strcmp(e->what, "biosPassword") == 0;
}
