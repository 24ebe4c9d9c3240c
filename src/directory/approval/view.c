/* SPDX-License-Identifier: Apache-2.0
 * What is shown of a request beside its columns. */
#include <string.h>

#include "directory/approval/internal.h"
#include "keeper/keeper.h"
#include "resource/tables.h"

DB_TENANT(approval_people,
	  "SELECT r.requester_type, r.requested_by, ru.display_name, ra.display_name, r.approver_type, r.decided_by, du.display_name, da.display_name "
	  "FROM operation_approval_requests r "
	  "LEFT JOIN users ru ON ru.tenant_id = r.tenant_id AND ru.user_id = r.requested_by "
	  "LEFT JOIN applications ra ON ra.tenant_id = r.tenant_id AND ra.application_id = r.requested_by "
	  "LEFT JOIN users du ON du.tenant_id = r.tenant_id AND du.user_id = r.decided_by "
	  "LEFT JOIN applications da ON da.tenant_id = r.tenant_id AND da.application_id = r.decided_by "
	  "WHERE r.tenant_id = ?1 AND r.request_id = ?2");

/* Graph's identitySet: columns first (type) to first + 3. */
static void write_identity(struct json_writer *w, const char *name, const struct db_rows *r, int first, bool nameless)
{
	const char *type = db_text(r, first);
	bool person = type != NULL && strcmp(type, "user") == 0;
	jw_key(w, name);
	if (type == NULL) {
		jw_null(w);
		return;
	}
	jw_object(w);
	jw_key(w, person ? "user" : "application");
	jw_object(w);
	jw_kid(w, "id", db_id(r, first + 1));
	const char *called = person && nameless ? NULL : db_text(r, first + (person ? 2 : 3));
	jw_kstring(w, "displayName", strcmp(type, "operator") == 0 ? "Installation Operator" : called);
	jw_end_object(w);
	jw_end_object(w);
}

static enum err write_people(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id request, bool nameless)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &approval_people, DB_ARGS(db_v_id(&request)), &r));
	if (resource_selected(q, "requestor"))
		write_identity(w, "requestor", r, 0, nameless);
	if (resource_selected(q, "approver"))
		write_identity(w, "approver", r, 4, nameless);
	return OK;
}

static void write_sealed(struct scope *s, struct json_writer *w, const char *name, const void *p, size_t n)
{
	size_t text_n;
	const char *text = p == NULL ? NULL : keeper_unseal(s->keeper, s->arena, p, n, &text_n);
	jw_key(w, name);
	if (text == NULL)
		jw_null(w);
	else
		jw_stringn(w, text, text_n);
}

static void write_types(struct json_writer *w, unsigned profiles)
{
	jw_key(w, "requiredOperationApprovalPolicyTypes");
	jw_array(w);
	for (unsigned p = 0; p < APPROVAL_PROFILES; p++)
		if (profiles & 1u << p)
			jw_string(w, approval_profile_name((enum approval_profile)p));
	jw_end_array(w);
}

enum err approval_request_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id request, void *arg)
{
	struct scope *s = db_tx_scope(tx);
	struct request r;
	struct call_text c;
	TRY(write_people(tx, w, q, request, arg != NULL));
	TRY(approval_load(tx, request, &r));
	if (resource_selected(q, "requestJustification"))
		write_sealed(s, w, "requestJustification", r.justification, r.justification_n);
	if (resource_selected(q, "approvalJustification"))
		write_sealed(s, w, "approvalJustification", r.answer, r.answer_n);
	if (resource_selected(q, "requiredOperationApprovalPolicyTypes"))
		write_types(w, r.profiles);
	if (!resource_selected(q, "entityId"))
		return OK;
	bool open = approval_call_unseal(s, &r, &c);
	jw_kid(w, "entityId", open ? c.object : (struct id){0});
	return OK;
}
