/* SPDX-License-Identifier: Apache-2.0
 * reeve export user UPN --layout intune: what Export-IntuneData.ps1 collects, from the URLs that it asks, into the files that it writes.  What is
 * better: one request where it makes hundreds (the server filters and expands), nobody else's rows pass through, a single item is an array as
 * well, and what failed leaves nothing. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/export.h"
#include "cmd/progress.h"
#include "codec/csv.h"
#include "codec/odata.h"
#include "crypto/newfile.h"

enum { FILES_MAX = 256, NAME_BYTES_MAX = 128, FILE_BYTES_MAX = 1024 * MIB };

struct layout {
	struct client *c;
	const char *dir, *upn, *id; /* the person's, as the server has them */
	bool csv, made;             /* made: the folder is ours */
	const char *file[FILES_MAX];
	size_t file_n, rows;
};

/* ---- what the server answers ---- */

/* {upn} and {id} are the person's; upn is quoted as in $filter. */
static char *url_of(struct layout *l, const char *template)
{
	struct arena *a = l->c->arena;
	char *out = arena_strdup(a, "/beta/");
	for (const char *at = template; *at != '\0';) {
		size_t n = strcspn(at, "{");
		out = arena_printf(a, "%s%.*s", out, (int)n, at);
		at += n;
		if (*at == '\0')
			break;
		out = arena_printf(a, "%s%s", out, strncmp(at, "{id}", 4) == 0 ? l->id : url_encode(a, l->upn));
		at += strcspn(at, "}") + 1;
	}
	return out;
}

/* All pages of a collection, appended. */
static int collect(struct layout *l, const char *url, json_t *into)
{
	int code = 0;
	char *next = arena_strdup(l->c->arena, url);
	while (code == 0 && next != NULL) {
		struct client_answer a;
		code = client_call(l->c, "GET", next, NULL, &a);
		const char *link = json_string_value(json_object_get(a.json, "@odata.nextLink"));
		next = link != NULL ? arena_strdup(l->c->arena, link) : NULL;
		if (code == 0)
			json_array_extend(into, json_object_get(a.json, "value"));
		json_decref(a.json);
	}
	return code;
}

static int object(struct layout *l, const char *url, json_t **ret)
{
	struct client_answer a;
	int code = client_call(l->c, "GET", url, NULL, &a);
	json_object_del(a.json, "@odata.context");
	*ret = a.json;
	return code;
}

/* What stands below an object becomes a member of it. */
static int attach(struct layout *l, json_t *object, const char *name, const char *url)
{
	json_t *list = json_array();
	int code = collect(l, url, list);
	json_object_set_new(object, name, list);
	return code;
}

/* ---- files ---- */

/* The server names some of them. */
static bool name_is_sound(const char *name)
{
	return *name != '\0' && *name != '.' && strlen(name) <= NAME_BYTES_MAX &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._-") == strlen(name);
}

static void add_cell(struct csv_writer *w, const json_t *v)
{
	if (v == NULL || json_is_null(v)) {
		csv_field(w, NULL, 0);
	} else if (json_is_string(v)) {
		csv_field(w, json_string_value(v), json_string_length(v));
	} else {
		char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
		csv_field(w, text, strlen(text));
		free(text);
	}
}

/* A column for each member that any row has, in the order in which they come. */
static void write_csv(const json_t *rows, struct buf *out)
{
	size_t i;
	const char *key;
	json_t *row, *v, *columns = json_object();
	struct csv_writer w;
	json_array_foreach((json_t *)rows, i, row)
		json_object_foreach(row, key, v)
			json_object_set_new(columns, key, json_true());
	csv_init(&w, out);
	json_object_foreach(columns, key, v)
		csv_field(&w, key, strlen(key));
	csv_end_row(&w);
	json_array_foreach((json_t *)rows, i, row) {
		json_object_foreach(columns, key, v)
			add_cell(&w, json_object_get(row, key));
		csv_end_row(&w);
	}
	json_decref(columns);
}

static int to_buf(const char *bytes, size_t n, void *arg)
{
	buf_add(arg, bytes, n);
	return 0;
}

