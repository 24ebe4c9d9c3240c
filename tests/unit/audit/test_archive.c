/* SPDX-License-Identifier: Apache-2.0
 * A signed archive of a log: read back from the zip alone, it is a log that checks, with the events of its period and no others. */
#include "fixture.h"

#include <sys/stat.h>

#include "audit/out/archive.h"
#include "audit/audit_internal.h"
#include "codec/base64.h"
#include "codec/zip.h"
#include "crypto/sign.h"
#include "tlog/logcheck.h"

static const char *ZIP;

static int up_zip(void **state)
{
	assert_int_equal(up(state), 0);
	ZIP = arena_printf(F.arena, "%s/log.zip", F.dir);
	return 0;
}

static enum err record_n_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	for (int i = 0; i < *(int *)arg; i++)
		TRY(audit_record(tx, &(struct audit_event){.activity = ACT_GROUP_CREATE, .resource_type = "Group", .resource = scope_id(s)}));
	return OK;
}

static void record_n(struct scope *s, int n)
{
	ok(db_write(s, record_n_tx, &n));
}

/* ---- the zip as a log ---- */

static char *entry(const char *name, size_t *ret_n)
{
	char *p = NULL;
	return zip_read(ZIP, name, 64 * MIB, &p, ret_n) == OK ? p : NULL;
}

static enum err read_entry(void *arg, struct scope *s, const char *path, struct buf *ret)
{
	size_t n;
	char *p = entry(path, &n);
	buf_clear(ret);
	if (p == NULL)
		return ERR_NOT_FOUND;
	buf_add(ret, p, n);
	free(p);
	return OK;
}

struct contents {
	uint64_t events, lowest, highest;
};

/* Every line of the bundle's events opens the commitment at its index. */
static enum err check_events(void *arg, struct scope *s, uint64_t index, const uint8_t (*commitments)[SHA256_BYTES], unsigned count)
{
	struct contents *c = arg;
	size_t n;
	char *text = entry(arena_printf(s->arena, "events/%03u", (unsigned)(index / TILE_WIDTH)), &n);
	for (char *line = text; text != NULL && line < text + n;) {
		char *end = memchr(line, '\n', (size_t)(text + n - line)), salt64[64];
		unsigned long long at;
		int skip = 0;
		assert_non_null(end);
		assert_int_equal(sscanf(line, "{\"index\":%llu,\"salt\":\"%63[^\"]\",\"event\":%n", &at, salt64, &skip), 2);
		uint8_t got[SHA256_BYTES];
		void *salt;
		size_t salt_n;
		assert_true(skip > 0 && end[-1] == '}' && at >= index && at < index + count);
		assert_true(base64_decode(s->arena, salt64, strlen(salt64), &salt, &salt_n) && salt_n == AUDIT_SALT_BYTES);
		audit_commitment(line + skip, (size_t)(end - 1 - line - skip), salt, got);
		assert_memory_equal(got, commitments[at - index], SHA256_BYTES);
		c->events++;
		c->lowest = at < c->lowest ? at : c->lowest;
		c->highest = at > c->highest ? at : c->highest;
		line = end + 1;
	}
	free(text);
	return OK;
}

static struct contents check_log(struct scope *s, const struct audit_archive *a)
{
	struct contents c = {.lowest = UINT64_MAX};
	struct log_head none = {0};
	struct log_report report;
	struct note_key key;
	size_t n;
	char *line = entry("key", &n);
	assert_true(line != NULL && line[n - 1] == '\n');
	line[n - 1] = '\0';
	ok(note_key_parse(s, line, &key));
	free(line);
	struct log_source src = {.read = read_entry, .arg = &c, .entries = check_events, .first_bundle = a->first / TILE_WIDTH,
				 .end_bundle = (a->end + TILE_WIDTH - 1) / TILE_WIDTH};
	ok(log_check(s, &src, &key, 1, &none, &report));
	assert_int_equal(report.head.size, a->size);
	assert_int_equal(c.events, a->events);
	return c;
}

