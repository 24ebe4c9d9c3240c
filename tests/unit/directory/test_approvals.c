/* SPDX-License-Identifier: Apache-2.0
 * Approval by a second person on a real database: the whole table of states and events, who may approve, one execution, what is left of it. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "directory/access/access.h"
#include "directory/access/assignment.h"
#include "directory/approval/approval.h"
#include "directory/approval/policy.h"
#include "privacy/retention.h"

static struct id ada, bob, eve, approvers; /* eve is in no group */

static struct id require_policy(const char *type, const char *groups, const char *excluded)
{
	struct id id;
	const char *json = arena_printf(F.arena, "{\"displayName\":\"P\",\"policyType\":\"%s\",\"approverGroupIds\":%s,\"excludedApplicationIds\":%s}", type,
					groups, excluded);
	struct scope s = F.a;
	ok(approval_policy_create(&s, record_of(&s, &RES_APPROVAL_POLICY, RECORD_CREATE, json), &id));
	return id;
}

static const char *list_of(struct id id)
{
	char text[ID_TEXT];
	return arena_printf(F.arena, "[\"%s\"]", id_format(id, text));
}

static int up(void **state)
{
	assert_int_equal(fixture_up(state), 0);
	struct scope s = F.a;
	ada = make_user(&s, "ada@acme.example");
	bob = make_user(&s, "bob@acme.example");
	eve = make_user(&s, "eve@acme.example");
	approvers = make_group(&s, "Approvers");
	ok(group_add_member(&s, approvers, ada));
	ok(group_add_member(&s, approvers, bob));
	require_policy("deviceWipe", list_of(approvers), "[]");
	require_policy("personExport", "[]", "[]");
	return 0;
}

/* ---- a protected call ---- */

static struct approval_call wipe_of(struct id device)
{
	char text[ID_TEXT];
	const char *target = arena_printf(F.arena, "/v1.0/deviceManagement/managedDevices/%s/wipe", id_format(device, text));
	return (struct approval_call){.activity = ACT_DEVICE_WIPE, .method = "POST", .target = target, .route = "POST /wipe",
				      .permission = "DeviceManagementManagedDevices.PrivilegedOperations.All", .body = "{}", .body_len = 2, .object = device};
}

static const char *code_of(struct id request)
{
	char text[ID_TEXT];
	return arena_strdup(F.arena, id_format(request, text));
}

static enum err send(struct scope *s, struct approval_call call, const char *why, const char *code, struct id *ret_request)
{
	call.justification = why;
	call.code = code;
	fresh(s);
	return approval_require(s, &call, &s->claim, ret_request);
}

static struct id asked(struct scope *s, struct id device)
{
	struct id request;
	refused(send(s, wipe_of(device), "because", NULL, &request), ERR_APPROVAL);
	assert_false(id_is_nil(request));
	return request;
}

static enum err decide(struct scope s, struct id request, enum approval_event event)
{
	fresh(&s);
	return approval_decide(&s, request, event, "as discussed");
}

static const char *state_of(struct id request)
{
	static const char *const names[] = {"needsApproval", "approved", "completed", "rejected", "cancelled", "expired"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (ask(&F.a, "SELECT count(*) FROM operation_approval_requests WHERE tenant_id = ?1 AND request_id = ?2 AND state = ?3", db_v_id(&request),
			db_v_text(names[i])) == 1)
			return names[i];
	return "gone";
}

/* A change of its own, with the scope's claim: what a handler does. */
static enum err change_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	bool *fails = arg;
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_DEVICE_WIPE, .resource_type = "ManagedDevice", .resource = scope_id(s)}));
	TRY(audit_record(tx, &(struct audit_event){.activity = ACT_DUTY_CREATE, .resource_type = "ErasureDuty", .resource = scope_id(s)}));
	return *fails ? scope_fail(s, ERR_CONFLICT, "it failed") : OK;
}

