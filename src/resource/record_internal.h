/* SPDX-License-Identifier: Apache-2.0
 * What record.c, record_parse.c and record_sql.c share. */
#ifndef REEVE_RESOURCE_RECORD_INTERNAL_H
#define REEVE_RESOURCE_RECORD_INTERNAL_H

#include "resource/resource.h"

void record_put(struct record *r, size_t i, struct db_value v);
/* Whether property i, a column, stands for it: two names of one column ("id", "appId") give it once. */
bool record_is_first(const struct record *r, size_t i);
/* As an audit event and a person read it; NULL for NULL. */
const char *record_public_text(struct arena *a, const struct property *p, const struct db_value *v);

#endif
