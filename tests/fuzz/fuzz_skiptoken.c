/* SPDX-License-Identifier: Apache-2.0
 * A $skiptoken is refused, or holds one value of the right type per term of the order and comes back from writing.  Input: the name of a
 * resource, then lines; the second is $orderby, the rest the token's JSON (its hash is 16 zeros). */
#include "fuzz.h"

#include "codec/base64.h"
#include "codec/odata.h"
#include "resource/internal.h"

static const struct resource *by_name(const char *name)
{
	size_t count;
	const struct resource *const *all = resource_all(&count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

static void whole(struct scope *s, const struct order *o, const struct place *p)
{
	struct place again;
	char *text;
	check(p->given && p->count >= -1);
	for (size_t i = 0; i < o->n; i++)
		check(p->v[i].type == DB_NULL ? o->t[i].nullable : p->v[i].type == property_db_type(o->t[i].p));
	check(token_write(s, 0, o, p, &text) == OK);
	check(token_read(s, text, 0, o, &again) == OK && again.count == p->count);
	for (size_t i = 0; i < o->n; i++) {
		check(again.v[i].type == p->v[i].type && again.v[i].n == p->v[i].n && again.v[i].i == p->v[i].i);
		check(p->v[i].n == 0 || memcmp(again.v[i].p, p->v[i].p, p->v[i].n) == 0);
	}
	check(token_read(s, text, 1, o, &again) != OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct order o;
	struct place p;
	if (n > LIMIT_URL_BYTES)
		return 0;
	struct scope *s = fuzz_scope();
	char *text = arena_strndup(s->arena, (const char *)bytes, n), *name = strsep(&text, "\n"), *order = strsep(&text, "\n");
	struct resource_query q = {.res = by_name(name), .version = API_BETA};
	if (order == NULL || text == NULL || q.res == NULL)
		return 0;
	char *option = *order != '\0' ? arena_printf(s->arena, "$orderby=%s", order) : arena_strdup(s->arena, "");
	if (odata_parse(s, option, &q.odata) != OK || order_plan(s, &q, &o) != OK)
		return 0;
	s->detail = NULL;
	enum err e = token_read(s, text, 0, &o, &p); /* as it came */
	if (e != OK)
		fuzz_refused(s, e);
	s->detail = NULL;
	e = token_read(s, base64url_encode(s->arena, text, strlen(text)), 0, &o, &p);
	if (e == OK)
		whole(s, &o, &p);
	else
		fuzz_refused(s, e);
	return 0;
}
