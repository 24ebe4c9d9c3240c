/* SPDX-License-Identifier: Apache-2.0
 *
 * A database that went back.  What the keeper has signed is held against what the database says; where the database is older, or is not
 * the one that was signed, the log goes on under a new origin, and an event in it names the last head under the old one.  Which cases there
 * are and why this holds I3: docs/decisions/0009.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "audit/commitment.h"
#include "audit/log/files.h"
#include "audit/log/internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "codec/base64.h"
#include "keeper/keeper.h"
#include "tlog/note.h"

DB_GLOBAL_PG(audit_place_now, "SELECT NULL, 0", /* only PostgreSQL has replicas and several servers */
	     "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '/' || "
	     "(SELECT oid FROM pg_database WHERE datname = current_database()), "
	     "coalesce((SELECT fence FROM leases WHERE name = 'sequencer'), 0)");
DB_GLOBAL(audit_head_row, "SELECT " LOG_ROW_COLUMNS " FROM audit_heads h WHERE h.tenant_id = ?1");
DB_GLOBAL(audit_head_ids, "SELECT tenant_id FROM audit_heads WHERE tenant_id > ?1 ORDER BY tenant_id LIMIT ?2");
DB_GLOBAL(audit_tenant_state, "SELECT state FROM tenants WHERE tenant_id = ?1");
DB_TENANT(audit_head_restart,
	  "INSERT INTO audit_heads (tenant_id, size, signed_size, generation, place, restarted_at) VALUES (?1, ?2, 0, ?3, ?4, ?5) "
	  "ON CONFLICT (tenant_id) DO UPDATE SET signed_size = 0, checkpoint = NULL, signed_at = NULL, generation = excluded.generation, "
	  "place = excluded.place, restarted_at = excluded.restarted_at");
DB_TENANT(audit_cosignatures_end, "DELETE FROM audit_cosignatures WHERE tenant_id = ?1");
DB_TENANT(audit_head_current, "SELECT size, signed_size, generation FROM audit_heads WHERE tenant_id = ?1");

enum { HEADS_PAGE = 256 };

/* ---- what was signed ---- */

struct collect {
	const char *host;
	struct signed_heads *all;
	size_t cap;
};

static bool parse_origin(const char *origin, const char *host, struct signed_head *ret)
{
	size_t n = strlen(host); /* one of another public name has ended with that */
	return strncmp(origin, host, n) == 0 && strncmp(origin + n, "/log/", 5) == 0 &&
	       audit_log_name_parse(origin + n + 5, &ret->tenant, &ret->generation);
}

static void collect_one(void *arg, const char *origin, uint64_t size, const uint8_t root[SHA256_BYTES])
{
	struct collect *c = arg;
	struct signed_head h = {.size = size};
	c->all->keeper_is_new = false;
	if (!parse_origin(origin, c->host, &h))
		return;
	memcpy(h.root, root, sizeof h.root);
	if (c->all->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 256;
		c->all->at = reallocarray(c->all->at, c->cap, sizeof *c->all->at);
		check(c->all->at != NULL);
	}
	c->all->at[c->all->n++] = h;
}

static int by_tenant(const void *a, const void *b)
{
	const struct signed_head *x = a, *y = b;
	int order = memcmp(&x->tenant, &y->tenant, sizeof x->tenant);
	return order != 0 ? order : x->generation < y->generation ? -1 : x->generation > y->generation;
}

void audit_signed_heads(struct scope *s, const char *host, struct signed_heads *ret)
{
	*ret = (struct signed_heads){.keeper_is_new = true};
	struct collect c = {.host = host, .all = ret};
	keeper_heads_each(s->keeper, collect_one, &c);
	if (ret->n == 0)
		return;
	qsort(ret->at, ret->n, sizeof *ret->at, by_tenant);
	size_t n = 0;
	for (size_t i = 0; i < ret->n; i++) /* the last of each tenant is its newest */
		if (i + 1 == ret->n || !id_equal(ret->at[i].tenant, ret->at[i + 1].tenant))
			ret->at[n++] = ret->at[i];
	ret->n = n;
	struct signed_head *copy = arena_memdup(s->arena, ret->at, n * sizeof *copy);
	free(ret->at);
	ret->at = copy;
}

