/* SPDX-License-Identifier: Apache-2.0
 * Whatever a request says, the certificate made of it names the device and tenant that we meant, is one of a client, and its issuer
 * accepts it.  Input: a PKCS#10 request in DER, or a text that begins with '-'. */
#include "pem.h"
#include "place.h"

static const struct id TENANT = {{0x0a, 1}}, DEVICE = {{0x0b, 2}};

static const struct x509_pair *ca(void)
{
	static struct arena *a;
	static struct x509_pair pair;
	if (a == NULL) {
		a = arena_new(MIB);
		check(x509_make_ca(a, "fuzz", FUZZ_NOW, 3650, &pair) == OK);
	}
	return &pair;
}

static void signed_one(struct scope *s, const char *pem, const uint8_t fingerprint[32], int64_t not_after)
{
	size_t n;
	struct x509_info info, read;
	const void *der = pem_bytes(s->arena, pem, &n);
	check(x509_check_client(s, ca()->cert_pem, der, n, s->now, &info) == OK);
	check(x509_read(s, pem, &read) == OK);
	check(memcmp(info.fingerprint, fingerprint, 32) == 0 && memcmp(read.fingerprint, fingerprint, 32) == 0);
	check(id_equal(info.device, DEVICE) && id_equal(info.tenant, TENANT));
	check(info.not_after_us == not_after && not_after > s->now && not_after <= s->now + 90 * DAY_US);
	/* it can issue nothing: a certificate that it signed would not be accepted, because it is no authority */
	check(x509_check_client(s, pem, der, n, s->now, &info) != OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *cert;
	uint8_t fingerprint[32];
	int64_t not_after;
	if (n > 16 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	s->now = FUZZ_NOW;
	const char *text = n > 0 && bytes[0] == '-' ? arena_strndup(s->arena, (const char *)bytes, n)
						    : pem_of(s->arena, "CERTIFICATE REQUEST", bytes, n);
	enum err e = x509_sign_request(s, ca(), text, TENANT, DEVICE, 90, &cert, fingerprint, &not_after);
	if (e == OK)
		signed_one(s, cert, fingerprint, not_after);
	else
		fuzz_refused(s, e);
	return 0;
}
