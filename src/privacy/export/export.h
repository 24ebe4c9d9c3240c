/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything held about one person as one zip file (docs/formats/export-bundle.md), or chosen sections as one printable page: asked for,
 * built by a job, sealed on disk, fetched, and gone at its expiry.  What is in it is read from the data map; what is not in it stands in its
 * manifest with the reason.
 *
 * Files: DIR/exports/<operation id>.person.sealed.  No plain file has a name.  A crash leaves the row `running`: the next run starts it again from
 * nothing, and a file without a row is removed.
 *
 * Every request, completion, download and expiry is an event about the person.  What an export holds is for whoever asked for it, for holders of
 * the permission PrivacyBundles.Read.All, and for whom one of them hands a link or a code.
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

struct export_order {
	struct id user, request;      /* request: the case that it answers; nil: none */
	const char *storage_location; /* NULL: none; else an https URL of at most EXPORT_LOCATION_MAX bytes on the tenant's list (storage_location.h) */
	const char *variant;          /* redacted (NULL: what the person gets), full (for the organisation itself), portability (GDPR Art. 20) */
	const char *form;             /* bundle (NULL: a zip), page (one printable HTML file) */
	const char *sections;         /* JSON array of names of sections; NULL: all */
};
/* Asks for an export.  ERR_BAD_REQUEST: a member that is none of these; ERR_NOT_FOUND where the user is not exportable, or the case is not about
 * them; ERR_FORBIDDEN: a storage location that is not on the list. */
MUST_CHECK enum err export_request(struct scope *s, const struct export_order *o, struct id *ret_operation);
/* The same in the caller's transaction, for the answer to a case. */
MUST_CHECK enum err export_request_tx(struct db_tx *tx, const struct export_order *o, struct id *ret_operation);

/* The finished file, for the download: records EXPORT_DOWNLOAD and, of a case's export, its delivery.  ERR_NOT_FOUND; ERR_CONFLICT where it is
 * not complete; ERR_GONE past its expiry. */
struct unseal_stream;
struct export_file {
	struct unseal_stream *stream; /* the caller closes it */
	int64_t bytes;
	const char *type, *name; /* of its content; a name for the file */
};
MUST_CHECK enum err export_open(struct scope *s, const char *data_dir, struct id operation, struct export_file *ret);

/* Before a link to the finished file is handed out: records EXPORT_LINK and says until when it may be good, a day at most.  Errors as
 * export_open(). */
MUST_CHECK enum err export_link(struct scope *s, struct id operation, int64_t *ret_expires);

/* Where the file is to be put, "" for nowhere, in the arena: as it was given to whoever gave it, to others without its query, which may hold a
 * key to the store and with it the file. */
MUST_CHECK enum err export_location(struct db_tx *tx, struct id operation, const char **ret);

/* What an export holds is read by whoever asked for it, and by holders of PrivacyBundles.Read.All; a link, a one-time code and the server itself
 * stand for somebody who may.  ERR_FORBIDDEN. */
MUST_CHECK enum err export_readable(struct db_tx *tx, struct id user, struct id requested_by);

/* ---- delivery to a storage location ---- */

/* An export with a storage location stays `running` once its file is sealed, until it was put there; whoever carries it there calls these.
 * They have no other state: after a crash it is due again. */
struct export_parcel {
	struct id tenant, operation, user;
	const char *location;
	int64_t bytes;
	const char *type;
	int64_t sealed_at; /* when its file was finished */
};
enum { EXPORT_PARCELS_MAX = 256 };
/* The oldest that are due, of all tenants, at most `most`; s is the system's scope. */
MUST_CHECK enum err export_parcels(struct scope *s, const char *data_dir, struct export_parcel *ret, size_t most, size_t *ret_n);
/* Opens its file; the caller closes the stream.  s is the tenant's scope. */
MUST_CHECK enum err export_parcel_open(struct scope *s, const char *data_dir, struct id operation, struct unseal_stream **ret);
/* It was put there (failure NULL: EXPORT_STORE; a case is delivered), or could not be (the operation is `failed` with the reason, its file is
 * removed).  The row forgets the location, which holds a key.  s is the tenant's scope. */
MUST_CHECK enum err export_parcel_done(struct scope *s, const char *data_dir, struct id operation, const char *failure);

/* ---- the jobs'; s is the system's scope ---- */

struct export_job {
	const char *data_dir, *host;
	bool parcels; /* somebody carries parcels (above); else a file with a storage location is complete once it is sealed, to be fetched here */
};
/* Builds the oldest export that waits.  An export that cannot be built becomes `failed` with its reason and holds up no other.  Operations that
 * a crash left `running` are started again. */
MUST_CHECK enum err export_run_pending(struct scope *s, const struct export_job *job, bool *ret_more);
/* Deletes exports past their expiry, file first, each with its event; files of exports that are no more; and by the map the rows of other tables whose
 * time has come (used enrolment tokens, suppressions, certificates of devices that ran out). */
MUST_CHECK enum err export_expire_due(struct scope *s, const char *data_dir, bool *ret_more);

/* ---- erasure's ---- */

/* Removes the files of a person's exports (their rows go by the map); a nil user: of the whole tenant. */
MUST_CHECK enum err export_forget_files(struct scope *s, const char *data_dir, struct id user);

#endif
