/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that is full and a disk that fails, under SQLite: what was answered is there, what was refused is not, and
 * after a failed fsync nobody is told "done" and the process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "db_things.h"

/* ---- a VFS whose fsync can fail ---- */

static _Atomic int sync_fails; /* 1: of the WAL, 2: of the database */
static sqlite3_vfs *real_vfs, failing_vfs;

struct failing_file {
	sqlite3_file base;
	int flags;
	_Alignas(8) char real[] /* as SQLite aligns the whole */;
};

static sqlite3_file *real_of(sqlite3_file *f)
{
	return (sqlite3_file *)((struct failing_file *)f)->real;
}

static int fail_sync(sqlite3_file *f, int flags)
{
	int kind = ((struct failing_file *)f)->flags & SQLITE_OPEN_WAL ? 1 : 2;
	return sync_fails == kind ? SQLITE_IOERR_FSYNC : real_of(f)->pMethods->xSync(real_of(f), flags);
}

#define PASS(name, params, ...)                                                  \
	static int pass_##name params                                            \
	{                                                                        \
		return real_of(f)->pMethods->x##name(real_of(f), ##__VA_ARGS__); \
	}
#define F sqlite3_file *f
PASS(Close, (F))
PASS(Read, (F, void *p, int n, sqlite3_int64 at), p, n, at)
PASS(Write, (F, const void *p, int n, sqlite3_int64 at), p, n, at)
PASS(Truncate, (F, sqlite3_int64 n), n)
PASS(FileSize, (F, sqlite3_int64 *n), n)
PASS(Lock, (F, int l), l)
PASS(Unlock, (F, int l), l)
PASS(CheckReservedLock, (F, int *r), r)
PASS(FileControl, (F, int op, void *p), op, p)
PASS(SectorSize, (F))
PASS(DeviceCharacteristics, (F))
PASS(ShmMap, (F, int page, int size, int extend, void volatile **pp), page, size, extend, pp)
PASS(ShmLock, (F, int at, int n, int flags), at, n, flags)
PASS(ShmUnmap, (F, int del), del)
static void pass_ShmBarrier(F)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static const sqlite3_io_methods failing_methods = {
	2,
	pass_Close,
	pass_Read,
	pass_Write,
	pass_Truncate,
	fail_sync,
	pass_FileSize,
	pass_Lock,
	pass_Unlock,
	pass_CheckReservedLock,
	pass_FileControl,
	pass_SectorSize,
	pass_DeviceCharacteristics,
	pass_ShmMap,
	pass_ShmLock,
	pass_ShmBarrier,
	pass_ShmUnmap,
	NULL,
	NULL,
};

static int failing_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	((struct failing_file *)f)->flags = flags;
	int rc = real_vfs->xOpen(real_vfs, name, real_of(f), flags, out);
	f->pMethods = rc == SQLITE_OK ? &failing_methods : NULL;
	return rc;
}

static void vfs_install(void)
{
	real_vfs = sqlite3_vfs_find(NULL);
	failing_vfs = *real_vfs;
	failing_vfs.zName = "failing";
	failing_vfs.szOsFile = (int)sizeof(struct failing_file) + real_vfs->szOsFile;
	failing_vfs.xOpen = failing_open;
	check(sqlite3_vfs_register(&failing_vfs, 1) == SQLITE_OK);
}

/* ---- a child that meets a failing fsync ---- */

static int told_at; /* the writing end of a pipe */

static void *write_once(void *arg)
{
	struct scope s;
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	scope_tenant(&s, a, arg, NULL, tenant_a);
	unsigned char e = (unsigned char)db_write(&s, insert_some, &(int){3});
	check(write(told_at, &e, 1) == 1);
	arena_free(a);
	return NULL;
}

