/* SPDX-License-Identifier: Apache-2.0
 *
 * payload.def at work: properties in, canonical JSON at rest, two ways out.
 */
#include "devices/payload.h"

#include <string.h>

#include "base/limits.h"
#include "codec/base64.h"
#include "devices/payload_rules.h"
#include "keeper/keeper.h"

enum shape { TEXT, INT, BOOL, TEXTS, FILES };
enum { REQUIRED = 1, SECRET = 2, TEMPLATE = 4, LINES = 8, NULLABLE = 16, DEVICE = 32, EMPTY = 64 };
enum { LIST_MAX = 64 }; /* data paths or files of one app: an app with more is a package of its own */

struct property_rule {
	enum payload_type type;
	const char *name;
	enum shape shape;
	unsigned flags, max;
	payload_rule rule;
	const char *preset; /* JSON */
};

static const struct property_rule RULES[] = {
#define PAYLOAD(type, odata_type, item_type, kind)
#define PROPERTY(type, name, shape, flags, max, rule, preset) {PAYLOAD_##type, name, shape, flags, max, rule, preset},
#include "devices/payload.def"
#undef PAYLOAD
#undef PROPERTY
};
enum { RULE_COUNT = sizeof RULES / sizeof RULES[0] };

static const struct {
	const char *odata_type, *item_type, *kind;
} TYPES[] = {
#define PAYLOAD(type, odata_type, item_type, kind) {odata_type, item_type, kind},
#define PROPERTY(type, name, shape, flags, max, rule, preset)
#include "devices/payload.def"
#undef PAYLOAD
#undef PROPERTY
};

const char *payload_odata_type(enum payload_type t)
{
	check((unsigned)t < PAYLOAD_TYPE_COUNT);
	return TYPES[t].odata_type;
}

const char *payload_item_type(enum payload_type t)
{
	check((unsigned)t < PAYLOAD_TYPE_COUNT);
	return TYPES[t].item_type;
}

const char *payload_kind(enum payload_type t)
{
	check((unsigned)t < PAYLOAD_TYPE_COUNT);
	return TYPES[t].kind;
}

bool payload_type_parse(const char *odata_type, const char *item_type, enum payload_type *ret)
{
	const char *name = odata_type[0] == '#' ? odata_type + 1 : odata_type;
	for (int i = 0; i < PAYLOAD_TYPE_COUNT; i++)
		if (strcmp(TYPES[i].odata_type + 1, name) == 0 && strcmp(TYPES[i].item_type, item_type) == 0) {
			*ret = (enum payload_type)i;
			return true;
		}
	return false;
}

const char *const *payload_names(struct arena *a, enum payload_type t)
{
	const char **names = arena_alloc(a, (RULE_COUNT + 1) * sizeof *names);
	size_t n = 0;
	for (size_t i = 0; i < RULE_COUNT; i++)
		if (RULES[i].type == t && (RULES[i].flags & DEVICE) == 0)
			names[n++] = RULES[i].name;
	return names;
}

/* ---- in ---- */

static enum err refuse(struct scope *s, const struct property_rule *p, const char *why)
{
	return scope_fail(s, ERR_BAD_REQUEST, "property %s %s", p->name, why);
}

static bool clean(const char *text, bool lines)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == 0x7f || (c < ' ' && !(lines && (c == '\n' || c == '\t' || c == '\r'))))
			return false;
	}
	return true;
}

static enum err check_text(struct scope *s, const struct property_rule *p, const json_t *v)
{
	if (!json_is_string(v))
		return refuse(s, p, "is text");
	if (json_string_length(v) == 0 && (p->flags & EMPTY) == 0)
		return refuse(s, p, "is empty");
	if (json_string_length(v) > p->max)
		return refuse(s, p, "is too long");
	if (!clean(json_string_value(v), (p->flags & LINES) != 0))
		return refuse(s, p, "has control characters");
	const char *why = p->rule == NULL ? NULL : p->rule(s, json_string_value(v), 0);
	return why == NULL ? OK : refuse(s, p, why);
}

static enum err check_texts(struct scope *s, const struct property_rule *p, const json_t *v)
{
	size_t i;
	json_t *one;
	if (!json_is_array(v))
		return refuse(s, p, "is a list of texts");
	if (json_array_size(v) > LIST_MAX)
		return refuse(s, p, "has too many entries");
	json_array_foreach (v, i, one)
		TRY(check_text(s, p, one));
	return OK;
}

