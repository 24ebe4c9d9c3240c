/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/export_verify.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cmd/cmd.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "privacy/export/check.h"
#include "tlog/note.h"

static const char HELP[] =
	"usage: reeve export verify FILE [--key KEY] [--json]\n\n"
	"Checks a bundle of a person's data offline: the signature of its manifest, every file's size, SHA-256 and rows, and that nothing is missing\n"
	"and nothing was added.\n\n"
	"  --key KEY   the issuer's key from a place that you trust, as base64 or as a verifier key (name+id+key); without it the bundle's own key\n"
	"              is used: that shows that the bundle is whole, not who made it\n"
	"  --json      the result as one JSON object\n";

#define NAME "export verify"

/* NULL: neither. */
static const uint8_t *read_key(struct scope *s, const char *text)
{
	struct note_key key;
	void *p;
	size_t n;
	if (base64_decode(s->arena, text, strlen(text), &p, &n) && n == ED25519_KEY_BYTES)
		return p;
	if (note_key_parse(s, text, &key) != OK || key.type != NOTE_ED25519)
		return NULL;
	return arena_memdup(s->arena, key.public_key, sizeof key.public_key);
}

static void print_json(const struct export_summary *x, bool compared)
{
	struct json_writer w;
	auto_buf out;
	buf_init(&out, MIB);
	jw_init(&w, &out);
	jw_object(&w);
	jw_kbool(&w, "verified", true);
	jw_kstring(&w, "operationId", x->operation);
	jw_kstring(&w, "organisation", x->organisation);
	jw_kstring(&w, "host", x->host);
	jw_kstring(&w, "userPrincipalName", x->subject);
	jw_kstring(&w, "variant", x->variant);
	jw_kstring(&w, "cutOffDateTime", x->cut_off);
	jw_kint(&w, "files", (int64_t)x->files);
	jw_kint(&w, "sections", (int64_t)x->sections);
	jw_kint(&w, "rows", x->rows);
	jw_kint(&w, "omitted", x->omitted);
	jw_kstring(&w, "keyId", x->key_id);
	jw_kstring(&w, "publicKey", x->public_key);
	jw_kbool(&w, "keyCompared", compared);
	jw_end_object(&w);
	if (!out.failed)
		printf("%s\n", out.data);
}

/* What is printed for people comes from a stranger's file. */
static void line(const char *name, const char *value)
{
	printf("%-13s", name);
	for (const char *p = value; *p != '\0'; p++)
		putchar((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
	putchar('\n');
}

static void print_text(const struct export_summary *x, bool compared)
{
	line("operation", x->operation);
	line("issuer", x->organisation);
	line("host", x->host);
	line("about", x->subject);
	line("variant", x->variant);
	line("cut-off", x->cut_off);
	printf("%-13s%zu, %lld rows in %zu sections; %lld things left out are listed\n", "files", x->files, (long long)x->rows, x->sections,
	       (long long)x->omitted);
	printf("%-13s%s %s%s\n", "key", x->key_id, x->public_key,
	       compared ? " (the given one)" : " (the bundle's own: compare it with one that you trust)");
	printf("%-13syes\n", "verified");
}

static int verify(struct scope *s, const char *file, const char *key_text, bool json)
{
	struct export_summary x;
	const uint8_t *key = key_text == NULL ? NULL : read_key(s, key_text);
	if (key_text != NULL && key == NULL)
		return cmd_fail(NAME, ERR_USAGE, "--key is neither the base64 of a 32-byte key nor a verifier key");
	enum err e = export_check_file(s, file, key, &x);
	if (e != OK)
		return cmd_fail(NAME, e, "%s: %s", file, scope_detail(s, e));
	if (json)
		print_json(&x, key != NULL);
	else
		print_text(&x, key != NULL);
	return 0;
}

int cmd_export_verify(int argc, char **argv)
{
	struct scope s;
	if (cmd_wants_help(argc, argv, HELP))
		return 0;
	bool json = option_take_flag(&argc, argv, "--json");
	const char *key = option_take(&argc, argv, "--key");
	if (argc != 2 || argv[1][0] == '-')
		return cmd_fail(NAME, ERR_USAGE, "usage: reeve export verify FILE [--key KEY] [--json]");
	scope_system(&s, arena_new(LIMIT_ARENA_BYTES), NULL, NULL);
	int code = verify(&s, argv[1], key, json);
	arena_free(s.arena);
	return code;
}
