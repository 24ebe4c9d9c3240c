/* SPDX-License-Identifier: Apache-2.0
 * Access on a real database: what somebody holds by which way and for whom; built-in roles are this version's; claims; the operator's time. */
#include "fixture.h"

#include "directory/access/access.h"
#include "directory/access/assignment.h"
#include "directory/access/operator_access.h"

static const struct id NIL;

struct look {
	struct id key;
	const char *name, *sql;
	struct actor actor;
	struct access *access;
	const struct assignment_wanted *wanted;
	size_t n;
};

static enum err user_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct look *l = arg;
	return access_of_user(tx, l->key, &l->actor);
}

static enum err change_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct look *l = arg;
	struct db_value v = db_v_text(l->name);
	return db_exec_text(tx, DB_REACH_TENANT, l->sql, &v, 1, NULL);
}

static enum err follow_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct look *l = arg;
	static const struct id provider = {{7}};
	return assignment_follow(tx, l->key, provider, l->wanted, l->n);
}

static struct actor person(struct scope *s, struct id user)
{
	struct look l = {.key = user};
	ok(db_read(s, user_tx, &l));
	return l.actor;
}

static bool may(const struct actor *a, const char *permission, const struct scope_groups **only)
{
	return actor_allows(a, permission, F.arena, only);
}

static void by_every_way(void **state)
{
	const struct scope_groups *only;
	struct id u = make_user(&F.a, "way@acme.example"), g = make_group(&F.a, "Desk"), whom = make_group(&F.a, "Customers"), id;
	struct actor a = person(&F.a, u);
	assert_string_equal(a.permissions, "");
	assert_false(may(&a, "User.Read.All", &only));
	assert_true(may(&a, "", &only) && only == NULL);
	ok(assignment_create(&F.a, role_named(&F.a, "Help Desk Operator"), g, whom, &id));
	ok(group_add_member(&F.a, g, u));
	a = person(&F.a, u);
	assert_int_equal(a.access->n, 1);
	assert_true(id_equal(a.access->grants[0].group, g));
	assert_true(may(&a, "User.Read.All", &only));
	assert_int_equal(only->n, 1);
	assert_true(id_equal(only->groups[0], whom));
	ok(assignment_create(&F.a, role_named(&F.a, "Read Only Operator"), u, NIL, &id)); /* reads everybody, acts on some */
	a = person(&F.a, u);
	assert_true(may(&a, "User.Read.All", &only) && only == NULL);
	assert_true(may(&a, "DeviceManagementManagedDevices.PrivilegedOperations.All", &only) && only->n == 1);
	assert_true(may(&a, "Nothing.At.All|User.Read.All", &only) && only == NULL);
	assert_false(may(&a, "User.ReadWrite.All", &only));
	ok(group_remove_member(&F.a, g, u));
	a = person(&F.a, u);
	assert_false(may(&a, "DeviceManagementManagedDevices.PrivilegedOperations.All", &only));
	ok(user_patch(&F.a, u, record_of(&F.a, &RES_USER, RECORD_PATCH, "{\"accountEnabled\":false}")));
	struct look l = {.key = u};
	refused(db_read(&F.a, user_tx, &l), ERR_UNAUTHENTICATED);
	fresh(&F.a);
	l.key = make_user(&F.b, "other@acme.example");
	refused(db_read(&F.a, user_tx, &l), ERR_UNAUTHENTICATED);
	fresh(&F.a);
}

static void with_the_group_goes_what_it_held(void **state)
{
	struct id u = make_user(&F.a, "goes@acme.example"), g = make_group(&F.a, "Held"), scope = make_group(&F.a, "Scope"), id;
	ok(assignment_create(&F.a, role_named(&F.a, "Auditor"), g, NIL, &id));
	ok(assignment_create(&F.a, role_named(&F.a, "Auditor"), u, scope, &id));
	refused(assignment_create(&F.a, role_named(&F.a, "Auditor"), u, scope, &id), ERR_EXISTS);
	fresh(&F.a);
	int64_t before = ask(&F.a, "SELECT count(*) FROM role_assignments WHERE tenant_id = ?1", db_v_null(), db_v_null());
	ok(group_delete(&F.a, g));
	ok(group_delete(&F.a, scope)); /* a role for some never becomes one for all */
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM role_assignments WHERE tenant_id = ?1", db_v_null(), db_v_null()), before - 2);
	assert_int_equal(person(&F.a, u).access->n, 0);
}

/* What an older version wrote is not asked, and what it did not know is added. */
static void built_in_roles_are_this_versions(void **state)
{
	const struct scope_groups *only;
	struct id u = make_user(&F.b, "old@acme.example"), id;
	ok(assignment_create(&F.b, role_named(&F.b, "Auditor"), u, NIL, &id));
	ok(db_write(&F.b, change_tx, &(struct look){.sql = "UPDATE roles SET permissions = ?2 WHERE tenant_id = ?1 AND built_in = 1",
						    .name = "User.ReadWrite.All"}));
	struct actor a = person(&F.b, u);
	assert_true(may(&a, "AuditLog.Read.All", &only));
	assert_false(may(&a, "User.ReadWrite.All", &only));
	ok(db_write(&F.b, change_tx, &(struct look){.sql = "DELETE FROM roles WHERE tenant_id = ?1 AND display_name = ?2", .name = "Application Manager"}));
	ok(role_refresh(&F.system));
	assert_false(id_is_nil(role_named(&F.b, "Application Manager")));
	ok(role_refresh(&F.system));
}

