/* SPDX-License-Identifier: Apache-2.0
 * What a person sees of what is held: never anybody else, in no row and in no event; and a preview that shows just that. */
#include "cases.h"

#include "audit/audit.h"
#include "codec/json.h"
#include "privacy/disclosure/held_rows.h"
#include "privacy/disclosure/preview.h"

/* ---- rows ---- */

struct rows {
	const struct person *p;
	struct id request;
	bool full, events_only;
	const struct map_path *path;
	void (*look)(void *arg, const struct map_path *path, const struct held_column *c, size_t n, const struct held_row *row);
	void *arg;
};

static enum err rows_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct rows *w = arg;
	struct disclosure *d;
	struct held_row row;
	size_t n;
	auto_held struct held_rows *h = NULL;
	TRY(disclosure_load(tx, w->p->user, w->request, w->full, &d));
	const struct held_column *c = held_columns(s->arena, w->path, false, &n);
	TRY(held_open(tx, d, w->p->user, &(struct held_query){.path = w->path}, &h));
	for (;;) {
		struct arena_mark mark = arena_mark(s->arena);
		if (!held_next(h, &row))
			break;
		w->look(w->arg, w->path, c, n, &row);
		held_row_done(&row);
		arena_rewind(s->arena, mark);
	}
	return held_err(h);
}

static void each_row(struct rows w)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	struct scope s = scope_of(w.p->tenant);
	for (size_t i = 0; i < n; i++)
		if (*p[i].section != '\0' && (!w.events_only || held_is_event(&p[i]))) {
			w.path = &p[i];
			ok_in(&s, db_read(&s, rows_tx, &w));
		}
}

/* What the person sees of a row, as one text. */
static const char *seen(const struct held_row *row, size_t n)
{
	auto_buf out;
	buf_init(&out, 4 * MIB);
	if (row->what.verdict == WITHHOLD)
		return "";
	for (size_t i = 0; i < n; i++)
		if (row->value[i].shown != NULL)
			buf_printf(&out, "%s\n", row->value[i].shown);
	if (row->event != NULL) {
		char *text = json_dumps(row->event, JSON_COMPACT);
		buf_adds(&out, text);
		free(text);
	}
	return arena_strdup(F.d.arena, out.len > 0 ? out.data : "");
}

struct looking_for {
	const char *const *text; /* that must not be seen */
	size_t n, rows, others;
};

static void sees_none(void *arg, const struct map_path *path, const struct held_column *c, size_t n, const struct held_row *row)
{
	struct looking_for *l = arg;
	const char *all = seen(row, n);
	l->rows++;
	for (size_t i = 0; i < l->n; i++)
		if (strstr(all, l->text[i]) != NULL)
			fail_msg("%s shows %s: %s", path->section, l->text[i], all);
	for (size_t i = 0; i < n; i++)
		l->others += c[i].column->type == MAP_TYPE_ID && c[i].column->disclosure == MAP_DISCLOSE_OTHERS && row->value[i].what.verdict == REDACT;
}

/* In every column of the map that may name somebody else, somebody else is named. */
static size_t name_in_others(const struct person *in, const struct person *who)
{
	size_t n, changed = 0;
	const struct map_column *c = map_columns(&n);
	for (size_t i = 0; i < n; i++) {
		const struct map_table *t = map_table(c[i].table);
		if (c[i].disclosure != MAP_DISCLOSE_OTHERS || c[i].type != MAP_TYPE_ID || t->link == MAP_LINK_NONE)
			continue;
		char hex[33], other[33];
		hex_encode(in->user.b, 16, hex);
		hex_encode(who->user.b, 16, other);
		bool sqlite = F.d.engine == DB_SQLITE;
		const char *me = arena_printf(F.d.arena, sqlite ? "x'%s'" : "'\\x%s'::bytea", hex);
		const char *them = arena_printf(F.d.arena, sqlite ? "x'%s'" : "'\\x%s'::bytea", other);
		const char *where = t->link == MAP_LINK_USER
				? arena_printf(F.d.arena, "user_id = %s", me)
				: arena_printf(F.d.arena, "device_id IN (SELECT d.device_id FROM managed_devices d WHERE d.tenant_id = ?1 AND d.user_id = %s)", me);
		run_sql(in->tenant, arena_printf(F.d.arena, "UPDATE %s SET %s = %s WHERE tenant_id = ?1 AND %s", t->name, c[i].name, them, where), db_v_null());
		changed++;
	}
	return changed;
}

