/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/disclosure/disclosure.h"

#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/buf.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "privacy/disclosure/internal.h"
#include "privacy/disclosure/reason.h"

DB_TENANT(disclosure_of_case,
	  "SELECT section, record_key, property, disclosure, reason_code, legal_ground FROM disclosure_decisions "
	  "WHERE tenant_id = ?1 AND request_id = ?2 AND user_id = ?3 ORDER BY section, record_key, property");
DB_TENANT(disclosure_open_cases,
	  "SELECT request_id FROM data_subject_requests WHERE tenant_id = ?1 AND user_id = ?2 AND state NOT IN ('delivered', 'closed')");

struct rule {
	const char *section, *record, *property; /* property: of a table its column's name, of events a part's */
	struct disclosed what;
};

struct disclosure {
	struct arena *a;
	struct id person, tenant;
	bool full;
	struct rule *rules; /* by section, record, property */
	size_t n;
	struct id *open; /* the person's cases that were not answered yet */
	size_t open_n;
};

/* ---- loading ---- */

const struct map_path *section_path(const char *section)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	for (size_t i = 0; i < n; i++)
		if (*section != '\0' && strcmp(p[i].section, section) == 0)
			return &p[i];
	return NULL;
}

char *property_name(struct arena *a, const char *column)
{
	char *out = arena_strdup(a, column), *to = out;
	for (const char *p = column; *p != '\0'; p++) {
		if (*p == '_' && p[1] >= 'a' && p[1] <= 'z')
			*to++ = (char)(*++p - 'a' + 'A');
		else
			*to++ = *p;
	}
	*to = '\0';
	return out;
}

/* Decisions name properties as the person sees them. */
static const char *column_of(struct arena *a, const char *section, const char *property)
{
	size_t n;
	const struct map_path *p = section_path(section);
	if (p == NULL || *property == '\0')
		return property;
	const struct map_column *c = map_table_columns(map_table(p->table), &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(property_name(a, c[i].name), property) == 0)
			return c[i].name;
	return property;
}

static enum verdict verdict_of(const char *disclosure)
{
	return strcmp(disclosure, "full") == 0 ? GIVE : strcmp(disclosure, "redacted") == 0 ? REDACT : WITHHOLD;
}

static int by_place(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;
	int c = strcmp(x->section, y->section);
	if (c == 0)
		c = strcmp(x->record, y->record);
	return c != 0 ? c : strcmp(x->property, y->property);
}

static void add_rule(struct disclosure *d, struct arena *a, const struct db_rows *r)
{
	struct rule *rule = &d->rules[d->n++];
	const struct reason *why = reason_by_code(db_text(r, 4));
	rule->section = db_text_dup(r, 0, a);
	rule->record = db_text_dup(r, 1, a);
	rule->property = column_of(a, rule->section, db_text_dup(r, 2, a));
	rule->what = (struct disclosed){
		.verdict = verdict_of(db_text(r, 3)),
		.reason = why != NULL ? why->code : db_text_dup(r, 4, a),
		.ground = db_text_dup(r, 5, a),
		.by_officer = true,
	};
	rule->what.quiet = rule->what.verdict == WITHHOLD && why != NULL && why->quiet;
}

static enum err load_rules(struct db_tx *tx, struct id request, struct disclosure *d)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	size_t room = 0;
	TRY(db_query(tx, &disclosure_of_case, DB_ARGS(db_v_id(&request), db_v_id(&d->person)), &r));
	while (db_next(r)) {
		if (d->n == room) {
			room = room == 0 ? 64 : 2 * room;
			struct rule *more = arena_alloc(a, room * sizeof *more);
			if (d->n > 0)
				memcpy(more, d->rules, d->n * sizeof *more);
			d->rules = more;
		}
		add_rule(d, a, r);
	}
	if (d->n > 0) /* databases sort text each in its own way */
		qsort(d->rules, d->n, sizeof *d->rules, by_place);
	return db_rows_err(r);
}