static enum err execute(struct scope *s, struct id device, struct id request, bool fails)
{
	struct id unused;
	TRY(send(s, wipe_of(device), NULL, code_of(request), &unused));
	assert_non_null(s->claim);
	return db_write(s, change_tx, &fails);
}

/* ---- the table ---- */

static void every_state_and_event(void **state)
{
	static const struct {
		enum approval_event event;
		enum approval_state from, to;
	} moves[] = {
		{APPROVAL_approve, APPROVAL_STATE_needsApproval, APPROVAL_STATE_approved},
		{APPROVAL_reject, APPROVAL_STATE_needsApproval, APPROVAL_STATE_rejected},
		{APPROVAL_cancelApproval, APPROVAL_STATE_approved, APPROVAL_STATE_cancelled},
		{APPROVAL_cancelMyRequest, APPROVAL_STATE_needsApproval, APPROVAL_STATE_cancelled},
		{APPROVAL_cancelMyRequest, APPROVAL_STATE_approved, APPROVAL_STATE_cancelled},
		{APPROVAL_complete, APPROVAL_STATE_approved, APPROVAL_STATE_completed},
		{APPROVAL_expire, APPROVAL_STATE_needsApproval, APPROVAL_STATE_expired},
		{APPROVAL_expire, APPROVAL_STATE_approved, APPROVAL_STATE_expired},
	};
	for (unsigned e = 0; e < APPROVAL_EVENTS; e++)
		for (unsigned from = 0; from < APPROVAL_STATES; from++) {
			enum approval_state to = APPROVAL_STATES;
			for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
				if (moves[i].event == e && moves[i].from == from)
					to = moves[i].to;
			assert_int_equal(approval_move((enum approval_event)e, (enum approval_state)from), to);
		}
}

/* Brings a request into a state, as people and time do. */
static struct id bring(struct scope *requester, struct id device, enum approval_state to)
{
	struct scope approver = as_user(bob, "");
	bool more;
	struct id request = asked(requester, device);
	switch (to) {
	case APPROVAL_STATE_needsApproval: break;
	case APPROVAL_STATE_rejected: ok(decide(approver, request, APPROVAL_reject)); break;
	case APPROVAL_STATE_cancelled: ok(decide(*requester, request, APPROVAL_cancelMyRequest)); break;
	case APPROVAL_STATE_expired: {
		struct scope late = F.system;
		late.now = F.a.now + 10 * DAY_US;
		ok(approval_run_due(&late, &more));
		break;
	}
	case APPROVAL_STATE_completed:
	case APPROVAL_STATE_approved:
	default: ok(decide(approver, request, APPROVAL_approve));
	}
	if (to == APPROVAL_STATE_completed)
		ok(execute(requester, device, request, false));
	assert_string_equal(state_of(request), approval_state_name(to));
	return request;
}

static enum err run_event(struct scope *requester, struct id device, struct id request, enum approval_event e)
{
	bool more;
	struct scope late = F.system;
	switch (e) {
	case APPROVAL_complete: return execute(requester, device, request, false);
	case APPROVAL_cancelMyRequest: return decide(*requester, request, e);
	case APPROVAL_expire:
		late.now = F.a.now + 10 * DAY_US;
		return approval_run_due(&late, &more);
	default: return decide(as_user(bob, ""), request, e);
	}
}

/* Every event in every state does what the table says, or nothing at all; each move is one event of the log. */
static void the_table_is_what_happens(void **state)
{
	struct scope requester = as_user(ada, "");
	for (unsigned from = 0; from < APPROVAL_STATES; from++)
		for (unsigned e = 0; e < APPROVAL_EVENTS; e++) {
			struct id device = scope_id(&F.system), request = bring(&requester, device, (enum approval_state)from);
			enum approval_state to = approval_move((enum approval_event)e, (enum approval_state)from);
			int64_t before = all_events(&F.a);
			enum err err = run_event(&requester, device, request, (enum approval_event)e);
			assert_int_equal(err == OK, to != APPROVAL_STATES || e == APPROVAL_expire);
			assert_string_equal(state_of(request), approval_state_name(to == APPROVAL_STATES ? (enum approval_state)from : to));
			int64_t events_now = all_events(&F.a) - before;
			assert_int_equal(events_now, to == APPROVAL_STATES ? 0 : e == APPROVAL_complete ? 3 : 1);
			fresh(&requester);
			requester.claim = NULL;
			enum err cleared = decide(requester, request, APPROVAL_cancelMyRequest);
			assert_true(cleared == OK || cleared == ERR_CONFLICT);
		}
}

