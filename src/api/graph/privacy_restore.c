/* SPDX-License-Identifier: Apache-2.0
 * installation/restoreReports: what was erased again after a restore. */
#include "api/api.h"
#include "privacy/restore/restore.h"
#include "resource/tables.h"

enum err restore_reports_list(struct call *c);
enum err restore_reports_get(struct call *c);

/* An answer is always the whole file that `reeve restore verify` takes, so $select is none of its options. */
static enum err write_signed(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	return restore_report_write(tx, w, key);
}

static enum err report_query(struct call *c, struct resource_query *q)
{
	static const char *const plain[] = {"id", "issuedDateTime", "followedSequence", "headSequence", "erasedAgainCount", NULL};
	TRY(call_query(c, &RES_RESTORE_REPORT, q));
	if (q->odata.select != NULL)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "a report is only whole: $select is not supported here");
	q->odata.select = plain;
	q->more = write_signed;
	return OK;
}

enum err restore_reports_list(struct call *c)
{
	struct resource_query q;
	TRY(report_query(c, &q));
	return call_list(c, &q);
}

enum err restore_reports_get(struct call *c)
{
	struct resource_query q;
	struct id report;
	TRY(call_param_id(c, "report", "restore report", &report));
	TRY(report_query(c, &q));
	return call_get(c, &q, report);
}
