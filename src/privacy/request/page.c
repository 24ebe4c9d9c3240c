/* SPDX-License-Identifier: Apache-2.0
 * What the public pages show. */
#include "privacy/request/page.h"

#include <string.h>

#include "db/db.h"
#include "directory/tenant.h"
#include "directory/tenant_settings.h"
#include "privacy/disclosure/reason.h"
#include "privacy/request/regime.h"
#include "privacy/request/internal.h"

DB_TENANT(page_tenant, "SELECT display_name FROM tenants WHERE tenant_id = ?1");
DB_TENANT(page_case,
	  "SELECT t.display_name, q.request_type, q.state, q.regime, q.decision, q.reason_code, q.legal_ground, q.outcome, q.extension_reason, "
	  "q.received_at, q.due_at, q.extended_at, q.delivered_at, o.operation_id, o.status, o.expires_at FROM data_subject_requests q "
	  "JOIN tenants t ON t.tenant_id = q.tenant_id LEFT JOIN data_policy_operations o ON o.tenant_id = q.tenant_id AND "
	  "o.operation_id = q.operation_id WHERE q.tenant_id = ?1 AND q.request_id = ?2");

struct intake {
	bool open;
	const char *organisation;
};

static enum err intake_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct intake *i = arg;
	int64_t on;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &page_tenant, DB_NOARGS, &r));
	i->open = db_next(r);
	if (i->open)
		i->organisation = db_text_dup(r, 0, s->arena);
	TRY(db_rows_err(r));
	TRY(tenant_setting_int(tx, "requestIntake", &on));
	i->open = i->open && on != 0;
	return OK;
}

enum err request_intake(struct scope *s, bool *ret_open, const char **ret_organisation)
{
	struct intake i = {0};
	enum tenant_level level;
	TRY(db_read(s, intake_tx, &i));
	TRY(tenant_access(s, &level));
	*ret_open = i.open && level == TENANT_FULL;
	*ret_organisation = i.organisation;
	return OK;
}

struct asked {
	struct id request;
	struct request_page *page;
};

static void read_case(struct scope *s, const struct db_rows *r, struct request_page *p)
{
	const struct regime *regime = regime_find(db_text(r, 3));
	const char *code = db_text_dup(r, 5, s->arena), *status = db_text(r, 14);
	const struct request_type *type = request_type_find(db_text(r, 1));
	*p = (struct request_page){
		.organisation = db_text_dup(r, 0, s->arena), .type = db_text_dup(r, 1, s->arena), .state = db_text_dup(r, 2, s->arena),
		.law = regime == NULL ? "" : regime->law, .decision = db_text_dup(r, 4, s->arena), .reason = code == NULL ? NULL : reason_text(code),
		.ground = db_text_dup(r, 6, s->arena), .outcome = db_text_dup(r, 7, s->arena), .extension_reason = db_text_dup(r, 8, s->arena),
		.received_at = db_int(r, 9), .due_at = db_int(r, 10), .extended_at = db_int(r, 11), .delivered_at = db_int(r, 12),
		.exports = type != NULL && type->way == BY_EXPORT};
	if (status != NULL && strcmp(status, "complete") == 0 && db_int(r, 15) > s->now)
		p->operation = db_id(r, 13);
}

static enum err page_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct asked *a = arg;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &page_case, DB_ARGS(db_v_id(&a->request)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "no data-subject request has this id");
	TRY(e);
	read_case(s, r, a->page);
	return OK;
}

enum err request_page(struct scope *s, struct id request, struct request_page *ret)
{
	return db_read(s, page_tx, &(struct asked){request, ret});
}
