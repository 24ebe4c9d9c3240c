/* SPDX-License-Identifier: Apache-2.0
 * A stored filter as a condition, for statements of other layers. */
#include <string.h>

#include "resource/internal.h"

enum err resource_condition(struct scope *s, const struct resource *r, enum api_version v, const char *filter, unsigned first,
			    struct resource_condition *ret)
{
	struct odata_node *tree;
	struct sql q;
	TRY(odata_parse_filter(s, filter, &tree));
	sql_begin(&q, s->arena, first);
	TRY(filter_sql(s, r, v, tree, &q));
	TRY(sql_end(&q, s));
	if (q.joined)
		return scope_fail(s, ERR_BAD_REQUEST, "the filter names a property that can only be used in lists");
	*ret = (struct resource_condition){.sql = q.text, .args = q.args, .arg_count = q.arg_count};
	return OK;
}
