/* SPDX-License-Identifier: Apache-2.0
 * A subscription's life: what somebody records, what time does to it, and what either means for the tenant. */
#include "directory/subscription.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "directory/tenant_internal.h"
#include "resource/tables.h"

#define COLUMNS "subscription_id, product, status, sku_id, is_trial, total_licenses, next_lifecycle_at"
/* A tenant has a handful of subscriptions: its own rows are read by the key's first column. */
DB_TENANT(subscription_insert,
	  "INSERT INTO subscriptions (tenant_id, subscription_id, product, status, created_at, sku_id, is_trial, total_licenses, next_lifecycle_at) "
	  "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
DB_TENANT(subscription_select, "SELECT " COLUMNS " FROM subscriptions WHERE tenant_id = ?1 AND product = ?2");
DB_TENANT(subscription_by_id, "SELECT " COLUMNS " FROM subscriptions WHERE tenant_id = ?1 AND subscription_id = ?2");
DB_TENANT(subscription_count, "SELECT count(*) FROM subscriptions WHERE tenant_id = ?1");
DB_TENANT(subscription_update,
	  "UPDATE subscriptions SET status = ?3, sku_id = ?4, is_trial = ?5, total_licenses = ?6, next_lifecycle_at = ?7 "
	  "WHERE tenant_id = ?1 AND subscription_id = ?2");
DB_TENANT(subscription_active,
	  "SELECT count(CASE WHEN product = '" PRODUCT_DEVICE_MANAGEMENT "' THEN 1 END), count(*) FROM subscriptions "
	  "WHERE tenant_id = ?1 AND status IN ('Enabled', 'Warning')");
DB_GLOBAL(subscription_due,
	  "SELECT tenant_id, subscription_id FROM subscriptions WHERE next_lifecycle_at <= ?1 ORDER BY next_lifecycle_at LIMIT ?2");

enum { PRODUCT_BYTES = 64, SUBSCRIPTIONS_MAX = 100, DUE_AT_ONCE = 64 };

struct subscription {
	struct id id, sku;
	const char *product, *status;
	bool trial;
	int64_t licenses, next_at; /* next_at 0: none */
};

/* ---- the table of states ---- */

static const struct subscription_state STATES[] = {
#define SUBSCRIPTION_STATE(status_, called_, management_, active_, days_, next_)                                             \
	{.status = #status_, .called = called_, .management = management_, .active = active_, .days = days_, .next = #next_},
#define SUBSCRIPTION_MOVE(from, to)
#include "directory/subscription_states.def"
#undef SUBSCRIPTION_STATE
#undef SUBSCRIPTION_MOVE
};
static const char *const MOVES[][2] = {
#define SUBSCRIPTION_STATE(status, called, management, active, days, next)
#define SUBSCRIPTION_MOVE(from, to) {#from, #to},
#include "directory/subscription_states.def"
#undef SUBSCRIPTION_STATE
#undef SUBSCRIPTION_MOVE
};

const struct subscription_state *subscription_states(size_t *ret_n)
{
	*ret_n = sizeof STATES / sizeof STATES[0];
	return STATES;
}

const struct subscription_state *subscription_state(const char *status)
{
	for (size_t i = 0; i < sizeof STATES / sizeof STATES[0]; i++)
		if (strcmp(STATES[i].status, status) == 0)
			return &STATES[i];
	return NULL;
}

bool subscription_may_move(const char *from, const char *to)
{
	for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++)
		if (strcmp(MOVES[i][0], from) == 0 && strcmp(MOVES[i][1], to) == 0)
			return true;
	return false;
}

/* When a status that begins now ends by itself: a paid Enabled one where its term does. */
static int64_t next_at(const struct scope *s, const char *status, bool trial, int64_t ends_at)
{
	const struct subscription_state *state = subscription_state(status);
	bool enabled = strcmp(status, "Enabled") == 0;
	if (enabled && (ends_at != 0 || !trial))
		return ends_at;
	return state->days == 0 ? 0 : s->now + state->days * DAY_US;
}

/* ---- rows ---- */

static enum err load(struct db_tx *tx, struct db_stmt *stmt, struct db_value key, struct subscription *ret)
{
	struct arena *a = db_tx_scope(tx)->arena;
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, stmt, &key, 1, &r));
	*ret = (struct subscription){.id = db_id(r, 0), .product = db_text_dup(r, 1, a), .status = db_text_dup(r, 2, a), .sku = db_id(r, 3),
				     .trial = db_bool(r, 4), .licenses = db_int(r, 5), .next_at = db_int(r, 6)};
	return OK;
}

