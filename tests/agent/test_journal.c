/* SPDX-License-Identifier: Apache-2.0
 * The journal's records: written and read back whole, refused when they make no sense, backups exact; and the
 * credentials' recovery. */
#include "place.h"

#include "crypto/x509.h"
#include "journal.h"
#include "state.h"

#define ID1 "0190aaaa-0000-7000-8000-000000000001"
#define ID2 "0190aaaa-0000-7000-8000-000000000002"
#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct journal sample(struct place *p)
{
	static const char *dirs[] = {"etc/a", "etc/a/b", NULL}, *data[] = {"~/.config/x", NULL},
			  *kept[] = {"home/a/.config/x", NULL};
	struct journal_file *files = arena_alloc(p->scope.arena, 2 * sizeof *files);
	files[0] = (struct journal_file){.path = "etc/a/b/c", .written = SUM};
	files[1] = (struct journal_file){.path = "etc/old",
					 .existed = true,
					 .backup = 7,
					 .original = SUM,
					 .mode = 04751,
					 .uid = 1000,
					 .gid = 1001,
					 .mtime_s = -5,
					 .mtime_ns = 999999999,
					 .dropped = true};
	return (struct journal){.id = ID1,
				.kind = "app",
				.name = "n \"q\" \u00e9",
				.identifier = "package/x",
				.error = NULL,
				.version = INT64_C(9007199254740993),
				.state = ITEM_REMOVING,
				.dirs = dirs,
				.files = files,
				.n_files = 2,
				.data = data,
				.data_kept = kept,
				.package = "x",
				.package_version = "1:2~3",
				.package_was_there = true};
}

static void a_record_survives_the_disk(void **state)
{
	struct place *p = *state;
	struct journal j = sample(p), got;
	assert_int_equal(journal_save(&p->agent, &j), OK);
	assert_int_equal(journal_load(&p->agent, ID1, &got), OK);
	assert_string_equal(got.name, j.name);
	assert_string_equal(got.identifier, "package/x");
	assert_null(got.error);
	assert_true(got.version == j.version && got.state == ITEM_REMOVING && got.n_files == 2 &&
		    got.package_was_there);
	assert_string_equal(got.dirs[1], "etc/a/b");
	assert_null(got.dirs[2]);
	assert_string_equal(got.data[0], "~/.config/x");
	assert_string_equal(got.data_kept[0], "home/a/.config/x");
	assert_string_equal(got.package_version, "1:2~3");
	assert_string_equal(got.files[0].path, "etc/a/b/c");
	assert_string_equal(got.files[0].written, SUM);
	assert_false(got.files[0].existed || got.files[0].dropped);
	const struct journal_file *f = &got.files[1];
	assert_true(f->existed && f->dropped && f->backup == 7 && f->mode == 04751 && f->uid == 1000 &&
		    f->gid == 1001 && f->mtime_s == -5 && f->mtime_ns == 999999999);
	assert_string_equal(f->original, SUM);
	assert_int_equal(journal_load(&p->agent, ID2, &got), ERR_NOT_FOUND);
}

static enum err read_text(struct place *p, const char *text)
{
	auto_json *o = NULL;
	struct journal j;
	p->scope.detail = NULL;
	assert_int_equal(json_read(&p->scope, text, strlen(text), &o), OK);
	return journal_read(&p->scope, o, &j);
}

#define RECORD(id, state, dirs, files)                                                                                 \
	"{\"id\":\"" id "\",\"kind\":\"settings\",\"version\":1,\"state\":\"" state "\",\"directories\":" dirs         \
	",\"files\":" files ",\"data\":[],\"dataKept\":[]}"

static void half_a_record_decides_nothing(void **state)
{
	struct place *p = *state;
	assert_int_equal(read_text(p, RECORD(ID1, "installed", "[]",
					     "[{\"path\":\"etc/x\",\"written\":\"\",\"existed\":false}]")),
			 OK);
	static const char *const bad[] = {
		"{}",
		RECORD("x", "installed", "[]", "[]"),
		RECORD(ID1, "gone", "[]", "[]"),
		RECORD(ID1, "installed", "[5]", "[]"),
		RECORD(ID1, "installed", "{}", "[]"),
		RECORD(ID1, "installed", "[]", "{}"),
		RECORD(ID1, "installed", "[]", "[{}]"),
		RECORD(ID1, "installed", "[]", "[{\"path\":\"../x\",\"written\":\"\"}]"),
		RECORD(ID1, "installed", "[]", "[{\"path\":\"/etc/x\",\"written\":\"\"}]"),
		RECORD(ID1, "installed", "[]", "[{\"path\":\"etc/x\",\"written\":\"12\"}]"),
		RECORD(ID1, "installed", "[]", "[{\"path\":\"etc/x\",\"written\":\"\",\"existed\":true}]"),
		RECORD(ID1, "installed", "[]",
		       "[{\"path\":\"etc/x\",\"written\":\"\",\"existed\":true,\"backup\":0,\"original\":\"\"}]")};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(read_text(p, bad[i]), ERR_BAD_REQUEST);
		assert_non_null(strstr(p->scope.detail, "damaged"));
	}
	put(p, "state/items/" ID1 ".json", "{\"id\":");
	struct journal **all;
	p->scope.detail = NULL;
	assert_int_not_equal(journal_all(&p->agent, &all), OK);
}

