/* SPDX-License-Identifier: Apache-2.0
 * Claims of an identity provider: "<path>\n<claims>".  Whoever they are about is one plain, bounded text; values are those of the claim and no others.
 */
#include "fuzz.h"

#include "directory/sign_in/identity.h"

enum { INPUT_MAX = 16 * 1024 };

static void check_subject(const char *subject, const char *also)
{
	size_t n = subject == NULL ? 0 : strlen(subject);
	check(subject == NULL || (n > 0 && n <= IDENTITY_SUBJECT_MAX));
	check((subject == NULL) == (also == NULL) || subject == NULL); /* who has a subject has something to be matched by */
	for (size_t i = 0; i < n; i++)
		check(subject[i] >= 0x20 && subject[i] <= 0x7e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const tenants[] = {"11111111-2222-3333-4444-555555555555", NULL};
	const struct provider plain = {0}, entra = {.tenants = tenants};
	struct scope *s = fuzz_scope();
	const uint8_t *line = n > INPUT_MAX ? NULL : memchr(bytes, '\n', n);
	auto_json *claims = NULL;
	const char **values, *path;
	if (line == NULL || json_read(s, (const char *)line + 1, n - (size_t)(line + 1 - bytes), &claims) != OK)
		return 0;
	path = arena_strndup(s->arena, (const char *)bytes, (size_t)(line - bytes));
	check_subject(identity_subject(s->arena, &plain, claims), identity_external_id(s->arena, &plain, claims));
	const char *subject = identity_subject(s->arena, &entra, claims);
	check_subject(subject, identity_external_id(s->arena, &entra, claims));
	check(subject == NULL || (strlen(subject) == 73 && strncmp(subject, tenants[0], 36) == 0 && subject[36] == '/'));
	size_t got = identity_values(s->arena, claims, path, &values);
	check(got <= IDENTITY_VALUES_MAX);
	for (size_t i = 0; i < got; i++)
		check(strlen(values[i]) <= n);
	check(!identity_overage(claims, path) || json_object_get(claims, path) == NULL);
	(void)identity_upn(&plain, claims);
	(void)identity_upn(&entra, claims);
	return 0;
}
