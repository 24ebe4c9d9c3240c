/* SPDX-License-Identifier: Apache-2.0
 *
 * Events are read once, in the order of the log.  An event whose bytes open a signed commitment is what the server wrote, canonical JSON
 * with a fixed order of members; so its few facts are found by their names without parsing the rest (a quote inside a JSON string is
 * escaped: `"name":"` can only be a member).
 */
#include "audit/log/verify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/audit_internal.h"
#include "audit/audit_read.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "codec/json.h"

#define TIME_SLACK_US (10 * MINUTE_US)
#define EXPIRY_SLACK_US DAY_US
#define RETENTION_LEAST_US (365 * DAY_US)

enum { RANGES_MAX = 4 * 1024 * 1024, SALT_TEXT = 44 };

/* ---- lines ---- */

static bool skip_text(const char **p, const char *end, const char *text)
{
	size_t n = strlen(text);
	if ((size_t)(end - *p) < n || memcmp(*p, text, n) != 0)
		return false;
	*p += n;
	return true;
}

/* Decimal, no leading zero. */
static bool read_number(const char **p, const char *end, uint64_t *ret)
{
	uint64_t v = 0;
	const char *start = *p;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		if (v > (UINT64_MAX - 9) / 10)
			return false;
		v = v * 10 + (uint64_t)(**p - '0');
	}
	*ret = v;
	return *p > start && (*start != '0' || *p == start + 1);
}

static bool read_salt(struct arena *a, const char *text, uint8_t out[SHA256_BYTES])
{
	void *bytes;
	size_t n;
	struct arena_mark mark = arena_mark(a);
	bool good = base64_decode(a, text, SALT_TEXT, &bytes, &n) && n == SHA256_BYTES;
	if (good)
		memcpy(out, bytes, n);
	arena_rewind(a, mark);
	return good;
}

bool audit_line_read(struct arena *a, const char *line, size_t n, struct audit_line *ret)
{
	const char *p = line, *end = line + n;
	if (!skip_text(&p, end, "{\"index\":") || !read_number(&p, end, &ret->index) || !skip_text(&p, end, ",\"salt\":\""))
		return false;
	if (end - p < SALT_TEXT || !read_salt(a, p, ret->salt))
		return false;
	p += SALT_TEXT;
	if (!skip_text(&p, end, "\",\"event\":") || end - p < 3 || *p != '{' || end[-1] != '}' || end[-2] != '}')
		return false;
	ret->event = p;
	ret->n = (size_t)(end - 1 - p);
	return true;
}

/* ---- an event's facts ---- */

/* The text value of the first member of that name; false where there is none. */
static bool member(const char *bytes, size_t n, const char *name, const char **ret, size_t *ret_n)
{
	const char *at = memmem(bytes, n, name, strlen(name));
	if (at == NULL)
		return false;
	at += strlen(name);
	const char *end = memchr(at, '"', n - (size_t)(at - bytes));
	*ret = at;
	*ret_n = end != NULL ? (size_t)(end - at) : 0;
	return end != NULL;
}

