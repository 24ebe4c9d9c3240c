/* SPDX-License-Identifier: Apache-2.0
 * The keeper in a process of its own: it answers as one that was opened here, to many threads at once, and keeps what it has to itself. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "keeper/process.h"
#include "keeper/fixture.h"

static struct keeper *start(struct fixture *f)
{
	struct keeper *k;
	char *detail = NULL;
	const struct keeper_options o = {.backups = true, .backup_days = 3};
	enum err e = keeper_start(f->dir, &o, &k, &detail);
	if (e != OK)
		fail_msg("keeper_start: %s", detail != NULL ? detail : "no detail");
	return k;
}

/* What both ways of opening it must say alike. */
struct said {
	uint8_t place[SHA256_BYTES], public_key[ED25519_KEY_BYTES], signature[ED25519_SIGNATURE_BYTES], reference[SHA256_BYTES];
	char *token, *ca;
	int64_t gone_at;
};

static struct said ask_all(struct fixture *f, struct keeper *k)
{
	struct said x;
	struct token_claims c = {.tenant = {{1}}, .application = {{2}}, .credential = {{3}}, .issued_us = TEST_NOW, .expires_us = TEST_NOW + HOUR_US};
	memset(&x, 0, sizeof x);
	keeper_place(k, x.place);
	keeper_public_key(k, x.public_key);
	keeper_sign(k, "message", 7, x.signature);
	keeper_reference(k, "label", "text", 4, x.reference);
	x.token = keeper_token_issue(k, f->arena, "https://issuer", &c);
	x.ca = keeper_ca_pem(k, f->arena);
	x.gone_at = keeper_copies_gone_at(k, TEST_NOW);
	return x;
}

static void answers_as_one_opened_here(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	struct keeper *far = start(f);
	struct said there = ask_all(f, far);
	size_t n, back_n;
	void *sealed = keeper_seal(far, f->arena, "secret", 6, &n);
	keeper_close(far);
	const struct keeper_options o = {.backups = true, .backup_days = 3};
	assert_err(keeper_open_with(f->dir, &o, &f->k, NULL), OK);
	f->s.keeper = f->k;
	struct said here = ask_all(f, f->k);
	assert_memory_equal(there.place, here.place, sizeof here.place);
	assert_memory_equal(there.signature, here.signature, sizeof here.signature);
	assert_memory_equal(there.reference, here.reference, sizeof here.reference);
	assert_int_equal(there.gone_at, here.gone_at);
	const char *back = keeper_unseal(f->k, f->arena, sealed, n, &back_n);
	assert_non_null(back);
	assert_memory_equal(back, "secret", 6);
	struct token_claims c;
	assert_err(keeper_token_verify(f->k, &f->s, there.token, &c), OK);
	assert_string_equal(there.ca, here.ca);
}

static bool count_entry(void *arg, uint64_t sequence, const char *json, size_t n)
{
	uint64_t *seen = arg;
	return sequence == ++*seen && n > 0 && json[0] == '{';
}

static void keeps_the_ledger_and_says_why_not(void **state)
{
	struct fixture *f = *state;
	static char big[300 * 1024];
	uint64_t sequence = 0, seen = 0;
	fixture_close(f);
	struct keeper *k = start(f);
	memset(big, 'x', sizeof big);
	assert_err(keeper_ledger_append(k, &f->s, big, sizeof big, NULL, NULL), ERR_TOO_LARGE);
	assert_non_null(strstr(f->s.detail, "at most"));
	f->s.detail = NULL;
	for (int i = 0; i < 40; i++)
		assert_err(keeper_ledger_append(k, &f->s, "{\"a\":1}", 7, &sequence, NULL), OK);
	assert_int_equal(sequence, 40);
	assert_int_equal(keeper_ledger_size(k), 40);
	assert_err(keeper_ledger_read(k, &f->s, 1, count_entry, &seen), OK);
	assert_int_equal(seen, 40);
	uint8_t hash[SHA256_BYTES];
	assert_err(keeper_ledger_hash(k, &f->s, 41, hash), ERR_NOT_FOUND);
	f->s.detail = NULL;
	struct token_claims c;
	assert_err(keeper_token_verify(k, &f->s, "forged", &c), ERR_UNAUTHENTICATED);
	assert_string_equal(f->s.detail, "the access token is malformed");
	keeper_close(k);
}

/* A token that was good a moment ago is good as long as its time lasts, and no other text is. */
static void a_token_is_good_in_its_time(void **state)
{
	struct fixture *f = *state;
	struct token_claims got, c = {.tenant = {{1}}, .application = {{2}}, .credential = {{3}}, .issued_us = TEST_NOW, .expires_us = TEST_NOW + HOUR_US};
	fixture_close(f);
	struct keeper *k = start(f);
	char *token = keeper_token_issue(k, f->arena, "https://issuer", &c);
	for (int i = 0; i < 3; i++) {
		memset(&got, 0, sizeof got);
		assert_err(keeper_token_verify(k, &f->s, token, &got), OK);
		assert_true(id_equal(got.credential, c.credential) && got.expires_us == c.expires_us);
	}
	for (size_t i = 0; i < strlen(token); i++) {
		char *other = arena_strdup(f->arena, token);
		other[i] = other[i] == 'A' ? 'B' : 'A';
		assert_err(keeper_token_verify(k, &f->s, other, &got), ERR_UNAUTHENTICATED);
		f->s.detail = NULL;
	}
	assert_err(keeper_token_verify(k, &f->s, NULL, &got), ERR_UNAUTHENTICATED);
	f->s.detail = NULL;
	f->s.now = TEST_NOW + HOUR_US;
	assert_err(keeper_token_verify(k, &f->s, token, &got), ERR_UNAUTHENTICATED);
	assert_string_equal(f->s.detail, "the access token has expired");
	f->s.detail = NULL;
	f->s.now = TEST_NOW - 2 * MINUTE_US;
	assert_err(keeper_token_verify(k, &f->s, token, &got), ERR_UNAUTHENTICATED);
	keeper_close(k);
}

