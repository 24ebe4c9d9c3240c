/* SPDX-License-Identifier: Apache-2.0
 * Attempts: from the redirect to the answer.  What was used is remembered in memory until it would be too late anyway; an attempt of an earlier run of
 * the server is refused, so that this holds across a restart. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/sign_in/oidc.h"
#include "api/sign_in/oidc_inner.h"
#include "codec/base64.h"
#include "codec/cookie.h"
#include "crypto/digest.h"

#define COOKIE "__Host-reeve-oidc"
#define FLAGS "; Path=/; Secure; HttpOnly; SameSite=Lax"

enum { COOKIE_MAX = 3800, USED_MAX = 16384, USED_HASH = 16 };

char *oidc_address(struct call *c, struct id tenant, struct id provider, const char *suffix)
{
	char t[ID_TEXT], p[ID_TEXT];
	return arena_printf(c->s.arena, "%s/signin/%s/oidc/%s%s", c->server->url, id_format(tenant, t), id_format(provider, p), suffix);
}

/* ---- used ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct used {
	int64_t until;
	uint8_t hash[USED_HASH];
} used_states[USED_MAX], used_tokens[USED_MAX]; /* apart: no provider that sends many logout tokens keeps people out */

bool attempt_use(const char *kind, const char *text, int64_t until, int64_t now)
{
	uint8_t hash[SHA256_BYTES];
	struct digest_part parts[] = {{kind, strlen(kind) + 1}, {text, strlen(text)}};
	struct used *used = strcmp(kind, "state") == 0 ? used_states : used_tokens;
	size_t room = USED_MAX;
	bool fresh = true;
	sha256_parts(parts, 2, hash);
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < USED_MAX; i++) {
		if (used[i].until < now)
			room = i;
		else if (memcmp(used[i].hash, hash, USED_HASH) == 0)
			fresh = false;
	}
	fresh = fresh && room < USED_MAX;
	if (fresh) {
		used[room].until = until;
		memcpy(used[room].hash, hash, USED_HASH);
	}
	pthread_mutex_unlock(&lock);
	return fresh;
}

static char run[ATTEMPT_RANDOM_TEXT];
static pthread_once_t run_once = PTHREAD_ONCE_INIT;

static void make_text(char ret[ATTEMPT_RANDOM_TEXT])
{
	uint8_t bytes[32];
	struct arena *a = arena_new(4096);
	random_bytes(bytes, sizeof bytes);
	memcpy(ret, base64url_encode(a, bytes, sizeof bytes), ATTEMPT_RANDOM_TEXT);
	arena_free(a);
}

static void make_run(void)
{
	make_text(run);
}

/* ---- cookies ---- */

void sealed_cookie_set(struct call *c, const char *name, const json_t *object, const char *flags)
{
	size_t n;
	json_t *named = json_pack("[s, O]", name, object);
	char *text = json_dumps(named, JSON_COMPACT);
	check(text != NULL);
	const void *sealed = keeper_seal(c->server->keeper, c->s.arena, text, strlen(text), &n);
	const char *value = base64url_encode(c->s.arena, sealed, n);
	if (strlen(value) <= COOKIE_MAX)
		http_response_header(c->out, "Set-Cookie", arena_printf(c->s.arena, "%s=%s" FLAGS "%s", name, value, flags));
	free(text);
	json_decref(named);
}

void sealed_cookie_clear(struct call *c, const char *name)
{
	http_response_header(c->out, "Set-Cookie", arena_printf(c->s.arena, "%s=" FLAGS "; Max-Age=0", name));
}

json_t *sealed_cookie_get(struct call *c, const char *name)
{
	const char *text = cookie_find(c->s.arena, http_header(c->in, "Cookie"), name);
	void *sealed;
	size_t n, len;
	if (text == NULL || !base64url_decode(c->s.arena, text, strlen(text), &sealed, &n))
		return NULL;
	const char *plain = keeper_unseal(c->server->keeper, c->s.arena, sealed, n, &len);
	auto_json *named = plain == NULL ? NULL : json_loadb(plain, len, 0, NULL);
	const char *whose = json_string_value(json_array_get(named, 0));
	if (whose == NULL || strcmp(whose, name) != 0) /* whatever else the keeper seals is none */
		return NULL;
	return json_incref(json_array_get(named, 1));
}

/* ---- attempts ---- */

const char *attempt_challenge(struct arena *a, const struct attempt *t)
{
	uint8_t digest[SHA256_BYTES];
	sha256(t->verifier, strlen(t->verifier), digest);
	return base64url_encode(a, digest, sizeof digest);
}

void attempt_begin(struct call *c, struct attempt *ret)
{
	char tenant[ID_TEXT], provider[ID_TEXT];
	pthread_once(&run_once, make_run);
	ret->until = c->s.now + ATTEMPT_US;
	make_text(ret->state);
	make_text(ret->nonce);
	make_text(ret->verifier);
	auto_json *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s}", "run", run, "tenant", id_format(ret->tenant, tenant), "provider",
				 id_format(ret->provider, provider), "state", ret->state, "nonce", ret->nonce, "verifier", ret->verifier, "until",
				 (json_int_t)ret->until, "maxAge", (json_int_t)ret->max_age, "next", ret->next);
	sealed_cookie_set(c, COOKIE, o, "; Max-Age=600");
}

static bool read_text(const json_t *o, const char *name, char ret[ATTEMPT_RANDOM_TEXT])
{
	const char *text = json_string_value(json_object_get(o, name));
	if (text == NULL || strlen(text) != ATTEMPT_RANDOM_TEXT - 1)
		return false;
	memcpy(ret, text, ATTEMPT_RANDOM_TEXT);
	return true;
}

static bool read_id(const json_t *o, const char *name, struct id *ret)
{
	const char *text = json_string_value(json_object_get(o, name));
	return text != NULL && id_parse(text, ret);
}

static bool read_attempt(struct arena *a, const json_t *o, struct attempt *ret)
{
	const char *when = json_string_value(json_object_get(o, "run")), *next = json_string_value(json_object_get(o, "next"));
	ret->next = arena_strdup(a, next != NULL ? next : "");
	ret->until = json_integer_value(json_object_get(o, "until"));
	ret->max_age = json_integer_value(json_object_get(o, "maxAge"));
	pthread_once(&run_once, make_run);
	return when != NULL && strcmp(when, run) == 0 && read_id(o, "tenant", &ret->tenant) && read_id(o, "provider", &ret->provider) &&
	       read_text(o, "state", ret->state) && read_text(o, "nonce", ret->nonce) && read_text(o, "verifier", ret->verifier);
}

const char *attempt_end(struct call *c, struct id tenant, struct id provider, const char *state, struct attempt *ret)
{
	auto_json *o = sealed_cookie_get(c, COOKIE);
	sealed_cookie_clear(c, COOKIE);
	if (o == NULL || !read_attempt(c->s.arena, o, ret))
		return "no sign-in is under way in this browser";
	if (!id_equal(ret->tenant, tenant) || !id_equal(ret->provider, provider))
		return "the answer belongs to another provider's sign-in";
	if (strlen(state) != ATTEMPT_RANDOM_TEXT - 1 || !bytes_equal(state, ret->state, ATTEMPT_RANDOM_TEXT))
		return "the state is not the one of this browser's sign-in";
	if (ret->until < c->s.now)
		return "the sign-in took longer than ten minutes";
	if (!attempt_use("state", ret->state, ret->until, c->s.now))
		return "the state was used before";
	return NULL;
}
