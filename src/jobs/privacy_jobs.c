/* SPDX-License-Identifier: Apache-2.0
 * Duties, exports and their expiry: one step of privacy/'s engines a turn. */
#include "directory/subscription.h"
#include "jobs/jobs_internal.h"
#include "privacy/certificate/certificate.h"
#include "privacy/erasure/erasure.h"
#include "privacy/export/export.h"
#include "privacy/hold/legal_hold.h"
#include "privacy/request/request.h"
#include "privacy/request/letter.h"

enum err job_erasure(struct server *srv, struct scope *s, bool *ret_more)
{
	return erasure_run_due(s, srv->data_dir, srv->host, ret_more);
}

enum err job_certificates(struct server *srv, struct scope *s, bool *ret_more)
{
	bool more;
	TRY(erasure_copies_due(s, srv->host, ret_more));
	TRY(certificate_prove_due(s, &more));
	*ret_more |= more;
	return OK;
}

enum err job_tenants(struct server *srv, struct scope *s, bool *ret_more)
{
	TRY(subscription_run_due(s, ret_more));
	return *ret_more ? OK : erasure_retire_devices(s, ret_more);
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

enum err job_holds(struct server *srv, struct scope *s, bool *ret_more)
{
	return legal_hold_run(s, ret_more);
}

enum err job_requests(struct server *srv, struct scope *s, bool *ret_more)
{
	TRY(request_alarms(s, ret_more));
	return request_finish_due(s, ret_more);
}
