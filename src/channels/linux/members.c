/* SPDX-License-Identifier: Apache-2.0
 *
 * The members of one JSON object.
 */
#include "channels/linux/members.h"

#include <string.h>

struct members members_of(struct scope *s, const json_t *object, const char *where)
{
	struct members m = {.s = s, .object = object, .where = where, .err = OK};
	if (!json_is_object(object))
		m.err = scope_fail(s, ERR_BAD_REQUEST, "%s is an object", where);
	return m;
}

void members_fail(struct members *m, const char *name, const char *why)
{
	if (m->err == OK)
		m->err = scope_fail(m->s, ERR_BAD_REQUEST, "%s/%s %s", m->where, name, why);
}

/* The member, counted; NULL where it is absent or null. */
static const json_t *take(struct members *m, const char *name, unsigned flags)
{
	const json_t *v = m->err == OK ? json_object_get(m->object, name) : NULL;
	if (v != NULL)
		m->taken++;
	if (v != NULL && !json_is_null(v))
		return v;
	if ((flags & MEMBER_REQUIRED) != 0)
		members_fail(m, name, "is required");
	return NULL;
}

static bool clean(const char *text, bool lines)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == 0x7f || (c < ' ' && !(lines && (c == '\n' || c == '\r' || c == '\t'))))
			return false;
	}
	return true;
}

const char *member_text(struct members *m, const char *name, unsigned flags, size_t max_bytes)
{
	const json_t *v = take(m, name, flags);
	if (v == NULL)
		return NULL;
	if (!json_is_string(v))
		members_fail(m, name, "is text");
	else if (json_string_length(v) > max_bytes)
		members_fail(m, name, "is too long");
	else if (!clean(json_string_value(v), (flags & MEMBER_LINES) != 0))
		members_fail(m, name, "has control characters");
	else if (json_string_length(v) == 0 && (flags & MEMBER_REQUIRED) != 0)
		members_fail(m, name, "is empty");
	return m->err == OK ? json_string_value(v) : NULL;
}

int64_t member_count(struct members *m, const char *name, unsigned flags)
{
	const json_t *v = take(m, name, flags);
	if (v == NULL)
		return -1;
	if (json_is_integer(v) && json_integer_value(v) >= 0)
		return json_integer_value(v);
	members_fail(m, name, "is a whole number from 0");
	return -1;
}

int member_bool(struct members *m, const char *name, unsigned flags)
{
	const json_t *v = take(m, name, flags);
	if (v == NULL)
		return -1;
	if (!json_is_boolean(v))
		members_fail(m, name, "is true or false");
	return json_is_true(v);
}

struct id member_id(struct members *m, const char *name, unsigned flags)
{
	struct id id = {0};
	const json_t *v = take(m, name, flags);
	if (v != NULL && (!json_is_string(v) || !id_parse(json_string_value(v), &id)))
		members_fail(m, name, "is an id");
	return id;
}

const json_t *member_object(struct members *m, const char *name, unsigned flags)
{
	const json_t *v = take(m, name, flags);
	if (v != NULL && !json_is_object(v))
		members_fail(m, name, "is an object");
	return m->err == OK ? v : NULL;
}

const json_t *member_list(struct members *m, const char *name, unsigned flags, size_t max, size_t *ret_n)
{
	const json_t *v = take(m, name, flags);
	*ret_n = 0;
	if (v == NULL)
		return NULL;
	if (!json_is_array(v))
		members_fail(m, name, "is a list");
	else if (json_array_size(v) > max)
		members_fail(m, name, "has too many entries");
	else
		*ret_n = json_array_size(v);
	return m->err == OK ? v : NULL;
}

enum err members_end(struct members *m)
{
	if (m->err == OK && m->taken != json_object_size(m->object))
		m->err = scope_fail(m->s, ERR_BAD_REQUEST, "%s has a member that is not known", m->where);
	return m->err;
}
