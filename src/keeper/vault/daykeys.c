/* SPDX-License-Identifier: Apache-2.0
 * The keys that copies of the store are sealed with, one for each day.  In backup-keys/:
 *
 *   <day>.<days>.key    the private half; an empty file: destroyed here, but perhaps not in the second place
 *   <day>.<days>.half   what it takes to seal: this installation, the public half, and a secret, so that who may only write into the place of
 *                       the copies cannot make one
 *
 * The second place has the private halves alone.  In memory is which there are, never a key. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/newfile.h"
#include "keeper/vault/vault.h"

#define KEY_END ".key"
#define HALF_END ".half"
enum { NAME = 64, DATE = 10, DAYS_MAX = 366, HALF_BYTES = ED25519_KEY_BYTES + X25519_BYTES + SHA256_BYTES };
_Static_assert((int)HALF_BYTES <= (int)KEEPER_BYTES_MAX, "a half is one key file");

struct day {
	int64_t day;
	int days;
	bool here;
};

struct daykeys {
	pthread_mutex_t lock; /* of the list */
	int dir;
	struct day *list; /* by day; at most one each */
	size_t n, cap;
};

/* ---- names ---- */

static char *date_of(int64_t day, char out[TIME_TEXT])
{
	time_format(day * DAY_US, out);
	out[DATE] = '\0';
	return out;
}

static char *name_of(const struct day *d, const char *end, char out[NAME])
{
	char date[TIME_TEXT];
	snprintf(out, NAME, "%s.%d%s", date_of(d->day, date), d->days, end);
	return out;
}

/* False: not such a name. */
static bool parse_name(const char *name, const char *end, struct day *ret)
{
	char date[DATE + 1], again[NAME];
	int64_t at;
	if (strlen(name) < DATE + 2 || strlen(name) >= NAME || name[DATE] != '.')
		return false;
	memcpy(date, name, DATE);
	date[DATE] = '\0';
	long days = strtol(name + DATE + 1, NULL, 10);
	if (!time_parse(date, &at) || at < 0 || days < 1 || days > DAYS_MAX)
		return false;
	*ret = (struct day){.day = at / DAY_US, .days = (int)days, .here = true};
	return strcmp(name_of(ret, end, again), name) == 0;
}

/* Calls fn with every file of a directory that has such a name; false where it cannot be listed. */
static bool each_key(int dir, const char *end, bool (*fn)(void *arg, const struct day *d, bool empty), void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	if (list == NULL)
		return false;
	bool good = true;
	struct day d;
	struct stat st;
	for (const struct dirent *e; good && (e = readdir(list)) != NULL;)
		if (parse_name(e->d_name, end, &d) && fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			good = fn(arg, &d, st.st_size == 0);
	closedir(list);
	return good;
}

/* ---- the list ---- */

static struct day *find(struct daykeys *d, int64_t day)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->list[i].day == day)
			return &d->list[i];
	return NULL;
}

static void add(struct daykeys *d, const struct day *one)
{
	check(pthread_mutex_lock(&d->lock) == 0);
	if (d->n == d->cap) {
		d->cap = d->cap > 0 ? 2 * d->cap : 32;
		d->list = realloc(d->list, d->cap * sizeof *d->list);
		check(d->list != NULL);
	}
	size_t at = d->n++;
	while (at > 0 && d->list[at - 1].day > one->day) {
		d->list[at] = d->list[at - 1];
		at--;
	}
	d->list[at] = *one;
	pthread_mutex_unlock(&d->lock);
}

static void drop(struct daykeys *d, const struct day *one)
{
	check(pthread_mutex_lock(&d->lock) == 0);
	struct day *at = find(d, one->day);
	memmove(at, at + 1, (size_t)(d->list + d->n - (at + 1)) * sizeof *at);
	d->n--;
	pthread_mutex_unlock(&d->lock);
}

static int64_t gone_at(const struct vault *k, const struct day *d)
{
	int days = k->backups && k->backup_days < d->days ? k->backup_days : d->days;
	return (d->day + 1 + days) * DAY_US;
}

int vault_backup_days(struct vault *k)
{
	int days = k->backups ? k->backup_days : 0;
	check(pthread_mutex_lock(&k->days->lock) == 0);
	for (size_t i = 0; !k->backups && i < k->days->n; i++)
		days = k->days->list[i].days > days ? k->days->list[i].days : days;
	pthread_mutex_unlock(&k->days->lock);
	return days;
}