/* ---- who ---- */

static void who_may_approve(void **state)
{
	struct id device = scope_id(&F.system);
	struct scope requester = as_user(ada, ""), program = as_application(scope_id(&F.system), "DeviceManagementManagedDevices.PrivilegedOperations.All");
	struct id request = asked(&requester, device);
	refused(decide(requester, request, APPROVAL_approve), ERR_FORBIDDEN); /* oneself */
	refused(decide(program, request, APPROVAL_approve), ERR_FORBIDDEN);   /* a program */
	refused(decide(as_user(eve, "DeviceManagementManagedDevices.PrivilegedOperations.All"), request, APPROVAL_approve), ERR_FORBIDDEN); /* not named */
	refused(decide(F.operator_, request, APPROVAL_approve), ERR_NOT_FOUND); /* another tenant's */
	struct scope operator_ = as_application(F.made.operator_secret.application, "Installation.Tenants.ReadWrite.All");
	operator_.actor.type = ACTOR_OPERATOR;
	refused(decide(operator_, request, APPROVAL_approve), ERR_FORBIDDEN); /* but of a closing */
	refused(decide(as_user(bob, ""), request, APPROVAL_cancelMyRequest), ERR_FORBIDDEN);
	assert_string_equal(state_of(request), "needsApproval");
	/* who is no member any more at that moment */
	struct scope s = F.a;
	ok(group_remove_member(&s, approvers, bob));
	ok(group_add_member(&s, approvers, eve));
	refused(decide(as_user(bob, ""), request, APPROVAL_approve), ERR_FORBIDDEN);
	ok(decide(as_user(eve, ""), request, APPROVAL_approve));
	ok(group_remove_member(&s, approvers, eve));
	ok(group_add_member(&s, approvers, bob));
	ok(decide(as_user(bob, ""), request, APPROVAL_cancelApproval));
}

static void an_account_that_is_made_for_it(void **state)
{
	struct id device = scope_id(&F.system);
	struct scope requester = as_user(ada, ""), s = F.a;
	struct id request = asked(&requester, device);
	s.now = requester.now + MINUTE_US;
	struct id puppet = make_user(&s, "puppet@acme.example");
	ok(group_add_member(&s, approvers, puppet));
	refused(decide(as_user(puppet, ""), request, APPROVAL_approve), ERR_FORBIDDEN);
	ok(decide(requester, request, APPROVAL_cancelMyRequest));
	ok(group_remove_member(&s, approvers, puppet));
}

static struct approval_call export_of(struct id user)
{
	struct approval_call c = wipe_of(user);
	c.activity = ACT_EXPORT_REQUEST;
	c.permission = "User.Export.All";
	return c;
}

/* No group is named: whoever holds the permission, for everybody or for those people. */
static void by_permission(void **state)
{
	struct scope requester = as_user(ada, "");
	struct id request;
	refused(send(&requester, export_of(eve), "because", NULL, &request), ERR_APPROVAL);
	refused(decide(as_user(bob, "User.Read.All"), request, APPROVAL_approve), ERR_FORBIDDEN);
	struct access_grant grant = {.scope_group = approvers, .role_name = "R", .permissions = "User.Export.All"};
	struct access access = {.grants = &grant, .n = 1};
	struct scope limited = as_user(bob, "User.Export.All");
	limited.actor.access = &access;
	refused(decide(limited, request, APPROVAL_approve), ERR_FORBIDDEN); /* eve is none of theirs */
	ok(decide(as_user(bob, "User.Read.All User.Export.All"), request, APPROVAL_approve));
	ok(decide(requester, request, APPROVAL_cancelMyRequest));
}

