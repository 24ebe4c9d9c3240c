/* SPDX-License-Identifier: Apache-2.0
 * Zip files: what was written reads back (here and by unzip), is private on disk, and is gone when it could not be
 * finished. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/zip.h"

static const int64_t MTIME = INT64_C(1795335330) * SECOND_US + 999999; /* 2026-11-22T08:15:30Z, an even second */
static char folder[64], path[96];

static int folder_setup(void **state)
{
	snprintf(folder, sizeof folder, "/tmp/reeve-test-zip-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/bundle.zip", folder);
	umask(0); /* the mode must not depend on it */
	return 0;
}

static int folder_teardown(void **state)
{
	unlink(path);
	return rmdir(folder); /* fails where something was left behind */
}

static void write_bundle(const char *big, size_t big_n)
{
	struct zip_writer *z = NULL;
	assert_int_equal(zip_open(path, &z), OK);
	assert_int_equal(zip_add(z, "index.json", "{}", 2, MTIME), OK);
	assert_int_equal(zip_add(z, "empty", "", 0, MTIME), OK);
	assert_int_equal(zip_add(z, "nothing", NULL, 0, 0), OK);
	assert_int_equal(zip_add(z, "users/f81d4fae/devices.csv", big, big_n, MTIME), OK);
	assert_int_equal(zip_finish(z), OK);
}

static char *pattern(size_t n)
{
	char *p = malloc(n);
	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * i >> 7 ^ i % 251);
	return p;
}

static void expect_entry(const char *name, const char *bytes, size_t n)
{
	char *got = NULL;
	size_t got_n = 99;
	assert_int_equal(zip_read(path, name, n, &got, &got_n), OK); /* exactly n fit */
	assert_int_equal(got_n, n);
	assert_memory_equal(got, bytes, n);
	assert_int_equal(got[n], '\0');
	free(got);
}

static void written_reads_back(void **state)
{
	enum { BIG = 300001 };
	char *big = pattern(BIG), *got = NULL;
	size_t n;
	write_bundle(big, BIG);
	expect_entry("index.json", "{}", 2);
	expect_entry("empty", "", 0);
	expect_entry("nothing", "", 0);
	expect_entry("users/f81d4fae/devices.csv", big, BIG);
	assert_int_equal(zip_read(path, "users/f81d4fae/devices.csv", BIG - 1, &got, &n), ERR_LIMIT);
	assert_int_equal(zip_read(path, "index.jso", 10, &got, &n), ERR_NOT_FOUND);
	assert_int_equal(zip_read("/tmp/reeve-test-zip-none", "x", 10, &got, &n), ERR_NOT_FOUND);
	assert_null(got);
	free(big);
}

struct sink {
	FILE *file;
	size_t left; /* bytes until it is full */
};

static enum err put(void *arg, const void *bytes, size_t n)
{
	struct sink *k = arg;
	if (n > k->left)
		return ERR_STORAGE_FULL;
	k->left -= n;
	return fwrite(bytes, 1, n, k->file) == n ? OK : ERR_IO;
}

/* Entries of unknown size beside known ones, into a function. */
static void streamed_reads_back(void **state)
{
	enum { PIECE = 70001, PIECES = 5 };
	struct sink k = {.file = fopen(path, "w"), .left = SIZE_MAX};
	struct zip_writer *z = NULL;
	char *big = pattern(PIECE * PIECES);
	assert_int_equal(zip_open_out(put, &k, 1, &z), OK);
	assert_int_equal(zip_begin(z, "../x", MTIME), ERR_BAD_REQUEST);
	assert_int_equal(zip_begin(z, "big.csv", MTIME), OK);
	for (int i = 0; i < PIECES; i++)
		assert_int_equal(zip_put(z, big + i * PIECE, PIECE), OK);
	assert_int_equal(zip_add(z, "known", "12345", 5, MTIME), OK);
	assert_int_equal(zip_begin(z, "empty", MTIME), OK);
	assert_int_equal(zip_finish(z), OK);
	fclose(k.file);
	expect_entry("big.csv", big, PIECE * PIECES);
	expect_entry("known", "12345", 5);
	expect_entry("empty", "", 0);
	k = (struct sink){.file = fopen(path, "w"), .left = 1000};
	assert_int_equal(zip_open_out(put, &k, 9, &z), OK);
	assert_int_equal(zip_begin(z, "big.csv", MTIME), OK);
	enum err e = OK;
	for (int i = 0; i < 20 && e == OK; i++)
		e = zip_put(z, big, PIECE * PIECES);
	assert_int_equal(e, ERR_STORAGE_FULL);
	zip_abort(z);
	fclose(k.file);
	free(big);
}

