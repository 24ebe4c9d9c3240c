/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands where, in Graph's words.
 */
#include "devices/standing.h"

#include <stdio.h>
#include <string.h>

#include "devices/payload.h"

DB_TENANT(standing_configuration_type,
	  "SELECT odata_type FROM device_configurations WHERE tenant_id = ?1 AND configuration_id = ?2");
DB_TENANT(standing_on_device,
	  "SELECT p.state, p.error, c.odata_type, c.display_name, u.user_id, u.display_name, u.mail, u.upn FROM provisioned_items p "
	  "JOIN managed_devices d ON d.tenant_id = p.tenant_id AND d.device_id = p.device_id "
	  "LEFT JOIN device_configurations c ON c.tenant_id = p.tenant_id AND c.configuration_id = p.item_id "
	  "LEFT JOIN users u ON u.tenant_id = d.tenant_id AND u.user_id = d.user_id "
	  "WHERE p.tenant_id = ?1 AND p.device_id = ?2 AND p.item_id = ?3 AND p.item_type = 'deviceConfiguration'");
DB_TENANT(standing_of_app,
	  "SELECT p.state, count(*), count(DISTINCT d.user_id) FROM provisioned_items p "
	  "JOIN managed_devices d ON d.tenant_id = p.tenant_id AND d.device_id = p.device_id "
	  "WHERE p.tenant_id = ?1 AND p.item_id = ?2 AND d.hidden_at IS NULL GROUP BY p.state");
DB_TENANT(standing_of_user,
	  "SELECT p.state, count(*) FROM managed_devices d "
	  "JOIN provisioned_items p ON p.tenant_id = d.tenant_id AND p.device_id = d.device_id AND p.item_id = ?3 "
	  "WHERE d.tenant_id = ?1 AND d.user_id = ?2 AND d.hidden_at IS NULL GROUP BY p.state");

/* A state of provisioned_items in the words of a configuration's state and of an app's counts. */
static const struct standing_words {
	const char *state, *setting, *count;
} WORDS[] = {
	{"installed", "compliant", "installed"},
	{"failed", "error", "failed"},
	{"pending", "unknown", "pendingInstall"},
	{"removing", "notAssigned", "notInstalled"},
};
enum { WORD_COUNT = sizeof WORDS / sizeof WORDS[0], NOT_APPLICABLE = WORD_COUNT };

static size_t word_of(const char *state)
{
	size_t i = 0;
	while (i < WORD_COUNT && strcmp(WORDS[i].state, state) != 0)
		i++;
	check(i < WORD_COUNT); /* the schema has no other */
	return i;
}

/* ---- configurations ---- */

/* NULL: the configuration is gone; the device has not taken it back yet. */
static const char *const *settings_of(struct arena *a, const char *odata_type)
{
	static const char *const none[] = {NULL};
	enum payload_type type;
	if (odata_type == NULL || !payload_type_parse(odata_type, ITEM_CONFIGURATION, &type))
		return none;
	return payload_names(a, type);
}

enum err standing_configuration_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id configuration, void *arg)
{
	int64_t n = 0;
	auto_rows struct db_rows *r = NULL;
	if (!resource_selected(q, "settingCount"))
		return OK;
	enum err e = db_query_one(tx, &standing_configuration_type, DB_ARGS(db_v_id(&configuration)), &r);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (e == OK)
		for (const char *const *s = settings_of(db_tx_scope(tx)->arena, db_text(r, 0)); *s != NULL; s++)
			n++;
	jw_kint(w, "settingCount", n);
	return OK;
}

static void write_setting(struct json_writer *w, const struct db_rows *r, const char *setting)
{
	const struct standing_words *words = &WORDS[word_of(db_text(r, 0))];
	jw_object(w);
	jw_kstring(w, "setting", setting);
	jw_kstring(w, "settingName", setting);
	jw_kstring(w, "instanceDisplayName", db_text(r, 3));
	jw_kstring(w, "state", words->setting);
	jw_kint(w, "errorCode", 0);
	jw_kstring(w, "errorDescription", db_text(r, 1));
	jw_kid(w, "userId", db_id(r, 4));
	jw_kstring(w, "userName", db_text(r, 5));
	jw_kstring(w, "userEmail", db_text(r, 6));
	jw_kstring(w, "userPrincipalName", db_text(r, 7));
	jw_key(w, "sources");
	jw_array(w);
	jw_end_array(w);
	jw_kstring(w, "currentValue", NULL);
	jw_kstring(w, "settingInstanceId", NULL);
	jw_end_object(w);
}

