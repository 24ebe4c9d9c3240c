/* SPDX-License-Identifier: Apache-2.0
 * Shared by disclosure.c and the redaction of events. */
#ifndef REEVE_PRIVACY_DISCLOSURE_INTERNAL_H
#define REEVE_PRIVACY_DISCLOSURE_INTERNAL_H

#include "privacy/disclosure/disclosure.h"

#define REDACTED_PERSON "[redacted: another person]"

/* A decision of the request on this place, or the one above it that counts; false: the map decides. */
bool disclosure_decided(const struct disclosure *d, const struct disclosed_row *row, const char *property, struct disclosed *ret);
/* A decision on the record itself or its section. */
bool disclosure_decided_record(const struct disclosure *d, const struct disclosed_row *row, struct disclosed *ret);
bool disclosure_has_decisions(const struct disclosure *d);
bool disclosure_full(const struct disclosure *d);
struct id disclosure_person(const struct disclosure *d);
struct id disclosure_tenant(const struct disclosure *d);
struct arena *disclosure_arena(const struct disclosure *d); /* of the scope that loaded it */
/* Whether the case is open, is the person's, and was not answered yet. */
bool disclosure_unanswered(const struct disclosure *d, struct id request);

#endif
