/* SPDX-License-Identifier: Apache-2.0
 * Duties, exports and their expiry: one step of privacy/'s engines a turn. */
#include "jobs/jobs_internal.h"
#include "privacy/erasure/erasure.h"
#include "privacy/export/export.h"
#include "privacy/request/request.h"
#include "privacy/request/letter.h"

enum err job_erasure(struct server *srv, struct scope *s, bool *ret_more)
{
	return erasure_run_due(s, srv->data_dir, srv->host, ret_more);
}

enum err job_exports(struct server *srv, struct scope *s, bool *ret_more)
{
	return export_run_pending(s, &(struct export_job){.data_dir = srv->data_dir, .host = srv->host, .parcels = true}, ret_more);
}

enum err job_expiry(struct server *srv, struct scope *s, bool *ret_more)
{
	return export_expire_due(s, srv->data_dir, ret_more);
}

enum err job_letters(struct server *srv, struct scope *s, bool *ret_more)
{
	return letter_send_next(s, srv->mailer, ret_more);
}

enum err job_requests(struct server *srv, struct scope *s, bool *ret_more)
{
	TRY(request_alarms(s, ret_more));
	return request_finish_due(s, ret_more);
}