static void groups_that_name_nobody_else(void **state)
{
	struct scope requester = as_user(ada, ""), s = F.a;
	struct id device = scope_id(&F.system), request = asked(&requester, device);
	ok(group_remove_member(&s, approvers, bob));
	refused(decide(as_user(eve, ""), request, APPROVAL_approve), ERR_FORBIDDEN);
	ok(decide(as_user(eve, "DeviceManagementManagedDevices.PrivilegedOperations.All"), request, APPROVAL_reject));
	ok(group_add_member(&s, approvers, bob));
}

static struct id key_for(struct scope who, struct id application)
{
	struct application_secret secret;
	fresh(&who);
	ok(application_add_secret(&who, application, NULL, 0, &secret));
	return secret.secret;
}

static struct id application_named(const char *name)
{
	struct id application;
	struct scope s = F.a;
	ok(application_create(&s, record_of(&s, &RES_APPLICATION, RECORD_CREATE, arena_printf(F.arena, "{\"displayName\":\"%s\"}", name)), &application));
	return application;
}

/* A key that went through somebody's hands, also by way of a program, and also when it is removed afterwards. */
static void key_holders(void **state)
{
	struct id device = scope_id(&F.system), program = application_named("Program"), other = application_named("Other");
	struct id secret = key_for(as_user(ada, ""), program);
	key_for(as_application(program, ""), other);
	struct scope s = F.a;
	ok(application_remove_secret(&s, program, secret));
	const struct id programs[] = {program, other};
	for (size_t i = 0; i < 2; i++) {
		struct scope requester = as_application(programs[i], "");
		struct id request = asked(&requester, device);
		refused(decide(as_user(ada, ""), request, APPROVAL_approve), ERR_FORBIDDEN);
		assert_string_equal(state_of(request), "needsApproval");
		ok(decide(as_user(bob, ""), request, APPROVAL_approve));
		ok(decide(requester, request, APPROVAL_cancelMyRequest));
	}
	/* a group of key holders names nobody */
	struct scope requester = as_application(other, "");
	struct id request = asked(&requester, device);
	ok(group_remove_member(&s, approvers, bob));
	refused(decide(as_user(ada, ""), request, APPROVAL_reject), ERR_FORBIDDEN);
	ok(decide(as_user(eve, "DeviceManagementManagedDevices.PrivilegedOperations.All"), request, APPROVAL_reject));
	ok(group_add_member(&s, approvers, bob));
	/* another identity's word is a key without an end, and the later of two ends counts */
	fresh(&s);
	s.actor = as_user(eve, "").actor;
	ok(application_patch(&s, program, record_of(&s, &RES_APPLICATION, RECORD_PATCH, "{\"externalIssuer\":\"https://x.example\",\"externalClientId\":\"c\"}")));
	key_for(as_user(eve, ""), program);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM application_key_holders WHERE tenant_id = ?1 AND application_id = ?2 AND user_id = ?3 AND expires_at IS NULL",
			     db_v_id(&program), db_v_id(&eve)), 1);
	ok(application_delete(&F.a, program));
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM application_key_holders WHERE tenant_id = ?1 AND application_id = ?2", db_v_id(&program), db_v_null()), 0);
}

