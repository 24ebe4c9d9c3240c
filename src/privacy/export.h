/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything held about one person as one zip file (docs/formats/export-bundle.md): asked for, built by a job, sealed
 * on disk, fetched, and gone at its expiry.  What is in it is read from the data map; what is not in it stands in its
 * manifest with the reason.
 *
 * Files: DIR/exports/<operation id>.sealed (keeper_seal_file); while one is being built, <operation id>.part beside it,
 * and sections in files without a name.  A crash leaves the row `running`: the next run starts it again from nothing.
 *
 * Every request, completion, download and expiry is an event about the person.
 */
#ifndef REEVE_PRIVACY_EXPORT_H
#define REEVE_PRIVACY_EXPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"

enum { EXPORT_LOCATION_MAX = 2048 };

/* An id or a userPrincipalName of a person whose data may be exported: visible, or soft-deleted (by id only) and not
 * being erased. */
MUST_CHECK enum err export_resolve(struct scope *s, const char *id_or_upn, struct id *ret_user);

/* Asks for an export.  storage_location: NULL, or an https URL of at most EXPORT_LOCATION_MAX bytes (ERR_BAD_REQUEST);
 * it is kept and nothing is sent there.  ERR_NOT_FOUND where the user is not exportable. */
MUST_CHECK enum err export_request(struct scope *s, struct id user, const char *storage_location,
				   struct id *ret_operation);

/* The finished bundle, for the download: records EXPORT_DOWNLOAD.  ERR_NOT_FOUND; ERR_CONFLICT where it is not
 * complete; ERR_GONE past its expiry.  *ret_bytes: size of the zip. */
struct unseal_stream;
MUST_CHECK enum err export_open(struct scope *s, const char *data_dir, struct id operation, struct unseal_stream **ret,
				int64_t *ret_bytes);

/* ---- the jobs'; s is the system's scope ---- */

/* Builds the oldest export that waits.  An export that cannot be built becomes `failed` with its reason and holds up no
 * other. Operations that were `running` when this process started are started again. */
MUST_CHECK enum err export_run_pending(struct scope *s, const char *data_dir, const char *host, bool *ret_more);
/* Deletes exports past their expiry, file first, each with its event; and by the map the rows of other tables whose
 * time has come (used enrolment tokens, suppressions, certificates of devices that ran out). */
MUST_CHECK enum err export_expire_due(struct scope *s, const char *data_dir, bool *ret_more);

/* ---- erasure's ---- */

/* Removes the files of a person's exports (their rows go by the map); a nil user: of the whole tenant. */
MUST_CHECK enum err export_forget_files(struct scope *s, const char *data_dir, struct id user);

#endif