static void nobody_sees_another_in_a_row(void **state)
{
	char bob[ID_TEXT], eve[ID_TEXT];
	id_format(F.bob.user, bob);
	id_format(F.eve.user, eve);
	const char *others[] = {bob, eve, "bobp-", "bobc-", "evep-", "evec-"};
	struct looking_for l = {others, sizeof others / sizeof others[0], 0, 0};
	assert_true(name_in_others(&F.ann, &F.bob) > 3);
	each_row((struct rows){.p = &F.ann, .look = sees_none, .arg = &l});
	assert_true(l.rows > 20 && l.others > 3);
	/* with the organisation's own copy the rule does not hold: the test can fail */
	struct looking_for open = {others, 0, 0, 0};
	each_row((struct rows){.p = &F.ann, .full = true, .look = sees_none, .arg = &open});
	assert_int_equal(open.others, 0);
	name_in_others(&F.ann, &F.ann);
	struct looking_for own = {others, 0, 0, 0};
	each_row((struct rows){.p = &F.ann, .look = sees_none, .arg = &own});
	assert_int_equal(own.others, 0); /* their own id is theirs to see */
}

/* ---- events ---- */

/* Random events between three people: as actor, subject, resource, and in what changed. */
struct party {
	const struct person *p;
	char id[ID_TEXT];
	const char *name, *upn;
};

static enum err record_tx(struct scope *s, struct db_tx *tx, void *arg) { return audit_record(tx, arg); }

static const struct {
	const char *type, *property, *table, *column;
} things[] = {
	{"User", "displayName", "users", "display_name"},
	{"ManagedDevice", "userId", "managed_devices", "user_id"},
	{"Group", "members", "group_members", "user_id"},
	{"User", "userPrincipalName", "users", "upn"},
	{"DataSubjectRequest", "identityCheckedBy", "data_subject_requests", "identity_checked_by"},
};
enum { THINGS = sizeof things / sizeof things[0] };

/* The value of a thing of `who`. */
static const char *value_of(size_t thing, const struct party *who)
{
	return strcmp(things[thing].property, "displayName") == 0 ? who->name : strcmp(things[thing].property, "userPrincipalName") == 0 ? who->upn : who->id;
}

static void random_event(const struct party *people, unsigned *seed)
{
	static const enum activity activities[] = {ACT_USER_UPDATE, ACT_DEVICE_UPDATE, ACT_GROUP_DELETE, ACT_USER_READ, ACT_DSR_VERIFY};
	struct scope s = scope_of(F.tenant);
	const struct party *actor = &people[rand_r(seed) % 3], *subject = &people[rand_r(seed) % 3], *third = &people[rand_r(seed) % 3];
	size_t thing = (size_t)rand_r(seed) % THINGS;
	bool account = strcmp(things[thing].type, "User") == 0, about = rand_r(seed) % 4 != 0;
	s.actor = rand_r(seed) % 3 == 0 ? (struct actor){.type = ACTOR_APPLICATION, .id = third->p->personal, .name = third->name, .ip = third->upn}
					: (struct actor){.type = ACTOR_USER, .id = actor->p->user, .upn = actor->upn, .ip = actor->upn};
	struct audit_change *changes = NULL, **tail = &changes;
	const struct party *changed = account ? subject : third;
	tail = audit_change_add(F.d.arena, tail, things[thing].property, things[thing].table, things[thing].column, value_of(thing, changed),
				value_of(thing, account ? subject : &people[rand_r(seed) % 3]));
	audit_change_add(F.d.arena, tail, things[thing].property, things[thing].table, things[thing].column, value_of(thing, changed), NULL);
	struct audit_event e = {.activity = activities[(size_t)rand_r(seed) % (sizeof activities / sizeof activities[0])],
				.resource_type = things[thing].type,
				.resource = account ? subject->p->user : id_new(F.now),
				.resource_name = account ? subject->name : NULL,
				.subject = about ? subject->p->user : none,
				.changes = changes};
	ok_in(&s, db_write(&s, record_tx, &e));
}

