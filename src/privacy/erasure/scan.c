/* SPDX-License-Identifier: Apache-2.0
 *
 * From deleted to the proof: one scrub and one scan for all duties that wait.  Every needle that is found is attributed
 * to a table:
 *
 *   audit_events       allowed, and counted: the event is within its retention
 *   dead space         of a table's page, or a page of no table: the store is scrubbed once more and read again; then a residue
 *   sqlite_schema      allowed: it is the text of our own schema, and a person may be called "closing"
 *   any other table    a residue, unless rows that live there hold the same text: another person of that name, a serial
 *                      number that a vendor gave to many; then it is not the subject's alone.  An id or a mail address
 *                      in text of the same tenant that the map links to nobody (a group's description) is a residue all
 *                      the same: somebody must remove it.
 *   a file of ours     a residue (files.c says which are read)
 *
 * A residue moves the duty to failed, naming table or file and column, never the value.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "keeper/keeper.h"
#include "privacy/erasure/erasure.h"
#include "privacy/erasure/internal.h"

enum { NEEDLE_MIN = 4, ROUNDS = 2, REST = 5 };

/* To scrub and read a large store is dear: the next time waits some times as long as the last one took. */
static _Atomic int64_t rest_until;

struct batch {
	const struct erasure *e;
	struct erase_job *const *jobs;
	size_t job_n;
	struct needles *needles; /* of each job */
	struct db_needle *all;
	size_t n;
	struct db_hit *hits;
	size_t hit_n;
	struct file_hit *files;
	size_t file_n;
	const char **touched; /* tables that may hold bytes of the subjects */
	size_t touched_n;
	bool rewritten, scanned;
	int64_t done_at; /* when scrub and scan ended: of a large store, minutes after the run began */
};

/* ---- scrubbing ---- */

static void touch(struct batch *b, const char *table)
{
	size_t i = 0;
	while (i < b->touched_n && strcmp(b->touched[i], table) != 0)
		i++;
	if (i == b->touched_n)
		b->touched[b->touched_n++] = table;
}

static bool any_row(const json_t *row)
{
	return json_integer_value(json_object_get(row, "found")) + json_integer_value(json_object_get(row, "deleted")) +
		       json_integer_value(json_object_get(row, "changed")) > 0;
}

/* What PostgreSQL rewrites.  Events of the log are rewritten by the retention job, but for those of a tenant that went whole. */
static void touch_planned(struct batch *b)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	b->touched = arena_alloc(b->e->system->arena, (n + 1) * sizeof *b->touched);
	touch(b, "duties");
	for (size_t i = 0; i < b->job_n; i++)
		for (size_t k = 0; k < n; k++) {
			bool of_log = t[k].domain == MAP_DOMAIN_LOG && !subject_names(&t[k]);
			bool whole = tenant_goes_whole(b->jobs[i]);
			if (of_log ? whole : any_row(json_object_get(json_object_get(b->jobs[i]->progress, "tables"), t[k].name)))
				touch(b, t[k].name);
		}
}

static enum err scrub(struct batch *b)
{
	enum err err = db_scrub(b->e->system->db, b->touched, b->touched_n);
	b->rewritten = err == OK;
	/* without its owner's connection PostgreSQL's own vacuum comes later */
	return err == ERR_NOT_IMPLEMENTED ? OK : err;
}

/* ---- whose text is it ---- */

struct lookup {
	const struct map_table *table;
	const struct needle *needle;
	bool of_tenant; /* only rows of the scope's tenant */
	bool lives;
};

static void bytes_hold(struct buf *sql, enum db_engine engine, const struct map_column *c, int parameter)
{
	bool bytes = c->type == MAP_TYPE_ID || c->type == MAP_TYPE_BLOB || c->type == MAP_TYPE_SEALED;
	if (engine == DB_SQLITE)
		buf_printf(sql, "instr(CAST(t.%s AS BLOB), ?%d) > 0", c->name, parameter);
	else if (bytes)
		buf_printf(sql, "position(CAST(?%d AS bytea) IN t.%s) > 0", parameter, c->name);
	else
		buf_printf(sql, "position(CAST(?%d AS bytea) IN convert_to(CAST(t.%s AS text), 'UTF8')) > 0", parameter, c->name);
}

