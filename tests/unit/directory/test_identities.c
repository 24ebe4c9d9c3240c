/* SPDX-License-Identifier: Apache-2.0
 * Identity providers on a real database: what claims say, who is bound by them, which roles follow them. */
#include "fixture.h"

#include "directory/access/assignment.h"
#include "directory/sign_in/identity.h"
#include "directory/sign_in/provider.h"
#include "directory/sign_in/provider_token.h"

#define TID "11111111-2222-3333-4444-555555555555"
#define OID "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

static const char *const TENANTS[] = {TID, NULL};

static json_t *claims_of(const char *json)
{
	json_t *claims = json_loads(json, JSON_ALLOW_NUL, NULL);
	assert_non_null(claims);
	return claims;
}

/* ---- what claims say ---- */

static void subjects(void **state)
{
	static const struct {
		const char *claims, *plain, *entra;
	} all[] = {
		{"{\"sub\":\"a b\"}", "a b", NULL},
		{"{\"sub\":\"\"}", NULL, NULL},
		{"{\"sub\":7}", NULL, NULL},
		{"{\"sub\":[\"a\"]}", NULL, NULL},
		{"{\"sub\":\"a\\u0000b\"}", NULL, NULL},
		{"{\"sub\":\"a\\nb\"}", NULL, NULL},
		{"{\"sub\":\"\\u00e4\"}", NULL, NULL},
		{"{\"sub\":\"x\",\"tid\":\"" TID "\",\"oid\":\"" OID "\"}", "x", TID "/" OID},
		{"{\"sub\":\"x\",\"tid\":\"" TID "\",\"oid\":\"AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE\"}", "x", TID "/" OID},
		{"{\"sub\":\"x\",\"tid\":\"" OID "\",\"oid\":\"" OID "\"}", "x", NULL},
		{"{\"sub\":\"x\",\"tid\":\"" TID "\"}", "x", NULL},
		{"{\"sub\":\"x\",\"tid\":\"" TID "\",\"oid\":\"" TID "/" OID "\"}", "x", NULL},
		{"{}", NULL, NULL},
	};
	const struct provider plain = {0}, entra = {.tenants = TENANTS};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		auto_json *claims = claims_of(all[i].claims);
		const char *a = identity_subject(F.arena, &plain, claims), *b = identity_subject(F.arena, &entra, claims);
		assert_true((a == NULL) == (all[i].plain == NULL) && (b == NULL) == (all[i].entra == NULL));
		assert_true(a == NULL || strcmp(a, all[i].plain) == 0);
		assert_true(b == NULL || strcmp(b, all[i].entra) == 0);
	}
}

static void values(void **state)
{
	static const struct {
		const char *claims, *path, *found; /* joined by ',' */
	} all[] = {
		{"{\"roles\":[\"a\",\"b\"]}", "roles", "a,b"},
		{"{\"roles\":\"a b\"}", "roles", "a b"},
		{"{\"roles\":[1,null,\"a\",[\"b\"],{\"c\":\"d\"}]}", "roles", "a"},
		{"{\"roles\":[\"a\\u0000b\",\"c\"]}", "roles", "c"},
		{"{\"realm_access\":{\"roles\":[\"a\"]}}", "realm_access.roles", "a"},
		{"{\"realm_access.roles\":[\"b\"],\"realm_access\":{\"roles\":[\"a\"]}}", "realm_access.roles", "b"},
		{"{\"https://x.example/roles\":[\"a\"]}", "https://x.example/roles", "a"},
		{"{\"realm_access\":[\"a\"]}", "realm_access.roles", ""},
		{"{\"a\":{\"b\":{\"c\":\"d\"}}}", "a.b.c", "d"},
		{"{\"a\":{\"b\":{\"c\":\"d\"}}}", "a.b", ""},
		{"{\"a\":\"x\"}", "a.", "x"},
		{"{\"a\":\"x\"}", ".a", ""},
		{"{\"a\":\"x\"}", "a..b", ""},
		{"{\"a\":true}", "a", ""},
		{"{}", "roles", ""},
	};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		auto_json *claims = claims_of(all[i].claims);
		const char **v, *joined = "";
		size_t n = identity_values(F.arena, claims, all[i].path, &v);
		for (size_t k = 0; k < n; k++)
			joined = arena_printf(F.arena, "%s%s%s", joined, k == 0 ? "" : ",", v[k]);
		assert_string_equal(joined, all[i].found);
		assert_int_equal(identity_values(F.arena, claims, NULL, &v), 0);
	}
}

