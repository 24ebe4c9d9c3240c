/* SPDX-License-Identifier: Apache-2.0
 * A request's body becomes a record that holds only what its table allows, in its type and size, or is refused.  Input: a line
 * "RESOURCE create|patch v1.0|beta", then the JSON. */
#include <stdio.h>

#include "fuzz.h"

#include "codec/json.h"
#include "codec/utf8.h"
#include "resource/resource.h"

static void text(const struct property *p, const struct db_value *v)
{
	const char *t = v->p;
	check(v->type == DB_TEXT && utf8_valid(t, v->n));
	check(v->n <= (p->max_bytes ? p->max_bytes : LIMIT_TEXT_BYTES));
	for (size_t i = 0; i < v->n; i++)
		check((unsigned char)t[i] >= ' ' || ((p->flags & P_MULTILINE) && strchr("\n\r\t", t[i]) != NULL && t[i] != '\0'));
}

static void value(const struct property *p, const struct db_value *v)
{
	if (v->type == DB_NULL) {
		check(!(p->flags & (P_REQUIRED | P_NOT_NULL)));
		return;
	}
	switch (p->type) {
	case PROP_ID: check(v->type == DB_BLOB && v->n == sizeof(struct id)); break;
	case PROP_TEXT: text(p, v); break;
	case PROP_ENUM: check(v->type == DB_TEXT && strstr(p->values, v->p) != NULL); break;
	case PROP_JSON: check(v->type == DB_TEXT && (*(const char *)v->p == '{' || *(const char *)v->p == '[')); break;
	case PROP_BOOL: check(v->type == DB_INT && (v->i == 0 || v->i == 1)); break;
	case PROP_INT:
	case PROP_TIME:
	case PROP_TIME_0: check(v->type == DB_INT); break;
	case PROP_CONST:
	case PROP_BINARY:
	case PROP_KEY: check(false);
	}
}

static void whole(const struct record *rec, const struct resource *r, enum record_mode mode, enum api_version v)
{
	for (size_t i = 0; i < r->prop_count; i++) {
		const struct property *p = &r->props[i];
		if (!rec->set[i]) {
			check(mode == RECORD_PATCH || !(p->flags & P_REQUIRED) || !(p->flags & P_CREATE) ||
			      (p->flags & (v == API_V1 ? P_BETA : P_V1)));
			continue;
		}
		check(p->flags & (mode == RECORD_CREATE ? P_CREATE : P_PATCH));
		check(!(p->flags & (v == API_V1 ? P_BETA : P_V1)) && !(p->flags & P_WRITE_ONLY));
		value(p, &rec->v[i]);
	}
}

static const struct resource *by_name(const char *name)
{
	size_t count;
	const struct resource *const *all = resource_all(&count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	auto_json *body = NULL;
	struct record *rec;
	char name[64], how[8], version[8];
	const uint8_t *line = n > 0 && n <= 128 * KIB ? memchr(bytes, '\n', n) : NULL;
	if (line == NULL)
		return 0;
	struct scope *s = fuzz_scope();
	const char *first = arena_strndup(s->arena, (const char *)bytes, (size_t)(line - bytes));
	const struct resource *r = sscanf(first, "%63s %7s %7s", name, how, version) == 3 ? by_name(name) : NULL;
	n -= (size_t)(line + 1 - bytes);
	if (r == NULL || json_read(s, (const char *)line + 1, n, &body) != OK)
		return 0;
	enum record_mode mode = strcmp(how, "patch") == 0 ? RECORD_PATCH : RECORD_CREATE;
	enum api_version v = strcmp(version, "beta") == 0 ? API_BETA : API_V1;
	enum err e = record_parse(s, r, body, mode, v, NULL, &rec);
	if (e == OK)
		whole(rec, r, mode, v);
	else
		fuzz_refused(s, e);
	return 0;
}
