/* SPDX-License-Identifier: Apache-2.0
 * The text of a proof. */
#include "tlog/proof.h"

#include <inttypes.h>
#include <string.h>

#include "codec/base64.h"

static const char first_line[] = "c2sp.org/tlog-proof@v1";

char *tlog_proof_write(struct arena *a, const struct tlog_proof *p)
{
	auto_buf out;
	buf_init(&out, TLOG_PROOF_BYTES_MAX + strlen(p->checkpoint));
	buf_printf(&out, "%s\n", first_line);
	if (p->extra != NULL)
		buf_printf(&out, "extra %s\n", base64_encode(a, p->extra, p->extra_n));
	buf_printf(&out, "index %" PRIu64 "\n", p->index);
	for (unsigned i = 0; i < p->inclusion.n; i++) {
		base64_add(&out, p->inclusion.hash[i], SHA256_BYTES);
		buf_addc(&out, '\n');
	}
	buf_addc(&out, '\n');
	buf_adds(&out, p->checkpoint);
	check(!out.failed);
	return arena_strndup(a, out.data, out.len);
}

static enum err bad_line(struct scope *s, unsigned line, const char *want)
{
	return scope_fail(s, ERR_BAD_REQUEST, "not a tlog-proof: line %u is not %s", line, want);
}

/* The next line without its newline, or NULL: what is left has none. */
static char *next_line(char **rest, unsigned *line)
{
	++*line;
	return strchr(*rest, '\n') != NULL ? strsep(rest, "\n") : NULL;
}

static bool read_index(const char *text, uint64_t *ret)
{
	static const char word[] = "index ";
	if (strncmp(text, word, sizeof word - 1) != 0)
		return false;
	text += sizeof word - 1;
	size_t n = strlen(text);
	*ret = 0;
	if (n == 0 || n > 19 || strspn(text, "0123456789") != n || (n > 1 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++)
		*ret = *ret * 10 + (uint64_t)(text[i] - '0');
	return *ret <= INT64_MAX;
}

static enum err read_extra(struct scope *s, unsigned line, const char *text, struct tlog_proof *ret)
{
	void *p;
	if (!base64_decode(s->arena, text, strlen(text), &p, &ret->extra_n) || ret->extra_n > TLOG_PROOF_EXTRA_MAX)
		return bad_line(s, line, "base64 of at most 1024 bytes");
	ret->extra = p;
	return OK;
}

static enum err read_hashes(struct scope *s, unsigned *line, char **rest, struct merkle_proof *ret)
{
	char *text;
	for (ret->n = 0; (text = next_line(rest, line)) != NULL && *text != '\0'; ret->n++) {
		size_t n;
		void *hash;
		if (ret->n == MERKLE_PROOF_MAX || !base64_decode(s->arena, text, strlen(text), &hash, &n) || n != SHA256_BYTES)
			return bad_line(s, *line, "one of at most 63 hashes, or empty");
		memcpy(ret->hash[ret->n], hash, SHA256_BYTES);
	}
	return text != NULL ? OK : bad_line(s, *line, "a hash, or empty before the checkpoint");
}

enum err tlog_proof_parse(struct scope *s, const char *text, size_t len, struct tlog_proof *ret)
{
	unsigned line = 0;
	memset(ret, 0, sizeof *ret);
	if (len > TLOG_PROOF_BYTES_MAX || memchr(text, '\0', len) != NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "not a tlog-proof: it is no text, or larger than 128 KiB");
	char *rest = arena_strndup(s->arena, text, len), *at = next_line(&rest, &line);
	if (at == NULL || strcmp(at, first_line) != 0)
		return bad_line(s, line, first_line);
	at = next_line(&rest, &line);
	if (at != NULL && strncmp(at, "extra ", 6) == 0) {
		TRY(read_extra(s, line, at + 6, ret));
		at = next_line(&rest, &line);
	}
	if (at == NULL || !read_index(at, &ret->index))
		return bad_line(s, line, "\"index\" and a number");
	TRY(read_hashes(s, &line, &rest, &ret->inclusion));
	if (*rest == '\0')
		return bad_line(s, line + 1, "the beginning of a checkpoint");
	ret->checkpoint = rest;
	return OK;
}