struct given {
	unsigned n;
	size_t bytes;
	char names[256];
};

static enum err give(void *arg, const char *name, const char *bytes, size_t n)
{
	struct given *g = arg;
	g->n++;
	g->bytes += n;
	strncat(g->names, name, sizeof g->names - strlen(g->names) - 2);
	strcat(g->names, " ");
	return strcmp(name, "nothing") == 0 ? ERR_GONE : OK;
}

static void each_entry_within_limits(void **state)
{
	char *big = pattern(5000);
	struct given g = {0};
	write_bundle(big, 5000);
	free(big);
	assert_int_equal(zip_each(path, &(struct zip_limits){5000, 5002, 4}, give, &g), ERR_GONE); /* what is returned ends it */
	assert_int_equal(g.n, 3);
	struct zip_writer *z = NULL;
	assert_int_equal(zip_open(path, &z), OK);
	assert_int_equal(zip_add(z, "a", "12345", 5, MTIME), OK);
	assert_int_equal(zip_add(z, "b/c", "123456", 6, MTIME), OK);
	assert_int_equal(zip_finish(z), OK);
	g = (struct given){0};
	assert_int_equal(zip_each(path, &(struct zip_limits){6, 11, 2}, give, &g), OK);
	assert_string_equal(g.names, "a b/c ");
	assert_int_equal(g.bytes, 11);
	assert_int_equal(zip_each(path, &(struct zip_limits){5, 11, 2}, give, &g), ERR_LIMIT);
	assert_int_equal(zip_each(path, &(struct zip_limits){6, 10, 2}, give, &g), ERR_LIMIT);
	assert_int_equal(zip_each(path, &(struct zip_limits){6, 11, 1}, give, &g), ERR_LIMIT);
	assert_int_equal(zip_each("/tmp/reeve-test-zip-none", &(struct zip_limits){6, 11, 2}, give, &g), ERR_NOT_FOUND);
}

