/* SPDX-License-Identifier: Apache-2.0
 * RFC 5322, 2045, 2047. */
#include "codec/mail.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "codec/base64.h"

enum {
	LOCAL_MAX = 64,
	LABEL_MAX = 63,
	LINE_MAX_QP = 76,     /* RFC 2045 section 6.7 (5), without the CRLF */
	WORD_BYTES = 39,      /* of UTF-8 in one encoded word: 52 of base64, 12 around them and "Subject: " are less than 76 (RFC 2047 section 2) */
	PLAIN_HEADER_MAX = 60,
};

/* ---- addresses ---- */

static bool is_atext(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool local_ok(const char *p, size_t n)
{
	if (n == 0 || n > LOCAL_MAX || p[0] == '.' || p[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_atext(p[i]) && !(p[i] == '.' && p[i - 1] != '.'))
			return false;
	return true;
}

static bool label_ok(const char *p, size_t n)
{
	if (n == 0 || n > LABEL_MAX || p[0] == '-' || p[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isascii((unsigned char)p[i]) || (!isalnum((unsigned char)p[i]) && p[i] != '-'))
			return false;
	return true;
}

bool mail_address_ok(const char *text)
{
	const char *at = strchr(text, '@');
	if (at == NULL || strlen(text) > MAIL_ADDRESS_MAX || !local_ok(text, (size_t)(at - text)))
		return false;
	for (const char *p = at + 1;; p++) {
		size_t n = strcspn(p, ".");
		if (!label_ok(p, n))
			return false;
		p += n;
		if (*p == '\0')
			return true;
	}
}

/* ---- header texts ---- */

static bool is_plain(const char *text)
{
	size_t n = strlen(text);
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return n <= PLAIN_HEADER_MAX && strstr(text, "=?") == NULL && (n == 0 || (text[0] != ' ' && text[n - 1] != ' '));
}

/* How much of p goes into the next word: whole characters, where it is UTF-8 at all. */
static size_t word_bytes(const char *p)
{
	size_t n = strnlen(p, WORD_BYTES);
	while (n > 1 && n == WORD_BYTES && ((unsigned char)p[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void encoded_words(struct buf *out, const char *text)
{
	char word[WORD_BYTES];
	for (const char *p = text; *p != '\0';) {
		size_t n = word_bytes(p);
		for (size_t i = 0; i < n; i++)
			word[i] = (unsigned char)p[i] < ' ' || p[i] == 0x7f ? ' ' : p[i];
		buf_adds(out, p == text ? "=?utf-8?B?" : "\r\n =?utf-8?B?");
		base64_add(out, word, n);
		buf_adds(out, "?=");
		p += n;
	}
}

static void header_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "%s: ", name);
	if (is_plain(text))
		buf_adds(out, text);
	else
		encoded_words(out, text);
	buf_adds(out, "\r\n");
}

/* A name of letters, digits and spaces is a phrase of atoms as it is. */
static bool is_phrase(const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (!isascii((unsigned char)*p) || (!isalnum((unsigned char)*p) && *p != ' '))
			return false;
	return is_plain(name) && *name != '\0';
}

static void header_from(struct buf *out, const struct mail *m)
{
	if (m->from_name == NULL || *m->from_name == '\0') {
		buf_printf(out, "From: %s\r\n", m->from);
		return;
	}
	buf_adds(out, "From: ");
	if (is_phrase(m->from_name))
		buf_adds(out, m->from_name);
	else
		encoded_words(out, m->from_name);
	buf_printf(out, "\r\n <%s>\r\n", m->from);
}

static void header_date(struct buf *out, int64_t at)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t seconds = (time_t)(at / SECOND_US);
	struct tm t;
	check(gmtime_r(&seconds, &t) != NULL);
	buf_printf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[t.tm_wday], t.tm_mday, months[t.tm_mon], 1900 + t.tm_year, t.tm_hour,
		   t.tm_min, t.tm_sec);
}

/* ---- the text ---- */

struct line {
	struct buf *out;
	size_t width;
};

static void put(struct line *l, const char *p, size_t n)
{
	if (l->width + n > LINE_MAX_QP - 1) { /* room for the "=" of a soft break */
		buf_adds(l->out, "=\r\n");
		l->width = 0;
	}
	buf_add(l->out, p, n);
	l->width += n;
}

static void put_escaped(struct line *l, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF";
	put(l, (const char[]){'=', hex[c >> 4], hex[c & 15]}, 3);
}

static void quoted_printable(struct buf *out, const char *text)
{
	struct line l = {out, 0};
	for (const char *p = text; *p != '\0'; p++) {
		bool last = p[1] == '\0' || p[1] == '\n' || p[1] == '\r';
		if (*p == '\n' || *p == '\r') {
			p += *p == '\r' && p[1] == '\n';
			buf_adds(out, "\r\n");
			l.width = 0;
		} else if (*p == '=' || *p > '~' || (*p < ' ' && *p != '\t') || (last && (*p == ' ' || *p == '\t')) || (*p == '.' && l.width == 0) ||
			   (*p == 'F' && l.width == 0)) /* a dot alone and "From " mean something on the way */
			put_escaped(&l, (unsigned char)*p);
		else
			put(&l, p, 1);
	}
	if (l.width > 0)
		buf_adds(out, "\r\n");
}

void mail_write(const struct mail *m, struct buf *out)
{
	check(mail_address_ok(m->from) && mail_address_ok(m->to) && mail_address_ok(m->message_id));
	header_from(out, m);
	buf_printf(out, "To: %s\r\n", m->to);
	header_text(out, "Subject", m->subject);
	header_date(out, m->at);
	buf_printf(out, "Message-ID: <%s>\r\n", m->message_id);
	buf_adds(out, "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	quoted_printable(out, m->text);
}
