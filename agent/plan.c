/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading payloads: small helpers that the kinds share.  Whatever the server sends is checked here as if an enemy had
 * sent it.
 */
#include <string.h>

#include "base/limits.h"
#include "fs.h"
#include "provision.h"

enum err payload_text(struct agent *a, const json_t *payload, const char *key, bool required, const char **ret)
{
	const json_t *v = json_object_get(payload, key);
	*ret = NULL;
	if ((v == NULL || json_is_null(v)) && !required)
		return OK;
	if (!json_is_string(v))
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload has no text %s", key);
	if (strlen(json_string_value(v)) !=
	    json_string_length(v)) /* a NUL inside would hide the rest from the checks */
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload's %s has a NUL in it", key);
	*ret = arena_strdup(a->scope->arena, json_string_value(v));
	return OK;
}

enum err payload_line(struct agent *a, const json_t *payload, const char *key, bool required, const char **ret)
{
	TRY(payload_text(a, payload, key, required, ret));
	if (*ret == NULL)
		return OK;
	if (required && **ret == '\0')
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload's %s is empty", key);
	if (strlen(*ret) > LIMIT_TEXT_BYTES)
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload's %s is too long", key);
	for (const char *p = *ret; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return scope_fail(a->scope, ERR_BAD_REQUEST, "the payload's %s has a control character", key);
	return OK;
}

/* Four octal digits.  Set-id bits and the sticky bit are never given out. */
enum err payload_mode(struct agent *a, const json_t *payload, unsigned *ret)
{
	const char *text;
	TRY(payload_line(a, payload, "mode", false, &text));
	*ret = 0644;
	if (text == NULL)
		return OK;
	size_t n = strlen(text);
	if (n < 3 || n > 4 || strspn(text, "01234567") != n || (n == 4 && text[0] != '0'))
		return scope_fail(a->scope, ERR_BAD_REQUEST, "the mode %.8s is not 0000 to 0777", text);
	*ret = 0;
	for (; *text != '\0'; text++)
		*ret = *ret * 8 + (unsigned)(*text - '0');
	return OK;
}

enum err payload_path(struct agent *a, const json_t *payload, const char **ret)
{
	const char *given;
	TRY(payload_text(a, payload, "path", true, &given));
	TRY(path_check(a->scope, given, ret));
	return path_allow_file(a->scope, *ret, a->state_rel);
}

void plan_one_file(struct agent *a, struct plan *p, const char *path, const char *content, size_t n, unsigned mode)
{
	p->files = arena_alloc(a->scope->arena, sizeof *p->files);
	p->files[0] = (struct plan_file){.path = path, .content = content, .n = n, .mode = mode};
	p->n_files = 1;
	p->identifier = path;
}