/* Whether a row that is there holds the needle in any column.  One pass over one table, only after a hit. */
static enum err lookup_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct lookup *l = arg;
	size_t n;
	const struct map_column *c = map_table_columns(l->table, &n);
	auto_buf sql;
	buf_init(&sql, 32 * KIB);
	buf_printf(&sql, "SELECT 1 FROM %s t WHERE %s(", l->table->name, l->of_tenant ? "t.tenant_id = ?1 AND " : "");
	for (size_t i = 0; i < n; i++) {
		buf_adds(&sql, i > 0 ? " OR " : "");
		bytes_hold(&sql, db_engine(s->db), &c[i], l->of_tenant ? 2 : 1);
	}
	buf_adds(&sql, ") LIMIT 1");
	struct db_value value = db_v_blob(l->needle->p, l->needle->n);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, l->of_tenant ? DB_REACH_TENANT : DB_REACH_GLOBAL,
			  arena_strndup(s->arena, sql.data, sql.len), &value, 1, &r));
	l->lives = db_next(r);
	return db_rows_err(r);
}

static bool of_retention(const char *table)
{
	const struct map_table *t = map_table(table);
	return t != NULL && t->erase == MAP_TABLE_RETENTION;
}

static enum err is_residue(struct erase_job *j, const struct needle *needle, const char *table, bool *ret)
{
	struct lookup l = {.table = map_table(table), .needle = needle};
	*ret = strcmp(table, "sqlite_schema") != 0 && !of_retention(table);
	if (strcmp(table, "pg_statistic") == 0) /* made anew from rows that live: others' names may stand there */
		*ret = needle->strong;
	if (!*ret || l.table == NULL)
		return OK;
	if (needle->strong && l.table->link == MAP_LINK_NONE && map_column(table, "tenant_id") != NULL) {
		l.of_tenant = true;
		TRY(db_read(&j->s, lookup_tx, &l));
		if (l.lives)
			return OK;
		l.of_tenant = false;
	}
	TRY(db_read(j->e->system, lookup_tx, &l));
	*ret = !l.lives;
	return OK;
}

/* Dead space of SQLite is blank, whoever's bytes they were.  What PostgreSQL's log and temporary files hold may be of rows that live: there only
 * what is the subject's alone counts. */
static enum err hit_is_residue(struct erase_job *j, const struct needle *needle, const struct db_hit *h, bool *ret)
{
	*ret = needle->strong || db_engine(j->s.db) == DB_SQLITE;
	return h->dead ? OK : is_residue(j, needle, h->table, ret);
}

/* ---- one duty's verdict ---- */

static enum err failed_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	json_object_set_new(j->progress, "from", json_string(duty_state_name(DUTY_deleted)));
	TRY(progress_save(tx, j));
	return duty_move(tx, j->d.duty, DUTY_deleted, DUTY_failed,
			 json_string_value(json_object_get(j->progress, "residue")));
}

static enum err scanned_tx(struct scope *s, struct db_tx *tx, void *arg) { return progress_save(tx, arg); }

static enum err fail_with_residue(struct erase_job *j, const struct needle *needle, const char *where)
{
	char duty[ID_TEXT];
	const char *text = arena_printf(j->s.arena, "after scrubbing, the bytes of %s still stand in %s",
					needle->source, where);
	log_event(LOG_ERROR, "erasure_residue", "duty=%s identifier=%s found=\"%s\"", id_format(j->d.duty, duty),
		  needle->source, where);
	json_object_set_new(j->progress, "residue", json_string(text));
	return db_write_low(&j->s, failed_tx, j);
}

static const char *where_of(struct arena *a, const struct db_hit *h)
{
	if (*h->table == '\0')
		return "a page of no table";
	return h->dead ? arena_printf(a, "dead space of %s", h->table) : h->table;
}

/* The needle that the hit is of, where it is one of the duty's; `first`: where those begin in the batch's list. */
static const struct needle *of_mine(const struct needles *mine, size_t first, size_t needle)
{
	return needle >= first && needle < first + mine->n ? &mine->v[needle - first] : NULL;
}

