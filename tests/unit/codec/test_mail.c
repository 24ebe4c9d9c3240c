/* SPDX-License-Identifier: Apache-2.0
 * Mail messages: addresses, header texts, the body; nothing that is put in makes a line of its own.
 */
#include <string.h>

#include "codec/mail.h"
#include "fixture.h"

static void addresses_are_plain(void **state)
{
	static const char *const good[] = {"a@b", "anna.meier+x@mail.example.org", "o'neil@example.org", "x_y{z}@a-b.example"};
	static const char *const bad[] = {"", "@", "a", "a@", "@b", ".a@b", "a.@b", "a..b@c", "a b@c", "\"a\"@b", "a@b..c", "a@-b", "a@b-", "a@b.", "a@[192.0.2.1]",
					  "a@b@c", "a@b\r\nRCPT TO:<x@y>", "a<b>@c", "\xc3\xa4@b", "a@\xc3\xa4", "a@b c", "a,b@c"};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(mail_address_ok(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (mail_address_ok(bad[i]))
			fail_msg("'%s' passed", bad[i]);
	char longer[400];
	memset(longer, 'a', sizeof longer);
	memcpy(longer + 64, "@b", 3);
	assert_true(mail_address_ok(longer));
	memset(longer, 'a', sizeof longer);
	memcpy(longer + 65, "@b", 3);
	assert_false(mail_address_ok(longer));
}

static const struct mail plain = {.from = "privacy@acme.example", .from_name = "Acme Inc", .to = "anna@example.org", .subject = "Your request",
				  .text = "Hello\n", .message_id = "0123@acme.example", .at = INT64_C(1795335330000000)};

static void a_plain_message_is_readable(void **state)
{
	auto_buf b;
	buf_init(&b, MIB);
	mail_write(&plain, &b);
	assert_string_equal(b.data, "From: Acme Inc\r\n <privacy@acme.example>\r\nTo: anna@example.org\r\nSubject: Your request\r\n"
				    "Date: Sun, 22 Nov 2026 08:15:30 +0000\r\nMessage-ID: <0123@acme.example>\r\nAuto-Submitted: auto-generated\r\n"
				    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nHello\r\n");
}

static void header_texts_are_encoded_words(void **state)
{
	struct mail m = plain;
	m.from_name = "Acme \"GmbH\" & Söhne";
	m.subject = "Ihre Anfrage über Ihre Daten\r\nBcc: eve@example.org, und noch viel mehr, damit es länger als eine Zeile wird";
	auto_buf b;
	buf_init(&b, MIB);
	mail_write(&m, &b);
	assert_non_null(strstr(b.data, "From: =?utf-8?B?QWNtZSAiR21iSCIgJiBTw7ZobmU=?=\r\n <privacy@acme.example>\r\n"));
	assert_non_null(strstr(b.data, "\r\nSubject: =?utf-8?B?"));
	assert_null(strstr(b.data, "Bcc"));
	for (const char *line = b.data; line != NULL && *line != '\0'; line = strstr(line, "\r\n") + 2)
		assert_true(strcspn(line, "\r") <= 76);
	m.subject = "=?utf-8?Q?not=20ours?="; /* what looks like a word is encoded, so that it is read as it was meant */
	buf_clear(&b);
	mail_write(&m, &b);
	assert_non_null(strstr(b.data, "Subject: =?utf-8?B?PT91dGYtOD9RP25vdD0yMG91cnM/PQ==?=\r\n"));
}

static void the_text_is_quoted_printable(void **state)
{
	struct mail m = plain;
	m.text = ".\nFrom here\nä = b \r\nend\t\rlast";
	auto_buf b;
	buf_init(&b, MIB);
	mail_write(&m, &b);
	assert_string_equal(strstr(b.data, "\r\n\r\n") + 4, "=2E\r\n=46rom here\r\n=C3=A4 =3D b=20\r\nend=09\r\nlast\r\n");
	char longer[200];
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	m.text = longer;
	buf_clear(&b);
	mail_write(&m, &b);
	const char *body = strstr(b.data, "\r\n\r\n") + 4;
	assert_int_equal(strcspn(body, "\r"), 76);
	assert_int_equal(body[75], '=');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_plain),
		cmocka_unit_test(a_plain_message_is_readable),
		cmocka_unit_test(header_texts_are_encoded_words),
		cmocka_unit_test(the_text_is_quoted_printable),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("mail", tests, scope_setup, scope_teardown);
}
