/* SPDX-License-Identifier: Apache-2.0
 *
 * Files below a root, safely.  Paths are relative to the root: no slash at either end, no empty, "." or ".." component.
 * Every function takes the root (or a directory below it) as a file descriptor and refuses symbolic links in every
 * component (openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, or one openat with O_NOFOLLOW per component on older
 * kernels). Functions that return int give -1 and errno on failure, as the system calls do.
 */
#ifndef REEVE_AGENT_FS_H
#define REEVE_AGENT_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "agent.h"
#include "base/buf.h"

#define FS_FILE_MAX (64u << 20) /* the largest file that is read, kept or restored */

/* fs_path.c: pure */
MUST_CHECK enum err path_check(struct scope *s, const char *given, const char **ret_rel); /* "/etc/x" to "etc/x" */
bool path_is_below(const char *rel, const char *dir);                                     /* equal counts as below */
const char *path_leaf(const char *rel);
/* Where the organisation's files may be (settings, certificates, an app's files). */
MUST_CHECK enum err path_allow_file(struct scope *s, const char *rel, const char *state_rel);
/* A data path of an app: absolute or "~/…".  Broad directories (/var/lib, ~, ~/.config) are refused. */
MUST_CHECK enum err path_allow_data(struct scope *s, const char *given, const char *state_rel, const char **ret_rel,
				    bool *ret_home);

/* fs.c: opening and reading */
int fs_open(int root_fd, const char *rel, int flags);      /* never creates */
int fs_open_walk(int root_fd, const char *rel, int flags); /* what fs_open() does where there is no openat2 */
int fs_open_parent(int root_fd, const char *rel, int flags);
int fs_open_subdir(int dir_fd, const char *name);           /* for reading; EXDEV where something is mounted on it */
int fs_stat(int root_fd, const char *rel, struct stat *st); /* of a link itself; its parents are only passed (O_PATH) */
int fs_read_fd(int fd, struct buf *out);                    /* a regular file up to out->max */
int fs_hash_fd(int fd, char hex[65]);                       /* SHA-256 of the rest of the file */
/* What the collectors read: the real file, or the tree's (its links resolved inside the tree).  NULL where there is
 * none. */
char *fs_text(struct agent *a, const char *rel, size_t max);
char *fs_line(struct agent *a, const char *rel); /* the first line, trimmed; NULL where empty */
/* Names in a directory, sorted, without "." and ".."; NULL-terminated, empty where there is none. */
char **fs_names(struct agent *a, const char *rel);
bool fs_present(struct agent *a, const char *rel);

/* fs_write.c: writing and removing */
struct fs_meta {
	mode_t mode;
	int64_t uid, gid; /* -1: as the agent's own */
	struct timespec mtime;
	bool set_mtime;
	int xattrs_from; /* a file whose extended attributes are copied; -1: none */
};
/* Atomically (a temporary file beside it, fsync, rename, fsync of the directory). */
int fs_write(int root_fd, const char *rel, const void *bytes, size_t n, const struct fs_meta *meta, const char *temp);
int fs_mkdirs(int root_fd, const char *rel, mode_t mode);
int fs_unlink(int root_fd, const char *rel); /* a file or link; 0 where it is gone already */
int fs_rmdir(int root_fd, const char *rel);  /* 0 also where it is gone or not empty */
int fs_remove_tree(int root_fd,
		   const char *rel); /* 0 where it is gone already; never crosses a mount, never follows a link */
int fs_remove_children(int dir_fd);  /* everything in it; keeps the directory */

#endif
