/* SPDX-License-Identifier: Apache-2.0
 * Passwords at rest: what fits and what does not, old parameters, nobody's, and that few are hashed at once. */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "crypto/password.h"

static struct scope scope_of(struct arena *a)
{
	struct scope s;
	scope_system(&s, a, NULL, NULL);
	return s;
}

static void fits_or_not(void **state)
{
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	struct scope s = scope_of(a);
	char one[PASSWORD_PHC_TEXT], two[PASSWORD_PHC_TEXT];
	bool right, weak;
	assert_err(password_hash(&s, "correct horse", one), OK);
	assert_err(password_hash(&s, "correct horse", two), OK);
	assert_string_not_equal(one, two);
	assert_memory_equal(one, "$argon2id$v=19$m=65536,t=3,p=1$", 31);
	assert_err(password_check(&s, "correct horse", one, &right, &weak), OK);
	assert_true(right && !weak);
	assert_err(password_check(&s, "correct horsf", one, &right, &weak), OK);
	assert_false(right || weak);
	assert_err(password_check(&s, "correct horse", NULL, &right, NULL), OK);
	assert_false(right);
	assert_err(password_hash(&s, "", one), ERR_BAD_REQUEST);
	arena_free(a);
}

/* argon2 -id -t 2 -k 1024 -p 1 -l 32 of "password" with the salt "somesalt". */
static void old_parameters_are_weak(void **state)
{
	static const char old[] = "$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$7FfsnA6vUe7qLpL/3Kqc3uR48ZJyFbUVt7jWZlf0Htk";
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	struct scope s = scope_of(a);
	bool right, weak;
	assert_err(password_check(&s, "password", old, &right, &weak), OK);
	assert_true(right && weak);
	assert_err(password_check(&s, "passwore", old, &right, &weak), OK);
	assert_false(right || weak);
	arena_free(a);
}

enum { CROWD = 24 };
static atomic_int refused, checked;

static void *come(void *arg)
{
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	struct scope s = scope_of(a);
	bool right;
	enum err e = password_check(&s, "whatever it is", NULL, &right, NULL);
	atomic_fetch_add(e == OK ? &checked : &refused, 1);
	assert_true(e == OK || e == ERR_TOO_MANY);
	arena_free(a);
	return NULL;
}

static void a_crowd_is_sent_away(void **state)
{
	pthread_t t[CROWD];
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&t[i], NULL, come, NULL), 0);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_join(t[i], NULL), 0);
	assert_int_equal(refused + checked, CROWD);
	assert_true(checked >= 1 + PASSWORD_WAITING);
	assert_true(refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(fits_or_not), cmocka_unit_test(old_parameters_are_weak), cmocka_unit_test(a_crowd_is_sent_away)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