static void claims_are_followed(void **state)
{
	struct id u = make_user(&F.a, "claims@acme.example"), other;
	struct assignment_wanted w[] = {{role_named(&F.a, "Auditor"), NIL}, {role_named(&F.a, "Read Only Operator"), NIL}};
	ok(assignment_create(&F.a, w[0].role, u, NIL, &other)); /* by hand: stays */
	ok(db_write(&F.a, follow_tx, &(struct look){.key = u, .wanted = w, .n = 2}));
	assert_int_equal(person(&F.a, u).access->n, 3);
	int64_t quiet = all_events(&F.a);
	ok(db_write(&F.a, follow_tx, &(struct look){.key = u, .wanted = w, .n = 2}));
	assert_int_equal(all_events(&F.a), quiet);
	ok(db_write(&F.a, follow_tx, &(struct look){.key = u, .wanted = w, .n = 0}));
	assert_int_equal(person(&F.a, u).access->n, 1);
	assert_int_equal(all_events(&F.a), quiet + 2);
	/* the last administrator keeps the role, whatever the claims say */
	struct assignment_wanted admin = {role_named(&F.b, "Administrator"), NIL};
	struct id only = make_user(&F.b, "only@acme.example");
	ok(db_write(&F.b, follow_tx, &(struct look){.key = only, .wanted = &admin, .n = 1}));
	ok(application_delete(&F.b, F.other_admin.application));
	ok(db_write(&F.b, follow_tx, &(struct look){.key = only, .wanted = &admin, .n = 0}));
	assert_int_equal(person(&F.b, only).access->n, 1);
}

static void an_operators_time_ends(void **state)
{
	struct id grant;
	struct token_claims own = {.application = F.made.operator_secret.application, .credential = F.made.operator_secret.secret}, inside;
	struct tenant_levels levels;
	struct actor who = {0};
	size_t n;
	struct operator_access a = {.role = role_named(&F.a, "Read Only Operator"), .reason = "Ticket", .expires_at = F.a.now + DAY_US};
	ok(operator_access_grant(&F.a, &a, &grant));
	ok(operator_access_enter(&F.operator_, F.made.tenant, &own, &inside));
	assert_true(id_equal(inside.tenant, F.made.tenant) && inside.expires_us == F.operator_.now + TOKEN_LIFE_US);
	ok(operator_access_admit(&F.a, &inside, &who, &levels));
	assert_true(who.type == ACTOR_OPERATOR && levels.whole == TENANT_FULL);
	refused(operator_access_enter(&F.operator_, F.other, &own, &inside), ERR_FORBIDDEN);
	fresh(&F.operator_);
	refused(operator_access_enter(&F.a, F.made.tenant, &own, &inside), ERR_FORBIDDEN);
	fresh(&F.a);
	struct scope later = F.a, jobs = F.system;
	later.now = jobs.now = F.a.now + DAY_US;
	refused(operator_access_admit(&later, &inside, &who, &levels), ERR_UNAUTHENTICATED);
	ok(operator_access_expire(&jobs, 10, &n));
	assert_int_equal(n, 1);
	assert_int_equal(events(&F.a, "delete OperatorAccess"), 1);
	assert_int_equal(events(&F.operator_, "delete OperatorAccess"), 1);
	ok(operator_access_expire(&jobs, 10, &n));
	assert_int_equal(n, 0);
	refused(operator_access_end(&F.a, grant), ERR_NOT_FOUND);
	fresh(&F.a);
}

/* ---- the documentation ---- */

static void the_page_has_every_role(void **state)
{
	static const char *const roles[][2] = {
#define ROLE_ALL NULL
#define ROLE(reach, name, permissions) {name, permissions},
#include "directory/access/roles.def"
#undef ROLE
	};
	FILE *f = fopen(ROLES_PAGE, "r");
	assert_non_null(f);
	char *page = arena_alloc(F.arena, 128 * KIB);
	assert_true(fread(page, 1, 128 * KIB - 1, f) > 1000);
	fclose(f);
	for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
		char row[2048];
		size_t n = (size_t)snprintf(row, sizeof row, "| %s | ", roles[i][0]);
		for (const char *p = roles[i][1]; p != NULL && *p != '\0';) {
			size_t len = strcspn(p, " ");
			if (len > 0)
				n += (size_t)snprintf(row + n, sizeof row - n, "%s`%.*s`", row[n - 1] == '`' ? " " : "", (int)len, p);
			p += len + (p[len] != '\0');
		}
		if (roles[i][1] != NULL)
			snprintf(row + n, sizeof row - n, " |");
		if (strstr(page, row) == NULL)
			fail_msg("docs/operating/roles.md lacks the row:\n%s", row);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_every_way), cmocka_unit_test(with_the_group_goes_what_it_held), cmocka_unit_test(built_in_roles_are_this_versions),
		cmocka_unit_test(claims_are_followed), cmocka_unit_test(an_operators_time_ends), cmocka_unit_test(the_page_has_every_role),
	};
	return cmocka_run_group_tests(tests, fixture_up, fixture_down);
}
