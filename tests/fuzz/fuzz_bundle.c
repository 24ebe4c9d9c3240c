/* SPDX-License-Identifier: Apache-2.0
 * An export bundle is accepted only where every byte of it is what was signed.  Input: a byte, then: 0, a file as it came; else the manifest of
 * a bundle with two files, which is signed with a key that is known here; 2: one byte of one of the files differs. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#include "codec/base64.h"
#include "codec/zip.h"
#include "privacy/export/check.h"

static const uint8_t SEED[ED25519_KEY_BYTES] = {1, 2, 3};
static const char DATA[] = "[\n{\"a\":1},\n{\"a\":2}\n]\n", CSV[] = "a\r\n1\r\n\"2\r\n\"\r\n";

static enum err verdict(struct scope *s, const char *path, const uint8_t *key, struct export_summary *ret)
{
	s->detail = NULL;
	enum err e = export_check_file(s, path, key, ret);
	if (e != OK) {
		check(e == ERR_BAD_REQUEST || e == ERR_CONFLICT);
		fuzz_refused(s, e);
		return e;
	}
	check(strlen(ret->operation) == ID_TEXT - 1 && strlen(ret->key_id) == 16 && ret->files > 0 && ret->public_key != NULL);
	check(ret->organisation != NULL && ret->host != NULL && ret->subject != NULL && ret->variant != NULL && ret->cut_off != NULL);
	return e;
}

static enum err into_memory(void *arg, const void *p, size_t n) { return write(*(int *)arg, p, n) == (ssize_t)n ? OK : ERR_IO; }

static int new_file(char path[64])
{
	int fd = memfd_create("bundle", MFD_CLOEXEC);
	check(fd >= 0);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

static void make(struct scope *s, int fd, const char *manifest, size_t n, bool change)
{
	uint8_t key[ED25519_KEY_BYTES], signature[ED25519_SIGNATURE_BYTES];
	struct zip_writer *z;
	auto_buf text;
	buf_init(&text, MIB);
	buf_adds(&text, EXPORT_SIGNED_PREFIX);
	buf_add(&text, manifest, n);
	ed25519_public(SEED, key);
	ed25519_sign(SEED, text.data, text.len, signature);
	const char *sig = arena_printf(s->arena, "{\"format\":\"" EXPORT_FORMAT "\",\"keyId\":\"%s\",\"publicKey\":\"%s\",\"signature\":\"%s\"}",
				       export_key_id(s->arena, key), base64_encode(s->arena, key, sizeof key),
				       base64_encode(s->arena, signature, sizeof signature));
	char *data = arena_strdup(s->arena, DATA);
	data[5] ^= change;
	check(zip_open_out(into_memory, &fd, 1, &z) == OK);
	check(zip_add(z, "data/a.json", data, strlen(data), 0) == OK && zip_add(z, "data/a.csv", CSV, strlen(CSV), 0) == OK);
	check(zip_add(z, "manifest.json", manifest, n, 0) == OK && zip_add(z, "manifest.sig", sig, strlen(sig), 0) == OK);
	check(zip_finish(z) == OK);
}

static void signed_manifest(struct scope *s, const char *manifest, size_t n)
{
	uint8_t key[ED25519_KEY_BYTES], other[ED25519_KEY_BYTES] = {9};
	struct export_summary sum;
	char path[64], changed[64];
	int fd = new_file(path), fd2 = new_file(changed);
	ed25519_public(SEED, key);
	make(s, fd, manifest, n, false);
	make(s, fd2, manifest, n, true);
	enum err e = verdict(s, path, key, &sum);
	check(verdict(s, path, NULL, &sum) == e);
	check(verdict(s, path, other, &sum) != OK);
	check(verdict(s, changed, key, &sum) != OK || e != OK);
	if (e == OK) /* whatever the manifest says beside, it has named both files as they are */
		check(sum.files == 2 && verdict(s, changed, NULL, &sum) == ERR_CONFLICT);
	close(fd);
	close(fd2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct export_summary sum;
	char path[64];
	if (n == 0 || n > 64 * KIB)
		return 0;
	struct scope *s = fuzz_scope();
	if (bytes[0] != 0) {
		signed_manifest(s, (const char *)bytes + 1, n - 1);
		return 0;
	}
	int fd = new_file(path);
	check(write(fd, bytes + 1, n - 1) == (ssize_t)(n - 1));
	verdict(s, path, NULL, &sum);
	close(fd);
	return 0;
}
