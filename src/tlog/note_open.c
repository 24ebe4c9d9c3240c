/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading signed notes.  A note is looked at as a whole before any signature counts, so that nobody can hide a line in it that another
 * reader would see.
 */
#include <inttypes.h>
#include <string.h>

#include "base/id.h"
#include "codec/base64.h"
#include "codec/utf8.h"
#include "tlog/note.h"

enum { TIME_BYTES = 8 };

static const char dash[] = "\xe2\x80\x94 "; /* U+2014 and a space: what a signature line begins with */

/* Unicode's White_Space above ASCII; names may hold none. */
static bool has_space(const char *name)
{
	static const char *const spaces[] = {"\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f",
					     "\xe3\x80\x80"};
	for (const char *p = name; (p = strstr(p, "\xe2\x80")) != NULL; p++)
		if ((uint8_t)p[2] >= 0x80 && (uint8_t)p[2] <= 0x8a) /* U+2000 to U+200A */
			return true;
	for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
		if (strstr(name, spaces[i]) != NULL)
			return true;
	return strpbrk(name, " \t\n\v\f\r") != NULL;
}

static bool name_readable(const char *name)
{
	return name[0] != '\0' && strlen(name) <= NOTE_NAME_MAX && utf8_valid(name, strlen(name)) && !has_space(name) && strchr(name, '+') == NULL;
}

enum err note_key_parse(struct scope *s, const char *vkey, struct note_key *ret)
{
	size_t len = strnlen(vkey, 2 * NOTE_NAME_MAX);
	char *name = arena_strndup(s->arena, vkey, len), *id, *key = name;
	uint8_t *bytes, want[NOTE_KEY_ID_BYTES];
	size_t n;
	void *p;
	if (len > 0 && name[len - 1] == '\n')
		name[len - 1] = '\0';
	strsep(&key, "+");
	id = strsep(&key, "+");
	if (key == NULL || !name_readable(name) || strlen(id) != 2 * NOTE_KEY_ID_BYTES || strspn(id, "0123456789abcdef") != strlen(id) ||
	    !hex_decode(id, NOTE_KEY_ID_BYTES, ret->id) || !base64_decode(s->arena, key, strlen(key), &p, &n) || n == 0)
		return scope_fail(s, ERR_BAD_REQUEST, "a verifier key must look like <name>+<8 hex digits>+<base64>");
	bytes = p;
	if (bytes[0] != NOTE_ED25519 && bytes[0] != NOTE_COSIGNATURE)
		return scope_fail(s, ERR_BAD_REQUEST, "the verifier key is of type 0x%02x; only Ed25519 (0x01) and its cosignatures (0x04) are known",
				  bytes[0]);
	if (n != 1 + ED25519_KEY_BYTES)
		return scope_fail(s, ERR_BAD_REQUEST, "an Ed25519 verifier key has %d bytes, not %zu", ED25519_KEY_BYTES, n - 1);
	note_key_id(name, bytes[0], bytes + 1, want);
	if (memcmp(want, ret->id, sizeof want) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "the verifier key's id is not that of its name and key");
	ret->name = name;
	ret->type = bytes[0];
	memcpy(ret->public_key, bytes + 1, ED25519_KEY_BYTES);
	return OK;
}

/* ---- the note ---- */

struct note_line {
	const char *whole, *name;
	const uint8_t *bytes; /* the key's id, then the signature */
	size_t n;
};

static enum err malformed(struct scope *s, const char *why)
{
	return scope_fail(s, ERR_BAD_REQUEST, "not a signed note: %s", why);
}

static enum err check_bytes(struct scope *s, const char *note, size_t len)
{
	if (len > NOTE_BYTES_MAX)
		return malformed(s, "it is larger than 64 KiB");
	if (!utf8_valid(note, len))
		return malformed(s, "it is not UTF-8");
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)note[i] < ' ' && note[i] != '\n')
			return malformed(s, "it holds a control character");
	return OK;
}

static enum err read_line(struct scope *s, char *line, struct note_line *ret)
{
	void *p;
	ret->whole = arena_strdup(s->arena, line);
	if (strncmp(line, dash, sizeof dash - 1) != 0)
		return malformed(s, "a line below the text is not a signature");
	line += sizeof dash - 1;
	ret->name = strsep(&line, " ");
	if (line == NULL || !name_readable(ret->name) || !base64_decode(s->arena, line, strlen(line), &p, &ret->n) || ret->n <= NOTE_KEY_ID_BYTES)
		return malformed(s, "a signature line is not a name and base64");
	ret->bytes = p;
	return OK;
}

