/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking an export bundle from its file alone (docs/formats/export-bundle.md): no server, no database.  What is signed is the manifest; the
 * manifest names every other file with its size and SHA-256.
 */
#ifndef REEVE_PRIVACY_EXPORT_CHECK_H
#define REEVE_PRIVACY_EXPORT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/scope.h"
#include "crypto/sign.h"

#define EXPORT_FORMAT "reeve/export-bundle/v2"
#define EXPORT_SIGNED_PREFIX EXPORT_FORMAT "\n" /* what is signed is this and the bytes of manifest.json */

/* What tells a key from another at a glance: the first 8 bytes of its SHA-256, in hexadecimal. */
char *export_key_id(struct arena *a, const uint8_t key[ED25519_KEY_BYTES]);

struct export_summary {
	char operation[ID_TEXT];
	const char *organisation, *host, *subject, *cut_off, *variant, *key_id, *public_key; /* public_key: base64 */
	size_t files, sections;
	int64_t rows, omitted; /* omitted: entries of the manifest's list */
};

/* Reads the zip at path.  key: the signer's, from a place that the caller trusts; NULL: the file's own is used, which shows that the bundle is
 * whole, not who made it.  On OK the summary is filled, text in the scope's arena.
 *
 * ERR_NOT_FOUND: no such file.  ERR_BAD_REQUEST: no bundle of this format, or not a zip that can be trusted (damaged, doubled or climbing
 * names, too many or too large files).  ERR_CONFLICT: a bundle that was changed: signature, a file's size, hash or rows, a file that is
 * missing or is not listed.  Each with a detail that names the file. */
MUST_CHECK enum err export_check_file(struct scope *s, const char *path, const uint8_t *key, struct export_summary *ret);

#endif
