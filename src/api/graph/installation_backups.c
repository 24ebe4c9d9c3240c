/* SPDX-License-Identifier: Apache-2.0
 * installation/backups and installation/backupKeys: the operator's.  Both lists are short, and are not in the database. */
#include "api/api.h"
#include "backup/backup.h"
#include "base/clock.h"
#include "directory/tenant.h"

enum err backups_list(struct call *c);
enum err backups_create(struct call *c);
enum err backup_keys_list(struct call *c);

static struct json_writer begin(struct call *c, const char *name)
{
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#installation/%s", call_base_url(c), name));
	jw_key(&w, "value");
	jw_array(&w);
	return w;
}

static enum err finish(struct json_writer *w)
{
	jw_end_array(w);
	jw_end_object(w);
	return OK;
}

static void time_or_null(struct json_writer *w, const char *key, int64_t us)
{
	if (us > 0) {
		jw_ktime(w, key, us);
		return;
	}
	jw_key(w, key);
	jw_null(w);
}

static void write_file(struct json_writer *w, const struct backup_file *f)
{
	jw_object(w);
	jw_kstring(w, "id", f->name);
	jw_kstring(w, "kind", f->header.kind == BACKUP_SQLITE ? "database" : "stream");
	jw_ktime(w, "createdDateTime", f->header.created);
	jw_kint(w, "sizeBytes", (int64_t)f->size);
	jw_ktime(w, "keyDate", f->header.day * DAY_US);
	time_or_null(w, "keyDestructionDateTime", f->gone_at); /* null: it is destroyed */
	jw_kint(w, "ledgerSequence", (int64_t)f->header.ledger);
	jw_end_object(w);
}

enum err backups_list(struct call *c)
{
	struct backup_file *files;
	size_t n;
	TRY(tenant_operator_scope(&c->s));
	TRY(backup_list(&c->s, c->server->backups, &files, &n));
	struct json_writer w = begin(c, "backups");
	for (size_t i = 0; i < n; i++)
		write_file(&w, &files[i]);
	return finish(&w);
}

enum err backups_create(struct call *c)
{
	static const char *const allowed[] = {NULL};
	struct scope operator = c->s;
	json_t *body;
	TRY(call_body(c, false, &body));
	TRY(call_only(c, body, allowed));
	enum err err = tenant_operator_scope(&operator);
	if (err != OK)
		return scope_fail(&c->s, err, "%s", scope_detail(&operator, err));
	TRY(backup_ask(&c->s, c->server->backups));
	return call_status(c, 202);
}

enum err backup_keys_list(struct call *c)
{
	struct keeper_day_key *key;
	size_t n;
	TRY(tenant_operator_scope(&c->s));
	keeper_day_keys(c->server->keeper, c->s.arena, &key, &n);
	struct json_writer w = begin(c, "backupKeys");
	for (size_t i = 0; i < n; i++) {
		jw_object(&w);
		jw_ktime(&w, "id", key[i].day * DAY_US);
		jw_kstring(&w, "state", key[i].here ? "alive" : "destroyedHere"); /* the latter: not yet in the second place */
		jw_ktime(&w, "destructionDateTime", key[i].gone_at);
		jw_end_object(&w);
	}
	return finish(&w);
}
