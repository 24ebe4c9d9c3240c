/* SPDX-License-Identifier: Apache-2.0
 * What a person gets to see: the map, then an officer, the most specific place first; and never anybody else. */
#include "fixture.h"

#include "audit/audit.h"
#include "codec/json.h"
#include "privacy/disclosure.h"
#include "privacy/held_rows.h"
#include "privacy/preview.h"
#include "privacy/reason.h"
#include "resource/tables.h"

/* ---- helpers ---- */

static struct id open_case(const struct person *p, const char *type)
{
	struct insertion in = {.sql = "INSERT INTO data_subject_requests (tenant_id, request_id, request_type, regime, state, channel, on_behalf, user_id, "
				      "received_at, due_at, first_due_at, alarm) VALUES (?1, ?2, ?3, 'gdpr', 'verified', 'api', ?4, ?5, ?6, ?7, ?7, ?4)"};
	struct id *request = arena_alloc(F.d.arena, sizeof *request);
	struct scope s = scope_of(p->tenant);
	*request = id_new(F.now);
	struct db_value v[] = {db_v_id(request), db_v_text(type), db_v_int(0), db_v_id(&p->user), db_v_int(F.now), db_v_int(F.now + DAY_US)};
	memcpy(in.v, v, sizeof v);
	in.n = sizeof v / sizeof v[0];
	ok_in(&s, db_write(&s, insert_tx, &in));
	return *request;
}

static void set_state(struct id tenant, struct id request, const char *state)
{
	run_sql(tenant, arena_printf(F.d.arena, "UPDATE data_subject_requests SET state = '%s' WHERE tenant_id = ?1 AND request_id = ?2", state),
		db_v_id(&request));
}

struct loading {
	struct id person, request;
	bool full;
	struct disclosure *d;
};

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct loading *l = arg;
	return disclosure_load(tx, l->person, l->request, l->full, &l->d);
}

static struct disclosure *load(const struct person *p, struct id request, bool full)
{
	struct scope s = scope_of(p->tenant);
	struct loading l = {p->user, request, full, NULL};
	ok_in(&s, db_read(&s, load_tx, &l));
	return l.d;
}

static const struct id none;

static enum err decide(const struct person *p, struct id request, struct disclosure_decision d)
{
	struct scope s = scope_of(p->tenant);
	struct id decision;
	return disclosure_decide(&s, request, &d, &decision);
}

/* ---- the map ---- */

enum device { NO_DEVICE, PERSONAL_DEVICE, COMPANY_DEVICE };

static enum verdict expected(enum map_disclosure rule, enum device device, bool full, bool own)
{
	switch (rule) {
	case MAP_DISCLOSE_FULL: return GIVE;
	case MAP_DISCLOSE_OTHERS: return own || full ? GIVE : REDACT;
	case MAP_DISCLOSE_PHONE: return device == PERSONAL_DEVICE && !full ? REDACT : GIVE;
	case MAP_DISCLOSE_LOCATION: return device == COMPANY_DEVICE || full ? GIVE : WITHHOLD;
	default: return WITHHOLD;
	}
}

static const struct map_path *devices(void) { return section_path("devices"); }

static void the_map_decides(void **state)
{
	for (int rule = MAP_DISCLOSE_FULL; rule <= MAP_DISCLOSE_INTERNAL; rule++)
		for (int bits = 0; bits < 12; bits++) {
			enum device device = (enum device)(bits % 3);
			bool full = bits >= 6, own = (bits / 3) % 2 != 0;
			struct map_column c = {"managed_devices", "x", "user.device", MAP_TYPE_ID, MAP_KIND_PERSONAL, .disclosure = (enum map_disclosure)rule};
			struct disclosed_row row = {.path = devices(), .record = "r", .personal_device = device == PERSONAL_DEVICE,
						    .company_device = device == COMPANY_DEVICE};
			struct disclosure *d = load(&F.ann, none, full);
			struct disclosed got = disclosure_of_value(d, &row, &c, own ? &F.ann.user : &F.bob.user);
			assert_int_equal(got.verdict, expected(c.disclosure, device, full, own));
			assert_int_equal(got.reason != NULL, got.verdict != GIVE);
			assert_false(got.by_officer);
			assert_int_equal(got.quiet, rule == MAP_DISCLOSE_WITHHOLD_INVESTIGATION);
			if (got.reason != NULL)
				assert_true(*reason_text(got.reason) != '\0');
		}
}

