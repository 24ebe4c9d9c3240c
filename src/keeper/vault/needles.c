/* SPDX-License-Identifier: Apache-2.0
 * What a byte scan will look for after a deletion, sealed, one file for each duty.  The needles are the identifiers
 * that were to be erased: their file is overwritten before its name goes.  On a file system that writes elsewhere (copy
 * on write, flash) old blocks may keep the sealed bytes; they are of no use without the keeper's key. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/newfile.h"
#include "crypto/seal.h"
#include "keeper/vault/vault.h"
#include "keeper/vault/sealing.h"

#define NEEDLES_MAX (1 * MIB)
enum { NAME = 8 + ID_TEXT };

static const char *file_name(struct id duty, char out[NAME])
{
	char text[ID_TEXT];
	snprintf(out, NAME, "needles-%s", id_format(duty, text));
	return out;
}

enum err vault_needles_put(struct vault *k, struct scope *s, struct id duty, const void *p, size_t n)
{
	char name[NAME];
	uint8_t key[SEAL_KEY_BYTES];
	size_t sealed_n;
	if (n > NEEDLES_MAX)
		return scope_fail(s, ERR_LIMIT, "the needles of one duty have at most %u bytes", NEEDLES_MAX);
	sealing_key(k, "reeve/needles/v1", duty, key);
	void *sealed = seal(s->arena, key, p, n, &sealed_n);
	wipe(key, sizeof key);
	enum err e = newfile_put(k->dir, file_name(duty, name), sealed, sealed_n);
	return e == OK ? OK : scope_fail(s, e, "the needles of a duty could not be written");
}

enum err vault_needles_get(struct vault *k, struct scope *s, struct id duty, void **ret, size_t *ret_n)
{
	char name[NAME], *sealed, *detail = NULL;
	uint8_t key[SEAL_KEY_BYTES];
	size_t n;
	if (faccessat(k->dir, file_name(duty, name), F_OK, 0) != 0 && errno == ENOENT)
		return scope_fail(s, ERR_NOT_FOUND, "no needles are kept for this duty");
	enum err e = vault_file_read(k->dir, name, NEEDLES_MAX + SEAL_OVERHEAD, &sealed, &n, &detail);
	if (e != OK) {
		e = scope_fail(s, e, "%s", detail != NULL ? detail : "the needles of a duty cannot be read");
		free(detail);
		return e;
	}
	sealing_key(k, "reeve/needles/v1", duty, key);
	*ret = unseal(s->arena, key, sealed, n, ret_n);
	wipe(key, sizeof key);
	free(sealed);
	return *ret != NULL ? OK : scope_fail(s, ERR_IO, "the needles of a duty are damaged");
}

enum err vault_needles_drop(struct vault *k, struct scope *s, struct id duty)
{
	char name[NAME]; /* one that is not there was dropped before: a resumed duty drops again */
	enum err e = vault_file_destroy(k->dir, file_name(duty, name), false);
	return e == OK ? OK : scope_fail(s, e, "the needles of a duty could not be destroyed");
}
