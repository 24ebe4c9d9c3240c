/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit events as their subject may see them.  Whoever else acted stays unnamed, but for the system and the person's own devices; where the
 * person acted on somebody else, that one stays unnamed; and of a change that names people only the person's own name stands.  A change also
 * tells no more than the record that was changed: what is redacted or withheld there is so here, too.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "codec/json.h"
#include "privacy/disclosure/internal.h"
#include "privacy/disclosure/reason.h"
#include "resource/resource.h"

/* ---- the parts ---- */

enum part_of { OF_ACTOR, OF_RESOURCE, OF_CHANGE };

static const struct part {
	const char *name; /* of a decision */
	enum part_of of;
	const char *member;
} parts[] = {
	{"actor/applicationDisplayName", OF_ACTOR, "applicationDisplayName"},
	{"actor/applicationId", OF_ACTOR, "applicationId"},
	{"actor/userPrincipalName", OF_ACTOR, "userPrincipalName"},
	{"actor/servicePrincipalName", OF_ACTOR, "servicePrincipalName"},
	{"actor/ipAddress", OF_ACTOR, "ipAddress"},
	{"actor/userId", OF_ACTOR, "userId"},
	{"resources/displayName", OF_RESOURCE, "displayName"},
	{"resources/resourceId", OF_RESOURCE, "resourceId"},
	{"resources/oldValue", OF_CHANGE, "oldValue"},
	{"resources/newValue", OF_CHANGE, "newValue"},
};
enum { PARTS = sizeof parts / sizeof parts[0] };

const char *event_part(size_t i) { return i < PARTS ? parts[i].name : NULL; }

/* ---- kinds that tip off ---- */

static const struct quiet {
	enum activity activity;
	bool answered; /* told once its case was answered */
} quiets[] = {
#define QUIET(activity_, until_) {.activity = ACT_##activity_, .answered = QUIET_##until_},
#define QUIET_ROWS(table, column)
#define QUIET_OPENED false
#define QUIET_ANSWERED true
#include "privacy/disclosure/quiet.def"
#undef QUIET
#undef QUIET_ROWS
#undef QUIET_OPENED
#undef QUIET_ANSWERED
};

static const char *string_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));
	return s == NULL ? "" : s;
}

static bool case_open(const struct disclosure *d, const json_t *event)
{
	struct id request;
	const json_t *resource = json_array_get(json_object_get(event, "resources"), 0);
	return id_parse(string_of(resource, "resourceId"), &request) && disclosure_unanswered(d, request);
}

static bool is_quiet(const struct disclosure *d, const json_t *event)
{
	const char *type = string_of(event, "activityType");
	for (size_t i = 0; i < sizeof quiets / sizeof quiets[0]; i++)
		if (strcmp(activity_info(quiets[i].activity)->type, type) == 0)
			return !quiets[i].answered || case_open(d, event);
	return false;
}

static struct disclosed whole_event(const struct disclosure *d, const struct disclosed_row *row, const json_t *event)
{
	struct disclosed decided, of = disclosure_of_record(d, row);
	if (of.verdict == WITHHOLD || !is_quiet(d, event))
		return of;
	if (disclosure_decided_record(d, row, &decided) && decided.verdict != WITHHOLD)
		return of;
	return (struct disclosed){.verdict = WITHHOLD, .reason = reason_by_code("legal_hold")->code, .quiet = true};
}

/* ---- others in it ---- */

struct reading {
	struct arena *a;
	const struct disclosure *d;
	const struct disclosed_row *row;
	disclosure_report_fn report;
	void *arg;
	char person[ID_TEXT];
	bool actor_other, about_other; /* somebody else acted; the person acted on somebody else */
	bool own_account;              /* what was changed is the person's own account */
	const char *entity, *resource; /* what was changed: its type and id */
};

