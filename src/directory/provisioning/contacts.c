/* SPDX-License-Identifier: Apache-2.0
 *
 * E-mail addresses, telephone numbers and postal addresses: one list each in SCIM, some columns of users in Graph.  What a column holds is
 * told there and nowhere else; an entry that stands for it says its place in the list, its type and whether it is the primary one.  So a
 * change by either side is seen by the other, and nothing has to be kept in step.
 *
 *   emails        the primary one, else the first of type work, else the first: mail
 *   phoneNumbers  the first of type mobile: mobilePhone; those of type work: businessPhones
 *   addresses     chosen as an e-mail address: streetAddress, city, state, postalCode, country
 */
#include <string.h>
#include <strings.h>

#include "codec/json.h"
#include "directory/provisioning/rows.h"

DB_TENANT(contacts_of, "SELECT kind, source, type, is_primary, display, email, phone, formatted, street_address, locality, region, postal_code, country "
		       "FROM user_contacts WHERE tenant_id = ?1 AND user_id = ?2 ORDER BY kind, position");
DB_TENANT(contacts_drop, "DELETE FROM user_contacts WHERE tenant_id = ?1 AND user_id = ?2 AND kind = ?3");
DB_TENANT(contact_put, "INSERT INTO user_contacts (tenant_id, user_id, kind, position, source, type, is_primary, display, email, phone, formatted, "
		       "street_address, locality, region, postal_code, country) "
		       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)");

enum { C_KIND, C_SOURCE, C_TYPE, C_PRIMARY, C_DISPLAY, C_EMAIL, C_PHONE, C_FORMATTED, C_STREET, C_LOCALITY, C_REGION, C_POSTAL, C_COUNTRY };

enum { BUSINESS_MAX = 10 }; /* of Graph's businessPhones */

static const struct list {
	const char *attribute, *kind;
	const char *table_column; /* what the map says of an event's values */
} EMAILS = {"emails", "email", "email"}, PHONES = {"phoneNumbers", "phone", "phone"}, ADDRESSES = {"addresses", "address", "street_address"};

static const char *const PARTS[] = {"streetAddress", "locality", "region", "postalCode", "country"};

static void set(json_t *o, const char *key, const char *text)
{
	if (text != NULL && *text != '\0')
		json_object_set_new(o, key, json_string(text));
}

