/* SPDX-License-Identifier: Apache-2.0
 *
 * The data map's sections as Intune's items, page by page.
 */
#include "privacy/export/portion.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "audit/audit.h"
#include "base/limits.h"
#include "privacy/disclosure/disclosure.h"
#include "privacy/disclosure/held_rows.h"

enum { ITEM_BYTES = 4 * MIB, ROWS_MAX = 1000 * 1000 * 1000 };

/* The two that the script knows by name; others are named as their section, with a capital letter. */
static char *display_name(struct arena *a, const char *section, unsigned part)
{
	char *name = strcmp(section, "account") == 0 ? arena_strdup(a, "Users") : arena_strdup(a, section);
	if (name[0] >= 'a' && name[0] <= 'z')
		name[0] = (char)(name[0] - 'a' + 'A');
	return part == 0 ? name : arena_printf(a, "%s %u", name, part + 1);
}

/* The path of the n-th section; NULL past the last. */
static const struct map_path *section_at(unsigned n)
{
	size_t count;
	const struct map_path *p = map_paths(&count);
	for (size_t i = 0; i < count; i++)
		if (p[i].section[0] != '\0' && n-- == 0)
			return &p[i];
	return NULL;
}

/* ---- rows ---- */

struct item {
	struct db_tx *tx;
	const struct disclosure *rules;
	struct id person;
	const struct map_path *path;
	const struct held_column *columns;
	size_t column_n, bytes; /* bytes: an item that has grown past it ends */
	struct db_value after[HELD_KEY_MAX];
	int64_t rows; /* read, from the section's first on */
	bool more;
};

static void write_row(const struct item *it, const struct held_row *row, struct json_writer *w)
{
	if (row->what.verdict == WITHHOLD)
		return;
	if (held_is_event(it->path)) {
		if (row->event != NULL)
			jw_json(w, row->event);
		return;
	}
	jw_object(w);
	for (size_t i = 0; i < it->column_n; i++) {
		const struct held_value *v = &row->value[i];
		if (v->what.verdict == WITHHOLD)
			continue;
		jw_key(w, it->columns[i].name);
		if (v->literal && v->what.verdict == GIVE && v->shown != NULL)
			jw_raw(w, v->shown, strlen(v->shown));
		else
			jw_string(w, v->shown);
	}
	jw_end_object(w);
}

static void keep_key(struct item *it, const struct held_row *row)
{
	struct arena *a = db_tx_scope(it->tx)->arena;
	for (size_t i = 0; i < held_key_count(it->path); i++) {
		it->after[i] = row->key[i];
		if (row->key[i].type == DB_TEXT || row->key[i].type == DB_BLOB)
			it->after[i].p = arena_strndup(a, row->key[i].p, row->key[i].n);
	}
}

/* The key of the last row of the items before, in the order of the keys. */
static enum err find_place(struct item *it, int64_t rows)
{
	struct held_row row;
	struct arena *a = db_tx_scope(it->tx)->arena;
	auto_held struct held_rows *h = NULL;
	struct held_query q = {.path = it->path, .keys_only = true, .limit = (unsigned)rows};
	TRY(held_open(it->tx, it->rules, it->person, &q, &h));
	while (it->rows < rows) {
		struct arena_mark mark = arena_mark(a);
		if (!held_next(h, &row))
			break;
		held_row_done(&row);
		if (++it->rows == rows)
			keep_key(it, &row);
		else
			arena_rewind(a, mark);
	}
	return held_err(h);
}

static enum err write_rows(struct item *it, struct json_writer *w)
{
	struct held_row row;
	struct arena *a = db_tx_scope(it->tx)->arena;
	size_t before = w->out->len;
	auto_held struct held_rows *h = NULL;
	struct held_query q = {.path = it->path, .limit = ROWS_MAX, .after = it->rows > 0 ? it->after : NULL};
	TRY(held_open(it->tx, it->rules, it->person, &q, &h));
	for (;;) {
		struct arena_mark mark = arena_mark(a);
		if (!held_next(h, &row))
			break;
		if (w->out->len - before > it->bytes) {
			held_row_done(&row);
			it->more = true;
			break;
		}
		write_row(it, &row, w);
		held_row_done(&row);
		arena_rewind(a, mark);
		it->rows++;
	}
	return held_err(h);
}

