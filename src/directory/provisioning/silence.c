/* SPDX-License-Identifier: Apache-2.0
 * A directory that was heard of and then is not: leavers stay enabled here, and nobody would notice. */
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "directory/provisioning/client.h"
#include "directory/provisioning/each_tenant.h"
#include "directory/tenant_settings.h"
#include "notice/notice.h"
#include "resource/tables.h"

DB_GLOBAL(provisioning_next_tenant, "SELECT tenant_id FROM applications WHERE last_contact_at IS NOT NULL AND tenant_id > ?1 "
				    "ORDER BY tenant_id LIMIT 1");
DB_TENANT(provisioning_silent, "SELECT application_id, display_name, last_contact_at FROM applications WHERE tenant_id = ?1 "
			       "AND last_contact_at IS NOT NULL AND last_contact_at <= ?2 AND silent_at IS NULL AND enabled = 1 AND provisioning = 1");
DB_TENANT(provisioning_set_silent, "UPDATE applications SET silent_at = ?3 WHERE tenant_id = ?1 AND application_id = ?2");

enum { CLIENTS_MAX = 64 };

struct silent {
	struct id application;
	const char *name;
	int64_t heard_at;
};

static enum err raise(struct db_tx *tx, const struct silent *c)
{
	struct scope *s = db_tx_scope(tx);
	char heard[TIME_TEXT], now[TIME_TEXT], id[ID_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	time_format(c->heard_at, heard);
	TRY(db_exec(tx, &provisioning_set_silent, DB_ARGS(db_v_id(&c->application), db_v_int(s->now)), NULL));
	tail = audit_change_add(s->arena, tail, "silentDateTime", "applications", "silent_at", NULL, time_format(s->now, now));
	audit_change_add(s->arena, tail, "lastContactDateTime", NULL, NULL, NULL, heard);
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_PROVISIONING_SILENT, .resource_type = RES_APPLICATION.entity,
						   .resource = c->application, .resource_name = c->name, .changes = changes}));
	return notice_alarm(tx, "provisioning.silent", c->application,
			    arena_printf(s->arena, "Nothing was heard since %s of the directory behind the provisioning client %s: who left there since then "
						   "may still be enabled here.", heard, id_format(c->application, id)));
}

static enum err tenant_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	(void)arg;
	int64_t days;
	struct silent c[CLIENTS_MAX];
	size_t n = 0;
	TRY(tenant_setting_int(tx, "provisioningSilentDays", &days));
	if (days == 0)
		return OK;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &provisioning_silent, DB_ARGS(db_v_int(s->now - days * DAY_US)), &r));
	while (n < CLIENTS_MAX && db_next(r))
		c[n++] = (struct silent){db_id(r, 0), db_text_dup(r, 1, s->arena), db_int(r, 2)};
	TRY(db_rows_err(r));
	for (size_t i = 0; i < n; i++)
		TRY(raise(tx, &c[i]));
	return OK;
}

static enum err run_tenant(struct scope *t, void *arg)
{
	return db_write_low(t, tenant_tx, arg);
}

enum err provisioning_silent_run(struct scope *s)
{
	return each_tenant(s, &provisioning_next_tenant, run_tenant, NULL);
}