static void only_records_count(void **state)
{
	struct place *p = *state;
	struct journal j = sample(p), **all;
	assert_int_equal(journal_all(&p->agent, &all), OK);
	assert_null(all[0]);
	j.id = ID2;
	assert_int_equal(journal_save(&p->agent, &j), OK);
	j.id = ID1;
	assert_int_equal(journal_save(&p->agent, &j), OK);
	put(p, "state/items/" ID1 ".7.backup", "x");
	put(p, "state/items/.tmp", "{");
	put(p, "state/items/nonsense.json", "{");
	assert_int_equal(journal_all(&p->agent, &all), OK);
	assert_string_equal(all[0]->id, ID1);
	assert_string_equal(all[1]->id, ID2);
	assert_null(all[2]);
	assert_int_equal(journal_forget(&p->agent, all[0]), OK);
	struct stat st;
	assert_int_equal(fs_stat(p->agent.root_fd, "state/items/" ID1 ".json", &st), -1);
	assert_int_equal(fs_stat(p->agent.root_fd, "state/items/" ID1 ".7.backup", &st), -1);
}

static void what_is_replaced_is_kept(void **state)
{
	struct place *p = *state;
	struct journal_file f = {.path = "etc/x"};
	struct stat st;
	put(p, "etc/x", "what it was");
	assert_int_equal(journal_keep(&p->agent, ID1, &f, 3), OK);
	assert_true(f.existed && f.backup == 3 && f.mode == 0644);
	const char *text = state_text(&p->agent, journal_backup(&p->agent, ID1, 3));
	assert_string_equal(text, "what it was");
	assert_int_equal(fs_stat(p->agent.root_fd, "state/items/" ID1 ".3.backup", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fs_stat(p->agent.root_fd, "etc/x", &st), 0);
	assert_true(f.mtime_s == st.st_mtim.tv_sec && f.mtime_ns == st.st_mtim.tv_nsec && f.uid == st.st_uid);
	assert_int_equal(symlinkat("x", fs_open_parent(p->agent.root_fd, "etc/y", O_RDONLY), "y"), 0);
	f = (struct journal_file){.path = "etc/y"};
	assert_int_not_equal(journal_keep(&p->agent, ID1, &f, 4), OK);
	f.path = "etc";
	p->scope.detail = NULL;
	assert_int_not_equal(journal_keep(&p->agent, ID1, &f, 4), OK);
}

struct pair {
	char *key, *cert;
};

static struct pair make_pair(struct place *p, const struct x509_pair *ca)
{
	struct pair pair;
	char *csr;
	uint8_t fingerprint[32];
	int64_t not_after;
	assert_int_equal(x509_make_request(p->scope.arena, "x", &pair.key, &csr), OK);
	assert_int_equal(x509_sign_request(&p->scope, ca, csr, id_new(p->scope.now), id_new(p->scope.now), 1,
					   &pair.cert, fingerprint, &not_after),
			 OK);
	return pair;
}

static void write_state(struct place *p, const char *name, const char *text)
{
	if (text != NULL)
		assert_int_equal(state_write(&p->agent, name, text, strlen(text)), OK);
	else
		assert_int_equal(state_unlink(&p->agent, name), OK);
}

/* Every state that a crash in a renewal can leave, and some that it cannot. */
static void a_pair_is_always_whole(void **state)
{
	struct place *p = *state;
	struct x509_pair ca;
	assert_int_equal(x509_make_ca(p->scope.arena, "test", p->scope.now, 2, &ca), OK);
	struct pair old = make_pair(p, &ca), new = make_pair(p, &ca), other = make_pair(p, &ca);
	const struct {
		const char *key, *cert, *next_key, *next_cert, *want;
	} cases[] = {
		{old.key, old.cert, NULL, NULL, old.cert},
		{old.key, old.cert, new.key, NULL, old.cert},     /* before the answer */
		{old.key, old.cert, new.key, new.cert, new.cert}, /* from here on the new one counts */
		{new.key, old.cert, NULL, new.cert, new.cert},    /* between the two renames */
		{new.key, new.cert, NULL, NULL, new.cert},
		{old.key, old.cert, other.key, new.cert, old.cert}, /* a certificate that fits nothing */
		{old.key, old.cert, NULL, new.cert, old.cert},
		{old.key, old.cert, "nonsense", "nonsense", old.cert},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		write_state(p, "key.pem", cases[i].key);
		write_state(p, "cert.pem", cases[i].cert);
		write_state(p, "next-key.pem", cases[i].next_key);
		write_state(p, "next-cert.pem", cases[i].next_cert);
		assert_int_equal(state_credentials(&p->agent), OK);
		assert_string_equal(state_text(&p->agent, "cert.pem"), cases[i].want);
		assert_true(x509_key_matches(state_text(&p->agent, "cert.pem"), state_text(&p->agent, "key.pem")));
		assert_null(state_text(&p->agent, "next-key.pem"));
		assert_null(state_text(&p->agent, "next-cert.pem"));
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {T(a_record_survives_the_disk), T(half_a_record_decides_nothing),
					   T(only_records_count), T(what_is_replaced_is_kept),
					   T(a_pair_is_always_whole)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