static bool member_time(const char *bytes, size_t n, const char *name, int64_t *ret)
{
	const char *text;
	size_t len;
	char copy[TIME_TEXT + 8] = "";
	if (!member(bytes, n, name, &text, &len) || len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	return time_parse(copy, ret);
}

bool audit_is_stored_event(const char *bytes, size_t n)
{
	const char *p = bytes;
	return skip_text(&p, bytes + n, "{\"schema\":") && memmem(bytes, n, ",\"" AUDIT_EVENT_MEMBER "\":{", sizeof AUDIT_EVENT_MEMBER + 4) != NULL;
}

struct facts {
	int64_t at, expires;
	const char *type;
	size_t type_n;
	bool own_tenant;
};

/* The nil tenant, the installation, is written as null. */
static bool same_tenant(const char *tenant, const char *bytes, size_t n)
{
	const char *text;
	size_t len;
	struct id id;
	if (member(bytes, n, "\"tenantId\":\"", &text, &len))
		return len == strlen(tenant) && memcmp(text, tenant, len) == 0;
	return memmem(bytes, n, "\"tenantId\":null", 15) != NULL && id_parse(tenant, &id) && id_is_nil(id);
}

static bool read_facts(const struct audit_verify *v, const char *bytes, size_t n, struct facts *ret)
{
	ret->own_tenant = same_tenant(v->tenant, bytes, n);
	return audit_is_stored_event(bytes, n) && member_time(bytes, n, "\"expiresDateTime\":\"", &ret->expires) &&
	       member_time(bytes, n, "\"activityDateTime\":\"", &ret->at) &&
	       member(bytes, n, "\"activityType\":\"", &ret->type, &ret->type_n);
}

static bool is_type(const struct facts *f, enum activity a)
{
	const char *type = activity_info(a)->type;
	return f->type_n == strlen(type) && memcmp(f->type, type, f->type_n) == 0;
}

/* ---- faults and ranges ---- */

static void fault(struct audit_verify *v, enum audit_fault kind, uint64_t index, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The one at the lowest index stays. */
static void fault(struct audit_verify *v, enum audit_fault kind, uint64_t index, const char *fmt, ...)
{
	if (v->fault != AUDIT_SOUND && v->bad_index <= index)
		return;
	va_list ap;
	va_start(ap, fmt);
	free(v->why);
	check(vasprintf(&v->why, fmt, ap) >= 0);
	va_end(ap);
	v->fault = kind;
	v->bad_index = index;
}

static bool add_range(struct audit_ranges *r, struct audit_range add)
{
	if (r->n == r->cap) {
		size_t cap = r->cap == 0 ? 64 : r->cap * 2;
		struct audit_range *more = cap <= RANGES_MAX ? realloc(r->at, cap * sizeof *more) : NULL;
		if (more == NULL)
			return false;
		r->at = more;
		r->cap = cap;
	}
	r->at[r->n++] = add;
	return true;
}

static enum err add_hole(struct audit_verify *v, struct scope *s, uint64_t first, uint64_t end)
{
	struct audit_range *last = v->holes.n > 0 ? &v->holes.at[v->holes.n - 1] : NULL;
	v->removed += end - first;
	if (last != NULL && last->end == first)
		last->end = end;
	else if (!add_range(&v->holes, (struct audit_range){.first = first, .end = end, .at = v->latest}))
		return scope_fail(s, ERR_LIMIT, "too many gaps between the log's events");
	return OK;
}

/* ---- what the retention recorded ---- */

/* "0-999,1002-1010": what stands behind the record cannot have been removed by it. */
static bool read_indexes(struct audit_verify *v, const char *text, uint64_t by, int64_t at)
{
	const char *p = text, *end = text + strlen(text);
	while (p < end) {
		uint64_t first, last;
		if (!read_number(&p, end, &first))
			return false;
		last = first;
		if (p < end && *p == '-' && (p++, !read_number(&p, end, &last)))
			return false;
		if (last < first || last >= by || !add_range(&v->removals, (struct audit_range){first, last + 1, by, at}))
			return false;
		if (p < end && *p++ != ',')
			return false;
	}
	return true;
}

static bool read_removal(struct audit_verify *v, const json_t *properties, uint64_t by, int64_t at)
{
	size_t i;
	json_t *p;
	json_array_foreach((json_t *)properties, i, p) {
		const char *name = json_string_value(json_object_get(p, "displayName"));
		const char *value = json_string_value(json_object_get(p, "newValue"));
		if (name == NULL || value == NULL)
			continue;
		if (strcmp(name, "indexes") == 0 && !read_indexes(v, value, by, at))
			return false;
		if (strcmp(name, "keptFrom") == 0) {
			uint64_t from;
			const char *q = value, *end = value + strlen(value);
			if (!read_number(&q, end, &from) || q != end || from > by)
				return false;
			if (from > v->kept_from) {
				v->kept_from = from;
				v->kept = (struct audit_range){0, from, by, at};
			}
		}
	}
	return true;
}

static void read_restored(struct audit_verify *v, const json_t *properties, uint64_t index, int64_t at)
{
	size_t i;
	json_t *p;
	auto_buf text;
	char when[TIME_TEXT];
	buf_init(&text, 4096);
	buf_printf(&text, "index %" PRIu64 ", %s", index, time_format(at, when));
	json_array_foreach((json_t *)properties, i, p) {
		const char *old = json_string_value(json_object_get(p, "oldValue")), *new = json_string_value(json_object_get(p, "newValue"));
		if (old != NULL || new != NULL)
			buf_printf(&text, "%s %s %s%s%s", i == 0 ? ":" : ",", json_string_value(json_object_get(p, "displayName")), old != NULL ? old : "",
				   old != NULL && new != NULL ? " -> " : "", new != NULL ? new : "");
	}
	free(v->restored);
	v->restored = text.failed ? NULL : buf_steal(&text, NULL);
}

/* The two kinds of event that say something about the log itself. */
static enum err read_own(struct audit_verify *v, struct scope *s, const struct audit_line *l, const struct facts *f)
{
	bool removal = is_type(f, ACT_AUDIT_RETENTION), restored = is_type(f, ACT_AUDIT_RESTORED);
	if (!removal && !restored)
		return OK;
	auto_json *j = NULL;
	TRY(json_read(s, l->event, l->n, &j));
	const json_t *resource = json_array_get(json_object_get(json_object_get(j, AUDIT_EVENT_MEMBER), "resources"), 0);
	const json_t *properties = json_object_get(resource, "modifiedProperties");
	if (removal && !read_removal(v, properties, l->index, f->at))
		fault(v, AUDIT_WRONG, l->index, "the event at index %" PRIu64 " records a removal that cannot be", l->index);
	if (restored)
		read_restored(v, properties, l->index, f->at);
	return OK;
}

/* ---- one event ---- */

static void check_times(struct audit_verify *v, uint64_t index, const struct facts *f)
{
	char at[TIME_TEXT];
	if (f->at + TIME_SLACK_US < v->latest && v->back++ == 0)
		v->back_index = index;
	if (f->expires + EXPIRY_SLACK_US < v->now)
		fault(v, AUDIT_KEPT, index, "the event at index %" PRIu64 " is kept past its expiry (%s)", index, time_format(f->expires, at));
	if (f->at > v->latest)
		v->latest = f->at;
}

static enum err check_event(struct audit_verify *v, struct scope *s, const struct audit_line *l, const uint8_t commitment[SHA256_BYTES])
{
	struct facts f;
	v->events++;
	if (!audit_opens(l->event, l->n, l->salt, commitment)) {
		fault(v, AUDIT_CHANGED, l->index, "the event at index %" PRIu64 " was changed: it does not open its commitment", l->index);
		return OK;
	}
	if (!read_facts(v, l->event, l->n, &f)) {
		fault(v, AUDIT_WRONG, l->index, "what was signed at index %" PRIu64 " is no audit event", l->index);
		return OK;
	}
	if (!f.own_tenant)
		fault(v, AUDIT_WRONG, l->index, "the event at index %" PRIu64 " is of another tenant than the log", l->index);
	check_times(v, l->index, &f);
	struct arena_mark mark = arena_mark(s->arena);
	enum err e = read_own(v, s, l, &f);
	if (e == OK)
		arena_rewind(s->arena, mark);
	return e;
}

enum err audit_verify_bundle(struct audit_verify *v, struct scope *s, uint64_t index, const uint8_t (*commitments)[SHA256_BYTES], unsigned n,
			     const char *lines, size_t len)
{
	uint64_t next = index, end = index + n;
	unsigned line = 1;
	for (const char *p = lines, *stop = lines + len; p < stop; line++) {
		const char *eol = memchr(p, '\n', (size_t)(stop - p));
		struct audit_line l;
		if (eol == NULL || !audit_line_read(s->arena, p, (size_t)(eol - p), &l) || l.index < next) {
			fault(v, AUDIT_WRONG, next, "line %u of the events from index %" PRIu64 " on is %s", line, index,
			      eol != NULL ? "malformed or out of order" : "cut off");
			break;
		}
		p = eol + 1;
		if (l.index >= end)
			break;
		if (l.index > next)
			TRY(add_hole(v, s, next, l.index));
		TRY(check_event(v, s, &l, commitments[l.index - index]));
		next = l.index + 1;
	}
	if (next < end)
		TRY(add_hole(v, s, next, end));
	v->next = end;
	return OK;
}

/* ---- the verdict ---- */

static int by_first(const void *a, const void *b)
{
	const struct audit_range *x = a, *y = b;
	return x->first != y->first ? (x->first > y->first) - (x->first < y->first) : (x->end > y->end) - (x->end < y->end);
}

/* The removal that covers an index, searched from *at on, which moves; NULL: none. */
static const struct audit_range *removal_of(const struct audit_verify *v, uint64_t index, size_t *at)
{
	if (index < v->kept_from)
		return &v->kept;
	while (*at < v->removals.n && v->removals.at[*at].end <= index)
		(*at)++;
	for (size_t i = *at; i < v->removals.n && v->removals.at[i].first <= index; i++)
		if (v->removals.at[i].end > index)
			return &v->removals.at[i];
	return NULL;
}

bool audit_verify_removed(const struct audit_verify *v, uint64_t index)
{
	size_t at = 0;
	return removal_of(v, index, &at) != NULL;
}

/* Where an archive of a period has no content: at the period's ends, or what may have expired before it was made. */
static bool excusable(const struct audit_verify *v, const struct audit_range *hole)
{
	bool excerpt = v->from > 0 || v->until < INT64_MAX;
	bool at_an_end = hole->at < v->from + TIME_SLACK_US || hole->at >= v->until - TIME_SLACK_US || hole->end == v->next;
	return excerpt && (at_an_end || hole->at + RETENTION_LEAST_US <= v->now + EXPIRY_SLACK_US);
}

static void judge_hole(struct audit_verify *v, const struct audit_range *hole, size_t *at)
{
	char when[TIME_TEXT];
	for (uint64_t i = hole->first; i < hole->end;) {
		const struct audit_range *r = removal_of(v, i, at);
		if (r == NULL) {
			if (!excusable(v, hole))
				fault(v, AUDIT_MISSING, i, "the event at index %" PRIu64 " is missing inside its retention", i);
			v->may_be_late |= hole->at + RETENTION_LEAST_US <= v->now + EXPIRY_SLACK_US;
			return;
		}
		if (hole->at != 0 && r->at + EXPIRY_SLACK_US < hole->at + RETENTION_LEAST_US) {
			fault(v, AUDIT_MISSING, i, "the event at index %" PRIu64 " was removed before its retention can have ended (recorded at index %"
			      PRIu64 ", %s)", i, r->by, time_format(r->at, when));
			return;
		}
		i = r->end;
	}
}

/* The first index of a removal that is not in a hole. */
static void judge_removal(struct audit_verify *v, const struct audit_range *r, size_t *at)
{
	uint64_t i = r->first > v->first ? r->first : v->first, end = r->end < v->next ? r->end : v->next;
	while (*at < v->holes.n && v->holes.at[*at].end <= i)
		(*at)++;
	for (size_t h = *at; i < end; h++) {
		if (h == v->holes.n || v->holes.at[h].first > i) {
			fault(v, AUDIT_KEPT, i, "the event at index %" PRIu64 " is still there, but its removal is recorded at index %" PRIu64, i, r->by);
			return;
		}
		i = v->holes.at[h].end;
	}
}

enum err audit_verify_end(struct audit_verify *v, struct scope *s)
{
	size_t at = 0;
	if (v->removals.n > 0)
		qsort(v->removals.at, v->removals.n, sizeof *v->removals.at, by_first);
	for (size_t i = 0; i < v->holes.n; i++)
		judge_hole(v, &v->holes.at[i], &at);
	at = 0;
	if (!v->copy)
		judge_removal(v, &v->kept, &at);
	for (size_t i = at = 0; !v->copy && i < v->removals.n; i++)
		judge_removal(v, &v->removals.at[i], &at);
	return v->fault == AUDIT_SOUND ? OK : scope_fail(s, ERR_CONFLICT, "%s", v->why);
}

void audit_verify_release(struct audit_verify *v)
{
	free(v->holes.at);
	free(v->removals.at);
	free(v->restored);
	free(v->why);
	*v = (struct audit_verify){0};
}
