/* SPDX-License-Identifier: Apache-2.0
 *
 * Terms and conditions, and who accepted which version.
 */
#include "devices/terms.h"

#include <stdio.h>
#include <string.h>

#include "resource/tables.h"

DB_TENANT(terms_list_all,
	  "SELECT terms_id, version, display_name, title, body_text, acceptance_statement "
	  "FROM terms_and_conditions WHERE tenant_id = ?1 ORDER BY terms_id");
DB_TENANT(terms_remove, "DELETE FROM terms_and_conditions WHERE tenant_id = ?1 AND terms_id = ?2");
DB_TENANT(acceptance_insert,
	  "INSERT INTO terms_acceptances (tenant_id, terms_id, user_id, version, accepted_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING");

/* What a person reads: a change of one of these is a new version. */
static const char *const READ_BY_PEOPLE[] = {"title", "bodyText", "acceptanceStatement"};

struct change {
	struct id terms;
	const struct record *record;
};

static enum err record_event(struct db_tx *tx, enum activity activity, struct id terms, const char *name,
			     const struct audit_change *changes)
{
	return audit_record(tx, &(struct audit_event){.activity = activity,
						      .resource_type = RES_TERMS.entity,
						      .resource = terms,
						      .resource_name = name,
						      .changes = changes});
}

static enum err create(struct scope *s, struct db_tx *tx, void *arg)
{
	struct change *q = arg;
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(record_insert(tx, q->record, q->terms, NULL, 0));
	record_changes_all(s->arena, q->record, true, &tail);
	return record_event(tx, ACT_TERMS_CREATE, q->terms, record_text(s->arena, q->record, "displayName"), changes);
}

enum err terms_create(struct scope *s, const struct record *r, struct id *ret)
{
	struct record *full = arena_memdup(s->arena, r, sizeof *r);
	record_set_int(full, "version", 1);
	record_set_int(full, "createdDateTime", s->now);
	record_set_int(full, "modifiedDateTime", s->now);
	*ret = scope_id(s);
	return db_write(s, create, &(struct change){*ret, full});
}

static bool reads_differently(struct arena *a, const struct record *old, const struct record *change)
{
	for (size_t i = 0; i < sizeof READ_BY_PEOPLE / sizeof READ_BY_PEOPLE[0]; i++) {
		if (!record_has(change, READ_BY_PEOPLE[i]))
			continue;
		if (strcmp(record_text(a, old, READ_BY_PEOPLE[i]), record_text(a, change, READ_BY_PEOPLE[i])) != 0)
			return true;
	}
	return false;
}

static enum err patch(struct scope *s, struct db_tx *tx, void *arg)
{
	struct change *q = arg;
	struct record *old, *change = arena_memdup(s->arena, q->record, sizeof *q->record);
	struct audit_change *changes = NULL, **tail = &changes;
	bool changed;
	TRY(record_load(tx, &RES_TERMS, q->terms, false, &old));
	record_set_int(change, "version",
		       record_int(old, "version") + (reads_differently(s->arena, old, change) ? 1 : 0));
	struct extra_column modified = {"modified_at", db_v_int(s->now)};
	TRY(record_update(tx, old, change, q->terms, &modified, 1, &tail, &changed));
	if (!changed)
		return OK;
	return record_event(tx, ACT_TERMS_UPDATE, q->terms, record_text(s->arena, old, "displayName"), changes);
}

enum err terms_patch(struct scope *s, struct id terms, const struct record *change)
{
	return db_write(s, patch, &(struct change){terms, change});
}

static enum err delete_terms(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id terms = *(struct id *)arg;
	struct record *old;
	struct audit_change *changes = NULL, **tail = &changes;
	TRY(record_load(tx, &RES_TERMS, terms, false, &old));
	TRY(db_exec(tx, &terms_remove, DB_ARGS(db_v_id(&terms)), NULL));
	record_changes_all(s->arena, old, false, &tail);
	return record_event(tx, ACT_TERMS_DELETE, terms, record_text(s->arena, old, "displayName"), changes);
}

enum err terms_delete(struct scope *s, struct id terms) { return db_write(s, delete_terms, &terms); }

static enum err exist(struct scope *s, struct db_tx *tx, void *arg)
{
	struct record *found;
	return record_load(tx, &RES_TERMS, *(struct id *)arg, false, &found);
}

enum err terms_exist(struct scope *s, struct id terms) { return db_read(s, exist, &terms); }

enum err terms_all(struct db_tx *tx, struct terms **ret, size_t *ret_n)
{
	struct arena *a = db_tx_scope(tx)->arena;
	size_t room = 0;
	auto_rows struct db_rows *r = NULL;
	*ret = NULL;
	*ret_n = 0;
	TRY(db_query(tx, &terms_list_all, DB_NOARGS, &r));
	while (db_next(r)) {
		if (*ret_n == room) {
			room = room == 0 ? 8 : 2 * room;
			struct terms *more = arena_alloc(a, room * sizeof *more);
			if (*ret_n > 0)
				memcpy(more, *ret, *ret_n * sizeof *more);
			*ret = more;
		}
		(*ret)[(*ret_n)++] = (struct terms){
			.terms = db_id(r, 0),
			.version = db_int(r, 1),
			.display_name = db_text_dup(r, 2, a),
			.title = db_text_dup(r, 3, a),
			.body_text = db_text_dup(r, 4, a),
			.acceptance_statement = db_text_dup(r, 5, a),
		};
	}
	return db_rows_err(r);
}

enum err terms_accept(struct db_tx *tx, struct id user, const struct terms *t)
{
	struct scope *s = db_tx_scope(tx);
	char version[24];
	int64_t inserted;
	struct audit_change *changes = NULL;
	TRY(db_exec(tx, &acceptance_insert,
		    DB_ARGS(db_v_id(&t->terms), db_v_id(&user), db_v_int(t->version), db_v_int(s->now)), &inserted));
	if (inserted == 0)
		return OK;
	snprintf(version, sizeof version, "%lld", (long long)t->version);
	audit_change_add(s->arena, &changes, "acceptedVersion", "terms_acceptances", "version", NULL, version);
	return audit_record(tx, &(struct audit_event){.activity = ACT_TERMS_ACCEPT,
						      .resource_type = RES_TERMS.entity,
						      .resource = t->terms,
						      .resource_name = t->display_name,
						      .subject = user,
						      .changes = changes});
}
