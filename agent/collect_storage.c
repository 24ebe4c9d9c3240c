/* SPDX-License-Identifier: Apache-2.0
 *
 * Storage: how large the local disks' mounted file systems are and what is free on them, whether the root file system
 * is encrypted, and, when asked for, the list of disks.
 *
 * A file system counts once, however often it is mounted; what is removable (/media, /run/media), an image (loop) or on
 * the network does not count.  No file name is read: only the mount table, statvfs(3) and /sys/block.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "base/limits.h"
#include "channel.h"
#include "collect.h"
#include "fs.h"

struct mount {
	const char *point, *type, *source;
};

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static char *unescape(char *text)
{
	char *out = text;
	for (const char *p = text; *p != '\0';) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' &&
		    p[3] <= '7') {
			*out++ = (char)((p[1] - '0') * 64 + (p[2] - '0') * 8 + (p[3] - '0'));
			p += 4;
		} else {
			*out++ = *p++;
		}
	}
	*out = '\0';
	return text;
}

/* "36 35 98:0 /root /point options … - type source superoptions" */
static bool parse_mount(char *line, struct mount *m)
{
	char *rest, *field[6];
	for (int i = 0; i < 6; i++) {
		field[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
		if (field[i] == NULL)
			return false;
	}
	char *word;
	while ((word = strtok_r(NULL, " ", &rest)) != NULL && strcmp(word, "-") != 0)
		;
	char *type = strtok_r(NULL, " ", &rest), *source = strtok_r(NULL, " ", &rest);
	if (word == NULL || type == NULL || source == NULL)
		return false;
	*m = (struct mount){unescape(field[4]), type, unescape(source)};
	return true;
}

static bool counts(const struct mount *m)
{
	return strncmp(m->source, "/dev/", 5) == 0 && strncmp(m->source, "/dev/loop", 9) != 0 &&
	       strncmp(m->source, "/dev/fuse", 9) != 0 && strcmp(m->type, "squashfs") != 0 &&
	       strcmp(m->type, "iso9660") != 0 && strcmp(m->type, "udf") != 0 && strncmp(m->point, "/media/", 7) != 0 &&
	       strncmp(m->point, "/run/media/", 11) != 0;
}

static bool seen(const char **sources, size_t n, const char *source)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(sources[i], source) == 0)
			return true;
	return false;
}

static bool add_space(struct facts *f, const char *point)
{
	struct statvfs v;
	if (statvfs(point, &v) != 0)
		return false;
	f->storage_bytes += (int64_t)v.f_blocks * (int64_t)v.f_frsize;
	f->free_bytes += (int64_t)v.f_bavail * (int64_t)v.f_frsize;
	return true;
}

/* Returns the device of the root file system, or NULL. */
static const char *add_mounts(struct agent *a, struct facts *f)
{
	enum { MOST = 256 };
	const char *sources[MOST], *root = NULL;
	size_t n = 0;
	char *rest, *text = fs_text(a, "proc/self/mountinfo", 4u << 20);
	for (char *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct mount m;
		if (!parse_mount(line, &m) || !counts(&m))
			continue;
		if (strcmp(m.point, "/") == 0)
			root = m.source;
		if (n < MOST && !seen(sources, n, m.source) && add_space(f, m.point))
			sources[n++] = m.source;
	}
	if (n == 0)
		add_space(f, "/"); /* a container's root stands on no disk that it sees */
	return root;
}

/* A dm-crypt volume, or something that stands on one (LVM or RAID on LUKS): block devices name what they stand on in
 * slaves/. */
static bool stands_on_crypt(struct agent *a, const char *dir, int depth)
{
	struct arena *arena = a->scope->arena;
	const char *uuid = fs_line(a, arena_printf(arena, "%s/dm/uuid", dir));
	if (uuid != NULL && strncmp(uuid, "CRYPT-", 6) == 0)
		return true;
	char **slaves = fs_names(a, arena_printf(arena, "%s/slaves", dir));
	for (; *slaves != NULL && depth < 8; slaves++)
		if (stands_on_crypt(a, arena_printf(arena, "sys/class/block/%s", *slaves), depth + 1))
			return true;
	return false;
}

static int64_t disk_bytes(struct agent *a, const char *name)
{
	const char *sectors = fs_line(a, arena_printf(a->scope->arena, "sys/block/%s/size", name));
	return sectors != NULL ? strtoll(sectors, NULL, 10) * 512
			       : 0; /* always in units of 512, whatever the disk's sectors are */
}

static bool is_disk(struct agent *a, const char *name)
{
	static const char *const virtual[] = {"loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"};
	for (size_t i = 0; i < sizeof virtual / sizeof *virtual; i++)
		if (strncmp(name, virtual[i], strlen(virtual[i])) == 0)
			return false;
	const char *removable = fs_line(a, arena_printf(a->scope->arena, "sys/block/%s/removable", name));
	return (removable == NULL || strcmp(removable, "0") == 0) && disk_bytes(a, name) > 0;
}

/* A tree has no mounts of its own: its disks are those of its sys/block, and what is free is what is free where it
 * lies. */
static void storage_of_tree(struct agent *a, struct facts *f)
{
	struct statvfs v;
	for (char **name = fs_names(a, "sys/block"); *name != NULL; name++) {
		if (is_disk(a, *name))
			f->storage_bytes += disk_bytes(a, *name);
		else if (strncmp(*name, "dm-", 3) == 0)
			f->encrypted |= stands_on_crypt(a, arena_printf(a->scope->arena, "sys/block/%s", *name), 0);
	}
	if (statvfs(a->root, &v) != 0)
		return;
	if (f->storage_bytes == 0)
		f->storage_bytes = (int64_t)v.f_blocks * (int64_t)v.f_frsize;
	f->free_bytes = (int64_t)v.f_bavail * (int64_t)v.f_frsize;
	if (f->free_bytes > f->storage_bytes)
		f->free_bytes = f->storage_bytes;
}

void collect_storage(struct agent *a, struct facts *f)
{
	if (a->tree) {
		storage_of_tree(a, f);
		return;
	}
	f->free_bytes = 0;
	const char *root = add_mounts(a, f);
	struct stat st;
	if (root == NULL || stat(root, &st) != 0 || !S_ISBLK(st.st_mode))
		return;
	f->encrypted = stands_on_crypt(
		a, arena_printf(a->scope->arena, "sys/dev/block/%u:%u", major(st.st_rdev), minor(st.st_rdev)), 0);
}

void collect_disks(struct agent *a, struct json_writer *w)
{
	jw_key(w, "disks");
	jw_array(w);
	unsigned n = 0;
	for (char **name = fs_names(a, "sys/block"); *name != NULL && n < LIMIT_INTERFACES_PER_DEVICE; name++) {
		if (!is_disk(a, *name))
			continue;
		n++;
		const char *model = fs_line(a, arena_printf(a->scope->arena, "sys/block/%s/device/model", *name));
		jw_object(w);
		jw_kstring(w, "name", *name);
		if (model != NULL)
			jw_kstring(w, "model", channel_clean(a, model));
		jw_kint(w, "sizeBytes", disk_bytes(a, *name));
		jw_end_object(w);
	}
	jw_end_array(w);
}