static enum err load_cases(struct db_tx *tx, struct disclosure *d)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	size_t room = 0;
	TRY(db_query(tx, &disclosure_open_cases, DB_ARGS(db_v_id(&d->person)), &r));
	while (db_next(r)) {
		if (d->open_n == room) {
			room = room == 0 ? 16 : 2 * room;
			struct id *more = arena_alloc(a, room * sizeof *more);
			if (d->open_n > 0)
				memcpy(more, d->open, d->open_n * sizeof *more);
			d->open = more;
		}
		d->open[d->open_n++] = db_id(r, 0);
	}
	return db_rows_err(r);
}

enum err disclosure_load(struct db_tx *tx, struct id person, struct id request, bool full, struct disclosure **ret)
{
	struct disclosure *d = arena_alloc(db_tx_scope(tx)->arena, sizeof *d);
	d->a = db_tx_scope(tx)->arena;
	d->tenant = db_tx_scope(tx)->tenant;
	d->person = person;
	d->full = full;
	TRY(load_cases(tx, d));
	if (!id_is_nil(request))
		TRY(load_rules(tx, request, d));
	*ret = d;
	return OK;
}

/* ---- decisions ---- */

static const struct rule *find(const struct disclosure *d, const char *section, const char *record, const char *property)
{
	struct rule key = {.section = section, .record = record, .property = property};
	return d->n == 0 ? NULL : bsearch(&key, d->rules, d->n, sizeof key, by_place);
}

static const struct rule *rule_of_record(const struct disclosure *d, const char *section, const char *record)
{
	const struct rule *r = find(d, section, record, "");
	return r != NULL ? r : find(d, section, "", "");
}

/* Whether anything below a place that is withheld is not: then it is not withheld as a whole.  record "": below the section. */
static bool given_below(const struct disclosure *d, const struct rule *place, const char *record)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct rule *r = &d->rules[i];
		if (r->what.verdict == WITHHOLD || strcmp(r->section, place->section) != 0)
			continue;
		bool above = *r->record == '\0' && *place->record != '\0'; /* less specific than the place */
		if (!above && (*record == '\0' || *r->record == '\0' || strcmp(r->record, record) == 0))
			return true;
	}
	return false;
}

static struct disclosed withheld_whole(const struct disclosure *d, const struct rule *r, const char *record)
{
	return r != NULL && r->what.verdict == WITHHOLD && !given_below(d, r, record) ? r->what : (struct disclosed){.verdict = GIVE};
}

struct disclosed disclosure_of_section(const struct disclosure *d, const char *section)
{
	return withheld_whole(d, find(d, section, "", ""), "");
}

struct disclosed disclosure_of_record(const struct disclosure *d, const struct disclosed_row *row)
{
	return withheld_whole(d, rule_of_record(d, row->path->section, row->record), row->record);
}

bool disclosure_decided_record(const struct disclosure *d, const struct disclosed_row *row, struct disclosed *ret)
{
	const struct rule *r = find(d, row->path->section, row->record, "");
	if (r != NULL)
		*ret = r->what;
	return r != NULL;
}

bool disclosure_decided(const struct disclosure *d, const struct disclosed_row *row, const char *property, struct disclosed *ret)
{
	const char *section = row->path->section;
	const struct rule *r = find(d, section, row->record, property);
	if (r == NULL)
		r = find(d, section, row->record, "");
	if (r == NULL)
		r = find(d, section, "", property);
	if (r == NULL)
		r = find(d, section, "", "");
	if (r != NULL)
		*ret = r->what;
	return r != NULL;
}

/* Whether a decision names the property itself: that alone opens what an inquiry keeps closed. */
static bool names_property(const struct disclosure *d, const struct disclosed_row *row, const char *property)
{
	return find(d, row->path->section, row->record, property) != NULL || find(d, row->path->section, "", property) != NULL;
}

bool disclosure_has_decisions(const struct disclosure *d) { return d->n > 0; }
bool disclosure_full(const struct disclosure *d) { return d->full; }
struct id disclosure_person(const struct disclosure *d) { return d->person; }
struct id disclosure_tenant(const struct disclosure *d) { return d->tenant; }
struct arena *disclosure_arena(const struct disclosure *d) { return d->a; }

