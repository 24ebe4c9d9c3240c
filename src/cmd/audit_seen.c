/* SPDX-License-Identifier: Apache-2.0
 * What a verifier remembers. */
#include "cmd/audit_seen.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "cmd/settings.h"
#include "crypto/newfile.h"

static const char TITLE[] = "# Heads of audit logs that were found good (reeve audit verify): origin, size, root, key, when\n";

char *seen_default_file(struct arena *a)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	if (state != NULL && *state == '/')
		return arena_printf(a, "%s/reeve/heads", state);
	return home != NULL && *home == '/' ? arena_printf(a, "%s/.local/state/reeve/heads", home) : NULL;
}

static bool parse_size(const char *text, uint64_t *ret)
{
	char *end;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0;
}

/* One line, which is changed: five words. */
static bool parse_line(struct arena *a, char *line, struct seen_head *h)
{
	char *word[5], *save = NULL;
	for (int i = 0; i < 5; i++)
		if ((word[i] = strtok_r(i == 0 ? line : NULL, " ", &save)) == NULL)
			return false;
	void *root;
	size_t n;
	h->origin = word[0];
	h->vkey = word[3];
	if (strtok_r(NULL, " ", &save) != NULL || !parse_size(word[1], &h->size) || !time_parse(word[4], &h->at))
		return false;
	if (!base64_decode(a, word[2], strlen(word[2]), &root, &n) || n != SHA256_BYTES)
		return false;
	memcpy(h->root, root, n);
	return true;
}

enum err seen_parse(struct scope *s, const char *file, const char *text, struct seen *ret)
{
	size_t lines = 1;
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	*ret = (struct seen){.file = file, .head = arena_alloc(s->arena, lines * sizeof *ret->head)};
	char *copy = arena_strdup(s->arena, text), *save = NULL;
	for (char *line = strtok_r(copy, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		char *shown = arena_strndup(s->arena, line, strnlen(line, 80));
		if (!parse_line(s->arena, line, &ret->head[ret->n]))
			return scope_fail(s, ERR_CONFIG, "%s: not a line of origin, size, root, key and time: '%s'", file, shown);
		ret->n++;
	}
	return OK;
}

enum err seen_load(struct scope *s, const char *file, struct seen *ret)
{
	char *text, *detail;
	*ret = (struct seen){.file = file};
	if (file == NULL)
		return OK;
	enum err e = file_read(s->arena, file, SEEN_BYTES_MAX, &text, &detail);
	if (e == ERR_NOT_FOUND)
		return OK;
	return e == OK ? seen_parse(s, file, text, ret) : scope_fail(s, e, "%s", detail);
}

const struct seen_head *seen_find(const struct seen *seen, const char *origin)
{
	for (size_t i = 0; i < seen->n; i++)
		if (strcmp(seen->head[i].origin, origin) == 0)
			return &seen->head[i];
	return NULL;
}

/* Without the ".<generation>" that may follow the tenant's id. */
static size_t base_length(const char *origin)
{
	const char *slash = strrchr(origin, '/'), *name = slash != NULL ? slash : origin, *dot = strchr(name, '.');
	return slash != NULL && dot != NULL ? (size_t)(dot - origin) : strlen(origin);
}

static unsigned long long generation(const char *origin)
{
	const char *dot = origin + base_length(origin);
	return *dot == '.' ? strtoull(dot + 1, NULL, 10) : 1;
}

static bool same_log(const char *a, const char *b)
{
	size_t n = base_length(a);
	return base_length(b) == n && strncmp(a, b, n) == 0;
}

const struct seen_head *seen_sibling(const struct seen *seen, const char *origin)
{
	const struct seen_head *found = NULL;
	for (size_t i = 0; i < seen->n; i++)
		if (same_log(seen->head[i].origin, origin) && strcmp(seen->head[i].origin, origin) != 0)
			found = &seen->head[i];
	return found;
}

const struct seen_head *seen_later(const struct seen *seen, const char *origin)
{
	for (size_t i = 0; i < seen->n; i++)
		if (same_log(seen->head[i].origin, origin) && generation(seen->head[i].origin) > generation(origin))
			return &seen->head[i];
	return NULL;
}

static void add_line(struct scope *s, struct buf *out, const struct seen_head *h)
{
	char when[TIME_TEXT];
	buf_printf(out, "%s %" PRIu64 " %s %s %s\n", h->origin, h->size, base64_encode(s->arena, h->root, SHA256_BYTES), h->vkey,
		   time_format(h->at, when));
}

/* Makes the folders of the file, those that are missing. */
static void make_folders(struct scope *s, const char *file)
{
	char *path = arena_strdup(s->arena, file);
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700); /* what cannot be made is seen when the file cannot */
		*slash = '/';
	}
}

enum err seen_store(struct scope *s, const char *file, const struct seen_head *head)
{
	struct seen seen;
	auto_buf out;
	buf_init(&out, SEEN_BYTES_MAX);
	TRY(seen_load(s, file, &seen));
	buf_adds(&out, TITLE);
	for (size_t i = 0; i < seen.n; i++)
		if (strcmp(seen.head[i].origin, head->origin) != 0)
			add_line(s, &out, &seen.head[i]);
	add_line(s, &out, head);
	if (out.failed)
		return scope_fail(s, ERR_LIMIT, "%s: too many logs were seen", file);
	make_folders(s, file);
	enum err e = newfile_put(AT_FDCWD, file, out.data, out.len);
	return e == OK ? OK : scope_fail(s, e, "%s cannot be written", file);
}
