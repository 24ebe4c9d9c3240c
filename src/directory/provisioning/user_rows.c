/* SPDX-License-Identifier: Apache-2.0
 *
 * A user's row as a document, and back.
 *
 * userName and Graph's userPrincipalName are one.  Where a userName can be no userPrincipalName, it is kept as it came, and the
 * userPrincipalName is made of it, so that two that are equal are equal there, too: "jdoe" is jdoe@username.invalid, and what no local part
 * may hold is a digest of it.  (.invalid is nobody's: RFC 2606.)  The same with displayName, which every account has: one that nobody gave is
 * made of the name, and is not shown by SCIM.
 */
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "crypto/digest.h"
#include "directory/provisioning/rows.h"
#include "resource/tables.h"

#define MADE_DOMAIN "username.invalid"

DB_TENANT(scim_user_groups, "SELECT m.group_id, g.display_name FROM group_members m JOIN groups g ON g.tenant_id = m.tenant_id AND "
			    "g.group_id = m.group_id WHERE m.tenant_id = ?1 AND m.user_id = ?2 ORDER BY m.group_id LIMIT 1000");

enum column {
	C_UPN = SCIM_COLUMN_VERSION + 1, C_USER_NAME, C_DISPLAY, C_DERIVED, C_CREATED, C_MODIFIED, C_MANAGER, C_MANAGER_NAME,
	C_MAIL, C_MOBILE, C_BUSINESS, C_STREET, C_CITY, C_STATE, C_POSTAL, C_COUNTRY, C_PROPERTIES,
};
#define COLUMNS                                                                                                               \
	"SELECT t.user_id, t.version, t.upn, t.user_name, t.display_name, t.display_derived, t.created_at, t.modified_at, "   \
	"t.manager_id, m.display_name, t.mail, t.mobile_phone, t.business_phones, t.street_address, t.city, t.state, "       \
	"t.postal_code, t.country"
#define FROM                                                                                                                  \
	" FROM users t LEFT JOIN users m ON m.tenant_id = t.tenant_id AND m.user_id = t.manager_id AND m.deleted_at IS NULL " \
	"WHERE t.tenant_id = ?1 AND t.deleted_at IS NULL"

static const char *column_of(const struct scim_attribute *a)
{
	const struct property *p = resource_property(&RES_USER, a->property, API_V1);
	check(p != NULL && p->sql != NULL);
	return p->sql;
}

static bool is_plain(const struct scim_attribute *a)
{
	return a->resource == SCIM_USER && a->property != NULL;
}

const char *scim_user_select(struct scope *s)
{
	size_t n;
	const struct scim_attribute *a = scim_attributes(&n);
	const char *text = COLUMNS;
	for (size_t i = 0; i < n; i++)
		if (is_plain(&a[i]))
			text = arena_printf(s->arena, "%s, t.%s", text, column_of(&a[i]));
	return arena_printf(s->arena, "%s%s", text, FROM);
}

/* ---- from a row ---- */

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL && *text != '\0')
		json_object_set_new(object, key, json_string(text));
}

static json_t *parent_of(json_t *doc, const struct scim_attribute *a)
{
	json_t *part = scim_part(doc, a->schema, true);
	if (a->name == a->path)
		return part;
	char name[64];
	snprintf(name, sizeof name, "%.*s", (int)(a->name - a->path - 1), a->path);
	json_t *parent = json_object_get(part, name);
	if (parent == NULL)
		json_object_set_new(part, name, parent = json_object());
	return parent;
}

static void set_properties(json_t *doc, const struct db_rows *r)
{
	size_t n;
	int col = C_PROPERTIES;
	const struct scim_attribute *a = scim_attributes(&n);
	for (size_t i = 0; i < n; i++) {
		if (!is_plain(&a[i]))
			continue;
		if (a[i].type == SCIM_BOOLEAN)
			json_object_set_new(parent_of(doc, &a[i]), a[i].name, json_boolean(db_bool(r, col)));
		else if (!db_is_null(r, col) && *db_text(r, col) != '\0')
			set_text(parent_of(doc, &a[i]), a[i].name, db_text(r, col));
		col++;
	}
}

