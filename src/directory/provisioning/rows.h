/* SPDX-License-Identifier: Apache-2.0
 * Between rows and documents.  Private to provisioning/. */
#ifndef REEVE_DIRECTORY_PROVISIONING_ROWS_H
#define REEVE_DIRECTORY_PROVISIONING_ROWS_H

#include <stdint.h>

#include "audit/audit.h"
#include "db/db.h"
#include "directory/group.h"
#include "directory/provisioning/document.h"
#include "directory/user.h"

/* What a statement over a resource's rows selects, with its FROM and the tenant's visible rows as `t`; a condition may follow with AND. */
const char *scim_select(struct scope *s, enum scim_resource r);
/* The columns that every such statement begins with. */
enum { SCIM_COLUMN_ID, SCIM_COLUMN_VERSION };

/* What a document needs beside its row. */
enum scim_need { SCIM_NEED_CONTACTS = 1, SCIM_NEED_GROUPS = 2 };
unsigned scim_needs_all(enum scim_resource r);

/* The row under the cursor as a document, with its contacts and groups where they are needed; of a group without its members.  base: as in
 * scim.h.  The caller owns *ret. */
MUST_CHECK enum err scim_row(struct db_tx *tx, enum scim_resource r, const struct db_rows *rows, const char *base, unsigned needs, json_t **ret);

/* ---- users ---- */

MUST_CHECK enum err scim_user_row(struct db_tx *tx, const struct db_rows *rows, const char *base, unsigned needs, json_t **ret);
const char *scim_user_select(struct scope *s);

/* The columns of users that contacts stand for. */
struct scim_held {
	const char *mail, *mobile, *business, *street, *city, *state, *postal, *country;
};
/* The three lists of contacts, into the document. */
MUST_CHECK enum err scim_contacts_read(struct db_tx *tx, struct id user, const struct scim_held *held, json_t *doc);
/* Which columns the lists stand for, into the record. */
MUST_CHECK enum err scim_contacts_record(struct scope *s, const json_t *doc, struct record *r);
/* The rows of the lists that differ from those of `old` (NULL: a new user), with their changes. */
MUST_CHECK enum err scim_contacts_write(struct db_tx *tx, struct id user, const json_t *old, const json_t *doc, struct audit_change ***tail, bool *changed);

/* The document of a user as a record of the resource "user", every property set; but for a manager whom neither it nor `old` (NULL: a new user)
 * shows, for one who is deleted for a while stays the manager. */
MUST_CHECK enum err scim_user_record(struct db_tx *tx, struct id user, const json_t *old, const json_t *doc, struct record **ret);
/* The userPrincipalName that a userName is or becomes. */
const char *scim_upn(struct arena *a, const char *user_name);

/* ---- what the database narrows down (narrow.c) ---- */

/* A condition over t that every match fulfils, with its arguments from ?2 on; NULL where there is none.  exact: nothing else fulfils it. */
struct scim_condition {
	const char *sql;
	bool exact;
	struct db_value args[64];
	size_t arg_count;
	unsigned scans; /* of narrow.c */
};
void scim_narrow(struct scope *s, enum scim_resource r, const struct scim_filter *f, struct scim_condition *ret);
/* " ORDER BY …".  ERR_BAD_PATH: it cannot be sorted by this. */
MUST_CHECK enum err scim_order(struct scope *s, enum scim_resource r, const char *by, bool descending, const char **ret);
/* Which of the needs a filter asks for. */
unsigned scim_filter_needs(enum scim_resource r, const struct scim_filter *f);

#endif
