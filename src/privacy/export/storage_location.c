/* SPDX-License-Identifier: Apache-2.0
 * The list of storage locations: its rules, rows and events. */
#include "privacy/export/storage_location.h"

#include <string.h>
#include <strings.h>

#include "audit/audit.h"
#include "codec/target.h"
#include "resource/tables.h"

/* At most STORAGE_LOCATIONS_MAX rows. */
DB_TENANT(storage_locations_list, "SELECT url_prefix FROM storage_locations WHERE tenant_id = ?1");
DB_TENANT(storage_location_drop, "DELETE FROM storage_locations WHERE tenant_id = ?1 AND location_id = ?2");

/* ---- addresses ---- */

static const char *path_of(const char *url)
{
	return url + strlen("https://") + strcspn(url + strlen("https://"), "/?");
}

/* What a store might read as another path than the one that stands there. */
static bool is_devious(const char *path, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool dot = path[i] == '.' || (n - i >= 3 && strncasecmp(path + i, "%2e", 3) == 0);
		if (path[i] == '\\' || (n - i >= 3 && (strncasecmp(path + i, "%2f", 3) == 0 || strncasecmp(path + i, "%5c", 3) == 0)))
			return true;
		if (dot && i > 0 && path[i - 1] == '/') {
			size_t end = i;
			while (end < n && (path[end] == '.' || strncasecmp(path + end, "%2e", 3) == 0))
				end += path[end] == '.' ? 1 : 3;
			if (end >= n || path[end] == '/')
				return true;
		}
	}
	return false;
}

static bool same_origin(struct arena *a, const char *prefix, const char *url)
{
	struct target p, u;
	return target_https(a, prefix, &p) && target_https(a, url, &u) && strcasecmp(p.host, u.host) == 0 && p.port == u.port;
}

bool storage_location_covers(struct arena *a, const char *prefix, const char *url)
{
	if (!same_origin(a, prefix, url))
		return false;
	const char *p = path_of(prefix), *u = path_of(url);
	size_t pn = strlen(p), un = strcspn(u, "?");
	while (pn > 0 && p[pn - 1] == '/')
		pn--;
	return !is_devious(u, un) && un >= pn && memcmp(p, u, pn) == 0 && (un == pn || u[pn] == '/');
}

enum err storage_location_check(struct db_tx *tx, const char *url)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &storage_locations_list, DB_NOARGS, &r));
	while (db_next(r))
		if (storage_location_covers(s->arena, db_text(r, 0), url))
			return OK;
	TRY(db_rows_err(r));
	return scope_fail(s, ERR_FORBIDDEN, "'storageLocation' is not on the organisation's list of addresses that exports may be sent to "
					    "(deviceManagement/storageLocations)");
}

static enum err check_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const char *const *url = arg;
	return storage_location_check(tx, *url);
}

enum err storage_location_allowed(struct scope *s, const char *url) { return db_read(s, check_tx, &url); }

/* ---- the list ---- */

struct write {
	struct id location;
	const struct record *r;
};

static enum err check_room(struct db_tx *tx, const char *url)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	int n = 0;
	TRY(db_query(tx, &storage_locations_list, DB_NOARGS, &r));
	for (; db_next(r); n++)
		if (strcmp(db_text(r, 0), url) == 0)
			return scope_fail(s, ERR_EXISTS, "this address is on the list already");
	TRY(db_rows_err(r));
	return n < STORAGE_LOCATIONS_MAX ? OK : scope_fail(s, ERR_LIMIT, "a tenant has at most %d storage locations", (int)STORAGE_LOCATIONS_MAX);
}

static enum err create_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct write *a = arg;
	struct extra_column created = {"created_at", db_v_int(s->now)};
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(check_room(tx, record_text(s->arena, a->r, "urlPrefix")));
	a->location = scope_id(s);
	TRY(record_insert(tx, a->r, a->location, &created, 1));
	record_changes_all(s->arena, a->r, true, &tail);
	return audit_record(tx, &(struct audit_event){.activity = ACT_STORAGE_LOCATION_CREATE, .resource_type = RES_STORAGE_LOCATION.entity,
						      .resource = a->location, .resource_name = record_text(s->arena, a->r, "displayName"),
						      .changes = changes});
}

enum err storage_location_create(struct scope *s, const struct record *r, struct id *ret)
{
	struct write a = {.r = r};
	struct target t;
	const char *url = record_text(s->arena, r, "urlPrefix");
	check(r->res == &RES_STORAGE_LOCATION);
	if (!target_https(s->arena, url, &t) || strchr(url, '?') != NULL || is_devious(path_of(url), strlen(path_of(url))))
		return scope_fail(s, ERR_BAD_REQUEST, "'urlPrefix' is an https URL without a user name, password, query, fragment or dot segments");
	TRY(db_write(s, create_tx, &a));
	*ret = a.location;
	return OK;
}

static enum err delete_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct write *a = arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(record_load(tx, &RES_STORAGE_LOCATION, a->location, false, &old));
	TRY(db_exec(tx, &storage_location_drop, DB_ARGS(db_v_id(&a->location)), NULL));
	record_changes_all(s->arena, old, false, &tail);
	return audit_record(tx, &(struct audit_event){.activity = ACT_STORAGE_LOCATION_DELETE, .resource_type = RES_STORAGE_LOCATION.entity,
						      .resource = a->location, .resource_name = record_text(s->arena, old, "displayName"),
						      .changes = changes});
}

enum err storage_location_delete(struct scope *s, struct id location)
{
	return db_write(s, delete_tx, &(struct write){.location = location});
}
