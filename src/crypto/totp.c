/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/totp.h"

#include "base/err.h"
#include "crypto/openssl.h"

enum { SHA1_BYTES = 20 };

void totp_code(const void *key, size_t n, int64_t step, unsigned digits, char ret[TOTP_TEXT])
{
	static const uint32_t powers[] = {[6] = 1000000, [7] = 10000000, [8] = 100000000};
	uint8_t counter[8], mac[SHA1_BYTES];
	size_t mac_n = 0;
	check(digits >= 6 && digits <= 8 && step >= 0);
	for (int i = 0; i < 8; i++)
		counter[i] = (uint8_t)((uint64_t)step >> (56 - 8 * i));
	check(EVP_Q_mac(NULL, "HMAC", NULL, "SHA1", NULL, key, n, counter, sizeof counter, mac, sizeof mac, &mac_n) != NULL && mac_n == sizeof mac);
	unsigned at = mac[SHA1_BYTES - 1] & 0xf;
	uint32_t value = ((uint32_t)mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 | (uint32_t)mac[at + 2] << 8 | mac[at + 3];
	value %= powers[digits];
	for (unsigned i = digits; i > 0; i--, value /= 10)
		ret[i - 1] = (char)('0' + value % 10);
	ret[digits] = '\0';
}
