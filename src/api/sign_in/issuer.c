/* SPDX-License-Identifier: Apache-2.0
 * Issuers: what is held of each, and when it is asked again.  One lock over all places, never held during a call; a place that is being asked says
 * so, and whoever needs the answer waits for it. */
#include "api/sign_in/issuer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "api/sign_in/issuer_inner.h"
#include "codec/json.h"

struct place {
	char *issuer;
	json_t *document, *keys;          /* NULL: never fetched, or both dropped */
	int64_t fetched_at, renewed_at;   /* both; the last call for an unknown kid */
	int64_t failed_at, used_at;       /* failed_at 0: the last call went well */
	char *failure;
	unsigned users;                   /* requests that look at the place now */
	unsigned waiting;
	bool asking;
};

struct issuers {
	const struct reach *reach;
	const char *ca_file;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	struct place *place[ISSUERS_MAX];
	unsigned busy; /* requests that ask or wait now */
	struct issuer_counts counts;
};

struct issuers *issuers_new(const struct reach *reach, const char *ca_file)
{
	struct issuers *is = calloc(1, sizeof *is);
	check(is != NULL);
	is->reach = reach;
	is->ca_file = ca_file;
	pthread_mutex_init(&is->lock, NULL);
	pthread_cond_init(&is->answered, NULL);
	return is;
}

static void place_free(struct place *p)
{
	if (p == NULL)
		return;
	json_decref(p->document);
	json_decref(p->keys);
	free(p->issuer);
	free(p->failure);
	free(p);
}

void issuers_free(struct issuers *is)
{
	if (is == NULL)
		return;
	for (size_t i = 0; i < ISSUERS_MAX; i++)
		place_free(is->place[i]);
	pthread_cond_destroy(&is->answered);
	pthread_mutex_destroy(&is->lock);
	free(is);
}

void issuers_counts(struct issuers *is, struct issuer_counts *ret)
{
	*ret = (struct issuer_counts){0};
	if (is == NULL)
		return;
	pthread_mutex_lock(&is->lock);
	*ret = is->counts;
	pthread_mutex_unlock(&is->lock);
}

/* ---- places (locked) ---- */

static struct place *place_new(const char *issuer)
{
	struct place *p = calloc(1, sizeof *p);
	check(p != NULL && (p->issuer = strdup(issuer)) != NULL);
	return p;
}

/* NULL: all are in use. */
static struct place *find_place(struct issuers *is, const char *issuer)
{
	struct place **room = NULL;
	for (size_t i = 0; i < ISSUERS_MAX; i++) {
		struct place **at = &is->place[i];
		if (*at != NULL && strcmp((*at)->issuer, issuer) == 0)
			return *at;
		bool better = room == NULL || (*room != NULL && (*at == NULL || (*at)->used_at < (*room)->used_at));
		if (better && (*at == NULL || (*at)->users == 0))
			room = at;
	}
	if (room == NULL)
		return NULL;
	is->counts.held += *room == NULL;
	place_free(*room);
	return *room = place_new(issuer);
}

/* An interval that has not passed; a clock that was set back ends it. */
static bool within(int64_t since, int64_t now, int64_t interval)
{
	return since != 0 && now >= since - MINUTE_US && now - since < interval;
}

static bool usable(const struct place *p, int64_t now)
{
	return p->keys != NULL && within(p->fetched_at, now, ISSUER_STALE_US);
}

/* ---- one call ---- */

struct fetched {
	json_t *document, *keys;
	enum err err;
};

static enum err get(struct scope *s, const struct issuers *is, const char *url, json_t **ret)
{
	long status = 0;
	struct issuer_call c = {.reach = is->reach, .ca_file = is->ca_file, .url = url};
	TRY(issuer_call(s, &c, &status, ret));
	if (status == 200)
		return OK;
	json_decref(*ret);
	*ret = NULL;
	return scope_fail(s, ERR_UNAVAILABLE, "the identity provider answered with status %ld", status);
}

static enum err get_document(struct scope *s, const struct issuers *is, const char *issuer, json_t **ret)
{
	size_t n = strlen(issuer);
	n -= n > 0 && issuer[n - 1] == '/';
	TRY(get(s, is, arena_printf(s->arena, "%.*s/.well-known/openid-configuration", (int)n, issuer), ret));
	const char *found = jose_text(*ret, "issuer");
	if (found == NULL || !issuer_is(issuer, found))
		return scope_fail(s, ERR_UNAVAILABLE, "the identity provider's discovery document names another issuer");
	if (jose_text(*ret, "jwks_uri") == NULL)
		return scope_fail(s, ERR_UNAVAILABLE, "the identity provider's discovery document has no jwks_uri");
	return OK;
}

static enum err get_keys(struct scope *s, const struct issuers *is, const json_t *document, json_t **ret)
{
	TRY(get(s, is, jose_text(document, "jwks_uri"), ret));
	if (!json_is_array(json_object_get(*ret, "keys")))
		return scope_fail(s, ERR_UNAVAILABLE, "the identity provider's jwks_uri has no key set");
	return OK;
}

