/* SPDX-License-Identifier: Apache-2.0
 *
 * Users and groups as another directory provisions them (SCIM 2.0, RFC 7644).  Every change is one transaction with one event, by the rules
 * of user.h and group.h, so that Graph's clients and SCIM's see one directory.
 *
 * Answers are whole resources as JSON in `out`, which may be written again from its start.  Errors beside those of document.h: ERR_NOT_FOUND,
 * ERR_EXISTS (uniqueness), ERR_PRECONDITION, ERR_CONFLICT (what was erased may not come back; a restriction).
 */
#ifndef REEVE_DIRECTORY_PROVISIONING_SCIM_H
#define REEVE_DIRECTORY_PROVISIONING_SCIM_H

#include "base/buf.h"
#include "directory/provisioning/document.h"

struct scim_request {
	enum scim_resource resource;
	const char *id;       /* as it stands in the path; NULL for a new one */
	const json_t *body;   /* NULL: none */
	const char *if_match; /* header If-Match or (reading) If-None-Match; NULL */
	const char *base;     /* "https://host/scim/v2", of every location */
	struct scim_projection projection;
};

struct scim_answer {
	const char *etag, *location; /* in the arena */
	bool not_modified;           /* If-None-Match holds: out is empty */
	bool bare;                   /* done, and out is empty: a group of many members was patched, and nobody said which attributes are wanted */
	struct id object;
};

MUST_CHECK enum err scim_create(struct scope *s, const struct scim_request *q, struct buf *out, struct scim_answer *ret);
MUST_CHECK enum err scim_get(struct scope *s, const struct scim_request *q, struct buf *out, struct scim_answer *ret);
MUST_CHECK enum err scim_replace(struct scope *s, const struct scim_request *q, struct buf *out, struct scim_answer *ret);
MUST_CHECK enum err scim_patch(struct scope *s, const struct scim_request *q, struct buf *out, struct scim_answer *ret);
/* A user: erased (user_erase); a group: gone. */
MUST_CHECK enum err scim_delete(struct scope *s, const struct scim_request *q);

struct scim_query {
	bool users, groups;    /* what is listed: both for the root's .search */
	const char *filter, *sort_by;
	bool descending;
	int64_t start, count;  /* as asked for; count INT64_MAX: the default */
	const char *base;
	struct scim_projection projection;
};
/* A ListResponse.  Memory does not grow with what is searched. */
MUST_CHECK enum err scim_list(struct scope *s, const struct scim_query *q, struct buf *out);

#endif