static int to_tenant(const void *key, const void *of)
{
	return memcmp(key, &((const struct signed_head *)of)->tenant, sizeof(struct id));
}

struct signed_head *audit_signed_head(const struct signed_heads *all, struct id tenant)
{
	return all->n == 0 ? NULL : bsearch(&tenant, all->at, all->n, sizeof *all->at, to_tenant);
}

/* ---- what the database says ---- */

enum err audit_log_place(struct db_tx *tx, struct log_place *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &audit_place_now, DB_NOARGS, &r));
	ret->name = db_text_dup(r, 0, db_tx_scope(tx)->arena);
	ret->shared = db_int(r, 1) > 1;
	return OK;
}

struct log_row audit_log_row(const struct db_rows *r, struct arena *a)
{
	const char *state = db_text(r, 6);
	struct log_row log = {
		.tenant = db_id(r, 0), .there = true, .size = (uint64_t)db_int(r, 1), .signed_size = (uint64_t)db_int(r, 2),
		.generation = (unsigned)db_int(r, 3), .place = db_text_dup(r, 4, a), .checkpoint = db_text_dup(r, 5, a),
		.leaving = state == NULL || strcmp(state, "purging") == 0,
	};
	return log;
}

static enum err is_tenant(struct db_tx *tx, struct id tenant, bool *ret)
{
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &audit_tenant_state, DB_ARGS(db_v_id(&tenant)), &r);
	*ret = e == OK && strcmp(db_text(r, 0), "purging") != 0;
	return e == ERR_NOT_FOUND ? OK : e;
}

/* A row that is missing stands for an empty log of no generation, where there is such a tenant. */
static enum err load_row(struct db_tx *tx, struct id tenant, struct log_row *ret)
{
	bool there;
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &audit_head_row, DB_ARGS(db_v_id(&tenant)), &r);
	if (e == OK)
		*ret = audit_log_row(r, db_tx_scope(tx)->arena);
	if (e != ERR_NOT_FOUND)
		return e;
	TRY(is_tenant(tx, tenant, &there));
	*ret = (struct log_row){.tenant = tenant, .leaving = !there};
	return there ? audit_tiles_count(&(struct audit_tiles){tx, tenant}, &ret->size) : OK;
}

