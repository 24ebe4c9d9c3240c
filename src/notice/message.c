/* SPDX-License-Identifier: Apache-2.0 */
#include "notice/message.h"

#include <string.h>

#include "codec/json.h"
#include "codec/mail.h"

#define EVENT_TYPE "org.reeve.%s.v1"

void notice_event(const struct notice_head *h, const json_t *message, struct buf *out)
{
	char tenant[ID_TEXT];
	struct json_writer w;
	auto_buf name;
	buf_init(&name, 128);
	buf_printf(&name, EVENT_TYPE, h->kind);
	jw_init(&w, out);
	jw_object(&w);
	jw_kstring(&w, "specversion", "1.0");
	jw_kid(&w, "id", h->notice);
	jw_kstring(&w, "source", h->source);
	jw_kstring(&w, "type", name.data);
	jw_ktime(&w, "time", h->at);
	jw_kstring(&w, "datacontenttype", "application/json");
	jw_kstring(&w, "tenantid", id_format(h->tenant, tenant));
	jw_key(&w, "data");
	jw_json(&w, message);
	jw_end_object(&w);
}

/* ---- mail ---- */

static const char *text_of(const json_t *message, const char *name)
{
	const char *text = json_string_value(json_object_get(message, name));
	return text == NULL ? "" : text;
}

/* "Label: value", where there is one. */
static void line(struct buf *out, const json_t *message, const char *label, const char *name)
{
	const char *text = text_of(message, name);
	if (*text != '\0')
		buf_printf(out, "%s: %s\n", label, text);
}

static void write_text(const struct notice_head *h, const json_t *message, struct buf *out)
{
	char id[ID_TEXT];
	buf_printf(out, "%s\n", text_of(message, "text"));
	if (strcmp(h->kind, "person") == 0)
		return;
	buf_adds(out, "\n");
	line(out, message, "Alarm", "alarm");
	line(out, message, "Person", "userPrincipalName");
	line(out, message, "Person's id", "userId");
	line(out, message, "Deadline", "deadlineDateTime");
	line(out, message, "Duty", "dutyId");
	line(out, message, "About", "aboutId");
	line(out, message, "Organisation", "organisation");
	line(out, message, "Time", "at");
	buf_printf(out, "Notice: %s\nServer: %s\n", id_format(h->notice, id), h->source);
}

static void write_subject(const struct notice_head *h, const json_t *message, struct buf *out)
{
	if (strcmp(h->kind, "person") == 0)
		buf_adds(out, text_of(message, "subject"));
	else if (strcmp(h->kind, "alarm") == 0)
		buf_printf(out, "Reeve: alarm %s", text_of(message, "alarm"));
	else
		buf_printf(out, "Reeve: a person is erased, duty %s", text_of(message, "dutyId"));
}

void notice_mail(const struct notice_head *h, const json_t *message, const char *from, const char *to, struct buf *out)
{
	char id[ID_TEXT];
	auto_buf subject, text, unique;
	buf_init(&subject, NOTICE_MESSAGE_MAX);
	buf_init(&text, NOTICE_MESSAGE_MAX);
	buf_init(&unique, MAIL_ADDRESS_MAX + ID_TEXT);
	const char *organisation = text_of(message, "organisation");
	write_subject(h, message, &subject);
	write_text(h, message, &text);
	buf_printf(&unique, "%s%s", id_format(h->notice, id), strchr(from, '@'));
	mail_write(&(struct mail){.from = from, .from_name = *organisation == '\0' ? "Reeve" : organisation, .to = to,
				  .subject = subject.len == 0 ? "" : subject.data, .text = text.data, .message_id = unique.data, .at = h->at}, out);
}
