/* SPDX-License-Identifier: Apache-2.0
 * Making, opening and closing the vault, and what needs no more than its keys.  signing.key is written last: a
 * directory without it was never finished and does not open. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/newfile.h"
#include "keeper/vault/vault.h"

#define LOCK_FILE "lock"

/* In the order in which they are made. */
static const char *const files[] = {LOCK_FILE,   "heads",           "ledger",     "ca.key",     "ca.pem",
				    "token.key", "suppression.key", "export.key", "signing.key"};
enum { LOCK_WAIT_MS = 5000, LOCK_STEP_MS = 20 };
enum { FILES = sizeof files / sizeof files[0], EMPTY_FILES = 3, FIRST_KEY = 5 };

/* ---- making ---- */

static bool is_empty(int dir)
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (d == NULL)
		return false;
	bool empty = true;
	const struct dirent *e;
	while (empty && (e = readdir(d)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
			strcmp(e->d_name, "lost+found") == 0;
	closedir(d);
	return empty;
}

/* The directory itself may be given (an empty mount point), so that its mode must be set either way. */
static enum err make_directory(const char *path, int *ret, char **detail)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return vault_fail(detail, err_from_errno(errno), "the keeper's directory %s cannot be made: %s", path,
				   strerror(errno));
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return vault_fail(detail, err_from_errno(errno), "the keeper's directory %s cannot be opened: %s",
				   path, strerror(errno));
	if (!is_empty(dir)) {
		close(dir);
		return vault_fail(detail, ERR_EXISTS, "the keeper's directory %s is not empty", path);
	}
	if (fchmod(dir, 0700) != 0) {
		close(dir);
		return vault_fail(detail, ERR_CONFIG, "the keeper's directory %s belongs to another user", path);
	}
	*ret = dir;
	return OK;
}

static enum err make_files(int dir, const char *ca_name, int64_t now_us, char **detail)
{
	for (int i = 0; i < EMPTY_FILES; i++)
		TRY(newfile_put(dir, files[i], "", 0));
	TRY(ca_create(dir, ca_name, now_us, detail));
	for (int i = FIRST_KEY; i < FILES; i++) {
		uint8_t key[KEEPER_KEY_BYTES];
		random_bytes(key, sizeof key); /* every 32 bytes are an Ed25519 seed */
		enum err e = vault_key_write(dir, files[i], key);
		wipe(key, sizeof key);
		if (e != OK)
			return e;
	}
	return OK;
}

/* The directory's own name must survive a crash, too. */
static enum err sync_parent(const char *path)
{
	char *up;
	check(asprintf(&up, "%s/..", path) > 0);
	int fd = open(up, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum err e = fd >= 0 && fsync(fd) == 0 ? OK : ERR_IO;
	if (fd >= 0)
		close(fd);
	free(up);
	return e;
}

enum err keeper_create(const char *path, const char *ca_name, int64_t now_us, char **detail)
{
	int dir = -1;
	if (detail != NULL)
		*detail = NULL;
	TRY(make_directory(path, &dir, detail));
	enum err e = make_files(dir, ca_name, now_us, detail);
	if (e == OK)
		e = sync_parent(path);
	if (e != OK) {
		for (int i = 0; i < FILES; i++)
			unlinkat(dir, files[i], 0);
		vault_fail(detail, e, "the keeper's files in %s could not be written: %s", path, err_text(e));
	}
	close(dir);
	return e;
}

/* ---- opening ---- */

static enum err open_directory(struct vault *k, const char *path, char **detail)
{
	struct stat st;
	k->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k->dir < 0 || fstat(k->dir, &st) != 0)
		return vault_fail(detail, ERR_CONFIG, "the keeper's directory %s cannot be opened: %s", path,
				   strerror(errno));
	if ((st.st_mode & 077) != 0)
		return vault_fail(
			detail, ERR_CONFIG,
			"others than its owner may use the keeper's directory %s (mode %04o): set it to 0700", path,
			(unsigned)(st.st_mode & 07777));
	return OK;
}

