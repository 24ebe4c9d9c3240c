/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a log's files come from: a server (by URL, or by a data directory's socket), a directory (a mirror, or what any web server gave), or
 * an archive, which is checked against its signed manifest and unpacked into a private directory that goes when the source is closed.
 */
#ifndef REEVE_CMD_AUDIT_SOURCE_H
#define REEVE_CMD_AUDIT_SOURCE_H

#include "base/err.h"
#include "base/scope.h"
#include "cmd/client.h"
#include "tlog/logcheck.h"

enum source_kind { SOURCE_LIVE, SOURCE_DIRECTORY, SOURCE_ARCHIVE };

#define EVENTS_FOLDER "events"

enum {
	EVENTS_BYTES_MAX = TILE_WIDTH * (512 * 1024 + 256), /* of one bundle's events */
	KEY_BYTES_MAX = 1024,
};

struct audit_source {
	struct log_source log;   /* read and arg; arg is the source itself */
	enum source_kind kind;
	const char *name;        /* for messages: URL, directory or file */
	const char *origin, *vkey; /* as the source itself says */
	bool has_events;         /* a directory or archive with an events folder; unknown of a server */
	struct client *client;   /* of a server; borrowed */
	const char *prefix;      /* its path */
	int dir;                 /* of the others */
	char *temporary;         /* to be removed */
	/* of an archive */
	int64_t created, from, until;
	uint64_t first, end;     /* the indexes whose bundles are inside */
	void *user;              /* of the caller, for the callbacks that log.arg is given to */
};

void source_init(struct audit_source *ret, enum source_kind kind, const char *name);

/* Asks the server where its log is (GET auditLog).  Returns an exit code; messages are printed. */
int source_open_server(struct audit_source *ret, struct scope *s, struct client *c);
/* url: the prefix of a published log, without a slash at its end; c: client_open_public(). */
MUST_CHECK enum err source_open_url(struct audit_source *ret, struct scope *s, struct client *c, const char *url);
/* ERR_NOT_FOUND, ERR_IO, ERR_BAD_REQUEST with a detail. */
MUST_CHECK enum err source_open_directory(struct audit_source *ret, struct scope *s, const char *path);
/* The manifest's signature is checked against `vkey` (NULL: the archive's own), and each file that it names against its sum.  Errors as
 * above, and ERR_CONFLICT: it is not what was signed. */
MUST_CHECK enum err source_open_archive(struct audit_source *ret, struct scope *s, const char *file, const char *vkey);
void source_close(struct audit_source *src);

/* One file behind the prefix, into `out` (cleared before).  ERR_NOT_FOUND without a detail: there is none.  ERR_FORBIDDEN. */
MUST_CHECK enum err source_read(struct audit_source *src, struct scope *s, const char *path, struct buf *out);
/* "events/x001/067": the events of a bundle. */
void events_path(uint64_t bundle, char out[TILE_PATH_MAX]);
/* Whether a path is one that a log has: checkpoint, key, witnessed, a tile, a bundle, or events. */
bool source_path_valid(const char *path);

/* From now on SIGINT and SIGTERM make reads fail with ERR_UNAVAILABLE, so that what is temporary is removed. */
void source_catch_signals(void);

#endif
