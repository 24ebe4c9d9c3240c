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
 *   scrubbed    the last key that could open a copy is destroyed (at once where there are no backups)  -> copies_gone,
 *               with the second certificate
 *
 * One step is one short closure (or one scrub).  Where a duty is stands in its row and in the keeper, so a crash
 * between any two steps costs nothing: the next run goes on.  A step that cannot succeed moves the duty to `failed`,
 * loudly: a person looks, and retries by hand; a server's start retries once by itself.
 *
 * Before deleting it may wait (wait.c, burst.c), and in its undo window or while a burst waits it may be cancelled.
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
#include "privacy/subject.h"

enum { ERASE_BATCH = 200 }; /* rows of one closure */

/* Some steps of all duties that are due, in the system's scope.  *ret_more: call again at once. */
MUST_CHECK enum err erasure_run_due(struct scope *s, const char *data_dir, const char *host, bool *ret_more);
/* The same, at most `steps` steps (tests stop it between any two). */
MUST_CHECK enum err erasure_run_steps(struct scope *s, const char *data_dir, const char *host, unsigned steps,
				      bool *ret_more);

/* Scrubbed duties whose last copy is gone: second certificate, copies_gone.  In the system's scope; *ret_more: call again at once. */
MUST_CHECK enum err erasure_copies_due(struct scope *s, const char *host, bool *ret_more);

/* Tells the devices of tenants that are closing to retire, once the time has come; in the system's scope. */
MUST_CHECK enum err erasure_retire_devices(struct scope *s, bool *ret_more);

/* A failed duty once more, in its tenant's scope.  ERR_NOT_FOUND; ERR_CONFLICT where it has not failed. */
MUST_CHECK enum err erasure_retry(struct scope *s, struct id duty);

/* A second person lets an erasure go on that a burst stopped, or that may still be undone.  ERR_FORBIDDEN: it is who asked; ERR_CONFLICT: it waits
 * for nobody's word. */
MUST_CHECK enum err erasure_confirm(struct scope *s, struct id duty);
/* All that the source (an application) asked for and a burst stopped.  ERR_NOT_FOUND: there is none. */
MUST_CHECK enum err erasure_confirm_burst(struct scope *s, struct id source, size_t *ret_n);
/* Before the end of the undo window, or while a burst waits: the person is a deleted user again, as before.  ERR_CONFLICT. */
MUST_CHECK enum err erasure_cancel(struct scope *s, struct id duty);

/* What erasing the person, forgetting the device, or closing the scope's tenant (subject: its id) would do now: per table how many rows would go,
 * change and stay, and why; into an open object.  Changes nothing.  ERR_NOT_FOUND. */
MUST_CHECK enum err erasure_preview(struct scope *s, enum subject_type type, struct id subject, struct json_writer *w);

#endif
