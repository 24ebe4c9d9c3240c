/* SPDX-License-Identifier: Apache-2.0
 * The certificate authority and its roll-over, also where that is interrupted. */
#include "fixture.h"

#include "crypto/x509_inner.h"

static struct id tenant, device;

/* A device certificate as DER. */
static uint8_t *issue(struct fixture *f, size_t *ret_n)
{
	char *key, *csr, *cert;
	uint8_t fingerprint[32], *der = NULL;
	int64_t end;
	tenant = id_new(TEST_NOW);
	device = id_new(TEST_NOW);
	assert_err(x509_make_request(f->arena, "agent", &key, &csr), OK);
	enum err e = keeper_issue_device(f->k, &f->s, csr, tenant, device, 30, &cert, fingerprint, &end);
	if (e != OK)
		fail_msg("issue: %s", scope_detail(&f->s, e));
	X509 *x = x509_parse_cert(cert);
	int n = i2d_X509(x, &der);
	uint8_t *copy = malloc((size_t)n);
	memcpy(copy, der, (size_t)n);
	OPENSSL_free(der);
	X509_free(x);
	*ret_n = (size_t)n;
	return copy;
}

static enum err check_der(struct fixture *f, const uint8_t *der, size_t n)
{
	struct x509_info info;
	f->s.detail = NULL;
	return x509_check_client(&f->s, keeper_ca_pem(f->k, f->arena), der, n, f->s.now, &info);
}

static int authorities(struct fixture *f)
{
	int n = 0;
	for (const char *p = keeper_ca_pem(f->k, f->arena); (p = strstr(p, "BEGIN CERTIFICATE")) != NULL; p++)
		n++;
	return n;
}

static void issues(void **state)
{
	struct fixture *f = *state;
	size_t n;
	uint8_t *der = issue(f, &n);
	assert_err(check_der(f, der, n), OK);
	free(der);
	struct x509_pair pair;
	struct x509_info info;
	static const char *const dns[] = {"localhost", NULL}, *const bad[] = {"a b", NULL};
	assert_err(keeper_issue_server(f->k, &f->s, &(struct x509_name){"localhost", dns, NULL}, 397, &pair), OK);
	assert_true(x509_key_matches(pair.cert_pem, pair.key_pem));
	assert_err(x509_read(&f->s, pair.cert_pem, &info), OK);
	assert_int_equal(info.not_after_us, TEST_NOW + 397 * DAY_US);
	assert_err(keeper_issue_server(f->k, &f->s, &(struct x509_name){"x", bad, NULL}, 397, &pair), ERR_BAD_REQUEST);
	assert_non_null(f->s.detail);
}

/* Both generations are trusted, across a restart, and the new one signs. */
static void rolls_over(void **state)
{
	struct fixture *f = *state;
	size_t old_n, new_n;
	uint8_t *old = issue(f, &old_n);
	char *before = strdup(keeper_ca_pem(f->k, f->arena));
	assert_err(keeper_ca_roll(f->k, &f->s, "Test CA"), OK); /* even under the same name */
	uint8_t *new = issue(f, &new_n);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(authorities(f), 2);
		assert_err(check_der(f, old, old_n), OK);
		assert_err(check_der(f, new, new_n), OK);
		assert_string_equal(strstr(keeper_ca_pem(f->k, f->arena), before), before); /* newest first */
		fixture_close(f);
		fixture_open(f);
	}
	struct x509_info info;
	assert_err(x509_check_client(&f->s, before, new, new_n, f->s.now, &info), ERR_UNAUTHENTICATED);
	assert_int_not_equal(access(fixture_path(f, "ca-next.key"), F_OK), 0);
	assert_int_not_equal(access(fixture_path(f, "ca-next.pem"), F_OK), 0);
	free(before);
	free(old);
	free(new);
}

static void forgets_the_expired(void **state)
{
	struct fixture *f = *state;
	size_t n;
	uint8_t *der = issue(f, &n);
	f->s.now = TEST_NOW + 3650 * DAY_US;
	char *key, *csr, *cert;
	uint8_t fingerprint[32];
	int64_t end;
	assert_err(x509_make_request(f->arena, "agent", &key, &csr), OK);
	assert_err(keeper_issue_device(f->k, &f->s, csr, tenant, device, 30, &cert, fingerprint, &end), ERR_CONFIG);
	assert_says(&f->s, "has expired");
	struct x509_pair pair;
	assert_err(keeper_issue_server(f->k, &f->s, &(struct x509_name){"x", NULL, NULL}, 1, &pair), ERR_CONFIG);
	f->s.now -= DAY_US;
	assert_err(keeper_ca_roll(f->k, &f->s, "Next"), OK);
	assert_int_equal(authorities(f), 2);
	f->s.now += 2 * DAY_US;
	assert_err(keeper_ca_roll(f->k, &f->s, "After next"), OK);
	assert_int_equal(authorities(f), 2); /* the first is gone */
	assert_err(check_der(f, der, n), ERR_UNAUTHENTICATED);
	free(der);
}

static void has_a_limit(void **state)
{
	struct fixture *f = *state;
	for (int i = 1; i < 16; i++)
		assert_err(keeper_ca_roll(f->k, &f->s, "CA"), OK);
	assert_err(keeper_ca_roll(f->k, &f->s, "CA"), ERR_LIMIT);
	assert_int_equal(authorities(f), 16);
	fixture_close(f);
	fixture_open(f);
	assert_err(keeper_ca_roll(f->k, &f->s, ""), ERR_BAD_REQUEST);
}

static void copy(struct fixture *f, const char *from, const char *to)
{
	size_t n;
	char *bytes = fixture_slurp(fixture_path(f, from), &n);
	fixture_dump(fixture_path(f, to), bytes, n);
	free(bytes);
}

/* A crash at each step: before ca-next.pem is there nothing happened, from then on it happened. */
static void interrupted(void **state)
{
	struct fixture *f = *state;
	copy(f, "ca.key", "old.key");
	copy(f, "ca.pem", "old.pem");
	char *old = strdup(keeper_ca_pem(f->k, f->arena));
	assert_err(keeper_ca_roll(f->k, &f->s, "Next"), OK);
	char *new = strdup(keeper_ca_pem(f->k, f->arena));
	fixture_close(f);
	copy(f, "ca.key", "new.key");
	copy(f, "ca.pem", "new.pem");

	copy(f, "old.key", "ca.key"); /* only the key was written */
	copy(f, "old.pem", "ca.pem");
	copy(f, "new.key", "ca-next.key");
	fixture_open(f);
	assert_string_equal(keeper_ca_pem(f->k, f->arena), old);
	assert_int_not_equal(access(fixture_path(f, "ca-next.key"), F_OK), 0);
	fixture_close(f);

	copy(f, "new.key", "ca-next.key"); /* both were written, none was renamed */
	copy(f, "new.pem", "ca-next.pem");
	fixture_open(f);
	assert_string_equal(keeper_ca_pem(f->k, f->arena), new);
	fixture_close(f);

	copy(f, "new.key", "ca.key"); /* the key was renamed */
	copy(f, "old.pem", "ca.pem");
	copy(f, "new.pem", "ca-next.pem");
	fixture_open(f);
	assert_string_equal(keeper_ca_pem(f->k, f->arena), new);
	fixture_close(f);

	copy(f, "old.key", "ca.key"); /* no step of ours leaves this */
	fixture_refused(f, ERR_CONFIG, "do not belong together");
	free(old);
	free(new);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(issues), CASE(rolls_over), CASE(forgets_the_expired), CASE(has_a_limit), CASE(interrupted),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
