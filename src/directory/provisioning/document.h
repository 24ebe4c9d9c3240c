/* SPDX-License-Identifier: Apache-2.0
 *
 * A SCIM resource as a JSON document in one form: names as attributes.def spells them, an extension's attributes under its URN, several
 * values always in an array, unassigned attributes absent.  Pure: from requests to documents, changes of documents, questions to them.
 *
 * Errors say which attribute and never repeat a value: ERR_BAD_REQUEST (invalidValue) and those of SCIM's 400 (base/errors.def).
 */
#ifndef REEVE_DIRECTORY_PROVISIONING_DOCUMENT_H
#define REEVE_DIRECTORY_PROVISIONING_DOCUMENT_H

#include <jansson.h>

#include "base/id.h"
#include "codec/scim_filter.h"
#include "directory/provisioning/schema.h"

/* ---- from a request (value.c) ---- */

/* The body of POST and PUT.  Unknown and read-only attributes are left out.  The caller owns the result. */
MUST_CHECK enum err scim_document(struct scope *s, enum scim_resource r, const json_t *body, json_t **ret);
/* One value of an attribute, of one element of it, or of a sub-attribute: what clients write in several ways in the one form; NULL where it says that
 * there is none.  The caller owns it. */
MUST_CHECK enum err scim_value_of(struct scope *s, const struct scim_attribute *a, const json_t *in, json_t **ret);
MUST_CHECK enum err scim_element_of(struct scope *s, const struct scim_attribute *a, const json_t *in, json_t **ret);
/* An element that holds nothing but what it is for is none. */
bool scim_says_nothing(const struct scim_attribute *a, const json_t *element);
/* Not more than SCIM_VALUES_MAX: what is done with lists takes time with their square. */
MUST_CHECK enum err scim_values_check(struct scope *s, const struct scim_attribute *a, const json_t *list);
/* Of the address of a resource, its id: what a client names by $ref alone. */
const char *scim_referred(const char *ref);
/* Required attributes, at most one primary value, not too many. */
MUST_CHECK enum err scim_document_check(struct scope *s, enum scim_resource r, const json_t *doc);
/* The object that holds the attributes of a schema: the document itself, or the extension's.  make false: NULL where it is not there. */
json_t *scim_part(json_t *doc, enum scim_schema schema, bool make);
/* The extension goes where nothing is left in it. */
void scim_part_tidy(json_t *doc, enum scim_schema schema);

/* ---- PATCH (patch.c) ---- */

/* Members of a group are not in the document: what is to happen to them is said in order. */
struct scim_member_step {
	enum { SCIM_MEMBERS_ADD, SCIM_MEMBERS_REMOVE, SCIM_MEMBERS_CLEAR } what;
	struct id *users; /* in the arena; NULL for CLEAR */
	size_t n;
	struct scim_member_step *next;
};

/* body: a PatchOp.  doc is changed; after an error it is to be thrown away. */
MUST_CHECK enum err scim_patch_apply(struct scope *s, enum scim_resource r, const json_t *body, json_t *doc, struct scim_member_step **ret_steps);
/* The members that a POST or PUT of a group lists, as a step of adding.  A member that is no user's id is ERR_BAD_REQUEST. */
MUST_CHECK enum err scim_members_of(struct scope *s, const json_t *list, struct scim_member_step **ret);

/* ---- questions (match.c) ---- */

/* Every attribute is known and every operator fits its type, or ERR_BAD_FILTER.  any: an attribute of another resource is known, too, and has no
 * value here (RFC 7644, section 3.4.2.1). */
MUST_CHECK enum err scim_filter_check(struct scope *s, enum scim_resource r, bool any, const struct scim_filter *f);
bool scim_matches(enum scim_resource r, const struct scim_filter *f, const json_t *doc);
/* One element of a multi-valued attribute against what stands in brackets. */
bool scim_element_matches(const struct scim_attribute *a, const struct scim_filter *f, const json_t *element);
/* ERR_BAD_FILTER or (for a PATCH) ERR_BAD_PATH where what stands in brackets does not fit the attribute. */
MUST_CHECK enum err scim_element_check(struct scope *s, const struct scim_attribute *a, const struct scim_filter *f, enum err wrong);

/* ---- which attributes are returned (projection.c) ---- */

/* All zero: everything. */
struct scim_projection {
	enum { SCIM_WHOLE, SCIM_ONLY, SCIM_WITHOUT } how;
	struct scim_places {
		struct scim_place *v; /* each once, in the arena */
		size_t n;
	} places[SCIM_RESOURCES];
};
/* Of lists of names separated by commas; NULL: none.  Read once: an answer has many resources, and a list may be long. */
void scim_projection_of(struct scope *s, const char *attributes, const char *excluded, struct scim_projection *ret);
/* Takes away what was not asked for. */
void scim_project(enum scim_resource r, const struct scim_projection *p, json_t *doc);

#endif
