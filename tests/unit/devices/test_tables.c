/* SPDX-License-Identifier: Apache-2.0
 * The tables: every pair of action states, what Graph calls them, and effects for every platform, ownership and action.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "devices/action.h"
#include "devices/effects.h"
#include "devices/platform_action.h"

/* Written out a second time on purpose: a change of the table is a change of this. */
static bool expected(enum action_state from, enum action_state to)
{
	switch (from) {
	case ACTION_pending:
		return to == ACTION_issued || to == ACTION_done || to == ACTION_canceled;
	case ACTION_issued:
		return to == ACTION_notNow || to == ACTION_done || to == ACTION_failed || to == ACTION_notSupported || to == ACTION_canceled;
	case ACTION_notNow:
		return to == ACTION_done || to == ACTION_failed || to == ACTION_notSupported || to == ACTION_canceled;
	case ACTION_done:
		return to == ACTION_failed;
	case ACTION_canceled:
		return to == ACTION_done;
	default:
		return false;
	}
}

static void every_pair_of_states(void **state)
{
	for (int from = 0; from < ACTION_STATE_COUNT; from++)
		for (int to = 0; to < ACTION_STATE_COUNT; to++)
			if (action_may_move((enum action_state)from, (enum action_state)to) !=
			    expected((enum action_state)from, (enum action_state)to))
				fail_msg("%s to %s", action_state_name((enum action_state)from),
					 action_state_name((enum action_state)to));
}

static void open_states_are_those_that_wait_for_the_device(void **state)
{
	for (int s = 0; s < ACTION_STATE_COUNT; s++)
		assert_int_equal(action_state_open((enum action_state)s), s == ACTION_pending || s == ACTION_issued || s == ACTION_notNow);
}

static void names_are_the_schemas_and_graphs(void **state)
{
	static const char *const graph[] = {"pending", "active", "active", "done", "failed", "notSupported", "canceled"};
	for (int s = 0; s < ACTION_STATE_COUNT; s++) {
		enum action_state back = ACTION_STATE_COUNT;
		assert_string_equal(action_state_graph((enum action_state)s), graph[s]);
		assert_true(action_state_parse(action_state_name((enum action_state)s), &back));
		assert_int_equal(back, s);
	}
	enum action_state kept = ACTION_done;
	assert_false(action_state_parse("active", &kept));
	assert_int_equal(kept, ACTION_done);
}

static void management_states_tell_the_truth(void **state)
{
	assert_string_equal(action_management_state(ACTION_RETIRE, ACTION_pending), "retirePending");
	assert_string_equal(action_management_state(ACTION_RETIRE, ACTION_issued), "retireIssued");
	assert_string_equal(action_management_state(ACTION_RETIRE, ACTION_notSupported), "retireFailed");
	assert_string_equal(action_management_state(ACTION_WIPE, ACTION_pending), "wipePending");
	assert_string_equal(action_management_state(ACTION_WIPE, ACTION_issued), "wipeIssued");
	assert_string_equal(action_management_state(ACTION_WIPE, ACTION_failed), "wipeFailed");
	assert_string_equal(action_management_state(ACTION_WIPE, ACTION_done), "deletePending");
	assert_null(action_management_state(ACTION_SYNC, ACTION_pending));
	for (int s = 0; s < ACTION_STATE_COUNT; s++) { /* whatever its state, a removal is one */
		assert_non_null(action_management_state(ACTION_RETIRE, (enum action_state)s));
		assert_non_null(action_management_state(ACTION_WIPE, (enum action_state)s));
	}
}

/* ---- effects ---- */

static bool has_effect(const char *platform, const char *owner, const char *action, const char *what)
{
	const struct effect *e;
	size_t at = 0, n = 0;
	while ((e = effects_next(&at, platform, owner, action)) != NULL)
		n += strcmp(e->what, what) == 0;
	assert_true(n <= 1);
	return n == 1;
}

static void every_action_says_what_becomes_of_everything(void **state)
{
	static const char *const platforms[] = {"linux"}, *const owners[] = {"personal", "company"};
	static const char *const actions[] = {"retire", "wipe", "delete", "leave"};
	size_t n;
	const struct effect *all = effects_all(&n);
	for (size_t i = 0; i < n; i++)
		for (size_t p = 0; p < 1; p++)
			for (size_t o = 0; o < 2; o++)
				for (size_t a = 0; a < 4; a++)
					if (!has_effect(platforms[p], owners[o], actions[a], all[i].what))
						fail_msg("%s %s %s says nothing of %s", platforms[p], owners[o],
							 actions[a], all[i].what);
	assert_int_equal(n % (1 * 2 * 4), 0); /* and no row is of another platform, ownership or action */
}