static long read_pid(int fd)
{
	char text[24] = "";
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	return n > 0 ? strtol(text, NULL, 10) : 0;
}

/* A server that died leaves a keeper that is just finishing: its lock is waited for, that of one that lives is not. */
static bool wait_lock(int fd)
{
	for (int i = 0; i < LOCK_WAIT_MS / LOCK_STEP_MS; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		int e = errno;
		long owner = read_pid(fd);
		if (e != EWOULDBLOCK || owner <= 0 || kill((pid_t)owner, 0) == 0 || errno != ESRCH) {
			errno = e;
			return false;
		}
		usleep(LOCK_STEP_MS * 1000);
	}
	return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

/* The lock is the kernel's, not the file's: a process that dies gives it back. */
static enum err take_lock(struct vault *k, pid_t owner, char **detail)
{
	k->lock = openat(k->dir, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (k->lock < 0)
		return vault_fail(detail, ERR_CONFIG, "the keeper's lock cannot be opened: %s", strerror(errno));
	if (!wait_lock(k->lock)) {
		if (errno != EWOULDBLOCK)
			return vault_fail(detail, ERR_IO, "the keeper's lock cannot be taken: %s", strerror(errno));
		return vault_fail(detail, ERR_BUSY, "another server uses this data directory (pid %ld)",
				   read_pid(k->lock));
	}
	if (ftruncate(k->lock, 0) != 0 || dprintf(k->lock, "%ld\n", (long)owner) < 0)
		return vault_fail(detail, err_from_errno(errno), "the keeper's lock cannot be written: %s",
				   strerror(errno));
	return OK;
}

static enum err open_keys(struct vault *k, char **detail)
{
	TRY(vault_key_read(k->dir, "signing.key", k->signer.seed, detail));
	TRY(vault_key_read(k->dir, "token.key", k->token_key, detail));
	TRY(vault_key_read(k->dir, "suppression.key", k->suppression_key, detail));
	TRY(vault_key_read(k->dir, "export.key", k->export_key, detail));
	ed25519_public(k->signer.seed, k->signer.public_key);
	return ca_open(&k->ca, k->dir, detail);
}

static enum err open_logs(struct vault *k, char **detail)
{
	uint64_t heads_cut, ledger_cut;
	TRY(heads_open(k->dir, &k->heads, &heads_cut, detail));
	TRY(ledger_open(k->dir, &k->ledger, &ledger_cut, detail));
	if (heads_cut > 0 || ledger_cut > 0)
		check(asprintf(&k->cut, "heads=%" PRIu64 " ledger=%" PRIu64, heads_cut, ledger_cut) > 0);
	return OK;
}

static struct vault *new_vault(char **detail)
{
	struct vault *k = calloc(1, sizeof *k);
	check(k != NULL && pthread_rwlock_init(&k->ca.lock, NULL) == 0 && pthread_mutex_init(&k->both, NULL) == 0);
	k->dir = k->lock = -1;
	if (detail != NULL)
		*detail = NULL;
	return k;
}

static enum err opened(struct vault *k, enum err e, struct vault **ret)
{
	if (e == OK)
		*ret = k;
	else
		vault_close(k);
	return e;
}

enum err vault_open_for(pid_t owner, const char *dir, const struct keeper_options *o, struct vault **ret, char **detail)
{
	struct vault *k = new_vault(detail);
	k->backups = o->backups;
	k->backup_days = o->backup_days;
	enum err e = open_directory(k, dir, detail);
	if (e == OK)
		e = take_lock(k, owner, detail);
	if (e == OK)
		e = open_keys(k, detail);
	if (e == OK)
		e = open_logs(k, detail);
	if (e == OK)
		e = daykeys_open(k, o->backups || (o->copy != NULL && *o->copy != '\0') ? DAYKEYS_MAKE : DAYKEYS_KEEP, detail);
	if (e == OK)
		e = copy_open(k, o->copy, detail);
	return opened(k, e, ret);
}

enum err vault_open_sealed(const char *dir, struct vault **ret, char **detail)
{
	struct vault *k = new_vault(detail);
	enum err e = open_directory(k, dir, detail);
	if (e == OK)
		e = vault_key_read(k->dir, "signing.key", k->signer.seed, detail);
	if (e == OK)
		e = vault_key_read(k->dir, "export.key", k->export_key, detail);
	if (e == OK) {
		ed25519_public(k->signer.seed, k->signer.public_key);
		e = daykeys_open(k, DAYKEYS_READ, detail);
	}
	return opened(k, e, ret);
}

void vault_close(struct vault *k)
{
	if (k == NULL)
		return;
	copy_close(k->copy);
	daykeys_close(k->days);
	heads_close(k->heads);
	ledger_close(k->ledger);
	ca_close(&k->ca);
	pthread_mutex_destroy(&k->both);
	pthread_rwlock_destroy(&k->ca.lock);
	if (k->lock >= 0)
		close(k->lock);
	if (k->dir >= 0)
		close(k->dir);
	free(k->cut);
	wipe(k, sizeof *k);
	free(k);
}

const char *vault_cut(const struct vault *k)
{
	return k->cut;
}

/* A copy on the same machine has another inode and birth; a copy of the whole disk stands in another machine. */
void vault_place(struct vault *k, uint8_t ret[SHA256_BYTES])
{
	struct statx st;
	char machine[64] = "";
	struct {
		uint64_t inode, birth, nanoseconds, device;
	} where = {0};
	check(statx(k->dir, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) == 0);
	where.inode = st.stx_ino;
	if ((st.stx_mask & STATX_BTIME) != 0) {
		where.birth = (uint64_t)st.stx_btime.tv_sec;
		where.nanoseconds = st.stx_btime.tv_nsec;
	} else { /* not every file system knows it; the device's number may change with the machine's start */
		where.device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
	}
	int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, machine, sizeof machine - 1);
		machine[n > 0 ? n : 0] = '\0';
		close(fd);
	}
	sha256_parts((struct digest_part[]){{&where, sizeof where}, {machine, strlen(machine)}}, 2, ret);
}

