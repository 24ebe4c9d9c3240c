/* SPDX-License-Identifier: Apache-2.0
 * Which paths an organisation may name, and opening, writing and removing below a root without following a link. */
#include "place.h"

#include <errno.h>

static void paths_are_checked(void **state)
{
	struct scope *s = &((struct place *)*state)->scope;
	const char *rel;
	static const char *const bad[] = {"",          "/",      "x",      "etc/x", "/..",       "/etc/..",
					  "/etc/../x", "/./x",   "/etc/.", "//etc", "/etc//x",   "/etc/",
					  "/a\n",      "/a\x7f", "/\x01",  "../x",  "/etc/x/..", NULL};
	for (const char *const *b = bad; *b != NULL; b++) {
		s->detail = NULL;
		assert_int_equal(path_check(s, *b, &rel), ERR_BAD_REQUEST);
		for (const char *p = s->detail; *p != '\0'; p++)
			assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
	}
	assert_int_equal(path_check(s, NULL, &rel), ERR_BAD_REQUEST);
	assert_int_equal(path_check(s, "/etc/..x/x../.../a b", &rel), OK);
	assert_string_equal(rel, "etc/..x/x../.../a b");
	char *longest = arena_alloc(s->arena, 300);
	memset(longest, 'x', 256);
	longest[0] = '/';
	assert_int_equal(path_check(s, longest, &rel), OK);
	longest[256] = 'x';
	assert_int_equal(path_check(s, longest, &rel), ERR_BAD_REQUEST);
}

static void files_only_where_they_may_be(void **state)
{
	struct scope *s = &((struct place *)*state)->scope;
	static const char *const good[] = {"etc/x", "etc/a/b", "opt/x", "srv/x", "usr/bin/x", "var/lib/x", "var/x", "etc/sshx", NULL};
	static const char *const bad[] = {
		"etc", "usr", "var/lib", "home/a/x", "root/x", "homes/x", "etcx/y", "tmp/x", "proc/x", "dev/x", "boot/x", "bin/x",
		"usr/bin", "etc/passwd", "etc/passwd-", "etc/shadow", "etc/sudoers.d/x", "etc/pam.d/x", "etc/ssh/x", "var/spool/cron/x",
		"var/mail/x", "var/lib/dpkg/x", "etc/reeve-agent.conf", "etc/reeve-agent.d/x", "var/lib/reeve-agent/key.pem",
		"var/lib/reeve-agent", "usr/lib/reeve-agent/wipe-luks.sh", "usr/bin/reeve-agent", "var/lib/reeve-reinstall/cmdline",
		"etc/systemd/system/reeve-agent.service", "etc/systemd/system/reeve-agent.service.d/x", "opt/state/x", "opt/state", NULL};
	for (const char *const *p = good; *p != NULL; p++)
		assert_int_equal(path_allow_file(s, *p, "opt/state"), OK);
	for (const char *const *p = bad; *p != NULL; p++)
		assert_int_equal(path_allow_file(s, *p, "opt/state"), ERR_FORBIDDEN);
	assert_int_equal(path_allow_file(s, "opt/state/x", NULL), OK);
}

static void data_paths_must_be_narrow(void **state)
{
	struct scope *s = &((struct place *)*state)->scope;
	const char *rel;
	bool home;
	static const char *const good[] = {"/var/lib/acme", "/opt/acme", "/etc/acme", "/var/log/acme/x", "/usr/share/acme",
					   "~/.config/acme", "~/.acme", "~/.local/share/acme", NULL};
	static const char *const bad[] = {
		"/", "/var", "/var/lib", "/opt", "/etc", "/usr", "/usr/share", "/home/a/.config/acme", "/root/.acme", "~", "~/",
		"~/.config", "~/.ssh", "~/.ssh/x", "~/.gnupg/x", "~/.bash_history", "~/.zshrc", "~/.mozilla/x", "~/Documents",
		"~/Documents/x", "~/acme", "~/..", "~/../b/x", "~a/x", "~/.a/../b", "/var/lib/dpkg", "/var/lib/reeve-agent",
		"/etc/ssh", "/etc/reeve-agent.conf", "/tmp/x", "x", "", NULL};
	for (const char *const *p = good; *p != NULL; p++) {
		assert_int_equal(path_allow_data(s, *p, NULL, &rel, &home), OK);
		assert_int_equal(home, **p == '~');
	}
	for (const char *const *p = bad; *p != NULL; p++)
		assert_int_not_equal(path_allow_data(s, *p, NULL, &rel, &home), OK);
	assert_int_not_equal(path_allow_data(s, NULL, NULL, &rel, &home), OK);
}

