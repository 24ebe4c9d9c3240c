/* SPDX-License-Identifier: Apache-2.0
 * Applications on a real database: signing in, what ends a token, and that nobody hands on what they do not have. */
#include "fixture.h"

struct find_role {
	const char *name;
	struct role role;
};

static enum err find_role_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct find_role *f = arg;
	return role_by_name(tx, f->name, &f->role);
}

/* The id of a built-in role, as text. */
static const char *role_of(struct scope *s, const char *name)
{
	struct find_role f = {.name = name};
	char *text = arena_alloc(s->arena, ID_TEXT);
	ok(db_read(s, find_role_tx, &f));
	return id_format(f.role.role, text);
}

static struct record *application_record(struct scope *s, const char *role)
{
	return record_of(s, &RES_APPLICATION, RECORD_CREATE,
			 arena_printf(s->arena, "{\"displayName\":\"Tool\",\"roleDefinitionId\":\"%s\"}", role_of(s, role)));
}

static struct id make_application(struct scope *s, const char *role)
{
	struct id id;
	ok(application_create(s, application_record(s, role), &id));
	return id;
}

/* s as a caller with a role's permissions. */
static struct scope as(const struct scope *s, const char *permissions)
{
	struct scope t = *s;
	t.actor = (struct actor){.type = ACTOR_APPLICATION, .name = "Caller", .permissions = permissions};
	return t;
}

static void sign_in(void **state)
{
	struct id app = make_application(&F.a, "Auditor");
	struct application_secret secret, second;
	struct token_claims c;
	struct actor who = {0};
	ok(application_add_secret(&F.a, app, "one", 0, &secret));
	ok(application_add_secret(&F.a, app, NULL, F.a.now + DAY_US, &second));
	assert_int_equal(strlen(secret.text), 43);
	ok(application_sign_in(&F.a, app, secret.text, &c));
	assert_true(id_equal(c.application, app) && id_equal(c.tenant, F.a.tenant) && id_equal(c.credential, secret.secret));
	assert_int_equal(c.expires_us - c.issued_us, 3600 * SECOND_US);
	ok(application_principal(&F.a, &c, &who));
	assert_string_equal(who.name, "Tool");
	assert_true(permission_granted(who.permissions, "AuditLog.Read.All"));
	assert_false(permission_granted(who.permissions, "User.Read.All"));
	int64_t signed_in = events(&F.a, "signIn Application");
	for (int i = 0; i < 2; i++) {
		ok(application_sign_in(&F.a, app, second.text, &c));
		assert_true(id_equal(c.credential, second.secret));
	}
	assert_int_equal(events(&F.a, "signIn Application"), signed_in + 1); /* a day and credential */
	struct scope later = tenant_scope(F.a.tenant, F.a.now + 2 * DAY_US);
	refused(application_sign_in(&later, app, second.text, &c), ERR_UNAUTHENTICATED);
	refused(application_principal(&later, &c, &who), ERR_UNAUTHENTICATED);
	assert_false(event_says(&F.a, "addPassword Application", secret.text));
}

static void refusals(void **state)
{
	struct id app = make_application(&F.a, "Auditor");
	struct application_secret secret;
	struct token_claims c;
	ok(application_add_secret(&F.a, app, NULL, 0, &secret));
	int64_t before = events(&F.a, "signIn Application");
	refused(application_sign_in(&F.a, app, "wrong-secret-word", &c), ERR_UNAUTHENTICATED);
	assert_int_equal(events(&F.a, "signIn Application"), before + 1);
	assert_false(event_says(&F.a, "signIn Application", "wrong-secret-word"));
	char *known = arena_strdup(F.arena, F.a.detail);
	fresh(&F.a);
	int64_t all = all_events(&F.a);
	refused(application_sign_in(&F.a, scope_id(&F.a), secret.text, &c), ERR_UNAUTHENTICATED);
	assert_string_equal(F.a.detail, known); /* the answer does not say which of the two it was */
	assert_int_equal(all_events(&F.a), all);
	fresh(&F.a);
	refused(application_sign_in(&F.b, app, secret.text, &c), ERR_UNAUTHENTICATED); /* another tenant's path */
	fresh(&F.b);
	struct scope nowhere = tenant_scope(scope_id(&F.a), F.a.now);
	refused(application_sign_in(&nowhere, app, secret.text, &c), ERR_UNAUTHENTICATED);
}

