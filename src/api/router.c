/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths as Graph's clients write them: /users/{id} and /users('{id}'), casts (microsoft.graph.user, graph.user), bound actions with their
 * namespace (microsoft.graph.wipe), functions with or without (), a trailing slash, segments in any case.  The path is split once into
 * segments; a row matches when each of its segments does.  A row's last segment {name...} takes all that are left, one at least, joined by
 * '/'.  Rows with more literal segments win.
 */
#include "api/router.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "codec/odata.h"

enum { SEGMENTS_MAX = 12 };

struct segment {
	const char *s, *bare; /* bare: without its namespace; s itself where it has none */
	size_t n, bare_n;
	enum api_version version; /* 0: it is none */
};

struct segments {
	struct segment s[SEGMENTS_MAX];
	size_t n;
	bool bad;
};

/* microsoft.graph.x and graph.x -> x */
static const char *without_namespace(const char *s)
{
	static const char *const spaces[] = {"microsoft.graph.", "graph."};
	for (size_t i = 0; i < 2; i++)
		if (strncasecmp(s, spaces[i], strlen(spaces[i])) == 0)
			return s + strlen(spaces[i]);
	return s;
}

static enum api_version version_of(const char *segment)
{
	if (strcasecmp(segment, "v1.0") == 0)
		return API_V1;
	return strcasecmp(segment, "beta") == 0 ? API_BETA : 0;
}

static bool push(struct segments *out, const char *s)
{
	if (out->n == SEGMENTS_MAX)
		return false;
	const char *bare = without_namespace(s);
	size_t n = strlen(s);
	out->s[out->n++] =
		(struct segment){.s = s, .n = n, .bare = bare, .bare_n = n - (size_t)(bare - s), .version = version_of(s)};
	return true;
}

/* 'it''s' -> it's; NULL where it is not one quoted text */
static char *unquote(struct arena *a, const char *s, size_t n)
{
	if (n < 2 || s[0] != '\'' || s[n - 1] != '\'')
		return NULL;
	char *out = arena_alloc(a, n), *p = out;
	for (size_t i = 1; i < n - 1; i++) {
		if (s[i] == '\'' && (i + 1 >= n - 1 || s[++i] != '\''))
			return NULL;
		*p++ = s[i];
	}
	*p = '\0';
	return out;
}

/* name('key') is two segments; name() is name; name(arg='x') keeps its argument as a segment of its own, marked by '('. */
static bool split_parenthesis(struct arena *a, struct segments *out, char *seg)
{
	size_t n = strlen(seg);
	char *open = strchr(seg, '(');
	if (open == NULL || n == 0 || seg[n - 1] != ')')
		return push(out, seg);
	char *inner = open + 1;
	size_t inner_n = (size_t)(seg + n - 1 - inner);
	*open = '\0';
	if (*seg != '\0' && !push(out, seg))
		return false;
	if (inner_n == 0)
		return true;
	const char *equals = memchr(inner, '=', inner_n);
	const char *value = inner[0] != '\'' && equals != NULL ? equals + 1 : inner;
	size_t value_n = inner_n - (size_t)(value - inner);
	char *text = unquote(a, value, value_n);
	if (text == NULL)
		text = arena_strndup(a, value, value_n); /* ids may come without quotes */
	return push(out, value == inner ? text : arena_printf(a, "(%s", text));
}

static void split(struct arena *a, const char *path, struct segments *out)
{
	while (*path != '\0') {
		size_t n = strcspn(path, "/");
		char *seg = n == 0 ? NULL : url_decode(a, path, n, false);
		if (n > 0 && (seg == NULL || !split_parenthesis(a, out, seg))) {
			out->bad = true;
			return;
		}
		path += n + (path[n] == '/');
	}
}

static bool literal_matches(const char *want, size_t n, const struct segment *have)
{
	if (have->n == n && ((want[0] ^ have->s[0]) & 0x1f) == 0 && strncasecmp(want, have->s, n) == 0)
		return true;
	if (have->bare == have->s) /* a cast in the route must be a cast in the path */
		return false;
	const char *bare_want = without_namespace(want);
	size_t bare_n = n - (size_t)(bare_want - want);
	return have->bare_n == bare_n && strncasecmp(bare_want, have->bare, bare_n) == 0;
}

static bool add_param(struct arena *a, struct route_match *m, const char *name, size_t n, const char *value)
{
	if (m->param_count == CALL_PARAMS_MAX)
		return false;
	m->param[m->param_count].name = arena_strndup(a, name, n);
	m->param[m->param_count++].value = value;
	return true;
}

/* One segment of a row against one of the path. */
static bool segment_matches(struct arena *a, const char *want, size_t n, const struct segment *have, struct route_match *m,
			    int *literals)
{
	if (want[0] != '{') {
		*literals += 1;
		return literal_matches(want, n, have);
	}
	if (n == 3 && want[1] == 'v') {
		m->version = have->version;
		return m->version != 0;
	}
	return *have->s != '(' && *have->s != '$' && add_param(a, m, want + 1, n - 2, have->s);
}

