/* SPDX-License-Identifier: Apache-2.0
 * deviceManagement/reports/exportJobs: reports as files. */
#include <string.h>

#include "api/api.h"
#include "api/link.h"
#include "base/limits.h"
#include "devices/reports/job.h"
#include "devices/reports/table.h"
#include "resource/tables.h"

enum err report_jobs_create(struct call *c);
enum err report_jobs_list(struct call *c);
enum err report_jobs_get(struct call *c);

enum { SELECT_MAX = 200 };

/* ---- the answer ---- */

static enum err write_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id key, void *arg)
{
	struct call *c = arg;
	struct report_job job;
	char text[ID_TEXT];
	TRY(report_job_load(tx, key, &job));
	if (resource_selected(q, "id"))
		jw_kstring(w, "id", arena_printf(c->s.arena, "%s_%s", job.report, id_format(key, text)));
	if (!resource_selected(q, "url"))
		return OK;
	jw_key(w, "url");
	if (job.has_file && job.expires_at > c->s.now)
		jw_string(w, link_issue(c, &(struct link){LINK_REPORT, c->s.tenant, key, job.expires_at}));
	else
		jw_null(w);
	return OK;
}

static enum err query(struct call *c, struct resource_query *q)
{
	TRY(call_query(c, &RES_REPORT_JOB, q));
	q->more = write_more;
	q->more_arg = c;
	return OK;
}

/* ---- asking ---- */

static enum err filter_of(struct call *c, const json_t *body, const char **ret)
{
	const json_t *v = json_object_get(body, "filter");
	*ret = NULL;
	if (v == NULL || json_is_null(v))
		return OK;
	if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v) || json_string_length(v) > LIMIT_URL_BYTES)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'filter' must be a string of at most %u bytes", LIMIT_URL_BYTES);
	*ret = arena_strdup(c->s.arena, json_string_value(v));
	return OK;
}

static enum err select_of(struct call *c, const json_t *body, const char *const **ret)
{
	const json_t *v = json_object_get(body, "select"), *name;
	size_t i, n = json_array_size(v);
	*ret = NULL;
	if (v == NULL || json_is_null(v))
		return OK;
	if (!json_is_array(v) || n > SELECT_MAX)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "'select' must be an array of at most %d column names", SELECT_MAX);
	const char **list = arena_alloc(c->s.arena, (n + 1) * sizeof *list);
	json_array_foreach(v, i, name) {
		if (!json_is_string(name) || json_string_length(name) > LIMIT_TEXT_BYTES || strlen(json_string_value(name)) != json_string_length(name))
			return scope_fail(&c->s, ERR_BAD_REQUEST, "'select' must hold names of columns");
		list[i] = arena_strdup(c->s.arena, json_string_value(name));
	}
	*ret = list;
	return OK;
}

/* Members that Graph has and that mean nothing here may be there as long as they say nothing. */
static enum err refuse_unless_empty(struct call *c, const json_t *body, const char *name, const char *why)
{
	const json_t *v = json_object_get(body, name);
	if (v == NULL || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0))
		return OK;
	return scope_fail(&c->s, ERR_BAD_REQUEST, "'%s' is not supported: %s", name, why);
}

static enum err read_request(struct call *c, struct report_job_request *q)
{
	static const char *const allowed[] = {"reportName", "filter", "select", "format", "localizationType", "snapshotId", "search", NULL};
	json_t *body;
	TRY(call_body(c, true, &body));
	TRY(call_only(c, body, allowed));
	TRY(call_string(c, body, "reportName", true, &q->report));
	TRY(call_string(c, body, "format", false, &q->format));
	TRY(call_string(c, body, "localizationType", false, &q->localization));
	TRY(filter_of(c, body, &q->filter));
	TRY(select_of(c, body, &q->select));
	TRY(refuse_unless_empty(c, body, "snapshotId", "every report is made anew"));
	return refuse_unless_empty(c, body, "search", "use 'filter'");
}

enum err report_jobs_create(struct call *c)
{
	struct report_job_request q = {0};
	struct resource_query rq;
	struct id job;
	char text[ID_TEXT];
	TRY(read_request(c, &q));
	TRY(report_job_request(&c->s, &q, &job));
	TRY(query(c, &rq));
	TRY(call_get(c, &rq, job));
	http_response_header(c->out, "Location", arena_printf(c->s.arena, "%s/%s('%s_%s')", rq.base_url, RES_REPORT_JOB.context,
							      report_find(q.report)->name, id_format(job, text)));
	http_response_header(c->out, "Retry-After", "2");
	c->out->status = 201;
	return OK;
}

/* ---- reading ---- */

enum err report_jobs_list(struct call *c)
{
	struct resource_query q;
	TRY(query(c, &q));
	return call_list(c, &q);
}

enum err report_jobs_get(struct call *c)
{
	struct resource_query q;
	struct id job;
	const char *text = call_param(c, "job");
	const struct report *report = report_find(arena_strndup(c->s.arena, text, strcspn(text, "_")));
	if (report == NULL || !report_job_parse_id(text, &job))
		return scope_fail(&c->s, ERR_NOT_FOUND, "no report has the id '%.128s'", text);
	const struct db_value name = db_v_text(report->name);
	TRY(query(c, &q));
	q.extra_where = "t.report_name = ?2"; /* the id names both */
	q.args = &name;
	q.arg_count = 1;
	return call_get(c, &q, job);
}