static bool people_property(const char *name)
{
	static const char *const people[] = {
#define PEOPLE(name) name,
#include "privacy/disclosure/people.def"
#undef PEOPLE
	};
	for (size_t i = 0; i < sizeof people / sizeof people[0]; i++)
		if (strcmp(people[i], name) == 0)
			return true;
	return false;
}

static void look(struct reading *r, const json_t *stored, const json_t *event)
{
	const json_t *actor = json_object_get(event, "actor"), *resource = json_array_get(json_object_get(event, "resources"), 0);
	const char *subject = string_of(stored, "subjectId"), *type = string_of(actor, "auditActorType");
	bool about_person = strcmp(subject, r->person) == 0, account = strcmp(string_of(resource, "auditResourceType"), "User") == 0;
	bool self = strcmp(string_of(actor, "userId"), r->person) == 0, own_device = about_person && strcmp(type, "Device") == 0;
	r->entity = string_of(resource, "auditResourceType");
	r->resource = arena_strdup(r->a, string_of(resource, "resourceId")); /* before it is redacted itself */
	r->own_account = account && strcmp(string_of(resource, "resourceId"), r->person) == 0;
	r->actor_other = !self && !own_device && strcmp(type, "System") != 0;
	r->about_other = (*subject != '\0' && !about_person) || (account && !r->own_account);
}

/* Whether the rule of the map hides this part; property: of a change. */
static bool names_other(const struct reading *r, const struct part *p, const char *property, const char *value)
{
	if (disclosure_full(r->d))
		return false;
	if (p->of == OF_ACTOR)
		return r->actor_other;
	if (r->about_other)
		return true;
	return p->of == OF_CHANGE && !r->own_account && people_property(property) && strcmp(value, r->person) != 0;
}

/* ---- the record that was changed ---- */

/* Where the properties of entities stand that are on the map with a section: made once, of the resources' tables. */
struct home {
	const char *entity, *property;
	const struct map_column *column;
	const struct map_path *path;
};
enum { HOMES_MAX = 2048 };

static struct home homes[HOMES_MAX];
static size_t homes_n;
static pthread_once_t homes_made = PTHREAD_ONCE_INIT;

static const struct map_path *path_of(const struct map_column *c)
{
	size_t n;
	const struct map_path *p = map_table_paths(map_table(c->table), &n);
	for (size_t i = 0; i < n; i++)
		if (*p[i].section != '\0')
			return &p[i];
	return NULL;
}

static int by_property(const void *a, const void *b)
{
	const struct home *x = a, *y = b;
	int c = strcmp(x->entity, y->entity);
	return c != 0 ? c : strcmp(x->property, y->property);
}

static void add_homes(const struct resource *r)
{
	for (size_t i = 0; i < r->prop_count; i++) {
		const struct property *p = &r->props[i];
		const struct map_column *c = p->sql == NULL ? NULL : map_column(r->table, p->sql);
		const struct map_path *path = c == NULL ? NULL : path_of(c);
		if (path == NULL)
			continue;
		check(homes_n < HOMES_MAX);
		homes[homes_n++] = (struct home){r->entity, p->name, c, path};
	}
}

static void make_homes(void)
{
	size_t n, earlier;
	const struct resource *const *all = resource_all(&n);
	for (size_t i = 0; i < n; i++) {
		for (earlier = 0; strcmp(all[earlier]->entity, all[i]->entity) != 0;)
			earlier++;
		if (earlier == i && strchr(all[i]->key, ',') == NULL) /* its own table; others show parts of it */
			add_homes(all[i]);
	}
	qsort(homes, homes_n, sizeof homes[0], by_property);
}

