/* SPDX-License-Identifier: Apache-2.0
 *
 * An officer's decisions on disclosure: their rules, rows and events.  A decision is taken before the case is decided; from then on the answer
 * stands.
 */
#include <string.h>

#include "audit/audit.h"
#include "privacy/disclosure/disclosure.h"
#include "privacy/disclosure/held_rows.h"
#include "privacy/disclosure/reason.h"
#include "resource/tables.h"

DB_TENANT(disclosure_case, "SELECT user_id, state FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(disclosure_at_place,
	  "SELECT decision_id FROM disclosure_decisions WHERE tenant_id = ?1 AND request_id = ?2 AND section = ?3 AND record_key = ?4 AND property = ?5");
DB_TENANT(disclosure_in_case, "SELECT 1 FROM disclosure_decisions WHERE tenant_id = ?1 AND decision_id = ?2 AND request_id = ?3");
DB_TENANT(disclosure_count, "SELECT count(*) FROM disclosure_decisions WHERE tenant_id = ?1 AND request_id = ?2");
DB_TENANT(disclosure_drop, "DELETE FROM disclosure_decisions WHERE tenant_id = ?1 AND decision_id = ?2");

struct deciding {
	struct id request, decision, person;
	const char *state;
	const struct disclosure_decision *d;
	const char *section, *record, *property; /* none NULL */
	const struct map_path *path;
	bool found; /* the record */
};

/* ---- the case ---- */

static enum err load_case(struct db_tx *tx, struct deciding *a)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &disclosure_case, DB_ARGS(db_v_id(&a->request)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such data-subject request");
	TRY(e);
	a->person = db_id(r, 0);
	a->state = db_text_dup(r, 1, s->arena);
	s->subject = a->person;
	return OK;
}

static enum err load_open_case(struct db_tx *tx, struct deciding *a)
{
	static const char *const open[] = {"received", "verified", "discovered"};
	struct scope *s = db_tx_scope(tx);
	TRY(load_case(tx, a));
	for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
		if (strcmp(a->state, open[i]) == 0)
			return !id_is_nil(a->person) ? OK : scope_fail(s, ERR_CONFLICT, "it is not known yet whom the request is about (setSubject)");
	return scope_fail(s, ERR_CONFLICT, "the request is %s: what its answer discloses cannot be changed any more", a->state);
}

/* ---- rules ---- */

static const struct map_column *named_column(struct scope *s, const struct deciding *a)
{
	size_t n;
	const struct map_column *c = map_table_columns(map_table(a->path->table), &n);
	for (size_t i = 0; i < n; i++)
		if (strcmp(property_name(s->arena, c[i].name), a->property) == 0)
			return &c[i];
	return NULL;
}

static bool begins(const char *text, const char *head) { return strncmp(text, head, strlen(head)) == 0; }

/* What names the person themselves. */
static bool names_person(const struct map_column *c)
{
	static const char *const categories[] = {"user.name", "user.contact", "user.unique_id", "user.government_id"};
	for (size_t i = 0; i < sizeof categories / sizeof categories[0]; i++)
		if (begins(c->category, categories[i]))
			return c->kind == MAP_KIND_PERSONAL && c->disclosure == MAP_DISCLOSE_FULL;
	return false;
}

/* Where the person's own name stands, the record as a whole is theirs. */
static bool own_record(const struct map_path *p)
{
	size_t n;
	const struct map_column *c = map_table_columns(map_table(p->table), &n);
	for (size_t i = 0; i < n; i++)
		if (begins(c[i].category, "user.name") && names_person(&c[i]))
			return true;
	return false;
}

static bool fits(const struct deciding *a, const struct reason *r, const struct map_column *c)
{
	switch (r->fit) {
	case FITS_ANY: return true;
	case FITS_NOT_OWN: return c != NULL ? !names_person(c) : held_is_event(a->path) || !own_record(a->path);
	case FITS_IMPERSONAL: return c != NULL && c->kind != MAP_KIND_PERSONAL;
	}
	return false;
}

static enum err check_reason(struct scope *s, const struct deciding *a, const struct map_column *c)
{
	bool show = strcmp(a->d->disclosure, "full") == 0;
	enum reason_use use = show ? REASON_SHOW : REASON_HIDE;
	const struct reason *r = reason_by_code(a->d->reason);
	if (r == NULL || !reason_may(a->d->reason, use))
		return scope_fail(s, ERR_BAD_REQUEST, "'reasonCode' of what is %s is %s", show ? "given in full" : "redacted or withheld",
				  reason_codes(s->arena, use));
	if (!show && !fits(a, r, c))
		return scope_fail(s, ERR_BAD_REQUEST, "the reason %s (%s) does not fit what is the person's own", r->code, r->text);
	if (r->quiet && (*a->record == '\0' || *a->property != '\0' || strcmp(a->d->disclosure, "withheld") != 0))
		return scope_fail(s, ERR_BAD_REQUEST, "the reason %s withholds single records as a whole: a gap would tell of it", r->code);
	return OK;
}