/* Who asks with a key that then ends is no second person to what they asked for, as long as that may be decided. */
static void a_key_that_has_ended(void **state)
{
	struct id device = scope_id(&F.system), program = application_named("Short-lived");
	struct scope giver = as_user(ada, ""), requester = as_application(program, ""), later = F.system;
	struct application_secret secret;
	bool more = true;
	ok(application_add_secret(&giver, program, NULL, giver.now + HOUR_US, &secret));
	struct id request = asked(&requester, device);
	for (later.now = giver.now + 2 * HOUR_US; more;)
		ok(retention_expire(&later, &more));
	giver.now = later.now;
	refused(decide(giver, request, APPROVAL_approve), ERR_FORBIDDEN);
	requester.now = later.now;
	ok(decide(requester, request, APPROVAL_cancelMyRequest));
	for (later.now = giver.now + APPROVAL_OPEN_US, more = true; more;)
		ok(retention_expire(&later, &more));
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM application_key_holders WHERE tenant_id = ?1 AND application_id = ?2", db_v_id(&program), db_v_null()), 0);
}

/* Whoever may approve has a letter, however many others hold roles. */
static void who_is_told(void **state)
{
	static const struct id nobody;
	struct scope s = F.a;
	struct id desk = make_group(&s, "Desk"), unused, request;
	for (int i = 0; i < 60; i++)
		ok(group_add_member(&s, desk, make_user(&s, arena_printf(F.arena, "desk%d@acme.example", i))));
	struct id zoe = make_user(&s, "zoe@acme.example");
	ok(assignment_create(&s, role_named(&s, "Help Desk Operator"), desk, nobody, &unused));
	ok(assignment_create(&s, role_named(&s, "Privacy Officer"), zoe, nobody, &unused));
	struct scope requester = as_user(ada, "");
	refused(send(&requester, export_of(eve), "because", NULL, &request), ERR_APPROVAL);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM notices WHERE tenant_id = ?1 AND user_id = ?2", db_v_id(&zoe), db_v_null()), 1);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM notices n WHERE n.tenant_id = ?1 AND EXISTS (SELECT 1 FROM group_members m WHERE m.tenant_id = ?1 AND "
				   "m.group_id = ?2 AND m.user_id = n.user_id)", db_v_id(&desk), db_v_null()), 0);
	ok(decide(requester, request, APPROVAL_cancelMyRequest));
}

/* ---- the call ---- */

static void what_is_refused_on_the_way(void **state)
{
	struct scope requester = as_user(ada, ""), other = as_user(eve, "");
	struct id device = scope_id(&F.system), request, unused;
	refused(send(&requester, wipe_of(device), NULL, NULL, &request), ERR_APPROVAL);
	assert_true(id_is_nil(request) && requester.claim == NULL);
	refused(send(&requester, wipe_of(device), "", NULL, &request), ERR_BAD_REQUEST);
	request = asked(&requester, device);
	refused(send(&other, wipe_of(device), "me too", NULL, &unused), ERR_CONFLICT); /* one open request for an object */
	refused(send(&requester, wipe_of(device), NULL, code_of(request), &unused), ERR_APPROVAL); /* not yet */
	assert_true(id_equal(unused, request));
	ok(decide(as_user(bob, ""), request, APPROVAL_approve));
	refused(send(&other, wipe_of(device), NULL, code_of(request), &unused), ERR_FORBIDDEN);
	refused(send(&requester, wipe_of(scope_id(&F.system)), NULL, code_of(request), &unused), ERR_FORBIDDEN);
	struct approval_call changed = wipe_of(device);
	changed.body = "{ }";
	changed.body_len = 3;
	refused(send(&requester, changed, NULL, code_of(request), &unused), ERR_FORBIDDEN);
	refused(send(&requester, wipe_of(device), NULL, "nonsense", &unused), ERR_FORBIDDEN);
	refused(send(&requester, wipe_of(device), NULL, code_of(device), &unused), ERR_FORBIDDEN);
	struct scope late = requester;
	late.now += APPROVAL_OPEN_US;
	refused(send(&late, wipe_of(device), NULL, code_of(request), &unused), ERR_FORBIDDEN); /* before the job came by */
	assert_null(late.claim);
	/* and a new request takes the place of the one whose time is over */
	struct id second = asked(&late, device);
	assert_string_equal(state_of(request), "expired");
	ok(decide(late, second, APPROVAL_cancelMyRequest));
}

