/* SPDX-License-Identifier: Apache-2.0
 * Permissions and built-in roles from their tables; a tenant's roles from its rows. */
#include "directory/access/role.h"

#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"

DB_TENANT(role_insert, "INSERT INTO roles (tenant_id, role_id, display_name, permissions, built_in, created_at) "
		       "VALUES (?1, ?2, ?3, '', 1, ?4) ON CONFLICT (tenant_id, display_name) DO NOTHING");
DB_TENANT(role_built_in_count, "SELECT count(*) FROM roles WHERE tenant_id = ?1 AND built_in = 1");
DB_GLOBAL(role_tenants, "SELECT tenant_id FROM tenants WHERE tenant_id > ?3 AND state NOT IN ('purging', 'closed') AND "
			"(SELECT count(*) FROM roles r WHERE r.tenant_id = tenants.tenant_id AND r.built_in = 1) < ?1 ORDER BY tenant_id LIMIT ?2");
DB_TENANT(role_select_id, "SELECT role_id, display_name, permissions, built_in FROM roles WHERE tenant_id = ?1 AND role_id = ?2");
DB_TENANT(role_select_name, "SELECT role_id, display_name, permissions, built_in FROM roles WHERE tenant_id = ?1 AND display_name = ?2");

static const struct permission_info PERMISSIONS[] = {
#define PERMISSION(name_, reach_, text_) {.name = name_, .text = text_, .reach = REACH_##reach_},
#include "directory/access/permissions.def"
#undef PERMISSION
};
enum { PERMISSION_COUNT = sizeof PERMISSIONS / sizeof PERMISSIONS[0] };

#define ROLE_ALL NULL
static const struct built_in {
	enum role_reach reach;
	const char *display_name, *permissions;
} BUILT_IN[] = {
#define ROLE(reach_, name_, permissions_) {REACH_##reach_, name_, permissions_},
#include "directory/access/roles.def"
#undef ROLE
};

const struct permission_info *permission_table(size_t *ret_n)
{
	*ret_n = PERMISSION_COUNT;
	return PERMISSIONS;
}

static const struct permission_info *find_permission(const char *name)
{
	for (size_t i = 0; i < PERMISSION_COUNT; i++)
		if (strcmp(PERMISSIONS[i].name, name) == 0)
			return &PERMISSIONS[i];
	return NULL;
}

bool permission_known(const char *name)
{
	return find_permission(name) != NULL;
}

bool permission_of_tenant(const char *name)
{
	const struct permission_info *p = find_permission(name);
	return p != NULL && p->reach != REACH_INSTALLATION;
}

bool permission_of_holders(const char *name)
{
	const struct permission_info *p = find_permission(name);
	return p != NULL && p->reach == REACH_HOLDERS;
}

/* ---- lists of names ---- */

/* Whether the name have[0..have_n) is want, or is want with ".Read." widened to ".ReadWrite.". */
static bool name_covers(const char *have, size_t have_n, const char *want, size_t want_n)
{
	if (have_n == want_n)
		return memcmp(have, want, want_n) == 0;
	const char *read = memmem(want, want_n, ".Read.", strlen(".Read."));
	if (read == NULL || have_n != want_n + strlen("Write"))
		return false;
	size_t head = (size_t)(read - want) + strlen(".Read");
	return memcmp(have, want, head) == 0 && memcmp(have + head, "Write", strlen("Write")) == 0 &&
	       memcmp(have + head + strlen("Write"), want + head, want_n - head) == 0;
}

static bool list_covers(const char *granted, const char *want, size_t want_n)
{
	while (*granted != '\0') {
		size_t n = strcspn(granted, " ");
		if (n > 0 && name_covers(granted, n, want, want_n))
			return true;
		granted += n + (granted[n] != '\0');
	}
	return false;
}

bool permission_granted(const char *granted, const char *required)
{
	if (*required == '\0')
		return true;
	if (granted == NULL)
		return false;
	while (*required != '\0') {
		size_t n = strcspn(required, "|");
		if (n > 0 && list_covers(granted, required, n))
			return true;
		required += n + (required[n] != '\0');
	}
	return false;
}

bool permission_listed(const char *list, const char *name)
{
	size_t want = strlen(name);
	for (size_t n; *list != '\0'; list += n + (list[n] != '\0')) {
		n = strcspn(list, " ");
		if (n == want && memcmp(list, name, n) == 0)
			return true;
	}
	return false;
}

/* ---- built-in roles ---- */

