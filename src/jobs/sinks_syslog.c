/* SPDX-License-Identifier: Apache-2.0
 *
 * A sink that speaks syslog over TLS (RFC 5424, RFC 5425).  One connection carries one page and ends with close_notify; the receiver's end
 * of it is the receipt (crypto/tls_client.h).  MSGID is the activity with a dash ("create-User"); the structured data names the place in the
 * log: index, id and origin.
 */
#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "codec/syslog.h"
#include "codec/target.h"
#include "crypto/tls_client.h"
#include "directory/sink.h"
#include "http/reach.h"
#include "jobs/sinks_internal.h"

static enum err add_message(struct delivery *d, const struct audit_sink_event *e, struct buf *out)
{
	char id[ID_TEXT];
	auto_buf text;
	buf_init(&text, LIMIT_RESPONSE_BYTES);
	TRY(sink_render(d, e, &text));
	struct syslog_param params[] = {{"index", arena_printf(d->s->arena, "%" PRIu64, e->index)}, {"id", id_format(e->event, id)},
					{"origin", d->origin}};
	syslog_frame(out, &(struct syslog_message){.severity = e->failure ? SYSLOG_WARNING : SYSLOG_NOTICE, .at = e->at, .host = d->srv->host,
						   .app = "reeve", .id = e->activity_type, .params = params,
						   .param_count = sizeof params / sizeof params[0], .text = text.data, .n = text.len});
	return text.failed ? scope_fail(d->s, ERR_LIMIT, "the event is too large") : OK;
}

static enum err send_all(struct delivery *d, const char *host, int fd, const struct buf *frames)
{
	struct tls_client *c;
	TRY(tls_client_open(d->s, fd,
			    &(struct tls_client_options){.host = host, .ca_pem = d->sink->ca_pem, .timeout_ms = SINK_TIMEOUT_MS,
							 .wake_fd = d->wake_fd},
			    &c));
	enum err e = tls_client_write(d->s, c, frames->data, frames->len);
	if (e == OK)
		e = tls_client_finish(d->s, c);
	tls_client_free(c);
	return e;
}

enum err sink_to_syslog(struct delivery *d)
{
	struct target t;
	int fd;
	auto_buf frames;
	buf_init(&frames, LIMIT_RESPONSE_BYTES);
	for (size_t i = 0; i < d->page->count; i++)
		TRY(add_message(d, &d->page->events[i], &frames));
	if (frames.failed)
		return scope_fail(d->s, ERR_LIMIT, "the events are too large");
	if (!target_host_port(d->s->arena, d->sink->target, SINK_SYSLOG_PORT, &t))
		return scope_fail(d->s, ERR_BAD_REQUEST, "the target is no HOST:PORT");
	TRY(reach_connect(d->s, d->srv->reach, t.host, t.port, SINK_TIMEOUT_MS, d->wake_fd, &fd));
	return send_all(d, t.host, fd, &frames);
}
