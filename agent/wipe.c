/* SPDX-License-Identifier: Apache-2.0
 *
 * Wipe: which way, and the refusal where nobody enabled it.
 *
 * A personal device is never wiped, whoever asks.  A tree is brought back to its factory manifest.  A real machine is
 * wiped only by the hook that its owner chose at installation; the default is to refuse.  A tree never runs a shipped
 * hook (it would destroy the machine that holds the tree): only a command that its configuration names.
 */
#include <string.h>

#include "action.h"
#include "config.h"
#include "exec.h"

/* The hooks refuse to work without this: nobody destroys a machine by trying out a script. */
#define CONFIRM "REEVE_WIPE_CONFIRM=destroy-everything-on-this-machine"

enum { WIPE_SECONDS = 3600, GOODBYE_SECONDS = 120 };

static const char *command_of(const struct agent *a, const struct config *c)
{
	if (c->wipe_command != NULL || a->tree)
		return c->wipe_command;
	return c->wipe == WIPE_LUKS ? "/usr/lib/reeve-agent/wipe-luks.sh" : "/usr/lib/reeve-agent/wipe-reinstall.sh";
}

static enum err run_hook(struct agent *a, const struct config *c, const struct action *act, const char *step,
			 int seconds)
{
	const char *method = c->wipe == WIPE_LUKS ? "REEVE_WIPE_METHOD=luks" : "REEVE_WIPE_METHOD=reinstall";
	const char *id = arena_printf(a->scope->arena, "REEVE_WIPE_ACTION=%s", act->id);
	return exec_run(a, (const char *const[]){command_of(a, c), step, NULL},
			(const char *const[]){CONFIRM, method, id, NULL}, seconds);
}

static void settle(struct agent *a, struct action *act, const char *state, const char *error)
{
	act->state = state;
	act->error = arena_strdup(a->scope->arena, error);
	agent_forgive(a);
}

enum err wipe_device(struct agent *a, const struct device *d, struct action *act)
{
	struct config c;
	if (!d->company) { /* whatever the server says */
		settle(a, act, "notSupported", "a personal device is not wiped");
		return OK;
	}
	if (!d->provisioning) {
		settle(a, act, "notSupported", "this machine was enrolled for inventory only");
		return OK;
	}
	enum err e = config_load(a, &c);
	if (e != OK) {
		settle(a, act, "failed", scope_detail(a->scope, e));
		return OK;
	}
	if (c.wipe == WIPE_UNSET && a->tree)
		return wipe_tree(a, act);
	if (c.wipe == WIPE_UNSET || c.wipe == WIPE_OFF || command_of(a, &c) == NULL) {
		settle(a, act, "notSupported", "the owner of this machine has not enabled wipe");
		return OK;
	}
	e = run_hook(a, &c, act, "check", 60); /* everything that it needs is there, before anything is destroyed */
	if (e == OK)
		e = run_hook(a, &c, act, "wipe", WIPE_SECONDS);
	if (e == OK)
		settle(a, act, "done", NULL);
	else
		settle(a, act, "failed", scope_detail(a->scope, e));
	return OK;
}

void wipe_goodbye(struct agent *a, const struct action *act)
{
	struct config c;
	if (config_load(a, &c) == OK && command_of(a, &c) != NULL &&
	    run_hook(a, &c, act, "finish", GOODBYE_SECONDS) == OK)
		return;
	agent_forgive(a); /* the system will end without it */
}