static void overage_and_names(void **state)
{
	auto_json *left_out = claims_of("{\"_claim_names\":{\"groups\":\"src1\"},\"_claim_sources\":{\"src1\":{}},\"email\":\"a@x.org\",\"upn\":\"b@x.org\"}");
	auto_json *implicit = claims_of("{\"hasgroups\":true}"), *listed = claims_of("{\"groups\":[],\"email\":\"a@x.org\",\"email_verified\":true}");
	auto_json *text = claims_of("{\"email\":\"a@x.org\",\"email_verified\":\"true\",\"preferred_username\":\"c@x.org\"}");
	const struct provider plain = {0}, entra = {.tenants = TENANTS};
	assert_true(identity_overage(left_out, "groups") && identity_overage(implicit, "groups"));
	assert_false(identity_overage(listed, "groups") || identity_overage(left_out, "roles") || identity_overage(implicit, "roles") ||
		     identity_overage(left_out, NULL));
	assert_null(identity_upn(&plain, left_out));
	assert_null(identity_upn(&plain, text));
	assert_null(identity_upn(&entra, text));
	assert_string_equal(identity_upn(&plain, listed), "a@x.org");
	assert_string_equal(identity_upn(&entra, left_out), "b@x.org");
}

/* ---- who is bound ---- */

static struct id make_provider(struct scope *s, const char *issuer, const char *more)
{
	struct id id;
	struct record *r = record_of(s, &RES_IDENTITY_PROVIDER, RECORD_CREATE,
				     arena_printf(s->arena, "{\"displayName\":\"P\",\"issuer\":\"%s\",\"clientId\":\"c\"%s}", issuer, more));
	ok(provider_create(s, &(struct provider_request){.r = r, .client_secret = "secret"}, &id));
	return id;
}

struct external {
	struct id user;
	const char *text;
};

static enum err external_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct external *e = arg;
	(void)s;
	return db_exec_text(tx, DB_REACH_TENANT, "UPDATE users SET external_id = ?3 WHERE tenant_id = ?1 AND user_id = ?2",
			    DB_ARGS(db_v_id(&e->user), db_v_text(e->text)), NULL);
}

static void set_external(struct scope *s, struct id user, const char *text)
{
	ok(db_write(s, external_tx, &(struct external){user, text}));
}

struct arrival {
	struct id provider, user;
	const char *claims;
};

static enum err arrive_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct arrival *a = arg;
	struct provider p;
	auto_json *claims = claims_of(a->claims);
	(void)s;
	TRY(provider_load(tx, a->provider, &p));
	TRY(identity_sign_in(tx, &p, claims, &a->user));
	return identity_roles(tx, &p, claims, a->user);
}

static enum err arrive(struct scope *s, struct id provider, const char *claims, struct id *ret)
{
	struct arrival a = {.provider = provider, .claims = claims};
	enum err e = db_write(s, arrive_tx, &a);
	*ret = a.user;
	fresh(s);
	return e;
}

static int64_t identities(struct scope *s)
{
	return ask(s, "SELECT count(*) FROM user_identities WHERE tenant_id = ?1", db_v_null(), db_v_null());
}