static enum err check_property(struct scope *s, const struct deciding *a, const struct map_column **ret)
{
	*ret = NULL;
	if (*a->property == '\0')
		return OK;
	if (held_is_event(a->path)) {
		for (size_t i = 0; event_part(i) != NULL; i++)
			if (strcmp(event_part(i), a->property) == 0)
				return OK;
		return scope_fail(s, ERR_BAD_REQUEST, "'property' is not a part of events that can be decided on (actor/ipAddress …)");
	}
	*ret = named_column(s, a);
	if (*ret == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "the section has no such 'property'");
	struct disclosed map = disclosure_of_map(*ret);
	if (map.verdict == WITHHOLD && !map.quiet && (*ret)->disclosure != MAP_DISCLOSE_LOCATION)
		return scope_fail(s, ERR_BAD_REQUEST, "this property is never given: %s", reason_text(map.reason));
	return OK;
}

static enum err check_ground(struct scope *s, const char *ground)
{
	size_t n = ground == NULL ? 0 : strlen(ground);
	if (n == 0 || n > DISCLOSURE_GROUND_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "'legalGround' is required: the law that the decision rests on, in at most %d bytes",
				  (int)DISCLOSURE_GROUND_MAX);
	return OK;
}

static const char *section_names(struct arena *a)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	const char *names = "";
	for (size_t i = 0; i < n; i++)
		if (*p[i].section != '\0')
			names = arena_printf(a, "%s%s%s", names, *names == '\0' ? "" : ", ", p[i].section);
	return names;
}

static bool is_record_key(const char *text)
{
	return strlen(text) == RECORD_KEY_TEXT - 1 && strspn(text, "0123456789abcdef") == RECORD_KEY_TEXT - 1;
}

static enum err check_decision(struct scope *s, struct deciding *a)
{
	const struct map_column *column;
	const char *disclosure = a->d->disclosure;
	a->path = section_path(a->section);
	if (a->path == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "there is no such 'section'; there are %s", section_names(s->arena));
	if (*a->record != '\0' && !is_record_key(a->record))
		return scope_fail(s, ERR_BAD_REQUEST, "'recordKey' is %d hexadecimal digits in lower case, as the preview tells them", RECORD_KEY_TEXT - 1);
	if (disclosure == NULL || (strcmp(disclosure, "full") != 0 && strcmp(disclosure, "redacted") != 0 && strcmp(disclosure, "withheld") != 0))
		return scope_fail(s, ERR_BAD_REQUEST, "'disclosure' is full, redacted or withheld");
	TRY(check_property(s, a, &column));
	TRY(check_ground(s, a->d->ground));
	return check_reason(s, a, column);
}

/* ---- the record ---- */

/* A key that names nothing would decide nothing, unseen. */
static enum err find_record_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct deciding *a = arg;
	struct held_row row;
	struct disclosure *none;
	auto_held struct held_rows *h = NULL;
	a->found = false;
	TRY(load_open_case(tx, a));
	TRY(disclosure_load(tx, a->person, (struct id){0}, true, &none));
	TRY(held_open(tx, none, a->person, &(struct held_query){.path = a->path, .keys_only = true}, &h));
	while (!a->found) {
		struct arena_mark mark = arena_mark(s->arena);
		if (!held_next(h, &row))
			break;
		a->found = strcmp(row.record, a->record) == 0;
		held_row_done(&row);
		arena_rewind(s->arena, mark);
	}
	return held_err(h);
}

static enum err check_record(struct scope *s, struct deciding *a)
{
	if (*a->record == '\0')
		return OK;
	TRY(db_read(s, find_record_tx, a));
	return a->found ? OK : scope_fail(s, ERR_BAD_REQUEST, "the section has no record of the person with this 'recordKey'");
}

/* ---- writing ---- */

static struct record *record_of(struct scope *s, const struct deciding *a)
{
	struct record *r = record_new(s->arena, &RES_DISCLOSURE_DECISION);
	record_set_id(r, s->arena, "requestId", a->request);
	record_set_id(r, s->arena, "userId", a->person);
	record_set_text(r, "section", a->section);
	record_set_text(r, "recordKey", a->record);
	record_set_text(r, "property", a->property);
	record_set_text(r, "disclosure", a->d->disclosure);
	record_set_text(r, "reasonCode", a->d->reason);
	record_set_text(r, "legalGround", a->d->ground);
	record_set_int(r, "decidedDateTime", s->now);
	if (!id_is_nil(s->actor.id))
		record_set_id(r, s->arena, "decidedBy", s->actor.id);
	return r;
}

static enum err record_event(struct db_tx *tx, const struct deciding *a, enum activity activity, const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity, .resource_type = RES_DISCLOSURE_DECISION.entity,
						      .resource = a->decision, .resource_name = a->section, .subject = a->person,
						      .changes = changes});
}