static enum err check_file(struct scope *s, const struct property_rule *p, const json_t *file)
{
	const char *key;
	json_t *v;
	const json_t *path = json_object_get(file, "path"), *content = json_object_get(file, "content"),
		     *mode = json_object_get(file, "mode");
	if (!json_is_object(file) || !json_is_string(path) || !json_is_string(content))
		return refuse(s, p, "is a list of objects with path, content and mode");
	json_object_foreach ((json_t *)file, key, v)
		if (v != path && v != content && v != mode)
			return refuse(s, p, "has a member that is not path, content or mode");
	const char *why = payload_file_path_problem(json_string_value(path));
	if (why != NULL)
		return refuse(s, p, arena_printf(s->arena, "has a path that %s", why));
	if (mode != NULL && (!json_is_string(mode) || rule_mode(s, json_string_value(mode), 0) != NULL))
		return refuse(s, p, "has a mode that is not four octal digits, the first of which is 0");
	return clean(json_string_value(content), true) ? OK : refuse(s, p, "has control characters");
}

static enum err check_files(struct scope *s, const struct property_rule *p, const json_t *v)
{
	size_t i;
	json_t *file;
	if (!json_is_array(v))
		return refuse(s, p, "is a list of objects with path, content and mode");
	if (json_array_size(v) > LIST_MAX)
		return refuse(s, p, "has too many entries");
	json_array_foreach (v, i, file)
		TRY(check_file(s, p, file));
	return OK;
}

static enum err check_value(struct scope *s, const struct property_rule *p, const json_t *v)
{
	const char *why;
	if (json_is_null(v))
		return (p->flags & NULLABLE) != 0 ? OK : refuse(s, p, "is null");
	switch (p->shape) {
	case TEXT:
		return check_text(s, p, v);
	case TEXTS:
		return check_texts(s, p, v);
	case FILES:
		return check_files(s, p, v);
	case BOOL:
		return json_is_boolean(v) ? OK : refuse(s, p, "is true or false");
	case INT:
		if (!json_is_integer(v))
			return refuse(s, p, "is a whole number");
		why = p->rule == NULL ? NULL : p->rule(s, NULL, json_integer_value(v));
		return why == NULL ? OK : refuse(s, p, why);
	}
	check(!"a shape without a check");
	return ERR_INTERNAL;
}

static json_t *sealed(struct scope *s, const json_t *v)
{
	size_t n;
	const void *blob = keeper_seal(s->keeper, s->arena, json_string_value(v), json_string_length(v), &n);
	return json_string(base64_encode(s->arena, blob, n));
}

enum err payload_read(struct scope *s, enum payload_type t, const json_t *body, json_t **ret)
{
	auto_json *out = json_object();
	for (size_t i = 0; i < RULE_COUNT; i++) {
		const struct property_rule *p = &RULES[i];
		json_t *v = json_object_get(body, p->name);
		if (p->type != t || v == NULL || (p->flags & DEVICE) != 0)
			continue;
		TRY(check_value(s, p, v));
		if ((p->flags & SECRET) == 0)
			json_object_set(out, p->name, v);
		else if (!json_is_null(v)) /* people see a secret as null: sent back, it means "as it was" */
			json_object_set_new(out, p->name, sealed(s, v));
	}
	*ret = json_incref(out);
	return OK;
}

static enum err parse_stored(struct scope *s, const char *text, json_t **ret)
{
	return json_read(s, text, strlen(text), ret);
}

/* What holds between properties. */
static enum err check_whole(struct scope *s, enum payload_type t, json_t *whole, const json_t *change)
{
	for (size_t i = 0; i < RULE_COUNT; i++)
		if (RULES[i].type == t && (RULES[i].flags & REQUIRED) != 0 &&
		    json_object_get(whole, RULES[i].name) == NULL)
			return refuse(s, &RULES[i], "is required");
	if (t != PAYLOAD_wifi)
		return OK;
	bool open = strcmp(json_string_value(json_object_get(whole, "security")), "open") == 0;
	if (open && json_object_get(change, "passphrase") != NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "property passphrase: an open network has none");
	if (open)
		json_object_del(whole, "passphrase");
	else if (json_object_get(whole, "passphrase") == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "property passphrase is required where security is wpaPersonal");
	return OK;
}

/* In the table's order, so that equal payloads are equal texts. */
static enum err canonical(struct scope *s, enum payload_type t, const json_t *whole, const char **ret)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, LIMIT_PAYLOAD_BYTES);
	jw_init(&w, &out);
	jw_object(&w);
	for (size_t i = 0; i < RULE_COUNT; i++) {
		const json_t *v = RULES[i].type == t ? json_object_get(whole, RULES[i].name) : NULL;
		if (v == NULL)
			continue;
		jw_key(&w, RULES[i].name);
		jw_json(&w, v);
	}
	jw_end_object(&w);
	if (out.failed)
		return scope_fail(s, ERR_BAD_REQUEST, "the item's properties take more than %u bytes",
				  LIMIT_PAYLOAD_BYTES);
	*ret = arena_strndup(s->arena, out.data, out.len);
	return OK;
}

