/* SPDX-License-Identifier: Apache-2.0
 * Mail: four texts between NULs (address, name, subject, text).  Whatever they hold, the message has the header lines that we write and no other,
 * is ASCII in lines of at most 78, and its text is what was given.  The text is tried as a letter's template, too.
 */
#include "fuzz.h"

#include <stdlib.h>

#include "base/limits.h"
#include "codec/mail.h"
#include "privacy/request/letter.h"

enum { PARTS = 4, INPUT_MAX = 16 * 1024 };

static const char *const HEADERS[] = {"From: ", "To: ", "Subject: ", "Date: ", "Message-ID: ", "Auto-Submitted: ", "MIME-Version: ", "Content-Type: ",
				      "Content-Transfer-Encoding: "};

/* Each line in its turn; a folded one begins with a blank. */
static const char *check_headers(const char *p)
{
	size_t next = 0;
	for (; strncmp(p, "\r\n", 2) != 0; p = strstr(p, "\r\n") + 2) {
		check(strcspn(p, "\r\n") <= 320); /* an address may be long, a text is folded */
		if (*p == ' ')
			continue;
		check(next < sizeof HEADERS / sizeof HEADERS[0] && strncmp(p, HEADERS[next], strlen(HEADERS[next])) == 0);
		next++;
	}
	check(next == sizeof HEADERS / sizeof HEADERS[0]);
	return p + 2;
}

static int nibble(char c) { return c <= '9' ? c - '0' : c - 'A' + 10; }

static void check_body(const char *body, const char *text)
{
	const char *t = text;
	for (const char *p = body; *p != '\0';) {
		if (strncmp(p, "=\r\n", 3) == 0) {
			p += 3;
		} else if (strncmp(p, "\r\n", 2) == 0) {
			check(*t == '\n' || *t == '\r' || (*t == '\0' && p[2] == '\0'));
			t += *t == '\0' ? 0 : strncmp(t, "\r\n", 2) == 0 ? 2 : 1;
			p += 2;
		} else {
			char c = *p == '=' ? (char)(nibble(p[1]) << 4 | nibble(p[2])) : *p;
			check(c == *t++);
			p += *p == '=' ? 3 : 1;
		}
	}
	check(*t == '\0');
	for (const char *line = body; *line != '\0'; line = strstr(line, "\r\n") + 2)
		check(strcspn(line, "\r") <= 76);
}

static void check_template(struct arena *a, const char *text)
{
	static const struct letter_value v[] = {{"code", "{link}"}, {"organisation", NULL}};
	auto_buf out;
	buf_init(&out, MIB);
	letter_expand(text, v, 2, &out);
	if (letter_template_problem(a, text) == NULL && out.len > 0 && strchr(text, '{') == NULL)
		check(strcmp(out.data, text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena *a = fuzz_scope()->arena;
	const char *part[PARTS] = {"", "", "", ""};
	auto_buf out;
	buf_init(&out, MIB);
	if (n > INPUT_MAX)
		return 0;
	char *copy = arena_alloc(a, n + 1); /* with its NULs, and one more */
	memcpy(copy, bytes, n);
	const char *p = copy, *end = copy + n;
	for (size_t i = 0; i < PARTS && p <= end; i++) {
		part[i] = p;
		p += strlen(p) + 1;
	}
	mail_write(&(struct mail){.from = "privacy@acme.example", .from_name = part[1], .to = mail_address_ok(part[0]) ? part[0] : "a@b",
				  .subject = part[2], .text = part[3], .message_id = "0@acme.example", .at = 0}, &out);
	check(!out.failed);
	for (size_t i = 0; i < out.len; i++)
		check(((unsigned char)out.data[i] >= ' ' && out.data[i] <= '~') || strchr("\r\n\t", out.data[i]) != NULL);
	check_body(check_headers(out.data), part[3]);
	check_template(a, part[3]);
	return 0;
}
