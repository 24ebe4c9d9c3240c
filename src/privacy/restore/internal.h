/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of restore/. */
#ifndef REEVE_PRIVACY_RESTORE_INTERNAL_H
#define REEVE_PRIVACY_RESTORE_INTERNAL_H

#include "crypto/digest.h"
#include "privacy/erasure/internal.h"
#include "privacy/restore/restore.h"

/* ---- how far the database is (position.c) ---- */

struct position {
	bool known;	   /* false: a database that no server has served yet */
	bool own;	   /* of this place; else another's, that is gone on from */
	uint64_t sequence; /* 0: nothing was erased yet */
	uint8_t hash[SHA256_BYTES];
};

/* s: a scope of the installation.  ERR_CONFIG as in restore_replay(). */
MUST_CHECK enum err position_load(struct scope *s, struct position *ret);
/* In a write transaction of the installation. */
MUST_CHECK enum err position_set(struct db_tx *tx, uint64_t sequence, const uint8_t hash[SHA256_BYTES]);

/* ---- what the ledger says (entries.c) ---- */

enum outcome {
	ENTRY_FOLLOWED, /* this database carried it out, or is about to: nothing was restored */
	ENTRY_ERASED,	/* its subject was there, and went again */
	ENTRY_NOTHING,	/* nothing of it was there */
};

struct entry {
	uint64_t sequence;
	struct id tenant, duty;
	enum subject_type type;
	uint8_t reference[SHA256_BYTES];
	bool says_directory, keeps_directory; /* of a tenant; an old entry does not say */
	enum outcome outcome;
	bool found;		/* subject is known */
	struct id subject, by;	/* by: the duty that carried it out again */
	int64_t deleted, changed; /* rows, by that duty */
};

struct entries {
	struct entry *v; /* malloc'd, by tenant; in a tenant its own entry first, then by type and reference */
	size_t n, room;
	uint64_t head; /* the last one that was read */
	uint8_t head_hash[SHA256_BYTES];
};

/* Those above `from`.  ERR_CONFIG: one that this version does not understand. */
MUST_CHECK enum err entries_load(struct scope *s, uint64_t from, struct entries *ret);
void entries_free(struct entries *e);
/* When the last report was issued; 0: none was. */
MUST_CHECK enum err entries_reported_at(struct scope *system, int64_t *ret);
/* Looks whether the database has carried it out (outcome, by).  A replay that a report tells of already is followed like any other deletion:
 * another server, with a ledger of its own, may have done it. */
MUST_CHECK enum err entry_look(struct scope *system, int64_t reported_at, struct entry *e);
/* Finds the subjects of n entries of one tenant and type, sorted by reference, among all that the tenant has. */
MUST_CHECK enum err entries_match(struct scope *system, struct entry *v, size_t n);

/* ---- the report (report.c) ---- */

struct outcome_of_replay {
	const struct restore_run *run;
	struct position from;
	const struct entries *entries;
	size_t resumed; /* deletions that the database was restored to the middle of */
	int64_t started_at;
};
/* Signs and stores it with its event, and the position, in one transaction. */
MUST_CHECK enum err report_store(const struct outcome_of_replay *o);
/* Files and tenants' events of reports that have none yet. */
MUST_CHECK enum err report_announce(const struct restore_run *r);

#endif