static void below(void **state)
{
	(void)state;
	assert_true(path_is_below("a/b", "a"));
	assert_true(path_is_below("a", "a"));
	assert_false(path_is_below("ab", "a"));
	assert_false(path_is_below("a", "a/b"));
}

/* Both ways of opening, so that the one for old kernels is held to the same. */
static void links_are_refused_everywhere(void **state)
{
	struct place *p = *state;
	int root = p->agent.root_fd;
	put(p, "dir/sub/file", "x");
	assert_int_equal(symlinkat("dir", root, "link"), 0);
	auto_fd dir = openat(root, "dir", O_PATH);
	assert_int_equal(symlinkat("sub/file", dir, "flink"), 0);
	assert_int_equal(symlinkat("/", root, "abs"), 0);
	int (*const ways[])(int, const char *, int) = {fs_open, fs_open_walk};
	for (int w = 0; w < 2; w++) {
		int fd = ways[w](root, "dir/sub/file", O_RDONLY);
		assert_true(fd >= 0);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		close(fd);
		static const char *const bad[] = {"link/sub/file", "dir/flink",   "link", "abs/etc/passwd", "abs", "..",
						  "../x",          "/etc/passwd", NULL};
		for (const char *const *b = bad; *b != NULL; b++)
			assert_true(ways[w](root, *b, O_RDONLY) < 0);
		assert_true(ways[w](root, "none/x", O_RDONLY) < 0 && errno == ENOENT);
	}
}

static void a_write_is_whole_or_not_at_all(void **state)
{
	struct place *p = *state;
	struct stat st;
	struct fs_meta meta = {.mode = 04751,
			       .uid = -1,
			       .gid = -1,
			       .mtime = {.tv_sec = 5, .tv_nsec = 7},
			       .set_mtime = true,
			       .xattrs_from = -1};
	put(p, "a/file", "old");
	put(p, "a/.tmp", "left by a crash");
	assert_int_equal(fs_write(p->agent.root_fd, "a/file", "new!", 4, &meta, ".tmp"), 0);
	assert_int_equal(fs_stat(p->agent.root_fd, "a/file", &st), 0);
	assert_int_equal(st.st_mode & 07777, 04751);
	assert_int_equal(st.st_size, 4);
	assert_true(st.st_mtim.tv_sec == 5 && st.st_mtim.tv_nsec == 7);
	assert_int_equal(fs_stat(p->agent.root_fd, "a/.tmp", &st), -1);
	put(p, "a/dir/x", "x");
	assert_int_equal(fs_write(p->agent.root_fd, "a/dir", "x", 1, &meta, ".tmp"), -1);
	assert_int_equal(fs_stat(p->agent.root_fd, "a/.tmp", &st), -1);
	assert_int_equal(fs_write(p->agent.root_fd, "none/x", "x", 1, &meta, ".tmp"), -1);
}

static void removal_stays_inside(void **state)
{
	struct place *p = *state;
	struct stat st;
	put(p, "outside/keep", "x");
	put(p, "tree/a/b/c", "x");
	auto_fd tree = openat(p->agent.root_fd, "tree", O_PATH);
	assert_int_equal(symlinkat("../outside", tree, "link"), 0);
	assert_int_equal(symlinkat("outside", p->agent.root_fd, "way"), 0);
	assert_int_equal(fs_remove_tree(p->agent.root_fd, "tree"), 0);
	assert_int_equal(fs_stat(p->agent.root_fd, "tree", &st), -1);
	assert_int_equal(fs_stat(p->agent.root_fd, "outside/keep", &st), 0);
	assert_int_equal(fs_remove_tree(p->agent.root_fd, "way/keep"), -1);
	assert_int_equal(fs_remove_tree(p->agent.root_fd, "way"), 0); /* the link itself */
	assert_int_equal(fs_stat(p->agent.root_fd, "outside/keep", &st), 0);
	assert_int_equal(fs_remove_tree(p->agent.root_fd, "none/at/all"), 0);
	assert_int_equal(fs_rmdir(p->agent.root_fd, "outside"), 0); /* not empty: stays, and is no failure */
	assert_int_equal(fs_stat(p->agent.root_fd, "outside/keep", &st), 0);
	assert_int_equal(fs_unlink(p->agent.root_fd, "none"), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {T(paths_are_checked),
					   T(files_only_where_they_may_be),
					   T(data_paths_must_be_narrow),
					   T(below),
					   T(links_are_refused_everywhere),
					   T(a_write_is_whole_or_not_at_all),
					   T(removal_stays_inside)};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