static const char *get(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* ---- reading ---- */

struct reading {
	const struct scim_held *held;
	json_t *business; /* what is left of businessPhones */
	bool mail, mobile, address; /* an entry stands for it */
	json_t *emails, *phones, *addresses;
};

static const char *business_next(struct reading *g, json_t **keep)
{
	if (json_array_size(g->business) == 0)
		return NULL;
	*keep = json_incref(json_array_get(g->business, 0));
	json_array_remove(g->business, 0);
	return json_string_value(*keep);
}

static void held_address(const struct scim_held *h, json_t *o)
{
	const char *const v[] = {h->street, h->city, h->state, h->postal, h->country};
	for (size_t i = 0; i < 5; i++)
		set(o, PARTS[i], v[i]);
}

static const char *value_of(struct reading *g, const struct db_rows *r, json_t **keep)
{
	const char *source = db_text(r, C_SOURCE);
	if (source == NULL)
		return db_text(r, strcmp(db_text(r, C_KIND), "email") == 0 ? C_EMAIL : C_PHONE);
	if (strcmp(source, "mail") == 0) {
		g->mail = true;
		return g->held->mail;
	}
	if (strcmp(source, "business") == 0)
		return business_next(g, keep);
	g->mobile = true;
	return g->held->mobile;
}

/* False: the column that it stood for is empty. */
static bool fill(struct reading *g, const struct db_rows *r, json_t *o)
{
	json_t *keep = NULL;
	if (strcmp(db_text(r, C_KIND), "address") != 0) {
		set(o, "value", value_of(g, r, &keep));
		json_decref(keep);
		return json_object_get(o, "value") != NULL;
	}
	set(o, "formatted", db_text(r, C_FORMATTED));
	if (db_is_null(r, C_SOURCE)) {
		for (int i = 0; i < 5; i++)
			set(o, PARTS[i], db_text(r, C_STREET + i));
	} else {
		g->address = true;
		held_address(g->held, o);
	}
	return json_object_size(o) > 0;
}

static void add_entry(struct reading *g, const struct db_rows *r)
{
	const char *kind = db_text(r, C_KIND);
	json_t *o = json_object(), *list = strcmp(kind, "email") == 0 ? g->emails : strcmp(kind, "phone") == 0 ? g->phones : g->addresses;
	if (!fill(g, r, o)) {
		json_decref(o);
		return;
	}
	set(o, "display", db_text(r, C_DISPLAY));
	set(o, "type", db_text(r, C_TYPE));
	if (!db_is_null(r, C_PRIMARY))
		json_object_set_new(o, "primary", json_boolean(db_bool(r, C_PRIMARY)));
	json_array_append_new(list, o);
}

static bool has_primary(const json_t *list)
{
	size_t i;
	json_t *e;
	json_array_foreach(list, i, e)
		if (json_is_true(json_object_get(e, "primary")))
			return true;
	return false;
}

static json_t *entry(json_t *list, const char *type, const char *value)
{
	json_t *o = json_object();
	set(o, "value", value);
	set(o, "type", type);
	json_array_append_new(list, o);
	return o;
}

/* What Graph's clients wrote, and no list names. */
static void add_unlisted(struct reading *g)
{
	const struct scim_held *h = g->held;
	size_t i;
	json_t *v, *o;
	if (!g->mail && h->mail != NULL && *h->mail != '\0') {
		bool first = !has_primary(g->emails);
		o = entry(g->emails, "work", h->mail);
		if (first)
			json_object_set_new(o, "primary", json_true());
	}
	json_array_foreach(g->business, i, v)
		entry(g->phones, "work", json_string_value(v));
	if (!g->mobile && h->mobile != NULL && *h->mobile != '\0')
		entry(g->phones, "mobile", h->mobile);
	o = json_object();
	held_address(h, o);
	if (!g->address && json_object_size(o) > 0) {
		set(o, "type", "work");
		json_array_append(g->addresses, o);
	}
	json_decref(o);
}

static void keep_list(json_t *doc, const char *name, json_t *list)
{
	if (json_array_size(list) > 0)
		json_object_set(doc, name, list);
	json_decref(list);
}

enum err scim_contacts_read(struct db_tx *tx, struct id user, const struct scim_held *held, json_t *doc)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &contacts_of, DB_ARGS(db_v_id(&user)), &r));
	struct reading g = {.held = held, .business = held->business == NULL ? json_array() : json_loads(held->business, 0, NULL),
			    .emails = json_array(), .phones = json_array(), .addresses = json_array()};
	while (db_next(r))
		add_entry(&g, r);
	add_unlisted(&g);
	json_decref(g.business);
	keep_list(doc, EMAILS.attribute, g.emails);
	keep_list(doc, PHONES.attribute, g.phones);
	keep_list(doc, ADDRESSES.attribute, g.addresses);
	return db_rows_err(r);
}

/* ---- writing ---- */

static bool is_type(const json_t *o, const char *type)
{
	const char *have = get(o, "type");
	return have != NULL && strcasecmp(have, type) == 0;
}

/* The entry that is the account's; -1: the list is empty. */
static int chosen(const json_t *list)
{
	size_t i;
	json_t *e;
	int work = -1;
	json_array_foreach(list, i, e) {
		if (json_is_true(json_object_get(e, "primary")))
			return (int)i;
		if (work < 0 && is_type(e, "work"))
			work = (int)i;
	}
	return work >= 0 ? work : json_array_size(list) > 0 ? 0 : -1;
}

struct sources {
	int one;          /* the chosen entry of addresses of either kind; the first mobile phone */
	unsigned business;
};

/* Which column the entry stands for; NULL: none.  In the list's order. */
static const char *source_of(const struct list *l, const json_t *list, size_t i, struct sources *n)
{
	const json_t *e = json_array_get(list, i);
	if (l == &EMAILS || l == &ADDRESSES)
		return (int)i == chosen(list) ? (l == &EMAILS ? "mail" : "address") : NULL;
	if (is_type(e, "mobile") && n->one++ == 0)
		return "mobile";
	if (is_type(e, "work") && n->business < BUSINESS_MAX) {
		n->business++;
		return "business";
	}
	return NULL;
}

static void put(struct scope *s, struct record *r, const char *property, const char *text)
{
	if (text == NULL)
		record_set_null(r, property);
	else
		record_set_text(r, property, arena_strdup(s->arena, text));
}

