/* SPDX-License-Identifier: Apache-2.0
 * What claims say: who somebody is, and the values that give roles.  Pure; the claims were signed by the provider and are still anybody's text. */
#include <string.h>

#include "directory/sign_in/identity.h"

/* A text of a claim that can be stored and compared: not empty, bounded, printable ASCII (OpenID Connect Core, section 2). */
static const char *plain(const json_t *claims, const char *name)
{
	const json_t *v = json_object_get(claims, name);
	const char *text = json_string_value(v);
	size_t n = json_string_length(v);
	if (text == NULL || n == 0 || n > IDENTITY_SUBJECT_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return NULL;
	return text;
}

static char *id_text(struct arena *a, const json_t *claims, const char *name)
{
	struct id id;
	const char *text = plain(claims, name);
	char out[ID_TEXT];
	return text != NULL && id_parse(text, &id) ? arena_strdup(a, id_format(id, out)) : NULL;
}

static bool is_among(const char *const *list, const char *text)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

char *identity_subject(struct arena *a, const struct provider *p, const json_t *claims)
{
	if (p->tenants == NULL)
		return arena_strdup(a, plain(claims, "sub"));
	const char *tenant = id_text(a, claims, "tid"), *object = id_text(a, claims, "oid");
	if (tenant == NULL || object == NULL || !is_among(p->tenants, tenant))
		return NULL;
	return arena_printf(a, "%s/%s", tenant, object);
}

const char *identity_external_id(struct arena *a, const struct provider *p, const json_t *claims)
{
	return p->tenants == NULL ? plain(claims, "sub") : id_text(a, claims, "oid");
}

const char *identity_upn(const struct provider *p, const json_t *claims)
{
	if (p->tenants != NULL)
		return plain(claims, "upn"); /* of the directory itself; preferred_username and email are the user's to change */
	return json_is_true(json_object_get(claims, "email_verified")) ? plain(claims, "email") : NULL;
}

/* ---- roles ---- */

/* The claim of that name, or what its path leads to; NULL. */
static const json_t *find(const json_t *claims, const char *path)
{
	char part[256 + 1];
	const json_t *v = json_object_get(claims, path);
	if (v != NULL)
		return v;
	for (v = claims; *path != '\0' && v != NULL;) {
		size_t n = strcspn(path, ".");
		if (n == 0 || n >= sizeof part)
			return NULL;
		memcpy(part, path, n);
		part[n] = '\0';
		v = json_object_get(v, part);
		path += n + (path[n] == '.');
	}
	return v;
}

size_t identity_values(struct arena *a, const json_t *claims, const char *path, const char ***ret)
{
	const json_t *v = path == NULL ? NULL : find(claims, path);
	size_t n = json_is_string(v) ? 1 : json_array_size(v), got = 0;
	if (n > IDENTITY_VALUES_MAX)
		n = IDENTITY_VALUES_MAX;
	*ret = arena_alloc(a, (n + 1) * sizeof **ret);
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_is_string(v) ? v : json_array_get(v, i);
		if (json_is_string(one) && json_string_length(one) == strlen(json_string_value(one)))
			(*ret)[got++] = json_string_value(one);
	}
	return got;
}

bool identity_overage(const json_t *claims, const char *path)
{
	const json_t *names = json_object_get(claims, "_claim_names"), *has = json_object_get(claims, "hasgroups");
	if (path == NULL || json_object_get(claims, path) != NULL)
		return false;
	bool told = json_is_true(has) || (json_is_string(has) && strcmp(json_string_value(has), "true") == 0);
	return json_object_get(names, path) != NULL || (told && strcmp(path, "groups") == 0);
}
