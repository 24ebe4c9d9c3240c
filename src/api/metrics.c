/* SPDX-License-Identifier: Apache-2.0
 * Prometheus text. */
#include "api/metrics.h"

#include <inttypes.h>

#include "api/api.h"
#include "api/public/page.h"
#include "api/sign_in/issuer.h"
#include "api/throttle.h"
#include "backup/backup.h"
#include "base/clock.h"
#include "devices/limit.h"
#include "duty/clock_guard.h"
#include "duty/duty.h"
#include "notice/outbox.h"
#include "privacy/request/letter.h"
#include "privacy/request/request.h"

void metrics_request(struct metrics *m, int status, int64_t took_us)
{
	int class = status / 100;
	atomic_fetch_add(&m->requests[class > 0 && class < METRICS_CLASSES ? class : 0], 1);
	atomic_fetch_add(&m->request_us, (uint64_t)took_us);
}

static void metric(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRIu64 "\n", name, help, name, type, name, value);
}

/* A label's value: what would end it is escaped (Prometheus text format). */
static void label(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *text);
	}
}

static void witness_line(struct buf *out, const char *name, const char *witness, uint64_t value)
{
	buf_printf(out, "%s{witness=\"", name);
	label(out, witness);
	buf_printf(out, "\"} %" PRIu64 "\n", value);
}

static void write_witnesses(struct metrics *m, int64_t now, struct buf *out)
{
	unsigned n = atomic_load(&m->witnesses);
	if (n == 0)
		return;
	buf_adds(out, "# HELP reeve_witness_cosignatures_total Checkpoints that a witness cosigned.\n# TYPE reeve_witness_cosignatures_total counter\n");
	for (unsigned i = 0; i < n; i++)
		witness_line(out, "reeve_witness_cosignatures_total", m->witness[i].name, atomic_load(&m->witness[i].cosignatures));
	buf_adds(out, "# HELP reeve_witness_failures_total Answers of a witness that failed, and refusals.\n# TYPE reeve_witness_failures_total counter\n");
	for (unsigned i = 0; i < n; i++)
		witness_line(out, "reeve_witness_failures_total", m->witness[i].name, atomic_load(&m->witness[i].failures));
	buf_adds(out, "# HELP reeve_witness_lag_seconds For how long a witness has been without the newest checkpoint of some log.\n"
		      "# TYPE reeve_witness_lag_seconds gauge\n");
	for (unsigned i = 0; i < n; i++) {
		int64_t since = atomic_load(&m->witness[i].behind_since_us);
		witness_line(out, "reeve_witness_lag_seconds", m->witness[i].name, since == 0 || since > now ? 0 : (uint64_t)((now - since) / SECOND_US));
	}
}

static void sink_metric(struct buf *out, const char *name, const char *type, const char *help, const uint64_t values[SINK_KINDS])
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
	for (int k = 0; k < SINK_KINDS; k++)
		buf_printf(out, "%s{kind=\"%s\"} %" PRIu64 "\n", name, sink_kind_name((enum sink_kind)k), values[k]);
}

static enum err write_sinks(struct metrics *m, struct scope *s, struct buf *out)
{
	struct sink_stats stats[SINK_KINDS];
	uint64_t sinks[SINK_KINDS], failing[SINK_KINDS], events[SINK_KINDS], seconds[SINK_KINDS], delivered[SINK_KINDS], failures[SINK_KINDS];
	TRY(audit_sinks_stats(s, stats));
	for (int k = 0; k < SINK_KINDS; k++) {
		sinks[k] = stats[k].sinks;
		failing[k] = stats[k].failing;
		events[k] = stats[k].lag_events;
		seconds[k] = stats[k].lag_seconds;
		delivered[k] = atomic_load(&m->sinks[k].delivered);
		failures[k] = atomic_load(&m->sinks[k].failures);
	}
	sink_metric(out, "reeve_audit_sinks", "gauge", "Sinks of audit events that are switched on.", sinks);
	sink_metric(out, "reeve_audit_sinks_failing", "gauge", "Sinks whose last delivery failed.", failing);
	sink_metric(out, "reeve_audit_sink_lag_events_max", "gauge", "Events that the sink furthest behind has not confirmed.", events);
	sink_metric(out, "reeve_audit_sink_lag_seconds_max", "gauge", "Age of the oldest event that a sink has not confirmed.", seconds);
	sink_metric(out, "reeve_audit_sink_delivered_total", "counter", "Events that sinks confirmed.", delivered);
	sink_metric(out, "reeve_audit_sink_failures_total", "counter", "Deliveries that failed.", failures);
	metric(out, "reeve_audit_sink_expired_total", "counter", "Events whose retention ended before a sink had them.",
	       atomic_load(&m->sink_events_expired));
	return OK;
}