static enum err record_phones(struct scope *s, const json_t *list, struct record *r)
{
	struct sources n = {0};
	size_t i;
	json_t *e;
	auto_json *business = json_array();
	put(s, r, "mobilePhone", NULL);
	json_array_foreach(list, i, e) {
		const char *source = source_of(&PHONES, list, i, &n);
		if (source != NULL && strcmp(source, "mobile") == 0)
			put(s, r, "mobilePhone", get(e, "value"));
		else if (source != NULL)
			json_array_append(business, json_object_get(e, "value"));
	}
	auto_buf out;
	struct json_writer w;
	buf_init(&out, 4096);
	jw_init(&w, &out);
	jw_json(&w, business);
	put(s, r, "businessPhones", json_array_size(business) == 0 ? NULL : out.data);
	return OK;
}

enum err scim_contacts_record(struct scope *s, const json_t *doc, struct record *r)
{
	static const char *const properties[] = {"streetAddress", "city", "state", "postalCode", "country"};
	const json_t *emails = json_object_get(doc, EMAILS.attribute), *addresses = json_object_get(doc, ADDRESSES.attribute);
	int mail = chosen(emails), address = chosen(addresses);
	put(s, r, "mail", mail < 0 ? NULL : get(json_array_get(emails, (size_t)mail), "value"));
	for (size_t i = 0; i < 5; i++)
		put(s, r, properties[i], address < 0 ? NULL : get(json_array_get(addresses, (size_t)address), PARTS[i]));
	return record_phones(s, json_object_get(doc, PHONES.attribute), r);
}

static enum err put_entry(struct db_tx *tx, struct id user, const struct list *l, size_t i, const char *source, const json_t *e)
{
	bool own = source == NULL;
	const char *value = own ? get(e, "value") : NULL;
	const json_t *primary = json_object_get(e, "primary");
	return db_exec(tx, &contact_put,
		       DB_ARGS(db_v_id(&user), db_v_text(l->kind), db_v_int((int64_t)i), db_v_text(source), db_v_text(get(e, "type")),
			       primary == NULL ? db_v_null() : db_v_int(json_is_true(primary)), db_v_text(get(e, "display")),
			       db_v_text(l == &EMAILS ? value : NULL), db_v_text(l == &PHONES ? value : NULL), db_v_text(get(e, "formatted")),
			       db_v_text(own ? get(e, PARTS[0]) : NULL), db_v_text(own ? get(e, PARTS[1]) : NULL), db_v_text(own ? get(e, PARTS[2]) : NULL),
			       db_v_text(own ? get(e, PARTS[3]) : NULL), db_v_text(own ? get(e, PARTS[4]) : NULL)),
		       NULL);
}

static const char *list_text(struct scope *s, const json_t *list)
{
	char *dump = list == NULL ? NULL : json_dumps(list, JSON_COMPACT);
	const char *text = arena_strdup(s->arena, dump);
	free(dump);
	return text;
}

static enum err write_list(struct db_tx *tx, struct id user, const struct list *l, const json_t *old, const json_t *doc,
			   struct audit_change ***tail, bool *changed)
{
	struct scope *s = db_tx_scope(tx);
	const json_t *before = json_object_get(old, l->attribute), *after = json_object_get(doc, l->attribute);
	struct sources n = {0};
	size_t i;
	json_t *e;
	if ((before == NULL && after == NULL) || (before != NULL && json_equal((json_t *)before, (json_t *)after)))
		return OK;
	*changed = true;
	TRY(db_exec(tx, &contacts_drop, DB_ARGS(db_v_id(&user), db_v_text(l->kind)), NULL));
	json_array_foreach(after, i, e)
		TRY(put_entry(tx, user, l, i, source_of(l, after, i, &n), e));
	*tail = audit_change_add(s->arena, *tail, l->attribute, "user_contacts", l->table_column, list_text(s, before), list_text(s, after));
	return OK;
}

enum err scim_contacts_write(struct db_tx *tx, struct id user, const json_t *old, const json_t *doc, struct audit_change ***tail, bool *changed)
{
	TRY(write_list(tx, user, &EMAILS, old, doc, tail, changed));
	TRY(write_list(tx, user, &PHONES, old, doc, tail, changed));
	return write_list(tx, user, &ADDRESSES, old, doc, tail, changed);
}
