/* SPDX-License-Identifier: Apache-2.0
 *
 * The data paths that an organisation's app declares ("/var/lib/acme", "~/.config/acme").  They go with the app, except
 * what was there before the app came: that is the person's (or another program's), whatever the organisation declares.
 *
 * Promise: below a home directory nothing but a declared data path is opened for reading; the directories on the way
 * are only passed (O_PATH).  No link is followed and no mount is crossed.
 */
#include <errno.h>
#include <string.h>

#include "fs.h"
#include "provision.h"
#include "state.h"

/* `given` is what messages may say: the name of a home directory is a person's and stays on the device. */
typedef enum err (*each_path)(struct agent *a, struct journal *j, const char *rel, const char *given);

/* A name that JSON could not carry exactly must not decide what is removed. */
static bool plain_name(const char *name)
{
	for (; *name != '\0'; name++)
		if (*name <= 0x20 || *name >= 0x7f)
			return false;
	return true;
}

/* "~/x" is x in every directory of /home and in /root. */
static enum err expand(struct agent *a, struct journal *j, const char *given, each_path fn)
{
	const char *rel;
	bool home;
	TRY(path_allow_data(a->scope, given, a->state_rel, &rel, &home));
	if (!home)
		return fn(a, j, rel, given);
	for (char **name = fs_names(a, "home"); *name != NULL; name++)
		if (plain_name(*name))
			TRY(fn(a, j, arena_printf(a->scope->arena, "home/%s/%s", *name, rel), given));
	return fn(a, j, arena_printf(a->scope->arena, "root/%s", rel), given);
}

static bool in_texts(const char *const *list, const char *text)
{
	for (; list != NULL && *list != NULL; list++)
		if (strcmp(*list, text) == 0)
			return true;
	return false;
}

static enum err note_one(struct agent *a, struct journal *j, const char *rel, const char *given)
{
	(void)given;
	struct stat st;
	if (fs_stat(a->root_fd, rel, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return OK;
	size_t n = 0; /* there, or behind a link: in either case not to be removed later */
	while (j->data_kept != NULL && j->data_kept[n] != NULL)
		n++;
	const char **more = arena_alloc(a->scope->arena, (n + 2) * sizeof *more);
	if (n > 0)
		memcpy(more, j->data_kept, n * sizeof *more);
	more[n] = rel;
	j->data_kept = more;
	return OK;
}

/* Only paths that the record does not know yet: what is at a known one may be the app's own by now. */
enum err data_note_kept(struct agent *a, struct journal *j, const char *const *data)
{
	for (; data != NULL && *data != NULL; data++)
		if (!in_texts((const char *const *)j->data, *data))
			TRY(expand(a, j, *data, note_one));
	return OK;
}

/* Another app that is still here declares it too, or something around or inside it. */
static bool shared(struct journal *const *all, const struct journal *j, const char *given)
{
	for (; *all != NULL; all++) {
		if (strcmp((*all)->id, j->id) == 0 || (*all)->state == ITEM_REMOVED || (*all)->state == ITEM_REMOVING)
			continue;
		for (const char **d = (*all)->data; *d != NULL; d++)
			if (path_is_below(*d, given) || path_is_below(given, *d))
				return true;
	}
	return false;
}

static bool keeps(const struct journal *j, const char *rel)
{
	for (const char *const *k = (const char *const *)j->data_kept; k != NULL && *k != NULL; k++)
		if (path_is_below(*k, rel) || path_is_below(rel, *k))
			return true;
	return false;
}

static enum err remove_one(struct agent *a, struct journal *j, const char *rel, const char *given)
{
	if (keeps(j, rel)) {
		journal_remark(a, j, "%s was there before the app and was left", given);
		return OK;
	}
	if (fs_remove_tree(a->root_fd, rel) == 0)
		return OK;
	if (errno == ELOOP) { /* what a link leads to may be anything of the person's */
		journal_remark(a, j, "%s is behind a link and was left", given);
		return OK;
	}
	return scope_fail(a->scope, ERR_IO, "cannot remove the app's data %s: %s", given, strerror(errno));
}

enum err data_take_back(struct agent *a, struct journal *j)
{
	struct journal **all;
	TRY(journal_all(a, &all));
	for (const char **d = j->data; d != NULL && *d != NULL; d++) {
		if (shared(all, j, *d)) {
			journal_remark(a, j, "%s belongs to another app too and was left", *d);
			continue;
		}
		TRY(expand(a, j, *d, remove_one));
	}
	return OK;
}