static json_t *check_manifest(struct scope *s, const struct audit_archive *a)
{
	size_t n, sig_n, i;
	uint8_t key[ED25519_KEY_BYTES];
	char *text = entry("manifest.json", &n), *signature = entry("manifest.sig", &sig_n);
	keeper_public_key(K, key);
	assert_true(text != NULL && signature != NULL && sig_n == ED25519_SIGNATURE_BYTES);
	assert_true(ed25519_verify(key, text, n, (const uint8_t *)signature));
	json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL), *file;
	free(text);
	free(signature);
	assert_int_equal(json_integer_value(json_object_get(j, "events")), a->events);
	json_array_foreach(json_object_get(j, "files"), i, file) {
		uint8_t sum[SHA256_BYTES];
		char hex[2 * SHA256_BYTES + 1], *p = entry(json_string_value(json_object_get(file, "name")), &n);
		assert_non_null(p);
		sha256(p, n, sum);
		free(p);
		hex_encode(sum, sizeof sum, hex);
		assert_string_equal(hex, json_string_value(json_object_get(file, "sha256")));
		assert_int_equal(n, json_integer_value(json_object_get(file, "bytes")));
	}
	return j;
}

/* ---- tests ---- */

static void nothing_is_signed_yet(void **state)
{
	struct audit_archive a = {.until = INT64_MAX};
	refused(audit_archive_write(&F.a, HOST, ZIP, &a), ERR_NOT_FOUND);
	assert_int_not_equal(access(ZIP, F_OK), 0);
	fresh(&F.a);
}

static void the_whole_log_is_in_it(void **state)
{
	struct audit_archive a = {.until = INT64_MAX};
	char *note;
	size_t n;
	record_n(&F.a, 700);
	sequence();
	ok(audit_archive_write(&F.a, HOST, ZIP, &a));
	ok(audit_checkpoint(&F.a, &note));
	assert_string_equal(a.checkpoint, note);
	assert_int_equal(a.events, all_events(&F.a));
	assert_int_equal(a.size, a.events);
	assert_int_equal(a.first, 0);
	assert_int_equal(a.end, a.size);
	struct contents c = check_log(&F.a, &a);
	assert_int_equal(c.lowest, 0);
	assert_int_equal(c.highest, a.size - 1);
	json_t *j = check_manifest(&F.a, &a);
	assert_true(json_is_null(json_object_get(j, "fromDateTime")) && json_is_null(json_object_get(j, "untilDateTime")));
	json_decref(j);
	assert_null(entry("witnessed", &n)); /* there are no witnesses */
	struct stat st;
	assert_int_equal(stat(ZIP, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_period_has_its_bundles_only(void **state)
{
	struct scope early = F.a, middle = F.a, late = F.a;
	size_t n;
	middle.now += HOUR_US;
	late.now += 2 * HOUR_US;
	record_n(&early, 300);
	record_n(&middle, 300);
	record_n(&late, 700);
	sequence();
	struct audit_archive a = {.from = middle.now, .until = late.now};
	ok(audit_archive_write(&F.a, HOST, ZIP, &a));
	assert_int_equal(a.events, 300);
	assert_true(a.first > 0 && a.end < a.size && a.first % TILE_WIDTH == 0);
	struct contents c = check_log(&F.a, &a);
	assert_int_equal(c.highest - c.lowest, 299);
	assert_null(entry("events/000", &n));
	assert_null(entry("tile/entries/000", &n));
	json_t *j = check_manifest(&F.a, &a);
	assert_int_equal(json_integer_value(json_object_get(j, "firstIndex")), a.first);
	assert_true(json_is_string(json_object_get(j, "fromDateTime")) && json_is_string(json_object_get(j, "untilDateTime")));
	json_decref(j);
	struct audit_archive none = {.from = 1, .until = 2};
	ok(audit_archive_write(&F.a, HOST, ZIP, &none)); /* nothing happened: the head and the tree above it say so */
	assert_int_equal(none.events + none.first + none.end, 0);
	json_decref(check_manifest(&F.a, &none));
}

static void what_is_not_signed_is_waited_for(void **state)
{
	struct audit_archive a = {.until = INT64_MAX};
	unlink(ZIP);
	record_n(&F.a, 1);
	refused(audit_archive_write(&F.a, HOST, ZIP, &a), ERR_UNAVAILABLE);
	assert_int_not_equal(access(ZIP, F_OK), 0);
	fresh(&F.a);
	sequence();
	ok(audit_archive_write(&F.a, HOST, ZIP, &a));
	refused(audit_archive_write(&F.a, HOST, "/nowhere/log.zip", &a), ERR_IO);
	fresh(&F.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_signed_yet), cmocka_unit_test(the_whole_log_is_in_it),
		cmocka_unit_test(a_period_has_its_bundles_only), cmocka_unit_test(what_is_not_signed_is_waited_for),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, up_zip, down);
}
