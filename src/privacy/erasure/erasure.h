/* SPDX-License-Identifier: Apache-2.0
 *
 * Carrying duties out: from a promise that is due to a signed certificate.  docs/operating/erasure.md tells it to
 * operators.
 *
 *   scheduled   a soft-deleted user's day 30, a closed tenant's purge: becomes received when it is due
 *   received    due: tokens die, suppression entries are written, devices get what they still owe      -> suppressed
 *   suppressed  plan counted and frozen, needles sealed in the keeper, ledger entry on disk            -> deleting
 *   deleting    rows go in short batches, by the data map; then every mapped table is asked again      -> deleted
 *   deleted     the store is scrubbed and scanned for the needles, once for all duties that wait here  -> scrubbed,
 *               with the certificate
 *
 * One step is one short closure (or one scrub).  Where a duty is stands in its row and in the keeper, so a crash
 * between any two steps costs nothing: the next run goes on.  A step that cannot succeed moves the duty to `failed`,
 * loudly: a person looks, and retries by hand; a server's start retries once by itself.
 *
 * scrubbed is the last state in this version: Reeve makes no backups yet, so there is no copy that could go later, and
 * the certificate says so.
 */
#ifndef REEVE_PRIVACY_ERASURE_H
#define REEVE_PRIVACY_ERASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"

#define SUPPRESSION_US (45 * DAY_US) /* how long an erased object cannot come back by a late report */
enum { ERASE_BATCH = 200 };	     /* rows of one closure */

/* Some steps of all duties that are due, in the system's scope.  *ret_more: call again at once. */
MUST_CHECK enum err erasure_run_due(struct scope *s, const char *data_dir, const char *host, bool *ret_more);
/* The same, at most `steps` steps (tests stop it between any two). */
MUST_CHECK enum err erasure_run_steps(struct scope *s, const char *data_dir, const char *host, unsigned steps,
				      bool *ret_more);

/* A failed duty once more, in its tenant's scope.  ERR_NOT_FOUND; ERR_CONFLICT where it has not failed. */
MUST_CHECK enum err erasure_retry(struct scope *s, struct id duty);

/* What erasing the person would do now: per table how many rows would go, change and stay, and why; into an open
 * object.  Changes nothing. */
MUST_CHECK enum err erasure_preview(struct scope *s, struct id user, struct json_writer *w);

#endif