static char *all_of(struct arena *a, enum role_reach reach)
{
	auto_buf b;
	buf_init(&b, 16 * KIB);
	for (size_t i = 0; i < PERMISSION_COUNT; i++) {
		if (PERMISSIONS[i].reach != reach)
			continue;
		if (b.len > 0)
			buf_addc(&b, ' ');
		buf_adds(&b, PERMISSIONS[i].name);
	}
	check(!b.failed && b.len > 0);
	return arena_strndup(a, b.data, b.len);
}

static const struct built_in *find_built_in(const char *display_name)
{
	for (size_t i = 0; i < sizeof BUILT_IN / sizeof BUILT_IN[0]; i++)
		if (strcmp(BUILT_IN[i].display_name, display_name) == 0)
			return &BUILT_IN[i];
	return NULL;
}

bool role_is_built_in_name(const char *display_name)
{
	return find_built_in(display_name) != NULL;
}

const char *role_built_in(struct arena *a, const char *display_name)
{
	const struct built_in *b = find_built_in(display_name);
	if (b == NULL)
		return ""; /* of a version before: it allows nothing any more */
	return b->permissions != ROLE_ALL ? b->permissions : all_of(a, b->reach);
}

/* ---- rows ---- */

static size_t seeded(enum role_reach reach)
{
	size_t n = 0;
	for (size_t i = 0; i < sizeof BUILT_IN / sizeof BUILT_IN[0]; i++)
		n += BUILT_IN[i].reach == reach;
	return n;
}

enum err role_seed(struct db_tx *tx, enum role_reach reach)
{
	struct scope *s = db_tx_scope(tx);
	for (size_t i = 0; i < sizeof BUILT_IN / sizeof BUILT_IN[0]; i++) {
		if (BUILT_IN[i].reach != reach)
			continue;
		struct id id = scope_id(s);
		TRY(db_exec(tx, &role_insert, DB_ARGS(db_v_id(&id), db_v_text(BUILT_IN[i].display_name), db_v_int(s->now)), NULL));
	}
	return OK;
}

enum { REFRESH_PAGE = 256 };
struct tenants {
	struct id v[REFRESH_PAGE], after; /* after: nil at first, which is the installation itself and has other roles */
	size_t n;
};

static enum err old_tenants(struct scope *s, struct db_tx *tx, void *arg)
{
	struct tenants *t = arg;
	auto_rows struct db_rows *r = NULL;
	t->n = 0;
	TRY(db_query(tx, &role_tenants, DB_ARGS(db_v_int((int64_t)seeded(REACH_TENANT)), db_v_int(REFRESH_PAGE), db_v_id(&t->after)), &r));
	while (t->n < REFRESH_PAGE && db_next(r))
		t->v[t->n++] = db_id(r, 0);
	return db_rows_err(r);
}

static enum err refresh_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	auto_rows struct db_rows *r = NULL;
	TRY(role_seed(tx, REACH_TENANT));
	TRY(db_query_one(tx, &role_built_in_count, DB_NOARGS, &r));
	if ((size_t)db_int(r, 0) < seeded(REACH_TENANT))
		log_event(LOG_WARN, "role_name_taken", "reason=\"a role of the tenant's own has the name of a built-in one\"");
	return OK;
}

static enum err refresh_page(struct scope *s, struct tenants *t)
{
	TRY(db_read(s, old_tenants, t));
	for (size_t i = 0; i < t->n; i++) {
		struct scope one = *s;
		one.tenant = t->after = t->v[i];
		one.has_tenant = true;
		enum err e = db_write(&one, refresh_tx, NULL);
		if (e != OK)
			return scope_fail(s, e, "%s", scope_detail(&one, e));
	}
	return OK;
}

enum err role_refresh(struct scope *s)
{
	struct tenants t = {.n = REFRESH_PAGE};
	while (t.n == REFRESH_PAGE)
		TRY(refresh_page(s, &t));
	return OK;
}

static enum err one_role(struct db_tx *tx, struct db_stmt *stmt, struct db_value key, struct role *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	enum err e = db_query_one(tx, stmt, DB_ARGS(key), &r);
	if (e == ERR_NOT_FOUND)
		return scope_fail(s, ERR_BAD_REQUEST, "the tenant has no such role");
	TRY(e);
	*ret = (struct role){.role = db_id(r, 0), .display_name = db_text_dup(r, 1, s->arena), .built_in = db_bool(r, 3)};
	ret->permissions = ret->built_in ? role_built_in(s->arena, ret->display_name) : db_text_dup(r, 2, s->arena);
	return OK;
}

enum err role_by_id(struct db_tx *tx, struct id role, struct role *ret)
{
	return one_role(tx, &role_select_id, db_v_id(&role), ret);
}

enum err role_by_name(struct db_tx *tx, const char *display_name, struct role *ret)
{
	return one_role(tx, &role_select_name, db_v_text(display_name), ret);
}