/* ---- heads ---- */

enum err vault_sign_heads(struct vault *k, struct scope *s, struct keeper_growth *logs, size_t count)
{
	struct head_state *heads = arena_alloc(s->arena, count * sizeof *heads);
	for (size_t i = 0; i < count; i++)
		logs[i].checkpoint = NULL;
	TRY(heads_grow(k->heads, s, logs, heads, count));
	for (size_t i = 0; i < count; i++)
		if (logs[i].err == OK)
			logs[i].checkpoint =
				note_checkpoint(s->arena, &k->signer, logs[i].origin, heads[i].size, heads[i].root);
	return OK;
}

enum err vault_head(struct vault *k, struct scope *s, const char *origin, uint64_t *ret_size,
		     uint8_t ret_root[SHA256_BYTES])
{
	struct head_state head;
	if (!heads_get(k->heads, origin, &head))
		return scope_fail(s, ERR_NOT_FOUND, "the log %s was never signed", origin);
	*ret_size = head.size;
	memcpy(ret_root, head.root, SHA256_BYTES);
	return OK;
}

void vault_heads_each(struct vault *k, keeper_heads_fn fn, void *arg)
{
	heads_each(k->heads, fn, arg);
}

/* ---- keys ---- */

void vault_sign(struct vault *k, const void *msg, size_t n, uint8_t ret_signature[ED25519_SIGNATURE_BYTES])
{
	ed25519_sign(k->signer.seed, msg, n, ret_signature);
}

void vault_public_key(struct vault *k, uint8_t ret[ED25519_KEY_BYTES])
{
	memcpy(ret, k->signer.public_key, ED25519_KEY_BYTES);
}

/* The zero byte between ends the label, so that no label and text make the same bytes as another pair. */
void vault_reference(struct vault *k, const char *label, const void *p, size_t n, uint8_t out[SHA256_BYTES])
{
	struct digest_part parts[] = {{label, strlen(label) + 1}, {p, n}};
	hmac_sha256(k->suppression_key, sizeof k->suppression_key, parts, 2, out);
}