static struct db_value time_or_null(int64_t t) { return t == 0 ? db_v_null() : db_v_int(t); }

static enum err insert(struct db_tx *tx, const struct subscription *p)
{
	return db_exec(tx, &subscription_insert,
		       DB_ARGS(db_v_id(&p->id), db_v_text(p->product), db_v_text(p->status), db_v_int(db_tx_scope(tx)->now), db_v_id(&p->sku),
			       db_v_int(p->trial), db_v_int(p->licenses), time_or_null(p->next_at)),
		       NULL);
}

static enum err update(struct db_tx *tx, const struct subscription *p)
{
	return db_exec(tx, &subscription_update,
		       DB_ARGS(db_v_id(&p->id), db_v_text(p->status), db_v_id(&p->sku), db_v_int(p->trial), db_v_int(p->licenses),
			       time_or_null(p->next_at)),
		       NULL);
}

enum err subscription_seed(struct db_tx *tx)
{
	struct id id = scope_id(db_tx_scope(tx));
	return insert(tx, &(struct subscription){.id = id, .sku = id, .product = PRODUCT_DEVICE_MANAGEMENT, .status = "Enabled", .licenses = 1});
}

/* ---- the event, and what it means for the tenant ---- */

static struct audit_change **change_if(struct arena *a, struct audit_change **tail, const char *name, const char *column, const char *old,
				       const char *new)
{
	bool same = old == new || (old != NULL && new != NULL && strcmp(old, new) == 0);
	return same ? tail : audit_change_add(a, tail, name, "subscriptions", column, old, new);
}

static const char *time_text(struct arena *a, int64_t t)
{
	char text[TIME_TEXT];
	return t == 0 ? NULL : arena_strdup(a, time_format(t, text));
}

/* old: NULL where the product is new. */
static struct audit_change *differences(struct arena *a, const struct subscription *old, const struct subscription *p)
{
	char before[ID_TEXT], after[ID_TEXT];
	struct audit_change *changes = NULL, **tail = &changes;
	tail = change_if(a, tail, "status", "status", old == NULL ? NULL : old->status, p->status);
	if (old == NULL)
		return changes;
	tail = change_if(a, tail, "skuId", "sku_id", id_format(old->sku, before), id_format(p->sku, after));
	tail = change_if(a, tail, "isTrial", "is_trial", old->trial ? "true" : "false", p->trial ? "true" : "false");
	tail = change_if(a, tail, "totalLicenses", "total_licenses", arena_printf(a, "%lld", (long long)old->licenses),
			 arena_printf(a, "%lld", (long long)p->licenses));
	change_if(a, tail, "nextLifecycleDateTime", "next_lifecycle_at", time_text(a, old->next_at), time_text(a, p->next_at));
	return changes;
}

static enum err write_change(struct db_tx *tx, const struct subscription *old, const struct subscription *p)
{
	TRY(old == NULL ? insert(tx, p) : update(tx, p));
	return audit_record(tx, &(struct audit_event){.activity = ACT_SUBSCRIPTION_SET, .resource_type = RES_SUBSCRIPTION.entity, .resource = p->id,
						      .resource_name = p->product, .changes = differences(db_tx_scope(tx)->arena, old, p)});
}

static enum err count_active(struct db_tx *tx, int64_t *ret_management, int64_t *ret_all)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &subscription_active, DB_NOARGS, &r));
	*ret_management = db_int(r, 0);
	*ret_all = db_int(r, 1);
	return OK;
}

/* The clock of a closing starts where device management, or everything, ends; the tenant's own return stops it. */
static enum err follow(struct db_tx *tx, const struct tenant *t, const struct subscription *p)
{
	int64_t management, all;
	bool own = strcmp(p->product, PRODUCT_DEVICE_MANAGEMENT) == 0, active = subscription_state(p->status)->active;
	TRY(count_active(tx, &management, &all));
	if (!active && strcmp(t->state, "active") == 0 && (own || all == 0))
		return tenant_begin_closing(tx, t);
	return own && active && strcmp(t->state, "closing") == 0 ? tenant_end_closing(tx, t) : OK;
}

/* ---- by hand ---- */

struct set {
	const struct subscription_order *o;
	bool changed;                    /* out */
	struct tenant t;                 /* out: as it was */
};

