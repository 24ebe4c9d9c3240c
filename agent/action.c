/* SPDX-License-Identifier: Apache-2.0
 *
 * Carrying out a retire or wipe to its end, over any number of crashes (see action.h).
 */
#include "action.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

static const char *const phases[] = {"doing", "ended", "reported"};

/* A wiped machine that cannot reach its server any more must still end itself. */
enum { REPORT_TRIES = 5 };

enum err action_save(struct agent *a, const struct action *act)
{
	auto_buf out;
	struct json_writer w;
	buf_init(&out, 1u << 20);
	jw_init(&w, &out);
	jw_object(&w);
	jw_kstring(&w, "id", act->id);
	jw_kstring(&w, "action", act->name);
	jw_kstring(&w, "phase", phases[act->phase]);
	jw_kstring(&w, "state", act->state);
	jw_kstring(&w, "error", act->error);
	jw_kint(&w, "tries", act->tries);
	jw_key(&w, "directories");
	jw_array(&w);
	for (const char **dir = act->dirs; *dir != NULL; dir++)
		jw_string(&w, *dir);
	jw_end_array(&w);
	jw_end_object(&w);
	return state_write_json(a, "action.json", &out);
}

static const char *text_of(struct agent *a, const json_t *o, const char *key)
{
	return arena_strdup(a->scope->arena, json_string_value(json_object_get(o, key)));
}

enum err action_load(struct agent *a, struct action *ret)
{
	auto_json *o = NULL;
	TRY(state_read_json(a, "action.json", &o));
	*ret = (struct action){.id = text_of(a, o, "id"),
			       .name = text_of(a, o, "action"),
			       .state = text_of(a, o, "state"),
			       .error = text_of(a, o, "error"),
			       .tries = (int)json_integer_value(json_object_get(o, "tries"))};
	const char *phase = json_string_value(json_object_get(o, "phase"));
	const json_t *dirs = json_object_get(o, "directories");
	size_t n = json_array_size(dirs);
	ret->dirs = arena_alloc(a->scope->arena, (n + 1) * sizeof *ret->dirs);
	for (size_t i = 0, k = 0; i < n; i++)
		if (json_is_string(json_array_get(dirs, i)))
			ret->dirs[k++] = arena_strdup(a->scope->arena, json_string_value(json_array_get(dirs, i)));
	for (int p = ACTION_DOING; phase != NULL && ret->id != NULL && ret->name != NULL && p <= ACTION_REPORTED; p++)
		if (strcmp(phase, phases[p]) == 0) {
			ret->phase = (enum action_phase)p;
			return OK;
		}
	return scope_fail(a->scope, ERR_BAD_REQUEST, "%s/action.json is damaged", a->state_path);
}

enum err action_begin(struct agent *a, const struct device *d, const char *id, const char *name)
{
	struct action act = {.id = id, .name = name, .phase = ACTION_DOING, .dirs = d->made};
	return action_save(a, &act);
}

static enum err retire(struct agent *a, struct action *act, struct outcome *out)
{
	enum err e = provision_take_back_all(a, out);
	if (e != OK && e != ERR_CONFLICT)
		return e;
	act->state = e == OK ? "done" : "failed";
	act->error = e == OK ? NULL : arena_strdup(a->scope->arena, scope_detail(a->scope, e));
	agent_forgive(a);
	return OK;
}

/* "Done" is said of what is on the disk. */
static void flush(struct agent *a)
{
	auto_fd fd = openat(a->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		syncfs(fd);
}

static enum err act_on(struct agent *a, const struct device *d, struct action *act, struct outcome *out)
{
	if (strcmp(act->name, "retire") == 0)
		TRY(retire(a, act, out));
	else if (strcmp(act->name, "wipe") == 0)
		TRY(wipe_device(a, d, act));
	else
		act->state = "notSupported";
	flush(a);
	act->phase = ACTION_ENDED;
	return action_save(a, act);
}

/* action.json goes last: while it is there, the next run goes on here. */
static enum err forget_state(struct agent *a, const struct action *act)
{
	TRY(state_empty(a, "action.json"));
	TRY(state_unlink(a, "action.json"));
	state_close(a);
	size_t n = 0;
	while (act->dirs[n] != NULL)
		n++;
	while (n-- > 0)
		if (fs_rmdir(a->root_fd, act->dirs[n]) != 0)
			return scope_fail(a->scope, ERR_IO, "cannot remove /%s: %s", act->dirs[n], strerror(errno));
	return OK;
}

static bool leaves_service(const struct action *act)
{
	return act->state != NULL && strcmp(act->state, "done") == 0;
}

/* The certificate may be dead by now, or the service gone: nobody is left who could be told. */
static bool nobody_listens(enum err e)
{
	return e == ERR_UNAUTHENTICATED || e == ERR_NOT_FOUND || e == ERR_GONE;
}

static enum err tell(struct agent *a, const struct device *d, struct action *act)
{
	bool more;
	enum err e = report_send(a, d, act, &more);
	if (e == OK || (leaves_service(act) && nobody_listens(e))) {
		agent_forgive(a);
		return OK;
	}
	act->tries++;
	enum err saved = action_save(a, act);
	bool machine = leaves_service(act) && strcmp(act->name, "wipe") == 0 && !a->tree;
	if (machine && act->tries >= REPORT_TRIES)
		wipe_goodbye(a, act);
	return saved != OK ? saved : e;
}

enum err action_finish(struct agent *a, const struct device *d, struct action *ret, struct outcome *out, bool *ret_gone)
{
	*ret_gone = false;
	TRY(action_load(a, ret));
	if (ret->phase == ACTION_DOING)
		TRY(act_on(a, d, ret, out));
	if (ret->phase == ACTION_ENDED) {
		TRY(tell(a, d, ret));
		if (!leaves_service(ret))
			return state_unlink(a, "action.json");
		ret->phase = ACTION_REPORTED;
		TRY(action_save(a, ret));
	}
	TRY(forget_state(a, ret));
	*ret_gone = true;
	if (strcmp(ret->name, "wipe") == 0 && !a->tree)
		wipe_goodbye(a, ret);
	return OK;
}
