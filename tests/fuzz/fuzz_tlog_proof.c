/* SPDX-License-Identifier: Apache-2.0
 * A tlog-proof that is accepted is, written again, the same bytes; checking it never goes past its hashes. */
#include "fuzz.h"

#include "tlog/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct scope *s = fuzz_scope();
	struct tlog_proof p;
	static const uint8_t leaf[SHA256_BYTES] = {1}, root[SHA256_BYTES] = {2};
	if (n > TLOG_PROOF_BYTES_MAX + KIB)
		return 0;
	enum err e = tlog_proof_parse(s, (const char *)bytes, n, &p);
	if (e != OK) {
		fuzz_refused(s, e);
		return 0;
	}
	const char *again = tlog_proof_write(s->arena, &p);
	check(strlen(again) == n && memcmp(again, bytes, n) == 0);
	for (uint64_t size = p.index + 1; size != 0 && size <= p.index + 3; size++) {
		check(!merkle_check_inclusion(p.index, size, leaf, &p.inclusion, root));
		check(!merkle_check_consistency(p.index, leaf, size, root, &p.inclusion));
	}
	return 0;
}