static void carried_out_once(void **state)
{
	struct scope requester = as_user(ada, "");
	struct id device = scope_id(&F.system), request = asked(&requester, device), unused;
	ok(decide(as_user(bob, ""), request, APPROVAL_approve));
	int64_t before = events(&F.a, "wipe ManagedDevice");
	refused(execute(&requester, device, request, true), ERR_CONFLICT);
	assert_string_equal(state_of(request), "approved"); /* a change that failed used nothing up */
	ok(execute(&requester, device, request, false));
	bool fails = false;
	ok(db_write(&requester, change_tx, &fails)); /* a later transaction of the same call */
	struct scope again = as_user(ada, "");
	refused(send(&again, wipe_of(device), NULL, code_of(request), &unused), ERR_CONFLICT);
	assert_string_equal(state_of(request), "completed");
	assert_int_equal(events(&F.a, "wipe ManagedDevice") - before, 2);
	assert_int_equal(ask(&F.a, "SELECT count(*) FROM operation_approval_requests WHERE tenant_id = ?1 AND state NOT IN ('needsApproval', 'approved') AND "
				   "(sealed_call IS NOT NULL OR call_hash IS NOT NULL OR object_key IS NOT NULL)",
			     db_v_null(), db_v_null()), 0); /* the call goes with its use */
}

enum { RUNNERS = 8 };
struct runner {
	pthread_t thread;
	struct id device, request;
	enum err err;
};
static atomic_int ready;

static void *race(void *arg)
{
	struct runner *r = arg;
	struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	struct scope s;
	struct id unused;
	bool fails = false;
	scope_tenant(&s, a, F.db, F.keeper, F.made.tenant);
	s.now = F.a.now + HOUR_US;
	s.actor = (struct actor){.type = ACTOR_USER, .id = ada, .name = "Ada", .upn = "ada@acme.example", .permissions = ""};
	char text[ID_TEXT];
	struct approval_call call = {.activity = ACT_DEVICE_WIPE, .method = "POST", .route = "POST /wipe", .permission = "", .body = "{}", .body_len = 2,
				     .object = r->device, .code = id_format(r->request, text)};
	char target[128], device[ID_TEXT];
	snprintf(target, sizeof target, "/v1.0/deviceManagement/managedDevices/%s/wipe", id_format(r->device, device));
	call.target = target;
	atomic_fetch_add(&ready, 1);
	while (atomic_load(&ready) < RUNNERS)
		usleep(100);
	r->err = approval_require(&s, &call, &s.claim, &unused);
	if (r->err == OK)
		r->err = db_write(&s, change_tx, &fails);
	arena_free(a);
	return NULL;
}

static void a_race_executes_once(void **state)
{
	struct scope requester = as_user(ada, "");
	struct id device = scope_id(&F.system), request = asked(&requester, device);
	struct runner v[RUNNERS];
	int won = 0;
	ok(decide(as_user(bob, ""), request, APPROVAL_approve));
	int64_t before = events(&F.a, "wipe ManagedDevice");
	for (int i = 0; i < RUNNERS; i++) {
		v[i] = (struct runner){.device = device, .request = request};
		assert_int_equal(pthread_create(&v[i].thread, NULL, race, &v[i]), 0);
	}
	for (int i = 0; i < RUNNERS; i++) {
		pthread_join(v[i].thread, NULL);
		won += v[i].err == OK;
		assert_true(v[i].err == OK || v[i].err == ERR_CONFLICT);
	}
	assert_int_equal(won, 1);
	assert_int_equal(events(&F.a, "wipe ManagedDevice") - before, 1);
}

/* ---- what passes ---- */

