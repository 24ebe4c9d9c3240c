/* SPDX-License-Identifier: Apache-2.0
 *
 * Portions: however small the pages are cut, they hold what one page of everything holds, once and in the same order, and nothing of anybody else;
 * a place survives being text, and text that is no place is refused.
 */
#include "fixture.h"
#include "privacy/export/portion.h"

struct reading {
	struct portion_page page;
	struct id person;
	struct buf out;
};

static enum err read_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct reading *a = arg;
	struct json_writer w;
	buf_clear(&a->out);
	jw_init(&w, &a->out);
	jw_array(&w);
	TRY(portion_write(tx, a->person, &a->page, &w));
	jw_end_array(&w);
	return OK;
}

static json_t *read_page(const struct person *p, struct portion_page *page)
{
	struct scope s = scope_of(p->tenant);
	struct reading a = {.page = *page, .person = p->user};
	buf_init(&a.out, 32 * MIB);
	ok_in(&s, db_read(&s, read_tx, &a));
	json_t *items = json_loadb(a.out.data, a.out.len, 0, NULL);
	assert_true(json_is_array(items));
	*page = a.page;
	buf_release(&a.out);
	return items;
}

/* The rows of all pages, by the section's name without the number of its part. */
static json_t *read_all(const struct person *p, size_t item_bytes, unsigned *ret_items)
{
	struct portion_page page = {.item_bytes = item_bytes};
	json_t *sections = json_object();
	*ret_items = 0;
	do {
		char place[PORTION_PLACE_TEXT];
		struct portion_place back;
		size_t i, k;
		json_t *item, *row;
		auto_json *items = read_page(p, &page);
		json_array_foreach (items, i, item) {
			const char *name = json_string_value(json_object_get(item, "displayName"));
			char *section = arena_strndup(F.d.arena, name, strcspn(name, " "));
			if (json_object_get(sections, section) == NULL)
				json_object_set_new(sections, section, json_array());
			json_array_foreach (json_object_get(item, "data"), k, row)
				json_array_append(json_object_get(sections, section), row);
			++*ret_items;
		}
		portion_place_format(&page.at, place);
		assert_true(portion_place_parse(place, &back));
		assert_memory_equal(&back, &page.at, sizeof back);
	} while (page.more);
	return sections;
}

static enum err many_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	for (int i = 0; i < 300; i++) {
		const char *name = arena_printf(s->arena, "package-%03d", i);
		TRY(db_exec_text(tx, DB_REACH_TENANT, "INSERT INTO detected_apps (tenant_id, device_id, name, version) VALUES (?1, ?2, ?3, '1')",
				 DB_ARGS(db_v_id(&F.ann.company), db_v_text(name)), NULL));
	}
	return OK;
}

static void pages_of_any_size_hold_the_same(void **state)
{
	static const size_t sizes[] = {1, 500, 5000};
	struct scope s = scope_of(F.tenant);
	unsigned whole_n, n;
	ok_in(&s, db_write(&s, many_tx, NULL));
	auto_json *whole = read_all(&F.ann, 0, &whole_n);
	assert_int_equal(whole_n, json_object_size(whole)); /* one item a section */
	assert_true(json_array_size(json_object_get(whole, "Applications")) >= 300);
	assert_int_equal(json_array_size(json_object_get(whole, "Users")), 1);
	assert_int_equal(json_array_size(json_object_get(whole, "Devices")), 2);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		auto_json *cut = read_all(&F.ann, sizes[i], &n);
		assert_true(n > whole_n);
		assert_true(json_equal(whole, cut));
	}
}

static bool holds(const json_t *sections, const struct person *p)
{
	char *text = json_dumps(sections, 0), tag[16];
	snprintf(tag, sizeof tag, "\"%s", p->tag);
	bool found = strstr(text, tag) != NULL;
	free(text);
	return found;
}

static void nothing_of_anybody_else(void **state)
{
	unsigned n;
	auto_json *ann = read_all(&F.ann, 0, &n);
	auto_json *eve = read_all(&F.eve, 0, &n);
	assert_true(holds(ann, &F.ann) && !holds(ann, &F.bob) && !holds(ann, &F.eve));
	assert_true(holds(eve, &F.eve) && !holds(eve, &F.ann) && !holds(eve, &F.bob));
}

static void a_window_is_sections(void **state)
{
	struct portion_page first = {.sections = 2}, page = {.at = {.section = 1}, .sections = 2};
	auto_json *before = read_page(&F.ann, &first);
	auto_json *items = read_page(&F.ann, &page);
	assert_int_equal(json_array_size(items), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(items, 0), "displayName")),
			    json_string_value(json_object_get(json_array_get(before, 1), "displayName")));
	assert_false(page.more);
	page = (struct portion_page){.at = {.part = 1, .rows = 999999}, .sections = 1}; /* past the end of a section */
	auto_json *past = read_page(&F.ann, &page);
	assert_int_equal(json_array_size(json_object_get(json_array_get(past, 0), "data")), 0);
	page = (struct portion_page){.at = {.section = 100000}};
	auto_json *none = read_page(&F.ann, &page);
	assert_int_equal(json_array_size(none), 0);
}

static void text_that_is_no_place(void **state)
{
	static const char *const bad[] = {"", "1", "1.2", "1.2.", "a.0.0", "1.0.0x", "-1.0.0", "1.1.0", "1.0.1", "1234567890.0.0", "1..0", " 1.0.0"};
	struct portion_place p;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (portion_place_parse(bad[i], &p))
			fail_msg("'%s' was taken", bad[i]);
	assert_true(portion_place_parse("3.2.999999999", &p));
	assert_int_equal(p.section, 3);
	assert_int_equal(p.rows, 999999999);
}

static void windows(void **state)
{
	static const char *const bad[] = {"", "skip", "skip=", "skip=x", "top=1,", ",top=1", "top=-1", "top=1;skip=2", "first=1", "top=1 2", "top=1234567890"};
	struct portion_page p = {.sections = 7};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (portion_window_parse(bad[i], &p) || p.sections != 7)
			fail_msg("'%s' was taken", bad[i]);
	assert_true(portion_window_parse("skip=3", &p) && p.at.section == 3 && p.sections == 7);
	assert_true(portion_window_parse("Top=10, SKIP=4", &p) && p.at.section == 4 && p.sections == 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_of_anybody_else),
		cmocka_unit_test(pages_of_any_size_hold_the_same),
		cmocka_unit_test(a_window_is_sections),
		cmocka_unit_test(text_that_is_no_place),
		cmocka_unit_test(windows),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("portion", tests, fixture_up, fixture_down);
}
