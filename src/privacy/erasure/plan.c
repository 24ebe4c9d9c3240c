/* SPDX-License-Identifier: Apache-2.0
 *
 * From suppressed to deleting: the plan is counted and frozen, the needles are sealed, and the ledger entry is on disk,
 * in this order, before the first row goes.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "codec/json.h"
#include "devices/action.h"
#include "devices/device.h"
#include "devices/effects.h"
#include "keeper/keeper.h"
#include "notice/notice.h"
#include "privacy/erasure/internal.h"
#include "privacy/restore/restore.h"

DB_TENANT(audit_until,
	  "SELECT max(x.until) FROM (SELECT max(expires_at) AS until FROM audit_events WHERE tenant_id = ?1 AND "
	  "actor_id = ?2 "
	  "UNION ALL SELECT max(expires_at) FROM audit_events WHERE tenant_id = ?1 AND subject_id = ?2) x");

/* ---- counting ---- */

/* own: some of the rows that stay are the subject's, not others'. */
static const char *ground_of(const struct map_table *t, enum subject_type type, bool own)
{
	if (!own)
		return "recordOfOthers";
	switch (t->erase) {
	case MAP_TABLE_RETENTION: return "auditRetention";
	case MAP_TABLE_OWED: return type == SUBJECT_USER ? "companyDeviceOrOwedAction" : "owedAction";
	default: return map_column(t->name, "device_id") != NULL ? "companyDevice" : "requestRecord";
	}
}

static enum err count_text(struct db_tx *tx, const char *sql, const struct db_value *args, size_t n, int64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_text(tx, DB_REACH_TENANT, sql, args, n, &r));
	if (db_next(r))
		*ret += db_int(r, 0);
	return db_rows_err(r);
}

static enum err count_events_until(struct db_tx *tx, struct id subject, int64_t *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &audit_until, DB_ARGS(db_v_id(&subject)), &r));
	if (db_next(r))
		*ret = db_int(r, 0);
	return db_rows_err(r);
}

static enum err count_table(struct db_tx *tx, enum subject_type type, struct id subject, const struct erase_step *steps,
			    size_t n, struct table_count *c)
{
	struct db_value who = db_v_id(&subject);
	int64_t of_others = 0;
	TRY(subject_count(tx, c->table, type, subject, &c->found));
	for (size_t i = 0; i < n; i++)
		if (steps[i].table == c->table)
			TRY(count_text(tx, steps[i].count, &who, type == SUBJECT_TENANT ? 0 : 1,
				       steps[i].verb == ERASE_DELETE ? &c->deleted
				       : steps[i].of_others	     ? &of_others
								     : &c->changed));
	bool own = c->changed > 0 || c->found > c->deleted + of_others;
	c->changed += of_others;
	c->kept = c->found - c->deleted - c->changed;
	if (c->kept + c->changed > 0 && type != SUBJECT_TENANT)
		c->ground = ground_of(c->table, type, own);
	if (c->kept > 0 && c->table->link == MAP_LINK_AUDIT && type == SUBJECT_USER)
		TRY(count_events_until(tx, subject, &c->until));
	return OK;
}

enum err plan_count(struct db_tx *tx, enum subject_type type, struct id subject, unsigned domain_mask,
		    struct table_count **ret, size_t *ret_n)
{
	struct scope *s = db_tx_scope(tx);
	struct erase_step *steps;
	size_t n, step_n;
	const struct map_table *t = map_tables(&n);
	TRY(subject_erase_steps(s, type, domain_mask, &steps, &step_n));
	*ret = arena_alloc(s->arena, n * sizeof **ret);
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		if (subject_parts(&t[i], type) == 0)
			continue;
		if (type == SUBJECT_TENANT &&
		    ((domain_mask & 1u << t[i].domain) == 0 || strcmp(t[i].name, "tenants") == 0))
			continue; /* the tenant's own row goes after its certificate */
		struct table_count *c = &(*ret)[(*ret_n)++];
		*c = (struct table_count){.table = &t[i]};
		TRY(count_table(tx, type, subject, steps, step_n, c));
	}
	return OK;
}

/* ---- what is known to remain ---- */

static const char *action_of(const char *trigger)
{
	if (strcmp(trigger, DUTY_BY_WIPE) == 0)
		return "wipe";
	if (strcmp(trigger, DUTY_BY_LEAVE) == 0)
		return "leave";
	return strcmp(trigger, DUTY_BY_DEVICE_DELETE) == 0 ? "delete" : "retire";
}

