/* SPDX-License-Identifier: Apache-2.0
 * A client certificate that is accepted is within its time, names one device and one tenant, and reads the same as a text.  Input: a
 * certificate in DER, or a text that begins with '-'.  The corpus has certificates of AUTHORITY, whose key was thrown away. */
#include "pem.h"
#include "place.h"

#include "devices/payload_rules.h"

static const char AUTHORITY[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBdjCCARygAwIBAgIUPf8nq78Q/B/i6FvlygaAU2KXg88wCgYIKoZIzj0EAwIw\n"
	"GDEWMBQGA1UEAwwNUmVldmUgZnV6eiBDQTAgFw0yNjAxMDEwMDAwMDBaGA8yMTI1\n"
	"MTIwODAwMDAwMFowGDEWMBQGA1UEAwwNUmVldmUgZnV6eiBDQTBZMBMGByqGSM49\n"
	"AgEGCCqGSM49AwEHA0IABFAKjqvrAPKe6iTtJckBvjsl2IAToKYLsuokNsHqCkwz\n"
	"l1Ndwxjs40nsNAGngX5BxlACEHMoJEivDyjpC0PcxkajQjBAMA8GA1UdEwEB/wQF\n"
	"MAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQWBBRkcDb1n8q4Aqj0czoehTI5\n"
	"oovPXTAKBggqhkjOPQQDAgNIADBFAiAM0gSWu3lpLL0nMZiaS4XleA2/T5OUGG1x\n"
	"Rq+mSApqtwIhAMuA2ZbiaqRxSEuau4jsUMvcnfXUF5RR7js6DMAqCmqp\n"
	"-----END CERTIFICATE-----\n";

static void as_text(struct scope *s, const char *text)
{
	struct x509_info info;
	enum err e = x509_read(s, text, &info);
	if (e != OK)
		fuzz_refused(s, e);
	check(!x509_key_matches(text, text));
	if (rule_certificate(s, text, 0) == NULL)
		check(e == OK); /* what is provisioned can be read */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct x509_info info, read;
	uint8_t fingerprint[32];
	if (n > 16 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	if (n > 0 && bytes[0] == '-') {
		as_text(s, arena_strndup(s->arena, (const char *)bytes, n));
		return 0;
	}
	enum err e = x509_check_client(s, AUTHORITY, bytes, n, FUZZ_NOW, &info);
	if (e != OK) {
		check(e == ERR_UNAUTHENTICATED);
		fuzz_refused(s, e);
	}
	char *pem = pem_of(s->arena, "CERTIFICATE", bytes, n);
	as_text(s, pem);
	if (e != OK)
		return 0;
	check(info.not_before_us <= FUZZ_NOW && FUZZ_NOW < info.not_after_us);
	check(!id_is_nil(info.device) && !id_is_nil(info.tenant));
	sha256(bytes, n, fingerprint);
	check(memcmp(info.fingerprint, fingerprint, sizeof fingerprint) == 0);
	check(x509_read(s, pem, &read) == OK && memcmp(read.fingerprint, fingerprint, sizeof fingerprint) == 0);
	check(id_equal(read.device, info.device) && id_equal(read.tenant, info.tenant));
	/* no other authority would have it */
	struct x509_pair other;
	check(x509_make_ca(s->arena, "other", FUZZ_NOW, 10, &other) == OK);
	check(x509_check_client(s, other.cert_pem, bytes, n, FUZZ_NOW, &read) == ERR_UNAUTHENTICATED);
	return 0;
}
