/* SPDX-License-Identifier: Apache-2.0
 * Any method and path finds a row that fits, or none; a slash at its end and the letters' case make no difference to which one.
 * Input: "METHOD PATH". */
#include <ctype.h>

#include "fuzz.h"

#include "api/router.h"
#include "codec/utf8.h"

static unsigned wanted_params(const char *path)
{
	unsigned n = 0;
	for (const char *p = strchr(path, '{'); p != NULL; p = strchr(p + 1, '{'))
		n += strncmp(p, "{v}", 3) != 0;
	return n;
}

static void found(const struct route_match *m, enum route_listener on, const char *method)
{
	const struct route *r = m->route;
	check(!m->malformed && !m->other_method);
	check(r->listener == on || r->listener == ON_BOTH);
	check(strcmp(r->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0);
	check(m->version == API_V1 || m->version == API_BETA);
	check(m->param_count == wanted_params(r->path));
	for (size_t i = 0; i < m->param_count; i++) {
		const char *v = m->param[i].value;
		check(m->param[i].name[0] != '\0' && v != NULL && utf8_valid(v, strlen(v)));
	}
}

static void one(struct arena *a, enum route_listener on, const char *method, const char *path)
{
	size_t n, i = 0;
	struct route_match m, again;
	const struct route *table = route_table(&n);
	route_find(a, table, n, on, method, path, &m);
	if (m.route != NULL)
		found(&m, on, method);
	else
		check(m.other_method == (m.allow[0] != '\0'));
	route_find(a, table, n, on, method, arena_printf(a, "%s/", path), &again);
	if (path[0] != '\0')
		check(again.route == m.route && again.malformed == m.malformed);
	char *upper = arena_strdup(a, path); /* but for escapes, whose digits may be of either case anyway */
	for (; upper[i] != '\0'; i++)
		upper[i] = (char)toupper((unsigned char)upper[i]);
	route_find(a, table, n, on, method, upper, &again);
	check(again.route == m.route && again.version == m.version && again.param_count == m.param_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > LIMIT_URL_BYTES)
		return 0;
	struct arena *a = fuzz_scope()->arena;
	char *method = arena_strndup(a, (const char *)bytes, n), *path = strchr(method, ' ');
	if (path == NULL)
		return 0;
	*path++ = '\0';
	one(a, ON_API, method, path);
	one(a, ON_DEVICE, method, path);
	return 0;
}