static json_t *reference(struct scope *s, const char *base, enum scim_resource to, const char *id)
{
	return json_string(arena_printf(s->arena, "%s%s/%s", base, scim_endpoint(to), id));
}

static void set_manager(struct scope *s, const char *base, json_t *doc, const struct db_rows *r)
{
	char text[ID_TEXT];
	if (db_is_null(r, C_MANAGER_NAME)) /* nobody, or somebody who is not to be seen */
		return;
	json_t *manager = json_object();
	id_format(db_id(r, C_MANAGER), text);
	json_object_set_new(manager, "value", json_string(text));
	json_object_set_new(manager, "$ref", reference(s, base, SCIM_USER, text));
	set_text(manager, "displayName", db_text(r, C_MANAGER_NAME));
	json_object_set_new(scim_part(doc, SCIM_ENTERPRISE_USER, true), "manager", manager);
}

static enum err set_groups(struct db_tx *tx, struct id user, const char *base, json_t *doc)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &scim_user_groups, DB_ARGS(db_v_id(&user)), &r));
	json_t *list = json_array();
	json_object_set_new(doc, "groups", list);
	while (db_next(r)) {
		char text[ID_TEXT];
		json_t *g = json_object();
		id_format(db_id(r, 0), text);
		json_object_set_new(g, "value", json_string(text));
		json_object_set_new(g, "$ref", reference(s, base, SCIM_GROUP, text));
		set_text(g, "display", db_text(r, 1));
		json_object_set_new(g, "type", json_string("direct"));
		json_array_append_new(list, g);
	}
	if (json_array_size(list) == 0)
		json_object_del(doc, "groups");
	return db_rows_err(r);
}

enum err scim_user_row(struct db_tx *tx, const struct db_rows *r, const char *base, unsigned needs, json_t **ret)
{
	struct scope *s = db_tx_scope(tx);
	struct id user = db_id(r, SCIM_COLUMN_ID);
	json_t *doc = *ret;
	json_object_set_new(doc, "userName", json_string(db_text(r, db_is_null(r, C_USER_NAME) ? C_UPN : C_USER_NAME)));
	if (!db_bool(r, C_DERIVED))
		set_text(doc, "displayName", db_text(r, C_DISPLAY));
	set_properties(doc, r);
	set_manager(s, base, doc, r);
	struct scim_held held = {
		db_text_dup(r, C_MAIL, s->arena), db_text_dup(r, C_MOBILE, s->arena), db_text_dup(r, C_BUSINESS, s->arena),
		db_text_dup(r, C_STREET, s->arena), db_text_dup(r, C_CITY, s->arena), db_text_dup(r, C_STATE, s->arena),
		db_text_dup(r, C_POSTAL, s->arena), db_text_dup(r, C_COUNTRY, s->arena),
	};
	if (needs & SCIM_NEED_CONTACTS)
		TRY(scim_contacts_read(tx, user, &held, doc));
	return needs & SCIM_NEED_GROUPS ? set_groups(tx, user, base, doc) : OK;
}

/* ---- to a record ---- */

const char *scim_upn(struct arena *a, const char *user_name)
{
	uint8_t digest[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];
	if (upn_problem(user_name) == NULL)
		return user_name;
	const char *made = arena_printf(a, "%s@" MADE_DOMAIN, user_name);
	if (strchr(user_name, '@') == NULL && upn_problem(made) == NULL)
		return made;
	const char *key = upn_key(a, user_name);
	sha256(key, strlen(key), digest);
	hex_encode(digest, sizeof digest, hex);
	return arena_printf(a, "%.32s@" MADE_DOMAIN, hex);
}

