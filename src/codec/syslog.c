/* SPDX-License-Identifier: Apache-2.0
 * RFC 5424 and its framing. */
#include "codec/syslog.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"

enum {
	FACILITY_AUDIT = 13,
	HOST_MAX = 255, APP_MAX = 48, ID_MAX = 32, /* RFC 5424, section 6 */
};

static void add_field(struct buf *b, const char *text, size_t most)
{
	size_t n = text == NULL ? 0 : strlen(text);
	for (size_t i = 0; i < n && i < most; i++)
		buf_addc(b, text[i] > ' ' && text[i] < 0x7f ? text[i] : '-');
	buf_adds(b, n == 0 ? "- " : " ");
}

static void add_param(struct buf *b, const struct syslog_param *p)
{
	buf_printf(b, " %s=\"", p->name);
	for (const char *c = p->value; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\' || *c == ']')
			buf_addc(b, '\\');
		buf_addc(b, *c);
	}
	buf_addc(b, '"');
}

static void add_header(struct buf *b, const struct syslog_message *m)
{
	char at[TIME_TEXT];
	buf_printf(b, "<%d>1 %s ", FACILITY_AUDIT * 8 + (int)m->severity, time_format(m->at, at));
	add_field(b, m->host, HOST_MAX);
	add_field(b, m->app, APP_MAX);
	buf_adds(b, "- "); /* PROCID: the event is the server's, whichever process sends it */
	add_field(b, m->id, ID_MAX);
	buf_adds(b, "[reeve@" SYSLOG_ENTERPRISE);
	for (size_t i = 0; i < m->param_count; i++)
		add_param(b, &m->params[i]);
	buf_adds(b, "] ");
}

void syslog_frame(struct buf *out, const struct syslog_message *m)
{
	auto_buf header;
	buf_init(&header, LIMIT_HEADER_BYTES);
	add_header(&header, m);
	check(!header.failed);
	buf_printf(out, "%zu ", header.len + m->n);
	buf_add(out, header.data, header.len);
	buf_add(out, m->text, m->n);
}
