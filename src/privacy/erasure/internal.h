/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of erasure: one duty under way, and what each state's step is. */
#ifndef REEVE_PRIVACY_ERASURE_INTERNAL_H
#define REEVE_PRIVACY_ERASURE_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "crypto/digest.h"
#include "db/db.h"
#include "duty/duty.h"
#include "privacy/subject.h"

struct erasure {
	struct scope *system;
	const char *data_dir, *host;
};

/* A duty, loaded for one step.  `progress` is the duty's result column while it runs: what is done already and what the
 * certificate will say; a step changes it and stores it in the transaction of its effect.  docs/operating/erasure.md
 * lists its members. */
struct erase_job {
	const struct erasure *e;
	struct scope s; /* of the duty's tenant */
	struct duty d;
	enum subject_type type;
	json_t *progress;
};

/* j->progress is the caller's until erase_job_free().  *ret_overtaken: its tenant is being purged, and this duty with it. */
MUST_CHECK enum err erase_job_load(struct erase_job *j, const struct erasure *e, struct id tenant, struct id duty, bool *ret_overtaken);
void erase_job_free(struct erase_job *j);
/* The step of the state that it is in. */
MUST_CHECK enum err erase_step(struct erase_job *j);
/* What becomes of a step that failed: see erasure.c. */
void erase_step_failed(struct erase_job *j, enum err err);

/* A step: one short effect.  OK: reload the duty and go on.  ERR_BUSY: later (without a detail it is only waiting its
 * turn).  Any other error: see erasure.c. */
MUST_CHECK enum err step_scheduled(struct erase_job *j); /* a tenant's */
MUST_CHECK enum err step_received(struct erase_job *j);
MUST_CHECK enum err step_suppressed(struct erase_job *j);
/* A person's own devices are told to retire: at once, or at the end of the undo window; some of them, until progress has devicesAt. */
MUST_CHECK enum err erasure_tell_devices(struct erase_job *j);
MUST_CHECK enum err step_deleting(struct erase_job *j);
/* Deleted duties are finished together: one scrub, one scan. */
MUST_CHECK enum err erasure_scrub(const struct erasure *e, struct erase_job *const *jobs, size_t n);
/* A duty whose scan is done: certificate, scrubbed. */
MUST_CHECK enum err step_certify(struct erase_job *j);
/* The last of a purged tenant: its log, its evidence, its row.  *ret_gone: nothing is left of it. */
MUST_CHECK enum err step_tenant_vanish(struct erase_job *j, bool *ret_gone);

/* Steps of one duty until it is deleted, waits or fails (restore/: the replay of the ledger). */
void erasure_run_duty(const struct erasure *e, struct id tenant, struct id duty);

/* ---- what it waits for (wait.c, burst.c) ---- */

/* *ret: one of DUTY_WAITS_*; NULL: nothing. */
MUST_CHECK enum err erasure_waits(struct db_tx *tx, const struct erase_job *j, const char **ret);
/* In the transaction of the step that would go on from received or suppressed: moves the duty to held, with the reason, where it has to wait. */
MUST_CHECK enum err erasure_hold(struct db_tx *tx, struct erase_job *j, bool *ret_held);
/* Whether the duty belongs to a burst that nobody has confirmed. */
MUST_CHECK enum err burst_waits(struct db_tx *tx, const struct duty *d, bool *ret);
/* Holds it, and what the source asked for within the last hour and may still be undone; loudly where it is the first. */
MUST_CHECK enum err burst_hold(struct db_tx *tx, const struct duty *d);
/* Held duties whose reason has gone, of all tenants: received again. */
MUST_CHECK enum err erasure_release_due(struct scope *s);
enum subject_type subject_type_of(const char *duty_subject_type);

/* Hands the purged tenant's log to the operator, as a file.  OK: the log may go, its archive is there, or there is no time left for one;
 * ERR_BUSY: later. */
