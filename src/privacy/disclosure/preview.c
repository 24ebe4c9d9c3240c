/* SPDX-License-Identifier: Apache-2.0 */
#include "privacy/disclosure/preview.h"

#include <string.h>

#include "audit/audit_read.h"

DB_TENANT(preview_case, "SELECT user_id, request_type FROM data_subject_requests WHERE tenant_id = ?1 AND request_id = ?2");

struct looking {
	struct id request, person;
	bool portability;
	struct disclosure *d;
	struct preview_section *section;
	size_t n;
	const struct map_path *path;
	const char *token;
	unsigned top;
	struct preview_page *page;
};

static enum err load_case(struct db_tx *tx, struct looking *k)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, &preview_case, DB_ARGS(db_v_id(&k->request)), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, e, "there is no such data-subject request");
	TRY(e);
	k->person = db_id(r, 0);
	k->portability = strcmp(db_text(r, 1), "portability") == 0;
	if (id_is_nil(k->person))
		return scope_fail(s, ERR_CONFLICT, "it is not known yet whom the request is about (setSubject)");
	s->subject = k->person;
	return disclosure_load(tx, k->person, k->request, false, &k->d);
}

static struct preview_section section_of(const struct looking *k, const struct map_path *p)
{
	return (struct preview_section){
		.path = p,
		.what = disclosure_of_section(k->d, p->section),
		.not_portable = k->portability && (p->role != MAP_ROLE_OWNER || held_is_event(p)),
	};
}

/* ---- counts ---- */

static void count_values(struct preview_section *c, const struct held_row *row, size_t columns)
{
	for (size_t i = 0; i < columns; i++) {
		const struct held_value *v = &row->value[i];
		if (v->text == NULL)
			continue;
		c->given += v->what.verdict == GIVE;
		c->redacted += v->what.verdict == REDACT;
		c->withheld += v->what.verdict == WITHHOLD;
	}
}

static void count_parts(struct preview_section *c, const struct held_row *row)
{
	for (size_t i = 0; i < row->hidden_n; i++)
		*(row->hidden[i].what.verdict == REDACT ? &c->redacted : &c->withheld) += (int64_t)row->hidden[i].count;
	c->given++; /* the event itself */
}

static void count_row(struct preview_section *c, const struct held_row *row, size_t columns)
{
	if (row->what.verdict == WITHHOLD) {
		*(row->what.quiet ? &c->quiet_records : &c->withheld_records) += 1;
		return;
	}
	c->records++;
	if (held_is_event(c->path))
		count_parts(c, row);
	else
		count_values(c, row, columns);
}

static enum err count_section(struct db_tx *tx, const struct looking *k, struct preview_section *c)
{
	struct arena *a = db_tx_scope(tx)->arena;
	struct held_row row;
	struct held_query q = {.path = c->path, .portability = k->portability};
	size_t columns;
	auto_held struct held_rows *h = NULL;
	held_columns(a, c->path, k->portability, &columns);
	TRY(held_open(tx, k->d, k->person, &q, &h));
	for (;;) {
		struct arena_mark mark = arena_mark(a);
		if (!held_next(h, &row))
			break;
		count_row(c, &row, columns);
		held_row_done(&row);
		arena_rewind(a, mark);
	}
	return held_err(h);
}

static enum err summary_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct looking *k = arg;
	size_t n;
	const struct map_path *p = map_paths(&n);
	TRY(load_case(tx, k));
	k->section = arena_alloc(s->arena, n * sizeof *k->section);
	k->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (*p[i].section == '\0')
			continue;
		struct preview_section *c = &k->section[k->n++];
		*c = section_of(k, &p[i]);
		if (c->what.verdict != WITHHOLD && !c->not_portable)
			TRY(count_section(tx, k, c));
	}
	return OK;
}

enum err preview_summary(struct scope *s, struct id request, struct preview_section **ret, size_t *ret_n)
{
	struct looking k = {.request = request};
	TRY(db_read(s, summary_tx, &k));
	*ret = k.section;
	*ret_n = k.n;
	return OK;
}

/* ---- records ---- */

void preview_release(struct preview_page *p)
{
	for (size_t i = 0; i < p->rows; i++)
		held_row_done(&p->row[i]);
	p->rows = 0;
}

static enum err records_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct looking *k = arg;
	struct preview_page *page = k->page;
	struct db_value after[HELD_KEY_MAX];
	preview_release(page); /* the closure may run again */
	TRY(load_case(tx, k));
	if (k->token != NULL && !preview_token_read(s->arena, k->path, k->token, after))
		return scope_fail(s, ERR_BAD_REQUEST, "$skiptoken does not belong to this section");
	struct held_query q = {.path = k->path, .portability = k->portability, .after = k->token == NULL ? NULL : after, .limit = k->top + 1};
	auto_held struct held_rows *h = NULL;
	page->section = section_of(k, k->path);
	page->column = held_columns(s->arena, k->path, k->portability, &page->columns);
	page->row = arena_alloc(s->arena, k->top * sizeof *page->row);
	page->next = NULL;
	TRY(held_open(tx, k->d, k->person, &q, &h));
	while (page->rows < k->top && held_next(h, &page->row[page->rows]))
		page->rows++;
	struct held_row more;
	if (page->rows == k->top && held_next(h, &more)) {
		held_row_done(&more);
		page->next = preview_token_write(s->arena, k->path, page->row[page->rows - 1].key);
	}
	return held_err(h);
}

enum err preview_records(struct scope *s, struct id request, const char *section, const char *token, unsigned top, struct preview_page *ret)
{
	struct looking k = {.request = request, .path = section_path(section), .token = token, .top = top, .page = ret};
	*ret = (struct preview_page){0};
	check(top > 0 && top <= PREVIEW_PAGE_MAX);
	if (k.path == NULL)
		return scope_fail(s, ERR_NOT_FOUND, "there is no such section");
	return db_read(s, records_tx, &k);
}

enum err preview_record(struct scope *s, struct id request)
{
	return audit_record_preview(s, s->subject, request);
}
