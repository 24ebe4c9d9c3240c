/* SPDX-License-Identifier: Apache-2.0
 *
 * A restore brings nobody back.  The keeper's ledger says who was erased and is no part of any copy of the database; the database says how far
 * it has followed the ledger.  Where a server starts on a database that has not followed it to its end, each entry that is left is carried
 * out again by the ordinary engine, up to `deleted`, before anybody is answered; scrub, scan and certificate come right after.  A signed report
 * says what was found (docs/formats/restore-report.md, docs/operating/restore.md).
 */
#ifndef REEVE_PRIVACY_RESTORE_H
#define REEVE_PRIVACY_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "crypto/sign.h"
#include "db/db.h"

#define RESTORE_REPORT_FORMAT "reeve/restore-replay/v1"
#define RESTORE_REPORT_FILE_MAX (32 * 1024 * 1024)

/* ---- before the first answer ---- */

struct restore_run {
	struct scope *system;
	const char *data_dir, *host;
	/* Called between any two duties: false stops the replay with ERR_UNAVAILABLE (another server took it over).  NULL is allowed. */
	bool (*go_on)(void *arg);
	void *arg;
};

/* OK: everything that the ledger names is gone from this database.  ERR_CONFIG, with a detail: the ledger is older than the database, or of another
 * history, or the database is another keeper's.  ERR_STATE: a duty did not come to `deleted`; its error says why. */
MUST_CHECK enum err restore_replay(const struct restore_run *r);

/* ---- while the server runs ---- */

/* Around the append of a ledger entry and the transaction that begins its deletion. */
void restore_entering(void);
void restore_entered(bool begun);
/* Writes down how far the database has followed the ledger: at the end of a run of the engine, in the system's scope.  A position that lags costs a
 * look at each entry above it at the next start, and nothing else. */
MUST_CHECK enum err restore_follow(struct scope *s);

/* ---- reports ---- */

/* The members report, body, signature and publicKey of a stored one, into an open object.  ERR_NOT_FOUND. */
MUST_CHECK enum err restore_report_write(struct db_tx *tx, struct json_writer *w, struct id report);

/* What a checked file says; text in the scope's arena. */
struct restore_summary {
	const char *id, *issuer, *issued, *public_key; /* public_key: base64, the one that it was checked against */
	int64_t followed, head;
	size_t entries, erased;
};

/* Checks the JSON that the API gives for one report, and that DIR/restore-reports holds: {"id", "issuedDateTime", "report": {…}, "body": base64 of the
 * exact bytes, "signature": base64, "publicKey": base64}.  public_key as in certificate_check_file(). ERR_BAD_REQUEST with a detail. */
MUST_CHECK enum err restore_report_check(struct scope *s, const char *json, size_t n, const uint8_t *public_key, struct restore_summary *ret);

#endif
