/* SPDX-License-Identifier: Apache-2.0
 *
 * A request's body, checked against the table before anything else sees it.  Promises: a record holds only properties
 * that the mode allows, of the right type and within their limit, and no control characters; what is refused is refused
 * by name, and no value is repeated in the detail.
 */
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "resource/internal.h"
#include "resource/record_internal.h"

struct parse {
	struct scope *s;
	const struct resource *r;
	enum record_mode mode;
	struct record *rec;
};

static enum err refuse(struct parse *c, const struct property *p, const char *why)
{
	return scope_fail(c->s, ERR_BAD_REQUEST, "'%s' %s", p->name, why);
}

static size_t limit_of(const struct property *p)
{
	return p->max_bytes ? p->max_bytes : LIMIT_TEXT_BYTES;
}

/* C0 and C1 controls and DEL; line breaks and tabs where lines are expected. */
static bool has_control(const char *s, size_t n, bool multiline)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i], next = i + 1 < n ? (unsigned char)s[i + 1] : 0;
		if (multiline && (c == '\n' || c == '\r' || c == '\t'))
			continue;
		if (c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0))
			return true;
	}
	return false;
}

static bool is_blank(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\n' && s[i] != '\r')
			return false;
	return true;
}

static enum err text_value(struct parse *c, const struct property *p, const json_t *j, struct db_value *ret)
{
	const char *s = json_string_value(j);
	size_t n = json_string_length(j);
	if (s == NULL)
		return refuse(c, p, "must be a string");
	if (n > limit_of(p))
		return refuse(c, p, arena_printf(c->s->arena, "is longer than %zu bytes", limit_of(p)));
	if (has_control(s, n, p->flags & P_MULTILINE))
		return refuse(c, p, "holds control characters");
	if ((p->flags & P_REQUIRED) && is_blank(s, n))
		return refuse(c, p, "must not be empty");
	*ret = db_v_textn(arena_strndup(c->s->arena, s, n), n);
	return OK;
}

static enum err json_value(struct parse *c, const struct property *p, const json_t *j, struct db_value *ret)
{
	if (!json_is_array(j) && !json_is_object(j))
		return refuse(c, p, "must be an array or an object");
	auto_buf out;
	struct json_writer w;
	buf_init(&out, limit_of(p));
	jw_init(&w, &out);
	jw_json(&w, j);
	if (out.failed)
		return refuse(c, p, arena_printf(c->s->arena, "is longer than %zu bytes", limit_of(p)));
	*ret = db_v_textn(arena_strndup(c->s->arena, out.data, out.len), out.len);
	return OK;
}

static enum err id_value(struct parse *c, const struct property *p, const json_t *j, struct db_value *ret)
{
	struct id id;
	if (!json_is_string(j) || !id_parse(json_string_value(j), &id))
		return refuse(c, p, "must be a UUID");
	*ret = db_v_blob(arena_memdup(c->s->arena, id.b, sizeof id.b), sizeof id.b);
	return OK;
}

static enum err time_value(struct parse *c, const struct property *p, const json_t *j, struct db_value *ret)
{
	int64_t us;
	if (!json_is_string(j) || !time_parse(json_string_value(j), &us))
		return refuse(c, p, "must be a date and time as in RFC 3339");
	*ret = db_v_int(us);
	return OK;
}

static enum err enum_value(struct parse *c, const struct property *p, const json_t *j, struct db_value *ret)
{
	const char *member = json_is_string(j) ? property_enum_member(c->s->arena, p, json_string_value(j)) : NULL;
	if (member == NULL)
		return refuse(c, p, arena_printf(c->s->arena, "must be one of %s", p->values));
	*ret = db_v_text(member);
	return OK;
}

/* What Reeve does not model may be sent only as it stands. */
static enum err same_constant(struct parse *c, const struct property *p, const json_t *j)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, LIMIT_TEXT_BYTES);
	jw_init(&w, &out);
	jw_json(&w, j);
	if (out.failed || strcmp(out.data, p->sql) != 0)
		return refuse(c, p, arena_printf(c->s->arena, "can only be %s", p->sql));
	return OK;
}

static enum err value_of(struct parse *c, const struct property *p, const json_t *j, struct db_value *ret)
{
	switch (p->type) {
	case PROP_ID: return id_value(c, p, j, ret);
	case PROP_TEXT: return text_value(c, p, j, ret);
	case PROP_ENUM: return enum_value(c, p, j, ret);
	case PROP_JSON: return json_value(c, p, j, ret);
	case PROP_TIME:
	case PROP_TIME_0: return time_value(c, p, j, ret);
	case PROP_BOOL:
		*ret = db_v_int(json_is_true(j));
		return json_is_boolean(j) ? OK : refuse(c, p, "must be true or false");
	case PROP_INT:
		*ret = db_v_int(json_integer_value(j));
		return json_is_integer(j) ? OK : refuse(c, p, "must be a whole number");
	case PROP_CONST:
	case PROP_BINARY:
	case PROP_KEY: break;
	}
	return refuse(c, p, "cannot be set");
}

static enum err take(struct parse *c, const struct property *p, const json_t *j)
{
	size_t i = (size_t)(p - c->r->props);
	struct db_value v = db_v_null();
	if (!(p->flags & (c->mode == RECORD_CREATE ? P_CREATE : P_PATCH)))
		return refuse(c, p, c->mode == RECORD_CREATE ? "cannot be given" : "cannot be changed");
	if (p->flags & P_WRITE_ONLY) /* checked for its kind and dropped: no secret lingers in the record */
		return json_is_object(j) || json_is_null(j) ? OK : refuse(c, p, "must be an object");
	if (p->type == PROP_CONST)
		return same_constant(c, p, j);
	if (!json_is_null(j))
		TRY(value_of(c, p, j, &v));
	else if (p->flags & (P_REQUIRED | P_NOT_NULL))
		return refuse(c, p, "must not be null");
	record_put(c->rec, i, v);
	return OK;
}

static bool is_extra(const char *name, const char *const *extra)
{
	for (; extra != NULL && *extra != NULL; extra++)
		if (strcmp(*extra, name) == 0)
			return true;
	return false;
}

/* "@odata.type", "members@odata.type": of no effect.  A binding would have one. */
static bool is_annotation(const char *name)
{
	const char *at = strstr(name, "@odata.");
	return at != NULL && strcmp(at, "@odata.bind") != 0;
}

static enum err check_required(struct parse *c, enum api_version v)
{
	for (size_t i = 0; c->mode == RECORD_CREATE && i < c->r->prop_count; i++) {
		const struct property *p = &c->r->props[i];
		if ((p->flags & P_REQUIRED) && (p->flags & P_CREATE) && property_in(p, v) && !c->rec->set[i])
			return refuse(c, p, "is required");
	}
	return OK;
}

enum err record_parse(struct scope *s, const struct resource *r, const json_t *body, enum record_mode mode,
		      enum api_version v, const char *const *extra, struct record **ret)
{
	struct parse c = {s, r, mode, record_new(s->arena, r)};
	const char *name;
	json_t *value;
	if (!json_is_object(body))
		return scope_fail(s, ERR_BAD_REQUEST, "the body must be a JSON object");
	json_object_foreach((json_t *)body, name, value) {
		if (is_annotation(name) || is_extra(name, extra))
			continue;
		const struct property *p = resource_property(r, name, v);
		if (p == NULL)
			return scope_fail(s, ERR_BAD_REQUEST, "%s has no property '%.64s'", r->name, name);
		TRY(take(&c, p, value));
	}
	TRY(check_required(&c, v));
	*ret = c.rec;
	return OK;
}
