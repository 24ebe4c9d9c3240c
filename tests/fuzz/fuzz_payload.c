/* SPDX-License-Identifier: Apache-2.0
 * What an item brings onto devices is refused, or is stored once and for all in one form, shows no secret to people, and reaches the device
 * as JSON whose paths stay out of what is nobody's but the person's or the system's.  Input: a line with the type's kind ("wifi"), then
 * the JSON. */
#include "place.h"

#include "fuzz.h"

#include "devices/payload.h"

static const struct payload_person PERSON = {.upn = "anna@example.org", .mail = "anna@example.org", .display_name = "Anna \"M\" Meier"};

static void path(const char *text, bool data)
{
	check(strstr(text, "/../") == NULL && strstr(text, "/./") == NULL && strstr(text, "//") == NULL);
	check(text[strlen(text) - 1] != '/' && strlen(text) > 1);
	if (data && text[0] == '~') {
		check(text[1] == '/' && text[2] == '.');
		check(strncmp(text, "~/.ssh", 6) != 0 || (text[6] != '/' && text[6] != '\0'));
		return;
	}
	check(text[0] == '/' && strncmp(text, "/home/", 6) != 0 && strncmp(text, "/root/", 6) != 0 && strncmp(text, "/etc/shadow", 11) != 0);
}

static void paths(const json_t *o)
{
	size_t i;
	json_t *v;
	if (json_is_string(json_object_get(o, "path")))
		path(json_string_value(json_object_get(o, "path")), false);
	json_array_foreach(json_object_get(o, "dataPaths"), i, v)
		path(json_string_value(v), true);
	json_array_foreach(json_object_get(o, "files"), i, v)
		path(json_string_value(json_object_get(v, "path")), false);
}

static void shown(struct scope *s, enum payload_type t, const char *stored, const char *secret)
{
	auto_buf out;
	auto_json *o = NULL;
	struct json_writer w;
	buf_init(&out, LIMIT_RESPONSE_BYTES);
	jw_init(&w, &out);
	jw_object(&w);
	check(payload_write(s, t, stored, &w) == OK);
	jw_end_object(&w);
	check(!out.failed && json_read(s, out.data, out.len, &o) == OK);
	if (secret != NULL)
		check(json_is_null(json_object_get(o, "passphrase")) && strstr(stored, secret) == NULL);
	paths(o);
}

static void delivered(struct scope *s, enum payload_type t, const char *stored, const struct payload_person *p, const char *secret)
{
	auto_buf out;
	auto_json *o = NULL;
	struct json_writer w;
	buf_init(&out, LIMIT_RESPONSE_BYTES);
	jw_init(&w, &out);
	enum err e = payload_deliver(s, t, stored, p, &w);
	check(e == OK || e == ERR_LIMIT); /* placeholders may make it too long */
	if (e != OK)
		return;
	check(!out.failed && json_read(s, out.data, out.len, &o) == OK);
	if (secret != NULL)
		check(strcmp(json_string_value(json_object_get(o, "passphrase")), secret) == 0);
	paths(o);
}

static void accepted(struct scope *s, enum payload_type t, const json_t *body, const json_t *taken)
{
	const char *stored, *again, *different;
	enum err e = payload_merge(s, t, NULL, taken, &stored);
	if (e != OK) {
		fuzz_refused(s, e);
		return;
	}
	const char *secret = t == PAYLOAD_wifi ? json_string_value(json_object_get(body, "passphrase")) : NULL;
	const char *ssid = json_string_value(json_object_get(body, "ssid"));
	if (secret != NULL && ((ssid != NULL && strstr(ssid, secret) != NULL) || strcmp(secret, "wpaPersonal") == 0))
		return; /* said in the open, too: nothing can be told from finding it */
	auto_json *nothing = json_object();
	check(payload_merge(s, t, stored, nothing, &again) == OK && strcmp(stored, again) == 0);
	check(payload_difference(s, stored, again, &different) == OK && different == NULL);
	shown(s, t, stored, secret);
	delivered(s, t, stored, &PERSON, secret);
	delivered(s, t, stored, &(struct payload_person){0}, secret);
}

static bool by_kind(const char *kind, enum payload_type *ret)
{
	for (int t = 0; t < PAYLOAD_TYPE_COUNT; t++)
		if (strcmp(payload_kind((enum payload_type)t), kind) == 0) {
			*ret = (enum payload_type)t;
			return true;
		}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	enum payload_type t;
	auto_json *body = NULL, *taken = NULL;
	const uint8_t *line = n > 0 && n <= 256 * KIB ? memchr(bytes, '\n', n) : NULL;
	if (line == NULL)
		return 0;
	struct scope *s = fuzz_scope();
	s->keeper = fuzz_keeper();
	n -= (size_t)(line + 1 - bytes);
	if (!by_kind(arena_strndup(s->arena, (const char *)bytes, (size_t)(line - bytes)), &t) ||
	    json_read(s, (const char *)line + 1, n, &body) != OK || !json_is_object(body))
		return 0;
	enum err e = payload_read(s, t, body, &taken);
	if (e == OK)
		accepted(s, t, body, taken);
	else
		fuzz_refused(s, e);
	return 0;
}