static void nobody_sees_another_in_an_event(void **state)
{
	unsigned seed = 7;
	struct person cid = F.bob;
	cid.user = id_new(F.now);
	cid.personal = id_new(F.now);
	struct party people[] = {{&F.ann, "", "Ann Alpha", "ann.alpha@example.org"}, {&F.bob, "", "Bob Beta", "bob.beta@example.org"},
				 {&cid, "", "Cid Gamma", "cid.gamma@example.org"}};
	for (size_t i = 0; i < 3; i++)
		id_format(people[i].p->user, people[i].id);
	for (int i = 0; i < 400; i++)
		random_event(people, &seed);
	for (size_t i = 0; i < 3; i++) {
		const struct party *a = &people[(i + 1) % 3], *b = &people[(i + 2) % 3];
		char device[2][ID_TEXT];
		id_format(a->p->personal, device[0]);
		id_format(b->p->personal, device[1]);
		const char *others[] = {a->id, a->name, a->upn, device[0], b->id, b->name, b->upn, device[1]};
		struct looking_for l = {others, sizeof others / sizeof others[0], 0, 0};
		each_row((struct rows){.p = people[i].p, .look = sees_none, .arg = &l});
		assert_true(l.rows > 100);
		struct looking_for self = {(const char *const[]){people[i].id}, 0, 0, 0};
		each_row((struct rows){.p = people[i].p, .look = sees_none, .arg = &self});
	}
}

struct count {
	const char *type;
	int shown, hidden, quiet;
	char record[RECORD_KEY_TEXT];
};

static void count_type(void *arg, const struct map_path *path, const struct held_column *c, size_t n, const struct held_row *row)
{
	struct count *k = arg;
	const char *type = json_string_value(json_object_get(row->held, "activityType"));
	if (type == NULL || strcmp(type, k->type) != 0 || strcmp(path->section, "auditAsTarget") != 0)
		return;
	strcpy(k->record, row->record);
	k->shown += row->event != NULL;
	k->hidden += row->event == NULL;
	k->quiet += row->what.quiet;
}

static struct count counted(const struct person *p, struct id request, const char *type)
{
	struct count k = {.type = type};
	each_row((struct rows){.p = p, .request = request, .look = count_type, .arg = &k});
	return k;
}

static void record_about(const struct person *p, enum activity activity, const char *type, struct id resource)
{
	struct scope s = scope_of(p->tenant);
	struct audit_event e = {.activity = activity, .resource_type = type, .resource = resource, .subject = p->user};
	ok_in(&s, db_write(&s, record_tx, &e));
}