static void write_backups(struct server *srv, struct scope *s, struct buf *out)
{
	struct keeper_day_key *keys;
	struct scope quiet = *s;
	size_t n;
	keeper_day_keys(srv->keeper, s->arena, &keys, &n);
	metric(out, "reeve_backup_last_seconds", "gauge", "When the newest backup that this server made was begun (Unix time); 0: none.",
	       (uint64_t)(atomic_load(&srv->backups->last_good_us) / SECOND_US));
	metric(out, "reeve_backup_failing", "gauge", "1: the last attempt at a backup failed.", atomic_load(&srv->backups->failing));
	metric(out, "reeve_backup_keys", "gauge", "Keys of days that are not destroyed in every place.", n);
	metric(out, "reeve_keeper_copy_away", "gauge", "1: the keeper's second place cannot be written, so that nothing is erased.",
	       keeper_copy_state(srv->keeper, &quiet) != OK);
}

static enum err write_requests(struct scope *s, struct buf *out)
{
	uint64_t open, overdue;
	TRY(request_counts(s, &open, &overdue));
	metric(out, "reeve_requests_open", "gauge", "Data-subject requests that are not answered yet.", open);
	metric(out, "reeve_requests_overdue", "gauge", "Data-subject requests past their due date.", overdue);
	return OK;
}

static void write_duties(const struct duty_counts *d, struct buf *out)
{
	metric(out, "reeve_duties_overdue", "gauge", "Duties to delete past their deadline.", d->overdue);
	metric(out, "reeve_duties_copies_overdue", "gauge", "Duties to delete whose copies are left past the promise.", d->copies_overdue);
	metric(out, "reeve_duties_alarmed", "gauge", "Open duties to delete of which an alarm was raised.", d->alarmed);
	metric(out, "reeve_duties_held", "gauge", "Duties to delete that wait for something else.", d->held);
	metric(out, "reeve_duties_failed", "gauge", "Duties to delete of which a step failed.", d->failed);
}

static enum err write_notices(struct scope *s, struct buf *out)
{
	uint64_t waiting, failed;
	TRY(notice_counts(s, &waiting, &failed));
	metric(out, "reeve_notices_waiting", "gauge", "Notices to recipients that wait although they were tried.", waiting);
	metric(out, "reeve_notices_failed", "gauge", "Notices of the last 30 days that could not be delivered.", failed);
	return OK;
}

static enum err write_actions(struct metrics *m, struct scope *s, struct buf *out)
{
	uint64_t bursts;
	TRY(action_limit_bursts(s, &bursts));
	metric(out, "reeve_device_action_bursts", "gauge", "Alarms of the last day: one actor removed many devices within an hour.", bursts);
	metric(out, "reeve_devices_returned_total", "counter", "Devices that came back although they had confirmed their removal.",
	       atomic_load(&m->devices_returned));
	return OK;
}

static void listener_line(struct buf *out, const char *name, const char *type, const char *help, const char *const *listener, const uint64_t *v, size_t n)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s{listener=\"%s\"} %" PRIu64 "\n", name, listener[i], v[i]);
}

static void write_listeners(struct server *srv, struct buf *out)
{
	static const char *const names[] = {"api", "device", "local"};
	enum { LISTENERS = 3 };
	uint64_t open[LISTENERS] = {0}, refused[LISTENERS] = {0}, cut[LISTENERS] = {0};
	for (size_t i = 0; i < LISTENERS; i++) {
		struct http_stats st = {0};
		if (atomic_load(&srv->listener[i]) != NULL)
			http_stats(atomic_load(&srv->listener[i]), &st);
		open[i] = st.connections_open;
		refused[i] = st.refused;
		cut[i] = st.cut;
	}
	listener_line(out, "reeve_http_connections", "gauge", "Connections that are open.", names, open, LISTENERS);
	listener_line(out, "reeve_http_refused_total", "counter", "Connections over a limit, and requests refused before they were understood.", names, refused,
		      LISTENERS);
	listener_line(out, "reeve_http_cut_total", "counter", "Connections cut because their client was too slow or stayed idle.", names, cut, LISTENERS);
}

