/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine of device actions: the table of states, compare-and-set moves with their event, and how people see them.
 */
#include "devices/action.h"

#include <string.h>

#include "devices/effects.h"
#include "resource/action_outcome.h"

#define COLUMNS "action_id, device_id, action_name, asked_as, state, parameters, error, outcome, requested_at, updated_at"

DB_TENANT(action_insert,
	  "INSERT INTO device_actions (tenant_id, action_id, device_id, action_name, asked_as, state, requested_by, "
	  "parameters, requested_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)");
DB_TENANT(action_set_state,
	  "UPDATE device_actions SET state = ?4, error = ?5, outcome = ?6, updated_at = ?7 WHERE tenant_id = ?1 "
	  "AND action_id = ?2 AND state = ?3");
DB_TENANT(action_set_silent,
	  "UPDATE device_actions SET outcome = ?4 WHERE tenant_id = ?1 AND action_id = ?2 AND state = ?3 AND outcome IS NULL");
DB_TENANT(action_set_claimed, "UPDATE device_actions SET asked_as = ?3 WHERE tenant_id = ?1 AND action_id = ?2");
DB_TENANT(action_by_id, "SELECT " COLUMNS " FROM device_actions WHERE tenant_id = ?1 AND action_id = ?2");
DB_TENANT(action_open_by_device,
	  "SELECT " COLUMNS " FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 AND state IN ('pending', 'issued', 'notNow') "
	  "ORDER BY requested_at, action_id");
DB_TENANT(action_removal_newest,
	  "SELECT " COLUMNS " FROM device_actions WHERE tenant_id = ?1 AND device_id = ?2 AND action_name IN ('retire', 'wipe') "
	  "ORDER BY requested_at DESC, action_id DESC LIMIT 1");
DB_TENANT(action_newest,
	  "SELECT t.action_name, t.state, t.requested_at, t.updated_at, t.asked_as, " ACTION_OUTCOME ", d.platform, d.owner_type "
	  "FROM device_actions t JOIN managed_devices d ON d.tenant_id = t.tenant_id AND d.device_id = t.device_id WHERE t.tenant_id = ?1 "
	  "AND t.device_id = ?2 ORDER BY t.requested_at DESC, t.action_id DESC LIMIT 32");

static const struct {
	const char *name, *graph;
	bool open;
} STATES[] = {
#define STATE(name, open, graph, meaning) {#name, graph, open},
#define MOVE(from, to)
#include "devices/action_states.def"
#undef STATE
#undef MOVE
};

static const struct {
	enum action_state from, to;
} MOVES[] = {
#define STATE(name, open, graph, meaning)
#define MOVE(from, to) {ACTION_##from, ACTION_##to},
#include "devices/action_states.def"
#undef STATE
#undef MOVE
};

const char *action_state_name(enum action_state s)
{
	check((unsigned)s < ACTION_STATE_COUNT);
	return STATES[s].name;
}

const char *action_state_graph(enum action_state s)
{
	check((unsigned)s < ACTION_STATE_COUNT);
	return STATES[s].graph;
}

bool action_state_open(enum action_state s)
{
	check((unsigned)s < ACTION_STATE_COUNT);
	return STATES[s].open;
}

bool action_may_move(enum action_state from, enum action_state to)
{
	for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++)
		if (MOVES[i].from == from && MOVES[i].to == to)
			return true;
	return false;
}

bool action_state_parse(const char *text, enum action_state *ret)
{
	for (int i = 0; i < ACTION_STATE_COUNT; i++)
		if (strcmp(STATES[i].name, text) == 0) {
			*ret = (enum action_state)i;
			return true;
		}
	return false;
}

const char *action_management_state(const char *action, enum action_state s)
{
	static const char *const states[][ACTION_STATE_COUNT] = {
		{
			[ACTION_pending] = "retirePending",
			[ACTION_issued] = "retireIssued",
			[ACTION_notNow] = "retireIssued",
			[ACTION_done] = "deletePending",
			[ACTION_failed] = "retireFailed",
			[ACTION_notSupported] = "retireFailed",
			[ACTION_canceled] = "retireCanceled",
		},
		{
			[ACTION_pending] = "wipePending",
			[ACTION_issued] = "wipeIssued",
			[ACTION_notNow] = "wipeIssued",
			[ACTION_done] = "deletePending",
			[ACTION_failed] = "wipeFailed",
			[ACTION_notSupported] = "wipeFailed",
			[ACTION_canceled] = "wipeCanceled",
		},
	};
	check((unsigned)s < ACTION_STATE_COUNT);
	if (strcmp(action, ACTION_RETIRE) == 0)
		return states[0][s];
	return strcmp(action, ACTION_WIPE) == 0 ? states[1][s] : NULL;
}

