/* SPDX-License-Identifier: Apache-2.0
 *
 * From deleted to the proof: one scrub and one scan for all duties that wait.  Every needle that is found is attributed
 * to a table:
 *
 *   audit_events       allowed: the event is within its retention
 *   no table's page    a residue
 *   sqlite_schema      allowed: it is the text of our own schema, and a person may be called "closing"
 *   any other table    a residue, unless rows that live there hold the same text: another person of that name, a serial
 *                      number that a vendor gave to many; then it is not the subject's alone.  An id or a mail address
 *                      in text of the same tenant that the map links to nobody (a group's description) is a residue all
 *                      the same: somebody must remove it.
 *
 * A residue moves the duty to failed, naming table and column, never the value.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "keeper/keeper.h"
#include "privacy/erasure/erasure.h"
#include "privacy/erasure/internal.h"

enum { NEEDLE_MIN = 4 };

/* A VACUUM of a large store is dear: the next one waits twenty times as long as the last one took. */
static _Atomic int64_t rest_until;

/* ---- scrubbing ---- */

/* with_log: a tenant went whole, and its events with it. */
static enum err scrub(const struct erasure *e, bool with_log, bool *ret_rewritten)
{
	size_t n, used = 0;
	const struct map_table *t = map_tables(&n);
	const char **names = arena_alloc(e->system->arena, n * sizeof *names);
	/* expired events are rewritten by the retention job, and leases hold nobody's data */
	for (size_t i = 0; i < n; i++)
		if (t[i].domain != MAP_DOMAIN_INSTALLATION && (t[i].domain != MAP_DOMAIN_LOG || with_log || subject_names(&t[i])))
			names[used++] = t[i].name;
	int64_t began = clock_monotonic();
	enum err err = db_scrub(e->system->db, names, used);
	int64_t took = clock_monotonic() - began;
	if (took > SECOND_US)
		atomic_store(&rest_until, clock_monotonic() + 20 * took);
	*ret_rewritten = err == OK;
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

/* Whether a row that is there holds the needle in any column.  One pass over one table, only after a hit. */
static enum err lookup_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct lookup *l = arg;
	size_t n;
	const struct map_column *c = map_table_columns(l->table, &n);
	auto_buf sql;
	buf_init(&sql, 32 * KIB);
	buf_printf(&sql, "SELECT 1 FROM %s t WHERE %s(", l->table->name, l->of_tenant ? "t.tenant_id = ?1 AND " : "");
	for (size_t i = 0; i < n; i++)
		buf_printf(&sql, "%sinstr(CAST(t.%s AS BLOB), ?%d) > 0", i > 0 ? " OR " : "", c[i].name,
			   l->of_tenant ? 2 : 1);
	buf_adds(&sql, ") LIMIT 1");
	struct db_value value = db_v_blob(l->needle->p, l->needle->n);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, l->of_tenant ? DB_REACH_TENANT : DB_REACH_GLOBAL,
			  arena_strndup(s->arena, sql.data, sql.len), &value, 1, &r));
	l->lives = db_next(r);
	return db_rows_err(r);
}

static enum err is_residue(struct erase_job *j, const struct needle *needle, const char *table, bool *ret)
{
	struct lookup l = {.table = map_table(table), .needle = needle};
	*ret = strcmp(table, "sqlite_schema") != 0;
	if (!*ret)
		return OK;
	if (l.table == NULL)
		return OK;
	if (l.table->erase == MAP_TABLE_RETENTION) {
		*ret = false;
		return OK;
	}
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

/* ---- one duty's verdict ---- */

struct batch {
	struct db_needle *all;
	size_t n;
	struct db_hit *hits;
	size_t hit_n;
	bool rewritten, scanned;
	int64_t done_at; /* when scrub and scan ended: of a large store, minutes after the run began */
};

static enum err failed_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	json_object_set_new(j->progress, "from", json_string(duty_state_name(DUTY_deleted)));
	TRY(progress_save(tx, j));
	return duty_move(tx, j->d.duty, DUTY_deleted, DUTY_failed,
			 json_string_value(json_object_get(j->progress, "residue")));
}