/* Exits with 0 where the server would have gone on. */
static void child(const char *url, int kind)
{
	struct db *db;
	pthread_t writers[4];
	vfs_install();
	if (db_open_with(&(struct db_options){.url = url}, test_schema, &db, NULL) != OK)
		_exit(1);
	if (kind == 2)
		write_once(db); /* something to move into the file */
	sync_fails = kind;
	if (kind == 2)
		_exit(db_scrub(db, NULL, 0) == OK ? 0 : 2);
	for (int i = 0; i < 4; i++)
		pthread_create(&writers[i], NULL, write_once, db);
	for (int i = 0; i < 4; i++)
		pthread_join(writers[i], NULL);
	sleep(kind == 0 ? 0 : 5); /* the database ends the process before that */
	_exit(0);
}

static int run_child(struct db_fixture *f, int kind, unsigned char *told, ssize_t *ret_told)
{
	int ends[2], status;
	assert_int_equal(pipe(ends), 0);
	db_close(f->db);
	f->db = NULL;
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		told_at = ends[1];
		child(f->app_url, kind);
	}
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*ret_told = 0;
	for (ssize_t n; (n = read(ends[0], told + *ret_told, 8 - (size_t)*ret_told)) > 0;)
		*ret_told += n;
	close(ends[0]);
	fixture_reopen(f, test_schema);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_failed_fsync_ends_the_server(void **state)
{
	ssize_t n;
	unsigned char told[8];
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	assert_int_equal(run_child(f, 1, told, &n), 74);
	assert_true(n > 0); /* the answers went out first */
	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(told[i], ERR_IO);
	int64_t left = counted(f, &tenant_a); /* recovery decided: all of one closure or nothing */
	assert_true(left == 0 || left == 3);
}

static void a_checkpoint_that_fails_to_sync_ends_it_too(void **state)
{
	ssize_t n;
	unsigned char told[8];
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	assert_int_equal(run_child(f, 2, told, &n), 74);
}

static void without_a_fault_it_goes_on(void **state)
{
	ssize_t n;
	unsigned char told[8];
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	assert_int_equal(run_child(f, 0, told, &n), 0);
	assert_int_equal(n, 4);
	int good = 0;
	for (ssize_t i = 0; i < n; i++)
		good += told[i] == OK;
	assert_int_equal(good, 1); /* the others meet the first one's keys */
	assert_int_equal(counted(f, &tenant_a), 3);
}

/* ---- kill -9 ---- */

static enum err nothing(void *arg, int fd, uint64_t bytes, size_t page_bytes) { return OK; }

static enum err churn(struct scope *s, struct db_tx *tx, void *arg)
{
	int n = *(int *)arg;
	TRY(db_exec_text(tx, DB_REACH_TENANT, "DELETE FROM things WHERE tenant_id = ?1 AND n % 3 = ?2", DB_ARGS(db_v_int(n % 3)), NULL));
	for (int i = 0; i < 60; i++) {
		char name[600];
		int number = n * 60 + i;
		snprintf(name, sizeof name, "%d %0*d", number, 1 + number * 7919 % 500, 0);
		struct id id = numbered(number);
		TRY(db_exec(tx, &add_thing, DB_ARGS(db_v_id(&id), db_v_text(name), db_v_int(i), db_v_null(), db_v_null()), NULL));
	}
	return OK;
}

/* Rows come and go, and the store is scrubbed and frozen, until somebody ends it. */
static void killed(const char *url)
{
	struct db *db;
	struct scope s;
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	if (db_open_with(&(struct db_options){.url = url}, test_schema, &db, NULL) != OK)
		_exit(1);
	for (int n = 0; n < 1000; n++) {
		scope_tenant(&s, a, db, NULL, tenant_a);
		if (db_write(&s, churn, &n) != OK || db_scrub(db, NULL, 0) != OK || db_frozen(db, nothing, NULL) != OK)
			_exit(2);
		arena_reset(a);
	}
	_exit(0);
}

static enum err whole(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_GLOBAL, "PRAGMA integrity_check", DB_NOARGS, &r));
	WANT(db_next(r));
	WANT(strcmp(db_text(r, 0), "ok") == 0);
	return db_rows_err(r);
}

static enum err clear(struct scope *s, struct db_tx *tx, void *arg)
{
	return db_exec_text(tx, DB_REACH_TENANT, "DELETE FROM things WHERE tenant_id = ?1", DB_NOARGS, NULL);
}