static bool is_by(const struct note_line *line, const struct note_key *key)
{
	return strcmp(line->name, key->name) == 0 && memcmp(line->bytes, key->id, NOTE_KEY_ID_BYTES) == 0;
}

static bool verifies(struct scope *s, const struct note_line *line, const struct note_key *key, const char *text, uint64_t *ret_time)
{
	const uint8_t *p = line->bytes + NOTE_KEY_ID_BYTES;
	size_t n = line->n - NOTE_KEY_ID_BYTES;
	*ret_time = 0;
	if (key->type != NOTE_COSIGNATURE)
		return n == ED25519_SIGNATURE_BYTES && ed25519_verify(key->public_key, text, strlen(text), p);
	if (n != TIME_BYTES + ED25519_SIGNATURE_BYTES)
		return false;
	for (unsigned i = 0; i < TIME_BYTES; i++)
		*ret_time = *ret_time << 8 | p[i];
	char *said = arena_printf(s->arena, "cosignature/v1\ntime %" PRIu64 "\n%s", *ret_time, text);
	return *ret_time <= INT64_MAX && ed25519_verify(key->public_key, said, strlen(said), p + TIME_BYTES);
}

static enum err hear(struct scope *s, const struct note_line *line, const char *text, const struct note_key *keys, size_t n, struct note_seen *seen)
{
	uint64_t time;
	for (size_t i = 0; i < n; i++) {
		if (!is_by(line, &keys[i]))
			continue;
		if (!verifies(s, line, &keys[i], text, &time))
			return scope_fail(s, ERR_BAD_REQUEST, "the note's signature by %s does not verify", keys[i].name);
		if (!seen[i].signed_)
			seen[i] = (struct note_seen){.signed_ = true, .time = time, .line = line->whole};
	}
	return OK;
}

/* Where the blank line is that divides text and signatures: the last one.  NULL: there is none. */
static char *find_split(char *text, size_t len)
{
	for (size_t i = len; i-- > 1;)
		if (text[i] == '\n' && text[i - 1] == '\n')
			return text + i;
	return NULL;
}

enum err note_open(struct scope *s, const char *note, size_t len, const struct note_key *keys, size_t n, char **ret_text, struct note_seen *seen)
{
	unsigned lines = 0;
	if (n > 0)
		memset(seen, 0, n * sizeof *seen);
	TRY(check_bytes(s, note, len));
	char *text = arena_strndup(s->arena, note, len), *rest = find_split(text, len);
	if (rest == NULL)
		return malformed(s, "it has no blank line before its signatures");
	*rest++ = '\0';
	if (*rest == '\0' || text[len - 1] != '\n')
		return malformed(s, "it has no signatures, or does not end with a newline");
	text[len - 1] = '\0';
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		struct note_line l;
		if (++lines > NOTE_SIGNATURES_MAX)
			return malformed(s, "it has more than 100 signatures");
		TRY(read_line(s, line, &l));
		TRY(hear(s, &l, text, keys, n, seen));
	}
	*ret_text = text;
	return OK;
}

/* ---- checkpoints ---- */

static bool read_size(const char *text, uint64_t *ret)
{
	size_t n = strlen(text);
	*ret = 0;
	if (n == 0 || n > 19 || strspn(text, "0123456789") != n || (n > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++)
		*ret = *ret * 10 + (uint64_t)(text[i] - '0'); /* 19 digits fit */
	return *ret <= INT64_MAX;
}

enum err checkpoint_parse(struct scope *s, const char *text, struct checkpoint *ret)
{
	size_t n, len = strlen(text);
	void *root;
	if (len == 0 || text[len - 1] != '\n')
		return scope_fail(s, ERR_BAD_REQUEST, "not a checkpoint: it does not end with a newline");
	char *rest = arena_strndup(s->arena, text, len - 1);
	const char *origin = strsep(&rest, "\n"), *size = strsep(&rest, "\n"), *hash = strsep(&rest, "\n");
	if (origin[0] == '\0')
		return scope_fail(s, ERR_BAD_REQUEST, "not a checkpoint: it names no origin");
	if (size == NULL || !read_size(size, &ret->size))
		return scope_fail(s, ERR_BAD_REQUEST, "not a checkpoint: its second line is not a tree's size");
	if (hash == NULL || !base64_decode(s->arena, hash, strlen(hash), &root, &n) || n != SHA256_BYTES)
		return scope_fail(s, ERR_BAD_REQUEST, "not a checkpoint: its third line is not a hash");
	while (rest != NULL)
		if (strsep(&rest, "\n")[0] == '\0')
			return scope_fail(s, ERR_BAD_REQUEST, "not a checkpoint: it has an empty line");
	ret->origin = origin;
	memcpy(ret->root, root, SHA256_BYTES);
	return OK;
}
