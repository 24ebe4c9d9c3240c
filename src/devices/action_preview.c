/* SPDX-License-Identifier: Apache-2.0
 *
 * The preview of an action on a device.
 */
#include "devices/action_preview.h"

#include <string.h>

#include "base/clock.h"
#include "devices/action.h"
#include "devices/device.h"
#include "devices/effects.h"
#include "devices/platform_action.h"
#include "directory/tenant_settings.h"
#include "duty/duty.h"

struct preview {
	struct id device;
	const char *action;
	struct device d;
	int64_t grace_days;
};

static enum err load(struct scope *s, struct db_tx *tx, void *arg)
{
	struct preview *p = arg;
	TRY(device_load(tx, p->device, false, &p->d));
	return tenant_setting_int(tx, "deviceGraceDays", &p->grace_days);
}

static void write_effects(const struct preview *p, const char *key, bool residues, struct json_writer *w)
{
	const struct effect *e;
	size_t at = 0;
	jw_key(w, key);
	jw_array(w);
	while ((e = effects_next(&at, p->d.platform, p->d.owner, p->action)) != NULL) {
		if (residues && !effect_is_residue(e))
			continue;
		jw_object(w);
		jw_kstring(w, "what", e->what);
		jw_kstring(w, "outcome", e->outcome);
		jw_kstring(w, "text", e->text);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static void write_parameters(const struct preview *p, struct json_writer *w)
{
	size_t n;
	const struct action_parameter *rows = action_parameters_all(&n);
	jw_key(w, "parameters");
	jw_array(w);
	for (size_t i = 0; i < n && strcmp(p->action, ACTION_WIPE) == 0; i++) {
		if (strcmp(rows[i].platform, p->d.platform) != 0)
			continue;
		jw_object(w);
		jw_kstring(w, "name", rows[i].name);
		jw_kstring(w, "default", rows[i].usual);
		jw_kbool(w, "supported", rows[i].known);
		jw_kstring(w, "text", rows[i].meaning);
		jw_end_object(w);
	}
	jw_end_array(w);
}

static const char *refusal(const struct preview *p, const struct platform_action *a)
{
	if (a == NULL)
		return "this platform knows no such action";
	if (a->told != NULL && strcmp(p->action, ACTION_WIPE) == 0 && !p->d.provisioning)
		return "this device was enrolled for inventory only and is never wiped";
	return a->refusal;
}

enum err action_preview_write(struct scope *s, struct id device, const char *action, struct json_writer *w)
{
	struct preview p = {.device = device, .action = action};
	if (strcmp(action, ACTION_RETIRE) != 0 && strcmp(action, ACTION_WIPE) != 0 && strcmp(action, ACTION_DELETE) != 0)
		return scope_fail(s, ERR_BAD_REQUEST, "action is retire, wipe or delete");
	TRY(db_read(s, load, &p));
	const struct platform_action *a = platform_action_find(p.d.platform, p.d.owner, action);
	const char *why = refusal(&p, a);
	jw_kid(w, "deviceId", p.d.id);
	jw_kstring(w, "platform", p.d.platform);
	jw_kstring(w, "ownerType", p.d.owner);
	jw_kstring(w, "action", action);
	jw_kbool(w, "supported", why == NULL);
	jw_kstring(w, "reason", why);
	jw_kstring(w, "deviceIsTold", why == NULL ? a->told : NULL);
	jw_key(w, "dataDueDateTime");
	if (why == NULL)
		jw_time(w, s->now + p.grace_days * DAY_US);
	else
		jw_null(w);
	write_effects(&p, "effects", false, w);
	write_effects(&p, "residues", true, w);
	write_parameters(&p, w);
	return OK;
}
