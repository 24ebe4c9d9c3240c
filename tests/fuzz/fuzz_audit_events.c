/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as the events of a log's first bundle, under the commitments that its lines open: a verdict, and one that says why. */
#include <stdio.h>

#include "fuzz.h"

#include "audit/log/verify.h"

static uint8_t commitments[256][SHA256_BYTES];

/* So that what stands behind the commitment is read too. */
static void commit_lines(struct arena *a, const char *text, size_t n)
{
	memset(commitments, 0, sizeof commitments);
	for (const char *p = text, *end = text + n, *eol; p < end && (eol = memchr(p, '\n', (size_t)(end - p))) != NULL; p = eol + 1) {
		struct audit_line l;
		if (audit_line_read(a, p, (size_t)(eol - p), &l) && l.index < 256) {
			check(l.event > p && l.event + l.n < eol && l.event[0] == '{');
			audit_commitment(l.event, l.n, l.salt, commitments[l.index]);
		}
	}
}

static void one(const char *text, size_t n, unsigned width, bool excerpt)
{
	struct scope *s = fuzz_scope();
	struct audit_verify v = {.tenant = "01999999-9999-7999-8999-999999999999", .now = s->now, .until = INT64_MAX, .copy = excerpt};
	if (excerpt) {
		v.from = 1;
		v.until = s->now;
	}
	enum err e = audit_verify_bundle(&v, s, 0, (const void *)commitments, width, text, n);
	if (e == OK) {
		check(v.next == width && v.events + v.removed == width);
		e = audit_verify_end(&v, s);
	}
	check((e == ERR_CONFLICT) == (v.fault != AUDIT_SOUND) || e == ERR_BAD_REQUEST || e == ERR_LIMIT);
	if (v.fault != AUDIT_SOUND)
		check(v.bad_index <= width && v.why != NULL); /* width: junk behind the last */
	if (e != OK)
		fuzz_refused(s, e);
	(void)audit_verify_removed(&v, 7);
	audit_verify_release(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n > 64 * KIB)
		return 0;
	commit_lines(fuzz_scope()->arena, (const char *)bytes, n);
	one((const char *)bytes, n, 256, false);
	one((const char *)bytes, n, 3, true);
	return 0;
}
