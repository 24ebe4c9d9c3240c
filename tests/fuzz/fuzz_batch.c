/* SPDX-License-Identifier: Apache-2.0
 * Any body of a $batch is refused with a reason, or becomes at most 20 steps with ids of their own in an order in which each comes behind
 * those that it depends on; a step that becomes a request has a target below the version and no credentials of its own. */
#include "fuzz.h"

#include <strings.h>

#include "api/batch.h"
#include "codec/json.h"

static void ordered(const struct batch *b)
{
	bool seen[BATCH_STEPS_MAX] = {false};
	for (size_t i = 0; i < b->n; i++) {
		check(b->order[i] < b->n && !seen[b->order[i]]);
		const struct batch_step *step = &b->step[b->order[i]];
		for (size_t k = 0; k < step->after_count; k++)
			check(seen[step->after[k]]);
		seen[b->order[i]] = true;
	}
}

static void one(struct scope *s, const struct batch_step *step)
{
	struct http_request outer = {.method = "POST", .path = "/v1.0/$batch", .query = "", .body = "", .arena = s->arena}, in;
	const char *reason = NULL;
	auto_buf body;
	buf_init(&body, 256 * KIB);
	check(step->id[0] != '\0' && step->method[0] != '\0' && strncmp(step->target, "/v1.0/", 6) == 0);
	s->detail = NULL;
	enum err e = batch_body(s, step, &body);
	if (e != OK)
		fuzz_refused(s, e);
	if (!http_inner(&outer, step->method, step->target, step->fields, step->field_count, &in, &reason)) {
		check(reason != NULL);
		return;
	}
	check(strncmp(in.path, "/v1.0/", 6) == 0 && strchr(in.path, '?') == NULL);
	check(http_header(&in, "Authorization") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct batch b;
	auto_json *body = NULL;
	if (n > 256 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	if (json_read(s, (const char *)bytes, n, &body) != OK)
		return 0;
	s->detail = NULL;
	enum err e = batch_parse(s, body, "v1.0", &b);
	if (e != OK) {
		fuzz_refused(s, e);
		return 0;
	}
	check(b.n >= 1 && b.n <= BATCH_STEPS_MAX);
	ordered(&b);
	for (size_t i = 0; i < b.n; i++)
		one(s, &b.step[i]);
	return 0;
}