static void numbers_are_masked(void **state)
{
	static const char *const numbers[][2] = {{"+41 44 668 18 00", "***-***-1800"}, {"0446681801", "***-***-1801"}, {"1234", "***"},
						 {"", "***"}, {"ext. 12-34-5", "***-***-2345"}, {"no digits", "***"}};
	struct map_column c = {"managed_devices", "phone", "user.contact.phone_number", MAP_TYPE_TEXT, MAP_KIND_PERSONAL, .disclosure = MAP_DISCLOSE_PHONE};
	struct disclosed d = disclosure_of_map(&c), decided = d;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		assert_string_equal(disclosure_text(F.d.arena, &c, &d, numbers[i][0]), numbers[i][1]);
	decided.by_officer = true;
	decided.reason = "other_law";
	assert_null(strstr(disclosure_text(F.d.arena, &c, &decided, "0446681801"), "1801"));
}

/* ---- an officer's decisions ---- */

enum { LEVELS = 4, CHOICES = 4 }; /* section, section and property, record, record and property; nothing, full, redacted, withheld */
static const char *const chosen[] = {NULL, "full", "redacted", "withheld"};
static const enum verdict verdicts[] = {GIVE, GIVE, REDACT, WITHHOLD};
static const char key[] = "00112233445566778899aabbccddeeff", other_key[] = "ffeeddccbbaa99887766554433221100";

struct planting {
	struct id request[CHOICES * CHOICES * CHOICES * CHOICES], user;
};

static enum err plant_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct planting *p = arg;
	for (int i = 0; i < CHOICES * CHOICES * CHOICES * CHOICES; i++) {
		p->request[i] = scope_id(s);
		for (int level = 0, n = i; level < LEVELS; level++, n /= CHOICES) {
			if (chosen[n % CHOICES] == NULL)
				continue;
			struct id decision = scope_id(s);
			TRY(db_exec_text(tx, DB_REACH_TENANT,
					 "INSERT INTO disclosure_decisions (tenant_id, decision_id, request_id, user_id, section, record_key, property, "
					 "disclosure, reason_code, legal_ground, decided_at) VALUES (?1, ?2, ?3, ?4, 'devices', ?5, ?6, ?7, 'other_law', 'Law', ?8)",
					 DB_ARGS(db_v_id(&decision), db_v_id(&p->request[i]), db_v_id(&p->user), db_v_text(level >= 2 ? key : ""),
						 db_v_text(level % 2 == 1 ? "notes" : ""), db_v_text(chosen[n % CHOICES]), db_v_int(s->now)),
					 NULL));
		}
	}
	return OK;
}

static void value_is(const struct disclosure *d, const char *record, const char *column, int decision, enum verdict otherwise)
{
	struct disclosed_row row = {.path = devices(), .record = record, .personal_device = true};
	struct disclosed got = disclosure_of_value(d, &row, map_column("managed_devices", column), NULL);
	assert_int_equal(got.by_officer, decision != 0);
	assert_int_equal(got.verdict, decision != 0 ? verdicts[decision] : otherwise);
	if (disclosure_of_section(d, "devices").verdict == WITHHOLD || disclosure_of_record(d, &row).verdict == WITHHOLD)
		assert_int_equal(got.verdict, WITHHOLD); /* a place that is withheld holds nothing that is given */
}

static int most_specific(int a, int b, int c, int d) { return a != 0 ? a : b != 0 ? b : c != 0 ? c : d; }