bool disclosure_unanswered(const struct disclosure *d, struct id request)
{
	for (size_t i = 0; i < d->open_n; i++)
		if (id_equal(d->open[i], request))
			return true;
	return false;
}

/* ---- the map's rules ---- */

static struct disclosed by_map(enum verdict verdict, const char *reason)
{
	return (struct disclosed){.verdict = verdict, .reason = reason_by_code(reason)->code};
}

struct disclosed disclosure_of_map(const struct map_column *c)
{
	struct disclosed d = {.verdict = GIVE};
	switch (c->disclosure) {
	case MAP_DISCLOSE_FULL: break;
	case MAP_DISCLOSE_OTHERS: return by_map(REDACT, "third_party");
	case MAP_DISCLOSE_PHONE: return by_map(REDACT, "personal_device");
	case MAP_DISCLOSE_LOCATION: return by_map(WITHHOLD, "personal_device");
	case MAP_DISCLOSE_WITHHOLD_SECURITY: return by_map(WITHHOLD, "security_secret");
	case MAP_DISCLOSE_INTERNAL: return by_map(WITHHOLD, "not_personal");
	case MAP_DISCLOSE_WITHHOLD_INVESTIGATION:
		d = by_map(WITHHOLD, "legal_hold");
		d.quiet = true;
		break;
	}
	return d;
}

static bool never_given(const struct map_column *c)
{
	return c->disclosure == MAP_DISCLOSE_WITHHOLD_SECURITY || c->disclosure == MAP_DISCLOSE_INTERNAL || c->kind == MAP_KIND_SECRET;
}

/* Whether the map's rule does not hold of this row. */
static bool map_gives(const struct disclosure *d, const struct disclosed_row *row, const struct map_column *c, const struct id *id)
{
	switch (c->disclosure) {
	case MAP_DISCLOSE_OTHERS: return d->full || (id != NULL && id_equal(*id, d->person));
	case MAP_DISCLOSE_PHONE: return d->full || !row->personal_device;
	case MAP_DISCLOSE_LOCATION: return d->full || row->company_device;
	default: return false;
	}
}

struct disclosed disclosure_of_value(const struct disclosure *d, const struct disclosed_row *row, const struct map_column *c, const struct id *id)
{
	struct disclosed decided, map = disclosure_of_map(c);
	if (never_given(c))
		return map.verdict == WITHHOLD ? map : by_map(WITHHOLD, "security_secret");
	if (map_gives(d, row, c, id))
		map = (struct disclosed){.verdict = GIVE};
	if (!disclosure_decided(d, row, c->name, &decided))
		return map;
	return map.quiet && decided.verdict != WITHHOLD && !names_property(d, row, c->name) ? map : decided;
}

/* ---- texts ---- */

/* The last four digits, where the number has more than that. */
static const char *masked(struct arena *a, const char *value)
{
	char last[5] = "";
	size_t digits = 0;
	for (const char *p = value; *p != '\0'; p++)
		digits += *p >= '0' && *p <= '9';
	if (digits <= 4)
		return "***";
	for (size_t i = strlen(value), n = 4; i > 0 && n > 0; i--)
		if (value[i - 1] >= '0' && value[i - 1] <= '9')
			last[--n] = value[i - 1];
	return arena_printf(a, "***-***-%s", last);
}

const char *disclosure_text(struct arena *a, const struct map_column *c, const struct disclosed *d, const char *value)
{
	if (!d->by_officer && c != NULL && c->disclosure == MAP_DISCLOSE_PHONE)
		return masked(a, value == NULL ? "" : value);
	if (!d->by_officer && d->reason != NULL && strcmp(d->reason, "third_party") == 0)
		return REDACTED_PERSON;
	return arena_printf(a, "[redacted: %s]", reason_text(d->reason));
}

/* ---- places ---- */