static void fill(const struct scope *s, const struct subscription_order *o, struct subscription *p)
{
	bool moves = p->status == NULL || strcmp(p->status, o->status) != 0, was_trial = p->trial;
	p->status = o->status;
	if (o->trial >= 0)
		p->trial = o->trial != 0;
	if (o->licenses > 0)
		p->licenses = o->licenses;
	if (!id_is_nil(o->sku))
		p->sku = o->sku;
	if (moves || o->ends_at != 0 || was_trial != p->trial)
		p->next_at = next_at(s, p->status, p->trial, o->ends_at);
}

static enum err may_become(struct scope *s, const struct subscription *old, const struct subscription_order *o)
{
	if (old == NULL && strcmp(o->status, "Enabled") != 0)
		return scope_fail(s, ERR_CONFLICT, "a product is Enabled when it is recorded first");
	if (old != NULL && strcmp(old->status, o->status) != 0 && !subscription_may_move(old->status, o->status))
		return scope_fail(s, ERR_CONFLICT, "a subscription cannot go from %s to %s by hand%s", old->status, o->status,
				  strcmp(o->status, "Deleted") == 0 ? ": LockedOut cancels it, and three days later it is Deleted" : "");
	if (o->ends_at != 0 && (strcmp(o->status, "Enabled") != 0 || o->ends_at <= s->now))
		return scope_fail(s, ERR_BAD_REQUEST, "nextLifecycleDateTime is when an Enabled subscription expires, and lies ahead");
	return OK;
}

static enum err begin(struct db_tx *tx, const struct subscription_order *o, struct subscription *ret)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &subscription_count, DB_NOARGS, &r));
	if (db_int(r, 0) >= SUBSCRIPTIONS_MAX)
		return scope_fail(s, ERR_CONFLICT, "a tenant has at most %d subscriptions", (int)SUBSCRIPTIONS_MAX);
	struct id id = scope_id(s);
	*ret = (struct subscription){.id = id, .sku = id, .product = o->product, .licenses = 1};
	return OK;
}

static bool same(const struct subscription *a, const struct subscription *b)
{
	return strcmp(a->status, b->status) == 0 && a->trial == b->trial && a->licenses == b->licenses && id_equal(a->sku, b->sku) &&
	       a->next_at == b->next_at;
}

static enum err set_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct set *a = arg;
	struct subscription old, p;
	TRY(tenant_load(tx, &a->t));
	if (strcmp(a->t.state, "purging") == 0) /* what goes was decided when it began */
		return scope_fail(s, ERR_CONFLICT, "the tenant's data is going already");
	enum err e = load(tx, &subscription_select, db_v_text(a->o->product), &old);
	bool there = e == OK;
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	s->detail = NULL;
	TRY(may_become(s, there ? &old : NULL, a->o));
	if (there)
		p = old;
	else
		TRY(begin(tx, a->o, &p));
	fill(s, a->o, &p);
	a->changed = !there || !same(&old, &p);
	if (!a->changed)
		return OK;
	TRY(write_change(tx, there ? &old : NULL, &p));
	return there && strcmp(old.status, p.status) == 0 ? OK : follow(tx, &a->t, &p);
}

static bool product_fits(const char *p)
{
	size_t n = strlen(p);
	for (size_t i = 0; i < n; i++)
		if ((p[i] < 'a' || p[i] > 'z') && (p[i] < 'A' || p[i] > 'Z') && (p[i] < '0' || p[i] > '9') &&
		    strchr("-_.", p[i]) == NULL)
			return false;
	return n > 0 && n <= PRODUCT_BYTES;
}

enum err subscription_set(struct scope *s, struct id tenant, const struct subscription_order *o)
{
	bool own = s->has_tenant && id_equal(s->tenant, tenant);
	if (!own)
		TRY(tenant_operator_only(s));
	if (id_is_nil(tenant))
		return scope_fail(s, ERR_NOT_FOUND, "the installation itself has no subscriptions");
	if (!product_fits(o->product))
		return scope_fail(s, ERR_BAD_REQUEST, "a product's name has 1 to 64 letters, digits, dots, dashes and underscores");
	if (subscription_state(o->status) == NULL)
		return scope_fail(s, ERR_BAD_REQUEST, "status must be Enabled, Warning, Suspended, Deleted or LockedOut");
	if (o->licenses < 0 || o->licenses > SUBSCRIPTION_LICENSES_MAX)
		return scope_fail(s, ERR_BAD_REQUEST, "totalLicenses is a number from 1 to %d", (int)SUBSCRIPTION_LICENSES_MAX);
	struct set a = {.o = o};
	TRY(tenant_write(s, tenant, set_tx, &a));
	if (a.changed && !own)
		tenant_tell_installation(s, ACT_SUBSCRIPTION_SET, tenant, a.t.display_name);
	return OK;
}

