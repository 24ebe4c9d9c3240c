/* SPDX-License-Identifier: Apache-2.0
 *
 * Carries finished exports to their storage locations: one PUT each, as Azure's blobs take it with a shared access signature (x-ms-blob-type:
 * BlockBlob, Content-Type, Content-Length), streamed from the sealed file.  One thread moves up to 16 of them at a time, so that a receiver that
 * is slow or never answers holds up nobody but itself.
 *
 * What may be reached is judged at each connection (http/reach.h), redirects are not followed, TLS is verified.  What fails is tried again after
 * pauses of 1 s to 5 min for an hour from the moment the file was sealed; a location that says no (4xx) is not asked again.  Then the operation
 * is `failed` with the reason.  The URL holds a key: it stands in no log line, and the row forgets it in the end.
 *
 * Where several servers share a database one of them carries, under a lease.
 */
#ifndef REEVE_JOBS_PARCELS_H
#define REEVE_JOBS_PARCELS_H

#include "api/api.h"

struct parcels;

struct parcels *parcels_start(struct server *srv, struct id holder);
/* Something was committed.  Does not block.  NULL is allowed. */
void parcels_wake(struct parcels *p);
void parcels_stop(struct parcels *p); /* transfers under way are given up; NULL is allowed */

#endif
