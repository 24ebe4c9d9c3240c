/* SPDX-License-Identifier: Apache-2.0
 *
 * How far the database has followed the ledger.  Several servers on one PostgreSQL have a ledger each, so there is a row for each place.  A
 * keeper that stands in a new place goes on from the newest row.
 *
 * A position may lag, never run ahead: it moves only while no entry stands between its append and the transaction that begins its deletion, and
 * no more once such a transaction has failed, until the next start has looked at the entries.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "keeper/keeper.h"
#include "privacy/restore/internal.h"

DB_TENANT(position_rows, "SELECT place, keeper, sequence, hash FROM ledger_positions WHERE tenant_id = ?1 ORDER BY sequence DESC, updated_at DESC");
DB_TENANT(position_own, "SELECT sequence FROM ledger_positions WHERE tenant_id = ?1 AND place = ?2");
DB_TENANT(position_put,
	  "INSERT INTO ledger_positions (tenant_id, place, keeper, sequence, hash, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
	  "ON CONFLICT (tenant_id, place) DO UPDATE SET keeper = excluded.keeper, sequence = excluded.sequence, hash = excluded.hash, "
	  "updated_at = excluded.updated_at");
DB_TENANT(position_others_end, "DELETE FROM ledger_positions WHERE tenant_id = ?1 AND place <> ?2");

static const struct id installation;

static void fingerprint(struct keeper *k, uint8_t ret[SHA256_BYTES])
{
	uint8_t key[ED25519_KEY_BYTES];
	keeper_public_key(k, key);
	sha256(key, sizeof key, ret);
}

static bool is_bytes(const struct db_rows *r, int column, const uint8_t want[SHA256_BYTES])
{
	size_t n;
	const void *p = db_blob(r, column, &n);
	return n == SHA256_BYTES && memcmp(p, want, n) == 0;
}

/* ---- at the start ---- */

struct rows {
	struct position own, newest;
	bool foreign;
};

static struct position read_position(const struct db_rows *r)
{
	size_t n;
	const void *hash = db_blob(r, 3, &n);
	struct position p = {.known = true, .sequence = (uint64_t)db_int(r, 2)};
	if (n == sizeof p.hash)
		memcpy(p.hash, hash, n);
	return p;
}

static enum err load_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct rows *all = arg;
	uint8_t place[SHA256_BYTES], key[SHA256_BYTES];
	auto_rows struct db_rows *r = NULL;
	*all = (struct rows){0};
	keeper_place(s->keeper, place);
	fingerprint(s->keeper, key);
	TRY(db_query(tx, &position_rows, DB_NOARGS, &r));
	while (db_next(r)) {
		struct position p = read_position(r);
		all->foreign = all->foreign || !is_bytes(r, 1, key);
		p.own = is_bytes(r, 0, place);
		if (p.own)
			all->own = p;
		if (!all->newest.known)
			all->newest = p;
	}
	return db_rows_err(r);
}

static enum err check_position(struct scope *s, const struct position *p)
{
	uint8_t hash[SHA256_BYTES] = {0};
	uint64_t size = keeper_ledger_size(s->keeper);
	if (p->sequence > size)
		return scope_fail(s, ERR_CONFIG,
				  "the erasure ledger ends at entry %" PRIu64 " and the database has followed it to entry %" PRIu64
				  ": this keeper is older than the database, and would bring back who was erased; put back the newest one",
				  size, p->sequence);
	if (p->sequence > 0)
		TRY(keeper_ledger_hash(s->keeper, s, p->sequence, hash));
	if (memcmp(hash, p->hash, sizeof hash) != 0)
		return scope_fail(s, ERR_CONFIG,
				  "entry %" PRIu64 " of the erasure ledger is not the one that the database has followed: the ledger is of another history",
				  p->sequence);
	return OK;
}

enum err position_load(struct scope *s, struct position *ret)
{
	struct rows all;
	TRY(db_read(s, load_tx, &all));
	if (all.foreign)
		return scope_fail(s, ERR_CONFIG, "the database belongs to another keeper: its erasures are not in this ledger");
	/* on SQLite nobody else can have served it since, so that the newest row always counts */
	*ret = all.own.known && db_engine(s->db) == DB_POSTGRES ? all.own : all.newest;
	return check_position(s, ret);
}

enum err position_set(struct db_tx *tx, uint64_t sequence, const uint8_t hash[SHA256_BYTES])
{
	struct scope *s = db_tx_scope(tx);
	uint8_t place[SHA256_BYTES], key[SHA256_BYTES];
	keeper_place(s->keeper, place);
	fingerprint(s->keeper, key);
	if (db_engine(s->db) == DB_SQLITE)
		TRY(db_exec(tx, &position_others_end, DB_ARGS(db_v_blob(place, sizeof place)), NULL));
	return db_exec(tx, &position_put,
		       DB_ARGS(db_v_blob(place, sizeof place), db_v_blob(key, sizeof key), db_v_int((int64_t)sequence),
			       db_v_blob(hash, SHA256_BYTES), db_v_int(s->now)),
		       NULL);
}

/* ---- while the server runs ---- */

static atomic_uint between; /* appended, not begun yet */
static atomic_bool gap;	    /* one was never begun */

void restore_entering(void) { atomic_fetch_add(&between, 1); }

void restore_entered(bool begun)
{
	if (!begun)
		atomic_store(&gap, true);
	atomic_fetch_sub(&between, 1);
}

struct head {
	uint64_t sequence;
	uint8_t hash[SHA256_BYTES];
	bool known;
};

static enum err own_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct head *h = arg;
	uint8_t place[SHA256_BYTES];
	auto_rows struct db_rows *r = NULL;
	keeper_place(s->keeper, place);
	TRY(db_query(tx, &position_own, DB_ARGS(db_v_blob(place, sizeof place)), &r));
	h->known = db_next(r) && (uint64_t)db_int(r, 0) >= h->sequence;
	return db_rows_err(r);
}

static enum err follow_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct head *h = arg;
	return position_set(tx, h->sequence, h->hash);
}

enum err restore_follow(struct scope *s)
{
	struct scope t;
	struct head h = {0};
	keeper_ledger_head(s->keeper, &h.sequence, h.hash); /* first: whoever appends later is seen below */
	if (h.sequence == 0 || atomic_load(&between) != 0 || atomic_load(&gap))
		return OK;
	scope_tenant(&t, s->arena, s->db, s->keeper, installation);
	TRY(db_read(&t, own_tx, &h));
	return h.known ? OK : db_write_low(&t, follow_tx, &h);
}
