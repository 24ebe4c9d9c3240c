/* SPDX-License-Identifier: Apache-2.0
 * The lease around the replay: short, so that a server that was killed in it does not hold up the next one, and renewed between any two duties. */
#include "cmd/replay.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "db/db.h"
#include "jobs/lease.h"
#include "privacy/restore/restore.h"

static const char LEASE[] = "restore_replay";
enum { LEASE_SECONDS = 20 };

struct turn {
	struct scope *s;
	struct id holder;
};

static enum err take(struct turn *t, bool *ret_held)
{
	struct scope now = *t->s;
	now.now = clock_now();
	return lease_take(&now, LEASE, t->holder, LEASE_SECONDS, ret_held, NULL);
}

static bool go_on(void *arg)
{
	bool held = false;
	return take(arg, &held) == OK && held;
}

static enum err wait_for_turn(struct turn *t)
{
	const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
	bool held = false, said = false;
	for (;;) {
		TRY(take(t, &held));
		if (held)
			return OK;
		if (!said)
			log_event(LOG_INFO, "restore_replay_waits", "another server follows the erasure ledger");
		said = true;
		nanosleep(&pause, NULL);
	}
}

enum err replay_before_serving(struct scope *s, const char *data_dir, const char *host)
{
	struct turn t = {.s = s, .holder = scope_id(s)};
	struct restore_run run = {.system = s, .data_dir = data_dir, .host = host, .arg = &t};
	if (db_engine(s->db) == DB_SQLITE) /* the keeper's lock says that there is no other */
		return restore_replay(&run);
	run.go_on = go_on;
	TRY(wait_for_turn(&t));
	enum err err = restore_replay(&run);
	lease_give(s, LEASE, t.holder);
	return err;
}
