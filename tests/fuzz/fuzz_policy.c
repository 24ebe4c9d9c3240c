/* SPDX-License-Identifier: Apache-2.0
 * A policy that is accepted is satisfied by all of its witnesses and, unless it has no quorum, not by none; one more witness never makes it
 * worse. */
#include "fuzz.h"

#include "tlog/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct scope *s = fuzz_scope();
	struct policy *p = arena_alloc(s->arena, sizeof *p);
	bool signed_[POLICY_ITEMS_MAX] = {false}, was;
	enum err e = policy_parse(s, (const char *)bytes, n, p);
	if (e != OK) {
		fuzz_refused(s, e);
		return 0;
	}
	check(p->n <= POLICY_ITEMS_MAX && p->quorum < (int)p->n);
	was = policy_satisfied(p, signed_);
	check(was == (p->quorum < 0));
	for (unsigned i = 0; i < p->n; i++) {
		signed_[i] = true;
		check(policy_satisfied(p, signed_) >= was);
		was = policy_satisfied(p, signed_);
	}
	check(was);
	return 0;
}