static void file_and_entries_are_private(void **state)
{
	struct stat st;
	int fd = open(path, O_CREAT | O_WRONLY, 0666); /* one that is there already, open to all */
	assert_true(fd >= 0 && close(fd) == 0);
	write_bundle("a", 1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_link_is_replaced_not_followed(void **state)
{
	char victim[96];
	struct stat st;
	snprintf(victim, sizeof victim, "%s/victim", folder);
	int fd = open(victim, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0 && close(fd) == 0);
	assert_int_equal(symlink(victim, path), 0);
	write_bundle("a", 1);
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(unlink(victim), 0);
}

/* What a tool prints, or NULL where it is not installed. */
static char *output_of(const char *command)
{
	static char text[4096];
	FILE *f = popen(command, "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text - 1, f);
	text[n] = '\0';
	int status = pclose(f);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return NULL;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s: %s", command, text);
	return text;
}

static void unzip_agrees(void **state)
{
	char command[256];
	char *big = pattern(100000);
	write_bundle(big, 100000);
	free(big);
	snprintf(command, sizeof command, "unzip -t %s 2>&1", path);
	const char *text = output_of(command);
	if (text == NULL)
		return; /* no unzip here */
	assert_non_null(strstr(text, "No errors detected"));
	snprintf(command, sizeof command, "TZ=UTC zipinfo -T %s 2>&1", path);
	text = output_of(command);
	if (text == NULL)
		return;
	assert_non_null(strstr(text, "-rw-------"));
	assert_null(strstr(text, "-rw-r"));
	assert_non_null(strstr(text, "20261122.081530 index.json"));
	assert_non_null(strstr(text, "def")); /* deflated */
}

static void names_that_leave_the_folder_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "/", "/etc/passwd", "..", "../x", "a/../x", "a/..", ".", "./a", "a/./b", "a//b", "a/",
		"a\\b", "c:x", "a\nb", "caf\xc3\xa9", "a\x7f",
	};
	static const char *const good[] = {"a", "..a", "a..b/c", "...", ".hidden", "a b"};
	struct zip_writer *z = NULL;
	assert_int_equal(zip_open(path, &z), OK);
	for (size_t i = 0; i < COUNT(bad); i++)
		if (zip_add(z, bad[i], "x", 1, MTIME) != ERR_BAD_REQUEST)
			fail_msg("accepted: %s", bad[i]);
	for (size_t i = 0; i < COUNT(good); i++)
		if (zip_add(z, good[i], "x", 1, MTIME) != OK)
			fail_msg("refused: %s", good[i]);
	assert_int_equal(zip_finish(z), OK);
	for (size_t i = 0; i < COUNT(good); i++)
		expect_entry(good[i], "x", 1);
}

static void two_entries_of_one_name_are_refused(void **state)
{
	struct zip_writer *z = NULL;
	char *got = NULL;
	size_t n;
	assert_int_equal(zip_open(path, &z), OK);
	assert_int_equal(zip_add(z, "a", "1", 1, MTIME), OK);
	assert_int_equal(zip_add(z, "b", "2", 1, MTIME), OK);
	assert_int_equal(zip_add(z, "a", "3", 1, MTIME), OK);
	assert_int_equal(zip_finish(z), OK);
	assert_int_equal(zip_read(path, "a", 10, &got, &n), ERR_BAD_REQUEST);
	expect_entry("b", "2", 1);
}

static void damage_is_seen(void **state)
{
	char *got = NULL;
	size_t n;
	static const char text[] = "the quick brown fox jumps over the lazy dog";
	write_bundle(text, sizeof text);
	int fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	char file[4096];
	ssize_t size = read(fd, file, sizeof file);
	/* one bit in the middle of the deflated bytes of the last entry */
	char *at = memmem(file, (size_t)size, "devices.csv", 11);
	assert_non_null(at);
	off_t place = (at - file) + 11 + 40;
	char flipped = (char)(file[place] ^ 1);
	assert_int_equal(pwrite(fd, &flipped, 1, place), 1);
	close(fd);
	assert_int_equal(zip_read(path, "users/f81d4fae/devices.csv", 1000, &got, &n), ERR_IO);
	assert_null(got);
	expect_entry("index.json", "{}", 2);
	assert_int_equal(truncate(path, size / 2), 0);
	assert_int_not_equal(zip_read(path, "index.json", 1000, &got, &n), OK);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_not_equal(zip_read(path, "index.json", 1000, &got, &n), OK);
}

static void aborted_is_gone(void **state)
{
	struct zip_writer *z = NULL;
	assert_int_equal(zip_open(path, &z), OK);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(zip_add(z, "a", "1", 1, MTIME), OK);
	zip_abort(z);
	assert_int_not_equal(access(path, F_OK), 0);
	zip_abort(NULL);
}

static void no_folder_no_file(void **state)
{
	struct zip_writer *z = NULL;
	assert_int_equal(zip_open("/tmp/reeve-test-zip-none/x.zip", &z), ERR_IO);
	assert_null(z);
	assert_int_equal(zip_open(folder, &z), ERR_IO); /* a folder is no file to replace */
	assert_null(z);
}

static void a_full_disk_leaves_nothing(void **state)
{
	/* A limit on the file's size stands in for the full disk: EFBIG instead of ENOSPC, and the same way out. */
	struct rlimit was, small = {.rlim_cur = 4096};
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small.rlim_max = was.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	struct zip_writer *z = NULL;
	unsigned char noise[65536]; /* does not deflate */
	random_bytes(noise, sizeof noise);
	assert_int_equal(zip_open(path, &z), OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	enum err e = zip_add(z, "noise", noise, sizeof noise, MTIME);
	if (e == OK)
		e = zip_finish(z);
	else
		zip_abort(z);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(e, ERR_STORAGE_FULL);
	assert_int_not_equal(access(path, F_OK), 0);
	/* and where only the end of the file does not fit any more */
	assert_int_equal(zip_open(path, &z), OK);
	assert_int_equal(zip_add(z, "small", noise, 4000, MTIME), OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	e = zip_finish(z);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(e, ERR_STORAGE_FULL);
	assert_int_not_equal(access(path, F_OK), 0);
}

#define ZIP_TEST(f) cmocka_unit_test_setup_teardown(f, folder_setup, folder_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ZIP_TEST(written_reads_back),
		ZIP_TEST(streamed_reads_back),
		ZIP_TEST(each_entry_within_limits),
		ZIP_TEST(file_and_entries_are_private),
		ZIP_TEST(a_link_is_replaced_not_followed),
		ZIP_TEST(unzip_agrees),
		ZIP_TEST(names_that_leave_the_folder_are_refused),
		ZIP_TEST(two_entries_of_one_name_are_refused),
		ZIP_TEST(damage_is_seen),
		ZIP_TEST(aborted_is_gone),
		ZIP_TEST(no_folder_no_file),
		ZIP_TEST(a_full_disk_leaves_nothing),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, scope_setup, scope_teardown);
}
