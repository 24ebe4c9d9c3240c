/* SPDX-License-Identifier: Apache-2.0
 * The keeper's files: who may read them, and the text form of a key: "<file name> <64 hex> <16 hex>\n", the last being
 * the start of the SHA-256 of what stands before, so that a damaged key is found instead of used. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/newfile.h"
#include "keeper/vault/vault.h"

enum { CHECK_BYTES = 8, KEY_FILE_MAX = 512 };

enum err vault_fail(char **detail, enum err e, const char *fmt, ...)
{
	if (detail == NULL || *detail != NULL)
		return e;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(detail, fmt, ap) < 0)
		*detail = NULL;
	va_end(ap);
	return e;
}

void wipe_free(char *text)
{
	if (text != NULL)
		wipe(text, strlen(text));
	free(text);
}

enum err vault_file_open(int dir, const char *name, bool append, int *ret_fd, uint64_t *ret_size, char **detail)
{
	struct stat st;
	int fd = openat(dir, name, (append ? O_RDWR | O_APPEND : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return vault_fail(detail, ERR_CONFIG, "the keeper's file %s is missing", name);
	if (fd < 0)
		return vault_fail(detail, ERR_CONFIG, "the keeper's file %s cannot be opened: %s", name,
				   strerror(errno));
	enum err e = OK;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		e = vault_fail(detail, ERR_CONFIG, "the keeper's file %s is no regular file", name);
	else if ((st.st_mode & 077) != 0)
		e = vault_fail(detail, ERR_CONFIG,
				"others than its owner may use the keeper's file %s (mode %04o): set it to 0600", name,
				(unsigned)(st.st_mode & 07777));
	if (e != OK) {
		close(fd);
		return e;
	}
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return OK;
}

enum err vault_file_read(int dir, const char *name, size_t max, char **ret, size_t *ret_n, char **detail)
{
	int fd;
	uint64_t size;
	TRY(vault_file_open(dir, name, false, &fd, &size, detail));
	if (size > max) {
		close(fd);
		return vault_fail(detail, ERR_CONFIG, "the keeper's file %s is damaged: it is too long", name);
	}
	char *p = malloc((size_t)size + 1);
	check(p != NULL);
	size_t n = 0;
	ssize_t got = 1;
	while (n < size && (got = read(fd, p + n, (size_t)size - n)) > 0)
		n += (size_t)got;
	close(fd);
	p[n] = '\0';
	if (n < size) {
		wipe(p, n);
		free(p);
		return vault_fail(detail, ERR_IO, "the keeper's file %s cannot be read", name);
	}
	*ret = p;
	*ret_n = n;
	return OK;
}

/* text: KEY_FILE_MAX bytes. */
static void key_text(const char *name, const uint8_t *key, size_t key_n, char *text)
{
	char hex[2 * KEEPER_BYTES_MAX + 1], check_hex[2 * CHECK_BYTES + 1];
	uint8_t hash[SHA256_BYTES];
	check(key_n <= KEEPER_BYTES_MAX);
	hex_encode(key, key_n, hex);
	int n = snprintf(text, KEY_FILE_MAX, "%s %s", name, hex);
	sha256(text, (size_t)n, hash);
	hex_encode(hash, CHECK_BYTES, check_hex);
	snprintf(text + n, (size_t)(KEY_FILE_MAX - n), " %s\n", check_hex);
	wipe(hex, sizeof hex);
}

enum err vault_bytes_write(int dir, const char *name, const uint8_t *key, size_t key_n)
{
	char text[KEY_FILE_MAX];
	key_text(name, key, key_n, text);
	enum err e = newfile_put(dir, name, text, strlen(text));
	wipe(text, sizeof text);
	return e;
}

enum err vault_bytes_read(int dir, const char *name, uint8_t *key, size_t key_n, char **detail)
{
	char *text, again[KEY_FILE_MAX];
	size_t n, at = strlen(name) + 1;
	TRY(vault_file_read(dir, name, KEY_FILE_MAX - 1, &text, &n, detail));
	bool good = n > at + 2 * key_n && hex_decode(text + at, key_n, key);
	if (good) {
		key_text(name, key, key_n, again);
		good = strlen(again) == n && memcmp(text, again, n) == 0;
		wipe(again, sizeof again);
	}
	wipe(text, n);
	free(text);
	return good ? OK : vault_fail(detail, ERR_CONFIG, "the keeper's file %s is damaged", name);
}

enum err vault_key_write(int dir, const char *name, const uint8_t key[KEEPER_KEY_BYTES])
{
	return vault_bytes_write(dir, name, key, KEEPER_KEY_BYTES);
}

enum err vault_key_read(int dir, const char *name, uint8_t key[KEEPER_KEY_BYTES], char **detail)
{
	return vault_bytes_read(dir, name, key, KEEPER_KEY_BYTES, detail);
}

static bool overwrite(int fd)
{
	static const uint8_t zeros[4096];
	struct stat st;
	if (fstat(fd, &st) != 0)
		return false;
	for (off_t left = st.st_size; left > 0; left -= (off_t)sizeof zeros)
		if (write_all(fd, zeros, left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros) != OK)
			return false;
	return fdatasync(fd) == 0;
}

enum err vault_file_destroy(int dir, const char *name, bool leave_name)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return OK;
	bool done = fd >= 0 && overwrite(fd);
	if (done && leave_name)
		done = ftruncate(fd, 0) == 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	if (done && !leave_name)
		done = unlinkat(dir, name, 0) == 0 && fsync(dir) == 0;
	return done ? OK : ERR_IO;
}
