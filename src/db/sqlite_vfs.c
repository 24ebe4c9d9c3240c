/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands between SQLite and the file system: when a page is written into the database file (that is: by a checkpoint) its dead bytes are
 * zeros.
 *
 * SQLite blanks what a DELETE frees (secure_delete), but a page that was split, joined or rebuilt keeps stale copies of rows in the gap before
 * its cells.  Without this, only a VACUUM of the whole file removes them.  Promises: no byte that means anything is changed (sqlite_page.h);
 * nothing but the database file is touched: frames of the WAL carry checksums of what was in memory, and the WAL is cut to nothing.
 *
 * A page that is not of a b-tree cannot be taken for one: free pages are blank, and an overflow page begins with a page number, whose first byte
 * is 0 in a file of less than 2^24 pages.  A larger file is left as it is, and sq_scrub() goes over it.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "db/sqlite_internal.h"
#include "db/sqlite_page.h"

struct vfs_file {
	sqlite3_file base;
	unsigned char *work; /* a page, and which of its bytes are alive; made at the first write */
	_Alignas(8) char real[];
};

static sqlite3_vfs *real_vfs, vfs;

static sqlite3_file *real_of(sqlite3_file *f)
{
	return (sqlite3_file *)(void *)((struct vfs_file *)(void *)f)->real;
}

/* ---- writing ---- */

static bool whole_page(sqlite3_file *f, int n, sqlite3_int64 at)
{
	sqlite3_int64 bytes = 0;
	if (n < SQ_PAGE_MIN || n > SQ_PAGE_MAX || (n & (n - 1)) != 0 || at % n != 0)
		return false;
	return real_of(f)->pMethods->xFileSize(real_of(f), &bytes) == SQLITE_OK && bytes / n < SQ_BLANKED_PAGES && at / n < SQ_BLANKED_PAGES;
}

static int vfs_Write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	struct vfs_file *v = (struct vfs_file *)(void *)f;
	if (v->work == NULL)
		v->work = malloc(2 * (size_t)SQ_PAGE_MAX);
	if (v->work == NULL)
		return SQLITE_IOERR_NOMEM;
	if (whole_page(f, n, at)) {
		memcpy(v->work, p, (size_t)n);
		if (sq_page_blank(v->work, (size_t)n, (uint32_t)(at / n) + 1, v->work + SQ_PAGE_MAX))
			p = v->work;
	}
	return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int vfs_Close(sqlite3_file *f)
{
	free(((struct vfs_file *)(void *)f)->work);
	return real_of(f)->pMethods->xClose(real_of(f));
}

/* ---- all else goes through ---- */

#define F sqlite3_file *f
#define PASS(name, params, ...)                                                  \
	static int vfs_##name params                                             \
	{                                                                        \
		return real_of(f)->pMethods->x##name(real_of(f), ##__VA_ARGS__); \
	}
PASS(Read, (F, void *p, int n, sqlite3_int64 at), p, n, at)
PASS(Truncate, (F, sqlite3_int64 n), n)
PASS(Sync, (F, int flags), flags)
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

static void vfs_ShmBarrier(F)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

/* Version 2: no memory map, so that every write comes by. */
static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = vfs_Close,
	.xRead = vfs_Read,
	.xWrite = vfs_Write,
	.xTruncate = vfs_Truncate,
	.xSync = vfs_Sync,
	.xFileSize = vfs_FileSize,
	.xLock = vfs_Lock,
	.xUnlock = vfs_Unlock,
	.xCheckReservedLock = vfs_CheckReservedLock,
	.xFileControl = vfs_FileControl,
	.xSectorSize = vfs_SectorSize,
	.xDeviceCharacteristics = vfs_DeviceCharacteristics,
	.xShmMap = vfs_ShmMap,
	.xShmLock = vfs_ShmLock,
	.xShmBarrier = vfs_ShmBarrier,
	.xShmUnmap = vfs_ShmUnmap,
};

/* ---- opening ---- */

static int vfs_open(sqlite3_vfs *self, const char *name, sqlite3_file *f, int flags, int *out)
{
	if ((flags & SQLITE_OPEN_MAIN_DB) == 0) /* as if this were not here */
		return real_vfs->xOpen(real_vfs, name, f, flags, out);
	((struct vfs_file *)(void *)f)->work = NULL;
	int rc = real_vfs->xOpen(real_vfs, name, real_of(f), flags, out);
	f->pMethods = real_of(f)->pMethods != NULL ? &methods : NULL;
	return rc;
}

const char *sq_vfs(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_mutex_lock(&lock);
	sqlite3_vfs *now = sqlite3_vfs_find(NULL);
	if (now != real_vfs) { /* the first time, and where a test has put its own beneath */
		vfs = *now;
		vfs.zName = "reeve";
		vfs.szOsFile = (int)sizeof(struct vfs_file) + now->szOsFile;
		vfs.xOpen = vfs_open;
		real_vfs = now;
		check(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
	}
	pthread_mutex_unlock(&lock);
	return vfs.zName;
}