bool action_removes(const struct device_action *a) { return action_management_state(a->name, a->state) != NULL; }

/* A deleted device stays deletePending whatever becomes of its action. */
static enum err show(struct db_tx *tx, const struct device *d, const char *action, enum action_state s)
{
	const char *state = action_management_state(action, s);
	if (state == NULL)
		return OK;
	return device_set_management_state(tx, d->id, d->deleted ? "deletePending" : state);
}

enum err action_create(struct db_tx *tx, const struct device *d, const struct action_order *o, struct id *ret)
{
	struct scope *s = db_tx_scope(tx);
	struct id action = scope_id(s);
	const struct id *by = id_is_nil(s->actor.id) ? NULL : &s->actor.id;
	check(o->first == ACTION_pending || o->first == ACTION_issued || (o->first == ACTION_done && strcmp(o->name, ACTION_DELETE) == 0));
	TRY(db_exec(tx, &action_insert,
		    DB_ARGS(db_v_id(&action), db_v_id(&d->id), db_v_text(o->name), db_v_text(o->asked_as),
			    db_v_text(STATES[o->first].name), db_v_id(by), db_v_text(o->parameters), db_v_int(s->now)),
		    NULL));
	*ret = action;
	return show(tx, d, o->name, o->first);
}

static enum activity activity_of(enum action_state to)
{
	return to == ACTION_issued ? ACT_ACTION_ISSUED : to == ACTION_canceled ? ACT_ACTION_CANCELED : ACT_ACTION_RESULT;
}

/* AzureADDeviceId as every event about an action has it, the action, and its states. */
static struct audit_change *changes_of(struct scope *s, const struct device *d, const struct device_action *a, const char *to,
				       const char *outcome)
{
	struct audit_change *changes = NULL, **tail = &changes;
	char id[ID_TEXT];
	tail = audit_change_add(s->arena, tail, "AzureADDeviceId", "managed_devices", "directory_device_id", NULL,
				id_format(d->directory_id, id));
	tail = audit_change_add(s->arena, tail, "actionId", "device_actions", "action_id", NULL, id_format(a->action, id));
	tail = audit_change_add(s->arena, tail, "actionName", "device_actions", "action_name", NULL, a->name);
	if (to != NULL)
		tail = audit_change_add(s->arena, tail, "actionState", "device_actions", "state", STATES[a->state].name, to);
	if (outcome != NULL)
		audit_change_add(s->arena, tail, "outcome", "device_actions", "outcome", a->outcome, outcome);
	return changes;
}

static enum err record_move(struct db_tx *tx, const struct device *d, const struct device_action *a, enum action_state to,
			    const char *outcome, const char *error)
{
	const char *failure = NULL;
	if (to == ACTION_failed || to == ACTION_notSupported)
		failure = error != NULL ? error : STATES[to].name;
	bool returned = outcome != NULL && strcmp(outcome, OUTCOME_RETURNED) == 0;
	return device_record(tx, d, returned ? ACT_DEVICE_RETURNED : activity_of(to),
			     changes_of(db_tx_scope(tx), d, a, STATES[to].name, outcome), failure);
}

enum err action_end(struct db_tx *tx, const struct device *d, const struct device_action *a, enum action_state to,
		    const char *outcome, const char *error)
{
	struct scope *s = db_tx_scope(tx);
	int64_t moved;
	if (!action_may_move(a->state, to))
		return scope_fail(s, ERR_STATE, "an action that is %s does not become %s", STATES[a->state].name,
				  STATES[to].name);
	TRY(db_exec(tx, &action_set_state,
		    DB_ARGS(db_v_id(&a->action), db_v_text(STATES[a->state].name), db_v_text(STATES[to].name),
			    db_v_text(error), db_v_text(outcome), db_v_int(s->now)),
		    &moved));
	if (moved == 0)
		return scope_fail(s, ERR_CONFLICT, "the action is not %s any more", STATES[a->state].name);
	TRY(show(tx, d, a->name, to));
	return record_move(tx, d, a, to, outcome, error);
}

enum err action_move(struct db_tx *tx, const struct device *d, const struct device_action *a, enum action_state to,
		     const char *error)
{
	return action_end(tx, d, a, to, NULL, error);
}

enum err action_mark_silent(struct db_tx *tx, const struct device *d, const struct device_action *a)
{
	int64_t marked;
	TRY(db_exec(tx, &action_set_silent,
		    DB_ARGS(db_v_id(&a->action), db_v_text(STATES[a->state].name), db_v_text(OUTCOME_NEVER_SEEN)), &marked));
	if (marked == 0)
		return OK;
	return device_record(tx, d, ACT_ACTION_SILENT, changes_of(db_tx_scope(tx), d, a, NULL, OUTCOME_NEVER_SEEN), NULL);
}

