/* SPDX-License-Identifier: Apache-2.0
 * A log's names, and its head as the database has it. */
#include "audit/log/log.h"
#include "db/db.h"

DB_TENANT(audit_head_get, "SELECT size, signed_size, generation, checkpoint, signed_at FROM audit_heads WHERE tenant_id = ?1");

char *audit_log_name(struct arena *a, struct id tenant, unsigned generation)
{
	char text[ID_TEXT];
	id_format(tenant, text);
	return generation == 1 ? arena_strdup(a, text) : arena_printf(a, "%s.%u", text, generation);
}

char *audit_origin_of(struct arena *a, const char *host, struct id tenant, unsigned generation)
{
	return arena_printf(a, "%s/log/%s", host, audit_log_name(a, tenant, generation));
}

enum err audit_head_tx(struct db_tx *tx, struct audit_head_info *ret)
{
	auto_rows struct db_rows *r = NULL;
	*ret = (struct audit_head_info){.generation = 1};
	TRY(db_query_one(tx, &audit_head_get, DB_NOARGS, &r));
	ret->size = (uint64_t)db_int(r, 0);
	ret->signed_size = (uint64_t)db_int(r, 1);
	ret->generation = (unsigned)db_int(r, 2);
	ret->checkpoint = db_text_dup(r, 3, db_tx_scope(tx)->arena);
	ret->signed_at = db_int(r, 4);
	return OK;
}

static enum err load_head(struct scope *s, struct db_tx *tx, void *arg)
{
	return audit_head_tx(tx, arg);
}

enum err audit_head(struct scope *s, struct audit_head_info *ret)
{
	return db_read(s, load_head, ret);
}

enum err audit_checkpoint(struct scope *s, char **ret_note)
{
	struct audit_head_info h;
	enum err err = audit_head(s, &h);
	if (err == OK && h.checkpoint == NULL)
		err = ERR_NOT_FOUND;
	*ret_note = err == OK ? h.checkpoint : NULL;
	return err == ERR_NOT_FOUND ? scope_fail(s, err, "no checkpoint has been signed yet") : err;
}
