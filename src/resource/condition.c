/* SPDX-License-Identifier: Apache-2.0
 * A stored filter as a condition, for statements of other layers. */
#include <string.h>

#include "resource/internal.h"

static enum err condition(struct scope *s, const struct resource *r, enum api_version v, const struct odata_node *tree, unsigned first,
			  struct resource_condition *ret, bool *ret_joined)
{
	struct sql q;
	sql_begin(&q, s->arena, first);
	TRY(filter_sql(s, r, v, tree, &q));
	TRY(sql_end(&q, s));
	*ret_joined = q.joined;
	*ret = (struct resource_condition){.sql = q.text, .args = q.args, .arg_count = q.arg_count};
	return OK;
}

enum err resource_condition(struct scope *s, const struct resource *r, enum api_version v, const char *filter, unsigned first,
			    struct resource_condition *ret)
{
	struct odata_node *tree;
	bool joined;
	TRY(odata_parse_filter(s, filter, &tree));
	TRY(condition(s, r, v, tree, first, ret, &joined));
	if (joined)
		return scope_fail(s, ERR_BAD_REQUEST, "the filter names a property that can only be used in lists");
	return OK;
}

enum err resource_condition_joined(struct scope *s, const struct resource *r, enum api_version v, const struct odata_node *filter,
				   unsigned first, struct resource_condition *ret)
{
	bool joined;
	return condition(s, r, v, filter, first, ret, &joined);
}

enum err resource_filter_reached(struct scope *s, const struct resource *r, enum api_version v, const char *filter, unsigned first,
				 struct resource_condition *ret)
{
	struct resource_condition f = {.sql = "1=1"}, reach;
	struct db_value *args;
	if (filter != NULL)
		TRY(resource_condition(s, r, v, filter, first, &f));
	TRY(resource_reach_condition(s, s->actor.only, r->whose, r->owner, true, first + (unsigned)f.arg_count, &reach));
	args = arena_alloc(s->arena, (f.arg_count + reach.arg_count + 1) * sizeof *args);
	if (f.arg_count > 0)
		memcpy(args, f.args, f.arg_count * sizeof *args);
	if (reach.arg_count > 0)
		memcpy(args + f.arg_count, reach.args, reach.arg_count * sizeof *args);
	*ret = (struct resource_condition){.sql = arena_printf(s->arena, "(%s AND %s)", f.sql, reach.sql), .args = args,
					   .arg_count = f.arg_count + reach.arg_count};
	return OK;
}