enum err payload_merge(struct scope *s, enum payload_type t, const char *old, const json_t *change,
		       const char **ret_text)
{
	auto_json *whole = NULL;
	if (old != NULL)
		TRY(parse_stored(s, old, &whole));
	else
		whole = json_object();
	for (size_t i = 0; old == NULL && i < RULE_COUNT; i++)
		if (RULES[i].type == t && RULES[i].preset != NULL && (RULES[i].flags & DEVICE) == 0)
			json_object_set_new(whole, RULES[i].name, json_loads(RULES[i].preset, JSON_DECODE_ANY, NULL));
	json_object_update(whole, (json_t *)change);
	TRY(check_whole(s, t, whole, change));
	return canonical(s, t, whole, ret_text);
}

static const char *add_name(struct arena *a, const char *names, const char *name)
{
	return names == NULL ? arena_strdup(a, name) : arena_printf(a, "%s, %s", names, name);
}

enum err payload_difference(struct scope *s, const char *old, const char *now, const char **ret)
{
	auto_json *a = NULL;
	auto_json *b = NULL;
	const char *key, *names = NULL;
	json_t *v;
	TRY(parse_stored(s, old, &a));
	TRY(parse_stored(s, now, &b));
	json_object_foreach (a, key, v)
		if (!json_equal(v, json_object_get(b, key)))
			names = add_name(s->arena, names, key);
	json_object_foreach (b, key, v)
		if (json_object_get(a, key) == NULL)
			names = add_name(s->arena, names, key);
	*ret = names;
	return OK;
}

/* ---- out ---- */

enum err payload_write(struct scope *s, enum payload_type t, const char *stored, struct json_writer *w)
{
	auto_json *whole = NULL;
	TRY(parse_stored(s, stored, &whole));
	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (RULES[i].type != t || (RULES[i].flags & DEVICE) != 0)
			continue;
		const json_t *v = json_object_get(whole, RULES[i].name);
		jw_key(w, RULES[i].name);
		if (v == NULL || (RULES[i].flags & SECRET) != 0)
			jw_null(w);
		else
			jw_json(w, v);
	}
	return OK;
}

/* The text with its placeholders filled in; what is not one of the three stays as it is. */
static void write_filled(struct json_writer *w, const char *text, const struct payload_person *p)
{
	const struct {
		const char *name, *value;
	} places[] = {{"{{userPrincipalName}}", p->upn},
		      {"{{mail}}", p->mail != NULL ? p->mail : p->upn},
		      {"{{displayName}}", p->display_name}};
	auto_buf out;
	buf_init(&out, 2 * LIMIT_PAYLOAD_BYTES);
	while (*text != '\0') {
		size_t i = 0;
		while (i < 3 && strncmp(text, places[i].name, strlen(places[i].name)) != 0)
			i++;
		if (i == 3) {
			buf_addc(&out, *text++);
			continue;
		}
		buf_adds(&out, places[i].value == NULL ? "" : places[i].value);
		text += strlen(places[i].name);
	}
	if (out.failed)
		jw_null(w); /* a file of nothing but placeholders: the device reports that it cannot use it */
	else
		jw_stringn(w, out.data == NULL ? "" : out.data, out.len);
}

/* A secret that cannot be opened (another keeper's) goes out as null: the device reports the item as failed, and
 * everything else works. */
static void write_secret(struct scope *s, struct json_writer *w, const char *text)
{
	void *blob, *plain = NULL;
	size_t n;
	if (base64_decode(s->arena, text, strlen(text), &blob, &n))
		plain = keeper_unseal(s->keeper, s->arena, blob, n, &n);
	if (plain == NULL)
		jw_null(w);
	else
		jw_stringn(w, plain, n);
}

enum err payload_deliver(struct scope *s, enum payload_type t, const char *stored, const struct payload_person *p,
			 struct json_writer *w)
{
	auto_json *whole = NULL;
	TRY(parse_stored(s, stored, &whole));
	jw_object(w);
	for (size_t i = 0; i < RULE_COUNT; i++) {
		if (RULES[i].type != t)
			continue;
		auto_json *preset = (RULES[i].flags & DEVICE) != 0 ? json_loads(RULES[i].preset, JSON_DECODE_ANY, NULL)
								   : NULL;
		const json_t *v = preset != NULL ? preset : json_object_get(whole, RULES[i].name);
		if (v == NULL)
			continue;
		jw_key(w, RULES[i].name);
		if ((RULES[i].flags & TEMPLATE) != 0 && json_is_string(v))
			write_filled(w, json_string_value(v), p);
		else if ((RULES[i].flags & SECRET) != 0 && json_is_string(v))
			write_secret(s, w, json_string_value(v));
		else
			jw_json(w, v);
	}
	jw_end_object(w);
	return OK;
}