/* f->document: kept where the caller gives it. */
static void fetch(struct scope *s, const struct issuers *is, const char *issuer, struct fetched *f)
{
	f->err = f->document == NULL ? get_document(s, is, issuer, &f->document) : OK;
	if (f->err == OK)
		f->err = get_keys(s, is, f->document, &f->keys);
}

static void keep(struct issuers *is, struct place *p, struct fetched *f, const char *detail, int64_t now)
{
	is->counts.fetches++;
	is->counts.failures += f->err != OK;
	free(p->failure);
	p->failure = f->err != OK && detail != NULL ? strdup(detail) : NULL;
	p->failed_at = f->err != OK ? now : 0;
	if (f->err != OK) {
		json_decref(f->document);
		json_decref(f->keys);
		return;
	}
	json_decref(p->document);
	json_decref(p->keys);
	p->document = f->document;
	p->keys = f->keys;
	p->fetched_at = now;
}

/* Asks the issuer, unlocked.  keys_only: the document that is held names the address. */
static void ask(struct scope *s, struct issuers *is, struct place *p, bool keys_only)
{
	struct fetched f = {.document = keys_only ? json_incref(p->document) : NULL};
	p->asking = true;
	is->busy++;
	pthread_mutex_unlock(&is->lock);
	fetch(s, is, p->issuer, &f);
	pthread_mutex_lock(&is->lock);
	keep(is, p, &f, s->detail, s->now);
	s->detail = NULL;
	p->asking = false;
	is->busy--;
	pthread_cond_broadcast(&is->answered);
}

static void wait_for_answer(struct issuers *is, struct place *p)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += 2 * ISSUER_TIMEOUT_MS / 1000 + 1;
	p->waiting++;
	is->busy++;
	while (p->asking && pthread_cond_clockwait(&is->answered, &is->lock, CLOCK_MONOTONIC, &until) == 0)
		;
	p->waiting--;
	is->busy--;
}

static enum err not_now(struct scope *s, const struct place *p)
{
	return scope_fail(s, ERR_UNAVAILABLE, "%s", p->failure != NULL ? p->failure : "the identity provider cannot be reached now");
}

/* Makes the place one that can be used. */
static enum err ready(struct scope *s, struct issuers *is, struct place *p)
{
	bool held = usable(p, s->now);
	if (held && within(p->fetched_at, s->now, ISSUER_FRESH_US))
		return OK;
	bool room = is->busy < ISSUERS_BUSY;
	if (room && p->asking && !held && p->waiting < ISSUER_WAITERS)
		wait_for_answer(is, p);
	else if (room && !p->asking && !within(p->failed_at, s->now, ISSUER_RETRY_US))
		ask(s, is, p, false);
	return usable(p, s->now) ? OK : not_now(s, p);
}

/* Another look for a kid that the set does not have, unless there was one within the minute. */
static void renew(struct scope *s, struct issuers *is, struct place *p)
{
	if (is->busy >= ISSUERS_BUSY)
		return;
	if (p->asking && p->waiting < ISSUER_WAITERS) {
		wait_for_answer(is, p);
	} else if (!p->asking && !within(p->renewed_at, s->now, ISSUER_REFETCH_US)) {
		p->renewed_at = s->now;
		ask(s, is, p, true);
	}
}

/* What is held of the issuer, both the caller's.  again: it was not enough. */
static enum err take(struct scope *s, struct issuers *is, const char *issuer, bool again, json_t **document, json_t **keys)
{
	pthread_mutex_lock(&is->lock);
	struct place *p = find_place(is, issuer);
	if (p == NULL) {
		pthread_mutex_unlock(&is->lock);
		return scope_fail(s, ERR_UNAVAILABLE, "too many identity providers are being asked");
	}
	p->used_at = s->now;
	p->users++;
	enum err e = ready(s, is, p);
	if (e == OK && again)
		renew(s, is, p);
	if (e == OK) {
		*document = json_incref(p->document);
		*keys = json_incref(p->keys);
	}
	p->users--;
	pthread_mutex_unlock(&is->lock);
	return e;
}

/* ---- the document ---- */

static const char *words_of(struct arena *a, const json_t *list)
{
	const char *all = NULL;
	for (size_t i = 0; i < json_array_size(list) && i < 32; i++) {
		const char *word = json_string_value(json_array_get(list, i));
		if (word != NULL)
			all = all != NULL ? arena_printf(a, "%s %s", all, word) : arena_strdup(a, word);
	}
	return all;
}

static bool lists(const json_t *list, const char *word)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (text != NULL && strcmp(text, word) == 0)
			return true;
	}
	return false;
}

