/* SPDX-License-Identifier: Apache-2.0
 *
 * platform_actions.def and parameters.def as tables: what a platform does where a removal is asked for, and with which parameters.
 */
#ifndef REEVE_DEVICES_PLATFORM_ACTION_H
#define REEVE_DEVICES_PLATFORM_ACTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/scope.h"

struct platform_action {
	const char *platform, *owner_type, *asked; /* "linux", "personal", "wipe" */
	const char *told;                          /* what the device is told; NULL: refused */
	const char *refusal;                       /* why */
};
const struct platform_action *platform_actions_all(size_t *ret_n);
/* NULL: the platform knows nothing of the kind. */
const struct platform_action *platform_action_find(const char *platform, const char *owner_type, const char *asked);

enum parameter_type { PARAMETER_BOOL, PARAMETER_PIN, PARAMETER_CHOICE };

struct action_parameter {
	const char *platform, *name;
	enum parameter_type type;
	bool beta;                /* only in beta */
	const char *usual;        /* the default, as text */
	bool known;               /* else a value other than the default is refused */
	const char *meaning;
};
const struct action_parameter *action_parameters_all(size_t *ret_n);

/* The names of parameters that a body may have, NULL-terminated, in the arena; more: others that the caller knows (NULL-terminated). */
const char *const *action_parameter_names(struct scope *s, bool beta, const char *const *more);

/* Types, six digits of a PIN: what can be said before the device is known.  ERR_BAD_REQUEST with a detail; members that are no parameters are the
 * caller's. */
MUST_CHECK enum err action_parameters_check(struct scope *s, const json_t *body);

/* What the device is told of a checked body: JSON in the arena, a PIN sealed; NULL: nothing but defaults.  ERR_NOT_SUPPORTED with a detail
 * for a value that the platform does not know.  rows: action_parameters_all(). */
MUST_CHECK enum err action_parameters_encode(struct scope *s, const struct action_parameter *rows, size_t n, const char *platform,
					     const json_t *body, const char **ret);

#endif