static enum err find_residue(struct erase_job *j, const struct needles *mine, size_t first, const struct batch *b, bool *ret_failed)
{
	int64_t in_events = 0;
	*ret_failed = true;
	for (size_t i = 0; i < b->hit_n; i++) {
		const struct db_hit *h = &b->hits[i];
		const struct needle *needle = of_mine(mine, first, h->needle);
		bool residue;
		if (needle == NULL)
			continue;
		TRY(hit_is_residue(j, needle, h, &residue));
		if (residue && strcmp(h->table, "pg_wal") == 0)
			return scope_fail(&j->s, ERR_BUSY, "a standby, an archive or a slot keeps the write-ahead log from being written over");
		if (residue)
			return fail_with_residue(j, needle, where_of(j->s.arena, h));
		if (of_retention(h->table) && !h->dead)
			in_events += (int64_t)h->hits;
	}
	for (size_t i = 0; i < b->file_n; i++) {
		const struct needle *needle = of_mine(mine, first, b->files[i].needle);
		if (needle != NULL)
			return fail_with_residue(j, needle, arena_printf(j->s.arena, "the file %s", b->files[i].path));
	}
	progress_set_int(j, "auditHits", in_events);
	*ret_failed = false;
	return OK;
}

static const char *method_of(const struct batch *b)
{
	bool sqlite = db_engine(b->e->system->db) == DB_SQLITE;
	if (b->scanned)
		return sqlite ? "rowDelete+scrub+byteScan" : "rowDelete+rewrite+byteScan";
	return b->rewritten ? "rowDelete+rewrite+walPosition" : "rowDelete";
}

static enum err judge(struct erase_job *j, const struct needles *mine, size_t first, const struct batch *b)
{
	bool failed;
	TRY(find_residue(j, mine, first, b, &failed));
	if (failed)
		return OK;
	json_object_set_new(j->progress, "method", json_string(method_of(b)));
	progress_set_int(j, "needles", b->scanned ? (int64_t)mine->n : 0);
	progress_set_int(j, "scrubbedAt", b->done_at);
	TRY(certificate_collect(j, mine));
	struct id certificate = scope_id(&j->s);
	char text[ID_TEXT];
	json_object_set_new(j->progress, "certificateId", json_string(id_format(certificate, text)));
	return db_write_low(&j->s, scanned_tx, j);
}

/* ---- all of them ---- */

/* Where the write-ahead log of PostgreSQL stands now that the tables are rewritten: who has replayed that far has nothing older. */
static enum err note_position(struct batch *b)
{
	struct db_wal wal;
	enum err err = db_wal_position(b->e->system->db, b->e->system->arena, &wal);
	if (err != OK || wal.position == NULL)
		return err == ERR_NOT_IMPLEMENTED ? OK : err;
	for (size_t i = 0; i < b->job_n; i++) {
		json_t *standbys = json_array();
		for (size_t k = 0; k < wal.standby_n; k++)
			json_array_append_new(standbys, json_pack("{s:s, s:s?, s:b}", "name", wal.standbys[k].name, "replayedPosition",
								  wal.standbys[k].replayed, "behind", wal.standbys[k].behind));
		json_object_set_new(b->jobs[i]->progress, "walPosition", json_pack("{s:s, s:o}", "position", wal.position, "standbys", standbys));
	}
	return OK;
}

/* Files hold words of our own and of the organisation: only ids and mail addresses are looked for in them. */
static enum err search_files(struct batch *b)
{
	size_t used = 0, at = 0;
	struct arena *a = b->e->system->arena;
	struct db_needle *strong = arena_alloc(a, (b->n + 1) * sizeof *strong);
	size_t *index = arena_alloc(a, (b->n + 1) * sizeof *index);
	for (size_t i = 0; i < b->job_n; i++)
		for (size_t k = 0; k < b->needles[i].n; k++, at++)
			if (b->needles[i].v[k].strong) {
				strong[used] = b->all[at];
				index[used++] = at;
			}
	TRY(erasure_files_search(b->e->data_dir, b->e->system->db, a, strong, used, &b->files, &b->file_n));
	for (size_t i = 0; i < b->file_n; i++)
		b->files[i].needle = index[b->files[i].needle];
	return OK;
}