static void what_ends_a_token(void **state)
{
	struct id app = make_application(&F.a, "Auditor");
	struct application_secret secret, other;
	struct token_claims c, c2;
	struct actor who = {0};
	ok(application_add_secret(&F.a, app, NULL, 0, &secret));
	ok(application_add_secret(&F.a, app, NULL, 0, &other));
	ok(application_sign_in(&F.a, app, secret.text, &c));
	ok(application_sign_in(&F.a, app, other.text, &c2));
	refused(application_remove_secret(&F.b, app, secret.secret), ERR_NOT_FOUND);
	fresh(&F.b);
	ok(application_remove_secret(&F.a, app, secret.secret));
	refused(application_remove_secret(&F.a, app, secret.secret), ERR_NOT_FOUND);
	fresh(&F.a);
	refused(application_principal(&F.a, &c, &who), ERR_UNAUTHENTICATED);
	fresh(&F.a);
	ok(application_principal(&F.a, &c2, &who));
	ok(application_patch(&F.a, app, record_of(&F.a, &RES_APPLICATION, RECORD_PATCH, "{\"accountEnabled\":false}")));
	refused(application_principal(&F.a, &c2, &who), ERR_UNAUTHENTICATED);
	fresh(&F.a);
	refused(application_sign_in(&F.a, app, other.text, &c2), ERR_UNAUTHENTICATED);
	fresh(&F.a);
	ok(application_patch(&F.a, app, record_of(&F.a, &RES_APPLICATION, RECORD_PATCH, "{\"accountEnabled\":true}")));
	ok(application_principal(&F.a, &c2, &who));
	ok(application_delete(&F.a, app));
	refused(application_principal(&F.a, &c2, &who), ERR_UNAUTHENTICATED);
	fresh(&F.a);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM application_secrets WHERE tenant_id = ?1 AND application_id = ?2", db_v_id(&app),
			     db_v_null()), 0);
}

static void nobody_hands_on_what_they_lack(void **state)
{
	struct scope weak = as(&F.a, "Application.ReadWrite.All AuditLog.Read.All AuditLog.Export.All Privacy.Read.All Organization.Read.All "
				     "RoleManagement.Read.Directory DataSubjectRequest.Read.All LegalHold.Read.All");
	struct application_secret secret;
	struct id id, strong = make_application(&F.a, "Administrator");
	refused(application_create(&weak, application_record(&F.a, "Administrator"), &id), ERR_FORBIDDEN);
	fresh(&weak);
	ok(application_create(&weak, application_record(&F.a, "Auditor"), &id));
	const char *raise = arena_printf(F.arena, "{\"roleDefinitionId\":\"%s\"}", role_of(&F.a, "Privacy Officer"));
	refused(application_patch(&weak, id, record_of(&F.a, &RES_APPLICATION, RECORD_PATCH, raise)), ERR_FORBIDDEN);
	fresh(&weak);
	refused(application_add_secret(&weak, strong, NULL, 0, &secret), ERR_FORBIDDEN);
	fresh(&weak);
	ok(application_add_secret(&weak, id, NULL, 0, &secret));
	refused(application_create(&F.b, application_record(&F.a, "Auditor"), &id), ERR_BAD_REQUEST); /* another tenant's role */
	fresh(&F.b);
	ok(application_delete(&F.a, strong));
}

static void the_last_administrator_stays(void **state)
{
	struct id first = F.other_admin.application;
	struct record *off = record_of(&F.b, &RES_APPLICATION, RECORD_PATCH, "{\"accountEnabled\":false}");
	struct record *down = record_of(&F.b, &RES_APPLICATION, RECORD_PATCH,
					arena_printf(F.arena, "{\"roleDefinitionId\":\"%s\"}", role_of(&F.b, "Auditor")));
	refused(application_delete(&F.b, first), ERR_CONFLICT);
	fresh(&F.b);
	refused(application_patch(&F.b, first, off), ERR_CONFLICT);
	fresh(&F.b);
	refused(application_patch(&F.b, first, down), ERR_CONFLICT);
	fresh(&F.b);
	struct id second = make_application(&F.b, "Administrator");
	ok(application_patch(&F.b, second, off));
	refused(application_delete(&F.b, first), ERR_CONFLICT); /* a disabled one is no other */
	fresh(&F.b);
	ok(application_patch(&F.b, second, record_of(&F.b, &RES_APPLICATION, RECORD_PATCH, "{\"accountEnabled\":true}")));
	ok(application_delete(&F.b, first));
	refused(application_delete(&F.operator_, F.made.operator_secret.application), ERR_CONFLICT);
	fresh(&F.operator_);
}

static void ends_of_secrets(void **state)
{
	struct id app = make_application(&F.a, "Auditor");
	struct application_secret s;
	refused(application_add_secret(&F.a, app, NULL, F.a.now, &s), ERR_BAD_REQUEST);
	fresh(&F.a);
	refused(application_add_secret(&F.a, app, NULL, F.a.now + 1200 * DAY_US, &s), ERR_BAD_REQUEST);
	fresh(&F.a);
	for (int i = 0; i < 16; i++)
		ok(application_add_secret(&F.a, app, NULL, 0, &s));
	refused(application_add_secret(&F.a, app, NULL, 0, &s), ERR_CONFLICT);
	fresh(&F.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sign_in), cmocka_unit_test(refusals), cmocka_unit_test(what_ends_a_token),
		cmocka_unit_test(nobody_hands_on_what_they_lack), cmocka_unit_test(the_last_administrator_stays),
		cmocka_unit_test(ends_of_secrets),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