static void the_most_specific_decision_wins(void **state)
{
	struct scope s = scope_of(F.tenant);
	struct planting *p = arena_alloc(F.d.arena, sizeof *p);
	p->user = F.ann.user;
	ok_in(&s, db_write(&s, plant_tx, p));
	for (int i = 0; i < CHOICES * CHOICES * CHOICES * CHOICES; i++) {
		struct disclosure *d = load(&F.ann, p->request[i], false), *of_bob = load(&F.bob, p->request[i], false);
		int section = i % 4, property = i / 4 % 4, record = i / 16 % 4, both = i / 64;
		struct disclosed_row row = {.path = devices(), .record = key, .personal_device = true};
		value_is(d, key, "notes", most_specific(both, record, property, section), GIVE);
		value_is(d, key, "model", most_specific(0, record, 0, section), GIVE);
		value_is(d, other_key, "notes", most_specific(0, 0, property, section), GIVE);
		value_is(d, other_key, "model", section, GIVE);
		/* whatever was decided, what is never given is not */
		assert_int_equal(disclosure_of_value(d, &row, map_column("users", "upn_key"), NULL).verdict, WITHHOLD);
		assert_int_equal(disclosure_of_value(d, &row, map_column("enrollment_tokens", "token_hash"), NULL).verdict, WITHHOLD);
		/* decisions about somebody else's answer do not count */
		value_is(of_bob, key, "notes", 0, GIVE);
		assert_int_equal(disclosure_of_section(of_bob, "devices").verdict, GIVE);
		assert_int_equal(disclosure_of_section(d, "account").verdict, GIVE);
	}
}

static void an_inquiry_is_opened_by_its_name_alone(void **state)
{
	struct map_column c = *map_column("managed_devices", "notes");
	struct disclosed_row row = {.path = devices(), .record = key};
	struct scope s = scope_of(F.tenant);
	struct planting *p = arena_alloc(F.d.arena, sizeof *p);
	c.disclosure = MAP_DISCLOSE_WITHHOLD_INVESTIGATION;
	p->user = F.ann.user;
	ok_in(&s, db_write(&s, plant_tx, p));
	for (int i = 0; i < CHOICES * CHOICES * CHOICES * CHOICES; i++) {
		int section = i % 4, property = i / 4 % 4, record = i / 16 % 4, both = i / 64;
		struct disclosed got = disclosure_of_value(load(&F.ann, p->request[i], false), &row, &c, NULL);
		if (property == 0 && both == 0)
			assert_int_equal(got.verdict, WITHHOLD);
		else
			assert_int_equal(got.verdict, verdicts[most_specific(both, record, property, section)]);
		if (!got.by_officer)
			assert_true(got.quiet);
	}
}

/* ---- deciding ---- */

