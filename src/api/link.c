/* SPDX-License-Identifier: Apache-2.0
 *
 * The link's text is base64url of: kind (1 byte), tenant (16), object (16), time (8, big-endian microseconds), and HMAC-SHA256 of all that under
 * the keeper's key.  Whoever holds it gets the file and nothing else, so it stands in no log line and in no event.
 */
#include "api/link.h"

#include <string.h>

#include "codec/base64.h"
#include "crypto/digest.h"

enum { BODY_BYTES = 1 + 16 + 16 + 8, LINK_BYTES = BODY_BYTES + SHA256_BYTES };

#define LABEL "download-link"

char *link_issue(struct call *c, const struct link *l)
{
	uint8_t b[LINK_BYTES];
	b[0] = (uint8_t)l->kind;
	memcpy(b + 1, l->tenant.b, 16);
	memcpy(b + 17, l->object.b, 16);
	for (int i = 0; i < 8; i++)
		b[33 + i] = (uint8_t)((uint64_t)l->expires_us >> (56 - 8 * i));
	keeper_reference(c->server->keeper, LABEL, b, BODY_BYTES, b + BODY_BYTES);
	return arena_printf(c->s.arena, "%s/downloads/%s", c->server->url, base64url_encode(c->s.arena, b, sizeof b));
}

enum err link_open(struct call *c, const char *text, struct link *ret)
{
	void *bytes;
	size_t n;
	uint8_t mac[SHA256_BYTES];
	if (!base64url_decode(c->s.arena, text, strlen(text), &bytes, &n) || n != LINK_BYTES)
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such download");
	const uint8_t *b = bytes;
	keeper_reference(c->server->keeper, LABEL, b, BODY_BYTES, mac);
	if (!bytes_equal(mac, b + BODY_BYTES, sizeof mac))
		return scope_fail(&c->s, ERR_NOT_FOUND, "there is no such download");
	*ret = (struct link){.kind = (enum link_kind)b[0]};
	memcpy(ret->tenant.b, b + 1, 16);
	memcpy(ret->object.b, b + 17, 16);
	for (int i = 0; i < 8; i++)
		ret->expires_us = (int64_t)((uint64_t)ret->expires_us << 8 | b[33 + i]);
	if (ret->expires_us <= c->s.now)
		return scope_fail(&c->s, ERR_GONE, "the link has expired");
	return OK;
}
