/* SPDX-License-Identifier: Apache-2.0
 *
 * Packages of all devices: from one name and version to the next, through the index.
 */
#include "devices/detected.h"

#include <string.h>

#include "codec/base64.h"

DB_TENANT(detected_devices,
	  "SELECT count(*) FROM detected_apps t JOIN managed_devices d ON d.tenant_id = t.tenant_id AND d.device_id = t.device_id "
	  "WHERE t.tenant_id = ?1 AND t.name = ?2 AND t.version = ?3 AND d.hidden_at IS NULL");
#define NEXT "SELECT t.name, t.version FROM detected_apps t WHERE t.tenant_id = ?1 AND (t.name, t.version) > (?2, ?3)"

char *detected_id(struct arena *a, const struct detected_package *p)
{
	const char *both = arena_printf(a, "%s\n%s", p->name, p->version); /* neither holds a control character */
	return base64url_encode(a, both, strlen(both));
}

bool detected_parse(struct arena *a, const char *id, struct detected_package *ret)
{
	void *p;
	size_t n;
	if (!base64url_decode(a, id, strlen(id), &p, &n) || memchr(p, '\0', n) != NULL)
		return false;
	char *line = strchr(p, '\n');
	if (line == NULL)
		return false;
	*line = '\0';
	*ret = (struct detected_package){p, line + 1};
	return true;
}

/* Among the devices that an actor with scope groups reaches. */
static enum err count_reached(struct db_tx *tx, const struct detected_package *p, int64_t *ret)
{
	struct scope *s = db_tx_scope(tx);
	struct resource_condition reach;
	struct db_value args[2 + SCOPE_GROUPS_MAX] = {db_v_text(p->name), db_v_text(p->version)};
	auto_rows struct db_rows *r = NULL;
	TRY(resource_reach_condition(s, s->actor.only, WHOSE_DEVICES, "t.device_id", true, 4, &reach));
	check(reach.arg_count <= SCOPE_GROUPS_MAX);
	memcpy(args + 2, reach.args, reach.arg_count * sizeof *args);
	TRY(db_query_text(tx, DB_REACH_TENANT, arena_printf(s->arena, "%s AND %s", detected_devices.sql, reach.sql), args, 2 + reach.arg_count, &r));
	*ret = db_next(r) ? db_int(r, 0) : 0;
	return db_rows_err(r);
}

static enum err count_devices(struct db_tx *tx, const struct detected_package *p, int64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	if (db_tx_scope(tx)->actor.only != NULL)
		return count_reached(tx, p, ret);
	TRY(db_query_one(tx, &detected_devices, DB_ARGS(db_v_text(p->name), db_v_text(p->version)), &r));
	*ret = db_int(r, 0);
	return OK;
}

static void write_members(struct arena *a, const struct detected_package *p, int64_t devices, struct json_writer *w)
{
	jw_kstring(w, "id", detected_id(a, p));
	jw_kstring(w, "displayName", p->name);
	jw_kstring(w, "version", p->version);
	jw_kint(w, "sizeInByte", 0);
	jw_kint(w, "deviceCount", devices);
	jw_kstring(w, "publisher", NULL);
	jw_kstring(w, "platform", "unknown");
}

enum err detected_write(struct db_tx *tx, const struct detected_package *p, struct json_writer *w)
{
	int64_t devices;
	TRY(count_devices(tx, p, &devices));
	if (devices == 0)
		return scope_fail(db_tx_scope(tx), ERR_NOT_FOUND, "there is no detectedApp with this id");
	write_members(db_tx_scope(tx)->arena, p, devices, w);
	return OK;
}

/* The next package; ERR_NOT_FOUND past the last. */
static enum err next(struct db_tx *tx, const struct detected_page *page, const struct detected_package *after, struct detected_package *ret)
{
	struct scope *s = db_tx_scope(tx);
	struct db_value args[2 + RECORD_PROPS_MAX] = {db_v_text(after->name != NULL ? after->name : ""),
						      db_v_text(after->name != NULL ? after->version : "")};
	size_t n = 2;
	const struct resource_condition *c = page->condition;
	for (size_t i = 0; c != NULL && i < c->arg_count; i++) {
		if (n == sizeof args / sizeof args[0])
			return scope_fail(s, ERR_BAD_REQUEST, "$filter has too many values");
		args[n++] = c->args[i];
	}
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT,
			  arena_printf(s->arena, NEXT "%s%s ORDER BY t.name, t.version LIMIT 1", c != NULL ? " AND " : "", c != NULL ? c->sql : ""), args, n,
			  &r));
	if (!db_next(r)) {
		TRY(db_rows_err(r));
		return ERR_NOT_FOUND;
	}
	*ret = (struct detected_package){db_text_dup(r, 0, s->arena), db_text_dup(r, 1, s->arena)};
	return OK;
}

/* A package that only deleted devices have is passed over. */
enum err detected_write_page(struct db_tx *tx, struct detected_page *page, struct json_writer *w)
{
	struct detected_package at = page->after;
	int64_t written = 0, devices;
	page->more = false;
	for (;;) {
		enum err e = next(tx, page, &at, &at);
		if (e == ERR_NOT_FOUND)
			return OK;
		TRY(e);
		TRY(count_devices(tx, &at, &devices));
		if (devices == 0)
			continue;
		if (written == page->most) {
			page->more = true;
			return OK;
		}
		jw_object(w);
		write_members(db_tx_scope(tx)->arena, &at, devices, w);
		jw_end_object(w);
		page->after = at;
		written++;
	}
}
