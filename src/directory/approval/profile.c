/* SPDX-License-Identifier: Apache-2.0
 * The table of profiles. */
#include "directory/approval/profile.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/limits.h"

enum when { WHEN_ALWAYS, WHEN_IS, WHEN_IS_NOT, WHEN_HAS };

static const struct {
	const char *name, *text;
} PROFILES[] = {
#define PROFILE(name_, text_) {#name_, text_},
#define PROTECTS(profile, activity, when, member, values)
#include "directory/approval/profiles.def"
#undef PROFILE
#undef PROTECTS
};

static const struct protects {
	enum approval_profile profile;
	enum activity activity;
	enum when when;
	const char *member, *values;
} PROTECTED[] = {
#define PROFILE(name, text)
#define PROTECTS(profile_, activity_, when_, member_, values_) {APPROVAL_##profile_, ACT_##activity_, WHEN_##when_, member_, values_},
#include "directory/approval/profiles.def"
#undef PROFILE
#undef PROTECTS
};

const char *approval_profile_name(enum approval_profile p)
{
	check((unsigned)p < APPROVAL_PROFILES);
	return PROFILES[p].name;
}

const char *approval_profile_text(enum approval_profile p)
{
	check((unsigned)p < APPROVAL_PROFILES);
	return PROFILES[p].text;
}

enum approval_profile approval_profile_of(const char *name, size_t n)
{
	unsigned p = 0;
	while (p < APPROVAL_PROFILES && (strlen(PROFILES[p].name) != n || strncasecmp(PROFILES[p].name, name, n) != 0))
		p++;
	return (enum approval_profile)p;
}

/* ---- a call ---- */

static bool listed(const char *values, const char *v)
{
	for (size_t n; *values != '\0'; values += n + (values[n] != '\0')) {
		n = strcspn(values, "|");
		if (strlen(v) == n && strncasecmp(values, v, n) == 0)
			return true;
	}
	return false;
}

static bool has_one(const char *values, const json_t *body)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)body, key, value)
		if (listed(values, key))
			return true;
	return false;
}

static bool applies(const struct protects *p, const json_t *body)
{
	const char *v = json_string_value(json_object_get(body, p->member));
	switch (p->when) {
	case WHEN_ALWAYS: return true;
	case WHEN_IS: return v != NULL && listed(p->values, v);
	case WHEN_IS_NOT: return v != NULL && !listed(p->values, v);
	case WHEN_HAS: return has_one(p->values, body);
	}
	return true;
}

unsigned approval_profiles_of(enum activity activity, const json_t *body)
{
	unsigned set = 0;
	for (size_t i = 0; i < sizeof PROTECTED / sizeof PROTECTED[0]; i++)
		if (PROTECTED[i].activity == activity && applies(&PROTECTED[i], body))
			set |= 1u << PROTECTED[i].profile;
	return set;
}

bool approval_protects(enum activity activity)
{
	static const enum activity groups[] = {ACT_GROUP_UPDATE, ACT_GROUP_DELETE, ACT_GROUP_MEMBER_ADD, ACT_GROUP_MEMBER_REMOVE}; /* that a policy may name */
	bool found = false;
	for (size_t i = 0; i < sizeof PROTECTED / sizeof PROTECTED[0] && !found; i++)
		found = PROTECTED[i].activity == activity;
	for (size_t i = 0; i < sizeof groups / sizeof groups[0] && !found; i++)
		found = groups[i] == activity;
	return found;
}

/* ---- sets as text ---- */

static const char *joined(struct arena *a, unsigned set, const char *between, const char *(*of)(enum approval_profile p))
{
	auto_buf b;
	buf_init(&b, 4 * KIB);
	for (unsigned p = 0; p < APPROVAL_PROFILES; p++)
		if (set & 1u << p)
			buf_printf(&b, "%s%s", b.len > 0 ? between : "", of((enum approval_profile)p));
	return arena_strndup(a, b.len > 0 ? b.data : "", b.len);
}

const char *approval_set_text(struct arena *a, unsigned set) { return joined(a, set, " ", approval_profile_name); }

const char *approval_set_what(struct arena *a, unsigned set) { return joined(a, set, ", ", approval_profile_text); }

unsigned approval_set_parse(const char *text)
{
	unsigned set = 0;
	for (size_t n; *text != '\0'; text += n + (text[n] != '\0')) {
		n = strcspn(text, " ");
		enum approval_profile p = approval_profile_of(text, n);
		if (p < APPROVAL_PROFILES)
			set |= 1u << p;
	}
	return set;
}