static enum err scanned_tx(struct scope *s, struct db_tx *tx, void *arg) { return progress_save(tx, arg); }

static enum err fail_with_residue(struct erase_job *j, const struct needle *needle, const char *table)
{
	char duty[ID_TEXT];
	const char *where = *table != '\0' ? table : "a page of no table";
	const char *text = arena_printf(j->s.arena, "after scrubbing, the bytes of %s still stand in %s",
					needle->source, where);
	log_event(LOG_ERROR, "erasure_residue", "duty=%s identifier=%s found=\"%s\"", id_format(j->d.duty, duty),
		  needle->source, where);
	json_object_set_new(j->progress, "residue", json_string(text));
	return db_write_low(&j->s, failed_tx, j);
}

/* first: where the duty's needles begin in the batch's list */
static enum err judge(struct erase_job *j, const struct needles *mine, size_t first, const struct batch *b)
{
	for (size_t i = 0; i < b->hit_n; i++) {
		const struct db_hit *h = &b->hits[i];
		bool residue;
		if (h->needle < first || h->needle >= first + mine->n)
			continue;
		const struct needle *needle = &mine->v[h->needle - first];
		TRY(is_residue(j, needle, h->table, &residue));
		if (residue)
			return fail_with_residue(j, needle, h->table);
	}
	const char *method = b->scanned	    ? "rowDelete+vacuum+byteScan"
			     : b->rewritten ? "rowDelete+rewrite+walSwitch"
					    : "rowDelete";
	json_object_set_new(j->progress, "method", json_string(method));
	progress_set_int(j, "needles", b->scanned ? (int64_t)mine->n : 0);
	progress_set_int(j, "scrubbedAt", b->done_at);
	TRY(certificate_collect(j, mine));
	struct id certificate = scope_id(&j->s);
	char text[ID_TEXT];
	json_object_set_new(j->progress, "certificateId", json_string(id_format(certificate, text)));
	return db_write_low(&j->s, scanned_tx, j);
}

/* ---- all of them ---- */

static enum err load_needles(struct erase_job *const *jobs, size_t n, struct needles *ret, struct batch *b)
{
	size_t total = 0, at = 0;
	for (size_t i = 0; i < n; i++) {
		TRY(needles_get(jobs[i], &ret[i]));
		total += ret[i].n;
	}
	b->all = arena_alloc(jobs[0]->s.arena, (total + 1) * sizeof *b->all);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < ret[i].n; k++) {
			check(ret[i].v[k].n >= NEEDLE_MIN);
			b->all[at++] = (struct db_needle){.p = ret[i].v[k].p, .n = ret[i].v[k].n};
		}
	b->n = at;
	return OK;
}

enum err erasure_scrub(const struct erasure *e, struct erase_job *const *jobs, size_t n)
{
	struct batch b = {0};
	if (clock_monotonic() < atomic_load(&rest_until))
		return ERR_BUSY;
	int64_t began = clock_monotonic();
	struct needles *needles = arena_alloc(e->system->arena, n * sizeof *needles);
	bool with_log = false;
	for (size_t i = 0; i < n; i++)
		with_log |= tenant_goes_whole(jobs[i]);
	TRY(load_needles(jobs, n, needles, &b));
	TRY(scrub(e, with_log, &b.rewritten));
	enum err err = db_scan_tables(e->system->db, e->system->arena, b.all, b.n, &b.hits, &b.hit_n);
	b.scanned = err == OK;
	if (err != OK && err != ERR_NOT_IMPLEMENTED)
		return err;
	b.done_at = e->system->now + (clock_monotonic() - began);
	size_t first = 0;
	for (size_t i = 0; i < n; i++) {
		TRY(judge(jobs[i], &needles[i], first, &b));
		first += needles[i].n;
	}
	return OK;
}