MUST_CHECK enum err erasure_archive(struct erase_job *j);

/* ---- progress ---- */

/* Stores j->progress; in the transaction of the effect. */
MUST_CHECK enum err progress_save(struct db_tx *tx, struct erase_job *j);
int64_t progress_int(const struct erase_job *j, const char *name); /* 0: not set */
void progress_set_int(struct erase_job *j, const char *name, int64_t v);
bool progress_has(const struct erase_job *j, const char *name);
/* One table's row of progress.tables, made where it is not there. */
json_t *progress_table(struct erase_job *j, const char *table);

/* ---- plan and needles (plan.c, needles.c) ---- */

struct table_count {
	const struct map_table *table;
	int64_t found, deleted, changed, kept;
	const char *ground; /* why some stay; NULL */
	int64_t until;	    /* of audit events: when the last one goes; 0 */
};
/* Counts what erasing the subject would do now. */
MUST_CHECK enum err plan_count(struct db_tx *tx, enum subject_type type, struct id subject, unsigned domain_mask,
			       struct table_count **ret, size_t *ret_n);
/* How many devices of the tenant can still prove who they are: they have not confirmed that they retired. */
MUST_CHECK enum err tenant_devices_silent(struct db_tx *tx, int64_t *ret);
/* Which tables of a tenant go: all, or only those of device management. */
unsigned closing_domains(bool keeps_directory);
unsigned tenant_domains(const struct erase_job *j);
bool tenant_goes_whole(const struct erase_job *j);

/* What a scan looks for, and who the subject was: sealed in the keeper until the scan is done. */
struct needle {
	const char *source; /* "users.upn" */
	bool strong;	    /* a match in anybody's text is a match; others may be common words */
	const void *p;
	size_t n;
};
struct needles {
	struct id subject;
	struct id *devices; /* that go with the subject */
	size_t device_n;
	struct needle *v;
	size_t n, room;
};
/* In a read transaction of the tenant: from the map's categories. */
MUST_CHECK enum err needles_collect(struct db_tx *tx, struct erase_job *j, struct needles *ret);
MUST_CHECK enum err needles_put(struct erase_job *j, const struct needles *n);
MUST_CHECK enum err needles_get(struct erase_job *j, struct needles *ret); /* ERR_NOT_FOUND */

/* ---- the files beside the database (files.c) ---- */

struct file_hit {
	size_t needle;
	const char *path; /* below the data directory */
};
/* Reads every file below `dir` that may hold bytes of a person in the clear; hits in the arena, one per needle and file. */
MUST_CHECK enum err erasure_files_search(const char *dir, struct db *db, struct arena *a, struct db_needle *needles, size_t n,
					 struct file_hit **ret, size_t *ret_n);

/* ---- certificates (certificate_collect.c, certificate_issue.c) ---- */

/* The keyed reference of a subject, as the ledger has it: its first half as an id is the pseudonym in the duty's row. */
void subject_reference(struct keeper *k, struct id tenant, struct id subject, uint8_t ret[SHA256_BYTES]);
struct id reference_id(const uint8_t reference[SHA256_BYTES]);

/* Notes what the certificate says that needs the subject's id: the salted reference, the audit events that stay.  Not stored yet. */
MUST_CHECK enum err certificate_collect(struct erase_job *j, const struct needles *n);
/* What the device is and what was asked of it, while its row is there; nothing for other subjects.  Not stored yet. */
MUST_CHECK enum err certificate_collect_device(struct db_tx *tx, struct erase_job *j);

/* Builds and signs the body of a kind (CERTIFICATE_ACTIVE, CERTIFICATE_COPIES), stores it with the transaction's tenant (the installation,
 * for a tenant that goes) and records DUTY_CERTIFICATE.  An id that is there already: OK, nothing happens. */
MUST_CHECK enum err certificate_issue(struct db_tx *tx, struct erase_job *j, const char *kind, struct id certificate);

#endif
