/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/provisioning/each_tenant.h"

struct walk {
	struct db_stmt *next;
	struct id tenant;
};

static enum err next_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct walk *w = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, w->next, DB_ARGS(db_v_id(&w->tenant)), &r));
	w->tenant = db_id(r, 0);
	return OK;
}

enum err each_tenant(struct scope *s, struct db_stmt *next, each_tenant_fn fn, void *arg)
{
	struct walk w = {.next = next};
	enum err first = OK, e;
	check(!s->has_tenant);
	while ((e = db_read(s, next_tx, &w)) == OK) {
		struct scope t;
		scope_tenant(&t, s->arena, s->db, s->keeper, w.tenant);
		t.now = s->now;
		e = fn(&t, arg);
		if (e != OK && first == OK)
			first = scope_fail(s, e, "%s", scope_detail(&t, e));
	}
	return e == ERR_NOT_FOUND ? first : e;
}
