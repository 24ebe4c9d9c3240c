/* SPDX-License-Identifier: Apache-2.0
 * Suppression entries. */
#include "duty/suppression.h"

#include "keeper/keeper.h"

DB_TENANT(suppression_put,
	  "INSERT INTO suppressions (tenant_id, reference, created_at, expires_at) VALUES (?1, ?2, ?3, ?4) "
	  "ON CONFLICT (tenant_id, reference) DO UPDATE SET expires_at = excluded.expires_at WHERE suppressions.expires_at < excluded.expires_at");
DB_TENANT(suppression_drop, "DELETE FROM suppressions WHERE tenant_id = ?1 AND reference = ?2");
DB_TENANT(suppression_find, "SELECT 1 FROM suppressions WHERE tenant_id = ?1 AND reference = ?2 AND expires_at > ?3");

/* An id of 16 bytes and a digest of 32 cannot be taken for each other. */
static void reference_of(struct scope *s, const void *p, size_t n, uint8_t ret[SHA256_BYTES])
{
	keeper_reference(s->keeper, "object", p, n, ret);
}

enum err suppression_add(struct db_tx *tx, const struct duty *d, const void *p, size_t n)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t reference[SHA256_BYTES];
	int64_t gone = s->now > d->copies_deadline_at ? s->now : d->copies_deadline_at;
	int64_t end = gone + (keeper_backup_days(s->keeper) + 1) * DAY_US;
	reference_of(s, p, n, reference);
	return db_exec(tx, &suppression_put, DB_ARGS(db_v_blob(reference, sizeof reference), db_v_int(s->now), db_v_int(end)), NULL);
}

enum err suppression_remove(struct db_tx *tx, const void *p, size_t n)
{
	uint8_t reference[SHA256_BYTES];
	reference_of(db_tx_scope(tx), p, n, reference);
	return db_exec(tx, &suppression_drop, DB_ARGS(db_v_blob(reference, sizeof reference)), NULL);
}

enum err suppression_check(struct db_tx *tx, const void *p, size_t n, bool *ret)
{
	struct scope *s = db_tx_scope(tx);
	uint8_t reference[SHA256_BYTES];
	auto_rows struct db_rows *r = NULL;
	reference_of(s, p, n, reference);
	enum err e = db_query_one(tx, &suppression_find, DB_ARGS(db_v_blob(reference, sizeof reference), db_v_int(s->now)), &r);
	*ret = e == OK;
	return e == ERR_NOT_FOUND ? OK : e;
}
