/* SPDX-License-Identifier: Apache-2.0
 *
 * The check of a whole log (bench/log.sh):  log_check DIR N
 *
 * Writes a log of N entries below DIR, then checks it from its files (signature, every bundle, every tile, the root), and then computes as many
 * hashes of the same lengths in a bare loop over OpenSSL's own SHA-256.  In turn, the best of three each.  Prints the seconds of both.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* the bare functions: nothing around them */
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "tlog/logcheck.h"

#define ORIGIN "bench.example/log"

static const char *dir;
static struct merkle_range range;
static uint8_t row[TILE_LEVELS][TILE_WIDTH][SHA256_BYTES]; /* the tile that grows in each row */
static unsigned width[TILE_LEVELS];

static void put(const char *name, const void *p, size_t n)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	for (char *slash = path + strlen(dir) + 1; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
		*slash = '\0';
		mkdir(path, 0777);
	}
	FILE *f = fopen(path, "wb");
	check(f != NULL && fwrite(p, 1, n, f) == n && fclose(f) == 0);
}

static void put_tile(const struct tile *t, const void *p, size_t n)
{
	char path[TILE_PATH_MAX];
	tile_path(t, path);
	put(path, p, n);
}

static void put_row(unsigned level, uint64_t count)
{
	struct tile t = {.level = level, .index = (count - 1) / TILE_WIDTH, .width = width[level]};
	put_tile(&t, row[level], width[level] * SHA256_BYTES);
}

static void add(unsigned level, uint64_t at, const uint8_t hash[SHA256_BYTES])
{
	uint8_t root[SHA256_BYTES];
	memcpy(row[level][width[level]++], hash, SHA256_BYTES);
	if (width[level] < TILE_WIDTH)
		return;
	put_row(level, at + 1);
	merkle_perfect_root((const void *)row[level], TILE_WIDTH, root);
	width[level] = 0;
	add(level + 1, at / TILE_WIDTH, root);
}

static void make_log(struct arena *a, const struct note_signer *signer, uint64_t n)
{
	static uint8_t commitment[TILE_WIDTH][SHA256_BYTES], hash[TILE_WIDTH][SHA256_BYTES], root[SHA256_BYTES];
	for (uint64_t at = 0; at < n; at += TILE_WIDTH) {
		struct tile t = {.entries = true, .index = at / TILE_WIDTH, .width = n - at < TILE_WIDTH ? (unsigned)(n - at) : TILE_WIDTH};
		auto_buf b;
		buf_init(&b, BUNDLE_BYTES);
		for (unsigned i = 0; i < t.width; i++)
			sha256(&(uint64_t){at + i}, sizeof at, commitment[i]);
		bundle_write(&b, (const void *)commitment, t.width);
		put_tile(&t, b.data, b.len);
		entry_hashes((const void *)commitment, t.width, hash);
		for (unsigned i = 0; i < t.width; i++) {
			merkle_append(&range, hash[i]);
			add(0, at + i, hash[i]);
		}
	}
	for (unsigned level = 0; level < TILE_LEVELS; level++)
		if (width[level] > 0)
			put_row(level, n >> (8 * level));
	merkle_root(&range, root);
	const char *note = note_checkpoint(a, signer, ORIGIN, n, root);
	put("checkpoint", note, strlen(note));
}

static enum err read_file(void *arg, struct scope *s, const char *name, struct buf *ret)
{
	char path[4096], bytes[BUNDLE_BYTES];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return ERR_NOT_FOUND;
	ssize_t n = read(fd, bytes, sizeof bytes);
	close(fd);
	check(n >= 0);
	buf_add(ret, bytes, (size_t)n);
	return OK;
}

static double checking(struct arena *a, const struct note_key *key, uint64_t n)
{
	struct log_source src = {.read = read_file, .end_bundle = UINT64_MAX};
	struct log_report r;
	struct scope s;
	scope_system(&s, a, NULL, NULL);
	int64_t began = clock_monotonic();
	enum err e = log_check(&s, &src, key, 1, NULL, &r);
	int64_t took = clock_monotonic() - began;
	if (e != OK)
		fprintf(stderr, "log_check: %s\n", scope_detail(&s, e));
	check(e == OK && r.head.size == n);
	return (double)took / 1e6;
}

static void bare(const uint8_t *p, size_t n, uint8_t *out)
{
	SHA256_CTX c;
	SHA256_Init(&c);
	SHA256_Update(&c, p, n);
	SHA256_Final(out, &c);
}

/* n leaves of 34 bytes and n - 1 nodes of 65: as many hashes as an honest tree needs. */
static double looping(uint64_t n)
{
	uint8_t bytes[1 + 2 * SHA256_BYTES] = {0};
	int64_t began = clock_monotonic();
	for (uint64_t i = 0; i < n; i++)
		bare(bytes, 1 + ENTRY_BYTES, bytes + 1);
	for (uint64_t i = 1; i < n; i++)
		bare(bytes, sizeof bytes, bytes + 1);
	return (double)(clock_monotonic() - began) / 1e6;
}

int main(int argc, char **argv)
{
	struct note_signer signer = {.seed = {1}};
	struct note_key key = {.name = ORIGIN, .type = NOTE_ED25519};
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	double best_check = 1e9, best_loop = 1e9;
	if (argc != 3 || atoll(argv[2]) <= 0) {
		fprintf(stderr, "usage: log_check DIR N\n");
		return 64;
	}
	dir = argv[1];
	uint64_t n = strtoull(argv[2], NULL, 10);
	ed25519_public(signer.seed, signer.public_key);
	memcpy(key.public_key, signer.public_key, sizeof key.public_key);
	note_key_id(key.name, key.type, key.public_key, key.id);
	make_log(a, &signer, n);
	for (int i = 0; i < 3; i++) {
		double c = checking(a, &key, n), l = looping(n);
		best_check = c < best_check ? c : best_check;
		best_loop = l < best_loop ? l : best_loop;
	}
	printf("%.6f %.6f\n", best_check, best_loop);
	arena_free(a);
	return 0;
}