/* ---- items ---- */

static enum err write_item(struct item *it, struct portion_page *page, struct json_writer *w)
{
	struct arena *a = db_tx_scope(it->tx)->arena;
	struct disclosed whole = disclosure_of_section(it->rules, it->path->section);
	it->columns = held_columns(a, it->path, false, &it->column_n);
	jw_object(w);
	jw_kstring(w, "displayName", display_name(a, it->path->section, page->at.part));
	jw_key(w, "data");
	jw_array(w);
	if (whole.verdict != WITHHOLD) {
		if (page->at.rows > 0)
			TRY(find_place(it, page->at.rows));
		if (it->rows == page->at.rows) /* else the section has become shorter than the items before */
			TRY(write_rows(it, w));
	}
	jw_end_array(w);
	jw_end_object(w);
	return OK;
}

enum err portion_write(struct db_tx *tx, struct id person, struct portion_page *page, struct json_writer *w)
{
	struct disclosure *rules;
	const struct map_path *path;
	size_t before = w->out->len, bytes = page->item_bytes > 0 ? page->item_bytes : ITEM_BYTES;
	unsigned end = page->sections > 0 ? page->at.section + page->sections : UINT32_MAX; /* nine digits each: no overflow */
	static const struct id none;
	page->more = false;
	TRY(disclosure_load(tx, person, none, false, &rules));
	while (page->at.section < end && (path = section_at(page->at.section)) != NULL) {
		struct item it = {.tx = tx, .rules = rules, .person = person, .path = path, .bytes = bytes};
		if (w->out->len - before > 2 * bytes) {
			page->more = true;
			return OK;
		}
		TRY(write_item(&it, page, w));
		page->at = it.more ? (struct portion_place){page->at.section, page->at.part + 1, it.rows}
				   : (struct portion_place){page->at.section + 1, 0, 0};
	}
	return OK;
}

static enum err record_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct audit_change *changes = NULL;
	const struct id *person = arg;
	audit_change_add(s->arena, &changes, "form", "data_policy_operations", "form", NULL, "exportDeviceAndAppManagementData");
	return audit_record(tx, &(struct audit_event){.activity = ACT_EXPORT_REQUEST,
						      .resource_type = "User",
						      .resource = *person,
						      .subject = *person,
						      .changes = changes});
}

enum err portion_record(struct scope *s, struct id person)
{
	return db_write(s, record_tx, &person);
}

/* ---- places ---- */

void portion_place_format(const struct portion_place *p, char text[PORTION_PLACE_TEXT])
{
	snprintf(text, PORTION_PLACE_TEXT, "%u.%u.%" PRId64, p->section, p->part, p->rows);
}

/* Digits of a number of at most nine. */
static bool take_number(const char **at, int64_t *ret)
{
	size_t n = strspn(*at, "0123456789");
	*ret = 0;
	for (size_t i = 0; i < n && n <= 9; i++)
		*ret = 10 * *ret + ((*at)[i] - '0');
	*at += n;
	return n > 0 && n <= 9;
}

/* name= and a number, up to a comma or the end. */
static bool take_argument(const char **at, struct portion_page *ret)
{
	int64_t n;
	*at += strspn(*at, " ");
	bool skip = strncasecmp(*at, "skip=", 5) == 0, top = strncasecmp(*at, "top=", 4) == 0;
	if (!skip && !top)
		return false;
	*at += skip ? 5 : 4;
	if (!take_number(at, &n))
		return false;
	*(skip ? &ret->at.section : &ret->sections) = (unsigned)n;
	*at += strspn(*at, " ");
	return true;
}

bool portion_window_parse(const char *text, struct portion_page *ret)
{
	struct portion_page page = *ret;
	while (take_argument(&text, &page)) {
		if (*text == '\0') {
			*ret = page;
			return true;
		}
		if (*text++ != ',')
			return false;
	}
	return false;
}

bool portion_place_parse(const char *text, struct portion_place *ret)
{
	int64_t section, part, rows;
	if (!take_number(&text, &section) || *text++ != '.' || !take_number(&text, &part) || *text++ != '.' || !take_number(&text, &rows) ||
	    *text != '\0' || (part == 0) != (rows == 0))
		return false;
	*ret = (struct portion_place){(unsigned)section, (unsigned)part, rows};
	return true;
}
