/* SPDX-License-Identifier: Apache-2.0
 *
 * The end of a closed tenant.  What goes is decided when the purge starts: with another active product on record the
 * tables of device management; else everything.  Then the tenant's log, its evidence and its own row go last of all,
 * after the certificate is with the installation; where the directory stays the tenant opens again for it, without the
 * product.
 */
#include <string.h>

#include "audit/audit.h"
#include "audit/audit_retention.h"
#include "audit/out/export.h"
#include "base/log.h"
#include "directory/tenant.h"
#include "keeper/keeper.h"
#include "privacy/erasure/erasure.h"
#include "privacy/erasure/internal.h"

DB_TENANT(tenant_reopen_directory,
	  "UPDATE tenants SET state = 'active', closed_at = NULL, purge_starts_at = NULL, purge_deadline_at = NULL "
	  "WHERE tenant_id = ?1 AND state = 'purging'");
DB_TENANT(tenant_row_delete, "DELETE FROM tenants WHERE tenant_id = ?1 AND state = 'purging'");
DB_TENANT(tenant_events_left, "SELECT 1 FROM audit_events WHERE tenant_id = ?1 LIMIT 1");
DB_TENANT(tenant_duties,
	  "SELECT duty_id FROM duties WHERE tenant_id = ?1 AND state NOT IN ('scheduled', 'scrubbed', 'copies_gone', "
	  "'cancelled')");

unsigned closing_domains(bool keeps_directory)
{
	unsigned management = 1u << MAP_DOMAIN_MANAGEMENT;
	return keeps_directory ? management : management | 1u << MAP_DOMAIN_DIRECTORY | 1u << MAP_DOMAIN_LOG;
}

enum { MAP_TABLES_MAX = 128, SCRUB_TRIES = 3 };

unsigned tenant_domains(const struct erase_job *j) { return closing_domains(!tenant_goes_whole(j)); }

bool tenant_goes_whole(const struct erase_job *j)
{
	return j->type == SUBJECT_TENANT && progress_int(j, "keepsDirectory") == 0;
}

/* ---- the directory stays ---- */

static enum err reopen_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	int64_t n;
	struct audit_change *change = NULL;
	TRY(db_exec(tx, &tenant_reopen_directory, DB_NOARGS, &n));
	if (n == 0)
		return OK;
	TRY(subscription_move_management(tx, "Deleted"));
	audit_change_add(s->arena, &change, "state", "tenants", "state", "purging", "active");
	return audit_record(tx, &(struct audit_event){.activity = ACT_TENANT_REOPEN,
						      .resource_type = "Tenant",
						      .resource = s->tenant,
						      .changes = change});
}

static enum err reopen_for_directory(struct erase_job *j)
{
	return db_write_low(&j->s, reopen_tx, NULL);
}

/* ---- everything goes ---- */

static enum err list_duties(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	json_t *list = json_array();
	json_object_set_new(j->progress, "duties", list);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &tenant_duties, DB_NOARGS, &r));
	while (db_next(r)) {
		char text[ID_TEXT];
		json_array_append_new(list, json_string(id_format(db_id(r, 0), text)));
	}
	return db_rows_err(r);
}

/* Duties that the purge overtook. */
static enum err drop_needles(struct erase_job *j)
{
	size_t i;
	json_t *v;
	TRY(db_read(&j->s, list_duties, j));
	json_array_foreach(json_object_get(j->progress, "duties"), i, v)
	{
		struct id duty;
		check(id_parse(json_string_value(v), &duty));
		TRY(keeper_needles_drop(j->s.keeper, &j->s, duty));
	}
	return OK;
}

/* Events have their own way out, and this very duty is among the duties: those come last. */
static enum err delete_domain(struct db_tx *tx, unsigned mask, int64_t *ret_most)
{
	struct erase_step *steps;
	size_t n;
	*ret_most = 0;
	TRY(subject_erase_steps(db_tx_scope(tx), SUBJECT_TENANT, mask, &steps, &n));
	for (size_t i = 0; i < n; i++) {
		int64_t gone;
		struct db_value most = db_v_int(ERASE_BATCH);
		if (steps[i].table->link == MAP_LINK_AUDIT || strcmp(steps[i].table->name, "duties") == 0)
			continue;
		TRY(db_exec_text(tx, DB_REACH_TENANT, steps[i].sql, &most, 1, &gone));
		if (gone > *ret_most)
			*ret_most = gone;
	}
	return OK;
}

static enum err evidence_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	return delete_domain(tx, 1u << MAP_DOMAIN_EVIDENCE, arg);
}

DB_TENANT(tenant_duties_delete, "DELETE FROM duties WHERE tenant_id = ?1");

/* In one transaction, so that a crash leaves either a duty to go on with or nothing at all. */
static enum err last_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	bool *gone = arg;
	int64_t more;
	auto_rows struct db_rows *r = NULL;
	*gone = false;
	enum err e = db_query_one(tx, &tenant_events_left, DB_NOARGS, &r);
	if (e == OK)
		return OK; /* one was written since the log went: once more */
	if (e != ERR_NOT_FOUND)
		return e;
	unsigned all = 1u << MAP_DOMAIN_DIRECTORY | 1u << MAP_DOMAIN_MANAGEMENT | 1u << MAP_DOMAIN_EVIDENCE;
	TRY(delete_domain(tx, all, &more));
	if (more == ERASE_BATCH)
		return OK;
	TRY(audit_purge_rest(tx));
	TRY(db_exec(tx, &tenant_duties_delete, DB_NOARGS, NULL));
	TRY(db_exec(tx, &tenant_row_delete, DB_NOARGS, NULL));
	*gone = true;
	return OK;
}

/* Evidence and the log went after the scan, and nobody is left to try again later; what a reader keeps from going now goes with the next scrub. */
static void scrub_last(struct erase_job *j)
{
	const char *tables[MAP_TABLES_MAX];
	size_t n, names = 0;
	const struct map_table *t = map_tables(&n);
	for (size_t i = 0; i < n && names < MAP_TABLES_MAX; i++)
		if (t[i].domain == MAP_DOMAIN_EVIDENCE || strcmp(t[i].name, "tenants") == 0)
			tables[names++] = t[i].name;
	enum err e = ERR_BUSY;
	for (int i = 0; i < SCRUB_TRIES && e == ERR_BUSY; i++)
		e = db_scrub(j->s.db, tables, names);
	if (e != OK && e != ERR_NOT_IMPLEMENTED)
		log_event(LOG_WARN, "tenant_scrub", "error=%s detail=\"the next scrub does it\"", err_name(e));
}

enum err step_tenant_vanish(struct erase_job *j, bool *ret_gone)
{
	int64_t most;
	*ret_gone = true;
	if (!tenant_goes_whole(j))
		return reopen_for_directory(j);
	TRY(drop_needles(j));
	do
		TRY(db_write_low(&j->s, evidence_tx, &most));
	while (most == ERASE_BATCH);
	TRY(audit_purge_tenant(&j->s, j->d.tenant, NULL));
	TRY(audit_export_forget_files(&j->s, j->e->data_dir)); /* their rows go with the last */
	TRY(db_write_low(&j->s, last_tx, ret_gone));
	if (*ret_gone)
		scrub_last(j);
	return OK;
}
