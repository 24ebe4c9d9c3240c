/* SPDX-License-Identifier: Apache-2.0
 * reeve erase: its verbs, and `erase verify FILE`, which checks a certificate without any server. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "cmd/cmd.h"
#include "cmd/settings.h"
#include "cmd/verbs.h"
#include "codec/base64.h"
#include "privacy/erasure/certificate.h"

int cmd_erase(int argc, char **argv);

static const char MORE_HELP[] = "  verify        FILE [--key BASE64]: checks a certificate offline; --key: the issuer's public key from a place you trust\n";

static const uint8_t *read_key(struct arena *a, const char *text)
{
	void *key;
	size_t n;
	bool good = base64_decode(a, text, strlen(text), &key, &n) && n == ED25519_KEY_BYTES;
	return good ? key : NULL;
}

static int verify(struct scope *s, const char *file, const char *key_text)
{
	struct certificate_summary c;
	char *json, *detail;
	const uint8_t *key = key_text != NULL ? read_key(s->arena, key_text) : NULL;
	if (key_text != NULL && key == NULL)
		return cmd_fail("erase verify", ERR_USAGE, "--key is not the base64 of a 32-byte key");
	enum err err = file_read(s->arena, file, 16 * MIB, &json, &detail);
	if (err != OK)
		return cmd_fail("erase verify", err, "%s", detail);
	err = certificate_check_file(s, json, strlen(json), key, &c);
	if (err != OK)
		return cmd_fail("erase verify", err, "%s: %s", file, scope_detail(s, err));
	printf("certificate  %s\nduty         %s\nissuer       %s\n", c.id, c.duty, c.issuer);
	printf("trigger      %s (%s)\nissued       %s\ndeadline     %s\n", c.trigger, c.subject_type, c.issued,
	       c.deadline_met ? "met" : "not met");
	printf("key          %s%s\nverified     yes\n", c.public_key,
	       key == NULL ? " (the file's own: compare it with one that you trust)" : "");
	return 0;
}

int cmd_erase(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "verify") != 0 || cmd_wants_help(argc, argv, ""))
		return verbs_run(argc, argv, false, MORE_HELP);
	if (argc != 3 && !(argc == 5 && strcmp(argv[3], "--key") == 0))
		return cmd_fail("erase verify", ERR_USAGE, "usage: reeve erase verify FILE [--key BASE64]");
	struct scope s;
	scope_system(&s, arena_new(LIMIT_ARENA_BYTES), NULL, NULL);
	int code = verify(&s, argv[2], argc == 5 ? argv[4] : NULL);
	arena_free(s.arena);
	return code;
}
