/* SPDX-License-Identifier: Apache-2.0
 * The deviceManagement singleton, and what an action takes and leaves (effects.def). */
#include <string.h>
#include <strings.h>

#include "api/api.h"
#include "devices/effects.h"
#include "directory/tenant.h"

enum err device_management_get(struct call *c);
enum err device_action_effects(struct call *c);

enum err device_management_get(struct call *c)
{
	struct tenant t;
	const char *standing;
	TRY(tenant_get(&c->s, c->s.tenant, &t));
	TRY(subscription_of_management(&c->s, &standing));
	const char *base = call_base_url(c);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#deviceManagement/$entity", base));
	jw_kid(&w, "id", t.tenant);
	jw_kid(&w, "intuneAccountId", t.tenant);
	jw_kstring(&w, "subscriptionState", strcmp(t.state, "purging") == 0 ? "deleted" : standing);
	jw_key(&w, "settings");
	jw_object(&w);
	jw_kint(&w, "deviceComplianceCheckinThresholdDays", 30);
	jw_kbool(&w, "isScheduledActionEnabled", false);
	jw_kbool(&w, "secureByDefault", false);
	jw_end_object(&w);
	jw_end_object(&w);
	return OK;
}

struct wanted {
	const char *platform, *owner_type, *action;
};

static enum err want(struct call *c, struct wanted *w, const char *name, const char *value)
{
	if (strcmp(name, "platform") == 0)
		w->platform = value;
	else if (strcmp(name, "ownerType") == 0)
		w->owner_type = value;
	else if (strcmp(name, "action") == 0)
		w->action = value;
	else
		return scope_fail(&c->s, ERR_BAD_REQUEST, "effects are filtered by platform, ownerType and action");
	return OK;
}

/* name eq 'value', joined by and. */
static enum err read_filter(struct call *c, const struct odata_node *n, struct wanted *w)
{
	if (n == NULL)
		return OK;
	if (n->op == ODATA_AND) {
		TRY(read_filter(c, n->left, w));
		return read_filter(c, n->right, w);
	}
	if (n->op != ODATA_EQ || n->value->type != ODATA_STRING)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "effects are filtered by eq and and");
	return want(c, w, n->path, n->value->text);
}

/* ?platform=linux&ownerType=personal&action=retire */
static enum err read_plain(struct call *c, struct wanted *w)
{
	const char *at = c->in->query;
	while (*at != '\0') {
		size_t n = strcspn(at, "&"), name_n = strcspn(at, "=&");
		if (*at != '$' && name_n < n) {
			const char *value = url_decode(c->s.arena, at + name_n + 1, n - name_n - 1, true);
			if (value == NULL)
				return scope_fail(&c->s, ERR_BAD_REQUEST, "the query is malformed");
			const char *name = arena_strndup(c->s.arena, at, name_n);
			if (strcmp(name, "platform") == 0 || strcmp(name, "ownerType") == 0 ||
			    strcmp(name, "action") == 0)
				TRY(want(c, w, name, value));
		}
		at += n + (at[n] == '&');
	}
	return OK;
}

enum err device_action_effects(struct call *c)
{
	struct odata_query odata;
	struct wanted w = {0};
	const struct effect *e;
	size_t at = 0;
	TRY(odata_parse(&c->s, c->in->query, &odata));
	TRY(read_filter(c, odata.filter, &w));
	TRY(read_plain(c, &w));
	const char *base = call_base_url(c);
	struct json_writer out = call_json(c);
	jw_object(&out);
	jw_kstring(&out, "@odata.context",
		   arena_printf(c->s.arena, "%s/$metadata#deviceManagement/deviceActionEffects", base));
	jw_key(&out, "value");
	jw_array(&out);
	while ((e = effects_next(&at, w.platform, w.owner_type, w.action)) != NULL) {
		jw_object(&out);
		jw_kstring(&out, "platform", e->platform);
		jw_kstring(&out, "ownerType", e->owner_type);
		jw_kstring(&out, "action", e->action);
		jw_kstring(&out, "what", e->what);
		jw_kstring(&out, "outcome", e->outcome);
		jw_kstring(&out, "text", e->text);
		jw_end_object(&out);
	}
	jw_end_array(&out);
	jw_end_object(&out);
	return OK;
}