static void what_would_tip_off_is_left_out(void **state)
{
	struct id request = open_case(&F.bob, "access"), other = open_case(&F.bob, "erasure");
	record_about(&F.bob, ACT_DSR_DECIDE, "DataSubjectRequest", other);
	record_about(&F.bob, ACT_DISCLOSURE_WITHDRAW, "DisclosureDecision", id_new(F.now));
	struct count k = counted(&F.bob, request, "decide DataSubjectRequest");
	assert_int_equal(k.shown, 0);
	assert_int_equal(k.quiet, 1);
	/* the whole section in full does not open it; the record's own name does */
	refused(decide(&F.bob, request, (struct disclosure_decision){"auditAsTarget", NULL, NULL, "full", "consent", "x"}), OK);
	assert_int_equal(counted(&F.bob, request, k.type).quiet, 1);
	refused(decide(&F.bob, request, (struct disclosure_decision){"auditAsTarget", k.record, NULL, "full", "inquiry_over", "x"}), OK);
	assert_int_equal(counted(&F.bob, request, k.type).shown, 1);
	assert_int_equal(counted(&F.bob, none, k.type).shown, 0);
	/* once the case is answered its decision is told, and what was decided on disclosure is not */
	set_state(F.tenant, other, "closed");
	assert_int_equal(counted(&F.bob, none, k.type).shown, 1);
	struct count never = counted(&F.bob, none, "delete DisclosureDecision");
	assert_true(never.quiet > 0 && never.shown == 0);
	/* a single record for an inquiry: gone without a trace, and so is the row that says it */
	struct count view;
	record_about(&F.bob, ACT_DEVICE_RETIRE, "ManagedDevice", F.bob.personal);
	view = counted(&F.bob, request, "retire ManagedDevice");
	assert_int_equal(view.shown, 1);
	refused(decide(&F.bob, request, (struct disclosure_decision){"auditAsTarget", view.record, NULL, "withheld", "legal_hold", "x"}), OK);
	view = counted(&F.bob, request, "retire ManagedDevice");
	assert_true(view.hidden == 1 && view.quiet == 1);
	struct scope s = scope_of(F.tenant);
	struct preview_page page;
	ok_in(&s, preview_records(&s, request, "disclosureDecisions", NULL, 100, &page));
	assert_true(page.rows >= 2);
	for (size_t i = 0; i < page.rows; i++)
		for (size_t c = 0; c < page.columns; c++)
			if (strcmp(page.column[c].name, "reasonCode") == 0)
				assert_string_not_equal(page.row[i].value[c].text, "legal_hold");
	preview_release(&page);
}

static void parts_of_an_event_are_decided_on(void **state)
{
	struct id request = open_case(&F.ann, "access");
	struct party ann = {&F.ann, "", "Ann", "ann@example.org"}, bob = {&F.bob, "", "Bob Boss", "boss@example.org"};
	struct scope s = scope_of(F.tenant);
	s.actor = (struct actor){.type = ACTOR_USER, .id = bob.p->user, .upn = bob.upn, .ip = "192.0.2.77"};
	struct audit_event e = {.activity = ACT_DEVICE_WIPE, .resource_type = "ManagedDevice", .resource = ann.p->personal, .subject = ann.p->user};
	ok_in(&s, db_write(&s, record_tx, &e));
	struct count k = counted(&F.ann, request, "wipe ManagedDevice");
	const char *shown[] = {bob.upn, "192.0.2.77"};
	struct looking_for l = {shown, 2, 0, 0};
	each_row((struct rows){.p = &F.ann, .request = request, .look = sees_none, .arg = &l});
	refused(decide(&F.ann, request, (struct disclosure_decision){"auditAsTarget", k.record, "actor/userPrincipalName", "full", "consent", "x"}), OK);
	struct looking_for address = {shown + 1, 1, 0, 0};
	each_row((struct rows){.p = &F.ann, .request = request, .look = sees_none, .arg = &address});
	struct preview_page page;
	ok_in(&s, preview_records(&s, request, "auditAsTarget", NULL, 100, &page));
	bool found = false;
	for (size_t i = 0; i < page.rows; i++)
		if (strcmp(page.row[i].record, k.record) == 0)
			found = strstr(seen(&page.row[i], 0), bob.upn) != NULL;
	preview_release(&page);
	assert_true(found);
}