static void the_first_sign_in(void **state)
{
	struct id p = make_provider(&F.a, "https://one.example", ""), second = make_provider(&F.a, "https://two.example", "");
	struct id theirs = make_provider(&F.b, "https://one.example", ""), user = make_user(&F.a, "first@x.org"), who;
	struct id other = make_user(&F.a, "other@x.org");
	refused(arrive(&F.a, p, "{\"sub\":\"s1\"}", &who), ERR_NOT_FOUND);
	set_external(&F.a, user, "s1");
	refused(arrive(&F.b, theirs, "{\"sub\":\"s1\"}", &who), ERR_NOT_FOUND);
	refused(arrive(&F.a, second, "{\"sub\":\"s1\"}", &who), ERR_NOT_FOUND); /* matchExternalId is the first provider's alone */
	ok(arrive(&F.a, p, "{\"sub\":\"s1\"}", &who));
	assert_true(id_equal(who, user));
	assert_int_equal(events(&F.a, "bind UserIdentity"), 1);
	/* the binding is what counts from now on */
	set_external(&F.a, user, "s2");
	set_external(&F.a, other, "s1");
	ok(arrive(&F.a, p, "{\"sub\":\"s1\"}", &who));
	assert_true(id_equal(who, user));
	refused(arrive(&F.a, p, "{\"sub\":\"s2\"}", &who), ERR_NOT_FOUND);
	/* nobody inherits the account of who is deleted, but whom the directory gave its id since */
	ok(user_delete(&F.a, user));
	set_external(&F.a, other, "s3");
	ok(provider_patch(&F.a, p, &(struct provider_request){.r = record_of(&F.a, &RES_IDENTITY_PROVIDER, RECORD_PATCH, "{\"matchUserPrincipalName\":true}")}));
	refused(arrive(&F.a, p, "{\"sub\":\"s1\",\"email\":\"other@x.org\",\"email_verified\":true}", &who), ERR_NOT_FOUND);
	assert_int_equal(identities(&F.a), 1);
	set_external(&F.a, other, "s1");
	ok(arrive(&F.a, p, "{\"sub\":\"s1\"}", &who));
	assert_true(id_equal(who, other));
	assert_int_equal(identities(&F.a), 1);
	assert_int_equal(events(&F.a, "bind UserIdentity"), 2);
}

static void the_administrator_binds(void **state)
{
	struct id p = make_provider(&F.a, "https://login.microsoftonline.com/" TID "/v2.0", ""), user = make_user(&F.a, "bound@x.org");
	struct id second = make_user(&F.a, "second@x.org"), identity, who;
	refused(identity_bind(&F.a, user, p, "just a sub", &identity), ERR_BAD_REQUEST); /* the tenant of the issuer makes it Entra's */
	fresh(&F.a);
	refused(identity_bind(&F.a, user, p, OID "/" OID, &identity), ERR_BAD_REQUEST);
	fresh(&F.a);
	ok(identity_bind(&F.a, user, p, TID "/" OID, &identity));
	refused(identity_bind(&F.a, second, p, TID "/" OID, &identity), ERR_EXISTS);
	fresh(&F.a);
	refused(identity_bind(&F.a, user, p, TID "/" TID, &identity), ERR_EXISTS);
	fresh(&F.a);
	ok(arrive(&F.a, p, "{\"sub\":\"x\",\"tid\":\"" TID "\",\"oid\":\"" OID "\"}", &who));
	assert_true(id_equal(who, user));
	refused(arrive(&F.a, p, "{\"sub\":\"x\",\"tid\":\"" OID "\",\"oid\":\"" OID "\"}", &who), ERR_NOT_FOUND);
	refused(identity_unbind(&F.b, user, identity), ERR_NOT_FOUND);
	fresh(&F.b);
}

/* ---- roles ---- */

struct named {
	const char *name;
	struct id role;
};

static enum err role_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct named *n = arg;
	struct role r;
	(void)s;
	TRY(role_by_name(tx, n->name, &r));
	n->role = r.role;
	return OK;
}

static struct id map(struct scope *s, struct id provider, const char *value, struct id role)
{
	struct id mapping;
	char text[ID_TEXT];
	ok(provider_role_create(s, provider,
				record_of(s, &RES_IDENTITY_PROVIDER_ROLE, RECORD_CREATE,
					  arena_printf(s->arena, "{\"claimValue\":\"%s\",\"roleDefinitionId\":\"%s\"}", value, id_format(role, text))),
				&mapping));
	return mapping;
}