static enum err load_needles(struct batch *b)
{
	size_t total = 0, at = 0;
	struct arena *a = b->e->system->arena;
	b->needles = arena_alloc(a, b->job_n * sizeof *b->needles);
	for (size_t i = 0; i < b->job_n; i++) {
		TRY(needles_get(b->jobs[i], &b->needles[i]));
		total += b->needles[i].n;
	}
	b->all = arena_alloc(a, (total + 1) * sizeof *b->all);
	for (size_t i = 0; i < b->job_n; i++)
		for (size_t k = 0; k < b->needles[i].n; k++) {
			const struct needle *v = &b->needles[i].v[k];
			check(v->n >= NEEDLE_MIN);
			b->all[at++] = (struct db_needle){.p = v->p, .n = v->n};
		}
	b->n = at;
	return OK;
}

static enum err residue_of_anybody(struct batch *b, const struct db_hit *h, bool *ret)
{
	size_t first = 0;
	*ret = false;
	for (size_t i = 0; i < b->job_n && !*ret; i++) {
		const struct needle *needle = of_mine(&b->needles[i], first, h->needle);
		if (needle != NULL)
			TRY(hit_is_residue(b->jobs[i], needle, h, ret));
		first += b->needles[i].n;
	}
	return OK;
}

/* Whether another round may help: dead space, and a table of PostgreSQL that nobody planned to rewrite (its files do not say which of their rows
 * live).  What lives and is found in SQLite stays found. */
static enum err another_round(struct batch *b, bool *ret)
{
	bool residue, rewrites = db_engine(b->e->system->db) == DB_POSTGRES;
	*ret = false;
	for (size_t i = 0; i < b->hit_n; i++) {
		const struct map_table *t = map_table(b->hits[i].table);
		if (!b->hits[i].dead && !rewrites)
			continue;
		TRY(residue_of_anybody(b, &b->hits[i], &residue));
		if (residue && t != NULL)
			touch(b, t->name);
		*ret |= residue;
	}
	return OK;
}

static enum err scrub_and_scan(struct batch *b)
{
	for (int round = 0; round < ROUNDS; round++) {
		TRY(scrub(b));
		if (!b->rewritten)
			return OK; /* what was deleted is there, and no search is needed to know it */
		enum err err = db_scan_tables(b->e->system->db, b->e->system->arena, b->all, b->n, &b->hits, &b->hit_n);
		b->scanned = err == OK;
		if (err == ERR_NOT_IMPLEMENTED)
			return OK;
		TRY(err);
		bool again;
		TRY(another_round(b, &again));
		if (!again)
			return OK;
	}
	return OK;
}

enum err erasure_scrub(const struct erasure *e, struct erase_job *const *jobs, size_t n)
{
	struct batch b = {.e = e, .jobs = jobs, .job_n = n};
	if (clock_monotonic() < atomic_load(&rest_until))
		return ERR_BUSY;
	int64_t began = clock_monotonic();
	TRY(load_needles(&b));
	touch_planned(&b);
	TRY(scrub_and_scan(&b));
	TRY(note_position(&b));
	TRY(search_files(&b));
	int64_t took = clock_monotonic() - began;
	if (took > SECOND_US)
		atomic_store(&rest_until, clock_monotonic() + REST * took);
	b.done_at = e->system->now + took;
	size_t first = 0;
	enum err waits = OK;
	for (size_t i = 0; i < n; i++) {
		enum err err = judge(jobs[i], &b.needles[i], first, &b);
		if (err != OK && err != ERR_BUSY)
			return err;
		if (err == ERR_BUSY) { /* it holds up no other */
			char duty[ID_TEXT];
			log_event(LOG_WARN, "erasure_waits", "duty=%s detail=\"%s\"", id_format(jobs[i]->d.duty, duty), scope_detail(&jobs[i]->s, err));
			waits = err;
		}
		first += b.needles[i].n;
	}
	return waits;
}