struct caller {
	struct keeper *k;
	int number;
	bool good;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;
	struct arena *a = arena_new(16 * MIB);
	c->good = true;
	for (int i = 0; i < 200; i++) {
		char text[32];
		size_t sealed_n, n;
		int len = snprintf(text, sizeof text, "%d of %d", i, c->number);
		void *sealed = keeper_seal(c->k, a, text, (size_t)len, &sealed_n);
		const char *back = keeper_unseal(c->k, a, sealed, sealed_n, &n);
		c->good = c->good && back != NULL && n == (size_t)len && memcmp(back, text, n) == 0;
	}
	arena_free(a);
	return NULL;
}

static void answers_many_at_once(void **state)
{
	enum { CALLERS = 24 }; /* more than there are lines */
	struct fixture *f = *state;
	pthread_t threads[CALLERS];
	struct caller callers[CALLERS];
	fixture_close(f);
	struct keeper *k = start(f);
	for (int i = 0; i < CALLERS; i++) {
		callers[i] = (struct caller){.k = k, .number = i};
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
	}
	for (int i = 0; i < CALLERS; i++) {
		pthread_join(threads[i], NULL);
		assert_true(callers[i].good);
	}
	keeper_close(k);
}

/* The first child of this process that is a keeper, by its command line. */
static pid_t keeper_pid(void)
{
	char path[64], text[64];
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	FILE *p = fopen(path, "r");
	long pid = 0;
	if (p != NULL) {
		assert_non_null(fgets(text, sizeof text, p));
		pid = strtol(text, NULL, 10);
		fclose(p);
	}
	return (pid_t)pid;
}

/* Everybody but root: what of another process of the same user could be read is not readable of this one. */
static void nobody_looks_into_it(void **state)
{
	struct fixture *f = *state;
	char path[64];
	struct stat st;
	fixture_close(f);
	struct keeper *k = start(f);
	pid_t pid = keeper_pid();
	assert_true(pid > 0);
	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	assert_int_equal(stat(path, &st), 0);
	if (getuid() != 0)
		assert_int_equal(st.st_uid, 0); /* not dumpable: its files in /proc are root's */
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	char text[4096];
	FILE *p = fopen(path, "r");
	assert_non_null(p);
	text[fread(text, 1, sizeof text - 1, p)] = '\0';
	fclose(p);
	assert_non_null(strstr(text, "\nSeccomp:\t2\n"));
	assert_non_null(strstr(text, "\nNoNewPrivs:\t1\n"));
	assert_int_equal(kill(pid, SIGTERM), 0); /* it goes when its server goes, and not before */
	uint8_t reference[SHA256_BYTES];
	keeper_reference(k, "label", "text", 4, reference);
	keeper_close(k);
	assert_int_equal(kill(pid, 0), -1);
}

static void a_server_ends_with_its_keeper(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	fflush(NULL);
	pid_t server = fork();
	if (server == 0) {
		uint8_t reference[SHA256_BYTES];
		struct keeper *k = start(f);
		kill(keeper_pid(), SIGKILL);
		for (;;)
			keeper_reference(k, "label", "text", 4, reference);
	}
	int status;
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 74);
}

/* And a keeper with its server, whose place the next one takes. */
static void a_keeper_ends_with_its_server(void **state)
{
	struct fixture *f = *state;
	fixture_close(f);
	fflush(NULL);
	for (int i = 0; i < 3; i++) {
		pid_t server = fork();
		if (server == 0) {
			start(f);
			raise(SIGKILL);
		}
		int status;
		assert_int_equal(waitpid(server, &status, 0), server);
		assert_true(WIFSIGNALED(status));
	}
	keeper_close(start(f));
}

static void one_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct keeper *k, *second;
	char *detail = NULL;
	fixture_close(f);
	k = start(f);
	assert_err(keeper_start(f->dir, &(struct keeper_options){0}, &second, &detail), ERR_BUSY);
	char want[32];
	snprintf(want, sizeof want, "(pid %d)", (int)getpid()); /* of the server, not of its keeper */
	assert_non_null(strstr(detail, want));
	free(detail);
	keeper_close(k);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "keeper") == 0) /* this program is its own server's binary */
		keeper_process();
	const struct CMUnitTest tests[] = {
		CASE(answers_as_one_opened_here),
		CASE(keeps_the_ledger_and_says_why_not),
		CASE(a_token_is_good_in_its_time),
		CASE(answers_many_at_once),
		CASE(nobody_looks_into_it),
		CASE(a_server_ends_with_its_keeper),
		CASE(a_keeper_ends_with_its_server),
		CASE(one_at_a_time),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
