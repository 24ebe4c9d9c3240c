/* SPDX-License-Identifier: Apache-2.0
 * api/intune.def: one handler for everything that Intune's clients ask for and Reeve does not model. */
#include <string.h>
#include <strings.h>

#include "api/graph/intune.h"
#include "audit/audit_read.h"
#include "codec/odata.h"
#include "devices/managed_device.h"
#include "directory/user.h"

enum err intune_nothing(struct call *c);

static const struct intune_row ROWS[] = {
#define INTUNE(path_, permission_, shape_, type_, content_, why_) \
	{.path = path_, .type = type_, .content = content_, .why = why_, .shape = INTUNE_##shape_},
#include "api/intune.def"
#undef INTUNE
};

const struct intune_row *intune_rows(size_t *ret_n)
{
	*ret_n = sizeof ROWS / sizeof ROWS[0];
	return ROWS;
}

/* ---- what must be there ---- */

static bool path_has(const struct call *c, const char *segment)
{
	return strstr(c->route->path, segment) != NULL;
}

enum err intune_user(struct call *c, struct id *ret)
{
	TRY(user_resolve(&c->s, call_param(c, "user"), ret));
	c->s.subject = *ret;
	return audit_record_view(&c->s, *ret);
}

enum err intune_device(struct call *c, struct id *ret)
{
	struct id user;
	bool under = path_has(c, "/{user}/");
	TRY(call_param_id(c, "device", "managed device", ret));
	if (under)
		TRY(intune_user(c, &user));
	return managed_device_visible(&c->s, *ret, under ? &user : NULL);
}

static enum err check_path(struct call *c, struct id *ret_device)
{
	struct id user;
	*ret_device = (struct id){0};
	if (path_has(c, "/{device}"))
		return intune_device(c, ret_device);
	return path_has(c, "/{user}") ? intune_user(c, &user) : OK;
}

/* ---- nothing, in three shapes ---- */

static void write_object(struct json_writer *w, const struct intune_row *row, struct id device)
{
	if (strncmp(row->content, "\"id\":", 5) != 0)
		jw_kid(w, "id", device);
	if (w->comma)
		buf_addc(w->out, ',');
	buf_adds(w->out, row->content);
	w->comma = true;
}

void intune_write_object(struct json_writer *w, const char *type, struct id device)
{
	size_t i = 0;
	while (ROWS[i].shape != INTUNE_OBJECT || strcmp(ROWS[i].type, type) != 0)
		check(++i < sizeof ROWS / sizeof ROWS[0]);
	write_object(w, &ROWS[i], device);
}

static void write_collection(struct json_writer *w)
{
	jw_kint(w, "@odata.count", 0);
	jw_key(w, "value");
	jw_array(w);
	jw_end_array(w);
}

static void write_report(struct json_writer *w, const struct intune_row *row)
{
	jw_kstring(w, "@odata.type", "#microsoft.graph.managedAppStatusRaw");
	jw_kstring(w, "displayName", row->type);
	jw_kstring(w, "id", strrchr(row->path, '/') + 1);
	jw_kstring(w, "version", "1");
	jw_key(w, "content");
	jw_object(w);
	jw_key(w, "header");
	jw_array(w);
	for (const char *at = row->content; *at != '\0';) {
		size_t n = strcspn(at, " ");
		jw_stringn(w, at, n);
		at += n + strspn(at + n, " ");
	}
	jw_end_array(w);
	jw_key(w, "body");
	jw_array(w);
	jw_end_array(w);
	jw_end_object(w);
}

static const struct intune_row *row_of(const struct call *c)
{
	size_t i = 0;
	while (strcmp(c->route->path + strlen("/{v}/"), ROWS[i].path) != 0)
		check(++i < sizeof ROWS / sizeof ROWS[0]); /* the routes are made of the rows */
	return &ROWS[i];
}

/* The options are read, so that what is malformed is refused here as everywhere. */
enum err intune_nothing(struct call *c)
{
	const struct intune_row *row = row_of(c);
	struct odata_query options;
	struct id device;
	TRY(check_path(c, &device));
	TRY(odata_parse(&c->s, c->in->query, &options));
	const char *base = call_base_url(c);
	struct json_writer w = call_json(c);
	jw_object(&w);
	jw_kstring(&w, "@odata.context",
		   arena_printf(c->s.arena, "%s/$metadata#%s%s", base, row->path, row->shape == INTUNE_COLLECTION ? "" : "/$entity"));
	switch (row->shape) {
	case INTUNE_COLLECTION: write_collection(&w); break;
	case INTUNE_OBJECT: write_object(&w, row, device); break;
	case INTUNE_REPORT: write_report(&w, row); break;
	}
	jw_end_object(&w);
	return OK;
}