static const char *text_at(const json_t *doc, const char *key)
{
	return json_string_value(json_object_get(doc, key));
}

/* The name, then the userName. */
static const char *derived_name(struct scope *s, const json_t *doc)
{
	const json_t *name = json_object_get(doc, "name");
	const char *given = text_at(name, "givenName"), *family = text_at(name, "familyName");
	if (text_at(name, "formatted") != NULL)
		return text_at(name, "formatted");
	if (given != NULL && family != NULL)
		return arena_printf(s->arena, "%s %s", given, family);
	return given != NULL ? given : family != NULL ? family : text_at(doc, "userName");
}

static void set_or_clear(struct scope *s, struct record *r, const char *property, const char *text)
{
	if (text == NULL)
		record_set_null(r, property);
	else
		record_set_text(r, property, arena_strdup(s->arena, text));
}

static void record_names(struct scope *s, const json_t *doc, struct record *r)
{
	const char *user_name = text_at(doc, "userName"), *display = text_at(doc, "displayName"), *upn = scim_upn(s->arena, user_name);
	record_set_text(r, "userPrincipalName", arena_strdup(s->arena, upn));
	set_or_clear(s, r, "userName", strcmp(upn, user_name) == 0 ? NULL : user_name);
	record_set_text(r, "displayName", arena_strdup(s->arena, display != NULL ? display : derived_name(s, doc)));
	if (display != NULL)
		record_set_null(r, "displayNameDerived");
	else
		record_set_int(r, "displayNameDerived", 1);
}

static const json_t *value_at(const json_t *doc, const struct scim_attribute *a)
{
	const json_t *part = scim_part((json_t *)doc, a->schema, false);
	if (a->name == a->path)
		return json_object_get(part, a->name);
	char name[64];
	snprintf(name, sizeof name, "%.*s", (int)(a->name - a->path - 1), a->path);
	return json_object_get(json_object_get(part, name), a->name);
}

static void record_properties(struct scope *s, const json_t *doc, struct record *r)
{
	size_t n;
	const struct scim_attribute *a = scim_attributes(&n);
	for (size_t i = 0; i < n; i++) {
		if (!is_plain(&a[i]))
			continue;
		const json_t *v = value_at(doc, &a[i]);
		if (a[i].type == SCIM_BOOLEAN)
			record_set_int(r, a[i].property, v == NULL || json_is_true(v));
		else
			set_or_clear(s, r, a[i].property, json_string_value(v));
	}
}

static const char *manager_of(const json_t *doc)
{
	return text_at(json_object_get(scim_part((json_t *)doc, SCIM_ENTERPRISE_USER, false), "manager"), "value");
}

/* Okta sends what was typed in as the manager, and whoever was one may be erased: nobody, then.  What comes with it, a leaver's `active` above
 * all, counts more. */
static enum err record_manager(struct db_tx *tx, struct id user, const json_t *old, const json_t *doc, struct record *r)
{
	struct scope *s = db_tx_scope(tx);
	const char *text = manager_of(doc);
	struct user manager;
	struct id id;
	enum err e = !id_parse(text, &id) || id_equal(id, user) ? ERR_NOT_FOUND : user_load(tx, id, &manager);
	if (e == OK)
		record_set_id(r, s->arena, "manager", id);
	else if (e == ERR_NOT_FOUND && old != NULL && manager_of(old) != NULL)
		record_set_null(r, "manager");
	if (e == ERR_NOT_FOUND)
		s->detail = NULL;
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err scim_user_record(struct db_tx *tx, struct id user, const json_t *old, const json_t *doc, struct record **ret)
{
	struct scope *s = db_tx_scope(tx);
	struct record *r = record_new(s->arena, &RES_USER);
	record_names(s, doc, r);
	record_properties(s, doc, r);
	TRY(record_manager(tx, user, old, doc, r));
	TRY(scim_contacts_record(s, doc, r));
	*ret = r;
	return OK;
}