/* Empty sets make no file. */
static int save(struct layout *l, const char *name, const json_t *rows)
{
	auto_buf out;
	buf_init(&out, FILE_BYTES_MAX);
	if (json_array_size(rows) == 0)
		return 0;
	if (!name_is_sound(name) || l->file_n == FILES_MAX)
		return cmd_fail("export", ERR_INTERNAL, "the server names a set that can be no file");
	char *path = arena_printf(l->c->arena, "%s/%s.%s", l->dir, name, l->csv ? "csv" : "json");
	if (l->csv) {
		write_csv(rows, &out);
	} else {
		json_dump_callback(rows, to_buf, &out, JSON_INDENT(2));
		buf_addc(&out, '\n');
	}
	enum err e = out.failed ? ERR_LIMIT : access(path, F_OK) == 0 ? ERR_EXISTS : newfile_put(AT_FDCWD, path, out.data, out.len);
	if (e != OK)
		return cmd_fail("export", e, "%s: %s", path, err_text(e));
	l->file[l->file_n++] = path;
	l->rows += json_array_size(rows);
	return 0;
}

static int make_folder(struct layout *l)
{
	l->made = mkdir(l->dir, 0700) == 0;
	if (l->made)
		return 0;
	if (errno != EEXIST)
		return cmd_fail("export", ERR_IO, "%s: %s", l->dir, strerror(errno));
	DIR *d = opendir(l->dir);
	if (d == NULL)
		return cmd_fail("export", ERR_IO, "%s: %s", l->dir, strerror(errno));
	int entries = 0;
	while (readdir(d) != NULL)
		entries++;
	closedir(d);
	return entries <= 2 ? 0 : cmd_fail("export", ERR_EXISTS, "%s is not empty: an export is one person's alone", l->dir);
}

static void take_back(struct layout *l)
{
	for (size_t i = 0; i < l->file_n; i++)
		unlink(l->file[i]);
	if (l->made)
		rmdir(l->dir);
}

/* ---- sets that are made of several ---- */

/* Each state of a device with its settings. */
static int states(struct layout *l, json_t *device, const char *id, const char *kind)
{
	size_t i;
	json_t *state;
	struct arena *a = l->c->arena;
	int code = attach(l, device, kind, arena_printf(a, "/beta/deviceManagement/managedDevices/%s/%s", id, kind));
	json_array_foreach(json_object_get(device, kind), i, state)
		if (code == 0)
			code = attach(l, state, "settingStates",
				      arena_printf(a, "/beta/deviceManagement/managedDevices/%s/%s/%s/settingStates", id, kind,
						   json_string_value(json_object_get(state, "id"))));
	return code;
}

static int one_device(struct layout *l, const char *id, json_t *into)
{
	struct arena *a = l->c->arena;
	json_t *device, *category = NULL;
	int code = object(l, arena_printf(a, "/beta/deviceManagement/managedDevices/%s?$expand=detectedApps", id), &device);
	if (code == 0)
		code = object(l, arena_printf(a, "/beta/deviceManagement/managedDevices/%s/deviceCategory", id), &category);
	if (category != NULL)
		json_object_set_new(device, "deviceCategory", category);
	if (code == 0)
		code = states(l, device, id, "deviceConfigurationStates");
	if (code == 0)
		code = states(l, device, id, "deviceCompliancePolicyStates");
	json_array_append_new(into, device);
	return code;
}

static int devices(struct layout *l, const char *url, json_t *into)
{
	size_t i;
	json_t *row, *ids = json_array();
	int code = collect(l, url, ids);
	json_array_foreach(ids, i, row)
		if (code == 0)
			code = one_device(l, json_string_value(json_object_get(row, "id")), into);
	json_decref(ids);
	return code;
}

/* Apps that stand anywhere, each with the person's own statuses; the server filters them. */
static int apps(struct layout *l, const char *url, json_t *into)
{
	static const char *const kinds[] = {"deviceStatuses", "userStatuses"};
	size_t i;
	json_t *app, *all = json_array();
	int code = collect(l, url, all);
	json_array_foreach(all, i, app) {
		size_t found = 0;
		for (size_t k = 0; k < 2 && code == 0; k++) {
			code = attach(l, app, kinds[k],
				      url_of(l, arena_printf(l->c->arena, "deviceAppManagement/mobileApps/%s/%s?$filter=userPrincipalName+eq+'{upn}'",
							     json_string_value(json_object_get(app, "id")), kinds[k])));
			found += json_array_size(json_object_get(app, kinds[k]));
		}
		if (found > 0)
			json_array_append(into, app);
	}
	json_decref(all);
	return code;
}

