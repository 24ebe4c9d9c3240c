/* SPDX-License-Identifier: Apache-2.0
 * users/{user}/exportDeviceAndAppManagementData: everything held about a person, section by section, as Intune's export script reads it. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "codec/base64.h"
#include "codec/odata.h"
#include "crypto/digest.h"
#include "privacy/export/export.h"
#include "privacy/export/portion.h"

enum err intune_data(struct call *c);
enum err intune_data_content(struct call *c);

/* The function itself: where its content is. */
enum err intune_data(struct call *c)
{
	struct id user;
	char text[ID_TEXT];
	TRY(export_resolve(&c->s, call_param(c, "user"), &user));
	const char *base = call_base_url(c);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(c->s.arena, "%s/$metadata#microsoft.graph.deviceAndAppManagementData", base));
	jw_kstring(&w, "content@odata.mediaReadLink",
		   arena_printf(c->s.arena, "%s/users/%s/exportDeviceAndAppManagementData()/content", base, id_format(user, text)));
	jw_end_object(&w);
	return OK;
}

/* ---- which page ---- */

/* (skip=0,top=10) in the path. */
static enum err read_window(struct call *c, struct portion_page *p)
{
	const char *open = strchr(c->in->path, '(');
	size_t n = open == NULL ? 0 : strcspn(open + 1, ")");
	char *text = n == 0 ? NULL : url_decode(c->s.arena, open + 1, n, false);
	if (n == 0 || (text != NULL && portion_window_parse(text, p)))
		return OK;
	return scope_fail(&c->s, ERR_BAD_REQUEST, "exportDeviceAndAppManagementData has skip and top, which are numbers of sections");
}

/* A place that this server named, to this caller, of this person, under the keeper's key: it goes on with what is on record (and was approved, where
 * that is asked for) since its first page.  "<place>~<until, seconds>~<HMAC>". */
#define LABEL "person-data-page"
#define PLACE_LIFE_US HOUR_US

static char *place_token(struct call *c, struct id user, const char *place, int64_t until)
{
	uint8_t mac[SHA256_BYTES];
	char person[ID_TEXT], tenant[ID_TEXT], actor[ID_TEXT];
	const char *text = arena_printf(c->s.arena, "%s~%lld", place, (long long)until);
	const char *all = arena_printf(c->s.arena, "%s %s %s %s", id_format(c->s.tenant, tenant), id_format(c->s.actor.id, actor),
				       id_format(user, person), text);
	keeper_reference(c->server->keeper, LABEL, all, strlen(all), mac);
	return arena_printf(c->s.arena, "%s~%s", text, base64url_encode(c->s.arena, mac, sizeof mac));
}

static bool place_open(struct call *c, struct id user, const char *token, struct portion_place *ret)
{
	char *place = arena_strdup(c->s.arena, token), *until = strchr(place, '~');
	if (until == NULL)
		return false;
	*until++ = '\0';
	int64_t ends = strtoll(until, NULL, 10);
	const char *ours = place_token(c, user, place, ends);
	return strlen(ours) == strlen(token) && bytes_equal(ours, token, strlen(ours)) && ends * SECOND_US > c->s.now && portion_place_parse(place, ret);
}

static enum err read_place(struct call *c, struct id user, const struct odata_query *o, struct portion_page *p)
{
	unsigned first = p->at.section;
	if (o->skiptoken == NULL)
		return OK;
	if (!place_open(c, user, o->skiptoken, &p->at) || p->at.section < first)
		return scope_fail(&c->s, ERR_BAD_REQUEST, "$skiptoken is none of this server's for this caller, or is older than an hour");
	if (p->sections > 0)
		p->sections = first + p->sections > p->at.section ? first + p->sections - p->at.section : 0;
	return OK;
}

/* ---- the page ---- */

struct data_read {
	struct call *c;
	struct id user;
	const struct portion_page *from;
};

/* The link stands behind the items: where the next page begins is known then. */
static void write_link(struct call *c, struct id user, const struct portion_place *at, struct json_writer *w)
{
	char place[PORTION_PLACE_TEXT];
	const char *below = strchr(c->in->path + 1, '/');
	portion_place_format(at, place);
	const char *token = place_token(c, user, place, (c->s.now + PLACE_LIFE_US) / SECOND_US);
	jw_kstring(w, "@odata.nextLink", arena_printf(c->s.arena, "%s%s?$skiptoken=%s", call_base_url(c), below, token));
}

static enum err read_tx(struct scope *s, struct db_tx *tx, void *arg)
{
	struct data_read *a = arg;
	struct portion_page page = *a->from;
	const char *base = call_base_url(a->c);
	struct json_writer w = call_json(a->c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context", arena_printf(s->arena, "%s/$metadata#Collection(microsoft.graph.deviceAndAppManagementData)", base));
	jw_key(&w, "value");
	jw_array(&w);
	TRY(portion_write(tx, a->user, &page, &w));
	jw_end_array(&w);
	if (page.more)
		write_link(a->c, a->user, &page.at, &w);
	jw_end_object(&w);
	return a->c->out->body.failed ? scope_fail(s, ERR_LIMIT, "the answer is too large: ask for the bundle (exportPersonalData)") : OK;
}

enum err intune_data_content(struct call *c)
{
	struct id user;
	struct odata_query options;
	struct portion_page page = {.sections = 0};
	TRY(export_resolve(&c->s, call_param(c, "user"), &user));
	c->s.subject = user;
	TRY(odata_parse(&c->s, c->in->query, &options));
	TRY(read_window(c, &page));
	TRY(read_place(c, user, &options, &page));
	if (options.skiptoken == NULL)
		TRY(portion_record(&c->s, user));
	return db_read(&c->s, read_tx, &(struct data_read){c, user, &page});
}