static int64_t roles_of(struct id user)
{
	return ask(&F.a, "SELECT count(*) FROM role_assignments WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&user), db_v_null());
}

static void roles_follow(void **state)
{
	struct id p = make_provider(&F.a, "https://roles.example", ",\"roleClaim\":\"groups\""), user = make_user(&F.a, "roles@x.org");
	struct named auditor = {.name = "Auditor"};
	struct id identity, who;
	ok(db_read(&F.a, role_tx, &auditor));
	ok(identity_bind(&F.a, user, p, "r", &identity));
	struct id mapping = map(&F.a, p, "audit", auditor.role);
	map(&F.a, p, "audit too", auditor.role);
	ok(arrive(&F.a, p, "{\"sub\":\"r\",\"groups\":[\"audit\",\"audit too\",\"audit\",\"AUDIT\"]}", &who));
	assert_int_equal(roles_of(user), 1);
	ok(arrive(&F.a, p, "{\"sub\":\"r\",\"groups\":[\"AUDIT\"]}", &who));
	assert_int_equal(roles_of(user), 0);
	ok(arrive(&F.a, p, "{\"sub\":\"r\",\"groups\":\"audit\"}", &who));
	assert_int_equal(roles_of(user), 1);
	ok(arrive(&F.a, p, "{\"sub\":\"r\"}", &who));
	assert_int_equal(roles_of(user), 0);
	ok(arrive(&F.a, p, "{\"sub\":\"r\",\"groups\":[\"audit\"]}", &who));
	ok(provider_role_delete(&F.a, p, mapping));
	assert_int_equal(roles_of(user), 0);
	ok(arrive(&F.a, p, "{\"sub\":\"r\",\"groups\":[\"audit too\"]}", &who));
	assert_int_equal(roles_of(user), 1);
	ok(provider_delete(&F.a, p));
	assert_int_equal(roles_of(user), 0);
	refused(identity_unbind(&F.a, user, identity), ERR_NOT_FOUND);
	fresh(&F.a);
}

/* Whoever sets up a provider must not become somebody whose rights they could not give. */
static void the_guarded_are_not_matched(void **state)
{
	static const struct id everywhere;
	struct id p = make_provider(&F.a, "https://guard.example", ",\"matchExternalId\":true"), user = make_user(&F.a, "officer@x.org");
	struct named officer = {.name = "Privacy Officer"}, auditor = {.name = "Auditor"};
	struct id who, assignment;
	ok(db_read(&F.a, role_tx, &officer));
	ok(db_read(&F.a, role_tx, &auditor));
	set_external(&F.a, user, "g");
	ok(assignment_create(&F.a, auditor.role, user, everywhere, &assignment));
	ok(assignment_create(&F.a, officer.role, user, everywhere, &assignment));
	refused(arrive(&F.a, p, "{\"sub\":\"g\"}", &who), ERR_NOT_FOUND);
	ok(assignment_delete(&F.a, assignment));
	ok(arrive(&F.a, p, "{\"sub\":\"g\"}", &who));
	assert_true(id_equal(who, user));
}

/* Whose claims give the mapped roles is decided by whoever could give them. */
static void a_provider_is_no_way_up(void **state)
{
	struct id p = make_provider(&F.a, "https://up.example", ",\"roleClaim\":\"roles\",\"matchExternalId\":false"), mine;
	struct named administrator = {.name = "Administrator"};
	struct scope clerk = F.a;
	clerk.actor = (struct actor){.type = ACTOR_APPLICATION, .name = "Clerk", .permissions = "IdentityProvider.ReadWrite.All"};
	ok(db_read(&F.a, role_tx, &administrator));
	map(&F.a, p, "admins", administrator.role);
	static const char *const up[] = {"{\"roleClaim\":\"name\"}", "{\"clientId\":\"mine\"}", "{\"allowedTenantIds\":[\"" TID "\"]}",
					 "{\"apiAudiences\":[\"api://mine\"]}"};
	for (size_t i = 0; i < sizeof up / sizeof up[0]; i++) {
		refused(provider_patch(&clerk, p, &(struct provider_request){.r = record_of(&clerk, &RES_IDENTITY_PROVIDER, RECORD_PATCH, up[i])}), ERR_FORBIDDEN);
		fresh(&clerk);
	}
	static const char match[] = "{\"matchUserPrincipalName\":true}", own[] = "{\"displayName\":\"P\",\"issuer\":\"https://mine.example\",\"clientId\":\"c\"%s}";
	refused(provider_patch(&clerk, p, &(struct provider_request){.r = record_of(&clerk, &RES_IDENTITY_PROVIDER, RECORD_PATCH, match)}), ERR_FORBIDDEN);
	fresh(&clerk);
	struct record *r = record_of(&clerk, &RES_IDENTITY_PROVIDER, RECORD_CREATE, arena_printf(F.arena, own, ",\"matchUserPrincipalName\":true"));
	refused(provider_create(&clerk, &(struct provider_request){.r = r}, &mine), ERR_FORBIDDEN);
	fresh(&clerk);
	r = record_of(&clerk, &RES_IDENTITY_PROVIDER, RECORD_CREATE, arena_printf(F.arena, own, ",\"matchExternalId\":false,\"apiAudiences\":[\"a\"]"));
	refused(provider_create(&clerk, &(struct provider_request){.r = r}, &mine), ERR_FORBIDDEN);
	fresh(&clerk);
	r = record_of(&clerk, &RES_IDENTITY_PROVIDER, RECORD_CREATE, arena_printf(F.arena, own, ",\"matchExternalId\":false"));
	ok(provider_create(&clerk, &(struct provider_request){.r = r}, &mine));
	ok(provider_patch(&clerk, p, &(struct provider_request){.r = record_of(&clerk, &RES_IDENTITY_PROVIDER, RECORD_PATCH, "{\"displayName\":\"Q\"}")}));
	ok(provider_patch(&F.a, p, &(struct provider_request){.r = record_of(&F.a, &RES_IDENTITY_PROVIDER, RECORD_PATCH, up[0])}));
}

static void programs_and_people(void **state)
{
	static const struct {
		const char *claims;
		bool plain, entra;
	} all[] = {
		{"{\"azp\":\"c\",\"sub\":\"c\"}", true, true},
		{"{\"azp\":\"c\",\"sub\":\"a person\"}", false, true}, /* of Entra one has scp */
		{"{\"azp\":\"c\",\"sub\":\"a person\",\"scp\":\"x\"}", false, false},
		{"{\"azp\":\"c\",\"sub\":\"c\",\"scope\":\"x\"}", true, true},
		{"{\"azp\":\"c\",\"sub\":\"x\",\"idtyp\":\"app\"}", true, true},
		{"{\"azp\":\"c\",\"sub\":\"c\",\"idtyp\":\"user\"}", false, false},
		{"{}", false, true},
	};
	const struct provider plain = {0}, entra = {.tenants = TENANTS};
	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		auto_json *claims = claims_of(all[i].claims);
		assert_int_equal(provider_token_is_app(&plain, claims), all[i].plain);
		assert_int_equal(provider_token_is_app(&entra, claims), all[i].entra);
	}
}

/* Another directory may give one id to two. */
static void of_two_nobody_is_meant(void **state)
{
	struct id p = make_provider(&F.a, "https://twins.example", ",\"matchExternalId\":true"), one = make_user(&F.a, "one@x.org");
	struct id two = make_user(&F.a, "two@x.org"), who;
	set_external(&F.a, one, "twin");
	set_external(&F.a, two, "twin");
	refused(arrive(&F.a, p, "{\"sub\":\"twin\"}", &who), ERR_NOT_FOUND);
	set_external(&F.a, two, "other");
	ok(arrive(&F.a, p, "{\"sub\":\"twin\"}", &who));
	assert_true(id_equal(who, one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subjects), cmocka_unit_test(values), cmocka_unit_test(overage_and_names), cmocka_unit_test(the_first_sign_in),
		cmocka_unit_test(the_administrator_binds), cmocka_unit_test(roles_follow), cmocka_unit_test(the_guarded_are_not_matched),
		cmocka_unit_test(of_two_nobody_is_meant),
		cmocka_unit_test(a_provider_is_no_way_up), cmocka_unit_test(programs_and_people),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
