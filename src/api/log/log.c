/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log as a transparency log (C2SP tlog-tiles).  Who may read it is the gate's matter.  Tiles never change and may be kept for ever;
 * a missing one is 404, upon which clients fall back from the partial to the full tile.
 */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "audit/audit_read.h"
#include "audit/log/files.h"
#include "base/limits.h"

enum err log_checkpoint(struct call *c);
enum err log_witnessed(struct call *c);
enum err log_key(struct call *c);
enum err log_tile(struct call *c);
enum err log_events(struct call *c);

static const char TEXT[] = "text/plain; charset=utf-8";

static void cache(struct call *c, const char *how)
{
	http_response_header(c->out, "Cache-Control", arena_printf(c->s.arena, "%s, %s", c->published ? "public" : "private", how));
}

/* A checkpoint is asked for again and again and seldom differs: its tag is the digest of its bytes (RFC 9110 section 8.8.3). */
static enum err tagged(struct call *c)
{
	uint8_t digest[SHA256_BYTES];
	char hex[2 * 16 + 1];
	sha256(c->out->body.data, c->out->body.len, digest);
	hex_encode(digest, 16, hex);
	const char *tag = arena_printf(c->s.arena, "\"%s\"", hex);
	http_response_header(c->out, "ETag", tag);
	const char *have = http_header(c->in, "If-None-Match");
	if (have != NULL && (strstr(have, tag) != NULL || strcmp(have, "*") == 0))
		return call_status(c, 304);
	return OK;
}

static enum err note(struct call *c, enum err (*make)(struct scope *s, unsigned generation, struct buf *out))
{
	buf_clear(&c->out->body);
	TRY(make(&c->s, c->generation, &c->out->body));
	c->out->content_type = TEXT;
	cache(c, "no-cache");
	return tagged(c);
}

enum err log_checkpoint(struct call *c)
{
	return note(c, audit_file_checkpoint);
}

enum err log_witnessed(struct call *c)
{
	return note(c, audit_file_witnessed);
}

enum err log_key(struct call *c)
{
	buf_clear(&c->out->body);
	TRY(audit_file_key(&c->s, c->server->host, c->generation, &c->out->body));
	c->out->content_type = TEXT;
	cache(c, "max-age=3600");
	return OK;
}

/* The tile that stands in the path: spelled so and in no other way, whatever else the router understands. */
static bool named_tile(struct call *c, const char *folder, const char *prefix, struct tile *ret)
{
	const char *path = call_param(c, "path");
	return strlen(path) < TILE_PATH_MAX && tile_parse(arena_printf(c->s.arena, "%s%s", prefix, path), ret) &&
	       strcmp(c->in->path, arena_printf(c->s.arena, "/log/%s/%s/%s", call_param(c, "log"), folder, path)) == 0;
}

enum err log_tile(struct call *c)
{
	struct tile t;
	if (!named_tile(c, "tile", "tile/", &t))
		return scope_fail(&c->s, ERR_NOT_FOUND, "this is no tile's name");
	buf_clear(&c->out->body);
	TRY(audit_file_tile(&c->s, c->generation, &t, &c->out->body));
	c->out->content_type = "application/octet-stream";
	cache(c, "max-age=31536000, immutable");
	return OK;
}

/* Content: always with a token, never kept, and recorded as reading the log. */
enum err log_events(struct call *c)
{
	struct id tenant;
	struct tile t;
	if (!audit_log_name_parse(call_param(c, "log"), &tenant, &c->generation) || !id_equal(tenant, c->s.tenant))
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such log");
	if (!named_tile(c, "events", "tile/entries/", &t) || t.width != TILE_WIDTH)
		return scope_fail(&c->s, ERR_NOT_FOUND, "this is no bundle's name");
	TRY(audit_record_read(&c->s));
	buf_release(&c->out->body);
	buf_init(&c->out->body, LIMIT_EVENTS_FILE_BYTES);
	TRY(audit_file_events(&c->s, c->generation, t.index, &c->out->body));
	c->out->content_type = "application/x-ndjson";
	return OK;
}
