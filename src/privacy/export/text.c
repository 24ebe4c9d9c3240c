/* SPDX-License-Identifier: Apache-2.0
 *
 * What programs read about the bundle: manifest.json and its signature, and a JSON Schema for each section, all from the data map.  Nothing
 * here is written by hand for a table.  docs/formats/export-bundle.md.
 */
#include <string.h>

#include "codec/base64.h"
#include "keeper/keeper.h"
#include "privacy/export/check.h"
#include "privacy/export/internal.h"

static void raw(struct json_writer *w, const char *json) { jw_raw(w, json, strlen(json)); }

/* ---- manifest.json ---- */

static void write_subject(struct json_writer *w, const struct bundle *b)
{
	jw_key(w, "subject");
	jw_object(w);
	jw_kid(w, "id", b->user);
	jw_kstring(w, "userPrincipalName", b->upn);
	jw_kstring(w, "displayName", b->display_name);
	jw_end_object(w);
}

static void write_files(struct json_writer *w, const struct bundle_file *f, size_t n)
{
	jw_key(w, "files");
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		jw_kstring(w, "name", f[i].name);
		if (f[i].rows >= 0)
			jw_kint(w, "rows", f[i].rows);
		jw_kint(w, "bytes", f[i].bytes);
		jw_key(w, "sha256");
		jw_hex(w, f[i].sha256, sizeof f[i].sha256);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_recipients(struct json_writer *w, const struct bundle *b, const struct section *sec)
{
	jw_key(w, "recipients");
	jw_array(w);
	if (*sec->table->recipients != '\0')
		jw_string(w, sec->table->recipients);
	for (size_t i = 0; i < b->sinks_n && sec->table->link == MAP_LINK_AUDIT; i++)
		jw_string(w, arena_printf(b->s->arena, "%s (%s)", b->sinks[i].name, b->sinks[i].kind));
	jw_end_array(w);
}

/* Where a section's values come from: the distinct origins of what is in it. */
static void write_provenance(struct json_writer *w, const struct section *sec)
{
	bool seen[MAP_ORIGIN_DERIVED + 1] = {false};
	jw_key(w, "provenance");
	jw_array(w);
	for (size_t i = 0; i < sec->n; i++)
		seen[sec->column[i].column->origin] = true;
	seen[MAP_ORIGIN_OBSERVED] = seen[MAP_ORIGIN_OBSERVED] || sec->table->link == MAP_LINK_AUDIT;
	for (int i = 0; i <= MAP_ORIGIN_DERIVED; i++)
		if (seen[i])
			jw_string(w, map_origin_name((enum map_origin)i));
	jw_end_array(w);
}

static void write_section(struct json_writer *w, const struct bundle *b, const struct section *sec)
{
	jw_object(w);
	jw_kstring(w, "section", sec->name);
	jw_kstring(w, "table", sec->table->name);
	jw_kstring(w, "role", map_role_name(sec->path->role));
	jw_kstring(w, "purpose", sec->table->purpose);
	jw_kstring(w, "basis", map_basis_text(sec->table->basis));
	write_recipients(w, b, sec);
	jw_kstring(w, "retention", map_retention_text(sec->table->retention));
	write_provenance(w, sec);
	jw_kbool(w, "included", sec->left_out == NOT_LEFT_OUT);
	if (sec->left_out == NOT_LEFT_OUT) {
		jw_kint(w, "rows", sec->rows);
		jw_kint(w, "redactedValues", sec->redacted);
		jw_kint(w, "withheldItems", sec->withheld);
	}
	jw_end_object(w);
}

static void write_omission(struct json_writer *w, const char *kind, const struct section *sec, const char *property, const char *verdict,
			   const char *reason, const char *ground, bool by_officer, int64_t count)
{
	jw_object(w);
	jw_kstring(w, "kind", kind);
	jw_kstring(w, "section", sec->name);
	jw_kstring(w, "property", property);
	jw_kstring(w, "disclosure", verdict);
	jw_kstring(w, "reason", reason);
	jw_kstring(w, "text", omission_text(reason));
	jw_kstring(w, "ground", ground);
	jw_kbool(w, "decided", by_officer);
	if (count >= 0)
		jw_kint(w, "count", count);
	else
		jw_kstring(w, "count", NULL); /* nobody looked */
	jw_end_object(w);
}

static void write_omitted(struct json_writer *w, const struct bundle *b)
{
	jw_key(w, "omitted");
	jw_array(w);
	for (size_t i = 0; i < b->n; i++)
		if (b->section[i].left_out == LEFT_NOT_ASKED || b->section[i].left_out == LEFT_NOT_PORTABLE)
			write_omission(w, "section", &b->section[i], NULL, "withheld", left_out_reason(&b->section[i]), NULL, false, -1);
	for (size_t i = 0; i < b->omissions; i++) {
		const struct omission *o = &b->omission[i];
		bool whole = o->property == NULL && o->section->left_out == LEFT_WITHHELD;
		write_omission(w, whole ? "section" : o->property == NULL ? "record" : "property", o->section, o->property,
			       o->verdict == REDACT ? "redacted" : "withheld", o->reason, o->ground, o->by_officer, whole ? -1 : o->count);
	}
	jw_end_array(w);
}

static void write_made_by(struct json_writer *w, const struct bundle *b)
{
	uint8_t key[ED25519_KEY_BYTES];
	keeper_public_key(b->s->keeper, key);
	jw_key(w, "issuer");
	jw_object(w);
	jw_kstring(w, "organisation", b->organisation);
	jw_kid(w, "tenantId", b->s->tenant);
	jw_kstring(w, "host", b->host);
	jw_kstring(w, "software", "reeve " REEVE_VERSION);
	jw_key(w, "publicKey");
	jw_base64(w, key, sizeof key);
	jw_end_object(w);
}

enum err bundle_manifest(const struct bundle *b, const struct bundle_file *files, size_t n, struct buf *out)
{
	struct json_writer w;
	jw_init(&w, out);
	jw_object(&w);
	jw_kstring(&w, "format", EXPORT_FORMAT);
	jw_kid(&w, "operationId", b->operation);
	jw_kid(&w, "requestId", b->request);
	jw_kstring(&w, "regime", b->regime);
	jw_kstring(&w, "variant", b->variant);
	write_made_by(&w, b);
	write_subject(&w, b);
	jw_ktime(&w, "cutOffDateTime", b->s->now);
	jw_key(&w, "mapVersion");
	jw_hex(&w, b->map, sizeof b->map);
	write_files(&w, files, n);
	jw_key(&w, "sections");
	jw_array(&w);
	for (size_t i = 0; i < b->n; i++)
		write_section(&w, b, &b->section[i]);
	jw_end_array(&w);
	write_omitted(&w, b);
	jw_kstring(&w, "notListed", DISCLOSURE_QUIET_TEXT);
	jw_kstring(&w, "auditCheckpoint", b->checkpoint);
	jw_end_object(&w);
	return out->failed ? ERR_LIMIT : OK;
}

void bundle_signature(const struct bundle *b, const struct buf *manifest, struct buf *out)
{
	struct json_writer w;
	auto_buf signed_text;
	uint8_t signature[ED25519_SIGNATURE_BYTES], key[ED25519_KEY_BYTES];
	buf_init(&signed_text, manifest->max + sizeof EXPORT_SIGNED_PREFIX);
	buf_adds(&signed_text, EXPORT_SIGNED_PREFIX);
	buf_add(&signed_text, manifest->data, manifest->len);
	check(!signed_text.failed);
	keeper_sign(b->s->keeper, signed_text.data, signed_text.len, signature);
	keeper_public_key(b->s->keeper, key);
	jw_init(&w, out);
	jw_object(&w);
	jw_kstring(&w, "format", EXPORT_FORMAT);
	jw_kstring(&w, "algorithm", "Ed25519");
	jw_kstring(&w, "keyId", export_key_id(b->s->arena, key));
	jw_key(&w, "publicKey");
	jw_base64(&w, key, sizeof key);
	jw_key(&w, "signature");
	jw_base64(&w, signature, sizeof signature);
	jw_end_object(&w);
}

void bundle_withheld_head(const struct bundle *b, struct buf *out)
{
	struct json_writer w;
	jw_init(&w, out);
	jw_object(&w);
	jw_kstring(&w, "appeal",
		   "Whoever does not agree with what is withheld may ask the organisation to look at it again, complain to the data protection "
		   "authority, and go to court (GDPR Art. 12(4), 77 and 79).");
	jw_kstring(&w, "notListed", DISCLOSURE_QUIET_TEXT);
	jw_key(&w, "items");
	buf_addc(out, '['); /* items and the end follow */
}

/* ---- schemas ---- */

static void schema_type(struct json_writer *w, enum map_type type)
{
	static const char *const plain[] = {
		[MAP_TYPE_ID] = "{\"type\":\"string\",\"format\":\"uuid\"}",
		[MAP_TYPE_TIME] = "{\"type\":\"string\",\"format\":\"date-time\"}",
		[MAP_TYPE_BLOB] = "{\"type\":\"string\",\"pattern\":\"^([0-9a-f]{2})*$\"}",
		[MAP_TYPE_TEXT] = "{\"type\":\"string\"}",
		[MAP_TYPE_INT] = "{\"type\":\"integer\"}",
		[MAP_TYPE_BOOL] = "{\"type\":\"boolean\"}",
		[MAP_TYPE_JSON] = "true",
		[MAP_TYPE_SEALED] = "{\"type\":\"string\"}",
	};
	raw(w, plain[type]);
}

/* The value, nothing, or a text in its place. */
static void schema_property(struct json_writer *w, const struct bundle *b, const struct held_column *c)
{
	jw_key(w, c->name);
	jw_object(w);
	jw_kstring(w, "$comment", arena_printf(b->s->arena, "%s; %s", c->column->category, map_origin_name(c->column->origin)));
	jw_key(w, "anyOf");
	jw_array(w);
	schema_type(w, c->column->type);
	raw(w, "{\"type\":\"null\"}");
	raw(w, "{\"$ref\":\"#/$defs/redacted\"}");
	jw_end_array(w);
	jw_end_object(w);
}

static void schema_event(struct json_writer *w)
{
	static const char members[] =
		"\"id\":{\"type\":\"string\"},\"activityDateTime\":{\"type\":\"string\",\"format\":\"date-time\"},"
		"\"displayName\":{\"type\":[\"string\",\"null\"]},\"activityType\":{\"type\":\"string\"},"
		"\"activityResult\":{\"type\":\"string\"},\"category\":{\"type\":\"string\"},\"actor\":{\"type\":\"object\"},"
		"\"resources\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}},"
		"\"expiresDateTime\":{\"type\":[\"string\",\"null\"]}";
	if (w->comma)
		buf_addc(w->out, ',');
	buf_adds(w->out, members);
	w->comma = true;
}

void bundle_schema(const struct bundle *b, const struct section *sec, struct buf *out)
{
	struct json_writer w;
	bool events = sec->table->link == MAP_LINK_AUDIT;
	jw_init(&w, out);
	jw_object(&w);
	jw_kstring(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	jw_kstring(&w, "title", sec->name);
	jw_kstring(&w, "description", sec->table->purpose);
	jw_kstring(&w, "type", "array");
	jw_key(&w, "items");
	jw_object(&w);
	jw_kstring(&w, "type", "object");
	jw_key(&w, "properties");
	jw_object(&w);
	jw_key(&w, "_record");
	raw(&w, "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{32}$\"}");
	if (events)
		schema_event(&w);
	for (size_t i = 0; i < sec->n; i++)
		schema_property(&w, b, &sec->column[i]);
	jw_end_object(&w);
	jw_key(&w, "required");
	raw(&w, "[\"_record\"]");
	jw_kbool(&w, "additionalProperties", events);
	jw_end_object(&w);
	jw_key(&w, "$defs");
	raw(&w, "{\"redacted\":{\"type\":\"string\",\"pattern\":\"^(\\\\[redacted: |\\\\*\\\\*\\\\*)\"}}");
	jw_end_object(&w);
}
