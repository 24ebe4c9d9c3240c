/* SPDX-License-Identifier: Apache-2.0
 * Leases as rows. */
#include "jobs/lease.h"

#include "base/clock.h"
#include "db/db.h"

DB_GLOBAL(lease_claim,
	  "INSERT INTO leases (name, holder, fence, expires_at) VALUES (?1, ?2, 1, ?3) ON CONFLICT (name) DO UPDATE SET "
	  "holder = excluded.holder, expires_at = excluded.expires_at, "
	  "fence = leases.fence + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END "
	  "WHERE leases.holder = excluded.holder OR leases.expires_at < ?4");
DB_GLOBAL(lease_release, "DELETE FROM leases WHERE name = ?1 AND holder = ?2");

struct claim {
	const char *name;
	struct id holder;
	int seconds;
	int64_t changed;
};

static enum err claim(struct scope *s, struct db_tx *tx, void *arg)
{
	struct claim *c = arg;
	return db_exec(tx, &lease_claim,
		       DB_ARGS(db_v_text(c->name), db_v_id(&c->holder), db_v_int(s->now + c->seconds * SECOND_US), db_v_int(s->now)),
		       &c->changed);
}

static enum err release(struct scope *s, struct db_tx *tx, void *arg)
{
	struct claim *c = arg;
	return db_exec(tx, &lease_release, DB_ARGS(db_v_text(c->name), db_v_id(&c->holder)), &c->changed);
}

enum err lease_take(struct scope *s, const char *name, struct id holder, int seconds, bool *ret_held)
{
	struct claim c = {.name = name, .holder = holder, .seconds = seconds};
	TRY(db_write(s, claim, &c));
	*ret_held = c.changed == 1;
	return OK;
}

void lease_give(struct scope *s, const char *name, struct id holder)
{
	struct claim c = {.name = name, .holder = holder};
	enum err ignored = db_write(s, release, &c); /* it expires by itself */
	(void)ignored;
}