static void write_throttles(struct server *srv, struct buf *out)
{
	const char *what;
	uint64_t n;
	buf_adds(out, "# HELP reeve_throttled_total Requests answered with 429, by the limit that they met.\n# TYPE reeve_throttled_total counter\n");
	for (size_t i = 0; throttle_refused(srv->throttle, i, &what, &n); i++)
		buf_printf(out, "reeve_throttled_total{limit=\"%s\"} %" PRIu64 "\n", what, n);
	for (int i = 0; i < PAGE_LIMITS; i++)
		buf_printf(out, "reeve_throttled_total{limit=\"%s\"} %" PRIu64 "\n", page_limit_name((enum page_limit)i), page_refused((enum page_limit)i));
}

static void write_issuers(struct server *srv, struct buf *out)
{
	struct issuer_counts c;
	issuers_counts(srv->issuers, &c);
	metric(out, "reeve_issuers_held", "gauge", "Identity providers whose documents and keys are in memory.", c.held);
	metric(out, "reeve_issuer_fetches_total", "counter", "Times that an identity provider was asked for its document or keys.", c.fetches);
	metric(out, "reeve_issuer_failures_total", "counter", "Of these, without an answer that could be used.", c.failures);
	metric(out, "reeve_tokens_verified_total", "counter", "Tokens of identity providers that were found good.", c.verified);
	metric(out, "reeve_tokens_refused_total", "counter", "Tokens of identity providers that were refused.", c.refused);
}

enum err metrics_write(struct server *srv, struct scope *s, struct buf *out)
{
	struct metrics *m = srv->metrics;
	struct db_stats d;
	struct duty_counts duties;
	uint64_t letters = 0, lost = 0;
	db_stats(srv->db, &d);
	TRY(duty_count(s, &duties));
	TRY(letter_counts(s, &letters, &lost));
	buf_adds(out, "# HELP reeve_http_requests_total Requests answered, by class of status.\n# TYPE reeve_http_requests_total counter\n");
	for (int i = 1; i < METRICS_CLASSES; i++)
		buf_printf(out, "reeve_http_requests_total{class=\"%dxx\"} %" PRIu64 "\n", i, atomic_load(&m->requests[i]));
	metric(out, "reeve_http_request_microseconds_total", "counter", "Time spent in handlers.", atomic_load(&m->request_us));
	metric(out, "reeve_http_unauthenticated_total", "counter", "Requests refused before sign-in.",
	       atomic_load(&m->refused_before_sign_in));
	metric(out, "reeve_sign_ins_failed_total", "counter", "Wrong passwords and codes on the sign-in pages.", atomic_load(&m->sign_ins_failed));
	metric(out, "reeve_sign_ins_throttled_total", "counter", "Attempts to sign in that were sent away unheard: too many of an address, or at once.",
	       atomic_load(&m->sign_ins_throttled));
	write_listeners(srv, out);
	write_throttles(srv, out);
	metric(out, "reeve_db_commits_total", "counter", "Transactions committed.", d.commits);
	metric(out, "reeve_db_changes_total", "counter", "Closures run in them.", d.closures);
	metric(out, "reeve_db_retries_total", "counter", "Closures run again.", d.retries);
	metric(out, "reeve_db_failures_total", "counter", "Transactions that failed.", d.failures);
	metric(out, "reeve_db_queue", "gauge", "Closures waiting for the writer.", d.queue);
	write_duties(&duties, out);
	metric(out, "reeve_clock_in_doubt", "gauge", "1: the clock jumped forward and nothing is deleted until it is confirmed.",
	       clock_guard_in_doubt(srv->clock));
	metric(out, "reeve_jobs_failed_total", "counter", "Runs of periodic jobs that failed.", atomic_load(&m->jobs_failed));
	metric(out, "reeve_last_checkpoint_seconds", "gauge", "When the audit log was last signed (Unix time).",
	       (uint64_t)(atomic_load(&m->last_checkpoint_us) / SECOND_US));
	write_issuers(srv, out);
	metric(out, "reeve_letters_waiting", "gauge", "Letters about requests that wait although they were tried, or have no mail server.", letters);
	metric(out, "reeve_letters_failed", "gauge", "Letters of the last 30 days that could not be sent: somebody has to.", lost);
	TRY(write_requests(s, out));
	write_backups(srv, s, out);
	TRY(write_actions(m, s, out));
	TRY(write_notices(s, out));
	write_witnesses(m, s->now, out);
	metric(out, "reeve_start_seconds", "gauge", "When the server started (Unix time).", (uint64_t)(m->started_us / SECOND_US));
	return write_sinks(m, s, out);
}