static bool is_rest(const char *want, size_t n)
{
	return n > 5 && want[0] == '{' && memcmp(want + n - 4, "...}", 4) == 0;
}

/* The segments from i on as one parameter.  None holds a slash of its own: what is joined means what stood in the path. */
static bool rest_matches(struct arena *a, const char *want, size_t n, const struct segments *have, size_t i, struct route_match *m)
{
	const char *joined = NULL;
	for (; i < have->n; i++) {
		const char *s = have->s[i].s;
		if (*s == '(' || *s == '$' || strchr(s, '/') != NULL)
			return false;
		joined = joined == NULL ? s : arena_printf(a, "%s/%s", joined, s);
	}
	return joined != NULL && add_param(a, m, want + 1, n - 5, joined);
}

/* The number of literal segments, or -1. */
static int match(struct arena *a, const char *want, const struct segments *have, struct route_match *m)
{
	int literals = 0;
	size_t i = 0;
	m->param_count = 0;
	m->version = API_V1;
	for (want++; *want != '\0';) {
		size_t n = (size_t)(strchrnul(want, '/') - want);
		const char *arg = memchr(want, '(', n); /* getAuditActivityTypes({category}) */
		size_t name_n = arg != NULL ? (size_t)(arg - want) : n;
		if (is_rest(want, n))
			return rest_matches(a, want, n, have, i, m) ? literals : -1;
		if (i >= have->n || !segment_matches(a, want, name_n, &have->s[i++], m, &literals))
			return -1;
		if (arg != NULL &&
		    (i >= have->n || have->s[i].s[0] != '(' || !add_param(a, m, arg + 2, n - name_n - 4, have->s[i++].s + 1)))
			return -1;
		want += n + (want[n] == '/');
	}
	return i == have->n ? literals : -1;
}

static void allow(struct route_match *m, const char *method)
{
	size_t n = strlen(m->allow);
	if (strstr(m->allow, method) == NULL)
		snprintf(m->allow + n, sizeof m->allow - n, "%s%s", n > 0 ? ", " : "", method);
}

struct search {
	const struct route *table;
	size_t n;
	enum route_listener on;
	const char *method;
};

static void find(struct arena *a, const struct search *q, const struct segments *segments, struct route_match *ret)
{
	struct route_match m = {.route = NULL}; /* match() sets what it uses of it */
	int best = -1;
	for (size_t i = 0; i < q->n; i++) {
		const struct route *r = &q->table[i];
		if (r->listener != q->on && r->listener != ON_BOTH)
			continue;
		int literals = match(a, r->path, segments, &m);
		if (literals < 0)
			continue;
		if (strcmp(r->method, q->method) != 0) {
			ret->other_method = true;
			ret->form = r->form;
			allow(ret, r->method);
		} else if (literals > best) {
			best = literals;
			m.route = r;
			memcpy(m.allow, ret->allow, sizeof m.allow);
			*ret = m;
		}
	}
	if (ret->route != NULL)
		ret->other_method = false;
}

/* .../$count of a path that is read: one rule for all collections.  Whether the row is one is seen when it answers. */
static void find_counted(struct arena *a, const struct search *q, const struct segments *segments, struct route_match *ret)
{
	struct search read = {.table = q->table, .n = q->n, .on = q->on, .method = "GET"};
	struct segments all = *segments;
	struct route_match m = {.version = API_V1};
	if (all.n < 3 || all.s[0].version == 0 || strcasecmp(all.s[all.n - 1].s, "$count") != 0)
		return;
	all.n--;
	find(a, &read, &all, &m);
	if (m.route == NULL)
		return;
	m.count = true;
	m.allow[0] = '\0';
	if (strcmp(q->method, "GET") != 0) {
		m.route = NULL;
		m.other_method = true;
		allow(&m, "GET");
	}
	*ret = m;
}

/* Who asks for what is not there is answered as by what stands beside it. */
static enum error_form form_near(const struct search *q, const struct segments *segments)
{
	for (size_t i = 0; i < q->n && segments->n > 0; i++) {
		const char *first = q->table[i].path + 1;
		size_t n = strcspn(first, "/");
		if (*first != '{' && segments->s[0].n == n && strncasecmp(segments->s[0].s, first, n) == 0)
			return q->table[i].form;
	}
	return FORM_GRAPH;
}

void route_find(struct arena *a, const struct route *table, size_t n, enum route_listener on, const char *method, const char *path,
		struct route_match *ret)
{
	struct segments segments = {.n = 0};
	struct search q = {.table = table, .n = n, .on = on, .method = strcmp(method, "HEAD") == 0 ? "GET" : method};
	*ret = (struct route_match){.version = API_V1};
	split(a, path, &segments);
	ret->malformed = segments.bad || path[0] != '/';
	if (ret->malformed)
		return;
	find(a, &q, &segments, ret);
	if (ret->route == NULL && !ret->other_method)
		find_counted(a, &q, &segments, ret);
	if (ret->route != NULL)
		ret->form = ret->route->form;
	else if (!ret->other_method)
		ret->form = form_near(&q, &segments);
}