/* Whether the tree at the size that was signed last is the one that was signed. */
static enum err compare_roots(struct db_tx *tx, const struct log_row *log, const struct signed_head *head, enum log_verdict *ret)
{
	uint8_t root[SHA256_BYTES];
	struct audit_tiles tiles = {tx, log->tenant};
	struct tile_tree tree = audit_tiles_tree_of(&tiles, head->size);
	struct arena_mark mark = arena_mark(db_tx_scope(tx)->arena);
	enum err e = tile_tree_root(&tree, root);
	arena_rewind(db_tx_scope(tx)->arena, mark);
	if (e == ERR_NOT_FOUND)
		*ret = log->leaving ? LOG_CONTINUES : LOG_TILES_MISSING;
	else if (e == OK)
		*ret = bytes_equal(root, head->root, SHA256_BYTES) ? LOG_CONTINUES : LOG_FORKED;
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err audit_judge(struct db_tx *tx, const struct log_row *log, const struct signed_head *newest, const struct log_place *place,
		     enum log_verdict *ret)
{
	const struct signed_head *head = newest != NULL && newest->generation == log->generation ? newest : NULL;
	*ret = LOG_CONTINUES;
	if (!log->there && log->leaving)
		return OK; /* purged: nothing goes on */
	if (newest != NULL && newest->generation > log->generation)
		*ret = LOG_OLDER;
	else if (head != NULL && head->size > log->size)
		*ret = LOG_SHORTER;
	else if (place->shared && log->place != NULL && place->name != NULL && strcmp(log->place, place->name) != 0)
		*ret = LOG_ELSEWHERE; /* another server may have signed more than this keeper and this database know */
	else if (head != NULL)
		return compare_roots(tx, log, head, ret);
	return OK;
}

/* ---- a new origin ---- */

struct restart {
	const char *host, *cause, *place;
	bool shared;
	struct log_row log; /* as it was judged */
	struct signed_head old;
	unsigned generation; /* out: the new one; 0: the log has gone on meanwhile */
};

/* Servers that know nothing of each other must not choose the same number: there it is the time, in tens of seconds. */
static unsigned next_generation(const struct restart *r, int64_t now)
{
	unsigned next = (r->old.generation > r->log.generation ? r->old.generation : r->log.generation) + 1;
	unsigned time = (unsigned)(now / (10 * SECOND_US));
	return r->shared && time > next ? time : next;
}

static enum err record_restart(struct db_tx *tx, const struct restart *r)
{
	char size[24], had[24];
	struct scope *s = db_tx_scope(tx);
	struct audit_change *changes = NULL, **tail = &changes;
	bool was_signed = r->old.generation > 0;
	const char *old = was_signed ? audit_origin_of(s->arena, r->host, s->tenant, r->old.generation) : NULL;
	const char *now = audit_origin_of(s->arena, r->host, s->tenant, r->generation);
	snprintf(size, sizeof size, "%llu", (unsigned long long)r->old.size);
	snprintf(had, sizeof had, "%llu", (unsigned long long)r->log.size);
	tail = audit_change_add(s->arena, tail, "origin", NULL, NULL, old, now);
	tail = audit_change_add(s->arena, tail, "size", NULL, NULL, was_signed ? size : NULL, had);
	tail = audit_change_add(s->arena, tail, "rootHash", NULL, NULL,
				was_signed ? base64_encode(s->arena, r->old.root, sizeof r->old.root) : NULL, NULL);
	audit_change_add(s->arena, tail, "cause", NULL, NULL, NULL, r->cause);
	return audit_record(tx, &(struct audit_event){.activity = ACT_AUDIT_RESTORED, .resource_type = "AuditLog", .resource_name = now,
						      .changes = changes});
}

/* Once, whoever finds it first and however often it is tried: the generation that was judged must still be the row's. */
static enum err restart_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct restart *r = arg;
	auto_rows struct db_rows *row = NULL;
	r->generation = 0;
	enum err e = db_query_one(tx, &audit_head_current, DB_NOARGS, &row);
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if ((e == OK) != r->log.there || (e == OK && (unsigned)db_int(row, 2) != r->log.generation))
		return OK;
	r->generation = next_generation(r, s->now);
	TRY(db_exec(tx, &audit_head_restart, DB_ARGS(db_v_int((int64_t)r->log.size), db_v_int(r->generation), db_v_text(r->place), db_v_int(s->now)), NULL));
	TRY(db_exec(tx, &audit_cosignatures_end, DB_NOARGS, NULL));
	return record_restart(tx, r);
}

/* t: a scope of the tenant. */
static enum err restart(struct scope *t, struct restart *r)
{
	TRY(db_write(t, restart_tx, r));
	if (r->generation > 0)
		log_event(LOG_ERROR, "audit_log_restored", "old_origin=%s signed_size=%llu database_size=%llu new_origin=%s cause=\"%s\"",
			  r->old.generation > 0 ? audit_origin_of(t->arena, r->host, t->tenant, r->old.generation) : "none",
			  (unsigned long long)r->old.size, (unsigned long long)r->log.size,
			  audit_origin_of(t->arena, r->host, t->tenant, r->generation), r->cause);
	return OK;
}

bool audit_checkpoint_root(struct scope *s, const char *note, struct checkpoint *ret)
{
	const char *end = note != NULL ? strstr(note, "\n\n") : NULL;
	return end != NULL && checkpoint_parse(s, arena_strndup(s->arena, note, (size_t)(end + 1 - note)), ret) == OK;
}