char *record_key(struct arena *a, struct id tenant, const struct map_table *t, const struct db_value *key, size_t n)
{
	enum { KEY_MAX = 8, HALF = SHA256_BYTES / 2 };
	struct digest_part part[2 + 2 * KEY_MAX] = {{tenant.b, sizeof tenant.b}, {t->name, strlen(t->name) + 1}};
	uint8_t head[KEY_MAX][9], number[KEY_MAX][8], hash[SHA256_BYTES];
	check(n > 0 && n <= KEY_MAX);
	for (size_t i = 0; i < n; i++) { /* type and length before each value, so that no two rows are written alike */
		const void *p = key[i].p;
		size_t length = key[i].type == DB_NULL ? 0 : key[i].n;
		if (key[i].type == DB_INT) {
			for (int k = 0; k < 8; k++)
				number[i][k] = (uint8_t)((uint64_t)key[i].i >> (56 - 8 * k));
			p = number[i];
			length = sizeof number[i];
		}
		head[i][0] = (uint8_t)key[i].type;
		for (int k = 0; k < 8; k++)
			head[i][1 + k] = (uint8_t)((uint64_t)length >> (56 - 8 * k));
		part[2 + 2 * i] = (struct digest_part){head[i], sizeof head[i]};
		part[3 + 2 * i] = (struct digest_part){p == NULL ? "" : p, length};
	}
	sha256_parts(part, 2 + 2 * n, hash);
	char *out = arena_alloc(a, RECORD_KEY_TEXT);
	hex_encode(hash, HALF, out);
	return out;
}

const char *record_key_columns(const struct map_table *t)
{
	static const struct {
		const char *table, *columns;
	} keys[] = {
#define RECORD_KEY(table_, columns_) {#table_, columns_},
#include "privacy/disclosure/record_keys.def"
#undef RECORD_KEY
	};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(keys[i].table, t->name) == 0)
			return keys[i].columns;
	check(!"a table with a section has a row in record_keys.def");
	return NULL;
}

/* ---- what tips off ---- */

static const char *quiet_codes(struct arena *a)
{
	size_t n, any = 0;
	const struct reason *r = reasons(&n);
	auto_buf out;
	buf_init(&out, 4 * KIB);
	for (size_t i = 0; i < n; i++)
		if (r[i].quiet)
			buf_printf(&out, "%s'%s'", any++ > 0 ? ", " : "", r[i].code);
	return arena_strdup(a, out.data);
}

const char *disclosure_told_where(struct arena *a, const struct map_table *t)
{
	static const struct {
		const char *table, *column, *value; /* value NULL: a reason that is quiet; column NULL: every row */
	} rows[] = {
#define QUIET(activity, until)
#define QUIET_ROWS(table_, column_) {#table_, #column_, NULL},
#define QUIET_VALUE(table_, column_, value_) {#table_, #column_, #value_},
#define QUIET_TABLE(table_) {#table_, NULL, NULL},
#include "privacy/disclosure/quiet.def"
#undef QUIET
#undef QUIET_ROWS
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].table, t->name) != 0)
			continue;
		if (rows[i].column == NULL)
			return " AND 1 = 0";
		return arena_printf(a, " AND (t.%s IS NULL OR t.%s NOT IN (%s))", rows[i].column, rows[i].column,
				    rows[i].value == NULL ? quiet_codes(a) : rows[i].value);
	}
	return "";
}

const char *disclosure_counted_where(struct arena *a, const struct map_table *t)
{
	static const enum activity quiet[] = {
#define QUIET(activity, until) ACT_##activity,
#define QUIET_ROWS(table, column)
#include "privacy/disclosure/quiet.def"
#undef QUIET
#undef QUIET_ROWS
	};
	if (t->link != MAP_LINK_AUDIT)
		return disclosure_told_where(a, t);
	const char *text = " AND t.activity_type NOT IN (''";
	for (size_t i = 0; i < sizeof quiet / sizeof quiet[0]; i++)
		text = arena_printf(a, "%s, '%s'", text, activity_info(quiet[i])->type);
	return arena_printf(a, "%s)", text);
}
