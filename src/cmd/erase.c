/* SPDX-License-Identifier: Apache-2.0
 * reeve erase: its verbs, and `erase verify FILE`, which checks a certificate without any server. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/settings.h"
#include "cmd/verbs.h"
#include "codec/base64.h"
#include "privacy/certificate/certificate.h"

int cmd_erase(int argc, char **argv);

static const char MORE_HELP[] =
	"  verify        FILE [--key BASE64] [--salt HEX --subject ID] [--page FILE.html]: checks a certificate offline\n"
	"                --key: the issuer's public key from a place you trust; --salt and --subject: whether it is about that id;\n"
	"                --page: writes it as a page for paper\n";

struct verify {
	struct scope *s;
	const char *file, *key, *salt, *subject, *page;
};

static const uint8_t *read_key(struct arena *a, const char *text)
{
	void *key;
	size_t n;
	bool good = base64_decode(a, text, strlen(text), &key, &n) && n == ED25519_KEY_BYTES;
	return good ? key : NULL;
}

/* Whether the reference is that of the given subject. */
static int check_subject(const struct verify *v, const struct certificate_summary *c)
{
	uint8_t salt[CERTIFICATE_SALT_BYTES], reference[SHA256_BYTES];
	struct id tenant, subject;
	if (!hex_decode(v->salt, sizeof salt, salt))
		return cmd_fail("erase verify", ERR_USAGE, "--salt is not 64 hexadecimal digits");
	if (!id_parse(v->subject, &subject) || !id_parse(c->tenant, &tenant))
		return cmd_fail("erase verify", ERR_USAGE, "--subject is not an id");
	certificate_reference(salt, tenant, subject, reference);
	if (!bytes_equal(reference, c->reference, sizeof reference))
		return cmd_fail("erase verify", ERR_CONFLICT, "%s: the certificate is not about %s", v->file, v->subject);
	printf("subject      %s\n", v->subject);
	return 0;
}

static int write_page(const struct verify *v, const char *json)
{
	auto_json *file = NULL;
	auto_buf page;
	buf_init(&page, CERTIFICATE_FILE_MAX);
	if (json_read(v->s, json, strlen(json), &file) != OK)
		return cmd_fail("erase verify", ERR_INTERNAL, "%s", scope_detail(v->s, ERR_INTERNAL));
	certificate_page(&page, file);
	FILE *out = page.failed ? NULL : fopen(v->page, "wx");
	bool good = out != NULL && fwrite(page.data, 1, page.len, out) == page.len;
	good = out != NULL && fclose(out) == 0 && good;
	return good ? 0 : cmd_fail("erase verify", ERR_IO, "%s cannot be written, or is there already", v->page);
}

static void show(const struct certificate_summary *c, bool trusted)
{
	bool copies = strcmp(c->kind, CERTIFICATE_COPIES) == 0;
	printf("certificate  %s (%s)\nduty         %s\nissuer       %s\n", c->id, copies ? "all copies gone" : "active data gone", c->duty, c->issuer);
	printf("trigger      %s (%s)\nissued       %s\ndeadline     %s\n", c->trigger, c->subject_type, c->issued, c->deadline_met ? "met" : "not met");
	if (c->in_log)
		printf("log          %s, index %" PRIu64 " of %" PRIu64 "\n", c->log, c->index, c->size);
	else
		printf("log          no proof in the file (taken within a second of its issue?)\n");
	printf("key          %s%s\n", c->public_key, trusted ? "" : " (the file's own: compare it with one that you trust)");
}

static int verify(const struct verify *v)
{
	struct certificate_summary c;
	char *json, *detail;
	const uint8_t *key = v->key != NULL ? read_key(v->s->arena, v->key) : NULL;
	if (v->key != NULL && key == NULL)
		return cmd_fail("erase verify", ERR_USAGE, "--key is not the base64 of a 32-byte key");
	enum err err = file_read(v->s->arena, v->file, CERTIFICATE_FILE_MAX, &json, &detail);
	if (err != OK)
		return cmd_fail("erase verify", err, "%s", detail);
	err = certificate_check_file(v->s, json, strlen(json), key, &c);
	if (err != OK)
		return cmd_fail("erase verify", err, "%s: %s", v->file, scope_detail(v->s, err));
	show(&c, key != NULL);
	int code = v->subject != NULL ? check_subject(v, &c) : 0;
	if (code == 0 && v->page != NULL)
		code = write_page(v, json);
	if (code == 0)
		puts("verified     yes");
	return code;
}

int cmd_erase(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "verify") != 0 || cmd_wants_help(argc, argv, ""))
		return verbs_run(argc, argv, false, MORE_HELP);
	struct verify v = {.key = option_take(&argc, argv, "--key"), .salt = option_take(&argc, argv, "--salt"),
			   .subject = option_take(&argc, argv, "--subject"), .page = option_take(&argc, argv, "--page")};
	if (argc != 3 || (v.salt != NULL) != (v.subject != NULL))
		return cmd_fail("erase verify", ERR_USAGE, "usage: reeve erase verify FILE [--key BASE64] [--salt HEX --subject ID] [--page FILE.html]");
	struct scope s;
	scope_system(&s, arena_new(LIMIT_ARENA_BYTES), NULL, NULL);
	v.s = &s;
	v.file = argv[2];
	int code = verify(&v);
	arena_free(s.arena);
	return code;
}