static int64_t day_of(int64_t at)
{
	return at >= 0 ? at / DAY_US : 0;
}

/* A copy that is sealed on a day is of that day or, where the day had no key, under an earlier one: never under a later. */
int64_t vault_copies_gone_at(struct vault *k, int64_t at)
{
	const struct daykeys *d = k->days;
	int64_t last = at, newest = -1;
	check(pthread_mutex_lock(&k->days->lock) == 0);
	for (size_t i = 0; i < d->n; i++) {
		newest = d->list[i].day;
		if (newest <= day_of(at) && gone_at(k, &d->list[i]) > last)
			last = gone_at(k, &d->list[i]);
	}
	pthread_mutex_unlock(&k->days->lock);
	if (k->backups && day_of(at) > newest) /* its key is still to be made */
		return (day_of(at) + 1 + k->backup_days) * DAY_US;
	return last;
}

bool vault_copies_gone(struct vault *k, int64_t at)
{
	check(pthread_mutex_lock(&k->days->lock) == 0);
	bool gone = k->days->n == 0 || k->days->list[0].day > day_of(at);
	pthread_mutex_unlock(&k->days->lock);
	return gone;
}

void vault_day_keys(struct vault *k, struct arena *a, struct keeper_day_key **ret, size_t *ret_n)
{
	check(pthread_mutex_lock(&k->days->lock) == 0);
	*ret_n = k->days->n;
	*ret = arena_alloc(a, (k->days->n + 1) * sizeof **ret);
	for (size_t i = 0; i < k->days->n; i++) {
		const struct day *d = &k->days->list[i];
		(*ret)[i] = (struct keeper_day_key){.day = d->day, .gone_at = gone_at(k, d), .here = d->here};
	}
	pthread_mutex_unlock(&k->days->lock);
}

/* ---- halves ---- */

static void secret_of(const struct vault *k, int64_t day, uint8_t out[SHA256_BYTES])
{
	uint8_t number[8];
	static const char label[] = "reeve/backup-seal/v1";
	for (int i = 0; i < 8; i++)
		number[i] = (uint8_t)((uint64_t)day >> (56 - 8 * i));
	hmac_sha256(k->export_key, sizeof k->export_key, (struct digest_part[]){{label, sizeof label}, {number, sizeof number}}, 2, out);
}

static enum err write_half(const struct vault *k, const struct day *d, const uint8_t key[KEEPER_KEY_BYTES])
{
	uint8_t half[HALF_BYTES];
	char name[NAME];
	memcpy(half, k->signer.public_key, ED25519_KEY_BYTES);
	x25519_public(key, half + ED25519_KEY_BYTES);
	secret_of(k, d->day, half + ED25519_KEY_BYTES + X25519_BYTES);
	enum err e = vault_bytes_write(k->days->dir, name_of(d, HALF_END, name), half, sizeof half);
	wipe(half, sizeof half);
	return e;
}

struct newest {
	int64_t now;
	struct day day;
	bool found;
};

static bool is_newer(void *arg, const struct day *d, bool empty)
{
	struct newest *best = arg;
	bool lives = d->day <= best->now / DAY_US && best->now < (d->day + 1 + d->days) * DAY_US;
	if (!empty && lives && (!best->found || d->day > best->day.day)) {
		best->day = *d;
		best->found = true;
	}
	return true;
}

static enum err read_half(int dir, const struct newest *best, struct keeper_seal_half *ret, char **detail)
{
	uint8_t bytes[HALF_BYTES];
	char name[NAME];
	TRY(vault_bytes_read(dir, name_of(&best->day, HALF_END, name), bytes, sizeof bytes, detail));
	ret->day = best->day.day;
	ret->days = (uint32_t)best->day.days;
	memcpy(ret->installation, bytes, sizeof ret->installation);
	memcpy(ret->public_half, bytes + ED25519_KEY_BYTES, sizeof ret->public_half);
	memcpy(ret->secret, bytes + ED25519_KEY_BYTES + X25519_BYTES, sizeof ret->secret);
	wipe(bytes, sizeof bytes);
	return OK;
}

