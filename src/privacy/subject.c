/* SPDX-License-Identifier: Apache-2.0
 *
 * From the data map to SQL.  A table is the subject's by its link: USER through its column user_id, DEVICE through its
 * device_id, AUDIT through two columns.  In rows of others a person stands by the map's paths (who acted, who is named).  Of a device
 * everything goes that has its device_id; of a tenant everything that has its tenant_id.
 */
#include "privacy/subject.h"

#include <pthread.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"

#define USERS_DEVICES "SELECT d.device_id FROM managed_devices d WHERE d.tenant_id = ?1 AND d.user_id = ?2"
#define OF_USERS_DEVICE(more) "t.tenant_id = ?1 AND t.device_id IN (" USERS_DEVICES more ")"

/* ---- whose ---- */

static bool has_column(const struct map_table *t, const char *column) { return map_column(t->name, column) != NULL; }

static bool names(const struct map_path *p)
{
	return p->through == MAP_THROUGH_PERSON && p->role != MAP_ROLE_OWNER && map_column(p->table, p->column)->erase == MAP_ERASE_NULL;
}

bool subject_names(const struct map_table *t)
{
	size_t n;
	const struct map_path *p = map_table_paths(t, &n);
	for (size_t i = 0; i < n; i++)
		if (names(&p[i]))
			return true;
	return false;
}

/* The parts in which a row is the person's own. */
static size_t own_parts(const struct map_table *t) { return t->link == MAP_LINK_NONE ? 0 : t->link == MAP_LINK_AUDIT ? 2 : 1; }

size_t subject_parts(const struct map_table *t, enum subject_type type)
{
	switch (type) {
	case SUBJECT_USER: return own_parts(t) + subject_names(t);
	case SUBJECT_DEVICE: return t->link != MAP_LINK_NONE && has_column(t, "device_id");
	case SUBJECT_TENANT: return has_column(t, "tenant_id");
	}
	return 0;
}

/* Rows that are not the person's own: those lose the id with whatever else the map says. */
static const char *where_named(struct arena *a, const struct map_table *t)
{
	size_t n;
	const struct map_path *p = map_table_paths(t, &n);
	auto_buf b;
	buf_init(&b, 4 * KIB);
	for (size_t i = 0; i < n; i++)
		if (names(&p[i]))
			buf_printf(&b, "%st.%s = ?2", b.len > 0 ? " OR " : "", p[i].column);
	const char *others = t->link == MAP_LINK_USER	  ? " AND (t.user_id IS NULL OR t.user_id <> ?2)"
			     : t->link == MAP_LINK_DEVICE ? " AND t.device_id NOT IN (" USERS_DEVICES ")"
							  : "";
	return arena_printf(a, "t.tenant_id = ?1 AND (%s)%s", b.data, others);
}

const char *subject_where(struct arena *a, const struct map_table *t, enum subject_type type, size_t part)
{
	check(part < subject_parts(t, type));
	if (type == SUBJECT_TENANT)
		return "t.tenant_id = ?1";
	if (type == SUBJECT_DEVICE)
		return "t.tenant_id = ?1 AND t.device_id = ?2";
	if (part == own_parts(t))
		return where_named(a, t);
	if (t->link == MAP_LINK_USER)
		return "t.tenant_id = ?1 AND t.user_id = ?2";
	if (t->link == MAP_LINK_DEVICE)
		return OF_USERS_DEVICE("");
	/* an event in which the person acts on themselves is one event */
	return part == 0 ? "t.tenant_id = ?1 AND t.actor_id = ?2"
			 : "t.tenant_id = ?1 AND t.subject_id = ?2 AND (t.actor_id IS NULL OR t.actor_id <> ?2)";
}

const char *subject_path_where(struct arena *a, const struct map_path *p)
{
	const struct map_table *t = map_table(p->table);
	if (t->link == MAP_LINK_AUDIT)
		return subject_where(a, t, SUBJECT_USER, p->role == MAP_ROLE_ACTOR ? 0 : 1);
	if (p->through == MAP_THROUGH_PERSON)
		return arena_printf(a, "t.tenant_id = ?1 AND t.%s = ?2", p->column);
	return arena_printf(a, "t.tenant_id = ?1 AND t.%s IN (" USERS_DEVICES ")", p->column);
}

/* The texts depend on the map alone: they are made once, for each of a thousand erasures would make them again. */
enum { TYPES = SUBJECT_TENANT + 1, PARTS_MOST = 3, SETS_MOST = 16 };
static struct {
	pthread_mutex_t lock;
	struct arena *arena;
	const char *(*counts)[TYPES][PARTS_MOST]; /* by table */
	struct made_steps {
		enum subject_type type;
		bool sqlite;
		unsigned domains;
		struct erase_step *v;
		size_t n;
	} steps[SETS_MOST];
	size_t steps_n;
} made = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void make_counts(void)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	made.counts = arena_alloc(made.arena, n * sizeof *made.counts);
	memset(made.counts, 0, n * sizeof *made.counts);
	for (size_t i = 0; i < n; i++)
		for (int type = 0; type < TYPES; type++)
			for (size_t part = 0; part < subject_parts(&t[i], (enum subject_type)type); part++) {
				check(part < PARTS_MOST);
				made.counts[i][type][part] = arena_printf(made.arena, "SELECT count(*) FROM %s t WHERE %s", t[i].name,
									  subject_where(made.arena, &t[i], (enum subject_type)type, part));
			}
}

