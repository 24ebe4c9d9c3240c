/* SPDX-License-Identifier: Apache-2.0
 * A report's filter is refused, or becomes a condition whose parameters are numbered without gap and hold whatever was quoted: no byte of a literal
 * stands in the SQL.  Input: the name of a report, a line break, the filter. */
#include "fuzz.h"

#include <stdlib.h>

#include "devices/reports/plan.h"

/* Every parameter is named, and none that is not there. */
static void parameters(const struct report_plan *p)
{
	size_t most = 0;
	for (const char *at = p->sql; (at = strchr(at, '?')) != NULL; at++) {
		size_t n = strtoul(at + 1, NULL, 10);
		check(n >= 1 && n <= 1 + p->key_n + p->arg_n);
		most = n > most ? n : most;
	}
	check(most == 1 + p->key_n + p->arg_n);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct report_plan *plan, *all;
	if (n > 2 * LIMIT_URL_BYTES || memchr(bytes, '\0', n) != NULL)
		return 0;
	struct scope *s = fuzz_scope();
	char *filter = arena_strndup(s->arena, (const char *)bytes, n);
	const char *name = strsep(&filter, "\n");
	const struct report *r = report_find(name);
	if (r == NULL || filter == NULL)
		return 0;
	enum err e = report_plan_make(s, r, &(struct report_asked){.filter = filter}, &plan);
	if (e != OK) {
		fuzz_refused(s, e);
		return 0;
	}
	parameters(plan);
	if (r->required != NULL || plan->arg_n == 0)
		return 0;
	check(report_plan_make(s, r, &(struct report_asked){0}, &all) == OK);
	check(strncmp(all->sql, plan->sql, strlen(all->sql) - strlen(strstr(all->sql, " ORDER BY "))) == 0); /* the filter only adds to the rest */
	return 0;
}