static enum err insert(struct db_tx *tx, struct deciding *a, const struct record *r)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	auto_rows struct db_rows *rows = NULL;
	TRY(db_query_one(tx, &disclosure_count, DB_ARGS(db_v_id(&a->request)), &rows));
	if (db_int(rows, 0) >= DISCLOSURE_DECISIONS_MAX)
		return scope_fail(s, ERR_CONFLICT, "a request has at most %d decisions: decide on sections", (int)DISCLOSURE_DECISIONS_MAX);
	a->decision = scope_id(s);
	TRY(record_insert(tx, r, a->decision, NULL, 0));
	record_changes_all(s->arena, r, true, &tail);
	return record_event(tx, a, ACT_DISCLOSURE_DECIDE, changes);
}

/* The place stands in the event of a change, too, so that it can be read by itself. */
static void add_place(struct scope *s, const struct deciding *a, struct audit_change ***tail)
{
	char request[ID_TEXT];
	id_format(a->request, request);
	const char *const place[][3] = {{"requestId", "request_id", request}, {"section", "section", a->section},
					{"recordKey", "record_key", a->record}, {"property", "property", a->property}};
	for (size_t i = 0; i < sizeof place / sizeof place[0]; i++)
		*tail = audit_change_add(s->arena, *tail, place[i][0], "disclosure_decisions", place[i][1], place[i][2], place[i][2]);
}

static bool same_decision(struct scope *s, const struct record *old, const struct deciding *a)
{
	return strcmp(record_text(s->arena, old, "disclosure"), a->d->disclosure) == 0 &&
	       strcmp(record_text(s->arena, old, "reasonCode"), a->d->reason) == 0 &&
	       strcmp(record_text(s->arena, old, "legalGround"), a->d->ground) == 0 && id_equal(record_id(old, "userId"), a->person);
}

static enum err replace(struct db_tx *tx, const struct deciding *a, const struct record *r)
{
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	struct record *old;
	bool changed;
	TRY(record_load(tx, &RES_DISCLOSURE_DECISION, a->decision, false, &old));
	if (same_decision(s, old, a))
		return OK;
	add_place(s, a, &tail);
	TRY(record_update(tx, old, r, a->decision, NULL, 0, &tail, &changed));
	return record_event(tx, a, ACT_DISCLOSURE_DECIDE, changes);
}

static enum err decide_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct deciding *a = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(load_open_case(tx, a));
	enum err e = db_query_one(tx, &disclosure_at_place,
				  DB_ARGS(db_v_id(&a->request), db_v_text(a->section), db_v_text(a->record), db_v_text(a->property)), &r);
	if (e == ERR_NOT_FOUND)
		return insert(tx, a, record_of(s, a));
	TRY(e);
	a->decision = db_id(r, 0);
	return replace(tx, a, record_of(s, a));
}

static const char *or_empty(const char *text) { return text == NULL ? "" : text; }

enum err disclosure_decide(struct scope *s, struct id request, const struct disclosure_decision *d, struct id *ret)
{
	struct deciding a = {.request = request, .d = d, .section = or_empty(d->section), .record = or_empty(d->record), .property = or_empty(d->property)};
	TRY(disclosure_case_subject(s, request, NULL)); /* what is refused is about somebody, too */
	TRY(check_decision(s, &a));
	TRY(check_record(s, &a));
	TRY(db_write(s, decide_tx, &a));
	*ret = a.decision;
	return OK;
}

/* ---- withdrawing ---- */

static enum err in_case(struct db_tx *tx, const struct deciding *a)
{
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &disclosure_in_case, DB_ARGS(db_v_id(&a->decision), db_v_id(&a->request)), &r);
	return e == ERR_NOT_FOUND ? scope_fail(db_tx_scope(tx), e, "the request has no such decision") : e;
}

static enum err withdraw_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct deciding *a = arg;
	struct audit_change *changes = NULL, **tail = &changes;
	struct record *old;
	TRY(load_open_case(tx, a));
	TRY(in_case(tx, a));
	TRY(record_load(tx, &RES_DISCLOSURE_DECISION, a->decision, false, &old));
	TRY(db_exec(tx, &disclosure_drop, DB_ARGS(db_v_id(&a->decision)), NULL));
	a->section = record_text(s->arena, old, "section");
	record_changes_all(s->arena, old, false, &tail);
	return record_event(tx, a, ACT_DISCLOSURE_WITHDRAW, changes);
}

enum err disclosure_withdraw(struct scope *s, struct id request, struct id decision)
{
	return db_write(s, withdraw_tx, &(struct deciding){.request = request, .decision = decision});
}

/* ---- reading ---- */

static enum err subject_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct deciding *a = arg;
	TRY(load_case(tx, a));
	return id_is_nil(a->decision) ? OK : in_case(tx, a);
}

enum err disclosure_case_subject(struct scope *s, struct id request, struct id *ret)
{
	struct deciding a = {.request = request};
	TRY(db_read(s, subject_tx, &a));
	if (ret != NULL)
		*ret = a.person;
	return OK;
}

enum err disclosure_check(struct scope *s, struct id request, struct id decision)
{
	return db_read(s, subject_tx, &(struct deciding){.request = request, .decision = decision});
}
