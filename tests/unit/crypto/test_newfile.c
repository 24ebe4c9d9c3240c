/* SPDX-License-Identifier: Apache-2.0
 * A new file is there whole or not at all. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/newfile.h"

static char dir[64];
static int at = -1;

static void assert_content(const char *name, const char *want)
{
	char text[64] = "";
	int fd = openat(at, name, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof text - 1), strlen(want));
	assert_string_equal(text, want);
	close(fd);
}

static void assert_absent(const char *name)
{
	assert_int_equal(faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW), -1);
	assert_int_equal(errno, ENOENT);
}

static void puts_and_replaces(void **state)
{
	struct stat st;
	umask(0);
	assert_err(newfile_put(at, "file", "one", 3), OK);
	assert_content("file", "one");
	assert_int_equal(fstatat(at, "file", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_err(newfile_put(at, "file", "second", 6), OK);
	assert_content("file", "second");
	assert_absent("file.new");
	char *path;
	assert_true(asprintf(&path, "%s/file", dir) > 0);
	assert_err(newfile_put(AT_FDCWD, path, "", 0), OK);
	assert_content("file", "");
	free(path);
}

static void abandons(void **state)
{
	struct newfile f;
	assert_err(newfile_put(at, "file", "old", 3), OK);
	assert_err(newfile_begin(&f, at, "file"), OK);
	assert_err(newfile_write(&f, "half", 4), OK);
	assert_content("file", "old");
	newfile_abandon(&f);
	assert_content("file", "old");
	assert_absent("file.new");
}

/* What a crash left is overwritten, and a link that someone put there is not followed. */
static void leftovers(void **state)
{
	int fd = openat(at, "file.new", O_WRONLY | O_CREAT, 0644);
	assert_true(fd >= 0 && write(fd, "leftover of a crash", 19) == 19);
	close(fd);
	assert_err(newfile_put(at, "file", "new", 3), OK);
	assert_content("file", "new");
	assert_int_equal(symlinkat("target", at, "file.new"), 0);
	assert_err(newfile_put(at, "file", "newer", 5), OK);
	assert_content("file", "newer");
	assert_absent("target");
}

static void errors(void **state)
{
	assert_err(newfile_put(at, "none/file", "x", 1), ERR_NOT_FOUND);
	assert_err(newfile_put(at, "file/file", "x", 1), ERR_IO); /* not a directory */
	assert_err(err_from_errno(ENOSPC), ERR_STORAGE_FULL);
	assert_err(err_from_errno(EDQUOT), ERR_STORAGE_FULL);
	assert_err(err_from_errno(EIO), ERR_IO);
}

static void no_space(void **state)
{
	struct rlimit old, small = {.rlim_cur = 4};
	assert_err(newfile_put(at, "file", "old", 3), OK);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	enum err e = newfile_put(at, "file", "too much", 8);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_err(e, ERR_STORAGE_FULL);
	assert_content("file", "old");
	assert_absent("file.new");
}

static int setup(void **state)
{
	at = open(make_directory(dir), O_RDONLY | O_DIRECTORY);
	return at < 0;
}

static int teardown(void **state)
{
	unlinkat(at, "file", 0);
	close(at);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(puts_and_replaces), cmocka_unit_test(abandons),
					   cmocka_unit_test(leftovers), cmocka_unit_test(errors),
					   cmocka_unit_test(no_space)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, teardown);
}