static void who_passes(void **state)
{
	struct id unused, device = scope_id(&F.system);
	struct scope system = F.a;
	ok(send(&system, wipe_of(device), NULL, NULL, &unused)); /* duties and jobs */
	struct approval_call sync = wipe_of(device);
	sync.activity = ACT_DEVICE_SYNC;
	struct scope requester = as_user(ada, "");
	ok(send(&requester, sync, NULL, NULL, &unused)); /* nothing protects it */
	assert_null(requester.claim);
	/* an excluded program passes; where it changes the policy that excludes it, it does not */
	struct scope s = F.a;
	struct id application = F.made.administrator_secret.application;
	struct id policy = require_policy("deviceRetire", "[]", list_of(application));
	struct scope program = as_application(application, "");
	struct approval_call retire = wipe_of(device);
	retire.activity = ACT_DEVICE_RETIRE;
	ok(send(&program, retire, NULL, NULL, &unused));
	refused(send(&requester, retire, NULL, NULL, &unused), ERR_APPROVAL);
	struct approval_call change = wipe_of(policy);
	change.activity = ACT_APPROVAL_POLICY_DELETE;
	change.policy = policy;
	refused(send(&program, change, NULL, NULL, &unused), ERR_APPROVAL);
	/* and so is a group that a policy names, and no other */
	struct approval_call join = wipe_of(approvers);
	join.activity = ACT_GROUP_MEMBER_ADD;
	join.group = approvers;
	refused(send(&program, join, NULL, NULL, &unused), ERR_APPROVAL);
	join.group = device;
	ok(send(&program, join, NULL, NULL, &unused));
	ok(approval_policy_delete(&s, policy));
}

static unsigned of(enum activity a, const char *json)
{
	json_t *body = json == NULL ? NULL : json_loads(json, 0, NULL);
	unsigned set = approval_profiles_of(a, body);
	json_decref(body);
	return set;
}

static void profiles(void **state)
{
	unsigned bulk = 1u << APPROVAL_deviceAction;
	assert_int_equal(of(ACT_DEVICE_EXECUTE, "{\"actionName\":\"WIPE\"}"), bulk | 1u << APPROVAL_deviceWipe);
	assert_int_equal(of(ACT_DEVICE_EXECUTE, "{\"actionName\":\"syncDevice\"}"), bulk);
	assert_int_equal(of(ACT_SUBSCRIPTION_SET, "{\"status\":\"Enabled\"}"), 0);
	assert_int_equal(of(ACT_SUBSCRIPTION_SET, "{\"status\":\"LockedOut\"}"), 1u << APPROVAL_tenantClosing);
	assert_int_equal(of(ACT_SUBSCRIPTION_SET, "{}"), 0);
	assert_int_equal(of(ACT_TENANT_SETTINGS, "{\"syncSeconds\":60}"), 0);
	assert_int_equal(of(ACT_TENANT_SETTINGS, "{\"syncSeconds\":60,\"auditRetentionDays\":365}"), 1u << APPROVAL_tenantConfiguration);
	assert_int_equal(of(ACT_DSR_DECIDE, "{\"decision\":\"refused\"}"), 0);
	assert_int_equal(of(ACT_DSR_DECIDE, "{\"decision\":\"grant\"}"), 1u << APPROVAL_personDelete | 1u << APPROVAL_personExport);
	assert_int_equal(of(ACT_USER_CREATE, NULL), 0);
	const char *values = resource_property(&RES_APPROVAL_POLICY, "policyType", API_V1)->values;
	for (unsigned p = 0; p < APPROVAL_PROFILES; p++) { /* the resource has the same words */
		size_t n = strcspn(values, "|");
		assert_int_equal(approval_profile_of(values, n), p);
		values += n + (values[n] != '\0');
		assert_int_equal(approval_set_parse(approval_set_text(F.arena, 1u << p)), 1u << p);
	}
	assert_string_equal(values, "");
}