/* What is decided on the value where it is held.  Whose device it is of is not known here, so the map's rules for devices hold. */
static bool hidden_at_home(const struct reading *r, const char *property, const char *value, struct disclosed *ret)
{
	struct id resource, named;
	struct home wanted = {.entity = r->entity, .property = property};
	pthread_once(&homes_made, make_homes);
	const struct home *h = bsearch(&wanted, homes, homes_n, sizeof homes[0], by_property);
	if (h == NULL || !id_parse(r->resource, &resource))
		return false;
	struct db_value key = db_v_id(&resource);
	struct disclosed_row row = {.path = h->path, .record = "", .personal_device = true};
	if (disclosure_has_decisions(r->d))
		row.record = record_key(r->a, disclosure_tenant(r->d), map_table(h->column->table), &key, 1);
	*ret = disclosure_of_value(r->d, &row, h->column, id_parse(value, &named) ? &named : NULL);
	return ret->verdict != GIVE;
}

/* ---- what is shown ---- */

static struct disclosed of_part(const struct reading *r, const struct part *p, const char *property, const char *value)
{
	struct disclosed what = {.verdict = GIVE};
	if (p->of == OF_CHANGE && hidden_at_home(r, property, value, &what))
		return what;
	if (!disclosure_decided(r->d, r->row, p->name, &what) && names_other(r, p, property, value))
		return (struct disclosed){.verdict = REDACT, .reason = reason_by_code("third_party")->code};
	return what;
}

static void apply(struct reading *r, json_t *object, const struct part *p, const char *property)
{
	const char *value = json_string_value(json_object_get(object, p->member));
	if (value == NULL)
		return;
	struct disclosed what = of_part(r, p, property, value);
	if (what.verdict == GIVE)
		return;
	json_object_set_new(object, p->member, what.verdict == WITHHOLD ? json_null() : json_string(disclosure_text(r->a, NULL, &what, value)));
	if (r->report != NULL)
		r->report(r->arg, p->name, &what);
}

static void apply_all(struct reading *r, json_t *object, enum part_of of, const char *property)
{
	for (size_t i = 0; i < PARTS; i++)
		if (parts[i].of == of)
			apply(r, object, &parts[i], property);
}

/* A change of what is withheld where it is held is absent: without its values it would say that there was nothing. */
static bool withheld_change(struct reading *r, const json_t *change)
{
	struct disclosed what;
	const char *value = json_string_value(json_object_get(change, "newValue"));
	if (value == NULL)
		value = string_of(change, "oldValue");
	if (!hidden_at_home(r, string_of(change, "displayName"), value, &what) || what.verdict != WITHHOLD)
		return false;
	if (r->report != NULL && !what.quiet)
		r->report(r->arg, "resources/modifiedProperties", &what);
	return true;
}

static void redact_changes(struct reading *r, json_t *changes)
{
	for (size_t i = 0; i < json_array_size(changes);) {
		json_t *change = json_array_get(changes, i);
		if (withheld_change(r, change)) {
			json_array_remove(changes, i);
			continue;
		}
		apply_all(r, change, OF_CHANGE, string_of(change, "displayName"));
		i++;
	}
}

static void redact(struct reading *r, json_t *event)
{
	size_t i;
	json_t *resource;
	apply_all(r, json_object_get(event, "actor"), OF_ACTOR, "");
	json_array_foreach(json_object_get(event, "resources"), i, resource)
	{
		apply_all(r, resource, OF_RESOURCE, "");
		redact_changes(r, json_object_get(resource, "modifiedProperties"));
	}
}

json_t *disclosure_of_event(const struct disclosure *d, const struct disclosed_row *row, const char *bytes, size_t n,
			    disclosure_report_fn report, void *arg, struct disclosed *ret)
{
	struct reading r = {.a = disclosure_arena(d), .d = d, .row = row, .report = report, .arg = arg};
	auto_json *stored = json_loadb(bytes, n, 0, NULL);
	json_t *event = json_object_get(stored, "event");
	*ret = (struct disclosed){.verdict = GIVE};
	if (event == NULL)
		return NULL;
	*ret = whole_event(d, row, event);
	if (ret->verdict == WITHHOLD)
		return NULL;
	id_format(disclosure_person(d), r.person);
	look(&r, stored, event);
	redact(&r, event);
	json_object_set(event, "expiresDateTime", json_object_get(stored, "expiresDateTime"));
	return json_incref(event);
}
