/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages of reeve-agent (docs/formats/linux-channel.md) to structs: pure, strict, bounded, fuzzed.  Unknown members,
 * wrong types, texts with control characters and lists past their limit are ERR_BAD_REQUEST with a detail that names
 * the member and never its value.
 *
 * Texts and lists of the result point into *doc or the arena; release *doc after the core call.
 */
#ifndef REEVE_CHANNELS_LINUX_DECODE_H
#define REEVE_CHANNELS_LINUX_DECODE_H

#include <stddef.h>

#include "base/err.h"
#include "base/scope.h"
#include "codec/json.h"
#include "devices/checkin.h"
#include "devices/enrolment.h"
#include "devices/report.h"

MUST_CHECK enum err linux_decode_token(struct scope *s, const char *bytes, size_t n, json_t **doc,
				       const char **ret_token);
MUST_CHECK enum err linux_decode_enroll(struct scope *s, const char *bytes, size_t n, json_t **doc,
					struct enrolment_request *ret);

struct linux_checkin {
	struct inventory inventory;
	bool has_inventory;
	struct item_report *items;
	size_t item_n;
};
MUST_CHECK enum err linux_decode_checkin(struct scope *s, const char *bytes, size_t n, json_t **doc,
					 struct linux_checkin *ret);

struct linux_report {
	struct action_report *results;
	struct item_report *items;
	size_t result_n, item_n;
};
MUST_CHECK enum err linux_decode_report(struct scope *s, const char *bytes, size_t n, json_t **doc,
					struct linux_report *ret);
MUST_CHECK enum err linux_decode_renew(struct scope *s, const char *bytes, size_t n, json_t **doc,
				       const char **ret_csr);
/* *ret_consents: 0, 1; -1: the person only asks. */
MUST_CHECK enum err linux_decode_ownership(struct scope *s, const char *bytes, size_t n, int *ret_consents);
/* {} or nothing. */
MUST_CHECK enum err linux_decode_empty(struct scope *s, const char *bytes, size_t n);

#endif
