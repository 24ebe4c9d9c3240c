/* SPDX-License-Identifier: Apache-2.0
 * Making, opening and locking: what is there afterwards, who may read it, and what is refused. */
#include "fixture.h"

#include <dirent.h>
#include <sys/wait.h>

static const char *const key_files[] = {"signing.key", "token.key", "suppression.key", "export.key"};

static void files_and_modes(void **state)
{
	static const char *const all[] = {"signing.key", "token.key", "suppression.key", "export.key", "ca.key",
					  "ca.pem",      "heads",     "ledger",          "lock"};
	struct fixture *f = *state;
	struct stat st;
	size_t found = 0;
	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		assert_int_equal(stat(fixture_path(f, all[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	DIR *d = opendir(f->dir);
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		found += e->d_name[0] != '.';
	closedir(d);
	assert_int_equal(found, sizeof all / sizeof all[0]); /* and no leftovers */
}

static void keys_differ(void **state)
{
	struct fixture *f = *state;
	const uint8_t *key[] = {f->k->vault->signer.seed, f->k->vault->token_key, f->k->vault->suppression_key, f->k->vault->export_key};
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(key[i], key[j], KEEPER_KEY_BYTES);
}

static void create_wants_an_empty_place(void **state)
{
	struct fixture *f = *state;
	char *detail = NULL, path[128];
	assert_err(keeper_create(f->dir, "CA", TEST_NOW, &detail), ERR_EXISTS);
	assert_non_null(strstr(detail, f->dir));
	free(detail);
	snprintf(path, sizeof path, "%s/none/keeper", f->base);
	assert_err(keeper_create(path, "CA", TEST_NOW, &detail), ERR_NOT_FOUND);
	free(detail);
	snprintf(path, sizeof path, "%s/prepared", f->base); /* an empty directory, too open: as a mount point is */
	assert_int_equal(mkdir(path, 0755), 0);
	assert_err(keeper_create(path, "CA", TEST_NOW, &detail), OK);
	struct keeper *k;
	assert_err(keeper_open(path, &k, &detail), OK);
	keeper_close(k);
}

/* What could not be finished leaves nothing that a second attempt would stumble over. */
static void create_cleans_up(void **state)
{
	struct fixture *f = *state;
	char *detail = NULL, path[128], name[66];
	memset(name, 'x', 65);
	name[65] = '\0';
	snprintf(path, sizeof path, "%s/second", f->base);
	assert_err(keeper_create(path, name, TEST_NOW, &detail), ERR_BAD_REQUEST);
	assert_non_null(strstr(detail, "1 to 64 bytes"));
	free(detail);
	assert_err(keeper_create(path, name + 1, TEST_NOW, &detail), OK);
}

static void reopens_with_the_same_keys(void **state)
{
	struct fixture *f = *state;
	uint8_t before[32], after[32], ref_before[32], ref_after[32];
	keeper_public_key(f->k, before);
	keeper_reference(f->k, "test", "x", 1, ref_before);
	char *ca = strdup(keeper_ca_pem(f->k, f->arena));
	fixture_close(f);
	fixture_open(f);
	keeper_public_key(f->k, after);
	keeper_reference(f->k, "test", "x", 1, ref_after);
	assert_memory_equal(before, after, 32);
	assert_memory_equal(ref_before, ref_after, 32);
	assert_string_equal(ca, keeper_ca_pem(f->k, f->arena));
	assert_null(keeper_cut(f->k));
	free(ca);
}

static void second_open_is_busy(void **state)
{
	struct fixture *f = *state;
	char pid[64];
	snprintf(pid, sizeof pid, "another server uses this data directory (pid %ld)", (long)getpid());
	fixture_refused(f, ERR_BUSY, pid);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) { /* another process sees the same */
		struct keeper *k;
		enum err e = keeper_open(f->dir, &k, NULL);
		_exit(e == ERR_BUSY ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	fixture_close(f);
	fixture_open(f);
}

static void refuses_open_modes(void **state)
{
	static const char *const all[] = {"signing.key", "token.key", "suppression.key", "export.key",
					  "ca.key",      "heads",     "ledger"};
	static const mode_t bad[] = {0640, 0604, 0660, 0620, 0602};
	struct fixture *f = *state;
	fixture_close(f);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
		for (size_t m = 0; m < sizeof bad / sizeof bad[0]; m++) {
			assert_int_equal(chmod(fixture_path(f, all[i]), bad[m]), 0);
			fixture_refused(f, ERR_CONFIG, all[i]);
			assert_int_equal(chmod(fixture_path(f, all[i]), 0600), 0);
		}
	assert_int_equal(chmod(f->dir, 0750), 0);
	fixture_refused(f, ERR_CONFIG, f->dir);
	assert_int_equal(chmod(f->dir, 0700), 0);
	fixture_open(f);
}

static void refuses_missing_files(void **state)
{
	static const char *const all[] = {"signing.key", "token.key", "suppression.key", "export.key",
					  "ca.key",      "ca.pem",    "heads",           "ledger"};
	struct fixture *f = *state;
	fixture_close(f);
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		char *path = strdup(fixture_path(f, all[i])), *aside = strdup(fixture_path(f, "aside"));
		assert_int_equal(rename(path, aside), 0);
		fixture_refused(f, ERR_CONFIG, all[i]);
		assert_int_equal(symlink(aside, path), 0); /* a link is no file of ours either */
		fixture_refused(f, ERR_CONFIG, all[i]);
		assert_int_equal(rename(aside, path), 0);
		free(path);
		free(aside);
	}
	fixture_open(f);
}

/* Every changed byte of a key file is found, and no detail holds the key. */
static void refuses_damaged_keys(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	for (size_t i = 0; i < 4; i++) {
		size_t n;
		char *path = strdup(fixture_path(f, key_files[i])), *bytes = fixture_slurp(path, &n);
		for (size_t at = 0; at < n; at++) {
			bytes[at] ^= 1;
			fixture_dump(path, bytes, n);
			fixture_refused(f, ERR_CONFIG, "is damaged");
			bytes[at] ^= 1;
		}
		for (size_t cut = 0; cut < n; cut += 13) {
			fixture_dump(path, bytes, cut);
			fixture_refused(f, ERR_CONFIG, "is damaged");
		}
		fixture_dump(path, bytes, n);
		free(bytes);
		free(path);
	}
	fixture_open(f);
}

/* One key in the place of another would turn a MAC key into a signing key. */
static void refuses_exchanged_keys(void **state)
{
	struct fixture *f = *state;
	size_t n;
	fixture_close(f);
	char *token = strdup(fixture_path(f, "token.key")), *bytes = fixture_slurp(fixture_path(f, "export.key"), &n);
	fixture_dump(token, bytes, n);
	fixture_refused(f, ERR_CONFIG, "token.key is damaged");
	free(bytes);
	free(token);
}

static void signs_and_refers(void **state)
{
	struct fixture *f = *state;
	uint8_t signature[64], public_key[32], a[32], b[32], c[32];
	keeper_public_key(f->k, public_key);
	keeper_sign(f->k, "certificate", 11, signature);
	assert_true(ed25519_verify(public_key, "certificate", 11, signature));
	keeper_reference(f->k, "label", "text", 4, a);
	keeper_reference(f->k, "labelt", "ext", 3, b);
	keeper_reference(f->k, "label", "text", 4, c);
	assert_memory_equal(a, c, 32);
	assert_memory_not_equal(a, b, 32);
}

/* Whoever has taken the server over can send anything. */
static void malformed_questions_are_refused(void **state)
{
	struct fixture *f = *state;
	static const int64_t fields[] = {-1 /* nothing there */, 0 /* empty */, 1, INT64_MAX};
	auto_wire q, a;
	wire_init(&q);
	wire_init(&a);
	for (int call = -1; call <= CALL_COUNT; call++)
		for (size_t i = 0; i < 4; i++)
			for (int n = 0; n < 12; n++) {
				wire_clear(&q);
				wire_put_int(&q, call);
				wire_put_int(&q, TEST_NOW);
				for (int k = 0; k < n; k++)
					wire_put_int(&q, fields[i]);
				vault_answer(f->k->vault, &q, &a);
				assert_true(wire_take_int(&a) >= 0 && !a.bad);
			}
	wire_clear(&q);
	wire_put_int(&q, CALL_sign_heads);
	wire_put_int(&q, TEST_NOW);
	wire_put_int(&q, 1);
	wire_put_text(&q, "log.example/1");
	wire_put_int(&q, 0);
	wire_put_bytes(&q, "", 0);
	wire_put_bytes(&q, "short", 5); /* no root */
	wire_put_bytes(&q, "and enough behind it that the count of logs can be believed", 59);
	vault_answer(f->k->vault, &q, &a);
	assert_int_equal(wire_take_int(&a), ERR_INTERNAL);
}

/* I3: two roots for one size would be signed if documents could be checkpoints. */
static void signs_no_checkpoint_as_a_document(void **state)
{
	struct fixture *f = *state;
	static const char forged[] = "log.example/1\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
	auto_wire q, a;
	wire_init(&q);
	wire_init(&a);
	wire_put_int(&q, CALL_sign);
	wire_put_int(&q, TEST_NOW);
	wire_put_text(&q, forged);
	vault_answer(f->k->vault, &q, &a);
	assert_int_equal(wire_take_int(&a), ERR_INTERNAL);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(files_and_modes),
		CASE(keys_differ),
		CASE(create_wants_an_empty_place),
		CASE(create_cleans_up),
		CASE(reopens_with_the_same_keys),
		CASE(second_open_is_busy),
		CASE(refuses_open_modes),
		CASE(refuses_missing_files),
		CASE(refuses_damaged_keys),
		CASE(refuses_exchanged_keys),
		CASE(signs_and_refers), CASE(malformed_questions_are_refused), CASE(signs_no_checkpoint_as_a_document),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
