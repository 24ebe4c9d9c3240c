/* SPDX-License-Identifier: Apache-2.0
 * Shared by the files of a report's plan. */
#ifndef REEVE_DEVICES_REPORTS_PLAN_INTERNAL_H
#define REEVE_DEVICES_REPORTS_PLAN_INTERNAL_H

#include "devices/reports/plan.h"
#include "resource/resource.h"

#define APP_SEPARATOR '\037' /* between name and version in a REPORT_APP */

/* The members of a code; returns how many. */
size_t report_words(const struct report_column *c, struct report_word ret[REPORT_WORDS_MAX]);

/* A filter as a condition on the report's rows, parameters from ?first on; *ret NULL where there is none. */
MUST_CHECK enum err report_filter(struct scope *s, const struct report *r, const char *text, unsigned first, struct resource_condition **ret);

#endif