enum err standing_write_settings(struct db_tx *tx, struct id device, struct id configuration, struct json_writer *w)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &standing_on_device, DB_ARGS(db_v_id(&device), db_v_id(&configuration)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no deviceConfigurationState with the id %s", id_format(configuration, text));
	TRY(e);
	jw_array(w);
	for (const char *const *name = settings_of(s->arena, db_text(r, 2)); *name != NULL; name++)
		write_setting(w, r, *name);
	jw_end_array(w);
	return OK;
}

/* ---- apps ---- */

static void write_counts(struct json_writer *w, const int64_t counts[WORD_COUNT], const char *of)
{
	char name[64];
	for (size_t i = 0; i <= NOT_APPLICABLE; i++) {
		snprintf(name, sizeof name, "%s%sCount", i == NOT_APPLICABLE ? "notApplicable" : WORDS[i].count, of);
		jw_kint(w, name, i == NOT_APPLICABLE ? 0 : counts[i]);
	}
}

/* Of the devices that the scope's actor reaches. */
static enum err query_app(struct db_tx *tx, const struct id *app, struct db_rows **ret)
{
	struct scope *s = db_tx_scope(tx);
	struct resource_condition reach;
	struct db_value args[1 + SCOPE_GROUPS_MAX] = {db_v_id(app)};
	if (s->actor.only == NULL)
		return db_query(tx, &standing_of_app, args, 1, ret);
	TRY(resource_reach_condition(s, s->actor.only, WHOSE_PERSONS, "d.user_id", true, 3, &reach));
	check(reach.arg_count <= SCOPE_GROUPS_MAX);
	memcpy(args + 1, reach.args, reach.arg_count * sizeof *args);
	const char *all = standing_of_app.sql, *group = strstr(all, " GROUP BY ");
	const char *sql = arena_printf(s->arena, "%.*s AND %s%s", (int)(group - all), all, reach.sql, group);
	return db_query_text(tx, DB_REACH_TENANT, sql, args, 1 + reach.arg_count, ret);
}

enum err standing_write_app(struct db_tx *tx, struct id app, struct json_writer *w)
{
	int64_t devices[WORD_COUNT] = {0}, users[WORD_COUNT] = {0};
	auto_rows struct db_rows *r = NULL;
	TRY(query_app(tx, &app, &r));
	while (db_next(r)) {
		size_t i = word_of(db_text(r, 0));
		devices[i] = db_int(r, 1);
		users[i] = db_int(r, 2);
	}
	jw_object(w);
	jw_kid(w, "id", app);
	write_counts(w, devices, "Device");
	write_counts(w, users, "User");
	jw_end_object(w);
	return db_rows_err(r);
}

enum err standing_user_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id user, void *arg)
{
	const struct id *app = arg;
	int64_t installed = 0, failed = 0, others = 0;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &standing_of_user, DB_ARGS(db_v_id(&user), db_v_id(app)), &r));
	while (db_next(r)) {
		const char *state = db_text(r, 0);
		*(strcmp(state, "installed") == 0 ? &installed : strcmp(state, "failed") == 0 ? &failed : &others) += db_int(r, 1);
	}
	TRY(db_rows_err(r));
	if (resource_selected(q, "installedDeviceCount"))
		jw_kint(w, "installedDeviceCount", installed);
	if (resource_selected(q, "failedDeviceCount"))
		jw_kint(w, "failedDeviceCount", failed);
	if (resource_selected(q, "notInstalledDeviceCount"))
		jw_kint(w, "notInstalledDeviceCount", others);
	return OK;
}
