/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/file_job.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define GIVE_UP_US (10 * MINUTE_US)

/* Its own scope: making the file may have taken a while. */
static enum err end(struct file_job *j, struct scope *making, db_fn fn)
{
	struct scope s;
	scope_tenant(&s, making->arena, making->db, making->keeper, j->tenant);
	enum err e = db_write(&s, fn, j->arg);
	return e == OK ? OK : scope_fail(making, e, "%s", scope_detail(&s, e));
}

static enum err run(struct file_job *j, struct scope *s, bool *ret_again)
{
	char id[ID_TEXT];
	TRY(db_write(s, j->start, j->arg));
	enum err e = j->make(j->arg, s);
	if (e == OK) {
		TRY(end(j, s, j->finish));
		if (j->gone)
			unlink(j->sealed);
		return OK;
	}
	unlink(j->sealed);
	*ret_again = (e == ERR_UNAVAILABLE || e == ERR_BUSY) && s->now - j->asked_at < GIVE_UP_US;
	if (*ret_again)
		return OK;
	log_event(LOG_ERROR, j->failed, "%s=%s error=%s detail=\"%s\"", j->key, id_format(j->object, id), err_name(e), scope_detail(s, e));
	j->error = scope_detail(s, e);
	s->detail = NULL;
	return end(j, s, j->fail);
}

enum err file_job_run(struct scope *s, struct file_job *j, bool *ret_more)
{
	struct scope tenant;
	bool again = false;
	scope_tenant(&tenant, s->arena, s->db, s->keeper, j->tenant);
	enum err e = run(j, &tenant, &again);
	*ret_more = e == OK && !again;
	return e == OK ? OK : scope_fail(s, e, "%s", scope_detail(&tenant, e));
}