static void add_residue(json_t *list, const char *what, const char *text)
{
	size_t i;
	json_t *v;
	json_array_foreach(list, i, v) if (strcmp(json_string_value(json_object_get(v, "what")), what) == 0) return;
	json_array_append_new(list, json_pack("{s:s, s:s}", "what", what, "text", text));
}

/* It refused, came back, or waited for longer than the tenant wanted: nothing will take back what it holds. */
static enum err residue_of_outcome(struct db_tx *tx, struct id device, json_t *list)
{
	struct device_action a;
	enum err e = action_last_removal(tx, device, &a);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	bool returned = a.outcome != NULL && strcmp(a.outcome, OUTCOME_RETURNED) == 0;
	if (returned)
		add_residue(list, "deviceReturned", "the device had confirmed and was seen again: what it holds may still be on it");
	else if (a.state == ACTION_notSupported || a.state == ACTION_canceled)
		add_residue(list, "deviceNotConfirmed", "the device has not confirmed and will not be asked again: what it holds stays");
	return OK;
}

static enum err residues_of_device(struct db_tx *tx, struct id device, const char *action, json_t *list)
{
	struct device d;
	const struct effect *f;
	size_t at = 0;
	enum err e = device_load(tx, device, true, &d);
	if (e == ERR_NOT_FOUND) {
		/* no failure: its person's erasure took the record, and says what remains */
		db_tx_scope(tx)->detail = NULL;
		return OK;
	}
	TRY(e);
	while ((f = effects_next(&at, d.platform, d.owner, action)) != NULL)
		if (effect_is_residue(f))
			add_residue(list, f->what, f->text);
	return residue_of_outcome(tx, device, list);
}

static enum err residues(struct db_tx *tx, struct erase_job *j, const struct needles *n)
{
	json_t *list = json_array();
	json_object_set_new(j->progress, "residues", list);
	for (size_t i = 0; i < n->device_n; i++)
		TRY(residues_of_device(tx, n->devices[i], action_of(j->d.trigger), list));
	if (j->type == SUBJECT_DEVICE && progress_int(j, "owed") > 0)
		add_residue(
			list, "deviceNotConfirmed",
			"the device has not confirmed: what it holds stays until it comes back for the action that it "
			"still owes");
	if (j->type == SUBJECT_USER && n->device_n > 0)
		add_residue(
			list, "personalDevices",
			"what the person's own devices hold: each has been told to retire and has a duty of its own");
	if (j->type == SUBJECT_TENANT) {
		int64_t silent;
		TRY(tenant_devices_silent(tx, &silent));
		if (silent > 0)
			add_residue(list, "devicesNotConfirmed",
				    arena_printf(j->s.arena, "what %lld devices hold: each was told to retire and has not confirmed",
						 (long long)silent));
	}
	return OK;
}

/* Whether the entry may be in the ledger already: a crash after the append leaves it without a note of it in the database, and so does a commit
 * that failed.  Of a duty that this process planned the process knows, and need not read a ledger of years. */
static struct {
	pthread_mutex_t lock;
	char process[ID_TEXT];
	struct {
		struct id duty;
		bool begun; /* the database knows */
	} last[4096];
	size_t n;
	bool overflowed; /* one that the database does not know was forgotten */
} entered = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *this_process(void)
{
	pthread_mutex_lock(&entered.lock);
	if (entered.process[0] == '\0')
		id_format(id_new(clock_now()), entered.process);
	pthread_mutex_unlock(&entered.lock);
	return entered.process;
}

enum { REMEMBERED = sizeof entered.last / sizeof entered.last[0] };

/* Its place among those that are remembered; REMEMBERED: it is none of them. */
static size_t place_of(struct id duty)
{
	size_t i = 0, n = entered.n < REMEMBERED ? entered.n : REMEMBERED;
	while (i < n && !id_equal(entered.last[i].duty, duty))
		i++;
	return i < n ? i : REMEMBERED;
}

static void note_entered(struct id duty, bool begun)
{
	pthread_mutex_lock(&entered.lock);
	size_t i = place_of(duty);
	if (i == REMEMBERED) {
		i = entered.n % REMEMBERED;
		entered.overflowed = entered.overflowed || (entered.n >= REMEMBERED && !entered.last[i].begun);
		entered.n++;
	}
	entered.last[i].duty = duty;
	entered.last[i].begun = begun;
	pthread_mutex_unlock(&entered.lock);
}