static enum err newest_half(int dir, int64_t now, struct keeper_seal_half *ret, char **detail)
{
	struct newest best = {.now = now};
	if (dir < 0 || !each_key(dir, HALF_END, is_newer, &best) || !best.found)
		return vault_fail(detail, ERR_NOT_FOUND, "the keeper has no key to seal with today: a server makes one where backup_dir is set");
	return read_half(dir, &best, ret, detail);
}

enum err vault_half_now(struct vault *k, int64_t now, struct keeper_seal_half *ret, char **detail)
{
	return newest_half(k->days->dir, now, ret, detail);
}

enum err keeper_seal_half(const char *path, int64_t now, struct keeper_seal_half *ret, char **detail)
{
	char *keys;
	check(asprintf(&keys, "%s/" DAYKEYS_DIR, path) > 0);
	int dir = open(keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(keys);
	enum err e = newest_half(dir, now, ret, detail);
	if (dir >= 0)
		close(dir);
	return e;
}

static void derive(const uint8_t shared[X25519_BYTES], const uint8_t secret[SHA256_BYTES], const void *header, size_t n, uint8_t ret[SHA256_BYTES])
{
	uint8_t input[X25519_BYTES + SHA256_BYTES], salt[SHA256_BYTES];
	memcpy(input, shared, X25519_BYTES);
	memcpy(input + X25519_BYTES, secret, SHA256_BYTES);
	sha256(header, n, salt);
	hkdf_sha256(input, sizeof input, salt, sizeof salt, "reeve/backup/v1", ret, SHA256_BYTES);
	wipe(input, sizeof input);
}

bool keeper_half_key(const struct keeper_seal_half *half, const uint8_t mine[X25519_BYTES], const void *header, size_t n,
		     uint8_t ret[SHA256_BYTES])
{
	uint8_t shared[X25519_BYTES];
	if (!x25519_secret(mine, half->public_half, shared))
		return false;
	derive(shared, half->secret, header, n, ret);
	wipe(shared, sizeof shared);
	return true;
}

enum err vault_copy_key(struct vault *k, struct scope *s, int64_t day, const uint8_t theirs[X25519_BYTES], const void *header, size_t n,
			 uint8_t ret[SHA256_BYTES])
{
	uint8_t key[KEEPER_KEY_BYTES], secret[SHA256_BYTES], shared[X25519_BYTES];
	char name[NAME], date[TIME_TEXT], *detail = NULL;
	check(pthread_mutex_lock(&k->days->lock) == 0);
	const struct day *d = find(k->days, day);
	bool here = d != NULL && d->here;
	if (here)
		name_of(d, KEY_END, name);
	pthread_mutex_unlock(&k->days->lock);
	if (!here)
		return scope_fail(s, ERR_GONE, "the key of %s is destroyed: what it sealed cannot be opened any more", date_of(day, date));
	enum err e = vault_key_read(k->days->dir, name, key, &detail);
	if (e != OK) {
		e = scope_fail(s, e, "%s", detail != NULL ? detail : "the key of a day cannot be read");
		free(detail);
		return e;
	}
	bool good = x25519_secret(key, theirs, shared);
	wipe(key, sizeof key);
	if (!good)
		return scope_fail(s, ERR_BAD_REQUEST, "the copy is damaged: its header has no key");
	secret_of(k, day, secret);
	derive(shared, secret, header, n, ret);
	wipe(shared, sizeof shared);
	wipe(secret, sizeof secret);
	return OK;
}

/* ---- making and destroying; the caller holds k->both ---- */

static enum err make_in(struct vault *k, const struct day *d)
{
	uint8_t key[KEEPER_KEY_BYTES];
	char name[NAME];
	random_bytes(key, sizeof key);
	name_of(d, KEY_END, name);
	enum err e = vault_key_write(k->days->dir, name, key);
	if (e == OK && copy_directory(k) >= 0 && vault_key_write(copy_directory(k), name, key) != OK) {
		copy_lost(k);
		e = ERR_UNAVAILABLE;
	}
	if (e == OK)
		e = write_half(k, d, key);
	wipe(key, sizeof key);
	if (e != OK && vault_file_destroy(k->days->dir, name, false) != OK)
		e = ERR_IO;
	return e;
}

static enum err ready(struct vault *k, struct scope *s)
{
	char *detail = NULL;
	enum err e = copy_ready(k, &detail);
	if (e != OK)
		e = scope_fail(s, e, "%s", detail != NULL ? detail : err_text(e));
	free(detail);
	return e;
}

static enum err make_locked(struct vault *k, struct scope *s, int64_t day, bool *ret_made)
{
	const struct day d = {.day = day, .days = k->backup_days, .here = true};
	char date[TIME_TEXT];
	*ret_made = false;
	if (find(k->days, day) != NULL)
		return OK;
	TRY(ready(k, s));
	if (find(k->days, day) != NULL) /* it came from the second place */
		return OK;
	enum err e = make_in(k, &d);
	if (e != OK)
		return scope_fail(s, e, "the key of %s could not be made in every place that it must be in", date_of(day, date));
	add(k->days, &d);
	*ret_made = true;
	return OK;
}

enum err vault_day_key_make(struct vault *k, struct scope *s, int64_t day, bool *ret_made)
{
	if (!k->backups)
		return scope_fail(s, ERR_CONFIG, "backups are off: backup_dir is not set");
	check(pthread_mutex_lock(&k->both) == 0);
	enum err e = make_locked(k, s, day, ret_made);
	pthread_mutex_unlock(&k->both);
	return e;
}

/* First here, whatever becomes of the second place; the name stays until the key is gone there, too. */
static enum err destroy_locked(struct vault *k, struct scope *s, const struct day *d)
{
	char key[NAME], half[NAME], date[TIME_TEXT];
	name_of(d, KEY_END, key);
	if (vault_file_destroy(k->days->dir, name_of(d, HALF_END, half), false) != OK ||
	    vault_file_destroy(k->days->dir, key, k->copy != NULL) != OK)
		return scope_fail(s, ERR_IO, "the key of %s could not be destroyed", date_of(d->day, date));
	check(pthread_mutex_lock(&k->days->lock) == 0);
	find(k->days, d->day)->here = false;
	pthread_mutex_unlock(&k->days->lock);
	TRY(ready(k, s));
	if (find(k->days, d->day) == NULL) /* the second place has just come back, and was evened */
		return OK;
	if (copy_directory(k) >= 0 && vault_file_destroy(copy_directory(k), key, false) != OK) {
		copy_lost(k);
		return scope_fail(s, ERR_UNAVAILABLE, "the key of %s is not destroyed in the second place yet", date_of(d->day, date));
	}
	if (vault_file_destroy(k->days->dir, key, false) != OK)
		return scope_fail(s, ERR_IO, "the key of %s could not be destroyed", date_of(d->day, date));
	drop(k->days, d);
	return OK;
}

enum err vault_day_key_destroy(struct vault *k, struct scope *s, int64_t day)
{
	check(pthread_mutex_lock(&k->both) == 0);
	const struct day *at = find(k->days, day);
	const struct day d = at != NULL ? *at : (struct day){0};
	enum err e = at == NULL ? OK : destroy_locked(k, s, &d);
	pthread_mutex_unlock(&k->both);
	return e;
}

/* ---- the second place ---- */

struct even {
	struct vault *k;
	int copy;
	enum err err;
};

static enum err carry(int from, int to, const struct day *d)
{
	uint8_t key[KEEPER_KEY_BYTES];
	char name[NAME];
	TRY(vault_key_read(from, name_of(d, KEY_END, name), key, NULL));
	enum err e = vault_key_write(to, name, key);
	wipe(key, sizeof key);
	return e;
}

/* A key of the second place that is destroyed here goes there, too; one that is not known here comes back: this keeper was put back from an
 * older copy of itself. */
static bool even_one(void *arg, const struct day *d, bool empty)
{
	struct even *v = arg;
	const struct day *ours = find(v->k->days, d->day);
	char name[NAME];
	if (empty || (ours != NULL && !ours->here)) {
		v->err = vault_file_destroy(v->copy, name_of(d, KEY_END, name), false);
	} else if (ours == NULL) {
		v->err = carry(v->copy, v->k->days->dir, d);
		if (v->err == OK)
			add(v->k->days, d);
	}
	return v->err == OK;
}

static enum err write_missing(struct vault *k, int copy)
{
	char name[NAME];
	for (size_t i = 0; i < k->days->n; i++) {
		const struct day *d = &k->days->list[i];
		if (d->here && faccessat(copy, name_of(d, KEY_END, name), F_OK, 0) != 0)
			TRY(carry(k->days->dir, copy, d));
	}
	return OK;
}

/* What an earlier, empty name stood for is gone in both places now. */
static enum err drop_destroyed(struct vault *k)
{
	char name[NAME];
	for (size_t i = k->days->n; i-- > 0;) {
		const struct day d = k->days->list[i];
		if (d.here)
			continue;
		TRY(vault_file_destroy(k->days->dir, name_of(&d, KEY_END, name), false));
		drop(k->days, &d);
	}
	return OK;
}

static enum err write_halves(struct vault *k)
{
	uint8_t key[KEEPER_KEY_BYTES];
	char name[NAME];
	for (size_t i = 0; i < k->days->n; i++) {
		const struct day *d = &k->days->list[i];
		if (!d->here || faccessat(k->days->dir, name_of(d, HALF_END, name), F_OK, 0) == 0)
			continue;
		TRY(vault_key_read(k->days->dir, name_of(d, KEY_END, name), key, NULL));
		enum err e = write_half(k, d, key);
		wipe(key, sizeof key);
		TRY(e);
	}
	return OK;
}

enum err daykeys_even(struct vault *k, int copy, char **detail)
{
	struct even v = {.k = k, .copy = copy, .err = OK};
	bool listed = each_key(copy, KEY_END, even_one, &v);
	if (v.err == OK && listed)
		v.err = write_missing(k, copy);
	if (v.err == OK && listed)
		v.err = drop_destroyed(k);
	if (v.err == OK && listed)
		v.err = write_halves(k);
	return v.err == OK && listed ? OK : vault_fail(detail, ERR_UNAVAILABLE, "the keys of the days cannot be copied between both places");
}

/* ---- opening ---- */

static bool load_one(void *arg, const struct day *d, bool empty)
{
	struct daykeys *days = arg;
	struct day one = *d;
	one.here = !empty;
	if (find(days, d->day) != NULL)
		return false; /* two lives for one day: nobody made that */
	add(days, &one);
	return true;
}

/* What a crash left of a key that was being written. */
static void destroy_leftovers(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd >= 0 ? fdopendir(fd) : NULL;
	for (const struct dirent *e; list != NULL && (e = readdir(list)) != NULL;) {
		size_t n = strlen(e->d_name);
		if (n > 4 && strcmp(e->d_name + n - 4, ".new") == 0 && vault_file_destroy(dir, e->d_name, false) != OK)
			break;
	}
	if (list != NULL)
		closedir(list);
}

enum err daykeys_open(struct vault *k, enum daykeys_use use, char **detail)
{
	struct daykeys *d = k->days = calloc(1, sizeof *d);
	check(d != NULL && pthread_mutex_init(&d->lock, NULL) == 0);
	if (use == DAYKEYS_MAKE && mkdirat(k->dir, DAYKEYS_DIR, 0700) != 0 && errno != EEXIST)
		return vault_fail(detail, err_from_errno(errno), "the keeper's directory " DAYKEYS_DIR " cannot be made: %s", strerror(errno));
	d->dir = openat(k->dir, DAYKEYS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir < 0 && errno == ENOENT)
		return OK; /* there never was a key */
	if (d->dir < 0)
		return vault_fail(detail, ERR_CONFIG, "the keeper's directory " DAYKEYS_DIR " cannot be opened: %s", strerror(errno));
	if (use != DAYKEYS_READ)
		destroy_leftovers(d->dir);
	if (!each_key(d->dir, KEY_END, load_one, d))
		return vault_fail(detail, ERR_CONFIG, "the keeper's directory " DAYKEYS_DIR " cannot be read, or has two keys for one day");
	return use == DAYKEYS_READ || write_halves(k) == OK
		       ? OK
		       : vault_fail(detail, ERR_IO, "the halves of the keys of the days cannot be written");
}

void daykeys_close(struct daykeys *d)
{
	if (d == NULL)
		return;
	if (d->dir >= 0)
		close(d->dir);
	pthread_mutex_destroy(&d->lock);
	free(d->list);
	free(d);
}