static void a_kill_at_any_moment_leaves_the_file_whole(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	for (int i = 0; i < 8; i++) {
		int status;
		db_close(f->db);
		f->db = NULL;
		fflush(NULL);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			killed(f->app_url);
		usleep((useconds_t)(60000 + i * 37000));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		fixture_reopen(f, test_schema);
		scope_in(&s, f, NULL);
		OKAY(&s, db_read(&s, whole, NULL));
		scope_in(&s, f, &tenant_a);
		OKAY(&s, db_write(&s, clear, NULL));
	}
}

/* ---- a full disk ---- */

struct load {
	struct db *db;
	int first;
	int done, full, other;
	pthread_t thread;
};

static enum err insert_large(struct scope *s, struct db_tx *tx, void *arg)
{
	static const char payload[20000] = "large";
	struct id id = numbered(*(int *)arg);
	return db_exec(tx, &add_thing,
		       DB_ARGS(db_v_id(&id), db_v_null(), db_v_int(1), db_v_blob(payload, sizeof payload), db_v_null()),
		       NULL);
}

static void *load_main(void *arg)
{
	struct scope s;
	struct load *l = arg;
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	for (int i = 0; i < 200; i++) {
		scope_tenant(&s, a, l->db, NULL, tenant_a);
		int number = l->first + i;
		enum err e = db_write(&s, insert_large, &number);
		l->done += e == OK;
		l->full += e == ERR_STORAGE_FULL;
		l->other += e != OK && e != ERR_STORAGE_FULL;
		arena_reset(a);
	}
	arena_free(a);
	return NULL;
}

static void ballast(const char *dir, int bytes)
{
	char path[128];
	snprintf(path, sizeof path, "%s/ballast", dir);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0 && posix_fallocate(fd, 0, bytes) == 0);
	close(fd);
}

static int full_disk(struct db_fixture *f)
{
	int done = 0, full = 0;
	struct load loads[4];
	for (int i = 0; i < 4; i++) {
		loads[i] = (struct load){.db = f->db, .first = i * 1000};
		assert_int_equal(pthread_create(&loads[i].thread, NULL, load_main, &loads[i]), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(loads[i].thread, NULL);
		done += loads[i].done;
		full += loads[i].full;
		assert_int_equal(loads[i].other, 0);
	}
	assert_true(done > 0 && full > 0);
	return done;
}

static void a_full_disk_is_said_and_survived(void **state)
{
	struct scope s;
	struct db_fixture *f = fixture_only(state, DB_SQLITE);
	db_close(f->db);
	f->db = NULL;
	if (mount("tmpfs", f->dir, "tmpfs", 0, "size=12m,mode=0700") != 0) {
		fixture_ok(errno == EPERM ? OK : ERR_IO, strerror(errno));
		skip(); /* only root can mount one */
	}
	fixture_reopen(f, test_schema);
	ballast(f->dir, 4 << 20);
	int done = full_disk(f);
	assert_int_equal(counted(f, &tenant_a), done);
	ballast(f->dir, 1);
	scope_in(&s, f, &tenant_a);
	OKAY(&s, db_write(&s, insert_large, &(int){9999}));
	fixture_reopen(f, test_schema);
	assert_int_equal(counted(f, &tenant_a), done + 1);
}

static int unmount_teardown(void **state)
{
	struct db_fixture *f = &((struct db_case *)*state)->f;
	db_close(f->db);
	f->db = NULL;
	umount2(f->dir, MNT_DETACH); /* fails where the test was skipped */
	return case_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SQLITE(a_kill_at_any_moment_leaves_the_file_whole),
		SQLITE(a_failed_fsync_ends_the_server),
		SQLITE(a_checkpoint_that_fails_to_sync_ends_it_too),
		SQLITE(without_a_fault_it_goes_on),
		{"sqlite: a_full_disk_is_said_and_survived", a_full_disk_is_said_and_survived, case_setup,
		 unmount_teardown, &engine_sqlite},
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("db_faults", tests, NULL, NULL);
}