static void lock_made(void)
{
	check(pthread_mutex_lock(&made.lock) == 0);
	if (made.arena != NULL)
		return;
	made.arena = arena_new(LIMIT_ARENA_BYTES);
	make_counts();
}

static const char *const *counts_of(const struct map_table *t, enum subject_type type)
{
	size_t n;
	lock_made();
	const char *const *texts = made.counts[t - map_tables(&n)][type];
	pthread_mutex_unlock(&made.lock);
	return texts;
}

enum err subject_count(struct db_tx *tx, const struct map_table *t, enum subject_type type, struct id subject,
		       int64_t *ret)
{
	const char *const *texts = counts_of(t, type);
	*ret = 0;
	for (size_t i = 0; i < PARTS_MOST && texts[i] != NULL; i++) {
		auto_rows struct db_rows *r = NULL;
		struct db_value who = db_v_id(&subject);
		TRY(db_query_text(tx, DB_REACH_TENANT, texts[i], &who, type == SUBJECT_TENANT ? 0 : 1, &r));
		if (db_next(r))
			*ret += db_int(r, 0);
		TRY(db_rows_err(r));
	}
	return OK;
}

/* ---- what a deletion does ---- */

struct builder {
	struct arena *a;
	enum subject_type type;
	const char *row, *pseudonym; /* how the engine names a row's place, and makes a name of a device_id */
	struct erase_step *steps;
	size_t n;
};

/* where: rows that the statement is still to touch; set: NULL for a deletion */
static void add_step(struct builder *b, const struct map_table *t, const char *where, const char *set)
{
	int most = b->type == SUBJECT_TENANT ? 2 : 3;
	const char *rows = arena_printf(b->a, "%s IN (SELECT t.%s FROM %s t WHERE %s LIMIT ?%d)", b->row, b->row,
					t->name, where, most);
	b->steps[b->n++] = (struct erase_step){
		.table = t,
		.verb = set == NULL ? ERASE_DELETE : ERASE_CHANGE,
		.sql = set == NULL
			       ? arena_printf(b->a, "DELETE FROM %s WHERE tenant_id = ?1 AND %s", t->name, rows)
			       : arena_printf(b->a, "UPDATE %s SET %s WHERE tenant_id = ?1 AND %s", t->name, set, rows),
		.count = arena_printf(b->a, "SELECT count(*) FROM %s t WHERE %s", t->name, where),
	};
}

/* What rows that stay lose: the SET list, and (for tables that are not found through the person any more once it is
 * done) a condition that something is left to lose.  NULL: they lose nothing. */
static const char *losses(struct builder *b, const struct map_table *t, const char **ret_left)
{
	size_t n;
	const struct map_column *c = map_table_columns(t, &n);
	auto_buf set, left;
	buf_init(&set, 16 * KIB);
	buf_init(&left, 16 * KIB);
	for (size_t i = 0; i < n; i++) {
		if (c[i].erase != MAP_ERASE_NULL && c[i].erase != MAP_ERASE_PSEUDONYM)
			continue;
		bool null = c[i].erase == MAP_ERASE_NULL;
		const char *value = null ? "NULL" : b->pseudonym;
		buf_printf(&set, "%s%s = %s", set.len > 0 ? ", " : "", c[i].name, value);
		if (null)
			buf_printf(&left, "%st.%s IS NOT NULL", left.len > 0 ? " OR " : "", c[i].name);
	}
	if (set.len == 0)
		return NULL;
	*ret_left = arena_strndup(b->a, left.data, left.len);
	return arena_strndup(b->a, set.data, set.len);
}

static void add_device_table_of_user(struct builder *b, const struct map_table *t)
{
	const char *left, *set;
	switch (t->erase) {
	case MAP_TABLE_DELETE: add_step(b, t, OF_USERS_DEVICE(""), NULL); return;
	case MAP_TABLE_OWED:
		add_step(b, t, OF_USERS_DEVICE(" AND d.owner_type = 'personal'") " AND t.owed_action IS NULL", NULL);
		break;
	default: add_step(b, t, OF_USERS_DEVICE(" AND d.owner_type = 'personal'"), NULL); break;
	}
	set = losses(b, t, &left);
	if (set != NULL)
		add_step(b, t, arena_printf(b->a, OF_USERS_DEVICE(" AND d.owner_type = 'company'") " AND (%s)", left),
			 set);
}