static int acceptances(struct layout *l, const char *url, json_t *into)
{
	size_t i;
	json_t *terms, *all = json_array();
	int code = collect(l, url, all);
	json_array_foreach(all, i, terms)
		if (code == 0)
			code = collect(l,
				       url_of(l, arena_printf(l->c->arena, "deviceManagement/termsAndConditions/%s/acceptanceStatuses?$filter=userId+eq+'{id}'",
							      json_string_value(json_object_get(terms, "id")))),
				       into);
	json_decref(all);
	return code;
}

/* Sections of the data map, each a file of its own. */
static int remaining(struct layout *l, const char *url, json_t *into)
{
	size_t i;
	json_t *item, *items = json_array();
	int code = collect(l, url, items);
	json_array_foreach(items, i, item) {
		const char *name = json_string_value(json_object_get(item, "displayName"));
		if (code == 0 && name != NULL)
			code = save(l, strcmp(name, "Users") == 0 ? "Intune Users" : name, json_object_get(item, "data"));
	}
	json_decref(items);
	return code;
}

/* ---- the sets, in the script's order ---- */

static int account(struct layout *l, const char *url, json_t *into)
{
	json_t *user;
	int code = object(l, url, &user);
	json_array_append_new(into, user);
	return code;
}

static const struct set {
	const char *file, *url;
	int (*take)(struct layout *l, const char *url, json_t *into);
} SETS[] = {
	{"Azure AD User", "users/{id}", account},
	{"Azure AD Groups", "users/{id}/memberOf/microsoft.graph.group", collect},
	{"Azure AD Registered Devices", "users/{id}/registeredDevices", collect},
	{"ManagedDevices", "users/{id}/managedDevices?$select=id", devices},
	{"AuditEvents", "deviceManagement/auditEvents?$filter=actor/userPrincipalName+eq+'{upn}'", collect},
	{"AppInstallStatuses", "deviceAppManagement/mobileApps?$expand=installSummary", apps},
	{"RemoteActionAudits", "deviceManagement/remoteActionAudits?$filter=initiatedByUserPrincipalName+eq+'{upn}'", collect},
	{"DeviceManagementTroubleshootingEvents", "users/{id}/deviceManagementTroubleshootingEvents", collect},
	{"TermsAndConditionsAcceptanceStatus", "deviceManagement/termsAndConditions", acceptances},
	{NULL, "users/{id}/exportDeviceAndAppManagementData()/content", remaining},
};
enum { SET_COUNT = sizeof SETS / sizeof SETS[0] };

static int take_set(struct layout *l, const struct set *s)
{
	json_t *rows = json_array();
	int code = s->take(l, url_of(l, s->url), rows);
	if (code == 0 && s->file != NULL)
		code = save(l, s->file, rows);
	json_decref(rows);
	return code;
}

/* Who it is, as the server has the name: later filters are exact. */
static int find_person(struct layout *l, const char *upn)
{
	json_t *user;
	int code = object(l, arena_printf(l->c->arena, "/beta/users/%s?$select=id,userPrincipalName", url_encode(l->c->arena, upn)), &user);
	if (code == 0) {
		l->id = arena_strdup(l->c->arena, json_string_value(json_object_get(user, "id")));
		/* a quote is doubled in a filter */
		l->upn = "";
		for (const char *p = json_string_value(json_object_get(user, "userPrincipalName")); *p != '\0'; p++)
			l->upn = arena_printf(l->c->arena, "%s%s%c", l->upn, *p == '\'' ? "'" : "", *p);
	}
	json_decref(user);
	return code;
}

static void report(const struct layout *l)
{
	if (!l->c->json) {
		printf("%zu rows in %zu files written to %s\n", l->rows, l->file_n, l->dir);
		return;
	}
	json_t *files = json_array();
	for (size_t i = 0; i < l->file_n; i++)
		json_array_append_new(files, json_string(l->file[i]));
	json_t *j = json_pack("{s:s, s:I, s:o}", "folder", l->dir, "rows", (json_int_t)l->rows, "files", files);
	json_dumpf(j, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(j);
}

int export_layout(struct client *c, const char *upn, const char *dir, bool csv)
{
	struct layout l = {.c = c, .dir = dir, .csv = csv};
	struct progress bar;
	int code = find_person(&l, upn);
	if (code == 0)
		code = make_folder(&l);
	if (code != 0)
		return code;
	progress_begin(&bar, "collecting", false, c->json);
	for (size_t i = 0; i < SET_COUNT && code == 0; i++) {
		progress_show(&bar, (int64_t)i, SET_COUNT);
		code = take_set(&l, &SETS[i]);
	}
	progress_end(&bar);
	if (code == 0)
		report(&l);
	else
		take_back(&l);
	return code;
}