bool action_is_claimed(const char *asked_as)
{
	return strcmp(asked_as, ASKED_AS_LEAVE) == 0 || strcmp(asked_as, ASKED_AS_ERASURE) == 0;
}

enum err action_claim(struct db_tx *tx, struct id action, const char *asked_as)
{
	check(action_is_claimed(asked_as));
	return db_exec(tx, &action_set_claimed, DB_ARGS(db_v_id(&action), db_v_text(asked_as)), NULL);
}

static void read_action(const struct db_rows *r, struct arena *a, struct device_action *ret)
{
	*ret = (struct device_action){
		.action = db_id(r, 0),
		.device = db_id(r, 1),
		.name = db_text_dup(r, 2, a),
		.asked_as = db_text_dup(r, 3, a),
		.parameters = db_text_dup(r, 5, a),
		.error = db_text_dup(r, 6, a),
		.outcome = db_text_dup(r, 7, a),
		.requested_at = db_int(r, 8),
		.updated_at = db_int(r, 9),
	};
	check(action_state_parse(db_text(r, 4), &ret->state));
}

enum err action_load(struct db_tx *tx, struct id action, struct device_action *ret)
{
	struct scope *s = db_tx_scope(tx);
	char text[ID_TEXT];
	auto_rows struct db_rows *r = NULL;
	enum err err = db_query_one(tx, &action_by_id, DB_ARGS(db_v_id(&action)), &r);
	if (err == ERR_NOT_FOUND)
		return scope_fail(s, err, "no action with id %s", id_format(action, text));
	TRY(err);
	read_action(r, s->arena, ret);
	return OK;
}

/* The rules of precedence keep the open actions of a device to one removal and one sync; the room for more costs
 * nothing. */
enum { OPEN_MAX = 16 };

enum err action_open_of(struct db_tx *tx, struct id device, struct device_action **ret, size_t *ret_n)
{
	struct scope *s = db_tx_scope(tx);
	auto_rows struct db_rows *r = NULL;
	*ret = NULL;
	*ret_n = 0;
	TRY(db_query(tx, &action_open_by_device, DB_ARGS(db_v_id(&device)), &r));
	while (db_next(r) && *ret_n < OPEN_MAX) {
		if (*ret == NULL)
			*ret = arena_alloc(s->arena, OPEN_MAX * sizeof **ret);
		read_action(r, s->arena, &(*ret)[(*ret_n)++]);
	}
	return db_rows_err(r);
}

enum err action_last_removal(struct db_tx *tx, struct id device, struct device_action *ret)
{
	auto_rows struct db_rows *r = NULL;
	TRY(db_query_one(tx, &action_removal_newest, DB_ARGS(db_v_id(&device)), &r));
	read_action(r, db_tx_scope(tx)->arena, ret);
	return OK;
}

/* ---- deviceActionResults ---- */

static void write_residues(struct json_writer *w, const struct db_rows *r)
{
	const struct effect *e;
	size_t at = 0;
	jw_key(w, "residues");
	jw_array(w);
	while ((e = effects_next(&at, db_text(r, 6), db_text(r, 7), db_text(r, 0))) != NULL)
		if (effect_is_residue(e))
			jw_string(w, e->what);
	jw_end_array(w);
}

static void write_result(struct json_writer *w, const struct db_rows *r, bool beta)
{
	enum action_state state;
	check(action_state_parse(db_text(r, 1), &state));
	jw_object(w);
	jw_kstring(w, "actionName", db_text(r, 0));
	jw_kstring(w, "actionState", STATES[state].graph);
	jw_ktime(w, "startDateTime", db_int(r, 2));
	jw_ktime(w, "lastUpdatedDateTime", db_int(r, 3));
	if (beta) {
		jw_kstring(w, "askedAs", db_text(r, 4));
		jw_kstring(w, "outcome", db_text(r, 5));
		write_residues(w, r);
	}
	jw_end_object(w);
}

enum err action_write_results(struct db_tx *tx, struct id device, bool beta, struct json_writer *w)
{
	static const char *const names[] = {ACTION_RETIRE, ACTION_WIPE, ACTION_DELETE, ACTION_SYNC};
	bool seen[sizeof names / sizeof names[0]] = {false};
	auto_rows struct db_rows *r = NULL;
	TRY(db_query(tx, &action_newest, DB_ARGS(db_v_id(&device)), &r));
	jw_array(w);
	while (db_next(r)) {
		size_t i = 0;
		while (i < sizeof names / sizeof names[0] && strcmp(names[i], db_text(r, 0)) != 0)
			i++;
		check(i < sizeof names / sizeof names[0]);
		if (!seen[i])
			write_result(w, r, beta);
		seen[i] = true;
	}
	jw_end_array(w);
	return db_rows_err(r);
}