/* The last head that is known: the keeper's, or the published one where another server's keeper was ahead. */
static struct signed_head last_head(struct scope *s, const struct log_row *log, const struct signed_head *newest)
{
	struct checkpoint c;
	struct signed_head head = newest != NULL ? *newest : (struct signed_head){0};
	if (head.generation > log->generation || !audit_checkpoint_root(s, log->checkpoint, &c))
		return head;
	if (head.generation == log->generation && head.size >= c.size)
		return head;
	head = (struct signed_head){.tenant = log->tenant, .generation = log->generation, .size = c.size};
	memcpy(head.root, c.root, sizeof head.root);
	return head;
}

/* ---- one log ---- */

struct judged {
	struct log_row log;
	const struct signed_head *newest;
	struct log_place place;
	enum log_verdict verdict;
	struct id tenant;
};

static enum err judge_alone(struct scope *s, struct db_tx *tx, void *arg)
{
	struct judged *j = arg;
	TRY(audit_log_place(tx, &j->place));
	TRY(load_row(tx, j->tenant, &j->log));
	return audit_judge(tx, &j->log, j->newest, &j->place, &j->verdict);
}

static const char *cause_of(const struct log_row *log, enum log_verdict v)
{
	static const char *const causes[] = {
		[LOG_OLDER] = "the database knows an older origin only", [LOG_SHORTER] = "the database is shorter than what was signed",
		[LOG_ELSEWHERE] = "the database is another than that in which the log was signed, and it has several servers",
		[LOG_FORKED] = "the database is not what was signed",
		[LOG_KEEPER_NEW] = "the keeper is a new one and has no heads: what was signed last is not known"};
	return log->there ? causes[v] : "the log's head is missing in the database";
}

static enum err settle_restart(struct scope *s, const char *host, struct judged *j)
{
	struct scope t;
	scope_tenant(&t, s->arena, s->db, s->keeper, j->tenant);
	bool unknown = j->place.shared || j->verdict == LOG_KEEPER_NEW; /* which numbers were given before */
	struct restart r = {.host = host, .cause = cause_of(&j->log, j->verdict), .place = j->place.name, .shared = unknown, .log = j->log,
			    .old = last_head(s, &j->log, j->newest)};
	enum err e = restart(&t, &r);
	s->detail = s->detail != NULL ? s->detail : t.detail;
	return e;
}

enum err audit_settle(struct scope *s, const char *host, struct id tenant, const struct signed_heads *all)
{
	struct judged j = {.tenant = tenant, .newest = audit_signed_head(all, tenant)};
	TRY(db_read(s, judge_alone, &j));
	if (j.verdict == LOG_TILES_MISSING || j.verdict == LOG_FORKED) { /* rows above the commitments may be what is wrong */
		TRY(audit_tiles_rebuild(s, tenant, j.log.size, true));
		TRY(db_read(s, judge_alone, &j));
	}
	/* a keeper from its second place, which holds no heads: the lost one may have signed more than this database knows */
	if (j.verdict == LOG_CONTINUES && all->keeper_is_new && j.log.signed_size > 0 && !j.place.shared)
		j.verdict = LOG_KEEPER_NEW;
	if (j.verdict == LOG_CONTINUES)
		return OK;
	if (j.verdict == LOG_TILES_MISSING)
		return scope_fail(s, ERR_CONFLICT, "the log has %llu events, and its tiles have fewer", (unsigned long long)j.log.size);
	return settle_restart(s, host, &j);
}

struct mend {
	struct id tenant;
	struct log_row log;
	bool complete;
};

static enum err look_at_tiles(struct scope *s, struct db_tx *tx, void *arg)
{
	struct mend *m = arg;
	TRY(load_row(tx, m->tenant, &m->log));
	m->complete = m->log.leaving;
	return m->complete ? OK : audit_tiles_complete(&(struct audit_tiles){tx, m->tenant}, m->log.size, &m->complete);
}

