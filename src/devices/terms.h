/* SPDX-License-Identifier: Apache-2.0
 *
 * Terms and conditions (the organisation's privacy notice among them): shown and accepted before enrolment.  The
 * version grows when what a person reads changes (title, bodyText, acceptanceStatement); acceptances are recorded by
 * version.
 */
#ifndef REEVE_DEVICES_TERMS_H
#define REEVE_DEVICES_TERMS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "codec/json.h"
#include "db/db.h"
#include "resource/resource.h"

struct terms {
	struct id terms;
	int64_t version;
	const char *display_name, *title, *body_text, *acceptance_statement;
};

/* Records are of RES_TERMS (record_parse); a version in them is not looked at. */
MUST_CHECK enum err terms_create(struct scope *s, const struct record *r, struct id *ret);
MUST_CHECK enum err terms_patch(struct scope *s, struct id terms, const struct record *change);
/* Acceptances stay: they are evidence, until their person goes. */
MUST_CHECK enum err terms_delete(struct scope *s, struct id terms);

/* ERR_NOT_FOUND unless they are there: for the list of their acceptances. */
MUST_CHECK enum err terms_exist(struct scope *s, struct id terms);

/* All terms of the tenant, oldest first. */
MUST_CHECK enum err terms_all(struct db_tx *tx, struct terms **ret, size_t *ret_n);
/* Records that a user accepted this version, with its event; accepted before: nothing. */
MUST_CHECK enum err terms_accept(struct db_tx *tx, struct id user, const struct terms *t);

#endif
