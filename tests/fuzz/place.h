/* SPDX-License-Identifier: Apache-2.0
 * For targets that need files: a directory of the process, and a keeper in it.  It goes when the process ends. */
#ifndef REEVE_TESTS_FUZZ_PLACE_H
#define REEVE_TESTS_FUZZ_PLACE_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "keeper/keeper.h"

static const int64_t FUZZ_NOW = INT64_C(1780272000) * SECOND_US; /* 2026-06-01: a seed's dates stay what they are */

static char fuzz_dir_path[256];

static inline int fuzz_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static inline void fuzz_dir_remove(void)
{
	nftw(fuzz_dir_path, fuzz_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *fuzz_dir(void)
{
	if (fuzz_dir_path[0] == '\0') {
		const char *tmp = getenv("TMPDIR");
		snprintf(fuzz_dir_path, sizeof fuzz_dir_path, "%s/reeve-fuzz-XXXXXX", tmp != NULL ? tmp : "/tmp");
		check(mkdtemp(fuzz_dir_path) != NULL);
		atexit(fuzz_dir_remove);
	}
	return fuzz_dir_path;
}

static inline void fuzz_file(char out[512], const char *name)
{
	snprintf(out, 512, "%s/%s", fuzz_dir(), name);
}

static inline struct keeper *fuzz_keeper(void)
{
	static struct keeper *k;
	char dir[512];
	if (k == NULL) {
		fuzz_file(dir, "keeper");
		check(keeper_create(dir, "fuzz", FUZZ_NOW, NULL) == OK);
		check(keeper_open(dir, &k, NULL) == OK);
	}
	return k;
}

#endif
