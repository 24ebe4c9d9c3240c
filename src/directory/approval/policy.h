/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies: what needs a second person in this tenant, and who that is (Graph: operationApprovalPolicy).  One for each profile.
 *
 * A policy is changed or removed only with the approval that it asks for itself, and so are the groups that it names: whoever could take it away
 * alone would need no approval of anything.
 */
#ifndef REEVE_DIRECTORY_APPROVAL_POLICY_H
#define REEVE_DIRECTORY_APPROVAL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "db/db.h"
#include "directory/approval/profile.h"
#include "resource/resource.h"

enum { APPROVAL_GROUPS_MAX = 20, APPROVAL_EXCLUDED_MAX = 50 };

/* The record is of RES_APPROVAL_POLICY.  ERR_EXISTS: the profile has its policy.  ERR_BAD_REQUEST: groups or applications that are not there; groups
 * in which nobody but the caller could approve. */
MUST_CHECK enum err approval_policy_create(struct scope *s, struct record *r, struct id *ret);
MUST_CHECK enum err approval_policy_patch(struct scope *s, struct id policy, struct record *r);
MUST_CHECK enum err approval_policy_delete(struct scope *s, struct id policy);
/* At a tenant's birth, in its transaction: closing needs a second person. */
MUST_CHECK enum err approval_policy_seed(struct db_tx *tx);

/* The `more` of a query over RES_APPROVAL_POLICY: policySet. */
enum err approval_policy_more(struct db_tx *tx, struct json_writer *w, const struct resource_query *q, struct id policy, void *arg);
/* Graph's operationApprovalPolicySet, as a value. */
void approval_policy_write_set(struct json_writer *w, enum approval_profile p);
/* Which profiles have a policy: a set. */
MUST_CHECK enum err approval_policies_on(struct scope *s, unsigned *ret);
/* At the start, in the system's scope: how many tenants may wipe devices without a second person. */
MUST_CHECK enum err approval_count_open_wipes(struct scope *s, uint64_t *ret);

/* ---- within directory/approval/ ---- */

struct approval_policy {
	struct id policy;
	enum approval_profile profile;
	const char *groups, *excluded; /* JSON lists of ids, lower case */
};
/* All of the tenant's, at most APPROVAL_PROFILES. */
MUST_CHECK enum err approval_policies_load(struct db_tx *tx, struct approval_policy ret[APPROVAL_PROFILES], size_t *ret_n);
/* Whether a JSON list of ids names this one. */
bool approval_list_has(const char *list, struct id id);
/* Calls fn for each id of the list, until it answers something else than OK. */
MUST_CHECK enum err approval_list_each(const char *list, enum err (*fn)(void *arg, struct id id), void *arg);

#endif