enum err audit_mend_tiles(struct scope *s, struct id tenant)
{
	char text[ID_TEXT];
	struct mend m = {.tenant = tenant};
	TRY(db_read(s, look_at_tiles, &m));
	if (m.complete)
		return OK;
	log_event(LOG_WARN, "audit_tiles_rebuilt", "tenant=%s size=%llu", id_format(tenant, text), (unsigned long long)m.log.size);
	return audit_tiles_rebuild(s, tenant, m.log.size, false);
}

void audit_damaged(struct scope *s, struct id tenant)
{
	char text[ID_TEXT];
	log_event(LOG_ERROR, "audit_log_damaged", "tenant=%s detail=\"%s\"", id_format(tenant, text), scope_detail(s, ERR_CONFLICT));
	s->detail = NULL; /* the next log's is another */
}

/* ---- all of them ---- */

struct id_page {
	struct id after;
	bool first;
	struct id id[HEADS_PAGE];
	size_t n;
};

static enum err load_ids(struct scope *s, struct db_tx *tx, void *arg)
{
	struct id_page *p = arg;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_head_ids, DB_ARGS(db_v_blob(&p->after, p->first ? 0 : sizeof p->after), db_v_int(HEADS_PAGE)), &r));
	for (p->n = 0; db_next(r); p->n++)
		p->id[p->n] = db_id(r, 0);
	return db_rows_err(r);
}

/* What is wrong with one log stops neither the others nor the server: it is loud, and the log is not signed any more. */
static enum err check_one(struct scope *s, const char *host, struct id tenant, const struct signed_heads *all)
{
	struct arena_mark mark = arena_mark(s->arena);
	enum err e = audit_mend_tiles(s, tenant);
	if (e == OK)
		e = audit_settle(s, host, tenant, all);
	if (e == ERR_CONFLICT) {
		audit_damaged(s, tenant);
		e = OK;
	}
	if (e == OK)
		arena_rewind(s->arena, mark);
	return e;
}

enum err audit_check_heads(struct scope *s, const char *host)
{
	struct signed_heads all;
	struct id_page *p = arena_alloc(s->arena, sizeof *p);
	audit_signed_heads(s, host, &all);
	p->first = true;
	do {
		TRY(db_read(s, load_ids, p));
		for (size_t i = 0; i < p->n; i++) {
			struct signed_head *h = audit_signed_head(&all, p->id[i]);
			if (h != NULL)
				h->seen = true;
			TRY(check_one(s, host, p->id[i], &all));
		}
		if (p->n > 0)
			p->after = p->id[p->n - 1];
		p->first = false;
	} while (p->n == HEADS_PAGE);
	for (size_t i = 0; i < all.n; i++)
		if (!all.at[i].seen) /* its row is missing */
			TRY(check_one(s, host, all.at[i].tenant, &all));
	return OK;
}

/* ---- a witness knows more ---- */

enum err audit_restored_by_witness(struct scope *s, const char *host, unsigned generation, uint64_t witness_size, const char *witness,
				   bool *ret_restored)
{
	struct signed_heads all;
	struct scope system;
	scope_system(&system, s->arena, s->db, s->keeper);
	audit_signed_heads(s, host, &all);
	struct judged j = {.tenant = s->tenant, .newest = audit_signed_head(&all, s->tenant)};
	bool ignored;
	ret_restored = ret_restored != NULL ? ret_restored : &ignored;
	*ret_restored = false;
	TRY(db_read(&system, judge_alone, &j));
	if (!j.log.there || j.log.generation != generation || j.log.signed_size >= witness_size ||
	    (j.newest != NULL && j.newest->generation == generation && j.newest->size >= witness_size))
		return OK;
	struct restart r = {.host = host, .place = j.place.name, .shared = j.place.shared, .log = j.log,
			    .old = last_head(s, &j.log, j.newest)};
	r.cause = arena_printf(s->arena, "the witness %s has seen size %llu", witness, (unsigned long long)witness_size);
	TRY(restart(s, &r));
	*ret_restored = r.generation > 0;
	return OK;
}