static void outcomes_are_of_three_kinds(void **state)
{
	size_t n;
	const struct effect *all = effects_all(&n);
	for (size_t i = 0; i < n; i++) {
		const char *o = all[i].outcome;
		assert_true(strcmp(o, "removed") == 0 || strcmp(o, "kept") == 0 || strcmp(o, "unusable") == 0);
		assert_true(strlen(all[i].text) > 10);
	}
}

static const char *outcome(const char *owner, const char *action, const char *what)
{
	const struct effect *e;
	size_t at = 0;
	while ((e = effects_next(&at, "linux", owner, action)) != NULL)
		if (strcmp(e->what, what) == 0)
			return e->outcome;
	return "";
}

static void what_the_promises_are(void **state)
{
	assert_string_equal(outcome("personal", "retire", "personalFiles"), "kept");
	assert_string_equal(outcome("personal", "wipe", "personalFiles"), "kept"); /* refused */
	assert_string_equal(outcome("company", "wipe", "personalFiles"), "removed");
	assert_string_equal(outcome("company", "wipe", "diskEncryption"), "unusable");
	assert_string_equal(outcome("company", "wipe", "biosPassword"), "kept");
	assert_string_equal(outcome("personal", "leave", "companyAppData"), "removed");
}

static void residues_are_what_somebody_must_act_on(void **state)
{
	size_t n, residues = 0;
	const struct effect *all = effects_all(&n);
	for (size_t i = 0; i < n; i++) {
		if (!effect_is_residue(&all[i]))
			continue;
		residues++;
		assert_string_not_equal(all[i].outcome, "removed");
		assert_string_not_equal(all[i].what, "personalFiles");
	}
	assert_true(residues > 0);
}

/* ---- platforms ---- */

static void every_platform_and_ownership_has_every_action(void **state)
{
	static const char *const owners[] = {"personal", "company"}, *const asked[] = {"retire", "wipe", "delete"};
	size_t n;
	const struct platform_action *all = platform_actions_all(&n);
	for (size_t i = 0; i < n; i++) {
		assert_true((all[i].told == NULL) != (all[i].refusal == NULL));
		for (size_t o = 0; o < 2; o++)
			for (size_t a = 0; a < 3; a++)
				assert_non_null(platform_action_find(all[i].platform, owners[o], asked[a]));
	}
	assert_int_equal(n % 6, 0);
	assert_null(platform_action_find("linux", "personal", "wipe")->told);
	assert_string_equal(platform_action_find("linux", "company", "delete")->told, "retire");
	assert_null(platform_action_find("plan9", "company", "retire"));
}

/* A preview that says "refused" and a server that does it, or the other way, would be a lie. */
static void what_is_refused_is_refused_in_the_effects(void **state)
{
	size_t n;
	const struct platform_action *all = platform_actions_all(&n);
	for (size_t i = 0; i < n; i++) {
		size_t at = 0;
		const struct effect *e = effects_next(&at, all[i].platform, all[i].owner_type, all[i].asked);
		assert_non_null(e);
		assert_int_equal(strncmp(e->text, "refused:", 8) == 0, all[i].told == NULL);
	}
}

static void a_parameter_is_the_same_on_every_platform(void **state)
{
	size_t n;
	const struct action_parameter *all = action_parameters_all(&n);
	for (size_t i = 0; i < n; i++) {
		size_t same = 0, of_platform = 0;
		for (size_t k = 0; k < n; k++) {
			of_platform += strcmp(all[k].platform, all[i].platform) == 0;
			if (strcmp(all[k].name, all[i].name) != 0)
				continue;
			same += strcmp(all[k].platform, all[i].platform) == 0;
			assert_int_equal(all[k].type, all[i].type);
			assert_int_equal(all[k].beta, all[i].beta);
			assert_string_equal(all[k].usual, all[i].usual);
		}
		assert_int_equal(same, 1);
		assert_int_equal(of_platform, 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_states),
		cmocka_unit_test(open_states_are_those_that_wait_for_the_device),
		cmocka_unit_test(names_are_the_schemas_and_graphs),
		cmocka_unit_test(management_states_tell_the_truth),
		cmocka_unit_test(every_action_says_what_becomes_of_everything),
		cmocka_unit_test(outcomes_are_of_three_kinds),
		cmocka_unit_test(what_the_promises_are),
		cmocka_unit_test(residues_are_what_somebody_must_act_on),
		cmocka_unit_test(every_platform_and_ownership_has_every_action),
		cmocka_unit_test(what_is_refused_is_refused_in_the_effects),
		cmocka_unit_test(a_parameter_is_the_same_on_every_platform),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