/* A value that is withheld where it is held is not told by the event of its change. */
static void a_change_tells_no_more_than_its_record(void **state)
{
	struct id request = open_case(&F.ann, "access");
	struct scope s = scope_of(F.tenant);
	struct audit_change *changes = NULL, **tail = &changes;
	tail = audit_change_add(F.d.arena, tail, "officeLocation", "users", "office_location", "the-old-office", "the-new-office");
	audit_change_add(F.d.arena, tail, "jobTitle", "users", "job_title", "the-old-job", "the-new-job");
	struct audit_event e = {.activity = ACT_USER_UPDATE, .resource_type = "User", .resource = F.ann.user, .subject = F.ann.user, .changes = changes};
	ok_in(&s, db_write(&s, record_tx, &e));
	const char *office[] = {"the-old-office", "the-new-office"};
	struct looking_for l = {office, 2, 0, 0};
	refused(decide(&F.ann, request, (struct disclosure_decision){"account", NULL, "officeLocation", "redacted", "other_law", "x"}), OK);
	each_row((struct rows){.p = &F.ann, .request = request, .look = sees_none, .arg = &l});
	struct count k = {.type = "patch User"};
	each_row((struct rows){.p = &F.ann, .request = request, .look = count_type, .arg = &k});
	struct preview_page page;
	bool job = false, reason = false;
	ok_in(&s, preview_records(&s, request, "auditAsTarget", NULL, 100, &page));
	for (size_t i = 0; i < page.rows; i++) {
		job = job || strstr(seen(&page.row[i], 0), "the-new-job") != NULL;
		for (size_t h = 0; h < page.row[i].hidden_n; h++)
			reason = reason || strcmp(page.row[i].hidden[h].what.reason, "other_law") == 0;
	}
	preview_release(&page);
	assert_true(job && reason && k.shown > 0);
	refused(decide(&F.ann, request, (struct disclosure_decision){"account", NULL, "officeLocation", "withheld", "other_law", "x"}), OK);
	struct looking_for absent = {(const char *const[]){"officeLocation", "the-old-office", "the-new-office"}, 3, 0, 0};
	each_row((struct rows){.p = &F.ann, .request = request, .events_only = true, .look = sees_none, .arg = &absent});
}

/* ---- preview ---- */

static int64_t paged(struct id request, const char *section, unsigned top, struct scope *s)
{
	struct preview_page page;
	const char *token = NULL, *last = "";
	int64_t rows = 0;
	do {
		ok_in(s, preview_records(s, request, section, token, top, &page));
		for (size_t i = 0; i < page.rows; i++) {
			assert_string_not_equal(page.row[i].record, last);
			last = page.row[i].record;
			rows += page.row[i].what.verdict != WITHHOLD;
		}
		token = page.next;
		preview_release(&page);
	} while (token != NULL);
	return rows;
}

static void a_preview_counts_what_its_pages_hold(void **state)
{
	struct id request = open_case(&F.ann, "access"), portable = open_case(&F.ann, "portability");
	struct scope s = scope_of(F.tenant), foreign = scope_of(F.other);
	struct preview_section *list;
	struct preview_page page;
	size_t n;
	refused(decide(&F.ann, request, (struct disclosure_decision){"applications", NULL, NULL, "withheld", "trade_secret", "x"}), OK);
	ok_in(&s, preview_summary(&s, request, &list, &n));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i].path->section, "applications") == 0) {
			assert_int_equal(list[i].what.verdict, WITHHOLD);
			assert_int_equal(list[i].records, 0);
			continue;
		}
		assert_int_equal(paged(request, list[i].path->section, 1 + i % 3, &s), list[i].records);
	}
	ok_in(&s, preview_summary(&s, portable, &list, &n));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(list[i].not_portable, strncmp(list[i].path->section, "audit", 5) == 0);
	refused(preview_summary(&foreign, request, &list, &n), ERR_NOT_FOUND);
	refused(preview_records(&foreign, request, "devices", NULL, 10, &page), ERR_NOT_FOUND);
	refused(preview_records(&s, request, "nothing", NULL, 10, &page), ERR_NOT_FOUND);
	refused(preview_records(&s, request, "devices", "nothing", 10, &page), ERR_BAD_REQUEST);
	int64_t before = events_of("preview PersonalDataExport");
	for (int i = 0; i < 3; i++) {
		ok_in(&s, preview_summary(&s, request, &list, &n));
		ok_in(&s, preview_record(&s, request));
	}
	assert_int_equal(events_of("preview PersonalDataExport"), before + 1); /* once a day and reader */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sees_another_in_a_row),
		cmocka_unit_test(nobody_sees_another_in_an_event),
		cmocka_unit_test(what_would_tip_off_is_left_out),
		cmocka_unit_test(parts_of_an_event_are_decided_on),
		cmocka_unit_test(a_change_tells_no_more_than_its_record),
		cmocka_unit_test(a_preview_counts_what_its_pages_hold),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