static void a_decision_needs_a_place_a_reason_and_a_ground(void **state)
{
	struct id request = open_case(&F.ann, "access");
	static const struct disclosure_decision good[] = {
		{"devices", NULL, NULL, "withheld", "legal_privilege", "Art. 15(4)"},
		{"devices", "", "notes", "redacted", "third_party", "Art. 15(4)"},
		{"actions", NULL, "requestedBy", "full", "consent", "Art. 15(1)"},
		{"auditAsTarget", NULL, "actor/ipAddress", "withheld", "third_party", "Art. 15(4)"},
		{"account", NULL, "mobilePhone", "redacted", "other_law", "Some law"},
	};
	static const struct disclosure_decision bad[] = {
		{"nothing", NULL, NULL, "withheld", "third_party", "x"},      /* no such section */
		{"", NULL, NULL, "withheld", "third_party", "x"},
		{"devices", NULL, "nothing", "withheld", "third_party", "x"}, /* no such property */
		{"devices", NULL, "user_id", "withheld", "other_law", "x"},   /* a column's name is none */
		{"devices", key, NULL, "withheld", "third_party", "x"},       /* no such record */
		{"devices", "UPPER", NULL, "withheld", "third_party", "x"},
		{"devices", NULL, NULL, "hidden", "third_party", "x"},
		{"devices", NULL, NULL, "withheld", "nonsense", "x"},
		{"devices", NULL, NULL, "withheld", "security_secret", "x"}, /* the map's alone */
		{"devices", NULL, NULL, "withheld", "unfounded", "x"},       /* of a whole answer */
		{"devices", NULL, NULL, "withheld", "consent", "x"},         /* to open */
		{"devices", NULL, NULL, "full", "third_party", "x"},         /* to close */
		{"devices", NULL, NULL, "withheld", "third_party", NULL},
		{"devices", NULL, NULL, "withheld", "third_party", ""},
		{"devices", NULL, "tenantId", "full", "consent", "x"},            /* INTERNAL */
		{"enrolmentTokens", NULL, "tokenHash", "full", "consent", "x"},  /* WITHHOLD_SECURITY */
		{"account", NULL, "displayName", "redacted", "third_party", "x"}, /* the person's own */
		{"account", NULL, NULL, "withheld", "third_party", "x"},
		{"account", NULL, "jobTitle", "redacted", "not_personal", "x"},
		{"devices", NULL, NULL, "withheld", "legal_hold", "x"}, /* the gap would tell */
		{"auditAsTarget", NULL, "actor/nothing", "withheld", "third_party", "x"},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		refused(decide(&F.ann, request, good[i]), OK);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		refused(decide(&F.ann, request, bad[i]), ERR_BAD_REQUEST);
	refused(decide(&F.eve, request, good[0]), ERR_NOT_FOUND); /* another tenant's */
	refused(decide(&F.ann, id_new(F.now), good[0]), ERR_NOT_FOUND);
	assert_int_equal(ask(F.tenant, "SELECT count(*) FROM disclosure_decisions WHERE tenant_id = ?1 AND request_id = ?2", db_v_id(&request)).ret,
			 sizeof good / sizeof good[0]);
	static const char *const late[] = {"decided", "delivered", "closed"};
	for (size_t i = 0; i < 3; i++) {
		set_state(F.tenant, request, late[i]);
		refused(decide(&F.ann, request, good[0]), ERR_CONFLICT);
	}
}

static int64_t events_of(const char *type)
{
	return ask(F.tenant, "SELECT count(*) FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2", db_v_text(type)).ret;
}

static void every_decision_is_an_event(void **state)
{
	struct id request = open_case(&F.ann, "access"), decision, again;
	struct scope s = scope_of(F.tenant);
	struct disclosure_decision d = {"devices", NULL, "notes", "redacted", "third_party", "Art. 15(4) GDPR"};
	int64_t before = events_of("set DisclosureDecision"), gone = events_of("delete DisclosureDecision");
	ok_in(&s, disclosure_decide(&s, request, &d, &decision));
	ok_in(&s, disclosure_decide(&s, request, &d, &again)); /* says what stands */
	assert_true(id_equal(decision, again));
	assert_int_equal(events_of("set DisclosureDecision"), before + 1);
	d.disclosure = "withheld";
	ok_in(&s, disclosure_decide(&s, request, &d, &again));
	assert_true(id_equal(decision, again));
	assert_int_equal(events_of("set DisclosureDecision"), before + 2);
	struct question last = ask(F.tenant, arena_printf(F.d.arena, "SELECT %s FROM audit_events WHERE tenant_id = ?1 AND activity_type = ?2 "
								      "ORDER BY event_id DESC LIMIT 1",
							  F.d.engine == DB_SQLITE ? "CAST(bytes AS TEXT)" : "convert_from(bytes, 'UTF8')"),
				   db_v_text("set DisclosureDecision"));
	assert_non_null(strstr(last.text, "\"displayName\":\"disclosure\",\"oldValue\":\"redacted\",\"newValue\":\"withheld\""));
	assert_non_null(strstr(last.text, "\"displayName\":\"property\",\"oldValue\":\"notes\",\"newValue\":\"notes\""));
	refused(disclosure_withdraw(&s, open_case(&F.bob, "access"), decision), ERR_NOT_FOUND);
	ok_in(&s, disclosure_withdraw(&s, request, decision));
	refused(disclosure_withdraw(&s, request, decision), ERR_NOT_FOUND);
	assert_int_equal(events_of("delete DisclosureDecision"), gone + 1);
}

/* ---- rows ---- */

struct rows {
	const struct person *p;
	struct id request;
	bool full;
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
	while (held_next(h, &row)) {
		w->look(w->arg, w->path, c, n, &row);
		held_row_done(&row);
	}
	return held_err(h);
}

static void each_row(struct rows w)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	struct scope s = scope_of(w.p->tenant);
	for (size_t i = 0; i < n; i++)
		if (*p[i].section != '\0') {
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
		l->others += c[i].column->disclosure == MAP_DISCLOSE_OTHERS && row->value[i].what.verdict == REDACT;
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
		const char *where = t->link == MAP_LINK_USER ? arena_printf(F.d.arena, "user_id = '%s'", "x") : "";
		char hex[33], other[33];
		hex_encode(in->user.b, 16, hex);
		hex_encode(who->user.b, 16, other);
		bool sqlite = F.d.engine == DB_SQLITE;
		const char *me = arena_printf(F.d.arena, sqlite ? "x'%s'" : "'\\x%s'::bytea", hex);
		const char *them = arena_printf(F.d.arena, sqlite ? "x'%s'" : "'\\x%s'::bytea", other);
		where = t->link == MAP_LINK_USER
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

/* ---- tables ---- */

static void record_keys_are_the_primary_keys(void **state)
{
	size_t n;
	const struct map_path *p = map_paths(&n);
	for (size_t i = 0; i < n; i++) {
		if (*p[i].section == '\0')
			continue;
		const char *keys = record_key_columns(map_table(p[i].table));
		const char *sql = F.d.engine == DB_SQLITE
					  ? "SELECT group_concat(name, ', ') FROM (SELECT name FROM pragma_table_info('%s') WHERE pk > 1 ORDER BY pk) WHERE ?1 <> x''"
					  : "SELECT string_agg(a.attname, ', ' ORDER BY array_position(x.indkey::int2[], a.attnum)) FROM pg_index x JOIN pg_attribute a "
					    "ON a.attrelid = x.indrelid AND a.attnum = ANY (x.indkey) WHERE x.indrelid = '%s'::regclass AND x.indisprimary "
					    "AND a.attname <> 'tenant_id' AND ?1 <> ''::bytea";
		assert_string_equal(ask(F.tenant, arena_printf(F.d.arena, sql, p[i].table), db_v_null()).text, keys);
	}
}

static void keys_name_one_row(void **state)
{
	struct db_value a[] = {db_v_text("ab"), db_v_text("c")}, b[] = {db_v_text("a"), db_v_text("bc")}, c[] = {db_v_int(1), db_v_null()};
	const struct map_table *t = map_table("detected_apps"), *u = map_table("users");
	const char *one = record_key(F.d.arena, F.tenant, t, a, 2);
	assert_int_equal(strlen(one), RECORD_KEY_TEXT - 1);
	assert_string_equal(one, record_key(F.d.arena, F.tenant, t, a, 2));
	assert_string_not_equal(one, record_key(F.d.arena, F.tenant, t, b, 2));
	assert_string_not_equal(one, record_key(F.d.arena, F.tenant, t, c, 2));
	assert_string_not_equal(one, record_key(F.d.arena, F.tenant, u, a, 2));
	assert_string_not_equal(one, record_key(F.d.arena, F.other, t, a, 2));
}

/* Each property whose column names a person is in people.def. */
static void properties_that_name_people_are_listed(void **state)
{
	static const char *const people[] = {
#define PEOPLE(name) name,
#include "privacy/people.def"
#undef PEOPLE
	};
	size_t n;
	const struct resource *const *all = resource_all(&n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < all[i]->prop_count; k++) {
			const struct property *p = &all[i]->props[k];
			const struct map_column *c = p->sql == NULL ? NULL : map_column(all[i]->table, p->sql);
			if (c == NULL || p->type != PROP_ID || strcmp(c->category, "user.unique_id") != 0 || strcmp(p->name, "id") == 0)
				continue;
			bool listed = false;
			for (size_t m = 0; m < sizeof people / sizeof people[0]; m++)
				listed = listed || strcmp(people[m], p->name) == 0;
			if (!listed)
				fail_msg("%s of %s names a person and is not in people.def", p->name, all[i]->name);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_map_decides),
		cmocka_unit_test(numbers_are_masked),
		cmocka_unit_test(the_most_specific_decision_wins),
		cmocka_unit_test(an_inquiry_is_opened_by_its_name_alone),
		cmocka_unit_test(a_decision_needs_a_place_a_reason_and_a_ground),
		cmocka_unit_test(every_decision_is_an_event),
		cmocka_unit_test(nobody_sees_another_in_a_row),
		cmocka_unit_test(nobody_sees_another_in_an_event),
		cmocka_unit_test(what_would_tip_off_is_left_out),
		cmocka_unit_test(parts_of_an_event_are_decided_on),
		cmocka_unit_test(a_preview_counts_what_its_pages_hold),
		cmocka_unit_test(record_keys_are_the_primary_keys),
		cmocka_unit_test(keys_name_one_row),
		cmocka_unit_test(properties_that_name_people_are_listed),
	};
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
