/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a sealed copy: refused with a reason.  And any content, sealed and then changed, cut or made longer: it comes out as it was where
 * nothing was changed, and else never to its end, nor a byte of it wrong.
 *
 * Input: 'r' and bytes that are read as they are; or another letter (what is done), a place in three bytes, a byte, and content. */
#include "fuzz.h"
#include "place.h"

#include <sys/mman.h>

#include "backup/format.h"

enum { HEAD = 5, CONTENT_MAX = 200 * 1024 };

static struct keeper *keeper(void)
{
	static struct keeper *k;
	char dir[512];
	struct scope *s = fuzz_scope();
	bool made;
	if (k == NULL) {
		const struct keeper_options o = {.backups = true, .backup_days = 14};
		fuzz_file(dir, "keeper-of-days");
		check(keeper_create(dir, "fuzz", FUZZ_NOW, NULL) == OK && keeper_open_with(dir, &o, &k, NULL) == OK);
		check(keeper_day_key_make(k, s, FUZZ_NOW / DAY_US, &made) == OK);
	}
	return k;
}

static int memory(void)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);
	check(fd >= 0);
	return fd;
}

/* True where it opened to its end. */
static bool opens(struct scope *s, int fd, const uint8_t *want, size_t n)
{
	struct backup_reader *r;
	const void *p;
	size_t got = 1, at = 0;
	check(lseek(fd, 0, SEEK_SET) == 0);
	enum err e = backup_open(s, fd, &r);
	if (e == OK) {
		while (e == OK && got > 0) {
			e = backup_read(s, r, &p, &got);
			check(e != OK || (at + got <= n && memcmp(p, want + at, got) == 0));
			at += e == OK ? got : 0;
		}
		backup_close(r);
	}
	if (e != OK)
		fuzz_refused(s, e);
	else
		check(at == n);
	return e == OK;
}

static void as_it_is(struct scope *s, const uint8_t *bytes, size_t n)
{
	struct backup_header h;
	int fd = memory();
	check(write(fd, bytes, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
	enum err e = backup_read_header(s, fd, &h);
	if (e != OK)
		fuzz_refused(s, e);
	else
		check(h.created >= 0 && h.day >= 0 && h.days >= 1);
	s->detail = NULL;
	check(!opens(s, fd, NULL, 0)); /* nobody has the key */
	close(fd);
}

/* False: nothing is other than before. */
static bool change(int fd, char what, uint32_t where, uint8_t by, size_t n)
{
	uint8_t b;
	size_t at = where % n;
	check(pread(fd, &b, 1, (off_t)at) == 1);
	switch (what) {
	case 'c':
		check(ftruncate(fd, (off_t)at) == 0);
		return true;
	case 'l':
		check(pwrite(fd, &by, 1, (off_t)n) == 1);
		return true;
	case 'x':
		b ^= by;
		check(pwrite(fd, &b, 1, (off_t)at) == 1);
		return by != 0;
	default:
		return false;
	}
}

static void sealed(struct scope *s, const uint8_t *bytes, size_t n)
{
	const uint8_t *content = bytes + HEAD;
	size_t content_n = n - HEAD;
	struct keeper_seal_half half;
	struct backup_header h = {.kind = n % 2 == 0 ? BACKUP_STREAM : BACKUP_SQLITE, .created = FUZZ_NOW};
	struct backup_writer *w;
	int fd = memory();
	h.bytes = h.kind == BACKUP_STREAM ? BACKUP_BYTES_UNKNOWN : content_n;
	check(keeper_half_now(s->keeper, FUZZ_NOW, &half, NULL) == OK && backup_begin(s, &half, &h, fd, &w) == OK);
	check(backup_write(w, content, content_n) == OK && backup_end(w) == OK);
	size_t whole = (size_t)lseek(fd, 0, SEEK_END);
	bool changed = change(fd, (char)bytes[0], (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3], bytes[4], whole);
	check(opens(s, fd, content, content_n) == !changed);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct keeper *k = keeper();
	struct scope *s = fuzz_scope();
	if (n == 0 || n > CONTENT_MAX)
		return 0;
	s->keeper = k;
	if (bytes[0] == 'r')
		as_it_is(s, bytes + 1, n - 1);
	else if (n >= HEAD)
		sealed(s, bytes, n);
	return 0;
}
