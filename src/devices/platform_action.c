/* SPDX-License-Identifier: Apache-2.0
 *
 * What platforms do, looked up; parameters of a wipe, checked and encoded.
 */
#include "devices/platform_action.h"

#include <stdlib.h>
#include <string.h>

#include "codec/base64.h"
#include "codec/json.h"
#include "keeper/keeper.h"

static const struct platform_action ACTIONS[] = {
#define ACTS(platform, owner, asked, told) {platform, #owner, #asked, told, NULL},
#define REFUSES(platform, owner, asked, why) {platform, #owner, #asked, NULL, why},
#include "devices/platform_actions.def"
#undef ACTS
#undef REFUSES
};

enum { V1 = false, BETA = true, UNKNOWN = false, KNOWN = true };

static const struct action_parameter PARAMETERS[] = {
#define PARAMETER(platform, name, type, since, usual, knows, meaning) {platform, name, PARAMETER_##type, since, usual, knows, meaning},
#include "devices/parameters.def"
#undef PARAMETER
};
enum { PARAMETER_ROWS = sizeof PARAMETERS / sizeof PARAMETERS[0] };

static const char *const CHOICES[] = {"default", "doNotObliterate", "obliterateWithWarning", "always"};

const struct platform_action *platform_actions_all(size_t *ret_n)
{
	*ret_n = sizeof ACTIONS / sizeof ACTIONS[0];
	return ACTIONS;
}

const struct platform_action *platform_action_find(const char *platform, const char *owner_type, const char *asked)
{
	for (size_t i = 0; i < sizeof ACTIONS / sizeof ACTIONS[0]; i++)
		if (strcmp(ACTIONS[i].platform, platform) == 0 && strcmp(ACTIONS[i].owner_type, owner_type) == 0 &&
		    strcmp(ACTIONS[i].asked, asked) == 0)
			return &ACTIONS[i];
	return NULL;
}

const struct action_parameter *action_parameters_all(size_t *ret_n)
{
	*ret_n = PARAMETER_ROWS;
	return PARAMETERS;
}

/* A name stands in a row for each platform. */
static bool first_of_name(size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(PARAMETERS[k].name, PARAMETERS[i].name) == 0)
			return false;
	return true;
}

const char *const *action_parameter_names(struct scope *s, bool beta, const char *const *more)
{
	size_t n = 0, more_n = 0;
	while (more != NULL && more[more_n] != NULL)
		more_n++;
	const char **names = arena_alloc(s->arena, (PARAMETER_ROWS + more_n + 1) * sizeof *names);
	for (size_t i = 0; i < PARAMETER_ROWS; i++)
		if ((beta || !PARAMETERS[i].beta) && first_of_name(i))
			names[n++] = PARAMETERS[i].name;
	for (size_t i = 0; i < more_n; i++)
		names[n++] = more[i];
	names[n] = NULL;
	return names;
}

/* ---- values ---- */

static bool is_pin(const char *text) { return strlen(text) == 6 && strspn(text, "0123456789") == 6; }

static bool is_choice(const char *text)
{
	for (size_t i = 0; i < sizeof CHOICES / sizeof CHOICES[0]; i++)
		if (strcmp(CHOICES[i], text) == 0)
			return true;
	return false;
}

/* Null, empty and absent are equal. */
static bool is_nothing(const json_t *v)
{
	return v == NULL || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0);
}

static enum err check_value(struct scope *s, const struct action_parameter *p, const json_t *v)
{
	const char *text = json_string_value(v);
	switch (p->type) {
	case PARAMETER_BOOL:
		if (!json_is_boolean(v))
			return scope_fail(s, ERR_BAD_REQUEST, "property '%s' is true or false", p->name);
		return OK;
	case PARAMETER_PIN:
		if (text == NULL || !is_pin(text))
			return scope_fail(s, ERR_BAD_REQUEST, "property '%s' is six digits", p->name);
		return OK;
	case PARAMETER_CHOICE:
		if (text == NULL || !is_choice(text))
			return scope_fail(s, ERR_BAD_REQUEST, "property '%s' is default, doNotObliterate, obliterateWithWarning or always", p->name);
		return OK;
	}
	return OK;
}

enum err action_parameters_check(struct scope *s, const json_t *body)
{
	for (size_t i = 0; i < PARAMETER_ROWS; i++) {
		const json_t *v = json_object_get(body, PARAMETERS[i].name);
		if (first_of_name(i) && !is_nothing(v))
			TRY(check_value(s, &PARAMETERS[i], v));
	}
	return OK;
}

static bool is_usual(const struct action_parameter *p, const json_t *v)
{
	if (is_nothing(v))
		return true;
	const char *text = json_is_boolean(v) ? (json_is_true(v) ? "true" : "false") : json_string_value(v);
	return strcmp(text, p->usual) == 0;
}

static void put(struct scope *s, json_t *out, const struct action_parameter *p, json_t *v)
{
	if (p->type != PARAMETER_PIN) {
		json_object_set(out, p->name, v);
		return;
	}
	size_t n;
	const void *blob = keeper_seal(s->keeper, s->arena, json_string_value(v), json_string_length(v), &n);
	json_object_set_new(out, p->name, json_pack("{s:s}", "sealed", base64_encode(s->arena, blob, n)));
}

static const struct action_parameter *row_of(const struct action_parameter *rows, size_t n, const char *platform, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].platform, platform) == 0 && strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

enum err action_parameters_encode(struct scope *s, const struct action_parameter *rows, size_t n, const char *platform,
				  const json_t *body, const char **ret)
{
	auto_json *out = json_object();
	*ret = NULL;
	for (size_t i = 0; i < n; i++) {
		json_t *v = json_object_get(body, rows[i].name);
		const struct action_parameter *p = row_of(rows, n, platform, rows[i].name);
		if (is_usual(&rows[i], v))
			continue;
		if (p == NULL || !p->known)
			return scope_fail(s, ERR_NOT_SUPPORTED, "%s: %s", rows[i].name,
					  p == NULL ? "this platform does not know it" : p->meaning);
		put(s, out, p, v);
	}
	if (json_object_size(out) == 0)
		return OK;
	char *text = json_dumps(out, JSON_COMPACT | JSON_SORT_KEYS);
	*ret = arena_strdup(s->arena, text);
	free(text);
	return OK;
}