/* ---- as part of a closing ---- */

enum err subscription_move_management(struct db_tx *tx, const char *status)
{
	struct scope *s = db_tx_scope(tx);
	struct subscription old, p;
	enum err e = load(tx, &subscription_select, db_v_text(PRODUCT_DEVICE_MANAGEMENT), &old);
	if (e == ERR_NOT_FOUND) {
		s->detail = NULL;
		return OK;
	}
	TRY(e);
	p = old;
	p.status = status;
	p.next_at = next_at(s, status, p.trial, 0);
	bool ends = !subscription_state(status)->active, ended = !subscription_state(old.status)->active;
	bool overtaken = ends && ended && strcmp(status, "Deleted") != 0; /* it has its own clock already */
	return overtaken || strcmp(old.status, status) == 0 ? OK : write_change(tx, &old, &p);
}

/* ---- by time ---- */

struct due {
	struct id tenant[DUE_AT_ONCE], id[DUE_AT_ONCE];
	size_t n;
};

static enum err due_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct due *d = arg;
	auto_rows struct db_rows *r = NULL;
	d->n = 0;
	TRY(db_query(tx, &subscription_due, DB_ARGS(db_v_int(s->now), db_v_int(DUE_AT_ONCE)), &r));
	for (; d->n < DUE_AT_ONCE && db_next(r); d->n++) {
		d->tenant[d->n] = db_id(r, 0);
		d->id[d->n] = db_id(r, 1);
	}
	return db_rows_err(r);
}

/* A server that slept gives each stage its whole time. */
static enum err advance_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const struct id *id = arg;
	struct subscription old, p;
	struct tenant t;
	TRY(tenant_load(tx, &t));
	TRY(load(tx, &subscription_by_id, db_v_id(id), &old));
	if (old.next_at == 0 || old.next_at > s->now)
		return OK;
	p = old;
	p.status = subscription_state(old.status)->next;
	p.next_at = next_at(s, p.status, p.trial, 0);
	TRY(write_change(tx, &old, &p));
	return follow(tx, &t, &p);
}

enum err subscription_run_due(struct scope *s, bool *ret_more)
{
	struct due d;
	TRY(db_read(s, due_tx, &d));
	*ret_more = d.n == DUE_AT_ONCE;
	for (size_t i = 0; i < d.n; i++) {
		char text[ID_TEXT];
		enum err e = tenant_write(s, d.tenant[i], advance_tx, &d.id[i]);
		if (e != OK)
			log_event(LOG_WARN, "subscription_due", "subscription=%s error=%s", id_format(d.id[i], text), err_name(e));
		*ret_more = *ret_more && e == OK;
	}
	return OK;
}

/* ---- read ---- */

enum err tenant_keeps_directory(struct db_tx *tx, bool *ret)
{
	int64_t management, all;
	TRY(count_active(tx, &management, &all));
	*ret = all > management;
	return OK;
}

static enum err management_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	const char **ret = arg;
	struct subscription p;
	enum err e = load(tx, &subscription_select, db_v_text(PRODUCT_DEVICE_MANAGEMENT), &p);
	*ret = subscription_state(e == OK ? p.status : "Deleted")->management;
	if (e == ERR_NOT_FOUND)
		s->detail = NULL;
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err subscription_of_management(struct scope *s, const char **ret)
{
	return db_read(s, management_tx, (void *)ret);
}

enum err subscription_write_plans(struct db_tx *tx, struct json_writer *w, struct id subscription)
{
	struct subscription p;
	TRY(load(tx, &subscription_by_id, db_v_id(&subscription), &p));
	jw_array(w);
	jw_object(w);
	jw_kid(w, "servicePlanId", p.sku);
	jw_kstring(w, "servicePlanName", p.product);
	jw_kstring(w, "provisioningStatus", subscription_state(p.status)->active ? "Success" : "Disabled");
	jw_kstring(w, "appliesTo", "User");
	jw_end_object(w);
	jw_end_array(w);
	return OK;
}
