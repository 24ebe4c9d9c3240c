/* SPDX-License-Identifier: Apache-2.0
 * The local socket: for the owner and root only, whatever the file's mode; taken over from the dead, never from the
 * living. */
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "client.h"

struct local {
	struct site site;
	char dir[64], path[96];
};

static int setup(void **state)
{
	struct local *l = calloc(1, sizeof *l);
	strcpy(l->dir, "/tmp/reeve-http-XXXXXX");
	assert_non_null(mkdtemp(l->dir));
	snprintf(l->path, sizeof l->path, "%s/socket", l->dir);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct local *l = *state;
	if (l->site.workers != NULL)
		site_close(&l->site);
	unlink(l->path);
	rmdir(l->dir);
	free(l);
	return 0;
}

static void open_site(struct local *l)
{
	site_open_with(&l->site, (struct http_options){.socket_path = l->path}, SITE_TUNING, 2, 10);
}

static int dial_local(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	strcpy(to.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void the_owner_is_served(void **state)
{
	struct local *l = *state;
	struct stat st;
	open_site(l);
	assert_int_equal(stat(l->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	int fd = dial_local(l->path);
	assert_true(fd >= 0);
	put(fd, "GET /ip HTTP/1.1\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n"); /* no Host, nobody believed */
	expect_body(fd, 200, "local");
	put(fd, "POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"); /* but framing is framing */
	expect_body(fd, 400, "refused 400: there is more than one Content-Length header");
	close(fd);
}

/* As another user: exit status 0 served, 1 could not connect, 2 closed without an answer. */
static int as_nobody(const char *path)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char c;
		if (setgid(65534) != 0 || setuid(65534) != 0)
			_exit(9);
		int fd = dial_local(path);
		if (fd < 0)
			_exit(1);
		put(fd, "GET /x HTTP/1.1\r\n\r\n");
		_exit(read(fd, &c, 1) == 1 ? 0 : 2);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void other_users_are_not(void **state)
{
	struct local *l = *state;
	if (geteuid() != 0) {
		skip(); /* only root can become another user */
		return;
	}
	open_site(l);
	assert_int_equal(chmod(l->dir, 0755), 0);
	assert_int_equal(as_nobody(l->path), 1);
	assert_int_equal(chmod(l->path, 0666), 0); /* the mode is one lock, the peer's uid the other */
	assert_int_equal(as_nobody(l->path), 2);
	assert_int_equal(atomic_load(&l->site.handled), 0);
}

static void a_dead_socket_is_taken_over(void **state)
{
	struct local *l = *state;
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	strcpy(to.sun_path, l->path);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
	close(fd); /* the name stays */
	open_site(l);
	fd = dial_local(l->path);
	assert_true(fd >= 0);
	put(fd, "GET /x HTTP/1.1\r\n\r\n");
	expect_body(fd, 200, "GET /x ?  # 0 ");
	close(fd);
	site_close(&l->site);
	assert_int_equal(access(l->path, F_OK), -1);
}

static void a_living_one_is_not(void **state)
{
	struct local *l = *state;
	struct http_server *second = NULL;
	char *detail = NULL;
	open_site(l);
	struct http_options o = {.socket_path = l->path, .handler = site_handler(&l->site)};
	assert_int_equal(http_listen(&o, l->site.workers, &second, &detail), ERR_BUSY);
	assert_non_null(strstr(detail, l->path));
	free(detail);
	int fd = dial_local(l->path); /* and was not disturbed */
	assert_true(fd >= 0);
	close(fd);
}

static void another_file_is_left_alone(void **state)
{
	struct local *l = *state;
	struct http_server *server = NULL;
	FILE *f = fopen(l->path, "w");
	assert_non_null(f);
	fclose(f);
	struct http_options o = {.socket_path = l->path, .handler = site_handler(&l->site)};
	struct http_workers *w = http_workers_new(1);
	char *detail = NULL;
	assert_int_equal(http_listen(&o, w, &server, &detail), ERR_BUSY);
	free(detail);
	http_workers_free(w);
	assert_int_equal(access(l->path, F_OK), 0);
}

int main(void)
{
#define WITH_DIR(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_DIR(the_owner_is_served),
		WITH_DIR(other_users_are_not),
		WITH_DIR(a_dead_socket_is_taken_over),
		WITH_DIR(a_living_one_is_not),
		WITH_DIR(another_file_is_left_alone),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