static bool may_be_entered(const struct erase_job *j)
{
	const char *planned_by = json_string_value(json_object_get(j->progress, "process"));
	if (planned_by == NULL || strcmp(planned_by, this_process()) != 0)
		return true;
	pthread_mutex_lock(&entered.lock);
	bool may = entered.overflowed || place_of(j->d.duty) != REMEMBERED;
	pthread_mutex_unlock(&entered.lock);
	return may;
}

/* ---- the frozen plan ---- */

static void write_plan(struct json_writer *w, const struct erase_job *j, const struct table_count *c, size_t n)
{
	struct arena *a = j->s.arena;
	uint8_t map[SHA256_BYTES];
	const char *text = map_version_text(a);
	sha256(text, strlen(text), map);
	jw_object(w);
	jw_key(w, "mapVersion");
	jw_hex(w, map, sizeof map);
	jw_ktime(w, "computedDateTime", j->s.now);
	jw_key(w, "tables");
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		jw_kstring(w, "table", c[i].table->name);
		jw_kint(w, "found", c[i].found);
		jw_kint(w, "delete", c[i].deleted);
		jw_kint(w, "change", c[i].changed);
		jw_kint(w, "keep", c[i].kept);
		if (c[i].ground != NULL)
			jw_kstring(w, "ground", c[i].ground);
		if (c[i].until != 0)
			jw_ktime(w, "until", c[i].until);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_end_object(w);
}

struct planning {
	struct erase_job *j;
	struct needles needles;
	const char *text;
};

static enum err plan_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct planning *p = arg;
	struct table_count *c;
	size_t n;
	struct json_writer w;
	auto_buf out;
	buf_init(&out, 64 * KIB);
	TRY(needles_collect(tx, p->j, &p->needles));
	TRY(plan_count(tx, p->j->type, p->j->d.subject, tenant_domains(p->j), &c, &n));
	TRY(residues(tx, p->j, &p->needles));
	TRY(certificate_collect_device(tx, p->j));
	json_object_del(p->j->progress, "tables");
	for (size_t i = 0; i < n; i++) {
		json_t *row = progress_table(p->j, c[i].table->name);
		json_object_set_new(row, "found", json_integer(c[i].found));
		if (c[i].ground != NULL)
			json_object_set_new(row, "ground", json_string(c[i].ground));
		if (c[i].until != 0)
			json_object_set_new(row, "until", json_integer(c[i].until));
	}
	jw_init(&w, &out);
	write_plan(&w, p->j, c, n);
	check(!out.failed);
	p->text = arena_strndup(s->arena, out.data, out.len);
	return OK;
}

/* The last moment in which it can wait.  Others are told in the transaction that makes it final. */
static enum err freeze_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct planning *p = arg;
	struct duty *d = &p->j->d;
	bool held;
	TRY(erasure_hold(tx, p->j, &held));
	if (held)
		return OK;
	if (p->j->type == SUBJECT_USER)
		TRY(notice_erasure(tx, d->duty, d->subject, d->requested_at));
	TRY(duty_set_plan(tx, p->j->d.duty, p->text));
	return progress_save(tx, p->j);
}

static enum err make_plan(struct erase_job *j)
{
	struct planning p = {.j = j};
	TRY(db_read(&j->s, plan_tx, &p));
	TRY(needles_put(j, &p.needles));
	char hex[2 * SHA256_BYTES + 1];
	uint8_t reference[SHA256_BYTES];
	subject_reference(j->s.keeper, j->d.tenant, j->d.subject, reference);
	hex_encode(reference, sizeof reference, hex);
	json_object_set_new(j->progress, "reference", json_string(hex));
	progress_set_int(j, "planned", 1);
	json_object_set_new(j->progress, "process", json_string(this_process()));
	progress_set_int(j, "ledgerFrom", (int64_t)keeper_ledger_size(j->s.keeper) + 1);
	return db_write_low(&j->s, freeze_tx, &p);
}

/* ---- the ledger ---- */

struct ledger_entry {
	const char *text;
	size_t n;
	uint64_t sequence; /* out; 0: not there */
};

static bool is_entry(void *arg, uint64_t sequence, const char *json, size_t n)
{
	struct ledger_entry *want = arg;
	if (n == want->n && memcmp(json, want->text, n) == 0)
		want->sequence = sequence;
	return want->sequence == 0;
}