static void add_user_table(struct builder *b, const struct map_table *t)
{
	const char *left, *mine = "t.tenant_id = ?1 AND t.user_id = ?2";
	if (t->erase == MAP_TABLE_DELETE) {
		add_step(b, t, mine, NULL);
		return;
	}
	/* user_id itself is among the losses: a changed row is not found again */
	if (t->erase == MAP_TABLE_KEEP) {
		add_step(b, t, mine, losses(b, t, &left));
		return;
	}
	check(t->erase == MAP_TABLE_UNLINK);
	add_step(b, t, arena_printf(b->a, "%s AND t.owner_type = 'personal'", mine), NULL);
	add_step(b, t, arena_printf(b->a, "%s AND t.owner_type = 'company'", mine), losses(b, t, &left));
}

static void add_table_of_device(struct builder *b, const struct map_table *t)
{
	const char *mine = subject_where(b->a, t, SUBJECT_DEVICE, 0);
	add_step(b, t, t->erase == MAP_TABLE_OWED ? arena_printf(b->a, "%s AND t.owed_action IS NULL", mine) : mine,
		 NULL);
}

static void add_named(struct builder *b, const struct map_table *t)
{
	size_t n;
	const struct map_path *p = map_table_paths(t, &n);
	auto_buf set;
	buf_init(&set, 4 * KIB);
	for (size_t i = 0; i < n; i++)
		if (names(&p[i]))
			buf_printf(&set, "%s%s = CASE WHEN %s = ?2 THEN NULL ELSE %s END", set.len > 0 ? ", " : "", p[i].column, p[i].column,
				   p[i].column);
	add_step(b, t, where_named(b->a, t), arena_strndup(b->a, set.data, set.len));
	b->steps[b->n - 1].of_others = true;
}

/* Rows that are found through others (a device's, by its user) go first; so the tables with a link of their own come
 * last, and in the reverse order of the map, which begins with the account. */
static void build_for_person(struct builder *b, const struct map_table *t, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (t[i].link == MAP_LINK_DEVICE && subject_parts(&t[i], b->type) > 0) {
			if (b->type == SUBJECT_USER)
				add_device_table_of_user(b, &t[i]);
			else
				add_table_of_device(b, &t[i]);
		}
	for (size_t i = n; i-- > 0;)
		if (t[i].link == MAP_LINK_USER && subject_parts(&t[i], b->type) > 0) {
			if (b->type == SUBJECT_USER)
				add_user_table(b, &t[i]);
			else
				add_table_of_device(b, &t[i]);
		}
	for (size_t i = 0; i < n && b->type == SUBJECT_USER; i++)
		if (subject_names(&t[i]))
			add_named(b, &t[i]);
}

/* The tenant's own row goes last of all, by erasure.  The log has its own way out (audit_purge_tenant). */
static void build_for_tenant(struct builder *b, const struct map_table *t, size_t n, unsigned domain_mask)
{
	for (size_t i = 0; i < n; i++)
		if ((domain_mask & 1u << t[i].domain) != 0 && t[i].domain != MAP_DOMAIN_LOG && subject_parts(&t[i], SUBJECT_TENANT) > 0 &&
		    strcmp(t[i].name, "tenants") != 0)
			add_step(b, &t[i], subject_where(b->a, &t[i], SUBJECT_TENANT, 0), NULL);
}

static struct made_steps make_steps(bool sqlite, enum subject_type type, unsigned domain_mask)
{
	size_t n;
	const struct map_table *t = map_tables(&n);
	struct builder b = {.a = made.arena,
			    .type = type,
			    .row = sqlite ? "rowid" : "ctid",
			    .pseudonym = sqlite ? "'device-' || lower(hex(substr(device_id, 13, 4)))"
						: "'device-' || encode(substr(device_id, 13, 4), 'hex')"};
	b.steps = arena_alloc(b.a, 3 * n * sizeof *b.steps);
	if (type == SUBJECT_TENANT)
		build_for_tenant(&b, t, n, domain_mask);
	else
		build_for_person(&b, t, n);
	return (struct made_steps){.type = type, .sqlite = sqlite, .domains = domain_mask, .v = b.steps, .n = b.n};
}

enum err subject_erase_steps(struct scope *s, enum subject_type type, unsigned domain_mask, struct erase_step **ret,
			     size_t *ret_n)
{
	bool sqlite = db_engine(s->db) == DB_SQLITE;
	unsigned mask = type == SUBJECT_TENANT ? domain_mask : 0;
	size_t i = 0;
	lock_made();
	while (i < made.steps_n && !(made.steps[i].type == type && made.steps[i].sqlite == sqlite && made.steps[i].domains == mask))
		i++;
	if (i == made.steps_n) {
		check(i < SETS_MOST); /* types, engines, and the few masks of a tenant */
		made.steps[made.steps_n++] = make_steps(sqlite, type, mask);
	}
	*ret = made.steps[i].v;
	*ret_n = made.steps[i].n;
	pthread_mutex_unlock(&made.lock);
	return OK;
}
