/* SPDX-License-Identifier: Apache-2.0
 * A whole log with one of its files replaced.  Input: a number of entries below 1,000, a line; the path of a file, a line; its bytes.  The log is
 * accepted only where what is read is what was signed, and else a file is named. */
#include "fuzz.h"

#include "../unit/tlog/memlog.h"

static enum err entries(void *arg, struct scope *s, uint64_t index, const uint8_t (*commitments)[SHA256_BYTES], unsigned n)
{
	const struct memlog *m = arg;
	check(index + n <= m->size && memcmp(commitments, m->commitment[index], (size_t)n * SHA256_BYTES) == 0);
	return OK;
}

static struct memlog *logs(struct scope *s, uint64_t size)
{
	static struct memlog m;
	if (m.commitment == NULL || m.size != size) {
		if (m.commitment != NULL)
			memlog_free(&m);
		memlog_init(&m, s->arena, size);
	}
	memlog_sign(&m, s->arena);
	return &m;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct scope *s = fuzz_scope();
	struct log_report r;
	struct log_head before;
	const uint8_t *path = n > 0 ? memchr(bytes, '\n', n) : NULL, *content;
	if (n > 128 * KIB || path == NULL || (content = memchr(path + 1, '\n', n - (size_t)(path + 1 - bytes))) == NULL)
		return 0;
	size_t digits = path - bytes < 3 ? (size_t)(path - bytes) : 3;
	struct memlog *m = logs(s, (uint64_t)atoi(arena_strndup(s->arena, (const char *)bytes, digits)) % 1000);
	struct note_key key = memlog_key(m);
	struct log_source src = {.read = memlog_read, .arg = m, .entries = entries, .end_bundle = UINT64_MAX};
	m->path = arena_strndup(s->arena, (const char *)path + 1, (size_t)(content - path - 1));
	m->bytes = content + 1;
	m->len = n - (size_t)(content + 1 - bytes);
	before.size = m->size / 2;
	naive_root((const void *)m->hash[0], before.size, before.root);
	enum err e = log_check(s, &src, &key, 1, &before, &r);
	if (e != OK) {
		fuzz_refused(s, e);
		check(e == ERR_CONFLICT && r.bad_path != NULL && r.bad_end >= r.bad_index);
	} else {
		check(r.head.size == m->size && r.bundles == (m->size + TILE_WIDTH - 1) / TILE_WIDTH);
	}
	return 0;
}
