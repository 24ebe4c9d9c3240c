/* SPDX-License-Identifier: Apache-2.0
 * Leases as rows. */
#include "jobs/lease.h"

#include "base/clock.h"
#include "db/db.h"

DB_GLOBAL(lease_look, "SELECT holder, fence, expires_at FROM leases WHERE name = ?1");
DB_GLOBAL(lease_claim,
	  "INSERT INTO leases (name, holder, fence, expires_at) VALUES (?1, ?2, 1, ?3) ON CONFLICT (name) DO UPDATE SET "
	  "holder = excluded.holder, expires_at = excluded.expires_at, "
	  "fence = leases.fence + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END "
	  "WHERE leases.holder = excluded.holder OR leases.expires_at < ?4 RETURNING fence");
DB_GLOBAL(lease_release, "UPDATE leases SET expires_at = 0 WHERE name = ?1 AND holder = ?2");

struct claim {
	const char *name;
	struct id holder;
	int64_t seconds;
	bool held, taken; /* taken: by somebody, and for longer */
	int64_t fence;
};

/* Most of the time there is nothing to write: an idle server costs a read. */
static enum err look(struct scope *s, struct db_tx *tx, void *arg)
{
	struct claim *c = arg;
	auto_rows struct db_rows *r = NULL;
	c->held = c->taken = false;
	TRY(db_query(tx, &lease_look, DB_ARGS(db_v_text(c->name)), &r));
	if (db_next(r)) {
		bool ours = id_equal(db_id(r, 0), c->holder);
		int64_t left = db_int(r, 2) - s->now;
		c->held = ours && left > c->seconds * SECOND_US / 2;
		c->taken = !ours && left >= 0;
		c->fence = db_int(r, 1);
	}
	return db_rows_err(r);
}

static enum err claim(struct scope *s, struct db_tx *tx, void *arg)
{
	struct claim *c = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &lease_claim,
		     DB_ARGS(db_v_text(c->name), db_v_id(&c->holder), db_v_int(s->now + c->seconds * SECOND_US), db_v_int(s->now)), &r));
	c->held = db_next(r);
	if (c->held)
		c->fence = db_int(r, 0);
	return db_rows_err(r);
}

static enum err release(struct scope *s, struct db_tx *tx, void *arg)
{
	struct claim *c = arg;
	return db_exec(tx, &lease_release, DB_ARGS(db_v_text(c->name), db_v_id(&c->holder)), NULL);
}

enum err lease_take(struct scope *s, const char *name, struct id holder, int seconds, bool *ret_held, int64_t *ret_fence)
{
	struct claim c = {.name = name, .holder = holder, .seconds = seconds};
	TRY(db_read(s, look, &c));
	if (!c.held && !c.taken)
		TRY(db_write(s, claim, &c));
	*ret_held = c.held;
	if (ret_fence != NULL)
		*ret_fence = c.fence;
	return OK;
}

void lease_give(struct scope *s, const char *name, struct id holder)
{
	struct claim c = {.name = name, .holder = holder};
	enum err ignored = db_write(s, release, &c); /* it expires by itself */
	(void)ignored;
}