enum err issuer_document(struct scope *s, struct issuers *is, const char *issuer, struct issuer_document *ret)
{
	auto_json *d = NULL, *keys = NULL;
	TRY(take(s, is, issuer, false, &d, &keys));
	const json_t *pkce = json_object_get(d, "code_challenge_methods_supported");
	const char *methods = words_of(s->arena, json_object_get(d, "token_endpoint_auth_methods_supported"));
	*ret = (struct issuer_document){
		.issuer = arena_strdup(s->arena, jose_text(d, "issuer")),
		.authorization_endpoint = arena_strdup(s->arena, jose_text(d, "authorization_endpoint")),
		.token_endpoint = arena_strdup(s->arena, jose_text(d, "token_endpoint")),
		.jwks_uri = arena_strdup(s->arena, jose_text(d, "jwks_uri")),
		.end_session_endpoint = arena_strdup(s->arena, jose_text(d, "end_session_endpoint")),
		.userinfo_endpoint = arena_strdup(s->arena, jose_text(d, "userinfo_endpoint")),
		.iss_parameter = json_is_true(json_object_get(d, "authorization_response_iss_parameter_supported")),
		.backchannel_logout = json_is_true(json_object_get(d, "backchannel_logout_supported")),
		.pkce_s256 = pkce == NULL || lists(pkce, "S256"),
		.auth_methods = methods != NULL ? methods : "client_secret_basic",
	};
	return OK;
}

/* ---- tokens ---- */

/* The keys that decide, asked for again where the first look does not have the token's. */
static enum err check_signature(struct scope *s, struct issuers *is, const struct issuer_expected *x, const struct jose_token *t,
				json_t **ret_document)
{
	enum jose_verdict v = JOSE_UNKNOWN_KEY;
	for (int again = 0; again < 2 && v == JOSE_UNKNOWN_KEY; again++) {
		auto_json *keys = NULL;
		json_release(ret_document);
		TRY(take(s, is, x->issuer, again != 0, ret_document, &keys));
		v = jose_verify(t, keys, x->algs);
	}
	if (v == JOSE_GOOD)
		return OK;
	return scope_fail(s, ERR_UNAUTHENTICATED, "the token %s",
			  v == JOSE_UNKNOWN_KEY ? "is signed with a key that its issuer does not have"
			  : v == JOSE_ALGORITHM ? "is signed with an algorithm that its key is not for" : "has a wrong signature");
}

static bool is_allowed_tenant(const struct issuer_expected *x, const char *tid)
{
	for (const char *const *t = x->tenants; tid != NULL && t != NULL && *t != NULL; t++)
		if (strcasecmp(*t, tid) == 0)
			return true;
	return false;
}

static bool is_issuer(struct arena *a, const char *pattern, const char *iss, const char *tid)
{
	const char *want = pattern != NULL ? issuer_with_tenant(a, pattern, tid) : NULL;
	return want != NULL && strcmp(want, iss) == 0;
}

static enum err check_claims(struct scope *s, const struct issuer_expected *x, const json_t *document, const json_t *claims)
{
	const char *iss = jose_text(claims, "iss"), *tid = jose_text(claims, "tid"), *own = jose_text(document, "issuer");
	bool any_tenant = strstr(own, "{tenantid}") != NULL, audience = false;
	if (iss == NULL || (!is_issuer(s->arena, own, iss, tid) && !is_issuer(s->arena, x->other_issuer, iss, tid)))
		return scope_fail(s, ERR_UNAUTHENTICATED, "the token has another issuer");
	if ((any_tenant || x->tenants != NULL) && !is_allowed_tenant(x, tid))
		return scope_fail(s, ERR_UNAUTHENTICATED, "the token is of a tenant of its issuer that is not accepted here");
	for (const char *const *aud = x->audiences; aud != NULL && *aud != NULL && !audience; aud++)
		audience = jose_has_audience(claims, *aud);
	if (!audience)
		return scope_fail(s, ERR_UNAUTHENTICATED, "the token is for another audience");
	return jose_check_times(s, claims, JOSE_SKEW_US);
}

enum err issuer_verify(struct scope *s, struct issuers *is, const struct issuer_expected *x, const struct jose_token *t, json_t **ret_claims)
{
	auto_json *document = NULL;
	enum err e = check_signature(s, is, x, t, &document);
	if (e == OK)
		e = check_claims(s, x, document, t->claims);
	pthread_mutex_lock(&is->lock);
	is->counts.verified += e == OK;
	is->counts.refused += e == ERR_UNAUTHENTICATED;
	pthread_mutex_unlock(&is->lock);
	if (e == OK)
		*ret_claims = json_incref(t->claims);
	return e;
}

static bool enter(struct issuers *is)
{
	pthread_mutex_lock(&is->lock);
	bool room = is->busy < ISSUERS_BUSY;
	is->busy += room;
	pthread_mutex_unlock(&is->lock);
	return room;
}

static void leave(struct issuers *is)
{
	pthread_mutex_lock(&is->lock);
	is->busy--;
	pthread_mutex_unlock(&is->lock);
}

enum err issuer_post(struct scope *s, struct issuers *is, const char *url, const char *form, const char *basic, long *ret_status, json_t **ret)
{
	struct issuer_call c = {.reach = is->reach, .ca_file = is->ca_file, .url = url, .form = form, .basic = basic};
	if (!enter(is))
		return scope_fail(s, ERR_UNAVAILABLE, "too many identity providers are being asked");
	enum err e = issuer_call(s, &c, ret_status, ret);
	leave(is);
	return e;
}