static void policies(void **state)
{
	struct scope s = F.a;
	struct id id;
	unsigned on;
	ok(approval_policies_on(&F.b, &on));
	assert_int_equal(on, 1u << APPROVAL_tenantClosing); /* from a tenant's birth */
	const char *twice = "{\"displayName\":\"P\",\"policyType\":\"deviceWipe\"}";
	refused(approval_policy_create(&s, record_of(&s, &RES_APPROVAL_POLICY, RECORD_CREATE, twice), &id), ERR_EXISTS);
	static const char *const bad[] = {"\"approverGroupIds\":[\"x\"]", "\"approverGroupIds\":{}", "\"excludedApplicationIds\":[1]",
					  "\"approverGroupIds\":[\"01999999-9999-7999-8999-999999999999\"]",
					  "\"excludedApplicationIds\":[\"01999999-9999-7999-8999-999999999999\"]"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *json = arena_printf(F.arena, "{\"displayName\":\"P\",\"policyType\":\"role\",%s}", bad[i]);
		fresh(&s);
		refused(approval_policy_create(&s, record_of(&s, &RES_APPROVAL_POLICY, RECORD_CREATE, json), &id), ERR_BAD_REQUEST);
	}
	/* approvals that nobody but oneself could give */
	struct scope mine = as_user(eve, "");
	struct id alone = make_group(&s, "Alone");
	ok(group_add_member(&s, alone, eve));
	const char *json = arena_printf(F.arena, "{\"displayName\":\"P\",\"policyType\":\"role\",\"approverGroupIds\":%s}", list_of(alone));
	fresh(&mine);
	refused(approval_policy_create(&mine, record_of(&mine, &RES_APPROVAL_POLICY, RECORD_CREATE, json), &id), ERR_BAD_REQUEST);
}

/* ---- what is left ---- */

static void nothing_readable_is_stored(void **state)
{
	struct scope requester = as_user(ada, "");
	struct approval_call call = export_of(eve);
	struct id request;
	call.body = "{\"note\":\"CANARYBODY\"}";
	call.body_len = strlen(call.body);
	refused(send(&requester, call, "CANARYREASON", NULL, &request), ERR_APPROVAL);
	for (const char *const *column = (const char *const[]){"sealed_call", "request_justification", NULL}; *column != NULL; column++)
		assert_int_equal(ask(&F.a, arena_printf(F.arena, "SELECT count(*) FROM operation_approval_requests WHERE tenant_id = ?1 AND "
								 "instr(CAST(%s AS TEXT), ?2) > 0", *column), db_v_text("CANARY"), db_v_null()), 0);
	assert_false(event_says(&F.a, "create OperationApprovalRequest", "CANARY"));
	struct approval_stored stored;
	struct scope bobs = as_user(bob, "User.Export.All");
	ok(decide(bobs, request, APPROVAL_approve));
	refused(approval_stored_call(&bobs, request, &stored), ERR_FORBIDDEN);
	fresh(&requester);
	ok(approval_stored_call(&requester, request, &stored));
	assert_int_equal(stored.body_len, call.body_len);
	assert_memory_equal(stored.body, call.body, call.body_len);
	assert_string_equal(stored.target, call.target);
	ok(decide(requester, request, APPROVAL_cancelMyRequest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_state_and_event), cmocka_unit_test(the_table_is_what_happens), cmocka_unit_test(who_may_approve),
		cmocka_unit_test(an_account_that_is_made_for_it), cmocka_unit_test(by_permission), cmocka_unit_test(groups_that_name_nobody_else),
		cmocka_unit_test(key_holders), cmocka_unit_test(who_is_told), cmocka_unit_test(a_key_that_has_ended),
		cmocka_unit_test(what_is_refused_on_the_way), cmocka_unit_test(carried_out_once), cmocka_unit_test(a_race_executes_once),
		cmocka_unit_test(who_passes), cmocka_unit_test(profiles), cmocka_unit_test(policies), cmocka_unit_test(nothing_readable_is_stored),
	};
	return cmocka_run_group_tests(tests, up, fixture_down);
}
