/* SPDX-License-Identifier: Apache-2.0
 * What the programs of the export share: asking for one, fetching it, and looking into it. */
#ifndef REEVE_TESTS_PRIVACY_BUNDLE_H
#define REEVE_TESTS_PRIVACY_BUNDLE_H

#include "fixture.h"

#include "codec/json.h"
#include "crypto/seal.h"
#include "privacy/export/internal.h"

static const char *bundle_path;
#define JOB ((struct export_job){.data_dir = F.dir, .host = HOST})

/* On the tenant's list of where exports may go. */
static inline void allow_storage(struct id tenant)
{
	struct id location = {{0x51}};
	run_sql(tenant, "INSERT INTO storage_locations (tenant_id, location_id, display_name, url_prefix, created_at) VALUES (?1, ?2, 'Store', "
			"'https://storage.example', 0) ON CONFLICT DO NOTHING", db_v_id(&location));
}

static inline struct id export_as(const struct person *p, struct export_order order)
{
	struct scope s = scope_of(p->tenant), system = system_scope();
	struct id operation;
	bool more = true;
	order.user = p->user;
	allow_storage(p->tenant);
	ok_in(&s, export_request(&s, &order, &operation));
	while (more)
		ok_in(&system, export_run_pending(&system, &JOB, &more));
	return operation;
}

static inline struct id export_of(const struct person *p)
{
	return export_as(p, (struct export_order){.storage_location = "https://storage.example/sas"});
}

/* Fetches it into a file that zip_read() opens. */
static inline void fetch(const struct person *p, struct id operation)
{
	struct scope s = scope_of(p->tenant);
	struct export_file in;
	int64_t got = 0;
	const void *piece;
	size_t n;
	ok_in(&s, export_open(&s, F.dir, operation, &in));
	bundle_path = arena_printf(F.d.arena, "%s/bundle.zip", F.dir);
	FILE *out = fopen(bundle_path, "wb");
	for (;;) {
		ok_in(&s, unseal_read(in.stream, &piece, &n));
		if (n == 0)
			break;
		assert_int_equal(fwrite(piece, 1, n, out), n);
		got += (int64_t)n;
	}
	assert_int_equal(fclose(out), 0);
	unseal_close(in.stream);
	assert_int_equal(got, in.bytes);
}

static inline char *entry(const char *name)
{
	char *p;
	size_t n;
	assert_string_equal(err_name(zip_read(bundle_path, name, 64 * MIB, &p, &n)), "OK");
	char *copy = arena_strndup(F.d.arena, p, n);
	free(p);
	return copy;
}

static inline json_t *entry_json(const char *name)
{
	char *text = entry(name);
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (j == NULL)
		fail_msg("%s is no JSON: %.200s", name, text);
	return j;
}

/* All the files of a bundle in one text. */
static inline char *everything(void)
{
	auto_json *m = entry_json("manifest.json");
	auto_buf all;
	buf_init(&all, 256 * MIB);
	buf_adds(&all, entry("manifest.json"));
	size_t i;
	json_t *f;
	json_array_foreach(json_object_get(m, "files"), i, f)
	{
		buf_addc(&all, '\n');
		buf_adds(&all, entry(json_string_value(json_object_get(f, "name"))));
	}
	return arena_strndup(F.d.arena, all.data, all.len);
}

static inline const char *member(const json_t *o, const char *name)
{
	const char *v = json_string_value(json_object_get(o, name));
	return v == NULL ? "" : v;
}

static inline const char *as_exported(const struct canary *k)
{
	if (k->column->type != MAP_TYPE_BLOB)
		return k->text;
	char *hex = arena_alloc(F.d.arena, 2 * CANARY_TEXT);
	hex_encode(k->text, strlen(k->text), hex);
	return hex;
}

static inline size_t nothing_of(const struct person *p, const char *all)
{
	for (size_t i = 0; i < p->n; i++)
		if (strstr(all, p->canary[i].text) != NULL || strstr(all, as_exported(&p->canary[i])) != NULL)
			fail_msg("%s of somebody else is in the export", p->canary[i].text);
	return p->n;
}

static inline void no_harm_in_html(const char *page)
{
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "href=\"http"));
	assert_null(strstr(page, "src="));
	assert_null(strstr(page, "\xe2\x80\xae"));
	for (const char *p = page; *p != '\0'; p++)
		if (((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f)
			fail_msg("a control character %#x is in a page", (unsigned)*p);
}

static inline int64_t operations(const char *status)
{
	return ask(F.tenant,
		   arena_printf(F.d.arena,
				"SELECT count(*) FROM data_policy_operations WHERE tenant_id = ?1 AND user_id = ?2 AND "
				"status = '%s'",
				status),
		   db_v_id(&F.ann.user))
		.ret;
}

#endif
