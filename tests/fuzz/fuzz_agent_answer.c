/* SPDX-License-Identifier: Apache-2.0
 * What a broken server answers, and what a damaged disk holds, the agent refuses whole or understands whole: the answer of a check-in, a
 * record of its journal, its configuration, an address. */
#include "agent_place.h"
#include "fuzz.h"

#include "channel.h"
#include "config.h"
#include "journal.h"
#include "sync.h"

#define DEVICE "0b020000-0000-7000-8000-000000000002"

static void answer(struct agent *a, json_t *j)
{
	struct checkin c;
	struct id id;
	enum err e = checkin_read(a, DEVICE, j, &c);
	if (e != OK) {
		fuzz_refused(a->scope, e);
		return;
	}
	check(c.sync_seconds >= 10 && c.sync_seconds <= 7 * 86400 && json_is_array(c.actions) && c.n_items <= 1000);
	for (size_t i = 0; i < c.n_items; i++) {
		check(id_parse(c.items[i].id, &id) && c.items[i].kind != NULL && json_is_object(c.items[i].payload));
		for (size_t k = 0; k < i; k++)
			check(strcmp(c.items[k].id, c.items[i].id) != 0);
	}
}

static char *written(struct scope *s, const struct journal *j)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, LIMIT_RESPONSE_BYTES);
	jw_init(&w, &out);
	journal_write(j, &w);
	check(!out.failed);
	return arena_strndup(s->arena, out.data, out.len);
}

static void record(struct scope *s, const json_t *o)
{
	struct journal j, again;
	auto_json *back = NULL;
	s->detail = NULL;
	enum err e = journal_read(s, o, &j);
	if (e != OK) {
		fuzz_refused(s, e);
		return;
	}
	for (size_t i = 0; i < j.n_files; i++) {
		const char *p = j.files[i].path;
		check(*p != '/' && strncmp(p, "../", 3) != 0 && strstr(p, "/../") == NULL);
		check(!j.files[i].existed || strlen(j.files[i].original) == 64);
	}
	const char *once = written(s, &j);
	check(json_read(s, once, strlen(once), &back) == OK && journal_read(s, back, &again) == OK);
	check(strcmp(written(s, &again), once) == 0);
}

static void configuration(struct scope *s, const char *text)
{
	struct config c;
	s->detail = NULL;
	enum err e = config_parse(s, text, &c);
	check(e == OK || (e == ERR_CONFIG && s->detail != NULL));
	check(e != OK || c.wipe_command == NULL || c.wipe_command[0] == '/');
}

static void address(struct agent *a, const char *text)
{
	const char *url;
	a->scope->detail = NULL;
	if (channel_url(a, text, &url) == OK)
		check(strncmp(url, "https://", 8) == 0 && strpbrk(url + 8, "/?#@ ") == NULL);
	for (const char *p = channel_clean(a, text); *p != '\0'; p++)
		check((unsigned char)*p >= ' ' && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	auto_json *j = NULL;
	if (n > 64 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	struct agent *a = fuzz_agent(s);
	const char *text = arena_strndup(s->arena, (const char *)bytes, n);
	configuration(s, text);
	address(a, text);
	s->detail = NULL;
	if (json_read(s, (const char *)bytes, n, &j) != OK)
		return 0;
	answer(a, j);
	record(s, j);
	return 0;
}
