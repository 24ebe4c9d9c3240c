/* SPDX-License-Identifier: Apache-2.0
 * What a witness answers is a cosignature of our own note by its key, a size, or a reason that fits into one line of the log.
 * Input: the status, the content type and the body, each of the first two ended by a newline. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "jobs/witness_call.h"

static const char NOTE[] = "reeve.example/log/x\n5\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n\n"
			   "— reeve.example/log/x 0rYxQ3+GPmoBqzGzEZbVSkltOuu/kcUImzLH01HIAIJokDjPT0zfsYKZ2SG/CVDvAknBsIEaB5Mjou/uFCmIi7G68Qk=\n";
static const char VKEY[] = "witness.example+20bc7f2b+BMhTrQ8M0rYZrqks7sT9VqJNZJnVhM55JX5Fz9gTm2Cn";

static void verify_line(struct scope *s, const struct policy_item *w, const char *line)
{
	char *text;
	struct note_seen seen = {0};
	const char *all = arena_printf(s->arena, "%s%s\n", NOTE, line);
	check(strchr(line, '\n') == NULL);
	check(note_open(s, all, strlen(all), &w->key, 1, &text, &seen) == OK && seen.signed_);
}

static void one_line(const char *why)
{
	check(strlen(why) < WITNESS_WHY_BYTES && why[0] != '\0');
	for (; *why != '\0'; why++)
		check(*why >= ' ' && *why < 0x7f && *why != '"');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct scope *s = fuzz_scope();
	struct policy_item w = {.kind = POLICY_WITNESS, .name = "w"};
	struct witness_answer a;
	if (n > WITNESS_ANSWER_BYTES_MAX)
		return 0;
	char *all = arena_strndup(s->arena, (const char *)bytes, n), *type = memchr(all, '\n', n);
	char *body = type == NULL ? NULL : memchr(type + 1, '\n', n - (size_t)(type + 1 - all));
	if (body == NULL)
		return 0;
	*type++ = *body++ = '\0';
	check(note_key_parse(s, VKEY, &w.key) == OK);
	witness_read(s, &w, NOTE, atoi(all), *type != '\0' ? type : NULL, body, n - (size_t)(body - all), &a);
	if (a.what == WITNESS_SIGNED)
		verify_line(s, &w, a.line);
	else if (a.what == WITNESS_ELSEWHERE)
		check(a.status == 409 && a.size <= INT64_MAX);
	else
		one_line(a.why);
	return 0;
}
