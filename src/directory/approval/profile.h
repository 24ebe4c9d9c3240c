/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles: which calls may be made to need a second person (profiles.def).  Pure.
 */
#ifndef REEVE_DIRECTORY_APPROVAL_PROFILE_H
#define REEVE_DIRECTORY_APPROVAL_PROFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "audit/audit.h"
#include "base/arena.h"

enum approval_profile {
#define PROFILE(name, text) APPROVAL_##name,
#define PROTECTS(profile, activity, when, member, values)
#include "directory/approval/profiles.def"
#undef PROFILE
#undef PROTECTS
	APPROVAL_PROFILES
};
_Static_assert(APPROVAL_PROFILES <= 32, "a set of profiles is an unsigned");

const char *approval_profile_name(enum approval_profile p);
const char *approval_profile_text(enum approval_profile p); /* what it protects, for people: "wipe a device" */
/* APPROVAL_PROFILES: there is none of this name. */
enum approval_profile approval_profile_of(const char *name, size_t n);

/* The profiles that protect a call: a bit (1u << profile) each.  body: NULL for none. */
unsigned approval_profiles_of(enum activity activity, const json_t *body);
/* Whether a call with this activity can need approval at all. */
bool approval_protects(enum activity activity);

/* A set as names, separated by spaces, in the arena; and back (names of none are left out). */
const char *approval_set_text(struct arena *a, unsigned set);
unsigned approval_set_parse(const char *text);
/* What it protects, for people: "wipe a device, an action on several devices". */
const char *approval_set_what(struct arena *a, unsigned set);

#endif
