/* SPDX-License-Identifier: Apache-2.0
 * Signed notes, checkpoints and verifier keys, as anybody may send them.  Input: a verifier key, a line; then the note, or the text of a
 * checkpoint.  What is accepted is what was there: the text is the note's beginning, a signature line one of its lines. */
#include "fuzz.h"

#include <inttypes.h>

#include "codec/base64.h"
#include "tlog/note.h"

static void key(struct scope *s, const char *vkey, struct note_key *ret)
{
	enum err e = note_key_parse(s, vkey, ret);
	if (e != OK) {
		fuzz_refused(s, e);
		s->detail = NULL;
		/* The key of the vectors, whose private part is 00 to 1f. */
		check(note_key_parse(s, "example.com/audit+29b87bfc+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4", ret) == OK);
	} else if (ret->type == NOTE_ED25519) {
		const char *again = note_vkey(s->arena, ret->name, ret->public_key);
		check(strncmp(again, vkey, strlen(again)) == 0);
	}
}

static void checkpoint(struct scope *s, const char *text)
{
	struct checkpoint c;
	enum err e = checkpoint_parse(s, text, &c);
	if (e != OK) {
		fuzz_refused(s, e);
		return;
	}
	const char *head = arena_printf(s->arena, "%s\n%" PRIu64 "\n%s\n", c.origin, c.size, base64_encode(s->arena, c.root, sizeof c.root));
	check(strncmp(head, text, strlen(head)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *p = (const char *)bytes, *end = n > 0 ? memchr(bytes, '\n', n) : NULL;
	struct scope *s = fuzz_scope();
	struct note_key keys[2];
	struct note_seen seen[2];
	char *text;
	if (n > NOTE_BYTES_MAX + KIB || end == NULL)
		return 0;
	key(s, arena_strndup(s->arena, p, (size_t)(end - p)), &keys[0]);
	keys[1] = keys[0]; /* one key twice hears the same */
	size_t len = n - (size_t)(++end - p);
	enum err e = note_open(s, end, len, keys, 2, &text, seen);
	if (e != OK) {
		fuzz_refused(s, e);
		s->detail = NULL;
		text = arena_strndup(s->arena, end, len);
	} else {
		check(strlen(text) < len && strncmp(text, end, strlen(text)) == 0 && text[strlen(text) - 1] == '\n');
		check(seen[0].signed_ == seen[1].signed_ && seen[0].time == seen[1].time);
		check(!seen[0].signed_ || strstr(arena_strndup(s->arena, end, len), seen[0].line) != NULL);
	}
	checkpoint(s, text);
	return 0;
}