/* What a replay against a restored database needs: whose rows, since when, by which map.  The subject's id itself is
 * not in it. */
static const char *entry_text(struct erase_job *j)
{
	uint8_t reference[SHA256_BYTES], plan[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1], plan_hex[2 * SHA256_BYTES + 1], tenant[ID_TEXT], duty[ID_TEXT], when[TIME_TEXT];
	subject_reference(j->s.keeper, j->d.tenant, j->d.subject, reference);
	hex_encode(reference, sizeof reference, hex);
	const char *directory = j->type != SUBJECT_TENANT ? "" : tenant_goes_whole(j) ? ",\"keepsDirectory\":false" : ",\"keepsDirectory\":true";
	sha256(j->d.plan, strlen(j->d.plan), plan);
	hex_encode(plan, sizeof plan, plan_hex);
	return arena_printf(
		j->s.arena,
		"{\"type\":\"erasure\",\"tenantId\":\"%s\",\"dutyId\":\"%s\",\"subjectType\":\"%s\",\"subject\":\"%s\","
		"\"requestedDateTime\":\"%s\",\"plan\":\"%s\",\"trigger\":\"%s\"%s}",
		id_format(j->d.tenant, tenant), id_format(j->d.duty, duty), j->d.subject_type, hex,
		time_format(j->d.requested_at, when), plan_hex, j->d.trigger, directory);
}

static enum err begin_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct erase_job *j = arg;
	TRY(progress_save(tx, j));
	return duty_move(tx, j->d.duty, DUTY_suppressed, DUTY_deleting, NULL);
}

static enum err append_and_begin(struct erase_job *j)
{
	struct keeper *k = j->s.keeper;
	struct ledger_entry entry = {.text = entry_text(j)};
	char hex[2 * SHA256_BYTES + 1];
	uint8_t hash[SHA256_BYTES];
	entry.n = strlen(entry.text);
	uint64_t from = (uint64_t)progress_int(j, "ledgerFrom");
	if (may_be_entered(j) && keeper_ledger_size(k) >= from)
		TRY(keeper_ledger_read(k, &j->s, from, is_entry, &entry));
	if (entry.sequence == 0)
		TRY(keeper_ledger_append(k, &j->s, entry.text, entry.n, &entry.sequence, NULL));
	note_entered(j->d.duty, false);
	sha256(entry.text, entry.n, hash);
	hex_encode(hash, sizeof hash, hex);
	json_object_del(j->progress, "process");
	progress_set_int(j, "ledgerSequence", (int64_t)entry.sequence);
	json_object_set_new(j->progress, "ledgerHash", json_string(hex));
	TRY(db_write_low(&j->s, begin_tx, j));
	note_entered(j->d.duty, true);
	return OK;
}

static enum err reload_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct duty *d = arg;
	return duty_load(tx, d->duty, d);
}

/* The duty was called back in this very moment: a restored database must not be told to delete its subject. */
static void withdraw(struct erase_job *j)
{
	char tenant[ID_TEXT], duty[ID_TEXT];
	struct scope s = j->s;
	struct duty d = j->d;
	if (db_read(&s, reload_tx, &d) != OK || d.state != DUTY_cancelled)
		return;
	const char *text = arena_printf(s.arena, "{\"type\":\"withdrawal\",\"tenantId\":\"%s\",\"dutyId\":\"%s\"}",
					id_format(d.tenant, tenant), id_format(d.duty, duty));
	enum err e = keeper_ledger_append(s.keeper, &s, text, strlen(text), NULL, NULL);
	if (e != OK)
		log_event(LOG_ERROR, "erasure_withdrawal", "duty=%s error=%s", duty, err_name(e));
}

/* Meanwhile the database's position in the ledger stands still (restore.h). */
static enum err enter_ledger(struct erase_job *j)
{
	restore_entering();
	enum err e = append_and_begin(j);
	if (e == ERR_CONFLICT)
		withdraw(j);
	restore_entered(e == OK);
	return e;
}

enum err step_suppressed(struct erase_job *j)
{
	struct needles n;
	if (j->type == SUBJECT_USER && !progress_has(j, "devicesAt"))
		return erasure_tell_devices(j);
	if (!progress_has(j, "planned") || j->d.plan == NULL)
		return make_plan(j);
	enum err e = needles_get(j, &n);
	if (e == ERR_NOT_FOUND)
		return make_plan(j);
	TRY(e);
	return enter_ledger(j);
}
